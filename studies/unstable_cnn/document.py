"""investigation.json: questions, findings, and a conclusion of at most 200 words (schema in
reports/investigation.schema.json).
"""

from itertools import zip_longest

from parity.document import now
from parity.studies.unstable_cnn.findings import CARRIES_OVER, NEEDS_REAL

FORMAT = 1
MOST_WORDS = 200
# What a reader wants to know first: the causes, the remedies, and one sentence of each other
# question.
FIRST = (
    *("input-CNN", "batch-CNN0", "remedy-CNN", "remedy-CNN0", "input-agreement", "input-CRNN"),
    *("batch-controls", "batch-whose", "keras-parity", "calling-state", "front-end-tags"),
    "conditioning-decibel",
)
ON_STAND_INS = " (on stand-ins)"


def document(questions, *, data, environment, command, seconds, clips=(), left_out=()):
    """Put the questions' records together, under a conclusion drawn from their findings.

    clips: names of those investigated; left_out: [{clip, message}], those that cannot be read.
    """
    return {
        "format": FORMAT,
        "created": now(),
        "command": command,
        "data": data,
        "environment": environment,
        "seconds": seconds,
        "clips": list(clips),
        "left_out": list(left_out),
        "conclusion": conclusion(questions),
        "questions": questions,
    }


def conclusion(questions):
    """[{text, finding}]: sentences of the findings, at most MOST_WORDS in all: those of FIRST,
    then in the order of the questions.

    Of the others every question has its first sentence before any has its second. What needs the
    real weights and did not run on them says nothing.
    """
    said = [
        [each for each in question["findings"] if each["sentence"] and each["scope"] != NEEDS_REAL]
        for question in questions
    ]
    by_turn = [finding for turn in zip_longest(*said) for finding in turn if finding]
    chosen, words = set(), 0
    for finding in sorted(by_turn, key=_rank):
        length = len(_text(finding).split())
        if words + length <= MOST_WORDS:
            words += length
            chosen.add(finding["id"])
    told = [finding for findings in said for finding in findings if finding["id"] in chosen]
    return [
        {"text": _text(finding), "finding": finding["id"]} for finding in sorted(told, key=_rank)
    ]


def _rank(finding):
    return FIRST.index(finding["id"]) if finding["id"] in FIRST else len(FIRST)


def _text(finding):
    text = finding["sentence"]
    return text.removesuffix(".") + ON_STAND_INS + "." if finding["scope"] == CARRIES_OVER else text

"""investigation.json: questions, findings, and a conclusion of at most 200 words (schema in reports/investigation.schema.json)."""

from itertools import zip_longest

from parity.document import now
from parity.investigate.finding import CARRIES_OVER, NEEDS_REAL

FORMAT = 1
MOST_WORDS = 200
ON_STAND_INS = " (on stand-ins)"


def document(questions, *, data, environment, command, seconds, clips=(), left_out=()):
    """Put the questions' records together, under a conclusion drawn from their findings.

    questions: [{id, question, message, stack, optimizer, optimizer_noise, findings: [record]}]; clips: names of those investigated;
    left_out: [{clip, message}], those that could not be read.
    """
    return {"format": FORMAT, "created": now(), "command": command, "data": data, "environment": environment, "seconds": seconds,
            "clips": list(clips), "left_out": list(left_out), "conclusion": conclusion(questions), "questions": questions}


def conclusion(questions):
    """[{text, finding}]: sentences of the findings, in the order of the questions, at most MOST_WORDS in all.

    Every question has its first sentence before any has its second. What needs the real weights and was not run on them says nothing.
    """
    said = [[finding for finding in question["findings"] if finding["sentence"] and finding["scope"] != NEEDS_REAL]
            for question in questions]
    chosen, words = set(), 0
    for turn in zip_longest(*said):
        for finding in filter(None, turn):
            length = len(_text(finding).split())
            if words + length <= MOST_WORDS:
                words += length
                chosen.add(finding["id"])
    return [{"text": _text(finding), "finding": finding["id"]} for findings in said for finding in findings if finding["id"] in chosen]


def _text(finding):
    text = finding["sentence"]
    return text.removesuffix(".") + ON_STAND_INS + "." if finding["scope"] == CARRIES_OVER else text

"""investigation.json: questions, findings, and a conclusion of at most 200 words; its schema is
generated from these types.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Annotated, Any

from parity.document import now
from parity.results import Data, Figure, Text, Time
from parity.schema import Says
from parity.studies.unstable_cnn.findings import CARRIES_OVER, NEEDS_REAL, Finding

FORMAT = 1
MOST_WORDS = 200
# What a reader wants to know first: the causes, the remedies, and one sentence of each other
# question.
FIRST = (
    *("input-CNN", "batch-CNN0", "remedy-CNN", "remedy-CNN0", "input-agreement", "input-CRNN"),
    *("batch-controls", "batch-whose", "keras-parity", "calling-state", "front-end-tags"),
    "conditioning-decibel",
    "authors-CRNN50-misread",
)
ON_STAND_INS = " (on stand-ins)"


@dataclass
class Noise:
    """The largest difference of the original from itself without Theano's optimizer, and its share
    of what rounding allows.
    """

    max_abs: Figure
    logits_max_abs: Figure
    ratio: Figure
    holds: bool


@dataclass
class Answer:
    """A question's findings, or the message that says why it could not be answered. stack: model to
    the Keras it ran on; optimizer: Theano's, in the runs of the original, and for which models
    another had to do, null where it did not run; optimizer_noise: by model.
    """

    id: Text
    question: Text
    message: Text | None
    optimizer: str | None
    stack: dict[str, str]
    optimizer_noise: dict[str, Noise]
    findings: list[Finding]


@dataclass
class LeftOut:
    """A clip that was given and could not be read."""

    clip: Text
    message: Text


@dataclass
class Sentence:
    """A sentence of the conclusion, with the id of the finding whose figures it states."""

    text: Text
    finding: Text


@dataclass
class Investigation:
    """Why the CNN's results look unstable: questions, findings with their evidence, and the
    conclusion.
    """

    format: Annotated[int, Says(const=1)]
    created: Time
    command: str
    data: Data
    environment: dict[str, Any]
    seconds: Annotated[float, Says(minimum=0)]
    clips: list[Text]
    left_out: list[LeftOut]
    conclusion: list[Sentence]
    questions: list[Answer]


def document(
    answers: Sequence[Answer],
    *,
    data: Data,
    environment: dict[str, Any],
    command: str,
    seconds: float,
    clips: Iterable[str] = (),
    left_out: Iterable[LeftOut] = (),
) -> Investigation:
    """Put the answers together, under a conclusion drawn from their findings.

    clips: names of those investigated; left_out: those that cannot be read.
    """
    return Investigation(
        format=FORMAT,
        created=now(),
        command=command,
        data=data,
        environment=environment,
        seconds=seconds,
        clips=list(clips),
        left_out=list(left_out),
        conclusion=conclusion(answers),
        questions=list(answers),
    )


def conclusion(answers: Iterable[Answer]) -> list[Sentence]:
    """Sentences of the findings, at most MOST_WORDS in all: those of FIRST, then in the order of
    the questions.

    Of the others every question has its first sentence before any has its second. What needs the
    real weights and did not run on them says nothing.
    """
    said = [
        [each for each in answer.findings if each.sentence and each.scope != NEEDS_REAL]
        for answer in answers
    ]
    by_turn = [finding for turn in zip_longest(*said) for finding in turn if finding]
    chosen, words = set(), 0
    for finding in sorted(by_turn, key=_rank):
        length = len(_text(finding).split())
        if words + length <= MOST_WORDS:
            words += length
            chosen.add(finding.id)
    told = [finding for findings in said for finding in findings if finding.id in chosen]
    return [Sentence(_text(finding), finding.id) for finding in sorted(told, key=_rank)]


def _rank(finding: Finding) -> int:
    return FIRST.index(finding.id) if finding.id in FIRST else len(FIRST)


def _text(finding: Finding) -> str:
    text = finding.sentence or ""
    return text.removesuffix(".") + ON_STAND_INS + "." if finding.scope == CARRIES_OVER else text

"""The questions, asked one after the other. An answer is kept, so that a stopped run continues
where it was.
"""

import importlib
import time
from collections.abc import Collection
from contextlib import suppress
from typing import NamedTuple

from parity.errors import CannotRun
from parity.recording import stacks
from parity.studies.unstable_cnn import authors, cache, noise
from parity.studies.unstable_cnn.document import Answer, Noise
from parity.studies.unstable_cnn.findings import told
from parity.studies.unstable_cnn.outcome import Outcome, Rows
from parity.studies.unstable_cnn.subject import FAST, PLAIN, Subject

UNANSWERED = (CannotRun, OSError, ValueError, MemoryError)


class Question(NamedTuple):
    """id: the module here whose `ask(subject)` measures its Outcomes, and the file of its words;
    optimizer: Theano's in its runs of the original, None: no such runs; releases: of Keras, by
    default that of each model's own stack; wide: asked of the subject's other models too.
    """

    id: str
    text: str
    optimizer: str | None = FAST
    releases: tuple = ()
    wide: bool = False


QUESTIONS = {
    question.id: question
    for question in (
        Question("batch", "Does the answer depend on who else is in the batch?", wide=True),
        Question("input", "Does the input match what the weights were trained on?", wide=True),
        Question(
            "keras", "Which Keras do these weights belong to?", PLAIN, stacks.KERAS_VERSIONS, True
        ),
        Question(
            "authors", "What did the authors run to print their scores?", FAST, authors.RAN, True
        ),
        Question("calling", "Does calling it change it?"),
        Question("front_end", "Is the front end the same?"),
        Question("conditioning", "How well-conditioned is the network there?"),
        Question("remedy", "What to do?"),
    )
}


def select(ids: Collection[str]) -> list[Question]:
    """The Questions of those ids, all for none. Raises CannotRun, listing the known ones."""
    unknown = [name for name in ids if name not in QUESTIONS]
    if unknown:
        raise CannotRun(f"no question called {unknown[0]!r}; known: {', '.join(QUESTIONS)}")
    return [question for question in QUESTIONS.values() if question.id in ids or not ids]


def answer_all(questions: list[Question], subject: Subject) -> list[Answer]:
    """The answer to each question; one that could not be given has a message, and no findings."""
    asked, rounding, records = *checked(subject, questions), []
    for question in questions:
        started_s = time.perf_counter()
        if subject.progress:
            subject.progress.update(question.id, question.text)
        of = asked.widened() if question.wide else asked
        records.append(answered(question, of, rounding))
        if subject.progress:
            said = records[-1].message or "; ".join(
                f"{each.id}: {each.verdict}" for each in records[-1].findings
            )
            subject.progress.done(question.id, f"{said} ({time.perf_counter() - started_s:.0f} s)")
    return records


def checked(subject: Subject, questions: list[Question]) -> tuple[Subject, dict]:
    """(the subject, with Theano's optimizer only where the original has been shown to agree with
    itself, {model: that measurement}).

    Elsewhere the original runs without it, which is slower and needs no proof.
    """
    rounding, wide = {}, subject.widened()
    runs = [question for question in questions if question.optimizer]
    asked = wide if any(question.wide for question in runs) else subject
    for name in asked.cases if runs else ():
        # What needs the original says why it cannot run; the other questions are answered.
        with suppress(*UNANSWERED):
            rounding[name] = noise.measured(wide, name)
    plain = [name for name in asked.cases if not (name in rounding and rounding[name]["holds"])]
    return subject._replace(optimizers=dict.fromkeys(plain, PLAIN)), rounding


def answered(question: Question, subject: Subject, rounding: dict) -> Answer:
    """One question's answer. rounding: {model: of noise.measured}."""
    shown = {
        name: Noise(*(of[key] for key in ("max_abs", "logits_max_abs", "ratio", "holds")))
        for name, of in rounding.items()
    }
    releases = {
        name: question.releases or (stacks.STACKS[case.model.stack].keras,)
        for name, case in subject.cases.items()
    }
    answer = Answer(
        question.id,
        question.text,
        None,
        _optimizer(question, subject, rounding),
        {name: f"Keras {', '.join(versions)}" for name, versions in releases.items()},
        shown if question.optimizer else {},
        [],
    )
    try:
        answer.findings = told(question.id, _outcomes(question, subject), subject.data)
    except UNANSWERED as why:
        answer.message = " ".join(str(why).split()) or type(why).__name__
    return answer


def _optimizer(question: Question, subject: Subject, rounding: dict) -> str | None:
    """Which of Theano's optimizers the original ran with."""
    if question.optimizer != FAST or not subject.optimizers:
        return question.optimizer
    why = {
        name: "they differ by more than rounding" if name in rounding else "not shown to agree"
        for name in subject.optimizers
    }
    return f"{FAST}; {PLAIN} for {', '.join(f'{name} ({words})' for name, words in why.items())}"


def _outcomes(question: Question, subject: Subject) -> list[Outcome]:
    """The Outcomes, kept or measured now; their words are not kept."""
    name = f"{__package__}.{question.id}"
    module = importlib.import_module(name)
    found = cache.recalled(
        question.id, subject.identity(), lambda: module.ask(subject), name, lasting
    )
    return [
        Outcome(key, holds, effect, figures, [Rows(*rows) for rows in tables])
        for key, holds, effect, figures, tables in found
    ]


def lasting(outcomes: Collection) -> bool:
    """Whether to keep an answer: not where an outcome measured nothing, and may tomorrow."""
    return all(effect is not None for _, _, effect, *_ in outcomes)

"""All questions, asked one after the other; an answer is kept, so that a run that was stopped goes
on where it was.
"""

import importlib
import time
from contextlib import suppress
from typing import NamedTuple

from parity.errors import CannotRun
from parity.recording import stacks
from parity.studies.unstable_cnn import kept, noise
from parity.studies.unstable_cnn.calls import FAST, PLAIN
from parity.studies.unstable_cnn.finding import record

UNANSWERED = (CannotRun, OSError, ValueError, MemoryError)


class Question(NamedTuple):
    """id: the module here that answers it by `ask(subject)`; optimizer: Theano's in its runs of
    the original, None: no such runs.

    releases: of Keras, by default that of each model's own stack.
    """

    id: str
    text: str
    optimizer: str | None = FAST
    releases: tuple = ()


QUESTIONS = {
    question.id: question
    for question in (
        Question("batch", "Does the answer depend on who else is in the batch?"),
        Question("input", "Does the input match what the weights were trained on?"),
        Question(
            "keras",
            "Which Keras do these weights belong to?",
            optimizer=PLAIN,
            releases=stacks.KERAS_VERSIONS,
        ),
        Question("calling", "Does calling it change it?"),
        Question("front_end", "Is the front end the same?"),
        Question("conditioning", "How well-conditioned is the network there?"),
        Question("remedy", "What to do?"),
    )
}


def select(ids):
    """The Questions of those ids; an empty choice means all. Raises CannotRun, listing the known
    ones.
    """
    unknown = [name for name in ids if name not in QUESTIONS]
    if unknown:
        raise CannotRun(f"no question called {unknown[0]!r}; known: {', '.join(QUESTIONS)}")
    return [question for question in QUESTIONS.values() if question.id in ids or not ids]


def answer_all(questions, subject):
    """[record of each question], as investigation.json holds it: one that cannot be answered has a
    message instead of findings.
    """
    asked, rounding, records = *checked(subject, questions), []
    for question in questions:
        started_s = time.perf_counter()
        if subject.progress:
            subject.progress.update(question.id, question.text)
        records.append(answered(question, asked, rounding))
        if subject.progress:
            said = records[-1]["message"] or "; ".join(
                f"{each['id']}: {each['verdict']}" for each in records[-1]["findings"]
            )
            subject.progress.done(question.id, f"{said} ({time.perf_counter() - started_s:.0f} s)")
    return records


def checked(subject, questions):
    """(the subject, with Theano's optimizer only where the original has been shown to agree with
    itself, {model: that measurement}).

    Where it has not, or nobody could measure it, the original runs without, which is slower and
    needs no proof.
    """
    rounding = {}
    for name in subject.cases if any(question.optimizer for question in questions) else ():
        with suppress(
            *UNANSWERED
        ):  # whatever needs the original says why it cannot run; the others are answered
            rounding[name] = noise.measured(subject, name)
    plain = {
        name: PLAIN for name in subject.cases if not rounding.get(name, {"holds": False})["holds"]
    }
    return subject._replace(optimizers=plain), rounding


def answered(question, subject, rounding):
    """One question's record. rounding: {model: of noise.measured}."""
    shown = {
        name: {key: of[key] for key in ("max_abs", "logits_max_abs", "ratio", "holds")}
        for name, of in rounding.items()
    }
    return {
        "id": question.id,
        "question": question.text,
        "message": None,
        "optimizer": _optimizer(question, subject, rounding),
        "stack": {
            name: (
                f"Keras {', '.join(question.releases or (stacks.STACKS[case.model.stack].keras,))}"
            )
            for name, case in subject.cases.items()
        },
        "optimizer_noise": shown if question.optimizer else {},
        "findings": [],
        **_findings(question, subject),
    }


def _optimizer(question, subject, rounding):
    """Which of Theano's optimizers the original ran with."""
    if question.optimizer != FAST or not subject.optimizers:
        return question.optimizer
    why = {
        name: "they differ by more than rounding" if name in rounding else "not shown to agree"
        for name in subject.optimizers
    }
    return f"{FAST}; {PLAIN} for {', '.join(f'{name} ({words})' for name, words in why.items())}"


def _findings(question, subject):
    """The findings, or the message."""
    name = f"{__package__}.{question.id}"
    try:
        module = importlib.import_module(name)
        return {
            "findings": kept.recalled(
                question.id,
                kept.of_subject(subject),
                lambda: [record(each) for each in module.ask(subject)],
                name,
                lasting,
            )
        }
    except UNANSWERED as why:
        return {"message": " ".join(str(why).split()) or type(why).__name__}


def lasting(findings):
    """Whether an answer may be kept: one with a finding that measured nothing may be another
    tomorrow, so it is asked for again.
    """
    return all(finding["effect"]["value"] is not None for finding in findings)

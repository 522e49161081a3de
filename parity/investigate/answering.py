"""All questions, asked one after the other; an answer is kept, so that a run that was stopped goes on where it was."""

import importlib
import time
from typing import NamedTuple

from parity import stacks
from parity.errors import CannotRun
from parity.investigate import kept, noise
from parity.investigate.finding import record


class Question(NamedTuple):
    """id: the module here that answers it by `ask(subject)`; optimizer: Theano's in its runs of the original, None: no such runs.

    releases: of Keras, by default that of each model's own stack.
    """

    id: str
    text: str
    optimizer: str | None = "fast_run"
    releases: tuple = ()


QUESTIONS = {question.id: question for question in (
    Question("batch", "Does the answer depend on who else is in the batch?"),
    Question("input", "Does the input match what the weights were trained on?"),
    Question("keras", "Which Keras do these weights belong to?", optimizer="None", releases=stacks.KERAS_VERSIONS),
    Question("calling", "Does calling it change it?"),
    Question("front_end", "Is the front end the same?"),
    Question("conditioning", "How well-conditioned is the network there?"),
    Question("remedy", "What to do?"),
)}


def select(ids):
    """The Questions of those ids; an empty choice means all. Raises CannotRun, listing the known ones."""
    unknown = [name for name in ids if name not in QUESTIONS]
    if unknown:
        raise CannotRun(f"no question called {unknown[0]!r}; known: {', '.join(QUESTIONS)}")
    return [question for question in QUESTIONS.values() if question.id in ids or not ids]


def answer_all(questions, subject):
    """[record of each question], as investigation.json holds it: one that cannot be answered has a message instead of findings."""
    records = []
    for question in questions:
        started_s = time.perf_counter()
        if subject.progress:
            subject.progress.update(question.id, question.text)
        records.append(answered(question, subject))
        if subject.progress:
            said = records[-1]["message"] or "; ".join(f"{each['id']}: {each['verdict']}" for each in records[-1]["findings"])
            subject.progress.done(question.id, f"{said} ({time.perf_counter() - started_s:.0f} s)")
    return records


def answered(question, subject):
    """One question's record."""
    return {"id": question.id, "question": question.text, "message": None, "optimizer": question.optimizer,
            "stack": {name: f"Keras {', '.join(question.releases or (stacks.STACKS[case.model.stack].keras,))}"
                      for name, case in subject.cases.items()},
            "optimizer_noise": {}, "findings": [], **_findings(question, subject)}


def _findings(question, subject):
    """What could be found: the findings or the message, and the noise where the original ran."""
    try:
        module = importlib.import_module(f"{__package__}.{question.id}")
        found = kept.recalled(question.id, kept.of_subject(subject), lambda: [record(each) for each in module.ask(subject)])
        return {"findings": found, "optimizer_noise": _noise(subject) if question.optimizer else {}}
    except (CannotRun, OSError, ValueError, MemoryError) as why:
        return {"message": " ".join(str(why).split()) or type(why).__name__}


def _noise(subject):
    found = {name: noise.measured(subject, name) for name in subject.cases}
    return {name: {key: of[key] for key in ("max_abs", "logits_max_abs", "ratio", "holds")} for name, of in found.items()}

"""`parity investigate` on bad input: what can be answered is, the rest says why; a stopped run
goes on; exit codes.
"""

import json
import sys
import types

import numpy as np
import pytest
from click.testing import CliRunner
from small_networks import WORDS, SmallNetwork, subject

from parity.cli import main
from parity.document import to_json
from parity.errors import CannotRun
from parity.fixtures import seeded
from parity.recording import recorder as recorders
from parity.studies.unstable_cnn import findings, noise
from parity.studies.unstable_cnn import questions as asking
from parity.studies.unstable_cnn.outcome import Outcome
from parity.studies.unstable_cnn.subject import Subject
from tests.reports import factory

OWN = ("batch", "calling", "conditioning")  # the project's own questions among those put here


@pytest.fixture
def questions(monkeypatch, tmp_path):
    """questions(**ask): {id: ask(subject)}; without data, with an empty cache, and with no
    original that would be started.
    """
    monkeypatch.setenv("PARITY_DATA", "")
    monkeypatch.setenv("PARITY_FIXTURES", str(tmp_path / "fixtures"))
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        noise,
        "measured",
        lambda subject, name: {"max_abs": 0.0, "logits_max_abs": 0.0, "ratio": 0.0, "holds": True},
    )

    def put(**ask):
        known = {name: findings.words_of(name) for name in set(ask) & set(OWN)}
        monkeypatch.setattr(findings, "words_of", lambda question: known.get(question, WORDS))
        for name, answer in ask.items():
            monkeypatch.setitem(
                sys.modules,
                f"parity.studies.unstable_cnn.{name}",
                types.SimpleNamespace(ask=answer),
            )
        monkeypatch.setattr(
            asking, "QUESTIONS", {name: asking.Question(name, f"What of {name}?") for name in ask}
        )

    return put


@pytest.fixture
def run(tmp_path):
    """run(*arguments) -> (exit code, what was said, the document or None)."""

    def invoke(*arguments):
        out = tmp_path / "out" / "investigation.json"
        done = CliRunner().invoke(main, ["investigate", "-o", str(out), *map(str, arguments)])
        return done.exit_code, done.output, json.loads(out.read_text()) if out.exists() else None

    return invoke


def found(name, sentence=None):
    said = {"id": name, "claim": f"{name} is 1.", "sentence": sentence or ""}
    return [Outcome("one", True, 1, said)]


def refuse(subject):
    raise CannotRun("keras106: no Python 3.11 here")


def test_one_that_fails_leaves_a_sentence_and_the_others_are_answered(questions, run):
    def stumble(subject):
        raise ValueError("shapes (1,) and (2,)")

    questions(first=refuse, second=lambda subject: found("two", "Two is 1."), third=stumble)
    code, said, made = run()
    assert code == 0 and [question["message"] for question in made["questions"]] == [
        "keras106: no Python 3.11 here",
        None,
        "shapes (1,) and (2,)",
    ]
    assert (
        made["conclusion"] == [{"text": "Two is 1 (on stand-ins).", "finding": "two"}]
        and made["data"] == "seeded"
    )
    assert (
        "not answered: keras106" in said and made["questions"][1]["optimizer_noise"]["CNN"]["holds"]
    )
    assert made["questions"][1]["stack"] == {
        "CNN0": "Keras 1.0.6",
        "CNN": "Keras 1.0.6",
        "CRNN": "Keras 1.1.0",
    }


def test_a_question_on_several_releases_names_them(questions, monkeypatch):
    questions(first=refuse)
    monkeypatch.setattr(Subject, "identity", lambda subject: list(subject.cases))
    assert asking.answered(
        asking.Question("first", "Which?", releases=("1.0.5", "1.2.2")), subject("CNN0"), {}
    ).stack == {"CNN0": "Keras 1.0.5, 1.2.2"}


def test_nothing_answered_is_exit_2_and_the_reasons_are_kept(questions, run):
    questions(only=refuse)
    code, _, made = run()
    assert code == 2 and made["questions"][0]["message"] and made["conclusion"] == []


def test_an_answer_is_not_asked_for_twice_and_another_clip_is_another_question(
    questions, run, tmp_path
):
    asked = []
    questions(only=lambda subject: asked.append(list(subject.clips)) or found("one"))
    first, second = run("--model", "CNN0"), run("--model", "CNN0")
    assert len(asked) == 1 and first[2]["questions"] == second[2]["questions"]
    run("--model", "CNN0", "--clips", seeded.clips(1, tmp_path)[0])
    assert asked == [["seeded-1", "seeded-2"], ["seeded-1"]]


def test_a_stopped_run_keeps_what_it_had(questions, run, monkeypatch):
    asked = []

    def stopped(subject):
        raise KeyboardInterrupt

    questions(first=lambda subject: asked.append("first") or found("one"), second=stopped)
    assert run()[0] == 2
    questions(
        first=lambda subject: asked.append("first") or found("one"),
        second=lambda subject: found("two"),
    )
    assert run()[0] == 0 and asked == ["first"]


def test_a_clip_that_cannot_be_read_is_left_out_with_a_sentence(questions, run, tmp_path):
    short = tmp_path / "short.npy"
    np.save(short, np.zeros((1, 1, 96, 700), np.float32))
    questions(only=lambda subject: found("one"))
    code, said, made = run("--clips", short, seeded.clips(1, tmp_path)[0])
    assert code == 0 and made["clips"] == ["seeded-1"]
    assert (
        made["left_out"][0]["clip"] == str(short)
        and "1366 frames" in made["left_out"][0]["message"]
        and "left out" in said
    )


def test_with_no_clip_left_questions_that_need_none_are_answered(questions, run, tmp_path):
    from parity.studies.unstable_cnn import batch

    questions(needs_clips=batch.ask, needs_none=lambda subject: found("one"))
    code, _, made = run("--clips", tmp_path / "none.npy")
    assert code == 0 and made["clips"] == [] and "no such file" in made["left_out"][0]["message"]
    assert (
        "no clip could be read" in made["questions"][0]["message"]
        and made["questions"][1]["message"] is None
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--question", "weather"), "no question called 'weather'; known: only"),
        (("--model", "CMN"), "no model called 'CMN'; did you mean CNN"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(questions, run, arguments, words):
    questions(only=lambda subject: found("one"))
    code, said, made = run(*arguments)
    assert code == 2 and words in said and made is None


def test_a_missing_environment_stops_only_what_needs_the_original(questions, run, monkeypatch):
    monkeypatch.setattr(recorders, "command_of", lambda *_: refuse(None))
    questions(
        original=lambda subject: subject.originals({"CNN0": {"batches": dict(subject.clips)}}),
        port=lambda subject: found("one"),
    )
    code, _, made = run("--model", "CNN0")
    assert (
        code == 0
        and "no Python 3.11" in made["questions"][0]["message"]
        and made["questions"][1]["findings"]
    )


def test_the_projects_own_questions_end_in_findings_on_small_networks(
    play, run, questions, monkeypatch
):
    """The whole way from networks to the file, for every question whose runs small networks can
    stand in for.
    """
    from parity.studies.unstable_cnn import batch, calling, conditioning

    questions(batch=batch.ask, calling=calling.ask, conditioning=conditioning.ask)
    from parity.studies.unstable_cnn import subject as of_names

    monkeypatch.setattr(
        of_names,
        "subject",
        lambda *_: (subject("CNN0", "CNN", data="seeded"), []),
    )
    monkeypatch.setattr(
        calling,
        "_stock",
        lambda subject, batches, threads: {("stock", "CNN0"): SmallNetwork(0)(batches)},
    )
    monkeypatch.setattr(Subject, "identity", lambda subject: list(subject.cases))
    play({"CNN0": SmallNetwork(2), "CNN": SmallNetwork(0)})
    code, said, made = run()
    assert code == 0 and [question["message"] for question in made["questions"]] == [
        None,
        None,
        None,
    ], said
    assert {sentence["finding"] for sentence in made["conclusion"]} >= {
        "batch-CNN0",
        "batch-controls",
        "calling-state",
    }
    assert all(
        finding["hypothesis"] for question in made["questions"] for finding in question["findings"]
    )
    assert "needs real weights" in said


def test_the_page_beside_shows_what_was_found_at_once(questions, run, tmp_path):
    questions(first=lambda subject: found("one", "One is 1."))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "parity.json").write_text(to_json(factory.document()), encoding="utf-8")
    code, said, _ = run()
    page = tmp_path / "out" / "parity.html"
    assert (
        code == 0
        and f"{page} shows it" in said.replace("\n", "")
        and "One is 1 (on stand-ins)." in page.read_text(encoding="utf-8")
    )

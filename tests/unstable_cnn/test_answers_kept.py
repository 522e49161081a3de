"""What an answer that is kept depends on, which answers are kept at all, and when Theano's
optimizer may stand in.
"""

import json
import sys
import types

import numpy as np
import pytest
from small_networks import WORDS, subject, two_clips

from parity.errors import CannotRun
from parity.model import Weights
from parity.studies.unstable_cnn import cache, findings, noise, questions
from parity.studies.unstable_cnn.outcome import Outcome
from parity.studies.unstable_cnn.subject import FAST, PLAIN

OWN = "music-tagger-parity/traces"


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """asked(ask, about=subject(), holds=True): the record of what `ask` answers; holds: whether
    the original agrees with itself.
    """
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Weights, "sha256", "of no file")

    def answer(ask, about=None, holds=True):
        def measured(about, name):
            if holds is None:
                raise CannotRun("no Keras here")
            return {
                "max_abs": 0.0,
                "logits_max_abs": 0.0,
                "ratio": 0.5 if holds else 2.0,
                "holds": holds,
            }

        monkeypatch.setattr(noise, "measured", measured)
        monkeypatch.setattr(findings, "words_of", lambda question: WORDS)
        monkeypatch.setitem(
            sys.modules, "parity.studies.unstable_cnn.weather", types.SimpleNamespace(ask=ask)
        )
        (found,) = questions.answer_all(
            [questions.Question("weather", "Does it rain?")], about or subject()
        )
        return found

    return answer


def outcome(effect=1.0, claim="It rains."):
    return Outcome("one", True, effect, {"id": "one", "claim": claim, "sentence": ""})


@pytest.mark.parametrize(
    ("holds", "optimizer", "said"),
    [
        (True, FAST, "fast_run"),
        (False, PLAIN, "fast_run; None for CNN0 (they differ by more than rounding)"),
        (None, PLAIN, "fast_run; None for CNN0 (not shown to agree)"),
    ],
)
def test_the_optimizer_stands_in_only_where_the_original_agrees_with_itself(
    asked, holds, optimizer, said
):
    ran = []
    found = asked(
        lambda about: ran.append(about.optimizers.get("CNN0", FAST)) or [outcome()], holds=holds
    )
    assert ran == [optimizer]
    assert found.optimizer == said
    assert {name: of.holds for name, of in found.optimizer_noise.items()} == (
        {} if holds is None else {"CNN0": holds}
    )


def test_what_was_found_with_the_optimizer_is_asked_anew_without(asked):
    ran = []
    for holds in (True, True, False):
        asked(lambda about: ran.append(dict(about.optimizers)) or [outcome()], holds=holds)
    assert ran == [{}, {"CNN0": PLAIN}]


def test_noise_that_cannot_be_measured_loses_no_finding(asked):
    found = asked(lambda about: [outcome()], holds=None)
    assert found.message is None
    assert [each.id for each in found.findings] == ["one"]


def test_an_answer_that_measured_nothing_is_asked_for_again(asked):
    answers = [outcome(None, "no Keras here"), outcome(), outcome(claim="never asked")]
    said = [asked(lambda about: [answers.pop(0)]).findings[0].claim for _ in range(3)]
    assert said == ["no Keras here", "It rains.", "It rains."]


def test_a_message_is_no_answer(asked):
    def fails(about):
        raise CannotRun("no Keras here")

    assert asked(fails).message == "no Keras here"
    assert asked(lambda about: [outcome()]).findings


def test_the_order_of_the_clips_matters(asked):
    ran, clips = [], two_clips()
    for given in (clips, dict(reversed(clips.items())), clips):
        asked(
            lambda about: ran.append(list(about.clips)) or [outcome()], about=subject(clips=given)
        )
    assert ran == [["first", "second"], ["second", "first"]]


def test_an_answer_depends_on_what_its_module_computes_with_and_on_nothing_else():
    of_batch, of_keras = (
        cache.digests(f"parity.studies.unstable_cnn.{name}") for name in ("batch", "keras")
    )
    for path in (
        "studies/unstable_cnn/batch.py",
        "studies/unstable_cnn/tags.py",
        "parity/recording/trace.py",
        "fixtures/synthesis.py",
        "fixtures/published.json",
        "port/links/batch_normalization.py",
        "parity/__init__.py",
    ):
        assert path in of_batch, path
    for path in (
        "studies/unstable_cnn/front_end.py",
        "studies/unstable_cnn/command.py",
        "studies/unstable_cnn/findings.py",
        "parity/cli.py",
        "tagger/__main__.py",
    ):
        assert path not in of_batch, path
    assert "studies/unstable_cnn/releases.py" in of_keras
    assert not any(path.startswith("reports/") for path in (*of_batch, *of_keras))
    assert {"numpy", "chainer", "soxr", "av"} <= set(cache.versions())


def test_an_edited_file_or_another_release_makes_it_anew(monkeypatch, tmp_path):
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path))
    made = []

    def ask():
        return cache.recalled(
            "weather",
            [],
            lambda: made.append(1) or {"rain": len(made)},
            "parity.studies.unstable_cnn.batch",
        )

    ask()
    assert ask() == {"rain": 1}
    honest, versions = cache.digests("parity.studies.unstable_cnn.batch"), cache.versions()
    monkeypatch.setattr(
        cache, "digests", lambda module: {**honest, "parity/recording/trace.py": "edited"}
    )
    assert ask() == {"rain": 2}
    monkeypatch.setattr(cache, "versions", lambda: {**versions, "soxr": "0"})
    assert ask() == {"rain": 3}


def test_one_that_is_cut_short_is_made_again(monkeypatch, tmp_path):
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path))
    made = [
        cache.recalled(
            "weather", [], lambda: {"rain": np.float64(1)}, "parity.studies.unstable_cnn.batch"
        )
    ]
    (path,) = tmp_path.rglob("*.json")
    path.write_text(path.read_text()[:5])
    made.append(
        cache.recalled("weather", [], lambda: {"rain": 2}, "parity.studies.unstable_cnn.batch")
    )
    assert (
        made == [{"rain": 1}, {"rain": 2}] == [{"rain": 1}, json.loads(path.read_text())["value"]]
    )


def test_the_benchmark_leaves_out_the_answers_and_only_those(tmp_path):
    from bench.investigate import without_answers

    kept_files = (
        f"{OWN}/trace.h5",
        f"{OWN}/investigations/live.h5",
        f"{OWN}/investigations/noise.1.json",
        f"{OWN}/investigations/versions.2.json",
    )
    for name in (
        *kept_files,
        f"{OWN}/investigations/batch.3.json",
        f"{OWN}/investigations/input.4.json",
    ):
        (tmp_path / "cache" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cache" / name).write_text(name)
    folder = without_answers(tmp_path / "cache", tmp_path / "at hand")
    assert {str(path.relative_to(folder)) for path in folder.rglob("*.*")} == set(kept_files)
    assert (folder / OWN / "trace.h5").read_text() == f"{OWN}/trace.h5"

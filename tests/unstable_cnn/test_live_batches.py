"""The real original on many batches in one process: minutes would be saved by a stand-in, but only
Keras can say what Keras does.
"""

import numpy as np
import pytest

from parity.errors import CannotRun
from parity.fixtures import seeded
from parity.model import MODELS, Case, Weights
from parity.numerics.rounding import U
from parity.recording import recorder as recorders
from parity.studies.unstable_cnn import originals, ports

pytestmark = pytest.mark.slow


def ask(**asked):
    return originals.run({"it": asked})["it"]


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """CNN0's stand-in weights in CNN0 (mode 2) and in CNN, the same network in mode 0; alone, in a
    pair, alone again.
    """
    folder = tmp_path_factory.mktemp("live")
    weights, clips = (
        seeded.weights("CNN0", folder),
        [np.load(path) for path in seeded.clips(2, folder)],
    )
    batches = {"alone": clips[0], "pair": np.concatenate(clips), "alone again": clips[0]}
    return folder / "cache", {
        name: {
            "case": Case(MODELS[name], Weights(weights), (), "seeded"),
            "batches": batches,
            "most": 64,
            "keep": ("bn1", "bn5", "output"),
        }
        for name in ("CNN0", "CNN")
    }


@pytest.fixture(scope="module")
def answers(asked):
    """{model: {label: Run}}."""
    cache, wanted = asked
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARITY_CACHE", str(cache))
        return originals.run(wanted)


def test_keras_itself_depends_on_the_batch_in_mode_2_and_not_in_mode_0(answers):
    logits = {
        name: {label: run.outputs["output:logits"][0].astype(float) for label, run in found.items()}
        for name, found in answers.items()
    }
    moved = {
        name: np.abs(of["pair"] - of["alone"]).max() / np.abs(of["alone"]).max()
        for name, of in logits.items()
    }
    assert moved["CNN0"] > 1e-2 and moved["CNN"] < 1e3 * U, moved


def test_calling_again_gives_the_same_bits_and_leaves_the_parameters(answers):
    for found in answers.values():
        assert np.array_equal(
            found["alone"].outputs["output:logits"], found["alone again"].outputs["output:logits"]
        )
        assert len({mark for run in found.values() for mark in run.parameters_sha256}) == 1
        assert (
            found["alone"].others_sha256[0]
            != found["alone"].others_sha256[1]
            == found["pair"].others_sha256[0]
        )


def test_the_port_gives_the_same_of_everything(asked, answers):
    for name, wanted in asked[1].items():
        if name == "CNN":  # the port refuses CNN0's file there
            continue
        for label, ours in ports.run(**wanted).items():
            theirs = answers[name][label]
            assert (
                list(ours.outputs)
                == list(theirs.outputs)
                == ["bn1", "bn5", "output", "output:logits"]
            )
            for layer in ours.outputs:
                assert ours.outputs[layer].shape == theirs.outputs[layer].shape
                np.testing.assert_allclose(
                    ours.outputs[layer], theirs.outputs[layer], rtol=1e-3, atol=1e-4
                )
            assert {layer: len(mean) for layer, (mean, _) in theirs.arriving.items()} == {
                "bn_0_freq": 1366,
                "bn1": 32,
                "bn2": 128,
                "bn3": 128,
                "bn4": 192,
                "bn5": 256,
            }
            for layer, (mean, variance) in ours.arriving.items():
                size = np.sqrt(variance) + np.abs(mean)
                assert np.abs(mean - theirs.arriving[layer][0]).max() < 1e3 * U * size.max()
                np.testing.assert_allclose(
                    variance, theirs.arriving[layer][1], rtol=1e-3, atol=1e-6
                )


def test_it_is_recalled_by_content(asked, answers, monkeypatch):
    cache, wanted = asked
    monkeypatch.setenv("PARITY_CACHE", str(cache))
    monkeypatch.setattr(recorders, "Recorder", None)  # starting one would fail
    again = ask(**wanted["CNN0"])
    assert np.array_equal(
        again["pair"].outputs["output"], answers["CNN0"]["pair"].outputs["output"]
    )
    for changed in (
        {"optimizer": "None"},
        {"keep": ("output",)},
        {"most": 32},
        {"threads": 2},
        {"stack": "keras110"},
        {"batches": dict(reversed(wanted["CNN0"]["batches"].items()))},
    ):
        with pytest.raises(TypeError):
            ask(**{**wanted["CNN0"], **changed})


def test_what_is_kept_cut_short_is_refused(asked, answers, monkeypatch, tmp_path):
    cache, wanted = asked
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path))
    kept = list(cache.rglob("investigations/*.h5"))
    folder = tmp_path / kept[0].parent.relative_to(cache)
    folder.mkdir(parents=True)
    for path in kept:
        (folder / path.name).write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CannotRun, match="remove that file"):
        ask(**wanted["CNN0"])


def test_a_layer_it_has_not_is_refused_before_anything_is_started(asked, monkeypatch):
    monkeypatch.setattr(recorders, "Recorder", None)
    with pytest.raises(CannotRun, match="no layer conv9"):
        ask(**{**asked[1]["CNN0"], "keep": ("conv9",)})


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (np.zeros((1, 1, 96, 1366)), "float64"),
        (np.zeros((1, 96, 1366), np.float32), "expected float32"),
        (np.full((1, 1, 96, 1366), np.nan, np.float32), "NaN"),
    ],
)
def test_a_batch_that_is_none_is_refused(asked, batch, words):
    with pytest.raises(CannotRun, match=words):
        ask(case=asked[1]["CNN0"]["case"], batches={"it": batch})


def test_a_recorder_that_fails_leaves_nothing(asked, monkeypatch, tmp_path):
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path))
    monkeypatch.setattr(recorders, "command_of", lambda *_: ["/bin/false"])
    with pytest.raises(CannotRun, match="ended with exit code 1"):
        ask(**asked[1]["CNN0"])
    (folder,) = tmp_path.rglob("investigations")
    assert list(folder.iterdir()) == []

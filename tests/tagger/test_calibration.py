"""CNN0's frozen statistics: what mode 2 says of the calibration batch, whatever a clip is scored
with; and bound to its weights.
"""

import csv
import json

import chainer
import numpy as np
import pytest

from parity.fixtures import seeded, synthesis
from parity.port.links.batch_normalization import BatchNormalization
from parity.port.weights import load
from tagger import load_tagger
from tagger.audio import melgram
from tagger.calibration import CalibrationError, apply, calibrate, frozen_layers, save
from tagger.weight_files import convert

pytestmark = pytest.mark.slow

# Two orders of summing a statistic differ by float32's rounding of it, 2^-24, at each of five
# layers; ELU, pooling and the convolutions pass that on to sums of at most 9 x 192 products, whose
# own rounding is the square root of that many times it.
ROUNDING = 5 * np.sqrt(9 * 192) * 2.0**-24


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return seeded.weights("CNN0", tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def clips():
    """Three mel spectrograms, (3,1,96,1366) decibels."""
    return np.concatenate([synthesis.mel_spectrogram(number) for number in (1, 2, 3)])


@pytest.fixture(scope="module")
def frozen(weights, clips, tmp_path_factory):
    """(tagger calibrated on the three clips, its statistics, its file)."""
    tagger = load_tagger("CNN0", weights)
    statistics = calibrate(tagger.network, [clips])
    path = tmp_path_factory.mktemp("calibration") / "frozen.npz"
    save(path, tagger.network, statistics, clips=["1", "2", "3"])
    return tagger, statistics, path


def test_on_the_calibration_batch_it_is_mode_2(frozen, weights, clips):
    np.testing.assert_allclose(
        frozen[0].predict(clips),
        load_tagger("CNN0", weights).predict(clips),
        rtol=0,
        atol=ROUNDING,
    )


def test_the_batch_no_longer_matters(frozen, weights, clips):
    def moved(tagger):
        together = tagger.predict(clips[::-1])[::-1]
        return max(
            np.abs(tagger.predict(clip[None])[0] - scores).max()
            for clip, scores in zip(clips, together, strict=True)
        )

    assert moved(frozen[0]) <= ROUNDING < 1e-3 < moved(load_tagger("CNN0", weights))


def test_statistics_are_those_of_what_arrives_over_all_clips_and_do_not_depend_on_their_grouping(
    frozen, weights, clips
):
    statistics, network = frozen[1], load("CNN0", weights)
    assert list(statistics) == frozen_layers(network) == ["bn1", "bn2", "bn3", "bn4", "bn5"]
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        arriving = network.through(
            clips, network.layer_names[: network.layer_names.index("bn3")]
        ).array.astype(np.float64)
    mean, variance, values = statistics["bn3"]
    assert values == arriving.size // arriving.shape[1]
    np.testing.assert_allclose(mean, arriving.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(variance, arriving.var((0, 2, 3)), rtol=1e-5)
    for grouped in ([clips[:1], clips[1:]], [clips[:2], clips[2:]]):
        for name, (mean, variance, _) in calibrate(network, grouped).items():
            np.testing.assert_array_equal(mean, statistics[name].mean)
            np.testing.assert_array_equal(variance, statistics[name].variance)


def test_averages_over_parts_of_the_clips_would_be_another_variance(frozen, clips, weights):
    # The check above can fail: without the merging term between parts, bn1's variance is too small
    # by what clips differ.
    network = load("CNN0", weights)
    of_each = [calibrate(network, [clip[None]])["bn1"].variance for clip in clips]
    assert (np.mean(of_each, axis=0) < frozen[1]["bn1"].variance * (1 - 1e-4)).any()


def test_a_file_gives_the_same_tagger_again_and_the_same_bytes(frozen, weights, clips, tmp_path):
    tagger, statistics, path = frozen
    loaded = load_tagger("CNN0", weights, calibration=path)
    np.testing.assert_array_equal(loaded.predict(clips), tagger.predict(clips))
    assert "calibration frozen.npz (3 files, sha256 " in loaded.remedies[0]
    save(tmp_path / "again.npz", tagger.network, statistics, clips=["1", "2", "3"])
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()
    convert(weights, tmp_path / "cnn0.npz", "CNN0")
    # The same weights in another kind of file.
    apply(path, load("CNN0", tmp_path / "cnn0.npz"))


def test_it_is_refused_for_other_models_weights_corrections_and_releases(frozen, weights, tmp_path):
    path = frozen[2]
    other = load("CNN0", weights)
    other.conv3.W.array[0, 0, 0, 0] += 1e-6
    cases = {
        "made for CNN0, not CNN;": (load("CNN", seeded.weights("CNN", tmp_path)), None),
        "not weights of sha256": (other, None),
        "made for input correction None, not input correction clip": (
            load("CNN0", weights),
            "clip",
        ),
        "made for Keras 1.0.6, not Keras 1.1.0": (load("CNN0", weights, "1.1.0"), None),
    }
    for said, (network, correction) in cases.items():
        with pytest.raises(CalibrationError) as caught:
            apply(path, network, correction)
        assert said in str(caught.value) and "python -m tagger calibrate" in str(caught.value)
        assert all(getattr(link, "frozen", None) is None for link in network.children())


@pytest.mark.parametrize(
    "damage", ["missing", "empty", "cut", "pickled", "weights", "array", "nan", "negative", "shape"]
)
def test_another_file_is_one_sentence(damage, frozen, weights, tmp_path):
    path, network = tmp_path / "x.npz", load("CNN0", weights)
    members = dict(np.load(frozen[2]))
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(frozen[2].read_bytes()[:-500])
    elif damage == "pickled":
        np.savez(path, provenance=np.array([{}], dtype=object))
    elif damage == "weights":
        convert(weights, path, "CNN0")
    elif damage == "array":
        with open(path, "wb") as stream:
            np.save(stream, np.zeros(3))
    elif damage != "missing":
        value = {"nan": np.nan, "negative": -1.0, "shape": 1.0}[damage]
        members["bn2/variance"] = np.full(128 - (damage == "shape"), value)
        np.savez(path, **members)
    with pytest.raises(CalibrationError) as caught:
        apply(path, network)
    said = str(caught.value)
    assert (
        str(path) in said
        and "\n" not in said
        and ("is not there" if damage == "missing" else "is no calibration") in said
    )


def test_it_is_no_weight_file_and_says_where_it_belongs(frozen, run, wav):
    for command in (("tag", "-m", "CNN0", "--weights", frozen[2], wav()), ("inspect", frozen[2])):
        code, out, err = run(*command)
        assert code == 2 and "give it to --calibration" in err and err.count("\n") == 1
        assert (out == "") == (command[0] == "tag") and ("bn5/variance" in out) == (
            command[0] == "inspect"
        )


def test_only_networks_with_batch_statistics_are_calibrated(tmp_path, clips):
    for model in ("CRNN", "CNN"):
        with pytest.raises(CalibrationError, match="calibrate CNN0"):
            calibrate(load(model, seeded.weights(model, tmp_path)), [clips])
    with pytest.raises(ValueError, match="only mode 2"):
        BatchNormalization(3).freeze(np.zeros(3), np.ones(3))


def test_no_clip_is_one_sentence(weights):
    with pytest.raises(CalibrationError, match="give at least one"):
        calibrate(load("CNN0", weights), [])


def test_training_still_takes_the_batchs_statistics(rng_batch):
    link = BatchNormalization(3, mode=2)
    expected = link(rng_batch).array
    link.freeze(np.full(3, 5.0), np.full(3, 9.0))
    assert (link(rng_batch).array != expected).any()
    with chainer.using_config("train", True):
        np.testing.assert_array_equal(link(rng_batch).array, expected)


@pytest.fixture
def rng_batch():
    with chainer.using_config("train", False):
        yield np.random.default_rng(3).normal(size=(2, 3, 4, 5)).astype(np.float32)


def test_the_command_freezes_leaves_bad_files_out_and_says_so(run, wav, tmp_path):
    paths = [
        wav("a/1.wav", pitch_hz=200),
        wav("a/2.wav", pitch_hz=2000),
        wav("3.wav", pitch_hz=700),
    ]
    (tmp_path / "a" / "bad.wav").write_bytes(b"")
    code, out, err = run("calibrate", tmp_path / "a", "-o", tmp_path / "frozen.npz")
    assert code == 1 and err.count("\n") == 1 and "bad.wav" in err, "named once, not once per layer"
    assert out.startswith("MEANINGLESS") and "(assumed) frozen at 2 files" in out
    assert "bn5: 256 means and variances, each of 32 values" in out  # 2 clips x 4 x 4
    with np.load(tmp_path / "frozen.npz", allow_pickle=False) as members:
        said = json.loads(str(members["provenance"]))
    assert [clip["file"] for clip in said["clips"]] == ["1.wav", "2.wav"] and len(
        said["clips"][0]["sha256"]
    ) == 64
    assert (
        len(said["weights_sha256"]) == len(said["weights_file_sha256"]) == 64
        and said["meaningless"] is True
    )
    alone, together = (
        run(
            "tag",
            "-m",
            "CNN0",
            "--calibration",
            tmp_path / "frozen.npz",
            "--format",
            "csv",
            *tracks,
        )
        for tracks in (paths[:1], paths)
    )
    assert alone[0] == together[0] == 0 and alone[2] == "", (
        "no warning of a batch that does not matter"
    )
    scores = [
        [float(row["score"]) for row in csv.DictReader(said[1].splitlines())][:10]
        for said in (alone, together)
    ]
    np.testing.assert_allclose(*scores, rtol=0, atol=ROUNDING)
    assert (
        alone[1].splitlines()[0].endswith(",weights,keras,remedies")
        and "calibration frozen.npz (2 files" in alone[1]
    )
    assert run("calibrate", tmp_path / "a", "-o", tmp_path / "again.npz")[0] == 1
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "frozen.npz").read_bytes()


def test_what_cannot_be_calibrated_writes_nothing(run, wav, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"")
    cases = {
        "give at least one audio file": (
            "calibrate",
            tmp_path / "bad.wav",
            "-o",
            tmp_path / "x.npz",
        ),
        "calibrate CNN0": ("calibrate", "-m", "CNN", wav(), "-o", tmp_path / "x.npz"),
        "is not a folder": ("calibrate", wav(), "-o", tmp_path / "none" / "x.npz"),
        "is not there": ("tag", "-m", "CNN0", "--calibration", tmp_path / "x.npz", wav()),
    }
    for said, command in cases.items():
        code, out, err = run(*command)
        assert (code, out) == (2, "") and said in err and not (tmp_path / "x.npz").exists()


def test_on_the_published_clips_it_is_the_original_pair_whatever_the_batch(real_data):
    paths = [real_data / f"audio/bensound-{name}.wav" for name in ("thejazzpiano", "actionable")]
    both, tagger = np.concatenate([melgram(path) for path in paths]), load_tagger("CNN0")
    expected = tagger.predict(both)
    calibrate(tagger.network, [both])
    np.testing.assert_allclose(tagger.predict(both), expected, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(
        np.concatenate([tagger.predict(clip[None]) for clip in both]),
        expected,
        rtol=0,
        atol=ROUNDING,
    )

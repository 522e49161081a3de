"""The four taggers: names, order, shapes, the proof interface, and training."""

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer import optimizers, serializers
from scipy.special import expit

from parity.fixtures.tags import GENRES, TAGS
from parity.port import proof
from parity.port.architectures import MODELS
from parity.port.links.batch_normalization import BatchNormalization
from parity.port.network import Network
from parity.port.weights import load

# Written out, not generated as the port does it: what Keras 1.0.6 and 1.1.0 report for the
# published definitions.
BLOCKS = [
    "conv1", "bn1", "elu_1", "pool1", "dropout1", "conv2", "bn2", "elu_2", "pool2", "dropout2",
    "conv3", "bn3", "elu_3", "pool3", "dropout3", "conv4", "bn4", "elu_4", "pool4", "dropout4",
]  # fmt: skip
CNN_NAMES = [
    "bn_0_freq",
    *BLOCKS,
    "conv5",
    "bn5",
    "elu_5",
    "pool5",
    "dropout5",
    "flatten_1",
    "output",
]
CRNN_NAMES = ["zeropadding2d_1", "bn_0_freq", *BLOCKS, "permute_1", "reshape_1", "gru1", "gru2"]
NAMES = {
    "CRNN": [*CRNN_NAMES, "final_drop", "preds"],
    "CRNN50": [*CRNN_NAMES, "dropout_1", "output"],
    "CNN0": CNN_NAMES,
    "CNN": CNN_NAMES,
}
every_model = pytest.mark.parametrize("model", NAMES)


@pytest.fixture(scope="module")
def clips():
    return np.random.default_rng(5).normal(-30, 20, (1, 1, 96, 1366)).astype(np.float32)


@every_model
def test_steps_are_named_and_ordered_as_keras_has_them(model):
    assert list(Network(model).steps()) == NAMES[model]


def test_every_declared_model_is_tested():
    assert set(MODELS) == set(NAMES)


@pytest.mark.parametrize(
    "model, keras", [("CRNN", "1.1.0"), ("CRNN50", "1.0.6"), ("CNN0", "1.0.6"), ("CNN", "1.0.6")]
)
def test_each_model_has_the_release_its_weights_are_from(model, keras):
    stored = "variance" if keras == "1.1.0" else "std"
    assert Network(model).keras == keras and Network(model).bn1.dialect.stored == stored
    assert Network(model, "1.2.2").bn1.eps == 1e-3


def test_only_cnn0_normalises_by_its_batch_and_not_in_its_first_layer():
    modes = {
        (model, name): step.mode
        for model in MODELS
        for name, step in Network(model).steps().items()
        if isinstance(step, BatchNormalization)
    }
    assert {key for key, mode in modes.items() if mode == 2} == {
        ("CNN0", f"bn{i}") for i in range(1, 6)
    }


def test_a_misspelt_model_is_answered_with_the_nearest_name():
    with pytest.raises(ValueError, match="no model is called 'crn50'; did you mean CRNN50"):
        Network("crn50")


def test_tags():
    assert len(GENRES) == 10 and len(TAGS) == len(set(TAGS)) == 50
    assert (TAGS[0], TAGS[17], TAGS[33], TAGS[-1], GENRES[5]) == (
        "rock",
        "Mellow",
        "Hip-Hop",
        "happy",
        "jazz",
    )


@every_model
def test_a_forward_pass_is_the_chain_of_its_steps(model, keras_file, clips):
    tagger, y = load(model, keras_file(model)), clips
    port = proof.steps(model, keras_file(model))
    for name in port.layers:
        y = port.run(name, y)
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        scores, logits = tagger(chainer.Variable(clips)).array, tagger.logits(clips).array
    np.testing.assert_array_equal(scores, y)
    np.testing.assert_array_equal(port(clips), y)
    np.testing.assert_allclose(scores, expit(logits.astype(np.float64)), rtol=1e-6, atol=1e-37)
    assert scores.shape == (1, MODELS[model].outputs) and scores.dtype == np.float32


# What one clip becomes: the shapes Keras reports, floors and all.
SHAPES = {
    "CNN0": {"bn_0_freq": (1, 96, 1366), "conv1": (32, 96, 1366), "pool1": (32, 48, 341), "pool2": (128, 24, 85),
             "pool3": (128, 12, 21), "pool4": (192, 4, 4), "pool5": (256, 1, 1), "flatten_1": (256,), "output": (50,)},
    "CRNN": {"zeropadding2d_1": (1, 96, 1440), "pool1": (64, 48, 720), "pool2": (128, 16, 240), "pool3": (128, 4, 60),
             "pool4": (128, 1, 15), "permute_1": (15, 128, 1), "reshape_1": (15, 128), "gru1": (15, 32), "gru2": (32,),
             "preds": (10,)},
}  # fmt: skip


@pytest.mark.parametrize("model", SHAPES)
def test_proof_steps_take_and_give_arrays_and_modify_nothing(model, keras_file, clips):
    y, shapes, port = clips, {}, proof.steps(model, keras_file(model))
    for name in port.layers:
        before, x = y.tobytes(), y
        y = port.run(name, x)
        assert type(y) is np.ndarray and y.dtype == np.float32, name
        assert x.tobytes() == before, name
        shapes[name] = y.shape[1:]
    assert {name: shapes[name] for name in SHAPES[model]} == SHAPES[model]


def test_proof_steps_run_in_the_test_phase_whatever_the_phase_is(keras_file):
    port, x = proof.steps("CNN", keras_file("CNN")), np.ones((1, 256, 1, 1), np.float32)
    with chainer.using_config("train", True):
        np.testing.assert_array_equal(port.run("dropout5", x), x)
    assert chainer.config.train, "the caller's phase is its own"


@pytest.mark.parametrize(
    "shape, dtype", [((1, 96, 1366), "f4"), ((1, 1, 96, 1365), "f4"), ((1, 1, 96, 1366), "f8")]
)
def test_a_misfit_input_is_named(shape, dtype):
    with pytest.raises(
        ValueError, match=r"CNN takes float32 mel spectrograms \(clips, 1, 96, 1366\), not float"
    ):
        Network("CNN")(np.zeros(shape, dtype))


def small_chain(model, rng):
    """The model's own layers from pool2's output on: everything but the two large first blocks."""
    tagger = Network(model)
    names = tagger.layer_names[tagger.layer_names.index("dropout2") :]
    shape = {"CNN": (128, 24, 85), "CNN0": (128, 24, 85), "CRNN": (128, 16, 240)}[model]
    chain = chainer.Sequential(*(tagger[name].copy() for name in names))
    return chain, rng.normal(0, 1, (2, *shape)).astype(np.float32)


@pytest.mark.parametrize("model", ["CRNN", "CNN0", "CNN"])
def test_training_lowers_the_loss(rng, model):
    np.random.seed(0)  # dropout draws from it
    chain, x = small_chain(model, rng)
    wanted = rng.integers(0, 2, (2, 10 if model == "CRNN" else 50)).astype(np.float32)
    optimizer, losses = optimizers.Adam(1e-2).setup(chain), []
    with chainer.using_config("train", True):
        for _ in range(4):
            loss = F.mean_squared_error(chain(x), wanted)
            chain.cleargrads()
            loss.backward()
            assert all(np.isfinite(parameter.grad).all() for parameter in chain.params())
            optimizer.update()
            losses.append(float(loss.array))
    assert losses[-1] < 0.8 * losses[0]


def test_a_whole_model_has_finite_gradients_everywhere(clips):
    tagger = Network("CNN")
    tagger.cleargrads()
    with chainer.using_config("train", True):
        F.sum(tagger(clips)).backward()
    for name, parameter in tagger.namedparams():
        assert (
            parameter.grad is not None
            and np.isfinite(parameter.grad).all()
            and parameter.grad.any()
        ), name
    assert tagger.bn5.running_mean.any(), "training moves the running statistics"


def test_a_copied_tagger_has_its_own_steps():
    tagger = Network("CRNN")
    twin = tagger.copy(mode="copy")
    twin.preds.b.array[...] = 9
    assert (twin.steps()["preds"].b.array == 9).all() and not tagger.steps()["preds"].b.array.any()


def test_chainers_own_serializer_keeps_a_tagger(tmp_path, keras_file):
    written, read = load("CRNN", keras_file("CRNN")), Network("CRNN")
    serializers.save_npz(tmp_path / "crnn.npz", written)
    serializers.load_npz(tmp_path / "crnn.npz", read)
    for (name, a), (_, b) in zip(written.namedparams(), read.namedparams(), strict=True):
        np.testing.assert_array_equal(a.array, b.array, err_msg=name)
    np.testing.assert_array_equal(written.bn1.running_std, read.bn1.running_std)


def test_the_ports_object_keeps_its_tagger_when_weights_change(keras_file):
    port = proof.steps("CRNN", keras_file("CRNN"))
    x, bias = np.ones((1, 32), np.float32), np.full(10, 9, np.float32)
    before = port.logits(x)
    changed = port.with_weights("preds", {"b": bias})
    np.testing.assert_array_equal(port.logits(x), before)
    assert (changed.logits(x) > 5).all() and not (before > 5).any()
    assert port.versions == {"chainer": chainer.__version__}

"""Real Keras on real Theano, through the same code as `make parity`: small batches of stand-ins,
one clip each.
"""

import numpy as np
import pytest

from parity.errors import CannotRun
from parity.fixtures import seeded
from parity.model import MODELS, Case, Weights
from parity.recording import recordings
from parity.recording.cache import trace_cache
from parity.recording.job import Job
from parity.recording.trace import open_trace

pytestmark = pytest.mark.slow

MODELS_RECORDED = ("CNN0", "CRNN")
DEFINED = "definition_sha256"
LANE = "noise"  # the quickest; the others differ only in flags, and every parity run records them


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """{model: (job, path)}: each on one clip."""
    folder = tmp_path_factory.mktemp("recorded")
    batch = np.load(seeded.clips(1, folder)[0]).astype(np.float32)
    jobs = {
        model: Job.of_case(
            Case(MODELS[model], Weights(seeded.weights(model, folder)), (), "seeded"), LANE, batch
        )
        for model in MODELS_RECORDED
    }
    paths = recordings.record(jobs.values(), workers=2, cache=trace_cache(folder / "traces"))
    return {model: (job, paths[job.key]) for model, job in jobs.items()}


@pytest.mark.parametrize("model", MODELS_RECORDED)
def test_every_declared_layer_is_there_in_order_with_what_keras_says_of_it(recorded, model):
    job, path = recorded[model]
    with open_trace(path) as trace:
        assert tuple(trace.layers) == ("input_1", *MODELS[model].layers)
        kinds = {layer.kind for layer in trace.layers.values()}
        assert {
            "InputLayer",
            "BatchNormalization",
            "Convolution2D",
            "ELU",
            "MaxPooling2D",
            "Dropout",
            "Dense",
        } <= kinds
        assert trace.read("input_1").tobytes() == job.batch.tobytes()
        previous = "input_1"
        for name in MODELS[model].layers:
            assert trace.layers[name].inbound == (previous,)
            assert np.isfinite(trace.read(name)).all()
            previous = name
        assert trace.layers["bn_0_freq"].config["axis"] == 3


@pytest.mark.parametrize(
    ("model", "layer", "shape", "config"),
    [
        ("CNN0", "conv1", (1, 32, 96, 1366), {"border_mode": "same"}),
        ("CNN0", "bn1", (1, 32, 96, 1366), {"mode": 2, "epsilon": 1e-06}),
        ("CNN0", "dropout1", (1, 32, 48, 341), {"p": 0.5}),
        ("CNN0", "pool4", (1, 192, 4, 4), {"pool_size": [3, 5]}),
        ("CNN0", "output", (1, 50), {"activation": "sigmoid"}),
        ("CRNN", "zeropadding2d_1", (1, 1, 96, 1440), {"padding": [0, 37]}),
        ("CRNN", "bn1", (1, 64, 96, 1440), {"mode": 0, "epsilon": 1e-05}),
        ("CRNN", "dropout4", (1, 128, 1, 15), {"p": 0.1}),
        ("CRNN", "reshape_1", (1, 15, 128), {}),
        ("CRNN", "gru1", (1, 15, 32), {"return_sequences": True}),
        ("CRNN", "final_drop", (1, 32), {"p": 0.3}),
        ("CRNN", "preds", (1, 10), {}),
    ],
)
def test_layers_have_the_originals_shapes_and_settings(recorded, model, layer, shape, config):
    with open_trace(recorded[model][1]) as trace:
        found = trace.layers[layer]
        assert found.shape == shape
        assert found.dtype == np.float32
        assert config.items() <= found.config.items()


@pytest.mark.parametrize(("model", "layer"), [("CNN0", "output"), ("CRNN", "preds")])
def test_the_pre_activation_is_what_the_sigmoid_was_given(recorded, model, layer):
    with open_trace(recorded[model][1]) as trace:
        before, after = trace.read_pre_activation(layer).astype("f8"), trace.read(layer)
        np.testing.assert_allclose(
            after, 1 / (1 + np.exp(-before)), rtol=0, atol=2.0**-22
        )  # two roundings of numbers below 1
        assert before.std() > 0.1


def test_a_trace_says_what_made_it_and_nothing_of_this_machines_folders(recorded):
    job, path = recorded["CRNN"]
    with open_trace(path) as trace:
        told = trace.provenance
    assert job.expect.items() <= told.items()
    assert (told["model"], told["lane"], told["batch_size"], told["optimizer"]) == (
        "CRNN",
        "noise",
        1,
        "fast_run",
    )
    assert "/" not in str(told)
    assert recordings.describe("keras110", path) == {
        "name": "keras110",
        "python": "3.11",
        "keras": "1.1.0",
        "theano": "1.0.5",
        "flags": "device=cpu,floatX=float32,optimizer=fast_run,linker=cvm,blas.ldflags=",
    }


def test_the_same_input_gives_the_same_bytes(recorded, tmp_path):
    job, path = recorded["CNN0"]
    again = recordings.record([job], cache=trace_cache(tmp_path / "again"))[job.key]
    assert again != path
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda job, crnn: job._replace(
                more=crnn.more, expect=job.expect | {DEFINED: crnn.expect[DEFINED]}
            ),
            r"^CNN0 noise .*seeded-CNN0\.h5: has no layer gru1 and has a layer bn5 too many",
        ),
        (
            lambda job, _: job._replace(expect={**job.expect, "keras": "1.1.0"}),
            r"keras is '1\.0\.6', asked for '1\.1\.0'; delete its",
        ),
        (
            lambda job, _: job._replace(expect={**job.expect, "weights_sha256": "0"}),
            r"\.h5 was changed while it was read; run again",
        ),
    ],
)
def test_the_real_recorder_refuses_what_does_not_fit(recorded, tmp_path, change, sentence):
    job = change(*(recorded[model][0] for model in MODELS_RECORDED))
    with pytest.raises(CannotRun, match=sentence):
        recordings.record([job], cache=trace_cache(tmp_path / "refused"))
    assert list((tmp_path / "refused").iterdir()) == []

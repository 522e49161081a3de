"""Models as people hold them, whose names and shared parts Keras 1 gives back changed."""

import json

import h5py
import numpy as np
import pytest

from parity import originals
from parity.errors import CannotRun
from parity.port.from_keras import steps
from parity.recording import recordings
from parity.recording.job import Job
from parity.recording.trace import open_trace

pytestmark = pytest.mark.slow

CODE = """
from keras.layers import Activation, Dense, Merge
from keras.models import Sequential


def build():
    asked = Sequential([Dense(3, input_dim=4, name="asked")])
    told = Sequential([Dense(3, input_dim=5, name="told")])
    same = Activation("linear", name="same")  # gives the very tensor that it is given
    both = Sequential([Merge([told, asked], mode="sum"), same, Activation("tanh", name="tanh")])
    return Sequential([Merge([both, asked], mode="concat"), Dense(2, name="fire/last")])
"""


def dense(name, size, **more):
    config = {"name": name, "output_dim": size, "activation": "tanh", **more}
    return {"class_name": "Dense", "config": config}


def sequential(*layers):
    return {"class_name": "Sequential", "config": list(layers)}


def restored():
    """A Sequential in a model, and two in one; Keras calls them otherwise than the file does."""
    norm = {
        "class_name": "BatchNormalization",
        "config": {"name": "norm", "mode": 2, "axis": -1, "epsilon": 0.001},
    }
    inner = sequential(dense("a", 4, batch_input_shape=[None, 3]), norm)
    tail = sequential(
        dense("b", 4, batch_input_shape=[None, 4]),
        {"class_name": "Dropout", "config": {"name": "drop", "p": 0.0}},
        sequential(dense("c", 5, batch_input_shape=[None, 4])),
        sequential(dense("d", 2, batch_input_shape=[None, 5])),
    )
    entry = {"name": "x", "batch_input_shape": [None, 3], "input_dtype": "float32"}
    layers = [
        {"class_name": "InputLayer", "name": "x", "config": entry, "inbound_nodes": []},
        {**inner, "name": "sequential_9", "inbound_nodes": [[["x", 0, 0]]]},
        {**tail, "name": "sequential_7", "inbound_nodes": [[["sequential_9", 1, 0]]]},
    ]
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["sequential_7", 1, 0]]}
    return {"class_name": "Model", "config": {"name": "m", "layers": layers, **ends}}


HELD = {
    "restored": {
        "sequential_9": {
            "a_W": (3, 4), "a_b": (4,), "norm_gamma": (4,), "norm_beta": (4,),
            "norm_running_mean": (4,), "norm_running_std": (4,),
        },
        "sequential_7": {
            "b_W": (4, 4), "b_b": (4,), "c_W": (4, 5), "c_b": (5,), "d_W": (5, 2), "d_b": (2,),
        },
    },
    "code": {
        "told": {"told_W": (5, 3), "told_b": (3,)}, "asked": {"asked_W": (4, 3), "asked_b": (3,)},
        "fire/last": {"fire/last_W": (6, 2), "fire/last_b": (2,)},
    },
}  # fmt: skip


NAMES = (
    ["sequential_9/a", "sequential_9/norm", "sequential_7/b", "sequential_7/drop",
     "sequential_7/sequential_3/c", "sequential_7/sequential_4/d"],
    ["told", "asked", "merge_1", "same", "tanh", "merge_2", "fire/last"],
)  # fmt: skip


def weights(path, held):
    draw = np.random.default_rng(3)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in held]
        for name, arrays in held.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [each.encode() for each in arrays]
            for each, shape in arrays.items():
                group[each] = draw.uniform(0.2, 1, shape).astype(np.float32)
    return path


def test_the_original_and_what_is_built_call_them_alike(tmp_path):
    (tmp_path / "restored.json").write_text(json.dumps(restored()))
    (tmp_path / "code.py").write_text(CODE)
    jobs = {}
    for name, file, sizes in (
        ("restored", "restored.json", [3]),
        ("code", "code.py:build", [5, 4]),
    ):
        inputs = [tmp_path / f"{name}-{size}.npy" for size in sizes]
        for path, size in zip(inputs, sizes, strict=True):
            np.save(path, np.random.default_rng(size).normal(size=(3, size)).astype(np.float32))
        path = weights(tmp_path / f"{name}.h5", HELD[name])
        case = originals.case_of(f"{tmp_path / file}", path, inputs, keras="1.2.2")
        jobs[case] = Job.of_case(
            case, "reference", *map(np.load, inputs[:1]), [*map(np.load, inputs[1:])]
        )
    traces = recordings.record(jobs.values())
    for (case, job), names in zip(jobs.items(), NAMES, strict=True):
        port = steps(case.model.asked, str(case.weights), "1.2.2")
        with open_trace(traces[job.key]) as trace:
            assert {*case.model.layers} == {*names}
            for name in names:
                given = [trace.read(each) for each in trace.layers[name].inbound]
                np.testing.assert_allclose(port.run(name, *given), trace.read(name), rtol=1e-5)


FAILS = """
from keras.layers import Dense, Lambda
from keras.models import Sequential


def build():
    dense = Dense(2, input_dim=3, name="d")
    return Sequential([dense, Lambda(lambda x: x.dot(x), output_shape=(2,), name="no")])
"""


def test_what_theano_cannot_run_is_one_sentence(tmp_path):
    (tmp_path / "fails.py").write_text(FAILS)
    np.save(tmp_path / "x.npy", np.ones((5, 3), np.float32))
    path = weights(tmp_path / "w.h5", {"d": {"d_W": (3, 2), "d_b": (2,)}, "no": {}})
    said, inputs = f"{tmp_path / 'fails.py'}:build", [tmp_path / "x.npy"]
    case = originals.case_of(said, path, inputs, keras="1.2.2")
    job = Job.of_case(case, "reference", np.load(inputs[0]), [])
    with pytest.raises(CannotRun, match=r"^fails reference .*: Theano cannot run .*\(ValueError: "):
        recordings.record([job])

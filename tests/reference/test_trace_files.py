"""The one file between the two programs: written by reference/, read by parity/, believed only
when every digest agrees.
"""

import json
import resource
import subprocess
import sys

import h5py
import numpy as np
import pytest

from parity.errors import CannotRun
from parity.recording import trace
from parity.recording.trace import TraceError, open_trace
from reference import trace_file
from reference.refused import Refused
from reference.trace_file import Layer, write_trace

GENERATOR = np.random.default_rng(5)
LAYERS = [
    Layer(
        "input_1",
        "InputLayer",
        {"name": "input_1"},
        [],
        GENERATOR.standard_normal((2, 1, 3, 4)).astype("f4"),
        None,
    ),
    Layer(
        "pool1",
        "MaxPooling2D",
        {"pool_size": (2, 2), "epsilon": np.float64(0.5)},
        ["input_1"],
        GENERATOR.standard_normal((2, 1, 1, 2)),
        None,
    ),
    Layer(
        "output",
        "Dense",
        {"activation": "sigmoid"},
        ["pool1"],
        np.float32([[1, -0.0]]),
        np.float32([[7, 8]]),
    ),
]
PROVENANCE = {"model": "CNN0", "lane": "reference", "keras": "1.0.6", "batch_size": 2}


@pytest.fixture
def path(tmp_path):
    write_trace(tmp_path / "trace.h5", LAYERS, PROVENANCE)
    return tmp_path / "trace.h5"


def test_what_was_written_is_read_back_bit_for_bit_and_in_order(path):
    with open_trace(path) as found:
        assert found.provenance == PROVENANCE
        assert list(found.layers) == ["input_1", "pool1", "output"]
        for layer in LAYERS:
            read = found.read(layer.name)
            assert read.dtype == layer.output.dtype
            assert read.shape == layer.output.shape
            assert read.tobytes() == layer.output.tobytes()
        assert found.layers["pool1"]._replace(sha256="") == trace.Layer(
            "pool1",
            "MaxPooling2D",
            {"pool_size": [2, 2], "epsilon": 0.5},
            ("input_1",),
            (2, 1, 1, 2),
            np.dtype("f8"),
            "",
        )
        assert found.read_pre_activation("output").tolist() == [[7, 8]]


def test_equal_content_gives_equal_bytes(path, tmp_path):
    write_trace(tmp_path / "again.h5", LAYERS, dict(reversed(PROVENANCE.items())))
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()


def test_both_programs_digest_an_array_alike_and_see_its_dtype_shape_and_sign_of_zero():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert trace_file.array_sha256(array) == trace.array_sha256(array)
    assert trace.array_sha256(array.T) == trace.array_sha256(np.ascontiguousarray(array.T))
    for other in (array.reshape(3, 2), array.view(np.int32), array.astype("f8"), array.T, -array):
        assert trace.array_sha256(other) != trace.array_sha256(array)
    assert trace.array_sha256(np.float32([0.0])) != trace.array_sha256(np.float32([-0.0]))


def set_attribute(where, name, value):
    def spoil(file):
        file[where].attrs[name] = value

    return spoil


def edit_provenance(file):
    file.attrs["provenance"] = json.dumps({**PROVENANCE, "keras": "1.1.0"})


def reorder(file):
    file.attrs["layer_names"] = np.array(["pool1", "input_1", "output"], dtype=h5py.string_dtype())


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (set_attribute("/", "format", 2), "trace format 2, this program reads format 1"),
        (
            lambda file: file.attrs.__delitem__("format"),
            "trace format None, this program reads format 1",
        ),
        (lambda file: file.attrs.__delitem__("digest"), "description is damaged"),
        (lambda file: file.attrs.__delitem__("layer_names"), "description is damaged"),
        (edit_provenance, "description was changed after recording"),
        (reorder, "description was changed after recording"),
        (
            set_attribute("/layers/pool1", "class", "AveragePooling2D"),
            "description was changed after recording",
        ),
        (set_attribute("/layers/pool1", "config", "{}"), "description was changed after recording"),
        (
            set_attribute("/layers/output/pre_activation", "sha256", "0" * 64),
            "description was changed after recording",
        ),
        (
            lambda file: file.__delitem__("layers/output/pre_activation"),
            "description was changed after recording",
        ),
        (lambda file: file.__delitem__("layers/pool1"), "layer pool1 is listed but not there"),
        (
            lambda file: file.__delitem__("layers/pool1/output"),
            "layer pool1 is listed but not there",
        ),
    ],
)
def test_a_changed_description_is_refused_when_the_trace_is_opened(path, spoil, sentence):
    with h5py.File(path, "r+") as file:
        spoil(file)
    with pytest.raises(TraceError, match=sentence) as refusal:
        open_trace(path)
    assert str(path) in str(refusal.value)
    assert "record again" in str(refusal.value)


@pytest.mark.parametrize(
    ("dataset", "read"),
    [
        ("layers/pool1/output", lambda found: found.read("pool1")),
        ("layers/output/pre_activation", lambda found: found.read_pre_activation("output")),
    ],
)
def test_a_changed_number_is_refused_when_it_is_read_and_the_rest_still_reads(path, dataset, read):
    with h5py.File(path, "r+") as file:
        file[dataset][0, 0] = np.nextafter(file[dataset][0, 0], np.float32(9))
    with open_trace(path) as found:
        with pytest.raises(
            TraceError, match=r"/(output|pre_activation) was changed after recording"
        ):
            read(found)
        assert found.read("input_1").shape == (2, 1, 3, 4)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no trace"),
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(path.read_bytes()[:600]),
    ],
)
def test_what_is_no_whole_trace_is_refused(path, damage):
    damage(path)
    with pytest.raises(TraceError, match=r"trace\.h5: the trace cannot be opened"):
        open_trace(path)


def test_layers_that_are_not_there_are_refused_by_name(path):
    with open_trace(path) as found:
        with pytest.raises(CannotRun, match="no layer gru1; it holds input_1 pool1 output"):
            found.read("gru1")
        with pytest.raises(CannotRun, match="layer pool1 has no pre_activation"):
            found.read_pre_activation("pool1")


def test_a_writer_that_runs_out_of_space_says_so_and_leaves_the_old_file(path):
    """Real, in a process of its own: a limit on file size makes every write past it fail, as a
    full disk does.
    """
    before = path.read_bytes()
    script = f"""
import numpy as np, sys
from reference.trace_file import Layer, write_trace
from reference.refused import Refused
try:
    write_trace({str(path)!r}, [Layer("big", "ELU", {{}}, [], np.zeros(1 << 20), None)], {{}})
except Refused as refusal:
    sys.exit(str(refusal))
"""
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
    )
    assert ended.returncode == 1, ended.stderr
    assert "cannot be written" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_writer_interrupted_half_way_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(
        trace_file, "trace_digest", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        write_trace(tmp_path / "trace.h5", LAYERS, PROVENANCE)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(Refused, match="cannot be written"):
        write_trace(tmp_path / "nowhere" / "trace.h5", LAYERS, PROVENANCE)

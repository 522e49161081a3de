"""What the recorder checks before Theano: its input, its stack, its own sources; and whom it may
import.
"""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

from parity.recording.job import sources_sha256
from reference import program, record
from reference.refused import Refused

ROOT = Path(__file__).resolve().parents[2]
GOOD = np.zeros((1, 1, 96, 1366), np.float32)


def test_a_batch_of_mel_spectrograms_is_read(tmp_path):
    np.save(tmp_path / "in.npy", GOOD)
    assert record._read(tmp_path / "in.npy").shape == GOOD.shape


@pytest.mark.parametrize(
    ("batch", "sentence"),
    [
        (GOOD[:0], r"holds no sample"),
        (GOOD + np.float32("nan"), r"NaN or infinity"),
        (np.array([None]), r"cannot be read .*[Pp]ickle"),
    ],
)
def test_any_other_input_is_refused(tmp_path, batch, sentence):
    np.save(tmp_path / "in.npy", batch, allow_pickle=True)
    with pytest.raises(Refused, match=sentence):
        record._read(tmp_path / "in.npy")


def test_a_stack_that_is_not_the_one_asked_for_is_refused_with_every_difference():
    observed = {"keras": "1.1.0", "floatX": "float32", "gcc": "12"}
    program.check(observed, {"keras": "1.1.0", "floatX": "float32"})
    with pytest.raises(
        Refused,
        match=r"keras is '1\.1\.0', asked for '1\.0\.6'; floatX is 'float32', asked for 'float64'",
    ):
        program.check(observed, {"keras": "1.0.6", "floatX": "float64"})
    with pytest.raises(Refused, match=r"optimizer is None, asked for 'None'"):
        program.check(observed, {"optimizer": "None"})


def test_weights_that_cannot_be_read_are_refused(tmp_path):
    job = {"definition": __file__, "custom": None, "weights": str(tmp_path / "none.h5")}
    with pytest.raises(Refused, match=r"none\.h5: cannot be read \(No such file"):
        record.digests(job, [GOOD])


def test_both_programs_digest_the_recorders_sources_alike_and_see_a_change(tmp_path):
    assert program.sources_sha256() == sources_sha256()
    for source in program.SOURCES.iterdir():
        if source.is_file():
            (tmp_path / source.name).write_bytes(source.read_bytes())
    assert program.sources_sha256(tmp_path) == program.sources_sha256()
    (tmp_path / "keras.json").write_text(
        (tmp_path / "keras.json").read_text().replace('"th"', '"tf"')
    )
    assert program.sources_sha256(tmp_path) != program.sources_sha256()


def imports(folder):
    """Top-level names of everything imported by the Python files of `folder`."""
    for source in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module.split(".")[0]


def test_the_recorder_imports_nothing_of_ours_and_nobody_else_imports_keras_or_theano():
    allowed = {"reference", "numpy", "scipy", "h5py", "keras", "theano"} | set(
        sys.stdlib_module_names
    )
    assert set(imports("reference")) <= allowed
    for folder in ("parity", "port", "reports"):
        assert not set(imports(folder)) & {"keras", "theano", "reference"}, folder

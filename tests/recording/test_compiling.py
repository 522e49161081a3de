"""What Theano is told to compile with costs time alone: nothing that changes a number."""

import json
import os

import pytest

from parity import processes
from parity.recording import compiling
from parity.recording.environments import THEANO, WORK, built

FLAGS = """
import json, theano
from theano.gof.cmodule import GCC_compiler
print(json.dumps(GCC_compiler.compile_args()))
"""
FITS = """
import theano, theano.tensor as T
x = T.tensor4()
theano.function([x], T.tanh(x))
theano.config.gcc.cxxflags += " -Winvalid-pch -Werror=invalid-pch"
theano.function([x], T.exp(x))
"""


@pytest.fixture
def said(tmp_path):
    """What a program prints that runs where Theano is, told as a recorder is or otherwise."""
    home = built(THEANO).parents[1]

    def run(program, **told):
        told = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]} | told
        done = processes.run([home / "bin" / "python", "-W", "ignore", "-c", program], env=told)
        assert not done.returncode, done.stderr
        return done.stdout

    return run


@pytest.fixture
def told(tmp_path):
    return compiling.environment(WORK / THEANO, "float32", "None", tmp_path / "compiled")


@pytest.mark.slow
def test_the_processor_is_used_as_theano_uses_it_by_itself(said, told, tmp_path):
    alone = said(FLAGS, THEANO_FLAGS=f"device=cpu,blas.ldflags=,base_compiledir={tmp_path}")
    ours = ["-g0", "-include", compiling.HEADERS]
    assert json.loads(said(FLAGS, **told)) == ours + json.loads(alone)


@pytest.mark.slow
def test_the_headers_compiled_before_fit_what_theano_compiles(said, told):
    said(FITS, **told)


@pytest.mark.slow
def test_theano_compiles_where_they_do_not(said, told, tmp_path):
    (tmp_path / compiling.HEADERS).write_text(compiling.header(WORK / THEANO).read_text())
    (tmp_path / f"{compiling.HEADERS}.gch").write_bytes(b"of another compiler")
    said(FITS.replace("-Werror=invalid-pch", ""), **told | {"CPLUS_INCLUDE_PATH": str(tmp_path)})

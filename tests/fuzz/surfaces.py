"""What comes from outside, a surface each: how hostile cases of it are made, and what may come of
one: it is refused in one sentence, or read as what it is. All else is an error.
"""

import io
import json
import math
import os
import sys
from collections.abc import Callable
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import h5py
import numpy as np
from click.testing import CliRunner
from hypothesis import strategies as st

from parity import settings
from parity.errors import CannotRun
from parity.gate import accept, baseline, golden
from parity.gate.judge import judge
from parity.model import MODELS, Case, Weights
from parity.recording.trace import open_trace
from tests import test_untrusted as corpus
from tests.fuzz.spoiling import TEXTS, document, hostile, spoilt
from tests.gate import gate_documents
from tests.reports import companions_factory, factory

REFUSED, READ = "refused", "read"


class Surface(NamedTuple):
    """`check` gets a case and an empty folder, and says REFUSED or READ.

    examples: how many cases `make test` tries.
    """

    cases: Callable[[], st.SearchStrategy]
    check: Callable[[Any, Path], str]
    examples: int


def refusing(*sentences):
    """Call it: what it returns, or None where it raises one sentence."""

    def call(function, *arguments):
        try:
            return function(*arguments)
        except sentences as error:
            assert str(error).strip() and len(str(error)) < 5000, f"no sentence: {error!r}"
            return None

    return call


sentence = refusing(CannotRun)


def told(*found):
    return REFUSED if all(each is None for each in found) else READ


# Files of arrays


@cache
def hdf5_files():
    """A small Keras file, a trace, and everything in the corpus."""
    made = []
    for make in (_keras, _trace, *(make for make, _ in corpus.HDF5S.values())):
        stream = io.BytesIO()
        with h5py.File(stream, "w") as file:
            make(file)
        if len(stream.getvalue()) < 1 << 16:
            made.append(stream.getvalue())
    return made


def _keras(file):
    file.attrs["layer_names"] = np.array([b"conv1", b"drop"])
    for name, weights in (("conv1", ["conv1_W", "conv1_b"]), ("drop", [])):
        group = file.create_group(name)
        group.attrs["weight_names"] = np.array([each.encode() for each in weights])
        for each in weights:
            group[each] = np.ones((2, 3), np.float32)


def _trace(file):
    from reference import trace_file

    layers = [trace_file.Layer("input_1", "InputLayer", {}, [], np.zeros((1, 4), np.float32), None)]
    trace_file._fill(file, layers, json.dumps({"model": "CNN0", "lane": "truth", "keras": "1.0.6"}))


ODD = (
    lambda f: f.attrs.__setitem__("layer_names", h5py.Empty("f4")),
    lambda f: f.attrs.__setitem__("layer_names", 7),
    lambda f: f.attrs.__setitem__("layer_names", np.array([[b"a"]])),
    lambda f: f.attrs.__setitem__("layer_names", np.array([b"\xff"])),
    lambda f: f.attrs.__setitem__("format", "1"),
    lambda f: f.attrs.__setitem__("provenance", np.zeros(3)),
    lambda f: f.attrs.__setitem__("keras_version", h5py.Empty("S1")),
    lambda f: f.create_group("conv9").attrs.__setitem__("weight_names", f.ref),
    lambda f: f.__setitem__("soft", h5py.SoftLink("/nowhere")),
    lambda f: f.__setitem__("loop", h5py.SoftLink("/loop")),
    lambda f: f.create_dataset("odd", (2,), h5py.special_dtype(vlen=np.float32)),
    lambda f: f.create_dataset("huge", (1 << 30, 1 << 30), "f4", chunks=(1, 1024)),
    lambda f: f.create_dataset("empty", data=h5py.Empty("f4")),
    lambda f: f["conv1/conv1_W"].write_direct(np.full((2, 3), np.nan, np.float32)),
)


def hdf5_cases():
    odd = st.lists(st.sampled_from(ODD), min_size=1, max_size=3, unique=True).map(
        lambda changes: (0, changes)
    )
    return odd | spoilt(hdf5_files()).map(lambda data: (data, ()))


def check_hdf5(case, folder):
    from parity.port.weights import WeightsError, load

    data, changes = case
    path = folder / "x.h5"
    path.write_bytes(data or hdf5_files()[0])
    for change in changes:
        with h5py.File(path, "r+") as file:
            change(file)
    params = sentence(lambda: Weights(path).params)
    for arrays in (params or {}).values():
        assert all(a.dtype == np.float32 and np.isfinite(a).all() for a in arrays.values())
    network = refusing(WeightsError)(load, None, path)
    trace = sentence(_whole_trace, path)
    return told(params, network, trace)


def _whole_trace(path):
    with open_trace(path) as trace:
        return {name: trace.read(name) for name in trace.layers}


@cache
def npz_files():
    made = []
    for arrays in ({"a/W": np.ones(9, np.float32), "provenance": np.array("{}")}, {}):
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        made.append(stream.getvalue())
    return [*made, *npy_files()]


@cache
def npy_files():
    clip = np.zeros((1, 1, 96, 1366), np.float32)
    arrays = (clip, clip[0, 0], np.ones(3), np.array("text"))
    return [*map(corpus.numpy_bytes, arrays), *corpus.NPYS.values()]


def check_npz(data, folder):
    from parity.port.weights import WeightsError, load
    from parity.recording.clips import read_clip
    from tagger import calibration, weight_files

    (folder / "x.npz").write_bytes(data), (folder / "x.npy").write_bytes(data)
    clip = sentence(read_clip, folder / "x.npy")
    assert clip is None or (clip.shape == (1, 1, 96, 1366) and np.isfinite(clip).all())
    network = refusing(WeightsError)(load, None, folder / "x.npz")
    said = refusing(calibration.CalibrationError)(calibration._read, folder / "x.npz")
    assert isinstance(weight_files.provenance_of(folder / "x.npz"), dict)
    return told(clip, network, said)


@cache
def audio_files():
    import soundfile

    made = []
    for form, kind in (("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"),
                       ("AIFF", "PCM_16"), ("AU", "PCM_16"), ("MP3", "MPEG_LAYER_III")):  # fmt: skip
        stream, tone = io.BytesIO(), np.sin(np.arange(6000) / 9) / 2
        soundfile.write(stream, tone, 12000, format=form, subtype=kind)
        made.append(stream.getvalue())
    return made


def check_audio(data, folder):
    from tagger.audio import melgrams
    from tagger.reading import AudioError

    (folder / "x.wav").write_bytes(data)
    found = refusing(AudioError)(melgrams, folder / "x.wav", "centre", "today")
    assert found is None or (found[0].shape[1:] == (1, 96, 1366) and np.isfinite(found[0]).all())
    return told(found)


# Documents


@cache
def documents():
    """{kind: whole documents}."""
    run = gate_documents.document()
    return {
        "parity": [run, factory.document(), factory.failing(), factory.hostile()],
        "baseline": [_baselines(run)[0]],
        "golden": [_golden()],
        "published": [json.loads((Path(settings.__file__).parents[1] / "fixtures/published.json").read_text())],
        "companion": [*companions_factory.all_three().values()],
    }  # fmt: skip


def _baselines(run):
    return [baseline.make(record, gate_documents.APPROVED) for record in run["models"]]


CASE = SimpleNamespace(
    model=SimpleNamespace(name="CNN0"), weights=SimpleNamespace(sha256="0"), clips=(), data="seeded"
)


def _golden():
    row = {
        "name": "conv1",
        "kind": "Dense",
        "config": {},
        "inbound": [],
        "shape": [1],
        "sha256": "0",
    }
    row |= {"mean": 0.0, "error": 0.0, "error_rms": 0.0, "samples": [0.0] * golden.SAMPLES}
    found = {
        "format": 1,
        "model": "CNN0",
        "weights": "0",
        "batch": [],
        "data": "seeded",
        "layers": [row],
    }
    return found | {"seal": baseline.seal_of(found)}


def document_cases():
    kinds = {kind: document(wholes) for kind, wholes in documents().items()}
    return st.one_of([st.tuples(st.just(kind), cases) for kind, cases in kinds.items()])


def check_document(case, folder):
    kind, data = case
    path = folder / "x.json"
    path.write_bytes(data)
    return CHECKS[kind](path, folder)


def _check_parity(path, folder):
    from parity.reports import junit, markdown, publish, table, terminal

    found = sentence(publish.read, path)
    if found is None:
        return REFUSED
    baselines, kept = folder / "deep" / "er" / "baselines", {*folder.rglob("*")}
    for base in _baselines(gate_documents.document()):
        baseline.write(baselines, base)
    outcome = sentence(judge, found, baselines)
    assert not (outcome and outcome.passed) or _is_green(found), "a false green"
    for draw in (junit.junit, table.csv, terminal.text, markdown.markdown):
        sentence(publish._drawn, path, lambda draw=draw: draw(found))
    bases = sentence(lambda: accept.approve(found, baselines, approved=gate_documents.APPROVED))
    if bases:
        sentence(baseline.write, baselines, *bases)
    inside = {each for each in folder.rglob("*") if each.is_relative_to(folder / "deep")}
    assert {*folder.rglob("*")} - inside <= kept, "written outside its folder"
    return READ


def _is_green(found):
    cells = [
        (cell["verdict"], cell[rho])
        for model in found["models"]
        for layer in model["layers"]
        for cell, rho in ((layer["isolated"], "rho_port"), (layer["chained"], "rho_local"))
    ]
    return all(
        word in ("EXACT", "ROUNDING")
        and not (rho is None or math.isnan(float(rho)) or float(rho) > 1)
        for word, rho in cells
    )


def _check_baseline(path, folder):
    whole = documents()["baseline"][0]
    target = baseline.path_of(folder, whole["data"], whole["model"])
    target.parent.mkdir()
    path.rename(target)
    found = sentence(baseline.read, folder, whole["data"], whole["model"])
    if found is None:
        return REFUSED
    outcome = sentence(lambda: judge(gate_documents.document(), folder, ["CNN0"]))
    assert not (outcome and outcome.passed) or found == whole, "a false green"
    return READ


def _check_published(path, _):
    from tagger.comparing import read_table

    return told(refusing(ValueError)(read_table, path))


def _check_companion(path, _):
    from parity.reports.companions import COMPANIONS

    return told(*(sentence(kind.read, path) for kind in COMPANIONS.values()))


CHECKS = {
    "parity": _check_parity,
    "baseline": _check_baseline,
    "golden": lambda path, _: told(sentence(golden.read, path, CASE)),
    "published": _check_published,
    "companion": _check_companion,
}


# Command lines


def programs():
    from parity.cli import main
    from parity.fixtures.__main__ import commands as fixtures
    from tagger.__main__ import commands as tagger

    return {"parity": main, "tagger": tagger, "fixtures": fixtures}


def warm_up():
    """Import what the first case would, so that no case is timed with that."""
    import pandas

    import tagger.audio
    import tagger.commands
    import tagger.comparing
    import tagger.evaluating
    from parity.reports import junit, markdown, publish, table, terminal

    audio_files()
    assert (
        programs() and pandas and tagger and junit and markdown and publish and table and terminal
    )


COMMANDS = (
    ("parity", "report"), ("parity", "gate", "--json"), ("parity", "data", "list"),
    ("parity", "data", "clear"), ("parity", "data", "prune", "--to"), ("parity", "hypotheses", "nothing"), ("parity", "gate", "accept"),
    ("parity", "run", "--model", "none"), ("parity", "faults", "--only", "none"),
    ("parity", "probe", "--model", "none"), ("parity", "record", "--model", "none"),
    ("tagger", "inspect"), ("tagger", "convert"), ("tagger", "melgram"), ("tagger", "compare"),
    ("tagger", "tag", "-m", "none"), ("tagger", "evaluate", "-m", "none"),
    ("tagger", "calibrate", "-m", "none"), ("fixtures", "seeded", "--clips", "0", "--model", "none"),
    ("parity",), ("tagger",), ("fixtures", "list"),
)  # fmt: skip
OPTIONS = (
    "-h", "--help", "--version", "--force", "-o", "--out", "--json", "--model", "--layer", "--weights",
    "--clips", "--port", "--seed", "--workers", "--baselines", "--reason", "--by", "--plot", "--results",
    "--format", "--top", "--limit", "--front-end", "--batch-size", "--keras", "--frames", "--accept-worse",
)  # fmt: skip
FILES = ("in/parity.json", "in/w.h5", "in/x.npy", "in/x.wav", "in/theirs.txt")
THINGS = (
    *FILES,
    "in",
    "pipe",
    "loop",
    "link",
    "/dev/null",
    "/dev/full",
    "/proc/self/mem",
    "out/x.npz",
)


def option_cases():
    words = st.sampled_from([*OPTIONS, *THINGS]) | hostile
    lines = st.tuples(st.sampled_from(COMMANDS), st.lists(words, max_size=6))
    return lines.map(lambda line: [*line[0], *(text.replace("\0", "") for text in line[1])])


def _things(folder):
    home = folder / "a" / "b" / "c"
    (home / "in").mkdir(parents=True)
    contents = (json.dumps(factory.document()).encode(), hdf5_files()[0], npy_files()[0])
    for name, data in zip(FILES, (*contents, audio_files()[0], b"mine"), strict=True):
        (home / name).write_bytes(data)
    os.mkfifo(home / "pipe")
    (home / "loop").symlink_to("loop")
    (home / "link").symlink_to("in/theirs.txt")
    return home


@contextmanager
def in_folder(home, **environment):
    before, here = dict(os.environ), os.getcwd()
    own = {"PARITY_CACHE": str(home / "cache"), "PARITY_FIXTURES": str(home / "fx")}
    try:
        os.chdir(home)
        os.environ.update(own | environment)
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)


def check_options(line, folder):
    home = _things(folder)
    before = {name: (home / name).read_bytes() for name in FILES}
    with in_folder(home):
        result = CliRunner().invoke(programs()[line[0]], line[1:])
    _check_end(result)
    after = {name: (home / name).read_bytes() for name in FILES}
    assert before == after or "--force" in line, "a file was lost"
    return REFUSED if result.exit_code else READ


def _check_end(result):
    assert result.exit_code in (0, 1, 2, 3), result.exit_code
    said = result.stdout + result.stderr
    assert "error in the program itself" not in said and "Traceback" not in said, said
    assert not any(c in said for c in "\x1b\x9b\x07\u202e"), "an escape code was printed"
    assert result.exit_code != 2 or result.stderr.strip(), "refused without a word"


VALUES = (
    *TEXTS, "/dev/null", "in/theirs.txt", "in", "pipe", "loop", "1", "20", "0.5", "253402300800",
    "99999999999999999999", "x" * 5000, "~root", "1_000", " 7 ", "0x10", "١٢",
)  # fmt: skip


def environment_cases():
    text = st.sampled_from(VALUES) | st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9
    )
    names = st.sampled_from([*settings.VARIABLES, "HOME", "XDG_CACHE_HOME", "LC_ALL", "COLUMNS"])
    return st.dictionaries(names, text, min_size=1, max_size=3)


def check_environment(variables, folder):
    home = _things(folder)
    given = {
        name: text
        for name, text in variables.items()
        if not text.startswith(("/proc", "~root"))  # would be written to
    }
    with in_folder(home, **given):
        result = CliRunner().invoke(programs()["parity"], ["data", "list"])
        cleared = CliRunner().invoke(programs()["parity"], ["data", "clear"])
    _check_end(result), _check_end(cleared)
    assert (home / "in/theirs.txt").read_bytes() == b"mine", "a file was lost"
    return REFUSED if result.exit_code else READ


# Ports

SNIPPETS = (
    "pass", "print('x' * 10**6)", "import sys; sys.exit(0)", "import sys; sys.exit('bye')",
    "import os; os._exit(0)", "import os; os.kill(os.getpid(), 9)", "import os; os.kill(os.getppid(), 0)",
    "import os; os.closerange(0, 50)", "import os; os.fork()", "raise KeyboardInterrupt",
    "raise BaseException('x')", "raise GeneratorExit", "raise RecursionError", "raise ValueError('a\\x1b[2J\\nb')",
    "import sys; sys.stdout = sys.stderr = None", "import threading; threading.Thread(target=input).start()",
    "import signal; signal.alarm(1)", "import gc; gc.disable()", "import sys; sys.modules.clear()",
    "import builtins; builtins.len = None", "import json; json.dumps = None", "import os; os.chdir('/')",
)  # fmt: skip
ANSWERS = (
    "2 * x", "x", "None", "x.tolist()", "'text'", "x.astype('f8')", "x[:0]", "x * float('nan')", "object()",
    "[x]", "{'a': x}", "lambda: x", "x.T", "x > 0", "__import__('numpy').array([{}])", "1 << 70", "iter(x)",
)  # fmt: skip


def port_cases():
    snippets = st.just("pass") | st.sampled_from(SNIPPETS)
    return st.tuples(snippets, snippets, snippets, st.just("2 * x") | st.sampled_from(ANSWERS))


def check_port(case, folder):
    from parity import ports
    from parity.port_api import Raised

    on_import, on_call, on_run, answer = case
    name = f"fuzzed_{abs(hash(case))}"
    source = (
        f"{on_import}\ndef double(x):\n    {on_run}\n    return {answer}\n"
        f"def steps(*_):\n    {on_call}\n    return {{'double': double}}\n"
    )
    (folder / f"{name}.py").write_text(source)
    sys.path.insert(0, str(folder))
    before = os.environ.get("PARITY_PORT_TIMEOUT_S")
    os.environ["PARITY_PORT_TIMEOUT_S"] = "5"
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    try:
        found = ports.load(
            f"{name}:steps", Case(MODELS["CNN0"], Weights(Path("none.h5")), (), "seeded")
        ).run("double", x)
    except (CannotRun, Raised) as error:
        assert str(error).strip()
        return REFUSED
    finally:
        sys.path.remove(str(folder))
        os.environ.pop("PARITY_PORT_TIMEOUT_S")
        if before:
            os.environ["PARITY_PORT_TIMEOUT_S"] = before
    assert isinstance(found, np.ndarray) and found.dtype != object
    assert answer != "2 * x" or np.array_equal(found, 2 * x), "another answer than the port's"
    return READ


# Commands

LAST = "np.save(out, 2 * x)"
DOINGS = (
    "pass", "sys.exit(3)", "os.abort()", "os.kill(0, 15)", "print('x' * 10**7)", "os.write(1, b'\\xff\\x1b[2J')",
    "os.close(1)", "os.fork()", "subprocess.Popen(['sleep', '9'], start_new_session=True)", "os.mkfifo(out)",
    "os.mkdir(out)", "os.symlink('/dev/zero', out)", "os.symlink('/proc/nowhere', out)", "os.symlink(out.name, out)",
    "os.truncate(out.open('w').name, 1 << 36)", "out.write_bytes(b'PK')", "np.savez(out, x)", "out.unlink(True)",
    "np.save(out, x * 1j)", "np.save(out, x.astype('U'))", "np.save(out, np.array([{}]))", "np.save(out, x[:0])",
    "np.save(out, x.astype('>f4') * 2)", "(folder / 'questions.json').unlink()", "shutil.rmtree(folder)",
    "folder.chmod(0)", "np.save(folder / row['inputs'][0], 0)", "time.sleep(9)",
)  # fmt: skip
SCRIPT = """
import json, os, pathlib, shutil, subprocess, sys, time
import numpy as np
folder = pathlib.Path(sys.argv[1])
row = json.loads((folder / "questions.json").read_text())["questions"][0]
x, out = np.load(folder / row["inputs"][0]), folder / row["output"]
"""


def command_cases():
    doings = st.just([LAST]) | st.lists(st.sampled_from((*DOINGS, LAST)), max_size=3)
    return st.tuples(doings, st.just("{}") | st.just("{}") | hostile)


def check_command(case, folder):
    from parity.port_api import answer
    from parity.ports import PREFIX, load

    doings, words = case
    script, x = folder / "port.py", np.arange(6, dtype=np.float32).reshape(2, 3)
    script.write_text(SCRIPT + "\n".join(doings))
    called = f"{sys.executable} {script}" if words == "{}" else words.replace("\0", "")
    asked = Case(MODELS["CNN0"]._replace(layers=("double",)), Weights(Path("w.h5")), (), "seeded")
    with in_folder(folder, PARITY_PORT_TIMEOUT_S="4"):
        found = sentence(lambda: answer(load(PREFIX + called, asked), "double", x))
    if found is None or found.actual is None:
        assert found is None or found.fault
        return REFUSED
    assert found.actual.dtype.kind in "biufc", "no numbers"
    return READ


# ONNX files, and what long runs keep


@cache
def onnx_files():
    """A network that gives a tagger's scores, and some that do not."""
    from onnx import helper

    from parity.fixtures.tags import OF_COUNT

    said = {"model": "CRNN", "keras": "1.1.0", "keras_from": "assumed", "release": "1.1.0", "remarks": "[]",
            "tags": json.dumps(OF_COUNT[10]), "meaningless": "true", "proof": "HOLDS"}  # fmt: skip
    made = []
    for units, ends in ((10, ["x"]), (3, ["x"]), (10, ["x", "more"])):
        graph = helper.make_graph(
            [
                helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
                helper.make_node("Flatten", ["mean"], ["flat"]),
                helper.make_node("Gemm", ["flat", "W"], ["preds"], name="preds"),
            ],
            "model",
            [helper.make_tensor_value_info(name, 1, [None, 1, 96, 1366]) for name in ends],
            [helper.make_tensor_value_info("preds", 1, [None, None])],
            [helper.make_tensor("W", 1, [1, units], [0.5] * units)],
        )
        opset = [helper.make_opsetid("", 13)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=7)
        helper.set_model_props(model, said)
        made.append(model.SerializeToString())
    return made


def check_onnx(data, folder):
    from parity.ports.onnx_file import opened
    from tagger.onnx_model import OnnxError, OnnxNetwork

    path = folder / "x.onnx"
    path.write_bytes(data)
    port = sentence(opened, str(path), "CRNN", path, "1.1.0")
    network = refusing(OnnxError)(OnnxNetwork, path)
    if network:
        assert any("NOT PROVED" in each for each in network.remarks), "a false green"
        scores = refusing(OnnxError)(network, np.zeros((1, 1, 96, 1366), np.float32))
        assert scores is None or scores.shape == (1, len(network.tags))
    return told(port, network)


KEYS = ["a", "b", "c"]


@cache
def kept_files():
    """(name, bytes) of what a run has done of KEYS."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        _done(Path(name))
        return [(each.name, each.read_bytes()) for each in sorted(Path(name, "t.parts").iterdir())]


def _done(folder):
    from parity.engine.cluster import HERE
    from parity.engine.collection import collect
    from parity.engine.parts import parts
    from tests.engine.toy import Toy

    with parts(folder / "t.parts", folder / "t.csv", Toy().setting) as kept:
        collect(Toy(), KEYS, kept, HERE, 2, "keys")
        return dict(kept.rows(KEYS))


def kept_cases():
    spoil = st.tuples(*(spoilt([data]) for _, data in kept_files()))
    return st.tuples(spoil, st.none() | hostile, st.sampled_from(["sha256", "name"]))


def check_kept(case, folder):
    import hashlib

    spoil, theirs, named = case
    home = folder / "t.parts"
    home.mkdir()
    for (name, _), data in zip(kept_files(), spoil, strict=True):
        if named == "sha256" and name.endswith(".jsonl"):
            name = f"{hashlib.sha256(data).hexdigest()[:16]}.jsonl"
        (home / name).write_bytes(data)
    if theirs and not {"/", "\0"} & {*theirs} and theirs not in (".", ".."):
        with suppress(OSError, UnicodeError):
            (home / theirs).write_bytes(b"mine")
    before = {path for path in home.iterdir() if path.read_bytes() == b"mine"}
    rows = sentence(_done, folder)
    assert rows is None or [*rows] == KEYS
    assert all(path.read_bytes() == b"mine" for path in before), "a file was lost"
    assert (
        rows is None
        or named == "sha256"
        or all(found == [{"key": key, "length": 1}] for key, found in rows.items())
    ), "rows of another run"
    return told(rows)


SURFACES = {
    "HDF5": Surface(hdf5_cases, check_hdf5, 250),
    "npz and npy": Surface(lambda: spoilt(npz_files()), check_npz, 150),
    "audio": Surface(lambda: spoilt(audio_files()), check_audio, 60),
    "JSON": Surface(document_cases, check_document, 250),
    "options": Surface(option_cases, check_options, 60),
    "environment": Surface(environment_cases, check_environment, 60),
    "ports": Surface(port_cases, check_port, 8),
    "commands": Surface(command_cases, check_command, 8),
    "ONNX": Surface(lambda: spoilt(onnx_files()), check_onnx, 60),
    "kept parts": Surface(kept_cases, check_kept, 60),
}

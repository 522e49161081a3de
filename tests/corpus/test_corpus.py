"""`parity corpus`: every clip is proved as `parity run` proves it, by recorders that stay open."""

import csv
import json
import shutil
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import fsspec
import numpy as np
import pytest
from click.testing import CliRunner

from parity.cli import main
from parity.corpus import listing
from parity.corpus.figures import Gathered
from parity.corpus.originals import Originals, RefusedBatch
from parity.corpus.proving import FAILED, Proving, rank, saturated_gates, saturation, silence
from parity.errors import CannotRun
from parity.fixtures.gallery import made
from parity.model import case_for
from parity.originals import case_of
from parity.recording import recordings
from parity.recording.cache import trace_cache
from parity.recording.clips import clips_of
from parity.recording.trace import Layer

PORT = "tests.corpus.ports:off"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("siamese")
    files = made("siamese", folder)
    shutil.copy(files.definition, folder)
    for at, path in enumerate(files.inputs):
        np.save(folder / f"other-{at}.npy", np.load(path)[:1] + np.float32(0.5))
    (folder / "bad.npy").write_bytes(b"\x93NUMPY, but no more")
    fsspec.filesystem("memory").pipe("/siamese-0.npy", (folder / "siamese-0.npy").read_bytes())
    text = "memory://siamese-0.npy\tsiamese-1.npy\nother-0.npy\tother-1.npy\nbad.npy\tother-1.npy\n"
    (folder / "list.txt").write_text(text)
    return folder


def corpus(folder, out, *more):
    asked = ["--original", str(folder / "siamese.json"), "--weights", str(folder / "siamese.h5")]
    asked += ["--keras", "1.2.2", "--workers", "0", "--out", str(out), "--seed", "1", *more]
    found = CliRunner().invoke(main, ["corpus", *asked, str(folder / "list.txt")])
    return found.exit_code, found.output


@pytest.fixture(scope="module")
def proved(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return (*corpus(folder, out), out)


def rows_of(out):
    from pyarrow import parquet

    return parquet.read_table(out / "corpus.parquet").to_pylist()


@pytest.mark.slow
def test_each_sample_is_a_row_and_what_cannot_be_read_says_why(proved):
    code, said, out = proved
    assert code == 1 and "siamese: HOLDS; 4 of 4 clips hold" in said
    assert "1 could not be proved; the rows say why" in said
    rows = rows_of(out)
    assert [row["verdict"] for row in rows] == ["HOLDS"] * 4 + [FAILED]
    assert "bad.npy" in rows[4]["error"] and rows[0]["clip"].endswith("siamese-1.npy sample 1")
    document = json.loads((out / "corpus.json").read_text())
    (model,) = document["models"]
    assert (model["clips"], model["held"], model["failed"]) == (5, 4, 1)
    assert document["verdict"] == "HOLDS" and document["rows"] == "corpus.parquet"
    assert not (out / "corpus.parts").exists()


@pytest.mark.slow
def test_figures_are_those_of_a_run_and_the_worst_have_pages(proved, folder, tmp_path):
    *_, out = proved
    inputs = [f"--input={folder / f'other-{at}.npy'}" for at in range(2)]
    asked = ["--original", str(folder / "siamese.json"), "--weights", str(folder / "siamese.h5")]
    asked += ["--keras", "1.2.2", "--out", str(tmp_path), "--seed", "1", "--no-explain"]
    assert CliRunner().invoke(main, ["run", *asked, *inputs]).exit_code == 0
    (model,) = json.loads((tmp_path / "parity.json").read_text())["models"]
    row = rows_of(out)[3]
    assert row["drift"] == model["final"]["port_reference"]
    shares = {
        layer["name"]: max(layer["isolated"]["rho_port"], layer["chained"]["rho_local"])
        for layer in model["layers"]
    }
    assert json.loads(row["shares"]) == pytest.approx(shares) and row["share"] == max(
        shares.values()
    )
    worst = json.loads((out / "corpus.json").read_text())["worst"]
    pages = [clip["report"] for clip in worst if clip["report"]]
    assert pages and all((out / page).read_text().startswith("<!DOCTYPE html>") for page in pages)
    page = (out / "corpus.html").read_text()
    assert pages[0] in page and "Drift by share of the clips" in page


@pytest.mark.slow
def test_a_port_that_is_off_does_not_hold(folder, tmp_path):
    code, said = corpus(folder, tmp_path / "off", "--port", PORT)
    assert code == 1, said
    assert "siamese: DRIFTS; 0 of 4 clips hold" in said
    assert {row["worst_layer"] for row in rows_of(tmp_path / "off")[:4]} == {"same"}


@pytest.mark.slow
def test_layers_that_only_keras_explains_are_proved_by_experiment(tmp_path):
    files = made("unshared", tmp_path)
    asked = ["--original", str(files.definition), "--weights", str(files.weights), "--workers", "0"]
    asked += ["--port", "tests.corpus.ports:without_a_carry", "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(main, ["corpus", *asked, str(files.inputs[0])])
    assert found.exit_code == 1 and "0 of 3 clips hold" in found.output, found.output
    for row in rows_of(tmp_path / "out"):
        shares = json.loads(row["shares"])
        over = {name for name, share in shares.items() if share > 1}
        assert row["worst_layer"] == "highway" and over == {"highway"} and len(shares) > 5


@pytest.mark.slow
def test_an_open_recorder_writes_what_one_that_ends_writes_and_the_worst_is_kept(folder):
    inputs = [folder / f"other-{at}.npy" for at in range(2)]
    case = case_of(str(folder / "siamese.json"), folder / "siamese.h5", inputs, keras="1.2.2")
    clips = clips_of([case])[case]
    recorded = recordings.traces({case: clips.inputs})[case]
    originals = Originals(case)
    try:
        for number in (1, 2):
            originals.ask(number, (clips.batch, *clips.others))
        with ExitStack() as leave:
            traces = originals.traces(2, leave)
        assert {lane: trace.path.read_bytes() for lane, trace in traces.items()} == {
            lane: path.read_bytes() for lane, path in recorded.items()
        }
        keys = originals.keep(2)
        assert {trace_cache().find(key) for key in keys.values()} == {*recorded.values()}
        originals.drop(2)
        originals.ask(3, (clips.batch[:, :5], *clips.others))
        with pytest.raises(RefusedBatch, match=r"siamese reference \(Keras 1.2.2\): "):
            originals.traces(3, ExitStack())
        (originals.folder / "4-reference.h5").mkdir()  # as where the disk is full
        originals.ask(4, (clips.batch, *clips.others))
        with pytest.raises(CannotRun, match=r"4-reference\.h5: cannot be written") as caught:
            originals.traces(4, ExitStack())
        assert caught.type is CannotRun, "the run stops; the clips have not failed"
        left = originals.folder
    finally:
        originals.close()
    assert not left.exists()


@pytest.mark.slow
def test_clips_of_a_tagger_are_proved_in_batches(tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{name}.npy" for name in ("a", "b")]
    for path in paths:
        np.save(path, rng.uniform(-80, 0, (1, 1, 96, 1366)).astype(np.float32))
    asked = ["-m", "CNN", "--workers", "0", "--batch-size", "2", "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(main, ["corpus", *asked, str(tmp_path)])
    assert found.exit_code == 0, found.output
    one, two = rows_of(tmp_path / "out")
    assert (one["batch"], two["batch"]) == (2, 2) and one["shares"] == two["shares"]
    assert one["drift"] != two["drift"] and one["top"].count(", ") == 9
    assert one["again"] == f"parity run --model CNN --clips {paths[0]}"
    assert (one["clip"], one["silence"] < 0.01) == (str(paths[0]), True)


def test_lists_patterns_and_folders_of_arrays(folder, tmp_path):
    assert listing.arrays([str(folder / "list.txt")])[1].split("\t") == [
        str(folder / f"other-{at}.npy") for at in range(2)
    ]
    found = [Path(key).name for key in listing.arrays([str(folder)])]
    assert found == sorted(found) and len(found) == 5
    assert len(listing.arrays([str(folder / "other-*.npy"), str(folder / "bad.npy")])) == 3
    with pytest.raises(CannotRun, match=r"no \.npy is in what was given"):
        listing.arrays([str(tmp_path)])
    with pytest.raises(CannotRun, match=r"none\.txt cannot be read"):
        listing.arrays([str(tmp_path / "none.txt")])
    with pytest.raises(CannotRun, match=r"none\.txt: no such file or folder"):
        listing.clips([str(tmp_path / "none.txt")])
    with pytest.raises(CannotRun, match="no audio file"):
        listing.clips([str(tmp_path)])


def test_other_weights_there_are_said(tmp_path):
    case = case_for("CNN")
    job = Proving.of(case, PORT, 1, 0)
    from dataclasses import replace

    with pytest.raises(CannotRun, match="or the recorder is another there"):
        replace(job, digests=("0",)).open()
    gone = case._replace(weights=case.weights.__class__(tmp_path / "none.h5"))
    with pytest.raises(CannotRun, match="cannot be read there"):
        replace(job, case=gone).open()


def test_the_seed_of_the_probes_decides_no_row_so_that_a_run_can_go_on():
    case = case_for("CNN")
    one, two = (Proving.of(case, PORT, 1, seed).setting for seed in (1, 2))
    assert one == two != Proving.of(case, PORT, 2, 1).setting


def test_rows_are_ranked_by_verdict_then_share_and_nan_is_the_worst():
    rows = [
        {"verdict": "HOLDS", "share": 0.5},
        {"verdict": "HOLDS", "share": float("nan")},
        {"verdict": "DRIFTS", "share": None},
    ]
    assert sorted(rows, key=rank) == rows


def test_gates_that_are_shut_or_wide_open_are_counted():
    shape = {"name": "gru", "inbound": ("x",), "config": {"return_sequences": False}}
    gru = Layer(kind="GRU", shape=(2, 1), dtype=np.dtype("f4"), sha256="", **shape)
    zero, one = np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)
    params = {f"{name}_{gate}": zero for name in "WU" for gate in "zrh"}
    params |= {f"b_{gate}": np.zeros(1, np.float32) for gate in "zrh"} | {"W_z": 10 * one}
    x = np.float32([[[1.0], [0.0]], [[0.0], [0.0]]])
    reference = SimpleNamespace(
        layers={"gru": gru}, read=lambda _: x, provenance={"keras": "1.0.6"}
    )
    case = SimpleNamespace(params={"gru": params})
    assert saturated_gates(case, reference) == [0.25, 0.0], "z of one step of four gates"
    reference.layers = {}
    assert saturated_gates(case, reference) is None


def test_silence_and_saturation_are_shares():
    assert silence(np.float32([0, 0, 1, 2])) == 0.5 and silence(np.array([1, 1])) == 0
    assert saturation(np.float32([0, 0.5, 1, 0.1])) == 0.5


def test_a_model_none_of_whose_clips_was_read_is_incomplete():
    gathered = Gathered("CNN")
    gathered.take({"verdict": FAILED})
    model = gathered.model()
    assert (model.verdict, model.failed, model.near) == ("INCOMPLETE", 1, [])


def test_a_changed_order_is_listed_by_its_margin():
    gathered = Gathered("CNN")
    for margin in (1e-8, 3e-8, 2e-8):
        row = {
            "clip": str(margin),
            "model": "CNN",
            "verdict": "HOLDS",
            "shares": "{}",
            "share": 0.1,
        }
        row |= {"drift": 1e-7, "noise": 2e-7, "silence": 0.0, "saturation": 0.0, "batch": 1}
        row |= {"keras": "1", "weights": "w", "top": "a, b", "top_port": "b, a", "changed": 1}
        gathered.take(row | {"margin": margin})
    model = gathered.model()
    assert (model.changed, model.first_changed, model.nearer) == (3, 3, 3)
    assert next(row["margin"] for *_, row in sorted(gathered.changes, reverse=True)) == 3e-8


def test_csv_takes_the_place_of_parquet(monkeypatch, tmp_path):
    from parity.engine import tables

    monkeypatch.setattr(tables.importlib.util, "find_spec", lambda _: None)
    path = tmp_path / f"corpus{tables.best_kind()}"
    tables.write(path, {"model": "text", "clip": "text"}, [{"model": "a"}])
    assert next(csv.DictReader(path.open()))["model"] == "a"

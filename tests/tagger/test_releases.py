"""By which Keras release weights are read: asked for, as the file says, or assumed, and every
output says which; and scores that mean nothing are a failure.
"""

import csv
import io
import json
import shutil

import h5py
import numpy as np
import pytest

from parity.fixtures import store
from parity.port.weights import load, npz_bytes
from tagger import conditions
from tagger.comparing import read_table
from tagger.model import load as load_tagger
from tagger.tagging import ScoreError, fault_of


def said(out, form):
    if form == "json":
        document = json.loads(out)
        return f"{document['keras']} {document['keras_from']}"
    if form == "csv":
        return {row["keras"] for row in csv.DictReader(io.StringIO(out))}.pop()
    return out.splitlines()[0]


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_every_output_says_where_the_release_comes_from(run, stand_ins, wav, tmp_path, form):
    path, told = wav(), tmp_path / "told.h5"
    shutil.copy(stand_ins / "seeded-CRNN.h5", told)
    with h5py.File(told, "a") as file:
        file.attrs["keras_version"] = "1.0.8"
    for options, release, source in (
        (("--seeded",), "1.1.0", "assumed"),
        (("--seeded", "--keras", "1.2.2"), "1.2.2", "asked"),
        (("--weights", told), "1.0.8", "file"),
    ):
        code, out, err = run("tag", *options, "--format", form, path)
        assert code == 0 and release in said(out, form) and source in said(out, form)
        assert err == ""
    code, out, err = run("tag", "--weights", told, "--keras", "1.1.0", "--format", form, path)
    assert code == 0 and "says that Keras 1.0.8 wrote it" in out
    assert ("says that Keras 1.0.8 wrote it" in err) == (form != "table")


def test_the_other_commands_say_it_too(run, stand_ins, wav, tmp_path):
    source, target = stand_ins / "seeded-CRNN.h5", tmp_path / "w.npz"
    assert "Keras 1.0.8 (as asked)" in run("convert", source, target, "--keras", "1.0.8")[1]
    assert load(None, target).keras == "1.0.8"
    folder = tmp_path / "genres"
    wav("genres/rock/a.wav"), wav("genres/jazz/b.wav")
    results = tmp_path / "r.csv"
    _, out, _ = run("evaluate", folder, "--results", results)
    assert "\nCRNN by the formulas of Keras 1.1.0 (assumed)\naccuracy" in out
    assert "CRNN,1.1.0 (assumed)" in results.read_text()
    _, out, _ = run("calibrate", wav(), "--keras", "1.0.7", "-o", tmp_path / "f.npz")
    assert "CNN0 by the formulas of Keras 1.0.7 (as asked) frozen" in out
    code, _, err = run("tag", wav(), "--keras", "3.0")
    assert code == 2 and "its formulas are not known" in err


@pytest.mark.parametrize(
    "value, words", [(np.nan, "NaN or infinite"), (np.inf, "NaN or infinite"), (0, "score 0,")]
)
@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_scores_that_mean_nothing_are_an_error_of_each_track(
    run, stand_ins, wav, tmp_path, monkeypatch, form, value, words
):
    network = load("CRNN", stand_ins / "seeded-CRNN.h5")
    network.preds.W.array[...] = 0
    network.preds.b.array[...] = -1000
    (tmp_path / "w.npz").write_bytes(npz_bytes(network))
    if value:  # no weights that are read are NaN
        monkeypatch.setattr(
            "tagger.model.Tagger.predict", lambda _, x: np.full((len(x), 10), value)
        )
    code, out, err = run(
        "tag", "--weights", tmp_path / "w.npz", "--format", form, wav(), wav("b.wav")
    )
    assert code == 2 and err.count(words) == 2 and " nan" not in out
    with pytest.raises(ScoreError, match="--keras"):
        load_tagger("CRNN", tmp_path / "w.npz").tag(wav())


def test_one_frame_without_a_score_is_enough():
    scores = np.array([[0.1, 0.2], [0.3, 0.3]])
    assert fault_of("a.wav", scores[:1]) is None
    assert "every tag has the score 0.3" in str(fault_of("a.wav", scores))


def test_the_conflict_of_crnn50_is_said_wherever_it_is_used(run, wav, real_data, tmp_path):
    weights = real_data / store.WEIGHTS["CRNN50"]
    for arguments in (
        ("tag", "-m", "CRNN50", "--weights", weights, wav()),
        ("convert", weights, tmp_path / "w.npz"),
        ("tag", "-m", "CRNN50", "--weights", tmp_path / "w.npz", wav()),
    ):
        code, out, err = run(*arguments)
        assert code == 0 and "that its author printed took them" in out + err, arguments
    assert "remark       CRNN50 is read as its" in run("inspect", weights)[1]


SETS = {  # an author's set of figures -> the only conditions that give every printed digit
    "CNN0 theano": ({"2016"}, {"1.0.6"}, {4}),
    "CNN0 tensorflow": ({"stored"}, {"1.0.7", "1.1.0", "1.2.2"}, {4}),
    "CRNN50": ({"stored"}, {"1.0.7", "1.1.0", "1.2.2"}, {1, 2, 4}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_the_authors_own_scores_tell_what_was_run(name, real_data):
    sets = read_table(real_data / "published/authors.json")
    assert {*sets} == {*SETS} and sum(len(of) for _, p in sets.values() for of in p.values()) == 140
    model, printed = sets[name]
    found = conditions.scored(model, real_data / store.WEIGHTS[model], printed)
    within, others = conditions.ranked(found, printed)
    assert len(within) + len(others) == 36 and others[0][1] > 10 * conditions.limit(printed)
    columns = zip(*(condition for condition, _ in within), strict=True)
    assert tuple(set(of) for of in columns) == SETS[name]
    assert len(within) == np.prod([len(of) for of in SETS[name]])


def test_a_table_of_an_author_is_told_by_its_form(tmp_path, run):
    path = tmp_path / "a.json"
    path.write_text(
        json.dumps({"clips": ["x"], "CNN0 there": {"x": {"polka": 0.1}}, "source": "y"})
    )
    code, _, err = run("compare", path)
    assert code == 2 and "for polka, which is no tag of CNN0" in err
    path.write_text(json.dumps({"clips": ["x"], "CNN0 there": {"x": {"jazz": 0.125}}}))
    assert read_table(path) == {"CNN0 there": ("CNN0", {"x": {"jazz": 0.125}})}
    assert conditions.limit({"x": {"jazz": 0.125}}) == pytest.approx(0.0005, abs=2e-6)

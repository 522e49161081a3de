"""corpus.html and what a terminal gets, from a corpus.json alone."""

import json
from dataclasses import asdict

import pytest

from parity.corpus.figures import Corpus, Gathered, listed
from parity.document import to_json
from parity.provenance import environment
from parity.reports import corpus


def row(at, **more):
    found = {"clip": f"clip <{at}>.wav", "model": "CNN", "verdict": "HOLDS", "share": at / 10}
    found |= {"drift": at * 1e-7, "noise": 2e-7, "silence": at / 4, "saturation": 0.0, "batch": 1}
    found |= {"worst_layer": "bn1", "worst_mode": "chained", "worst_verdict": "ROUNDING"}
    found |= {"keras": "1.0.6", "weights": "w.h5", "top": "a, b", "top_port": "a, b", "changed": 0}
    return found | {"shares": json.dumps({"bn1": at / 10, "conv1": 0.05})} | more


@pytest.fixture
def written():
    gathered = Gathered("CNN")
    for at in range(1, 4):
        gathered.take(row(at, again=f"parity run --clips {at}"))
    gathered.take(row(5, verdict="DRIFTS", worst_verdict="GROSS", share=float("nan")))
    gathered.take(row(4, changed=1, margin=3e-8, changes="a over b by 3e-08", top_port="b, a"))
    gathered.take({"verdict": "FAILED"})
    pages = {("CNN", "clip <3>.wav"): "clips/1-CNN.html"}
    surroundings = environment(1, {})
    model, worst = gathered.model(), listed(gathered.worst, pages)
    changes, command = listed(gathered.changes, pages), "parity corpus"
    found = (1, model.verdict, "real", "2026-01-01T00:00:00Z", command, surroundings, "mine:port")
    return to_json(asdict(Corpus(*found, "corpus.parquet", [model], worst, changes)))


def test_the_page_shows_the_worst_first_with_their_reports_and_changes(written):
    page = corpus.page(written)
    rows = page.split('data-find="')[1:]
    assert [each.split(".wav")[0] for each in rows] == [
        f"clip &lt;{at}&gt;" for at in (4, 5, 4, 3, 2, 1)
    ]
    assert "data-fails" in rows[1] and "data-fails" not in rows[2].split("<td")[0]
    assert 'href="clips/1-CNN.html"' in rows[3] and "parity run --clips 2" in rows[4]
    assert "a over b by 3e-08" in rows[0] and page.count("<svg") >= 2


def test_a_terminal_gets_the_verdict_what_is_near_its_bound_and_what_changed(written):
    said = corpus.text(json.loads(written))
    assert "CNN: DRIFTS; 4 of 5 clips hold" in said and "1 could not be read" in said
    assert "1 clip with tags in another order, 1 with another first tag" in said
    assert "nearest to their bounds: bn1 " in said and "3 silent for half" in said


def test_a_model_of_which_nothing_could_be_read_is_said():
    gathered = Gathered("CNN")
    gathered.take({"verdict": "FAILED"})
    model = asdict(gathered.model())
    assert corpus.sentence(model) == "none of 1 clip could be proved"
    assert corpus.text({"data": "real", "models": [model]}).count("\n") == 2

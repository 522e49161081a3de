"""Baselines: readable, sealed, refused when broken; approving tightens, and loosens only on
purpose.
"""

import copy
import json

import pytest
from gate_documents import APPROVED

from parity.errors import CannotRun
from parity.gate import baseline
from parity.gate.accept import approve, check_allowed, difference
from parity.gate.judge import judge


def path(folder, model="CNN0"):
    return baseline.path_of(folder, "real", model)


def edit(folder, change, model="CNN0", sealed=False):
    found = json.loads(path(folder, model).read_text())
    change(found)
    path(folder, model).write_text(baseline.text(baseline.seal(found) if sealed else found))


def accept(document, folder, **how):
    bases = approve(document, folder, **{"approved": {**APPROVED, "reason": "second"}, **how})
    for base in bases:
        baseline.write(folder, base)
    return bases


def conv1(document):
    return document["models"][0]["layers"][0]


BROKEN = {
    "missing": (lambda p: p.unlink(), "there is no baseline of CNN0 on real data"),
    "empty": (lambda p: p.write_text(""), "is empty"),
    "cut": (lambda p: p.write_text(p.read_text()[:900]), "cut short or is not JSON"),
    "not JSON": (lambda p: p.write_bytes(b"\xff\xfe\x00"), "is not UTF-8 text"),
    "a list": (lambda p: p.write_text("[]"), "baseline format None"),
    "a folder": (lambda p: (p.unlink(), p.mkdir()), "cannot be read"),
    "newer": (
        lambda p: p.write_text(p.read_text().replace('"format": 3', '"format": 4')),
        "update the project",
    ),
    "half": (
        lambda p: p.write_text('{"format": 3, "model": "CNN0", "data": "real"}'),
        "the document lacks 'identity'",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_baseline_is_refused_in_one_sentence(how, folder):
    spoil, said = BROKEN[how]
    spoil(path(folder))
    with pytest.raises(CannotRun, match=said) as caught:
        baseline.read(folder, "real", "CNN0")
    assert "\n" not in str(caught.value) and str(path(folder)) in str(caught.value)


EDITED = {
    "a looser figure": (
        lambda found: found["layers"][1]["isolated"].update(rho=0.9),
        "entry of bn1 was edited by hand",
    ),
    "a looser end": (
        lambda found: found["final"].update(rounding=1.0),
        "entry of final was edited",
    ),
    "an entry deleted": (lambda found: found["layers"].pop(2), "entry of pool1 is missing"),
    "a tensor": (
        lambda found: found["identity"]["weights"]["tensors"]["conv1/W"].__setitem__(2, "0" * 64),
        "edited by hand",
    ),
    "a known difference": (
        lambda found: found["known"].append(
            {
                "layer": "conv1",
                "mode": "isolated",
                "verdict": "GROSS",
                "reason": "",
                "by": "",
                "at": "",
            }
        ),
        "edited by hand",
    ),
    "another reason": (lambda found: found["approved"].update(by="nobody"), "edited by hand"),
}


@pytest.mark.parametrize("how", EDITED)
def test_a_baseline_edited_by_hand_is_refused_and_the_entry_named(how, folder):
    change, said = EDITED[how]
    edit(folder, change)
    with pytest.raises(CannotRun, match=said):
        baseline.read(folder, "real", "CNN0")


def test_swapped_baselines_are_refused(folder):
    ours, theirs = path(folder).read_text(), path(folder, "CNN").read_text()
    path(folder).write_text(theirs)
    path(folder, "CNN").write_text(ours)
    with pytest.raises(CannotRun, match="is the baseline of model CNN, not CNN0"):
        baseline.read(folder, "real", "CNN0")


def test_a_baseline_of_other_data_is_refused(folder):
    path(folder).rename(folder / "moved")
    (folder / "seeded").mkdir()
    (folder / "moved").rename(folder / "seeded" / "CNN0.json")
    with pytest.raises(CannotRun, match="is the baseline of data real, not seeded"):
        baseline.read(folder, "seeded", "CNN0")


def test_missing_and_obsolete_entries_fail(document, folder):
    edit(
        folder,
        lambda found: (found["layers"].pop(2), found["identity"]["declared"].remove("pool1")),
        sealed=True,
    )
    document["models"][1]["layers"].pop(2)
    found = [
        (f.model, f.layer, f.limit)
        for f in judge(document, folder).findings
        if f.limit == "baseline"
    ]
    assert found == [("CNN0", "pool1", "baseline"), ("CNN", "pool1", "baseline")]


def test_a_model_with_a_baseline_has_to_be_run(document, folder):
    document["models"].pop()
    assert [(f.model, f.limit) for f in judge(document, folder).findings] == [("CNN", "baseline")]
    assert judge(document, folder, ["CNN0"]).passed


def test_a_partial_run_is_no_model(document, folder):
    document["selection"] = ["conv1"]
    for record in document["models"]:
        record["layers"] = record["layers"][:1]
    for refused in (judge, lambda *given: approve(*given, approved=APPROVED)):
        with pytest.raises(CannotRun, match=r"compared conv1 alone, .* without --layer$"):
            refused(document, folder)


def test_a_baseline_reads_in_a_diff(folder):
    lines = path(folder).read_text().splitlines()
    assert (
        max(map(len, lines)) <= baseline.ENTRY + 2
        and sum("conv1" in line and "isolated" in line for line in lines) == 1
    )


def test_accepting_an_unchanged_run_changes_only_who_and_why(document, folder):
    before = json.loads(path(folder).read_text())
    (base, _) = accept(document, folder)
    assert {**base, "approved": None, "seal": None} == {**before, "approved": None, "seal": None}
    assert base["approved"]["reason"] == "second"


def test_accepting_needs_a_reason_and_a_person(monkeypatch):
    with pytest.raises(CannotRun, match="--reason"):
        check_allowed("  ")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(CannotRun, match="CI is set"):
        check_allowed("because")


def test_accepting_keeps_the_tighter_of_two_figures(document, folder):
    conv1(document)["isolated"].update(rho_port=0.45, q_port=0.5)
    base = accept(document, folder)[0]
    assert (base["layers"][0]["isolated"]["rho"], base["layers"][0]["isolated"]["q"]) == (0.4, 0.5)


def test_accepting_worse_figures_is_refused_unless_asked_for(document, folder):
    before = path(folder).read_text()
    conv1(document)["isolated"].update(q_port=1.25)
    with pytest.raises(CannotRun, match="CNN0 / conv1 is worse than its baseline"):
        accept(document, folder)
    assert path(folder).read_text() == before
    base = accept(document, folder, accept_worse=True)[0]
    assert base["layers"][0]["isolated"]["q"] == 1.25 and judge(document, folder).passed


def drift(document):
    conv1(document)["isolated"].update(verdict="FORMULA(unnamed)", rho_port=9.0, q_port=4.0)
    conv1(document)["chained"].update(verdict="FORMULA(unnamed)", rho_local=9.0)
    for layer in document["models"][0]["layers"][1:]:
        layer["chained"]["verdict"] = "INHERITED"
    document["models"][0].update(verdict="DRIFTS", first_divergence="conv1")


def test_a_broken_budget_is_accepted_one_difference_at_a_time_and_stays_listed(document, folder):
    drift(document)
    with pytest.raises(CannotRun, match="breaks the budget"):
        accept(document, folder, accept_worse=True)
    accept(document, folder, models=["CNN0"], layer="conv1", accept_worse=True)
    outcome = judge(document, folder)
    assert outcome.passed, outcome.findings
    assert [(row["layer"], row["mode"], row["reason"]) for row in outcome.known] == [
        ("conv1", "chained", "second"),
        ("conv1", "isolated", "second"),
    ]


def test_a_known_difference_that_is_gone_is_obsolete(document, folder):
    clean = copy.deepcopy(document)
    drift(document)
    accept(document, folder, models=["CNN0"], layer="conv1", accept_worse=True)
    found = judge(clean, folder).findings
    assert {(f.layer, f.limit) for f in found} == {("conv1", "baseline")} and "obsolete" in found[
        0
    ].text
    accept(clean, folder)
    assert judge(clean, folder).passed


def test_a_known_difference_excuses_no_other_verdict(document, folder):
    drift(document)
    accept(document, folder, models=["CNN0"], layer="conv1", accept_worse=True)
    conv1(document)["isolated"]["verdict"] = "GROSS"
    assert ("conv1", "budget") in [(f.layer, f.limit) for f in judge(document, folder).findings]


def test_accepting_one_layer_leaves_the_others(document, folder):
    identity = document["models"][0]["identity"]
    identity["weights"]["tensors"]["conv1/W"][2] = identity["weights"]["tensors"]["output/W"][2] = (
        "0" * 64
    )
    accept(document, folder, models=["CNN0"], layer="conv1")
    assert [(f.layer, f.limit) for f in judge(document, folder).findings] == [
        ("output", "identity")
    ]


def test_the_diff_names_the_changed_line(document, folder):
    conv1(document)["isolated"]["q_port"] = 0.3
    text = difference(folder, approve(document, folder, approved=APPROVED))
    changed = [line for line in text.splitlines() if line.startswith("+ ")]
    assert any('"conv1"' in line and '"q": 0.3' in line for line in changed) and len(changed) <= 2


def test_an_interrupted_write_leaves_the_old_baseline_whole(document, folder, monkeypatch):
    before = path(folder).read_text()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        accept(document, folder)
    assert path(folder).read_text() == before and list(folder.glob("**/*.part")) == []


def test_approving_keeps_what_was_read_back_and_refuses_to_lose_a_proof(document, folder):
    probed = conv1(document)["probed"]
    probed["read"][0]["sha256"] = "f" * 64
    (base, _) = accept(document, folder)
    assert base["layers"][0]["probed"]["read"]["W"] == "f" * 16
    probed.update(verdict="NOT PROBED", message="no probes are known")
    with pytest.raises(CannotRun, match="no probes are known"):
        accept(document, folder)
    accept(document, folder, accept_worse=True)

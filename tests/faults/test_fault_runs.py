"""A run of the faults: totals, exit codes, bad names, the document, and going on after an
interruption.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, make_dataclass
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from parity import processes
from parity.cli import Group
from parity.document import to_json
from parity.errors import CannotRun
from parity.faults import command, run, table, trial
from parity.faults.drift import Attribution
from parity.reports import faults as drawn
from parity.reports.document import FOLDER, ReportError
from tests.reports import factory

CHOSEN = [fault for fault in table.FAULTS if fault.model == "CNN0"][:5]
HARMLESS = list(table.HARMLESS[:1])


def record(fault, **changes):
    return {
        "id": fault.id,
        "model": fault.model,
        "layer": fault.layer,
        "kind": fault.kind,
        "expected_cause": fault.cause,
        "verdict": "GROSS",
        "located_layer": fault.layer,
        "cause": {"hypothesis": fault.cause, "survivors": [], "estimate": None},
        "caught": True,
        "located": True,
        "named": True,
        "undecidable": False,
        "observability": None,
        "message": None,
        "changed_layers": [fault.layer],
        "attribution": share(fault.layer),
        "apart": None,
        "attributed": True,
        "ways": ["isolated"],
        "probed": [],
        "call": None,
        "why": None,
        **changes,
    }


def share(blamed, **changes):
    """What drift.Attribution says."""
    figures = dict.fromkeys(asdict(Attribution()), 1.0)
    return {**figures, "space": "logits", "blamed_layer": blamed, "message": None, **changes}


def quiet(fault, heard=True, changed=("conv3",)):
    return {
        "id": fault.id,
        "model": fault.model,
        "layer": fault.layer,
        "verdict": "ROUNDING",
        "located_layer": None,
        "quiet": heard,
        "message": None,
        "changed_layers": list(changed),
    }


def improvement(one):
    return {
        "id": one.id,
        "model": one.model,
        "what": "formulas",
        "layers": [
            {
                "layer": "bn1",
                "verdict": "GROSS",
                "share": 0.8,
                "energy": 0.9,
                "cause": {"hypothesis": "eps|2", "survivors": ["eps|2"], "estimate": None},
            }
        ],
        "holds": ["bn2"],
        **dict.fromkeys(("drift", "sound_drift", "final", "sound_final"), 1e-3),
        "space": "logits",
        "message": None,
    }


def found(*changes, heard=True):
    records = [
        record(fault, **change)
        for fault, change in zip(CHOSEN, [*changes, *[{}] * len(CHOSEN)], strict=False)
    ]
    return run.document(
        records,
        [quiet(HARMLESS[0], heard)],
        [improvement(table.PUBLISHED[0])],
        data="real",
        selection=["some"],
    )


MISSED = {
    "verdict": "ROUNDING",
    "located_layer": None,
    "cause": None,
    "caught": False,
    "located": False,
    "named": False,
    "observability": 2.5,
}
MISPLACED = {"located_layer": "conv2", "located": False, "named": False}
MISBLAMED = {"attribution": share("output"), "attributed": False}
DROWNED = {
    "attribution": share("output", above_rounding=0.5),
    "apart": trial.BELOW,
    "attributed": None,
}
NO_END = {
    "attribution": asdict(Attribution(message="output: another shape")),
    "apart": trial.NO_END,
    "attributed": None,
}
INVISIBLE = {**MISSED, "undecidable": True, "observability": 0.02}


@pytest.mark.parametrize(
    ("document", "holds", "survivors", "decidable"),
    [
        (found(), True, 0, 5),
        (found(MISSED), False, 1, 5),
        (found(MISPLACED), False, 1, 5),
        (found(INVISIBLE), True, 0, 4),
        (found({"named": False}), False, 0, 5),
        (found(heard=False), False, 0, 5),
    ],
)
def test_a_decidable_fault_that_is_missed_or_misplaced_survives(
    document, holds, survivors, decidable
):
    totals = document["totals"]
    assert (run.holds(document), totals["survivors"], totals["decidable"]) == (
        holds,
        survivors,
        decidable,
    )
    assert totals["caught"] == decidable - (document["faults"][0]["observability"] == 2.5)


@pytest.mark.parametrize(
    ("document", "holds", "attributed", "attributable"),
    [
        (found(), True, 5, 5),
        (found(MISBLAMED), False, 4, 5),
        (found(DROWNED, NO_END), True, 3, 3),
    ],
)
def test_most_faults_have_to_be_blamed_at_the_end(document, holds, attributed, attributable):
    totals = document["totals"]
    assert (run.holds(document), totals["attributed"], totals["attributable"]) == (
        holds,
        attributed,
        attributable,
    )


def test_one_fault_in_twenty_may_be_blamed_wrongly_or_have_no_name():
    for change in (MISBLAMED, {"named": False}):
        records = [record(CHOSEN[0], **each) for each in [change, *[{}] * 19]]
        assert run.holds(run.document(records, [], data="real", selection=["some"]))
        assert not run.holds(run.document(records[:19], [], data="real", selection=["some"]))


def test_the_tables_say_who_is_blamed_and_what_was_improved():
    text = drawn.text(found(MISBLAMED, DROWNED, NO_END))
    for said in (
        "WRONG: output 100 %",
        "below rounding (0.50)",
        "no end",
        "2 of 3; counted apart: 1 below rounding at the end, 1 that do",
        "eps|2",
        "1.0e-03",
    ):
        assert said in text
    assert "eps&#124;2" in drawn.markdown(found())


def test_the_same_records_give_the_same_bytes(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert to_json(found()) == to_json(found()) and found()["created"] == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize(
    ("document", "code"), [(found(), 0), (found(MISSED), 1), (found(heard=False), 1)]
)
def test_a_survivor_makes_exit_code_1_and_the_document_is_whole(
    document, code, monkeypatch, tmp_path
):
    monkeypatch.setattr(run, "run", lambda *chosen, **options: document)
    (tmp_path / "parity.json").write_text(to_json(factory.document()), encoding="utf-8")
    result = CliRunner().invoke(command.faults, ["--out", str(tmp_path), "--model", "CNN0"])
    assert result.exit_code == code, result.output
    assert drawn.read(tmp_path / "faults.json") == json.loads(to_json(document))
    assert "Planted faults" in (tmp_path / "parity.html").read_text(encoding="utf-8"), (
        "the page beside it shows it at once"
    )
    assert "| CNN0 | conv1 | unflipped |" in (tmp_path / "faults.md").read_text()
    assert ("SURVIVES" in result.output) == (
        document is not None and document["totals"]["survivors"] == 1
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--only", "CNN0-conv1-unfliped"],
            (
                "no fault called 'CNN0-conv1-unfliped'; did you mean CNN0-conv1-unflipped? "
                "Known: CNN0-conv1"
            ),
        ),
        (["--model", "CNN9"], "no model called 'CNN9'"),
        (["--layer", "conv9"], "no layer called 'conv9'"),
        (["--model", "CNN0", "--only", "CNN-bn1-eps-1e-5"], "no fault is planted there"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(arguments, said, tmp_path):
    result = CliRunner().invoke(
        Group(commands={"faults": command.faults}),
        ["faults", *arguments, "--out", str(tmp_path / "out")],
    )
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / "out").exists()


def test_the_list_names_every_fault_and_runs_none():
    result = CliRunner().invoke(command.faults, ["--list"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) == len(run.MUTANTS)


@pytest.fixture
def in_one_thread(monkeypatch):
    """No recorder and no processes; returns the list of what was tried, and a set of ids on which
    the user interrupts.
    """
    tried, stopping = [], set()

    def one(mutant, sound):
        time.sleep(0.02)  # so that each is kept before the next ends
        if mutant.id in stopping:
            raise KeyboardInterrupt
        tried.append(mutant.id)
        made = (
            quiet(mutant)
            if mutant in table.HARMLESS
            else improvement(mutant)
            if mutant in table.PUBLISHED
            else record(mutant)
        )
        return make_dataclass("Record", made)(**made)

    case = SimpleNamespace(model=SimpleNamespace(name="CNN0"), data="real", clips=())
    monkeypatch.setattr(run.model, "case_for", lambda name: _Case(case))
    monkeypatch.setattr(
        run.recordings,
        "traces",
        lambda batches, **_: {each: {"reference": "a trace"} for each in batches},
    )
    monkeypatch.setattr(
        run,
        "clips_of",
        lambda cases: dict.fromkeys(cases, SimpleNamespace(batch=None)),
    )
    monkeypatch.setattr(run, "trace_digest", lambda path: "digest")
    monkeypatch.setattr(run, "sound_of", lambda case, path: None)
    monkeypatch.setattr(processes, "_pool", lambda *_: ThreadPoolExecutor(1))
    for trial_of in ("tried", "heard", "measured"):
        monkeypatch.setattr(run, trial_of, one)
    return tried, stopping


def kept_in(folder):
    """Ids of the records that a stopped run has left."""
    return [json.loads(path.read_text())["value"]["record"]["id"] for path in folder.glob("*.json")]


class _Case:
    def __init__(self, case):
        self.model, self.data, self.clips = case.model, case.data, case.clips


def test_an_interrupted_run_goes_on_where_it_was(in_one_thread, tmp_path):
    tried, stopping = in_one_thread
    folder = tmp_path / "faults.kept"
    stopping.add(CHOSEN[3].id)
    with pytest.raises(CannotRun, match=r"stopped; what was found so far is in .*faults\.kept,"):
        run.run([*CHOSEN, *HARMLESS], folder=folder)
    kept = kept_in(folder)
    assert kept, "nothing was kept"
    stopping.clear()
    tried.clear()
    published = [one for one in table.PUBLISHED if one.model == "CNN0"]
    chosen = [*CHOSEN, *HARMLESS, *published]
    document = run.run(chosen, folder=folder, command="parity faults")
    assert document["selection"] is None
    assert sorted([*tried, *kept]) == sorted(mutant.id for mutant in chosen)
    assert [entry["id"] for entry in document["improved"]] == ["CNN0-published-port"]
    assert document["command"] == "parity faults" and document["environment"]["numpy"]
    assert [entry["id"] for entry in document["faults"]] == [fault.id for fault in CHOSEN]
    assert not folder.exists(), "a whole run leaves nothing to go on with"


def test_a_port_that_does_not_hold_stops_the_run_before_any_fault(
    in_one_thread, monkeypatch, tmp_path
):
    def refuse(case, path):
        raise CannotRun("CNN0 conv1: the port is GROSS with no fault planted")

    tried, _ = in_one_thread
    monkeypatch.setattr(run, "sound_of", refuse)
    with pytest.raises(CannotRun, match="with no fault planted"):
        run.run([*CHOSEN, *HARMLESS], folder=tmp_path / "kept")
    assert tried == [] and not (tmp_path / "kept").exists()


def test_a_selection_leaves_what_a_stopped_run_has_kept(in_one_thread, tmp_path):
    _, stopping = in_one_thread
    folder = tmp_path / "kept"
    stopping.add(CHOSEN[3].id)
    with pytest.raises(CannotRun):
        run.run(CHOSEN, folder=folder)
    stopping.clear()
    ours = kept_in(folder)
    run.run([CHOSEN[4]], folder=folder, selection=[CHOSEN[4].id])
    assert sorted(kept_in(folder)) == sorted(name for name in ours if name != CHOSEN[4].id)
    run.run(CHOSEN[:3], folder=folder, selection=[fault.id for fault in CHOSEN[:3]])
    assert CHOSEN[0].id not in kept_in(folder)


@pytest.mark.parametrize("text", ["", "{"])
def test_a_kept_record_that_cannot_be_read_is_made_again(text, in_one_thread, tmp_path):
    tried, stopping = in_one_thread
    stopping.add(CHOSEN[1].id)
    with pytest.raises(CannotRun):
        run.run(CHOSEN[:2], folder=tmp_path)
    (path,) = tmp_path.glob("*.json")
    path.write_text(text)
    stopping.clear()
    run.run(CHOSEN[:2], folder=tmp_path)
    assert tried == [CHOSEN[0].id, CHOSEN[0].id, CHOSEN[1].id]


@pytest.mark.parametrize("changed", ["trace_digest", "code_digest"])
def test_what_is_kept_depends_on_the_code_and_the_trace(
    changed, in_one_thread, monkeypatch, tmp_path
):
    tried, stopping = in_one_thread
    stopping.add(CHOSEN[1].id)
    with pytest.raises(CannotRun):
        run.run(CHOSEN[:2], folder=tmp_path)
    stopping.clear()
    monkeypatch.setattr(run, changed, lambda *_: "another")
    run.run(CHOSEN[:2], folder=tmp_path)
    assert tried == [CHOSEN[0].id, CHOSEN[0].id, CHOSEN[1].id]


@pytest.mark.parametrize(
    "break_it",
    [
        lambda document: document.pop("totals"),
        lambda document: document["faults"][0].pop("cause"),
        lambda document: document["faults"][0].update(verdict="FINE"),
        lambda document: document.update(format=2),
        lambda document: document["harmless"][0].update(quiet="yes"),
        lambda document: document.pop("created"),
        lambda document: document["faults"][0].update(apart="elsewhere"),
        lambda document: document["improved"][0].pop("final"),
    ],
)
def test_a_document_that_departs_from_the_schema_is_refused(break_it):
    document = found()
    drawn.validate(document)
    break_it(document)
    with pytest.raises(ReportError, match=r"faults\.json: .*write it again"):
        drawn.validate(document)


def test_the_schema_is_part_of_the_package():
    assert (FOLDER / drawn.FAULTS.schema).is_file()


def test_markdown_obeys_no_name():
    document = found({"cause": {"hypothesis": "a|b*c", "survivors": [], "estimate": None}})
    assert "a&#124;b&#42;c" in drawn.markdown(document)

"""A run against its baselines: every limit on every model, in the order in which it is told."""

from collections.abc import Collection, Mapping
from pathlib import Path

from parity.errors import CannotRun
from parity.gate import baseline
from parity.gate.baseline import cell_of
from parity.gate.budget import RULES, broken_cells, budget
from parity.gate.changes import changes
from parity.gate.outcome import WHOLE, Breach, Json, Outcome, Pairs, breaches
from parity.gate.ratchet import ratchet
from parity.reports import probes
from parity.results import NOT_COMPARED

_NO_IDENTITY = "the run says nothing of its identity"


def judge(document: Json, folder: Path, models: Collection[str] | None = None) -> Outcome:
    """Hold parity.json's document against the baselines in `folder`.

    models: names to look at, None for all. Raises CannotRun for one that is not in the document,
    or whose baseline is unusable.
    """
    baseline.check_whole(document)
    records = {record["name"]: record for record in document["models"]}
    missing = [name for name in models or () if name not in records]
    if missing:
        raise CannotRun(
            f"the run has no model {missing[0]}; it has {', '.join(records) or 'none'}: "
            "run it, or choose another --model"
        )
    chosen = [records[name] for name in models or records]
    bases = {
        record["name"]: baseline.read(folder, record["data"], record["name"]) for record in chosen
    }
    findings = [found for record in chosen for found in _model(record, bases[record["name"]])]
    if not models:
        findings += [
            Breach(name, WHOLE, "baseline", "has a baseline, but was not run")
            for name in baseline.names(folder, document["data"])
            if name not in records
        ]
    known = [{"model": name, **row} for name, base in bases.items() for row in base["known"]]
    notes = [f"{record['name']}: {_NO_IDENTITY}" for record in chosen if not record.get("identity")]
    for record in chosen:
        notes += _code(record, bases[record["name"]], findings)
    cells = sum(
        layer[mode]["verdict"] != NOT_COMPARED
        for record in chosen
        for layer in record["layers"]
        for mode in RULES
    )
    return Outcome(findings, known, [record["name"] for record in chosen], cells, notes)


def judge_identity(identities: Mapping[str, Json], bases: Mapping[str, Json]) -> Outcome:
    """Hold {model: identity} against the baselines, {model: baseline}; nothing is run."""
    findings = []
    for name, fresh in identities.items():
        found = {"identity": changes(fresh, bases[name]["identity"])}
        findings += breaches(name, fresh["declared"], found)
    blind = ", ".join(name for name, fresh in identities.items() if fresh["original"] is None)
    note = (
        f"{blind}: no recorded trace is at hand, so the original's layers were judged by their "
        "source"
    )
    return Outcome(findings, [], list(identities), len(identities), [note] if blind else [])


def _code(record: Json, base: Json, findings: Collection[Breach]) -> list[str]:
    """That the port's code is another, which breaks no limit."""
    fresh, was = ((each["identity"] or {}).get("code") for each in (record, base))
    if not fresh or not was or fresh == was:
        return []
    figures = {each.limit for each in findings if each.model == record["name"]} - {"identity"}
    others = "" if figures else ", though no figure did"
    return [
        f"{record['name']}: the code of the port changed ({fresh[:12]}, was {was[:12]}){others}"
    ]


def _model(record: Json, base: Json) -> list[Breach]:
    identity = record.get("identity")
    found = {
        "budget": budget(record, {cell_of(row) for row in base["known"]}),
        "ratchet": ratchet(record, base),
        "baseline": _entries(record, base),
        "identity": [*changes(identity, base["identity"]), *_read_back(record, base)]
        if identity
        else [(WHOLE, f"{_NO_IDENTITY}; run it anew with this version")],
    }
    return breaches(record["name"], [layer["name"] for layer in record["layers"]], found)


def _read_back(record: Json, base: Json) -> Pairs:
    """What probes read back of the port that is not what was approved."""
    kept = {layer["name"]: layer["probed"] for layer in base["layers"]}
    for layer in record["layers"]:
        found, was = layer.get("probed"), kept.get(layer["name"])
        if found and was and found["verdict"] != probes.NOT_PROBED:
            yield from ((layer["name"], f"probed: {why}") for why in probes.changed(found, was))


def _entries(record: Json, base: Json) -> Pairs:
    """Entries that a baseline lacks, and those to which no layer or difference answers."""
    fresh, kept = ([layer["name"] for layer in found["layers"]] for found in (record, base))
    for name in fresh:
        if name not in kept:
            yield name, "has no entry in the baseline"
    for name in kept:
        if name not in fresh:
            yield name, "its entry in the baseline is obsolete: the run has no such layer"
    for layer, mode, word in map(cell_of, base["known"]):
        if (layer, mode, word) not in broken_cells(record, layer):
            yield layer, f"its known difference ({mode}: {word}) is obsolete"

"""A document against its baselines: all limits, all models, in the order in which it is told."""

from typing import NamedTuple

from parity.compare import verdict
from parity.errors import CannotRun
from parity.gate import baseline
from parity.gate.budget import RULES, broken_cells, budget
from parity.gate.finding import WHOLE, Finding, in_network_order
from parity.gate.ratchet import ratchet
from parity.gate.sameness import sameness


class Outcome(NamedTuple):
    """What the gate says. known : accepted differences, which stay listed. notes : what it could
    not look at.
    """

    findings: list
    known: list
    models: list
    cells: int
    notes: list

    @property
    def passed(self):
        """Whether every limit holds and something was compared at all."""
        return not self.findings and self.cells > 0


def judge(document, folder, models=None):
    """Hold parity.json's document against the baselines in `folder`; models : names to look at,
    None for all.

    Raises CannotRun for a model that is not in the document, or whose baseline is missing or
    unusable.
    """
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
    partial = document.get("selection") is not None
    findings = [
        finding for record in chosen for finding in _model(record, bases[record["name"]], partial)
    ]
    if not models:
        findings += _not_run(document, folder, records)
    known = [{"model": name, **row} for name, base in bases.items() for row in base["known"]]
    notes = (
        [f"only these layers were judged: {', '.join(document['selection'])}"] if partial else []
    )
    notes += [
        f"{record['name']}: the run says nothing of its identity"
        for record in chosen
        if not record.get("identity")
    ]
    return Outcome(findings, known, [record["name"] for record in chosen], _compared(chosen), notes)


def judge_identity(identities, folder, data):
    """Hold identities, {model: identity}, against the baselines of `data` (one word per model);
    nothing is run.
    """
    bases = {name: baseline.read(folder, data[name], name) for name in identities}
    findings = []
    for name, fresh in identities.items():
        findings += in_network_order(
            sameness(name, fresh, bases[name]["identity"]), fresh["declared"]
        )
    blind = [name for name, fresh in identities.items() if fresh["original"] is None]
    notes = (
        [
            (
                f"{', '.join(blind)}: no recorded trace is at hand, so the original's layers "
                "were judged by their source"
            )
        ]
        if blind
        else []
    )
    return Outcome(findings, [], list(identities), len(identities), notes)


def _model(record, base, partial):
    known = {(row["layer"], row["mode"], row["verdict"]) for row in base["known"]}
    found = [*budget(record, known), *ratchet(record, base), *_entries(record, base, partial)]
    if record.get("identity"):
        found += sameness(record["name"], record["identity"], base["identity"])
    else:
        found.append(
            Finding(
                record["name"],
                WHOLE,
                "identity",
                "the run says nothing of its identity; run it anew with this version",
            )
        )
    return in_network_order(found, [layer["name"] for layer in record["layers"]])


def _entries(record, base, partial):
    """Baseline entries that lack a layer, and those that no layer answers to."""
    fresh, kept = ([layer["name"] for layer in found["layers"]] for found in (record, base))
    for name in fresh:
        if name not in kept:
            yield Finding(record["name"], name, "baseline", "has no entry in the baseline")
    for name in () if partial else kept:
        if name not in fresh:
            yield Finding(
                record["name"],
                name,
                "baseline",
                "its entry in the baseline is obsolete: the run has no such layer",
            )
    for row in base["known"]:
        broken = broken_cells(record, row["layer"])
        if (row["layer"], row["mode"], row["verdict"]) not in broken and (
            row["layer"] in fresh or not partial
        ):
            yield Finding(
                record["name"],
                row["layer"],
                "baseline",
                f"its known difference ({row['mode']}: {row['verdict']}) is obsolete",
            )


def _not_run(document, folder, records):
    """Models which have a baseline for this run's data and were not run."""
    return [
        Finding(name, WHOLE, "baseline", "has a baseline, but was not run")
        for name in baseline.names(folder, document["data"])
        if name not in records
    ]


def _compared(records):
    return sum(
        layer[mode]["verdict"] != verdict.NOT_COMPARED
        for record in records
        for layer in record["layers"]
        for mode in RULES
    )

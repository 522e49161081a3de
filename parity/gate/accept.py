"""Approving a run as the new baseline: what is refused, what is kept, and the diff that is about
to be written.

A baseline only tightens by itself: where a figure rose within the ratchet, the old one is kept, so
that a hundred small approvals do not add up. Letting one rise, or a difference beyond the budget
be known, asks for accept_worse.
"""

import difflib
import os

from parity.errors import CannotRun
from parity.gate import baseline
from parity.gate.budget import broken_cells, budget
from parity.gate.figures import FINAL, MODES, number
from parity.gate.ratchet import ratchet


def check_allowed(reason):
    """Raise CannotRun without a reason, and wherever CI is set: a baseline is approved by a
    person.
    """
    if not reason or not reason.strip():
        raise CannotRun("a baseline is approved for a reason; say it with --reason")
    if os.environ.get("CI"):
        raise CannotRun(
            "CI is set, and a machine approves no baseline; accept on your own machine "
            "and commit the file"
        )


def approve(document, folder, *, approved, models=None, layer=None, accept_worse=False):
    """The new baselines of a document, [baseline], and nothing written yet. approved : {at, by,
    reason}.

    models : names, None for all of the document; layer : the one layer whose entry is to change.
    Raises CannotRun for a model or layer that is not there, and for everything that would loosen
    unless accept_worse.
    """
    records = {record["name"]: record for record in document["models"]}
    unknown = [name for name in models or () if name not in records]
    if unknown or not records:
        raise CannotRun(
            f"the run has no model {unknown[0] if unknown else 'at all'}; run it first, "
            "or choose another --model"
        )
    return [
        _one(
            records[name], _old(folder, records[name], accept_worse), approved, layer, accept_worse
        )
        for name in models or records
    ]


def _old(folder, record, accept_worse):
    """The baseline that is there, or None; one that cannot be read is only replaced on purpose."""
    if not baseline.path_of(folder, record["data"], record["name"]).exists():
        return None
    try:
        return baseline.read(folder, record["data"], record["name"])
    except CannotRun as error:
        if accept_worse:
            return None
        raise CannotRun(f"{error}; or replace it as a whole with --accept-worse") from error


def _one(record, old, approved, layer, accept_worse):
    name = record["name"]
    if not record.get("identity"):
        raise CannotRun(
            f"{name}: the run says nothing of its identity; run it anew with this version"
        )
    if layer and not old:
        raise CannotRun(
            f"{name}: there is no baseline yet, so no single layer of it can be approved; "
            "leave out --layer"
        )
    known = _known(record, old, approved, layer, accept_worse)
    _refuse_broken(record, known, layer)
    if old and not accept_worse:
        _refuse_worse(record, old, layer)
    fresh = baseline.make(record, approved, known)
    if old and not accept_worse:
        fresh = _tightest(fresh, old)
    return baseline.seal(_only(fresh, old, layer) if layer else fresh)


def _known(record, old, approved, layer, accept_worse):
    """Known differences: those which still are, and, on purpose and for a single layer, its own."""
    still = [
        row
        for row in (old or {"known": []})["known"]
        if (row["layer"], row["mode"], row["verdict"]) in broken_cells(record, row["layer"])
    ]
    if not (layer and accept_worse):
        return still
    cells = broken_cells(record, layer)
    new = [
        {"layer": where, "mode": mode, "verdict": word, **approved} for where, mode, word in cells
    ]
    return [row for row in still if row["layer"] != layer] + new


def _refuse_broken(record, known, layer):
    broken = budget(record, {(row["layer"], row["mode"], row["verdict"]) for row in known})
    found = [finding for finding in broken if layer in (None, finding.layer)]
    if found:
        first = found[0]
        raise CannotRun(
            f"{first.place} breaks the budget ({first.text}), which no baseline can "
            "change; mend it, or accept this one "
            f"difference as known: --model {first.model} --layer {first.layer or 'NAME'} "
            "--accept-worse"
        )


def _refuse_worse(record, old, layer):
    worse = [found for found in ratchet(record, old) if layer in (None, found.layer)]
    if worse:
        raise CannotRun(
            f"{worse[0].place} is worse than its baseline ({worse[0].text}); mend it, or "
            "say --accept-worse"
        )


def _tightest(fresh, old):
    """`fresh`, with the smaller of every pair of figures. Layers whose parameters or shape changed
    keep their new ones.
    """
    was = {layer["name"]: layer for layer in old["layers"]}
    layers = [_smaller(layer, was.get(layer["name"])) for layer in fresh["layers"]]
    final = {
        **fresh["final"],
        **{pair: min(fresh["final"][pair], old["final"][pair], key=number) for pair in FINAL},
    }
    return {**fresh, "layers": layers, "final": final}


def _smaller(layer, was):
    if was is None or was["shape"] != layer["shape"]:
        return layer
    kept = {
        mode: {
            **layer[mode],
            **{key: min(layer[mode][key], was[mode][key], key=number) for key in keys},
        }
        for mode, keys in MODES.items()
        if layer[mode]["verdict"] == was[mode]["verdict"]
    }
    return {**layer, **kept}


def _only(fresh, old, layer):
    """`old` with the entries of one layer, or the final scores, from `fresh`."""
    if layer == "final":
        return {
            **old,
            "final": fresh["final"],
            "known": fresh["known"],
            "approved": fresh["approved"],
        }
    if all(entry["name"] != layer for base in (fresh, old) for entry in base["layers"]):
        raise CannotRun(
            f"{fresh['model']}: neither the run nor the baseline has a layer {layer}; "
            "choose another --layer"
        )
    new = {entry["name"]: entry for entry in fresh["layers"]}
    layers = [
        new[entry["name"]] if entry["name"] == layer else entry
        for entry in old["layers"]
        if entry["name"] != layer or layer in new
    ]
    return {
        **old,
        "layers": layers,
        "known": fresh["known"],
        "approved": fresh["approved"],
        "identity": _identity_of(fresh["identity"], old["identity"], layer),
    }


def _identity_of(fresh, old, layer):
    """The old identity with one layer's tensors and rows from the new one; the order of layers and
    the stack stay.
    """

    def rows(key):
        if old[key] is None or fresh[key] is None:
            return old[key]
        new = {row["name"]: row for row in fresh[key]}
        return [new.get(row["name"], row) if row["name"] == layer else row for row in old[key]]

    tensors = {
        name: fresh["weights"]["tensors"].get(name, form) if name.split("/")[0] == layer else form
        for name, form in old["weights"]["tensors"].items()
    }
    whole = tensors == fresh["weights"]["tensors"]
    weights = {"tensors": tensors, "sha256": (fresh if whole else old)["weights"]["sha256"]}
    return {**old, "weights": weights, "original": rows("original"), "port": rows("port")}


def difference(folder, bases, lines_most=200):
    """The unified diff that writing `bases` would make, as text; long ones are cut and say so."""
    found = []
    for base in bases:
        path = baseline.path_of(folder, base["data"], base["model"])
        old = (
            path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        )
        found += difflib.unified_diff(
            old, baseline.text(base).splitlines(), str(path), str(path), n=0, lineterm=""
        )
    more = len(found) - lines_most
    return (
        "\n".join(found[:lines_most] + [f"... and {more} more lines"] * (more > 0))
        or "nothing changes"
    )


def received(document):
    """What the run would be as a baseline, for all its models: the failing gate leaves it beside
    its report.
    """
    nobody = {"at": document["created"], "by": None, "reason": None}
    return {
        "format": baseline.FORMAT,
        "received": [
            baseline.make(record, nobody) for record in document["models"] if record.get("identity")
        ],
    }

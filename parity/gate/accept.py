"""Approving a run as the new baseline: what is refused, what is kept, and the diff of it.

A baseline only tightens by itself: where a figure rose within the ratchet, the old one is kept, so
that a hundred small approvals do not add up. Letting one rise, or a difference beyond the budget
be known, needs accept_worse.
"""

import difflib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from parity.errors import CannotRun
from parity.gate import baseline
from parity.gate.baseline import FINAL, MODES, cell_of, number
from parity.gate.budget import broken_cells, budget
from parity.gate.outcome import Json
from parity.gate.ratchet import ratchet
from parity.settings import setting


def check_allowed(reason: str) -> None:
    """Raise CannotRun without a reason, and wherever CI is set: a person approves a baseline."""
    if not reason or not reason.strip():
        raise CannotRun("a baseline is approved for a reason; say it with --reason")
    if setting("CI"):
        raise CannotRun(
            "CI is set, and a machine approves no baseline; accept on your own machine "
            "and commit the file"
        )


def approve(
    document: Json,
    folder: Path,
    *,
    approved: Json,
    models: Collection[str] | None = None,
    layer: str | None = None,
    accept_worse: bool = False,
) -> list[Json]:
    """The new baselines of a document, nothing written yet.

    approved: {at, by, reason}; models: names, None for all of the document; layer: the one layer
    whose entry is to change. Raises CannotRun for a model or layer that is not there, and for all
    that would loosen a baseline unless accept_worse.
    """
    if not layer:
        baseline.check_whole(document)
    records = {record["name"]: record for record in document["models"]}
    unknown = [name for name in models or () if name not in records]
    if unknown or not records:
        raise CannotRun(
            f"the run has no model {unknown[0] if unknown else 'at all'}; run it first, "
            "or choose another --model"
        )
    return [
        _approved(records[name], folder, approved, layer, accept_worse)
        for name in models or records
    ]


def _approved(
    record: Json, folder: Path, approved: Json, layer: str | None, accept_worse: bool
) -> Json:
    name, old = record["name"], _old(folder, record, accept_worse)
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
    _refuse(record, old if not accept_worse else None, known, layer)
    fresh = baseline.make(record, approved, known)
    if old and not accept_worse:
        fresh = _tightest(fresh, old)
    return baseline.seal(_only(fresh, old, layer) if layer and old else fresh)


def _old(folder: Path, record: Json, accept_worse: bool) -> Json | None:
    """The baseline that is there, or None; one that cannot be read is only replaced on purpose."""
    if not baseline.path_of(folder, record["data"], record["name"]).exists():
        return None
    try:
        return baseline.read(folder, record["data"], record["name"])
    except CannotRun as error:
        if accept_worse:
            return None
        raise CannotRun(f"{error}; or replace it as a whole with --accept-worse") from error


def _known(
    record: Json, old: Json | None, approved: Json, layer: str | None, accept_worse: bool
) -> list[Json]:
    """Known differences: those which still are, and, on purpose and for a single layer, its own."""
    still = [
        row
        for row in (old["known"] if old else [])
        if cell_of(row) in broken_cells(record, row["layer"])
    ]
    if not (layer and accept_worse):
        return still
    return [row for row in still if row["layer"] != layer] + [
        {"layer": where, "mode": mode, "verdict": word, **approved}
        for where, mode, word in broken_cells(record, layer)
    ]


def _refuse(record: Json, old: Json | None, known: list[Json], layer: str | None) -> None:
    """Raise CannotRun for the first breach of the budget, then of the `old` baseline's ratchet."""
    for where, text in budget(record, {cell_of(row) for row in known}):
        if layer in (None, where):
            raise CannotRun(
                f"{_place(record, where)} breaks the budget ({text}), which no baseline can "
                "change; mend it, or accept this one "
                f"difference as known: --model {record['name']} --layer {where or 'NAME'} "
                "--accept-worse"
            )
    for where, text in ratchet(record, old) if old else ():
        if layer in (None, where):
            raise CannotRun(
                f"{_place(record, where)} is worse than its baseline ({text}); mend it, or "
                "say --accept-worse"
            )


def _place(record: Json, layer: str) -> str:
    return f"{record['name']} / {layer}" if layer else record["name"]


def _tightest(fresh: Json, old: Json) -> Json:
    """`fresh` with the smaller of every pair of figures; layers of another shape keep their own."""
    was = {layer["name"]: layer for layer in old["layers"]}
    layers = [_smaller(layer, was.get(layer["name"])) for layer in fresh["layers"]]
    return {**fresh, "layers": layers, "final": _least(fresh["final"], old["final"], FINAL)}


def _smaller(layer: Json, was: Json | None) -> Json:
    if was is None or was["shape"] != layer["shape"]:
        return layer
    kept = {
        mode: _least(layer[mode], was[mode], keys)
        for mode, keys in MODES.items()
        if layer[mode]["verdict"] == was[mode]["verdict"]
    }
    return {**layer, **kept}


def _least(fresh: Json, old: Json, keys: Iterable[str]) -> Json:
    return {**fresh, **{key: min(fresh[key], old[key], key=number) for key in keys}}


def _only(fresh: Json, old: Json, layer: str) -> Json:
    """`old` with the entries of one layer, or the final scores, from `fresh`."""
    base = {**old, "known": fresh["known"], "approved": fresh["approved"]}
    if layer == "final":
        return {**base, "final": fresh["final"]}
    new, was = ({entry["name"]: entry for entry in side["layers"]} for side in (fresh, old))
    if layer not in {**new, **was}:
        raise CannotRun(
            f"{fresh['model']}: neither the run nor the baseline has a layer {layer}; "
            "choose another --layer"
        )
    layers = [
        new[name] if name == layer else entry
        for name, entry in was.items()
        if name != layer or layer in new
    ]
    identity = _identity_of(fresh["identity"], old["identity"], layer)
    return {**base, "layers": layers, "identity": identity}


def _identity_of(fresh: Json, old: Json, layer: str) -> Json:
    """The old identity with one layer's tensors and rows from the new one."""

    def rows(key: str) -> Any:
        if old[key] is None or fresh[key] is None:
            return old[key]
        new = {row["name"]: row for row in fresh[key]}
        return [new.get(row["name"], row) if row["name"] == layer else row for row in old[key]]

    theirs = fresh["weights"]["tensors"]
    tensors = {
        name: theirs.get(name, form) if name.split("/")[0] == layer else form
        for name, form in old["weights"]["tensors"].items()
    }
    sha256 = (fresh if tensors == theirs else old)["weights"]["sha256"]
    weights = {"tensors": tensors, "sha256": sha256}
    return {**old, "weights": weights, "original": rows("original"), "port": rows("port")}


def difference(folder: Path, bases: Iterable[Json], lines_most: int = 200) -> str:
    """The unified diff that writing `bases` would make; long ones are cut and say so."""
    found: list[str] = []
    for base in bases:
        path = baseline.path_of(folder, base["data"], base["model"])
        old = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        new, name = baseline.text(base).splitlines(), str(path)
        found += difflib.unified_diff(old.splitlines(), new, name, name, n=0, lineterm="")
    more = len(found) - lines_most
    cut = [f"... and {more} more lines"] if more > 0 else []
    return "\n".join(found[:lines_most] + cut) or "nothing changes"


def received(document: Json) -> Json:
    """What the run would be as a baseline: the failing gate leaves it beside its report."""
    nobody = {"at": document["created"], "by": None, "reason": None}
    records = [record for record in document["models"] if record.get("identity")]
    return {
        "format": baseline.FORMAT,
        "received": [baseline.make(record, nobody) for record in records],
    }

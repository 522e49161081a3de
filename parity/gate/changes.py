"""The third limit: nothing that makes this network this network has changed.

Every function yields (layer, what changed) pairs.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from parity.gate.outcome import WHOLE, Json, Pairs

STACK_NAMES = {"original": "the original's", "harness": "the port's"}


Rows = list[Json] | None


def changes(fresh: Json, base: Json) -> list[tuple[str, str]]:
    """What differs between a fresh identity (see parity.identity) and the one in a baseline.

    What `fresh` could not look at, the original's layers without a trace, is not compared; the
    digest of its source stands in.
    """
    found = [
        *_tensors(fresh["weights"], base["weights"]),
        *_rows("declared", _named(fresh["declared"]), _named(base["declared"])),
        *_original(fresh, base),
        *_rows("the port", fresh["port"], base["port"]),
        *_stack(fresh["stack"], base["stack"]),
        *_batch(fresh["batch"], base["batch"]),
    ]
    return list(dict.fromkeys(found))


def _named(names: Iterable[str]) -> list[Json]:
    return [{"name": name} for name in names]


def _tensors(fresh: Json, base: Json) -> Pairs:
    ours, theirs = fresh["tensors"], base["tensors"]
    for name in dict.fromkeys([*theirs, *ours]):
        layer, _, suffix = name.partition("/")
        if name not in ours or name not in theirs:
            yield layer, f"weights: tensor {suffix} is {'new' if name in ours else 'gone'}"
        elif ours[name] != theirs[name]:
            yield layer, f"weights: {suffix} {_change(ours[name], theirs[name])}"
    if ours == theirs and fresh["sha256"] != base["sha256"]:
        new, old = fresh["sha256"][:12], base["sha256"][:12]
        yield WHOLE, f"weights: another file ({new}, was {old}) with the same tensors"


def _change(ours: list[Any], theirs: list[Any]) -> str:
    for what, new, old in zip(("dtype", "shape"), ours[:2], theirs[:2], strict=True):
        if new != old:
            return f"has {what} {new}, was {old}"
    return f"has other values ({ours[2][:12]}, was {theirs[2][:12]})"


def _original(fresh: Json, base: Json) -> Pairs:
    if fresh["original"] is not None and base["original"] is not None:
        yield from _rows("the original", fresh["original"], base["original"])
    elif fresh["definition"] != base["definition"]:
        yield (
            WHOLE,
            "what Keras says of the original (its description) changed, and there is no recorded "
            "trace to say where",
        )


def _rows(whose: str, fresh: Rows, base: Rows) -> Pairs:
    """Compare two ordered lists of {name, ...}: gone, new, renamed, moved or set otherwise."""
    if fresh is None or base is None:
        if fresh is not base:
            yield WHOLE, f"{whose}: its layers are {'not known' if fresh is None else 'new'}"
        return
    if _words(base) and not _words(base) & _words(fresh):  # one line, not one for each setting
        how = "in other words than" if _words(fresh) else "not at all, unlike"
        yield (
            WHOLE,
            f"{whose} says how its layers are set {how} the approved one; another port has "
            "--baselines of its own",
        )
        fresh, base = ([{**row, "settings": None} for row in rows] for rows in (fresh, base))
    ours, theirs = ({row["name"]: row for row in rows} for rows in (fresh, base))
    renamed = _renamed(ours, theirs)
    for old, now in renamed.items():
        yield old, f"{whose}: {old} is now called {now}"
    for name in theirs:
        if name not in ours and name not in renamed:
            yield name, f"{whose}: layer {name} is gone"
    for name in ours:
        if name not in theirs and name not in renamed.values():
            yield name, f"{whose}: layer {name} is new"
    both = zip(
        [name for name in ours if name in theirs],
        [name for name in theirs if name in ours],
        strict=True,
    )
    for new, old in both:
        if new != old:
            yield old, f"{whose}: {new} comes where {old} was"
            break
    for name in theirs:
        if name in ours:
            for change in _settings(ours[name], theirs[name]):
                yield name, f"{whose}: {change}"


def _words(rows: list[Json]) -> set[str]:
    """What a port's layers say of themselves, by name."""
    return {key for row in rows for key in _flat({"settings": row.get("settings")})} - {"settings"}


def _renamed(ours: dict[str, Json], theirs: dict[str, Json]) -> dict[str, str]:
    """{old name: new name} of layers at the same place with the same settings."""
    pairs = zip(theirs.values(), ours.values(), strict=False)
    return {
        old["name"]: new["name"]
        for old, new in pairs
        if old["name"] not in ours
        and new["name"] not in theirs
        and {**old, "name": new["name"]} == new
    }


def _settings(ours: Json, theirs: Json) -> Iterator[str]:
    """One sentence per changed entry of a row; nested settings by their own names."""
    flat, was = _flat(ours), _flat(theirs)
    for key in dict.fromkeys([*was, *flat]):
        if flat.get(key) != was.get(key):
            yield f"{key} is {_shown(flat.get(key))}, was {_shown(was.get(key))}"


def _flat(row: Json) -> Json:
    """A row's entries by name; a setting inside another by both names."""
    found: Json = {}
    for key, value in row.items():
        if isinstance(value, dict):
            prefix = "" if key == "settings" else f"{key} "
            found |= {f"{prefix}{name}": held for name, held in _flat(value).items()}
        elif key != "name":
            found[key] = value
    return found


def _shown(value: object) -> str:
    text = str(value)
    return "not set" if value is None else text[:12] if len(text) == 64 else text


def _stack(fresh: Json, base: Json) -> Pairs:
    for side, name in STACK_NAMES.items():
        for key in dict.fromkeys([*base[side], *fresh[side]]):
            new, old = fresh[side].get(key), base[side].get(key)
            if new != old:
                yield WHOLE, f"stack: {name} {key} is {_shown(new)}, was {_shown(old)}"


def _batch(fresh: list[str], base: list[str]) -> Pairs:
    if len(fresh) != len(base):
        yield WHOLE, f"batch: {len(fresh)} clips, was {len(base)}"
    elif sorted(fresh) == sorted(base):
        if fresh != base:
            yield WHOLE, "batch: the same clips in another order"
    else:
        differs = [new != old for new, old in zip(fresh, base, strict=True)]
        at = differs.index(True) + 1
        yield WHOLE, f"batch: another clip at {at} of {len(base)}"

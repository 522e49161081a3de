"""The third limit: nothing that makes the network this network has changed; every change asks for
a review.
"""

from parity.gate.finding import WHOLE, Finding

STACK_NAMES = {"original": "the original's", "harness": "the port's"}


def sameness(model, fresh, base):
    """Findings: `fresh` identity (see parity.identity) of `model` against the one in its baseline.

    What `fresh` could not look at (the original's layers without a trace) is not compared, and its
    source stands in.
    """
    found = [
        *_tensors(fresh["weights"], base["weights"]),
        *_rows("declared", _named(fresh["declared"]), _named(base["declared"])),
        *_original(fresh, base),
        *_rows("the port", fresh["port"], base["port"]),
        *_stack(fresh["stack"], base["stack"]),
        *_batch(fresh["batch"], base["batch"]),
    ]
    return [Finding(model, layer, "identity", text) for layer, text in dict.fromkeys(found)]


def _named(names):
    return [{"name": name} for name in names]


def _tensors(fresh, base):
    ours, theirs = fresh["tensors"], base["tensors"]
    for name in dict.fromkeys([*theirs, *ours]):
        layer, _, suffix = name.partition("/")
        if name not in ours or name not in theirs:
            yield layer, f"weights: tensor {suffix} is {'new' if name in ours else 'gone'}"
        elif ours[name] != theirs[name]:
            yield layer, f"weights: {suffix} {_change(ours[name], theirs[name])}"
    if ours == theirs and fresh["sha256"] != base["sha256"]:
        yield (
            WHOLE,
            (
                f"weights: another file ({fresh['sha256'][:12]}, was {base['sha256'][:12]}) "
                "with the same tensors"
            ),
        )


def _change(ours, theirs):
    for what, new, old in zip(("dtype", "shape"), ours[:2], theirs[:2], strict=True):
        if new != old:
            return f"has {what} {new}, was {old}"
    return f"has other values ({ours[2][:12]}, was {theirs[2][:12]})"


def _original(fresh, base):
    if fresh["original"] is not None and base["original"] is not None:
        return _rows("the original", fresh["original"], base["original"])
    if fresh["definition"] != base["definition"]:
        return [
            (
                WHOLE,
                (
                    "the original's definition in reference/models.py changed, and there is "
                    "no recorded trace to say where"
                ),
            )
        ]
    return []


def _rows(whose, fresh, base):
    """Differences of two ordered lists of {name, ...}: what is gone, new, renamed, moved or set
    otherwise.
    """
    if fresh is None or base is None:
        if fresh is not base:
            yield WHOLE, f"{whose}: its layers are {'not known' if fresh is None else 'new'}"
        return
    ours, theirs = ({row["name"]: row for row in rows} for rows in (fresh, base))
    gone, new = (
        [name for name in theirs if name not in ours],
        [name for name in ours if name not in theirs],
    )
    renamed = _renamed(
        [theirs[name] for name in gone], [ours[name] for name in new], list(theirs), list(ours)
    )
    yield from ((old, f"{whose}: {old} is now called {now}") for old, now in renamed.items())
    yield from ((name, f"{whose}: layer {name} is gone") for name in gone if name not in renamed)
    yield from (
        (name, f"{whose}: layer {name} is new") for name in new if name not in renamed.values()
    )
    yield from _moved(
        whose, [name for name in ours if name in theirs], [name for name in theirs if name in ours]
    )
    for name in theirs:
        if name in ours:
            yield from (
                (name, f"{whose}: {change}") for change in _settings(ours[name], theirs[name])
            )


def _renamed(gone, new, old_order, new_order):
    """{old name: new name} of layers at the same place with the same settings."""
    places = {new_order.index(row["name"]): row for row in new}
    pairs = ((row["name"], places.get(old_order.index(row["name"]), {}), row) for row in gone)
    return {
        old: now["name"] for old, now, row in pairs if now and {**row, "name": now["name"]} == now
    }


def _moved(whose, ours, theirs):
    if ours != theirs:
        at = next(
            place for place, (new, old) in enumerate(zip(ours, theirs, strict=True)) if new != old
        )
        yield theirs[at], f"{whose}: {ours[at]} comes where {theirs[at]} was"


def _settings(ours, theirs):
    """One sentence per changed entry of a row; nested settings by their own names."""
    flat, was = _flat(ours), _flat(theirs)
    for key in dict.fromkeys([*was, *flat]):
        if flat.get(key) != was.get(key):
            yield f"{key} is {_shown(flat.get(key))}, was {_shown(was.get(key))}"


def _flat(row):
    """A row's entries by name; a setting inside another by both names."""
    found = {}
    for key, value in row.items():
        if isinstance(value, dict):
            inside = _flat(value)
            found |= (
                inside
                if key == "settings"
                else {f"{key} {name}": held for name, held in inside.items()}
            )
        elif key != "name":
            found[key] = value
    return found


def _shown(value):
    text = str(value)
    return "not set" if value is None else text[:12] if len(text) == 64 else text


def _stack(fresh, base):
    for side, name in STACK_NAMES.items():
        for key in dict.fromkeys([*base[side], *fresh[side]]):
            new, old = fresh[side].get(key), base[side].get(key)
            if new != old:
                yield WHOLE, f"stack: {name} {key} is {_shown(new)}, was {_shown(old)}"


def _batch(fresh, base):
    if len(fresh) != len(base):
        yield WHOLE, f"batch: {len(fresh)} clips, was {len(base)}"
    elif fresh != base:
        changed = [
            place for place, (new, old) in enumerate(zip(fresh, base, strict=True), 1) if new != old
        ]
        how = (
            "the same clips in another order"
            if sorted(fresh) == sorted(base)
            else f"another clip at {changed[0]} of {len(base)}"
        )
        yield WHOLE, f"batch: {how}"

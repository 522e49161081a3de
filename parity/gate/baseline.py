"""Baselines: what was approved, one file per data and model, sorted and short enough to be read in
a diff.

Every entry carries a seal, a digest of itself: a figure changed by hand is found and named. A seal
keeps honest people honest; whoever makes seals anew leaves the change in the diff for the
reviewer.
"""

import hashlib
import json
from pathlib import Path

from parity.errors import CannotRun
from parity.files import atomic_write
from parity.gate.figures import of_final, of_layer

FORMAT = 2  # 2: final.rounding, what rounding explains of the scores
FOLDER = Path("fixtures/baselines")
LINE = 200  # what fits in it stays on one line: one line a layer
_REMEDY = "restore it from version control, or approve anew with `parity gate accept --reason ...`"


def make(record, approved, known=()):
    """A baseline of a model's record in parity.json (with its `identity`).

    approved : {at, by, reason}. known : accepted differences, {layer, mode, verdict, reason, by,
    at} each.
    """
    return seal(
        {
            "format": FORMAT,
            "model": record["name"],
            "data": record["data"],
            "approved": approved,
            "identity": record["identity"],
            "layers": [of_layer(layer) for layer in record["layers"]],
            "final": of_final(record["final"]),
            "known": sorted(known, key=lambda row: (row["layer"], row["mode"])),
        }
    )


def seal(base):
    """`base` with every seal made anew."""
    layers = [_sealed(layer) for layer in base["layers"]]
    sealed = {**base, "layers": layers, "final": _sealed(base["final"])}
    return {**sealed, "seal": _whole_seal(sealed)}


def path_of(folder, data, model):
    """Where the baseline of a model lies."""
    return Path(folder) / data / f"{model}.json"


def names(folder, data):
    """The models which have a baseline for `data`."""
    return sorted(
        path.stem
        for path in (Path(folder) / data).glob("*.json")
        if not path.name.endswith(".golden.json")
    )


def read(folder, data, model):
    """The baseline of `model` on `data` ("real" or "seeded").

    Raises CannotRun where it is missing, cut short, of another format, model or data, or was
    edited by hand.
    """
    path = path_of(folder, data, model)
    base = _parsed(path, data, model)
    found = base.get("format") if isinstance(base, dict) else None
    if found != FORMAT:
        newer = isinstance(found, int) and found > FORMAT
        raise CannotRun(
            f"{path}: baseline format {found}, this version reads {FORMAT}; "
            f"{'update the project' if newer else _REMEDY}"
        )
    for key, expected in (("model", model), ("data", data)):
        if base.get(key) != expected:
            raise CannotRun(
                f"{path}: is the baseline of {key} {base.get(key)}, not {expected}; {_REMEDY}"
            )
    try:
        edited = _edited(base)
    except (KeyError, TypeError, AttributeError) as error:
        raise CannotRun(f"{path}: is not a whole baseline (no {error}); {_REMEDY}") from error
    if edited:
        raise CannotRun(f"{path}: {edited}; {_REMEDY}")
    return base


def _parsed(path, data, model):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CannotRun(
            f"{path}: there is no baseline of {model} on {data} data; approve one with "
            "`parity gate accept --reason ...`"
        ) from error
    except OSError as error:
        raise CannotRun(
            f"{path}: the baseline cannot be read ({error.strerror}); {_REMEDY}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CannotRun(f"{path}: the baseline is cut short or no JSON; {_REMEDY}") from error


def _edited(base):
    """Which entry is not as it was approved, or None."""
    listed = [layer["name"] for layer in base["layers"]]
    missing = [name for name in base["identity"]["declared"] if name not in listed]
    if missing:
        return f"the entry of {missing[0]} is missing"
    for name, entry in [(layer["name"], layer) for layer in base["layers"]] + [
        ("final", base["final"])
    ]:
        if _sealed(entry) != entry:
            return f"the entry of {name} was edited by hand (its seal does not fit)"
    return (
        None
        if _whole_seal(base) == base["seal"]
        else "it was edited by hand (its seal does not fit)"
    )


def _sealed(entry):
    return {**entry, "seal": _digest({key: value for key, value in entry.items() if key != "seal"})}


def _whole_seal(base):
    seals = {
        **base,
        "layers": [layer["seal"] for layer in base["layers"]],
        "final": base["final"]["seal"],
    }
    return _digest({key: value for key, value in seals.items() if key != "seal"})


def _digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def write(folder, base):
    """Write a baseline whole or not at all; returns its path."""
    path = path_of(folder, base["data"], base["model"])
    atomic_write(path, text(base))
    return path


def text(value):
    """JSON with sorted keys, in which everything that fits on a line is on one line: a change of a
    layer is a line's change.
    """
    return _laid_out(value, 0) + "\n"


def _laid_out(value, depth):
    short = json.dumps(value, sort_keys=True, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or (depth > 0 and len(short) + depth <= LINE):
        return short
    margin = " " * (depth + 1)
    if isinstance(value, dict):
        rows = [
            f"{json.dumps(key, ensure_ascii=False)}: {_laid_out(value[key], depth + 1)}"
            for key in sorted(value)
        ]
    else:
        rows = [_laid_out(item, depth + 1) for item in value]
    inside = ",\n".join(margin + row for row in rows)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{inside}\n{' ' * depth}{closing}"

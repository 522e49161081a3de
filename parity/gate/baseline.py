"""Baselines: what was approved, one file per data and model, short enough to be read in a diff.

Every entry carries a seal, a digest of itself: a figure changed by hand is found and named. A seal
keeps honest people honest; whoever makes seals anew leaves the change in the diff for the
reviewer.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from parity.errors import CannotRun
from parity.files import publish
from parity.gate.outcome import Json
from parity.identity import digest
from parity.reports import probes
from parity.untrusted import FIGURE, TEXT, Damaged, faults_of, listed, read_json, record

FORMAT = 3  # 2: final.rounding; 3: layers.probed, digests of what was read back
LINE, ENTRY = 200, 320  # what fits in it stays on one line: one line a layer's entry
DIGITS = 4  # significant; the ratchet's factor is at least 1.3
# The figures that a baseline keeps, by the names that parity.json gives them.
MODES = {"isolated": {"rho": "rho_port", "q": "q_port"}, "chained": {"rho": "rho_local"}}
FINAL = ("port_reference", "port_truth")
_KNOWN = ("layer", "mode", "verdict", "reason", "by", "at")
_ROWS = {"type": ["array", "null"], "items": record(name=TEXT)}
_SEALED = {"name": TEXT, "shape": listed({"type": "integer", "minimum": 0}), "seal": TEXT}
_PROBED = {
    **record(verdict=TEXT, form={"type": ["string", "null"]}, read={"type": "object"}),
    "type": ["object", "null"],
}
SCHEMA = record(
    model=TEXT,
    identity=record(
        weights=record(sha256=TEXT, tensors={"type": "object"}),
        declared=listed(TEXT),
        batch=listed(TEXT),
        stack=record(original={"type": "object"}, harness={"type": "object"}),
        original=_ROWS,
        port=_ROWS,
    ),
    layers=listed(
        record(
            **_SEALED,
            probed=_PROBED,
            **{
                mode: record(verdict=TEXT, **dict.fromkeys(keys, FIGURE))
                for mode, keys in MODES.items()
            },
        )
    ),
    final=record(**dict.fromkeys((*FINAL, "rounding"), FIGURE), seal=TEXT),
    known=listed(record(**dict.fromkeys(_KNOWN, TEXT))),
    seal=TEXT,
)
_REMEDY = "restore it from version control, or approve anew with `parity gate accept --reason ...`"


def number(value: Any) -> float:
    """A JSON figure, which may be "inf", "nan" or null, as float; null becomes NaN."""
    return float("nan") if value is None else float(value)


def check_whole(document: Json) -> None:
    """Raise CannotRun for a run of some layers only: it says nothing of a model."""
    if document.get("selection") is not None:
        raise CannotRun(
            f"the run compared {', '.join(document['selection'])} alone, and a model is judged as "
            "a whole; run `parity run` without --layer"
        )


def _rounded(value: Any) -> Any:
    found = number(value)
    return float(f"{found:.{DIGITS}g}") if abs(found) < float("inf") else value


def of_layer(record: Json) -> Json:
    """What a baseline keeps of a layer's record in parity.json."""
    cells = {
        mode: {
            "verdict": record[mode]["verdict"],
            **{key: _rounded(record[mode][name]) for key, name in keys.items()},
        }
        for mode, keys in MODES.items()
    }
    asked = probes.kept(record.get("probed"))
    return {"name": record["name"], "shape": record["shape"], "probed": asked, **cells}


def of_final(final: Json) -> Json:
    """What a baseline keeps of the final scores.

    `rounding` is what rounding explains of the drift; where that is not known, the scale of the
    original's own noise.
    """
    noise = [number(final[pair]) for pair in ("noise_reference", "reference_truth", "noise_truth")]
    known = final.get("allowed")
    drift = {pair: _rounded(final[pair]) for pair in FINAL}
    return {**drift, "rounding": _rounded(max(noise) if known is None else known)}


def make(record: Json, approved: Json, known: Iterable[Json] = ()) -> Json:
    """A baseline of a model's record in parity.json.

    approved: {at, by, reason}; known: accepted differences, {layer, mode, verdict, reason, by, at}
    each.
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


def cell_of(row: Json) -> tuple[str, str, str]:
    """The cell (layer, mode, verdict) of a known difference."""
    return row["layer"], row["mode"], row["verdict"]


def seal_of(entry: Json) -> str:
    """The digest of an entry without its seal."""
    sealed = {key: value for key, value in entry.items() if key != "seal"}
    return str(digest(sealed)[:16])


def seal(base: Json) -> Json:
    """`base` with every seal made anew."""
    layers = [{**layer, "seal": seal_of(layer)} for layer in base["layers"]]
    final = {**base["final"], "seal": seal_of(base["final"])}
    sealed = {**base, "layers": layers, "final": final}
    return {**sealed, "seal": _whole_seal(sealed)}


def _whole_seal(base: Json) -> str:
    layers = [layer["seal"] for layer in base["layers"]]
    return seal_of({**base, "layers": layers, "final": base["final"]["seal"]})


def path_of(folder: str | Path, data: str, model: str) -> Path:
    """Where the baseline of a model lies; CannotRun for a name that would lead elsewhere."""
    if not re.fullmatch(r"\w[\w.+-]{,63}", model, re.ASCII):
        raise CannotRun(
            f"{model[:99]!r} is no name for a model's baseline; rename it: 1 to 64 letters, digits "
            "and . + - _"
        )
    return Path(folder) / data / f"{model}.json"


def names(folder: str | Path, data: str) -> list[str]:
    """The models which have a baseline for `data`."""
    paths = (Path(folder) / data).glob("*.json")
    return sorted(path.stem for path in paths if not path.name.endswith(".golden.json"))


def read(folder: str | Path, data: str, model: str) -> Json:
    """The baseline of `model` on `data` ("real" or "seeded"); CannotRun where it is unusable."""
    path = path_of(folder, data, model)
    try:
        base: Json = read_json(path)
    except FileNotFoundError as error:
        raise CannotRun(
            f"{path}: there is no baseline of {model} on {data} data; approve one with "
            "`parity gate accept --reason ...`"
        ) from error
    except Damaged as error:
        raise CannotRun(f"{path}: the baseline {error}; {_REMEDY}") from error
    except OSError as error:
        raise CannotRun(
            f"{path}: the baseline cannot be read ({error.strerror}); {_REMEDY}"
        ) from error
    found = base.get("format") if isinstance(base, dict) else None
    if found != FORMAT:
        newer = isinstance(found, int) and found > FORMAT
        remedy = "update the project" if newer else _REMEDY
        raise CannotRun(f"{path}: baseline format {found}, this version reads {FORMAT}; {remedy}")
    for key, expected in (("model", model), ("data", data)):
        if base.get(key) != expected:
            raise CannotRun(
                f"{path}: is the baseline of {key} {base.get(key)}, not {expected}; {_REMEDY}"
            )
    from jsonschema import Draft202012Validator  # late: the command line starts without it

    validator = Draft202012Validator(SCHEMA)
    if edited := next(faults_of(base, validator), None) or _edited(base):
        raise CannotRun(f"{path}: {edited}; {_REMEDY}")
    return base


def _edited(base: Json) -> str | None:
    """Which entry is not as it was approved, or None."""
    entries = {layer["name"]: layer for layer in base["layers"]}
    missing = [name for name in base["identity"]["declared"] if name not in entries]
    if missing:
        return f"the entry of {missing[0]} is missing"
    for name, entry in [*entries.items(), ("final", base["final"])]:
        if seal_of(entry) != entry.get("seal"):
            return f"the entry of {name} was edited by hand (its seal does not fit)"
    if _whole_seal(base) != base["seal"]:
        return "it was edited by hand (its seal does not fit)"
    return None


def write(folder: str | Path, *bases: Json, force: bool = False) -> list[Path]:
    """Write baselines, all or none; returns their paths. force: replaces what is none."""
    paths = [path_of(folder, base["data"], base["model"]) for base in bases]
    publish(dict(zip(paths, map(text, bases), strict=True)), force=force)
    return paths


def text(value: Any) -> str:
    """JSON with sorted keys, one line for what fits in one: a layer's change is a line's change."""
    return _laid_out(value, 0) + "\n"


def _laid_out(value: Any, depth: int) -> str:
    short = json.dumps(value, sort_keys=True, ensure_ascii=False)
    most = ENTRY if isinstance(value, dict) and "seal" in value else LINE
    if not isinstance(value, (dict, list)) or (depth > 0 and len(short) + depth <= most):
        return short
    rows = (
        [
            f"{json.dumps(key, ensure_ascii=False)}: {_laid_out(value[key], depth + 1)}"
            for key in sorted(value)
        ]
        if isinstance(value, dict)
        else [_laid_out(item, depth + 1) for item in value]
    )
    margin = "\n" + " " * depth
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return opening + ",".join(f"{margin} {row}" for row in rows) + margin + closing

"""Compact golden traces: what is kept of a recorded original where its 170 MB recording is not.

Per layer the configuration, shape and digest, 64 values in fixed positions, the mean, and how far
the float32 originals lie from the float64 one. The port runs along its own chain: every layer is
held to the oracle on the input it really had, which needs no recording, and its values to the
original's own. With e the larger distance of the two float32 originals from the truth, the sampled
values must agree within 3e (a port within 2e of the truth does), the means within three times the
root mean square.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from parity.compare import verdict
from parity.compare.behaviour import meet
from parity.compare.measure import measure
from parity.compare.walk import CHAINED, walk
from parity.errors import CannotRun
from parity.files import publish, sha256_of
from parity.gate import baseline
from parity.gate.baseline import number, seal_of
from parity.gate.changes import changes
from parity.gate.outcome import Breach, Json, Outcome, breaches
from parity.gate.ratchet import allowed
from parity.gate.recorded import identity_of
from parity.kinds import witness
from parity.model import Case
from parity.numerics.rounding import U
from parity.port_api import HABITS, Port
from parity.ports import load
from parity.progress import Lines, Live
from parity.recording import recordings, stacks
from parity.recording.clips import read_clips
from parity.recording.trace import Layer, Trace, open_trace
from parity.results import EXACT
from parity.untrusted import NUMBER, TEXT, listed, read_json, record

FORMAT = 1
SAMPLES = 64
FARTHER = 3
SUFFIX = ".golden.json"
_ROW = record(
    name=TEXT,
    kind=TEXT,
    config={"type": "object"},
    inbound=listed(TEXT),
    shape=listed({"type": "integer", "minimum": 1}),
    sha256=TEXT,
    samples={**listed(NUMBER), "minItems": SAMPLES, "maxItems": SAMPLES},
    **{key: NUMBER for key in ("mean", "error", "error_rms")},
)
SCHEMA = record(
    format={}, model=TEXT, weights=TEXT, batch=listed(TEXT), layers=listed(_ROW), seal=TEXT
)
Found = dict[str, list[tuple[str, str]]]  # limit: (layer, text)


def positions(count: int) -> np.ndarray:
    """SAMPLES indices in range(count): multiples of the golden ratio, which leave no gap unseen."""
    steps = np.arange(1, SAMPLES + 1, dtype=np.uint64) * np.uint64(2654435769) % np.uint64(2**32)
    return (steps * np.uint64(count) // np.uint64(2**32)).astype(np.int64)


def path_of(case: Case, folder: str | Path, to: str | Path | None = None) -> Path:
    """Where a case's golden trace lies: seeded ones beside the baselines, real ones in the user's
    store.
    """
    if to is None and case.data == "real":
        from parity.fixtures import store

        to = store.cache_folder() / "golden"
    return Path(to or Path(folder) / case.data) / f"{case.model.name}{SUFFIX}"


def write(
    case: Case,
    folder: str | Path,
    to: str | Path | None = None,
    progress: Lines | Live | None = None,
) -> tuple[Path, int]:
    """Write a golden trace, recording the lanes where needed; returns (path, bytes)."""
    lanes = recordings.traces({case: read_clips(case.clips).batch}, progress=progress)[case]
    text, path = baseline.text(make(case, lanes)), path_of(case, folder, to)
    publish({path: text})
    return path, len(text.encode())


def make(case: Case, lanes: Mapping[str, Path]) -> Json:
    """The golden trace; lanes: paths of the traces `reference`, `truth` and `noise`."""
    traces = {lane: open_trace(path).grouped(case.names) for lane, path in lanes.items()}
    rows = [_row(name, traces) for name in traces["reference"].layers]
    for trace in traces.values():
        trace.close()
    found = {"format": FORMAT, "data": case.data, **_belongs_to(case), "layers": rows}
    return {**found, "seal": seal_of(found)}


def _belongs_to(case: Case) -> Json:
    return {
        "model": case.model.name,
        "weights": case.weights.sha256,
        "batch": [sha256_of(clip) for clip in case.clips],
    }


def _row(name: str, traces: Mapping[str, Trace]) -> Json:
    layer = traces["reference"].layers[name]
    reference, truth, noise = (traces[lane].read(name) for lane in ("reference", "truth", "noise"))
    errors = [np.subtract(lane, truth, dtype=np.float64) for lane in (reference, noise)]
    size = float(np.abs(truth).max())
    rms = [float(np.sqrt(np.mean(np.square(error)))) for error in errors]
    return {
        "name": name,
        "kind": layer.kind,
        "config": layer.config,
        "inbound": list(layer.inbound),
        "shape": list(layer.shape),
        "sha256": layer.sha256,
        "mean": float(reference.mean(dtype=np.float64)),
        "error": max(U * size, *(float(np.abs(error).max()) for error in errors)),
        "error_rms": max(U * size, *rms),
        "samples": [float(value) for value in reference.reshape(-1)[positions(reference.size)]],
    }


def read(path: str | Path, case: Case) -> Json:
    """The golden trace of `case`; CannotRun where it is missing, broken or of another case."""
    remedy = "write it with `parity gate golden` where the original can be run"
    try:
        found: Json = read_json(path, SCHEMA)
    except FileNotFoundError as error:
        raise CannotRun(
            f"{path}: there is no golden trace of {case.model.name} on {case.data} data; {remedy}"
        ) from error
    except OSError as error:
        raise CannotRun(f"{path}: the golden trace {error.strerror}; {remedy}") from error
    if (found["format"], found["seal"]) != (FORMAT, seal_of(found)):
        raise CannotRun(f"{path}: the golden trace is of another format or was edited; {remedy}")
    for key, expected in _belongs_to(case).items():
        if found[key] != expected:
            other = "clips" if key == "batch" else key
            raise CannotRun(f"{path}: the golden trace is of other {other}; {remedy}")
    return found


def judge_golden(cases: Collection[Case], folder: Path, port: str, why: str) -> Outcome:
    """Hold the port to golden traces and baselines; `why` goes into a note."""
    findings: list[Breach] = []
    known: list[Json] = []
    cells = 0
    for case in cases:
        base = baseline.read(folder, case.data, case.model.name)
        asked = load(port, case)
        changed = changes({**identity_of(case, asked), "original": None}, base["identity"])
        found: Found = {"identity": changed, "budget": [], "ratchet": []}
        if not any(text.startswith(("weights", "batch")) for _, text in changed):
            cells += _judge(case, read(path_of(case, folder), case), base, asked, found)
        findings += breaches(case.model.name, case.model.layers, found)
        known += [{"model": case.model.name, **row} for row in base["known"]]
    note = (
        f"compared with compact golden traces ({SAMPLES} values a layer), not with recorded "
        f"originals: {why}"
    )
    return Outcome(findings, known, [case.model.name for case in cases], cells, [note])


def _judge(case: Case, golden: Json, base: Json, port: Port, found: Found) -> int:
    """Judge a port along its own chain into `found`; returns how many layers were judged."""
    params, keras = case.params, stacks.STACKS[case.model.stack].keras
    entries = {entry["name"]: entry for entry in base["layers"]}
    known = {(row["layer"], row["verdict"]) for row in base["known"]}
    rows = {row["name"]: row for row in golden["layers"]}
    cells, excused = 0, False
    recorded = _GoldenTrace(case, rows)
    for name, habits in meet(port, recorded.layers).items():
        faults = (HABITS[habit].text for habit in sorted(habits) if HABITS[habit].fault)
        found["budget"] += [(name, f"{verdict.MISBEHAVES}: it {text}") for text in faults]
    for step in walk(recorded, port, (CHAINED,)):
        layer, chained = step.layer, step.chained
        assert chained is not None
        actual = chained.actual
        if actual is None:
            found["budget"].append((layer.name, str(chained.fault)))
            break  # the chain is broken here
        if fault := _unusable(layer, actual):
            found["budget"].append((layer.name, fault))
            if (actual.shape, actual.dtype) != (layer.shape, layer.dtype):
                break
            continue
        cells += 1
        assert chained.x is not None
        judge = witness(layer, params.get(layer.name, {}), chained.x, keras)
        word, broken = _against_oracle(judge, actual, entries.get(layer.name))
        if (layer.name, word) in known:
            excused = True  # from here on the values are another network's, knowingly
        else:
            for limit, text in broken:
                found[limit].append((layer.name, text))
        if not excused and (why := _against_original(actual, rows[layer.name])):
            found["budget"].append((layer.name, why))
    return cells


class _GoldenTrace:
    """A golden trace as `walk` reads it: the layers, and the clips as the network's input."""

    def __init__(self, case: Case, rows: Mapping[str, Json]):
        self.layers = {name: _layer(row) for name, row in rows.items()}
        self.batch = read_clips(case.clips).batch

    def read(self, name: str) -> Any:
        return self.batch


def _layer(row: Json) -> Layer:
    shape, inbound = tuple(row["shape"]), tuple(row["inbound"])
    dtype = np.dtype(np.float32)
    return Layer(row["name"], row["kind"], row["config"], inbound, shape, dtype, row["sha256"])


def _unusable(layer: Layer, actual: np.ndarray) -> str | None:
    """Why an output cannot be judged, or None."""
    if actual.shape == layer.shape and actual.dtype == np.float32 and np.isfinite(actual).all():
        return None
    return f"the port gives {actual.dtype} {actual.shape}, expected finite float32 {layer.shape}"


def _against_original(actual: np.ndarray, row: Json) -> str | None:
    """Why the values are not the original's, or None."""
    sampled = actual.reshape(-1)[positions(actual.size)].astype(np.float64)
    gaps, most = np.abs(sampled - np.array(row["samples"])), FARTHER * row["error"]
    if beyond := int(np.count_nonzero(~(gaps <= most))):
        return (
            f"golden: {beyond} of {SAMPLES} sampled values differ, by {gaps.max():.3g} at "
            f"most (allowed {most:.3g})"
        )
    gap, most = abs(float(actual.mean(dtype=np.float64)) - row["mean"]), FARTHER * row["error_rms"]
    if not gap <= most:
        return f"golden: the mean differs by {gap:.3g} (allowed {most:.3g})"
    return None


def _against_oracle(
    judge: Any, actual: np.ndarray, entry: Json | None
) -> tuple[str, list[tuple[str, str]]]:
    """(verdict, [(limit, text)]) of a layer on its own input: verdict rules and ratchet."""
    measures = measure(actual, actual, judge)
    rho, q, measures.rho_reference = measures.rho_port, measures.q_port, 0.0
    measures.exact = judge.moves and rho == 0
    word = verdict.judge(measures)
    if not verdict.holds(word):
        text = (
            f"chained: {word}; rho {rho:.3g} of {verdict.RHO_MOST:g}, q {q:.3g} of "
            f"{verdict.Q_MOST:g}"
        )
        return word, [("budget", text)]
    if word == EXACT or entry is None:
        return word, []
    broken = []
    for mode, key, value in (("chained", "rho", rho), ("isolated", "q", q)):
        was, most = number(entry[mode][key]), allowed(entry, mode, key)
        if not number(value) <= most:
            text = f"chained: {key} {value:.3g}, was {was:.3g} (at most {most:.3g})"
            broken.append(("ratchet", text))
    return word, broken

"""Compact golden traces: what is kept of a recorded original where the recording itself, 170 MB a
model, cannot be.

Per layer the configuration, shape and digest, 64 values in fixed positions, the mean, and how far
the float32 originals lie from the float64 one. The port is run along its own chain: every layer is
held to the oracle on the input it really had, which needs no recording, and its values to the
original's own: with e the farther of both float32 originals from the truth, the sampled ones
within 3e (a port within 2e of the truth is), the means within three times the root mean square.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from parity.compare import verdict
from parity.compare.measure import measure
from parity.compare.walk import CHAINED, walk
from parity.errors import CannotRun
from parity.files import atomic_write, sha256_of
from parity.gate import baseline
from parity.gate.at_hand import identity_of
from parity.gate.figures import number
from parity.gate.finding import Finding, in_network_order
from parity.gate.judgement import Outcome
from parity.gate.ratchet import allowed
from parity.gate.sameness import sameness
from parity.kinds.bounds import witness
from parity.params import read_params
from parity.ports import load
from parity.recording import stacks
from parity.recording.clips import read_clips
from parity.recording.trace import Layer, open_trace

FORMAT = 1
SAMPLES = 64
U = 2.0**-24
FARTHER = 3
SUFFIX = ".golden.json"


def positions(count):
    """SAMPLES indices in range(count), the same everywhere: multiples of the golden ratio, which
    leave no part unseen.
    """
    steps = np.arange(1, SAMPLES + 1, dtype=np.uint64) * np.uint64(2654435769) % np.uint64(2**32)
    return (steps * np.uint64(count) // np.uint64(2**32)).astype(np.int64)


def path_of(case, folder, to=None):
    """Where a case's golden trace lies: seeded ones are committed with the baselines, real ones
    stay in the user's store.
    """
    if to is None and case.data == "real":
        from parity.fixtures import store

        to = store.cache_folder() / "golden"
    return Path(to or Path(folder) / case.data) / f"{case.model.name}{SUFFIX}"


def write(case, folder, to=None, progress=None):
    """Write the golden trace of `case` from its recorded lanes, recording them where needed;
    returns (path, bytes).
    """
    lanes = stacks.traces({case: read_clips(case.clips).batch}, progress=progress)[case]
    text = baseline.text(make(case, lanes))
    path = path_of(case, folder, to)
    atomic_write(path, text)
    return path, len(text.encode())


def make(case, lanes):
    """The golden trace as a dict. lanes : paths of the traces `reference`, `truth` and `noise`."""
    traces = {lane: open_trace(path) for lane, path in lanes.items()}
    rows = [_row(name, traces) for name in traces["reference"].layers]
    for trace in traces.values():
        trace.close()
    found = {
        "format": FORMAT,
        "model": case.model.name,
        "data": case.data,
        "weights": sha256_of(case.weights),
        "batch": [sha256_of(clip) for clip in case.clips],
        "layers": rows,
    }
    return {**found, "seal": _seal(found)}


def _row(name, traces):
    layer, (reference, truth, noise) = (
        traces["reference"].layers[name],
        (traces[lane].read(name) for lane in ("reference", "truth", "noise")),
    )
    errors = [np.subtract(lane, truth, dtype=np.float64) for lane in (reference, noise)]
    size = float(np.abs(truth).max())
    return {
        "name": name,
        "kind": layer.kind,
        "config": layer.config,
        "inbound": list(layer.inbound),
        "shape": list(layer.shape),
        "sha256": layer.sha256,
        "mean": float(reference.mean(dtype=np.float64)),
        "error": max(U * size, *(float(np.abs(error).max()) for error in errors)),
        "error_rms": max(
            U * size, *(float(np.sqrt(np.mean(np.square(error)))) for error in errors)
        ),
        "samples": [float(value) for value in reference.reshape(-1)[positions(reference.size)]],
    }


def read(path, case):
    """The golden trace of `case`. Raises CannotRun where it is missing, broken, or of other
    weights or clips.
    """
    remedy = "write it with `parity gate golden` where the original can be run"
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        whole = (
            isinstance(found, dict) and found["format"] == FORMAT and found["seal"] == _seal(found)
        )
    except FileNotFoundError as error:
        raise CannotRun(
            f"{path}: there is no golden trace of {case.model.name} on {case.data} data; {remedy}"
        ) from error
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise CannotRun(f"{path}: the golden trace is cut short or damaged; {remedy}") from error
    if not whole:
        raise CannotRun(f"{path}: the golden trace is of another format or was edited; {remedy}")
    for key, expected in (
        ("model", case.model.name),
        ("weights", sha256_of(case.weights)),
        ("batch", [sha256_of(clip) for clip in case.clips]),
    ):
        if found[key] != expected:
            raise CannotRun(
                f"{path}: the golden trace is of other "
                f"{key if key != 'batch' else 'clips'}; {remedy}"
            )
    return found


def _seal(found):
    return hashlib.sha256(
        json.dumps(
            {key: value for key, value in found.items() if key != "seal"}, sort_keys=True
        ).encode()
    ).hexdigest()[:16]


def judge_golden(cases, folder, port, why):
    """The Outcome of holding the port to golden traces and baselines. why : said in a note."""
    findings, cells, known = [], 0, []
    for case in cases:
        base = baseline.read(folder, case.data, case.model.name)
        changes = sameness(
            case.model.name, {**identity_of(case, port), "original": None}, base["identity"]
        )
        if not any(found.text.startswith(("weights", "batch")) for found in changes):
            mine, judged = _figures(case, read(path_of(case, folder), case), base, port)
            changes, cells = [*changes, *mine], cells + judged
        findings += in_network_order(changes, case.model.layers)
        known += [{"model": case.model.name, **row} for row in base["known"]]
    note = (
        f"compared with compact golden traces ({SAMPLES} values a layer), not with recorded "
        f"originals: {why}"
    )
    return Outcome(findings, known, [case.model.name for case in cases], cells, [note])


def _figures(case, golden, base, port):
    """(findings, cells judged) of one port along its own chain."""
    params, keras = read_params(case.weights), stacks.STACKS[case.model.stack].keras
    entries, known = (
        {entry["name"]: entry for entry in base["layers"]},
        {(row["layer"], row["verdict"]) for row in base["known"]},
    )
    rows = {row["name"]: row for row in golden["layers"]}
    findings, cells, excused = [], 0, False
    for step in walk(_Recorded(case, rows), load(port, case), (CHAINED,)):
        layer, x, actual = step.layer, step.chained.x, step.chained.actual
        fault = step.chained.fault or _unusable(layer, actual)
        found = [("budget", fault)] if fault else []
        if not fault:
            cells += 1
            judge = witness(layer, params.get(layer.name, {}), x, keras)
            word, found = _against_oracle(judge, actual, entries.get(layer.name))
            excused = (
                excused or (layer.name, word) in known
            )  # from there on the values are another network's, knowingly
            found = [] if (layer.name, word) in known else found
            why = not excused and _against_original(actual, rows[layer.name])
            found += [("budget", why)] if why else []
        findings += [Finding(case.model.name, layer.name, limit, text) for limit, text in found]
        if actual is None or actual.shape != layer.shape or actual.dtype != layer.dtype:
            break  # the chain is broken here
    return findings, cells


class _Recorded:
    """A golden trace as `walk` wants it: the layers, and the clips as the network's input."""

    def __init__(self, case, rows):
        self.layers = {name: _layer(row) for name, row in rows.items()}
        self.batch = read_clips(case.clips).batch

    def read(self, name):
        return self.batch


def _layer(row):
    shape, inbound = tuple(row["shape"]), tuple(row["inbound"])
    return Layer(
        row["name"], row["kind"], row["config"], inbound, shape, np.dtype(np.float32), row["sha256"]
    )


def _unusable(layer, actual):
    """Why an output cannot be judged, or None."""
    if actual.shape != layer.shape or actual.dtype != np.float32 or not np.isfinite(actual).all():
        return (
            f"the port gives {actual.dtype} {actual.shape}, expected finite float32 {layer.shape}"
        )
    return None


def _against_original(actual, row):
    """Why the values are not the original's, or None."""
    gaps = np.abs(
        actual.reshape(-1)[positions(actual.size)].astype(np.float64) - np.array(row["samples"])
    )
    beyond = int(np.count_nonzero(~(gaps <= FARTHER * row["error"])))
    if beyond:
        allowance = FARTHER * row["error"]
        return (
            f"golden: {beyond} of {SAMPLES} sampled values differ, by {gaps.max():.3g} at "
            f"most (allowed {allowance:.3g})"
        )
    gap = abs(float(actual.mean(dtype=np.float64)) - row["mean"])
    if not gap <= FARTHER * row["error_rms"]:
        return f"golden: the mean differs by {gap:.3g} (allowed {FARTHER * row['error_rms']:.3g})"
    return None


def _against_oracle(judge, actual, entry):
    """(verdict, [(limit, text)]) of a layer on its own input: the verdict rules, and the ratchet
    on its rho and q.
    """
    measures = measure(actual, actual, judge)
    measures |= {"exact": judge.moves and measures["rho_port"] == 0, "rho_reference": 0.0}
    word, rho, q = verdict.judge(measures), measures["rho_port"], measures["q_port"]
    if not verdict.holds(word):
        text = (
            f"chained: {word}; rho {rho:.3g} of {verdict.RHO_MOST:g}, q {q:.3g} of "
            f"{verdict.Q_MOST:g}"
        )
        return word, [("budget", text)]
    if word == verdict.EXACT or entry is None:
        return word, []
    cells = (("chained", "rho", rho), ("isolated", "q", q))
    figures = [
        (key, value, entry[mode][key], allowed(entry, mode, key)) for mode, key, value in cells
    ]
    return word, [
        ("ratchet", f"chained: {key} {value:.3g}, was {number(was):.3g} (at most {most:.3g})")
        for key, value, was, most in figures
        if not value <= most
    ]

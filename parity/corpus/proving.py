"""Proving clips, as the engine runs it: one row for each clip and model."""

import heapq
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from parity import run as runs
from parity.compare import verdict
from parity.compare.behaviour import meet
from parity.compare.walk import network_order
from parity.compare.whole import whole_call
from parity.corpus.originals import Originals, RefusedBatch
from parity.document import document, to_json
from parity.engine.job import Row
from parity.engine.listing import BETWEEN
from parity.engine.urls import local
from parity.errors import CannotRun
from parity.files import sha256_of
from parity.identity import identity
from parity.kinds import KINDS, layer_case
from parity.model import Case
from parity.options import OUT
from parity.ports import load, of_case
from parity.probes.networks import without_clips
from parity.probes.proof import Proof, probe
from parity.provenance import environment
from parity.proving import Found, compare
from parity.recording.asking import asking
from parity.recording.clips import Clips, clips_of
from parity.recording.job import sources_sha256
from parity.recording.trace import Trace
from parity.results import Model

REPORTS = 100  # of the worst clips of a worker: their whole documents are kept
TRACES = 1  # of those: their traces are kept, too
TOP = 10  # tags
AT_AN_END = 2.0**-23  # a score nearer to 0 or 1 is at it
FAILED = "FAILED"

COLUMNS = {
    **dict.fromkeys(("clip", "model", "verdict", "error", "remarks"), "text"),
    **dict.fromkeys(("share", "drift", "noise", "port_truth", "original_truth"), "figure"),
    **dict.fromkeys(("worst_layer", "worst_mode", "worst_verdict", "worst_element"), "text"),
    **dict.fromkeys(("top", "top_port", "changes"), "text"),
    **{"changed": "count", "margin": "figure"},
    **dict.fromkeys(("silence", "saturation", "gates"), "figure"),
    **{
        "batch": "count",
        "shares": "text",
        "again": "text",
        "sha256": "text",
        "weights": "text",
        "keras": "text",
    },
}


@dataclass(frozen=True)
class Proving:
    """Proving a port of one model on files.

    batch : clips at a time. digests : of the recorder and the definition, which decide a trace.
    """

    case: Case
    port: str
    batch: int
    seed: int
    digests: tuple[str, ...]

    packages = ("numpy", "h5py", "chainer")

    @classmethod
    def of(cls, case: Case, port: str, batch: int, seed: int) -> "Proving":
        """What proves `case`, whose clips are left out."""
        definition = case.model.defined
        files = map(str, filter(None, [case.weights, definition.architecture, definition.custom]))
        sources = sources_sha256()
        weights = case.weights.__class__(case.weights.path.absolute(), case.weights.layers)
        case = case._replace(clips=(), weights=weights)
        return cls(case, of_case(port, case), batch, seed, (sources, *map(sha256_of, files)))

    @property
    def setting(self) -> dict[str, Any]:
        """What decides its rows."""
        model = self.case.model
        return {
            "model": model.name,
            "stack": model.stack,
            "port": self.port,
            "batch": self.batch,
            "recorder, weights, definition": list(self.digests),
        }

    def open(self) -> "_Open":
        """Start recorders and port. Raises CannotRun where the files are others here."""
        case = self.case
        try:
            if Proving.of(case, self.port, self.batch, self.seed).digests != self.digests:
                raise CannotRun(
                    f"{case.weights} or the recorder is another there; give every worker the same"
                )
        except OSError as error:
            raise CannotRun(
                f"{case.weights} cannot be read there ({error.strerror}); give every worker the "
                "file by that name"
            ) from error
        return _Open(self)

    def failed(self, key: str, why: str) -> list[Row]:
        """The row of a clip that could not be proved."""
        said = key.replace(BETWEEN, " + ")
        return [{"clip": said, "model": self.case.model.name, "verdict": FAILED, "error": why}]


class _Batch(NamedTuple):
    """Samples that are proved together. keys : the key of each; names : what each is called."""

    number: int
    keys: tuple[str, ...]
    names: tuple[str, ...]
    case: Case
    clips: Clips


class _Open:
    """Recorders and port of one model, open; the worst of what they have proved."""

    def __init__(self, job: Proving) -> None:
        self.job, self.number = job, 0
        self.port = load(job.port, job.case)
        self.originals = Originals(job.case)
        self.original = self.originals.leave.enter_context(asking(job.case, keeps=False))
        self.proof: Proof | None = None
        self.identity: Any = None
        self.surroundings: Any = None
        self.habits: Mapping[str, set[str]] = {}
        self.worst: list[tuple[tuple[int, float], int]] = []
        self.kept: list[tuple[tuple[int, float], int, dict[str, str]]] = []

    def close(self) -> None:
        """End them."""
        self.originals.close()

    def __call__(self, keys: Sequence[str]) -> dict[str, list[Row]]:
        rows: dict[str, list[Row]] = {key: [] for key in keys}
        before: _Batch | None = None
        for batch in self._batches(keys, rows):
            self.originals.ask(batch.number, (batch.clips.batch, *batch.clips.others))
            if before:  # the originals work on one batch while the one before is compared
                self._prove(before, rows)
            before = batch
        if before:
            self._prove(before, rows)
        return rows

    def _batches(self, keys: Sequence[str], rows: dict[str, list[Row]]) -> Iterator[_Batch]:
        """What can be read, some at a time; what cannot gets its row."""
        size = self.job.batch if self.job.case.model.of_clips else 1
        for at in range(0, len(keys), size):
            read: dict[str, tuple[Case, Clips]] = {}
            with ExitStack() as leave:
                for key in keys[at : at + size]:
                    try:
                        paths = tuple(Path(local(name, leave)) for name in key.split(BETWEEN))
                        case = self.job.case._replace(clips=paths)
                        read[key] = case, clips_of([case])[case]
                    except CannotRun as error:
                        rows[key] = self.job.failed(key, str(error))
                if read:
                    self.number += 1
                    yield _joined(self.number, read)

    def _prove(self, batch: _Batch, rows: dict[str, list[Row]]) -> None:
        try:
            with ExitStack() as leave:
                traces = self.originals.traces(batch.number, leave)
                reference = traces["reference"]
                reference.layers = self.original.answering(reference.layers)
                self._meet(batch.case, reference)
                found = self._found(batch, traces)
                paths = {lane: trace.path for lane, trace in traces.items()}
                model = runs.model_record(batch.case, batch.clips, paths, found)
                gates = saturated_gates(batch.case, reference)
                made = [
                    self._row(batch, at, model, found, traces) | {"gates": gates and gates[at]}
                    for at in range(len(batch.keys))
                ]
            place = rank(made[0])
            if self._is_among_the_worst(place, batch.number):
                made[0]["document"] = self._document(batch, model)
            self._keep(place, batch.number)
        except RefusedBatch as error:
            rows |= {key: self.job.failed(key, str(error)) for key in batch.keys}
            return
        finally:
            self.originals.drop(batch.number)
        for key, row in zip(batch.keys, made, strict=True):
            rows[key].append(row)

    def _meet(self, case: Case, reference: Trace) -> None:
        """Probe the port and its habits, once, on what the first trace says of the layers."""
        if self.proof is None:
            layers = without_clips(reference.layers)
            self.proof = probe(case, self.port, self.job.seed, layers, None, reference)
            self.habits = meet(self.port, reference.layers)
            self.identity = identity(case._replace(clips=()), reference, self.port)
            self.surroundings = environment(1, self.identity["stack"]["harness"])

    def _found(self, batch: _Batch, traces: Mapping[str, Trace]) -> Found:
        proof, reference = self.proof, traces["reference"]
        assert proof is not None
        proved, habits = proof.proved, self.habits
        found = compare(batch.case, traces, self.port, explain=False, proved=proved, habits=habits)
        for layer in found.layers:
            layer.probed = proof.layers.get(layer.name)
        return found._replace(
            whole_call=whole_call(self.port, reference, found.scores, found.final),
            identity={**self.identity, "batch": list(batch.clips.sha256)},
            probes=proof.summary(),
        )

    def _row(
        self, batch: _Batch, at: int, model: Model, found: Found, traces: dict[str, Trace]
    ) -> Row:
        reference = traces["reference"]
        name = network_order(reference)[-1]
        scores = {lane: trace.read(name)[at] for lane, trace in traces.items()}
        if (
            found.scores is not None
            and found.scores["actual"].shape == reference.layers[name].shape
        ):
            scores["port"] = found.scores["actual"][at]
        shares = shares_of(model)
        layer, mode, share, element = max(
            shares, key=lambda each: _large(each[2]), default=(None, None, None, None)
        )
        worst = model.worst
        tags = model.tags[at] if model.tags else None
        swaps = tags.swaps if tags else []
        margins = [abs(swap.margin) for swap in swaps if swap.margin is not None]
        return {
            "clip": batch.names[at],
            "model": model.name,
            "verdict": model.verdict,
            "error": None,
            "remarks": "; ".join((*model.remarks, *batch.clips.remarks[at])),
            "share": share,
            "worst_layer": worst.layer if worst and not verdict.holds(worst.verdict) else layer,
            "worst_mode": worst.mode if worst and not verdict.holds(worst.verdict) else mode,
            "worst_verdict": worst and worst.verdict,
            "worst_element": element and " ".join(map(str, element)),
            "drift": _apart(scores, "port", "reference"),
            "noise": _apart(scores, "noise", "reference"),
            "port_truth": _apart(scores, "port", "truth"),
            "original_truth": _apart(scores, "reference", "truth"),
            "top": _top(tags, "rank_expected"),
            "top_port": _top(tags, "rank_actual"),
            "changed": len(swaps),
            "changes": "; ".join(
                f"{' over '.join(each.pair)} by {each.margin:.2g}" for each in swaps
            ),
            "margin": max(margins, default=None),
            "silence": silence(batch.clips.batch[at]),
            "saturation": saturation(scores["reference"]),
            "batch": len(batch.keys),
            "shares": json.dumps(
                {name: max(_large(s) for n, _, s, _ in shares if n == name) for name, *_ in shares}
            ),
            "again": None if self.job.case.model.asked_by else self._again(batch.keys[at : at + 1]),
            "sha256": batch.clips.sha256[at],
            "weights": model.weights.file if model.data == "real" else "stand-ins",
            "keras": model.stack.keras,
        }

    def _again(self, keys: Sequence[str]) -> str:
        """The command that proves these clips alone."""
        return shlex.join(["parity", "run", "--model", self.job.case.model.name, "--clips", *keys])

    def _document(self, batch: _Batch, model: Model) -> str:
        asked_by = self.job.case.model.asked_by
        command = f"parity run {asked_by}" if asked_by else self._again(batch.keys)
        model.again = f"{command} --out {OUT / 'again'}"
        return to_json(
            document(
                [model],
                environment=self.surroundings,
                command=command,
                port=self.job.port,
                audio_read_by=batch.clips.read_by,
            ),
            indent=None,
        )

    def _keep(self, place: tuple[int, float], number: int) -> None:
        """Keep the traces of the worst clips, in the trace cache."""
        if len(self.kept) >= TRACES and place <= self.kept[0][0]:
            return
        heapq.heappush(self.kept, (place, number, self.originals.keep(number)))
        if len(self.kept) > TRACES:
            for key in heapq.heappop(self.kept)[2].values():
                self.originals.store.discard(key)

    def _is_among_the_worst(self, place: tuple[int, float], number: int) -> bool:
        """Whether a batch is among the worst so far, as one of which it counts from now on."""
        if len(self.worst) >= REPORTS and place <= self.worst[0][0]:
            return False
        heapq.heappush(self.worst, (place, number))
        if len(self.worst) > REPORTS:
            heapq.heappop(self.worst)
        return True


def _joined(number: int, read: dict[str, tuple[Case, Clips]]) -> _Batch:
    """Clips of one batch each, as one batch."""
    (case, first), *_ = read.values()
    if len(read) == 1:
        (key,) = read
        count = len(first.names)
        said = key.replace(BETWEEN, " + ")
        names = [said if count == 1 else f"{said} {name}" for name in first.names]
        return _Batch(number, (key,) * count, tuple(names), case, first)
    clips = [each for _, each in read.values()]
    joined = first._replace(
        batch=np.concatenate([each.batch for each in clips]),
        names=tuple(name for each in clips for name in each.names),
        sha256=tuple(digest for each in clips for digest in each.sha256),
        remarks=tuple(remarks for each in clips for remarks in each.remarks),
        read_by=next((each.read_by for each in clips if each.read_by), None),
    )
    paths = tuple(path for each, _ in read.values() for path in each.clips)
    return _Batch(number, tuple(read), tuple(read), case._replace(clips=paths), joined)


def rank(row: Row) -> tuple[int, float]:
    """How bad a row is: first what does not hold, then by the share of the allowance."""
    return int(row["verdict"] != "HOLDS"), _large(row.get("share"))


def shares_of(model: Model) -> list[tuple[str, str, float | None, list[int] | None]]:
    """(layer, mode, share of rounding's allowance, where) of every cell."""
    return [
        (layer.name, mode, share, cell.worst_index)
        for layer in model.layers
        for mode, cell, share in (
            ("isolated", layer.isolated, layer.isolated.rho_port),
            ("chained", layer.chained, layer.chained.rho_local),
        )
    ]


def _large(share: Any) -> float:
    """A share to order by: NaN is the largest, none the least."""
    if share is None:
        return -1.0
    return float("inf") if np.isnan(share) else float(share)


def _apart(scores: dict[str, np.ndarray], one: str, other: str) -> float | None:
    if one not in scores:
        return None
    return float(np.abs(scores[one].astype(np.float64) - scores[other]).max())


def _top(tags: Any, by: str) -> str | None:
    if tags is None:
        return None
    ranked = sorted(tags.top, key=lambda tag: getattr(tag, by))
    return ", ".join(tag.tag for tag in ranked[:TOP])


def silence(clip: np.ndarray) -> float:
    """The share of a clip's values that are at its least: where it is silent, as far as its range
    reaches.
    """
    return float(np.mean(clip == clip.min())) if clip.dtype.kind == "f" else 0.0


def saturation(values: np.ndarray) -> float:
    """The share of scores, or gates, that are at 0 or 1, as near as float32 tells."""
    return float(np.mean((values <= AT_AN_END) | (values >= 1 - AT_AN_END)))


def saturated_gates(case: Case, reference: Trace) -> list[float] | None:
    """The share of a clip's gates that are shut or wide open, over all recurrent layers and steps;
    None for a network without.
    """
    found, params, keras = [], case.params, reference.provenance["keras"]
    for name, layer in reference.layers.items():
        kind = KINDS.get(layer.kind)
        if kind and kind.gates and kind.knows(layer):
            x, *more = map(reference.read, layer.inbound)
            gates = kind.gates(layer_case(layer, params.get(name, {}), x, keras, more))
            found.append(gates.reshape(len(x), -1))
    return [*map(saturation, np.concatenate(found, axis=1))] if found else None

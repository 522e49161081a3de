"""What clips show of an original alone, whatever the port.

It is kept once all layers were looked at. From then on a run reads the original's first trace only,
and the other two, three quarters of the bytes, are removed.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from parity.attribution.sampled import Sampled, sampled
from parity.compare import tally
from parity.errors import CannotRun
from parity.files import sha256_of
from parity.kinds import layer_case
from parity.model import Case
from parity.probes.originals import asked_store, sources
from parity.recording import recordings
from parity.recording.cache import trace_cache
from parity.recording.job import Job
from parity.recording.stacks import LANES
from parity.recording.trace import Layer, Trace
from parity.store import key_of

# of a tensor's largest magnitude: float64 against float64, so only a formula can differ more
TRUTH_AGREEMENT = 1e-12
MOST = 1 << 16  # scores that are kept of a trace; one with more of them stays
FROM: dict[str, tuple[str, ...]] = {  # what is kept, and the traces that it takes
    "agreement": ("truth",),
    "noise": ("noise",),
    "scores": ("truth", "noise"),
    "rounding": (),
}
NONE: Mapping[str, Any] = MappingProxyType({})


def traces(
    batches: Mapping[Case, Any], *, progress: Any = None, **more: Any
) -> dict[Case, dict[str, Path]]:
    """`recordings.traces`, of each case those that are needed; `compare_case` knows the rest."""
    lanes = {}
    for case, batch in batches.items():
        known = Known(case, _key(case, "reference", batch))
        lanes[case] = known.lanes
        paths = {lane: trace_cache().path(_key(case, lane, batch)) for lane in lanes[case]}
        absent = (lane for lane, path in paths.items() if not path.exists())
        if progress and known.was_whole and (gone := " and ".join(absent)):
            progress.note(
                f"{case.model.name}: its {gone} trace was removed once it was compared; it is "
                "recorded anew, since the code that compares it has changed"
            )
    return recordings.traces(batches, lanes=lanes, progress=progress, **more)


def drop(batches: Mapping[Case, Any]) -> None:
    """Remove the traces that are needed no longer, and that nobody else uses now."""
    with suppress(CannotRun):
        for case, batch in batches.items():
            for lane in {*LANES}.difference(Known(case, _key(case, "reference", batch)).lanes):
                trace_cache().discard(_key(case, lane, batch))


def _key(case: Case, lane: str, batch: Any) -> str:
    return Job.of_case(case, lane, *(batch if isinstance(batch, tuple) else (batch, ()))).key


class Known:
    """What is known of one original.

    reference : the key of its first trace, which says all that the others are made of; without it
    nothing is kept. opened : traces by lane, those of `lanes` at least.
    """

    def __init__(
        self, case: Case, reference: str | None, opened: Mapping[str, Trace] = NONE
    ) -> None:
        self.case, self.traces = case, opened
        self._truth: dict[str, np.ndarray] = {}  # the output read last: the next layer's input
        self._keys: dict[str, str] = {}
        if reference:
            own = [np.__version__, sha256_of(Path(__file__))]
            by = {
                "agreement": [*own, *sources("kinds", "numerics")],
                "noise": [*own, sha256_of(Path(tally.__file__))],
                "scores": [],
                "rounding": [*own, *sources("kinds", "numerics", "attribution", "compare")],
            }
            of = [reference, LANES, case.names.groups]
            self._keys = {what: key_of(what, *of, by[what]) for what in FROM}
        self._found = {what: asked_store().load(key) or {} for what, key in self._keys.items()}
        self._lacking = [what for what in FROM if not self._found.setdefault(what, {})]
        self.keeps, self.was_whole = bool(reference), "scores" not in self._lacking

    @property
    def lanes(self) -> list[str]:
        """The traces that are needed."""
        needed = {"reference", *(lane for what in self._lacking for lane in FROM[what])}
        return [lane for lane in LANES if lane in needed]

    def keep(self) -> None:
        """Keep what was found of all layers."""
        with suppress(CannotRun):  # a cache that cannot be written only costs time
            for what in self._lacking if self.keeps else ():
                if 0 < sum(map(np.size, self._found[what].values())) <= MOST:
                    asked_store().keep(self._keys[what], self._found[what])

    def agreement(self, layer: Layer) -> float:
        """Oracle against the original in float64, on the original's own float64 input, as a share
        of the agreement asked for.
        """
        if layer.name not in self._found["agreement"]:
            self._found["agreement"][layer.name] = self._agreement(layer)
        return float(self._found["agreement"][layer.name])

    def noise(self, name: str, expected: np.ndarray) -> list[float]:
        """How far two float32 lanes of the original are apart: the largest difference, the rms."""
        if name not in self._found["noise"]:
            pair = tally.pair_of(self.traces["noise"].read(name), expected)
            self._found["noise"][name] = [float(pair.largest), float(pair.rms)]
        found: list[float] = self._found["noise"][name]
        return found

    def scores(self, lane: str, last: str) -> np.ndarray:
        """What a lane gives in the end, float64; last : its last layer."""
        if lane not in self._found["scores"]:
            self._found["scores"][lane] = self.traces[lane].read(last).tolist()
        return np.array(self._found["scores"][lane], np.float64)

    def rounding(self, scales: Mapping[str, float]) -> Sampled:
        """What rounding in all layers may do; scales : of the layers of a port that rounds more."""
        found, params = self._found["rounding"], self.case.params
        reference = self.traces["reference"]
        if scales or not found:
            new = sampled(reference, params, reference.provenance["keras"], scales)
            if scales:
                return new
            found |= {"rms": new.rms, "sd": new.sd.tolist(), "sd_error": new.sd_error.tolist()}
        return Sampled(found["rms"], *(np.array(found[key]) for key in ("sd", "sd_error")))

    def _agreement(self, layer: Layer) -> float:
        x, *more = (self._recall(name) for name in layer.inbound)
        expected, params = self._recall(layer.name, *layer.inbound), self.case.params
        keras = self.traces["truth"].provenance["keras"]
        judge = layer_case(layer, params.get(layer.name, {}), x, keras, more).witness
        flat = expected.reshape(judge.view)
        gaps = [np.abs(judge.value(where) - flat[where]).max() for where in judge.blocks()]
        sizes = [flat.max(), -flat.min()]
        gap, allowed = float(np.max(gaps)), TRUTH_AGREEMENT * float(np.max(sizes))  # NaN stays NaN
        return gap / allowed if allowed else (0.0 if gap == 0 else float("inf"))

    def _recall(self, name: str, *kept: str) -> np.ndarray:
        """A layer's float64 output; only what was read last and its inputs stay in memory."""
        if name not in self._truth:
            self._truth[name] = self.traces["truth"].read(name)
        if kept:
            self._truth = {name: self._truth[name]}
        return self._truth[name]

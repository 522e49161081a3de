"""corpus.json: what a whole collection shows, as types and from rows."""

import heapq
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np

from parity.corpus.proving import FAILED, rank
from parity.document import worst_of
from parity.engine.job import Row
from parity.results import (
    HELD,
    INCOMPLETE,
    Data,
    Environment,
    Figure,
    Natural,
    Positive,
    RunVerdict,
    Share,
    Size,
    Text,
    Time,
)
from parity.schema import Says, typed

__all__ = ["Corpus", "Gathered", "listed"]

WORST = 100  # clips that are listed
QUANTILES = np.linspace(0, 1, 101)
SILENT = 0.5  # of a clip's values
SHARES = ("silence", "saturation", "gates")  # of a clip's values, scores and gates


@dataclass
class CorpusClip:
    """One clip of one model. share: the largest of rounding's allowance, and where; drift: of the
    port's scores from the original's; noise: the original's own; changes: tags that the port
    ranks the other way, and by how much the original had them apart; report: its page, beside
    corpus.html; again: the command that proves it alone.
    """

    clip: Text
    model: Text
    verdict: Text
    error: str | None = None
    remarks: str | None = None
    share: Size = None
    worst_layer: str | None = None
    worst_mode: str | None = None
    worst_verdict: str | None = None
    drift: Size = None
    noise: Size = None
    changed: Natural = 0
    changes: str | None = None
    margin: Size = None
    report: str | None = None
    again: str | None = None


@dataclass
class Near:
    """How near a layer came to its bound: the largest and the median share over all clips."""

    layer: Text
    most: Size
    median: Size
    clip: Text


@dataclass
class CorpusModel:
    """One model over all clips. drift, noise, share: their quantiles, from 0 to 100 %; nearer:
    clips whose drift is at most the original's own noise; silent: clips half of which is silence;
    saturated: clips with a score at 0 or 1; silence, saturation, gates: shares of all the clips'
    values that are silence, of their scores and of their gates that are at 0 or 1.
    """

    name: Text
    verdict: RunVerdict
    clips: Natural
    held: Natural
    failed: Natural
    batch: Positive
    keras: Text
    weights: Text
    drift: list[Figure]
    noise: list[Figure]
    share: list[Figure]
    nearer: Natural
    changed: Natural
    first_changed: Natural
    silent: Natural
    saturated: Natural
    silence: Share
    saturation: Share
    gates: Share
    near: list[Near]


@dataclass
class Corpus:
    """What a collection shows. worst: the worst clips of all models; seconds: of this run."""

    format: Annotated[int, Says(const=1)]
    verdict: RunVerdict
    data: Data
    created: Time
    command: Text
    environment: Environment
    port: Text
    rows: Text
    models: list[CorpusModel]
    worst: list[CorpusClip]
    changes: list[CorpusClip]


@dataclass
class Gathered:
    """What is kept of the rows while they pass by."""

    name: str
    numbers: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    layers: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    most: dict[str, tuple[float, str]] = field(default_factory=dict)
    verdicts: list[str] = field(default_factory=list)
    worst: list[tuple[Any, int, Row]] = field(default_factory=list)
    changes: list[tuple[Any, int, Row]] = field(default_factory=list)
    told: Row = field(default_factory=dict)
    first: int = 0

    def take(self, row: Row) -> None:
        """Take in a row."""
        count = len(self.verdicts)
        self.verdicts.append(row["verdict"])
        if row["verdict"] == FAILED:
            return
        self.told = self.told or row
        for name in ("drift", "noise", "share", *SHARES):
            value = row.get(name)
            self.numbers[name].append(float("nan") if value is None else value)
        for layer, share in json.loads(row["shares"]).items():
            self.layers[layer].append(share)
            if share >= self.most.get(layer, (-1.0, ""))[0]:
                self.most[layer] = share, row["clip"]
        self.first += (row["top"] or "").split(", ")[0] != (row["top_port"] or "").split(", ")[0]
        self._push(self.worst, (rank(row), count, row))
        if row["changed"]:
            self._push(self.changes, (row["margin"] or 0.0, count, row))
            self.numbers["changed"].append(1.0)

    @staticmethod
    def _push(heap: list[Any], entry: Any) -> None:
        heapq.heappush(heap, entry)
        if len(heap) > WORST:
            heapq.heappop(heap)

    def model(self) -> CorpusModel:
        """What they add up to."""
        numbers = {name: np.array(self.numbers[name]) for name in self.numbers}
        none, words = np.zeros(0), {*self.verdicts} - {FAILED}
        drift, noise = numbers.get("drift", none), numbers.get("noise", none)
        verdict: RunVerdict = worst_of(words) if words else INCOMPLETE  # type: ignore[arg-type]
        return CorpusModel(
            self.name,
            verdict,
            len(self.verdicts),
            self.verdicts.count(HELD),
            self.verdicts.count(FAILED),
            self.told.get("batch", 1),
            self.told.get("keras", "unknown"),
            self.told.get("weights", "unknown"),
            _quantiles(drift),
            _quantiles(noise),
            _quantiles(numbers.get("share", none)),
            int((drift <= noise).sum()),
            len(self.numbers["changed"]),
            self.first,
            int((numbers.get("silence", none) > SILENT).sum()),
            int((numbers.get("saturation", none) > 0).sum()),
            _mean(self.numbers["silence"]),
            _mean(self.numbers["saturation"]),
            _mean(self.numbers["gates"]),
            [
                Near(layer, self.most[layer][0], float(np.median(shares)), self.most[layer][1])
                for layer, shares in sorted(
                    self.layers.items(), key=lambda item: -self.most[item[0]][0]
                )
            ],
        )


def listed(
    heap: Iterable[tuple[Any, int, Row]], pages: Mapping[tuple[str, str], str]
) -> list[CorpusClip]:
    """Rows, the worst first."""
    return [
        typed(CorpusClip, {**row, "report": pages.get((row["model"], row["clip"]))})
        for _, _, row in heapq.nlargest(WORST, heap, key=lambda entry: entry[:2])
    ]


def _mean(values: list[float]) -> float | None:
    """None where no clip has a value."""
    return float(np.mean(values)) if np.isfinite(values).any() else None


def _quantiles(values: np.ndarray) -> list[float | None]:
    if not len(values):
        return []
    return [float(value) for value in np.quantile(values, QUANTILES)]

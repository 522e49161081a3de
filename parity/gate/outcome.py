"""What the gate says: every breach of a limit, and in which order they are told, causes first."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from parity.results import INHERITED

Json = dict[str, Any]  # an object of a JSON document
Pairs = Iterator[tuple[str, str]]  # (layer, what is wrong there)
LIMITS = ("budget", "identity", "baseline", "ratchet")  # what breaks one may break those after it
FINAL = "final"  # the layer of what concerns the final scores
WHOLE = ""  # the layer of what concerns a whole model


@dataclass(frozen=True)
class Breach:
    """One limit broken at one layer: its name, "final", or "" for the whole model."""

    model: str
    layer: str
    limit: str
    text: str

    @property
    def place(self) -> str:
        """`CNN0 / conv3`, or the model alone."""
        return " / ".join(part for part in (self.model, self.layer) if part)

    @property
    def is_consequence(self) -> bool:
        """Whether it says itself that its cause is an earlier layer."""
        return self.layer == FINAL or INHERITED in self.text


@dataclass(frozen=True)
class Outcome:
    """What the gate says.

    known: accepted differences, which stay listed; notes: what it could not look at.
    """

    findings: list[Breach]
    known: list[Json]
    models: list[str]
    cells: int
    notes: list[str]

    @property
    def passed(self) -> bool:
        """Whether every limit holds and something was compared at all."""
        return not self.findings and self.cells > 0


def breaches(
    model: str, order: Iterable[str], found: Mapping[str, Iterable[tuple[str, str]]]
) -> list[Breach]:
    """Breaches of one model, causes before consequences: in the order of LIMITS, and of each the
    layers that are to blame before those that inherit, in network order.

    order: layer names; what is not among them comes last, what concerns the whole model first.
    found: {limit: (layer, text) pairs}.
    """
    places = {WHOLE: -1, **{name: place for place, name in enumerate(order)}}
    every = [Breach(model, layer, limit, text) for limit in found for layer, text in found[limit]]

    def rank(found: Breach) -> tuple[int, bool, int]:
        place = places.get(found.layer, len(places))
        return LIMITS.index(found.limit), found.is_consequence, place

    return sorted(every, key=rank)

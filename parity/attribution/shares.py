"""Which layer made the drift at the end of the chain: exact, nothing linearised, and closing.

a_k, g_k: what the original and the port give after layer k, each from its own chain; O_k: the
oracle; S_k: all oracle layers after k. P_k = S_k(g_k) - S_{k-1}(g_{k-1}) is what the port's layer
k alone adds at the end, R_k the original's, and C_k = P_k - R_k add up to D, the difference at the
end. S_{k-1}(g_{k-1}) is S_k(O_k(g_{k-1})): one path per layer and side is enough, a layer that
gives what the oracle gives, bit for bit, starts none, and with the gap E_k = S_k(g_k) - S_k(a_k)
C_k is E_k - E_{k-1}: while both sides are on one path, it is exactly 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from parity.attribution.propagate import Carrier
from parity.errors import CannotRun
from parity.kinds import costs, kind_of
from parity.numerics.rounding import U
from parity.recording.trace import Layer

CLOSURE = 1e-10  # of |D|: what the parts may leave of the whole
# multiply-adds that a plain run of the oracle may take, to hold the carried deviations against
PLAIN_COST = 1e8
CARRIED = 1e-3  # of the largest deviation: a share is told to 0.1 %
PLAIN = 1e-12  # of the largest value: what float64 itself may lose on the way
OUR_FAULT = (
    "a fault of this harness, not of the port; report it, and run with --no-explain until then"
)


class Part(NamedTuple):
    """One layer's part of the drift. share: <C_k, D>/<D, D>, adds up to 1 and is negative where a
    layer cancels others, None where D is exactly 0; energy: |C_k|^2/sum |C_j|^2.
    """

    share: float | None
    energy: float


class Shares(NamedTuple):
    """How a drift divides among the layers. drift: |D|; closure: |sum C - D|/|D|, None where D is
    exactly 0.
    """

    layers: Mapping[str, Part]
    drift: float | None
    closure: float | None


NO_SHARES = Shares({}, None, None)


class Paths:
    """The oracle's continuations of both chains, all carried side by side through the layers as
    deviations (see parity.attribution.propagate).

    deviations: path -> its deviation after the current layer; "oracle" is the oracle's own chain.
    port, reference: the path on which each side's latest output continues. gaps: (layer name, the
    port's path behind it, the original's).
    """

    def __init__(self) -> None:
        self.deviations: dict[str, np.ndarray | None] = {"oracle": None}
        self.port = self.reference = "oracle"
        self.gaps: list[tuple[str, str, str]] = []

    def carry(self, carrier: Carrier) -> None:
        """Carry every path through one layer."""
        self.deviations = {
            path: carrier.carry(deviation) for path, deviation in self.deviations.items()
        }

    def join(self, carrier: Carrier, x: Any, actual: np.ndarray) -> None:
        """After `carry`: start the paths of what both sides gave; x, actual: the port's own input
        and output, float32.
        """
        name, left = carrier.layer.name, {self.port, self.reference}
        if carrier.error is not None and carrier.error.any():
            self.reference = self._start(f"reference {name}", None)
        if np.array_equal(actual, carrier.expected):
            self.port = self.reference
        elif not moved(carrier.layer, x, actual):
            self.port = self._start(f"port {name}", np.subtract(actual, carrier.expected))
        self.gaps.append((name, self.port, self.reference))
        apart = {path for _, *ends in self.gaps if ends[0] != ends[1] for path in ends}
        for path in left - {"oracle", self.port, self.reference} - apart:
            del self.deviations[path]

    def abandon(self) -> None:
        """Keep the oracle's own chain only."""
        self.deviations = {"oracle": self.deviations["oracle"]}

    def _start(self, path: str, deviation: np.ndarray | None) -> str:
        self.deviations[path] = deviation
        return path


class Plain:
    """One output of the port's chain continued by the oracle in plain float64: what was carried
    beside it has to end there too.

    The parts always add up to the whole, whatever was carried: this is what can prove them wrong.
    start: the first layer from which on a run is cheap.
    """

    def __init__(
        self, layers: Sequence[Layer], params: Mapping[str, Mapping[str, np.ndarray]]
    ) -> None:
        cost = costs(layers, params)
        ahead = sum(cost.values()) - np.cumsum(list(cost.values()))
        cheap = (name for name, left in zip(cost, ahead, strict=True) if left <= PLAIN_COST)
        self.start = next(cheap, None)
        self.values: np.ndarray | None = None
        self.path = ""
        self.lost = 0.0  # of the values, by what is carried in float32 and cancels later

    def follow(self, carrier: Carrier, actual: np.ndarray, paths: Paths) -> None:
        """Take in one layer, after `paths` did."""
        if carrier.layer.name == self.start and paths.port != paths.reference:
            self.path, self.values = paths.port, actual.astype(np.float64)
        elif self.values is not None:
            self.values = carrier.case.but(x=self.values).value()
        carried = paths.deviations.get(self.path)
        if self.values is not None and carried is not None and self.values.any():
            self.lost += U * float(np.abs(carried).max() / np.abs(self.values).max())

    def check(self, paths: Paths, expected: np.ndarray) -> None:
        """Raise CannotRun where the carried deviation does not end where the plain run does;
        expected: the original's end.
        """
        if self.values is None:
            return
        end = paths.deviations[self.path]
        carried = np.zeros(expected.shape) if end is None else end.astype(np.float64)
        gap = np.abs(expected + carried - self.values).max()
        allowed = CARRIED * np.abs(carried).max() + (PLAIN + self.lost) * np.abs(self.values).max()
        if not gap <= allowed:
            raise CannotRun(
                f"attribution: what was carried from {self.start} to the end is {gap:.2g} away "
                f"from a plain float64 run, {allowed:.2g} are allowed: {OUR_FAULT}"
            )


def moved(layer: Layer, x: Any, actual: np.ndarray) -> bool:
    """Whether the layer only moves values and `actual` is what that makes of `x`."""
    move = kind_of(layer).move
    return move is not None and np.array_equal(move(layer.config, x), actual)


def attribute(paths: Paths, actual: np.ndarray, expected: np.ndarray) -> Shares:
    """Shares of the final drift, from paths that went through every layer.

    actual, expected: (B, N) the float32 ends of the port's and the original's chain. Raises
    CannotRun where the parts do not add up.
    """
    drift = np.subtract(actual, expected, dtype=np.float64)
    zero = np.zeros(drift.shape)
    ends = {
        path: zero if end is None else end.astype(np.float64)
        for path, end in paths.deviations.items()
    }
    ends[paths.port], ends[paths.reference] = drift, zero  # in float64, both chains having ended
    gaps = {
        name: zero if port == reference else ends[port] - ends[reference]
        for name, port, reference in paths.gaps
    }
    return shares(added(gaps), drift)


def added(gaps: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """{layer: C_k} from {layer: E_k}, in network order."""
    ends = list(gaps.values())
    return dict(zip(gaps, np.diff([np.zeros(ends[0].shape), *ends], axis=0), strict=True))


def shares(parts: Mapping[str, np.ndarray], drift: np.ndarray) -> Shares:
    """The Shares of {layer: C_k} in D, each (B, N) float64."""
    whole, energy = float(np.vdot(drift, drift)), sum(float(np.vdot(c, c)) for c in parts.values())
    layers = {
        name: Part(
            float(np.vdot(c, drift)) / whole if whole else None,
            float(np.vdot(c, c)) / energy if energy else 0.0,
        )
        for name, c in parts.items()
    }
    return Shares(layers, whole**0.5, closes(parts.values(), drift))


def closes(parts: Iterable[np.ndarray], drift: np.ndarray) -> float | None:
    """|sum of parts - drift|/|drift|, None where drift is 0 and the largest part stands for it;
    CannotRun above CLOSURE.
    """
    parts = list(parts)
    size, left = np.linalg.norm(drift), np.linalg.norm(sum(parts) - drift)
    if not left <= CLOSURE * (size or max(np.linalg.norm(part) for part in parts)):
        raise CannotRun(
            f"attribution: the layers' parts leave {left:.3g} of a drift of {size:.3g}, so it is "
            f"wrong: {OUR_FAULT}"
        )
    return float(left / size) if size else None

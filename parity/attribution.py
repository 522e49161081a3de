"""Which layer made the drift at the end of the chain: exact, nothing linearised, and closing.

a_k, g_k: what the original and the port give after layer k, each from its own chain; O_k: the oracle; S_k: all oracle layers
after k. P_k = S_k(g_k) - S_{k-1}(g_{k-1}) is what the port's layer k alone adds at the end, R_k the original's, C_k = P_k - R_k,
and the C_k add up to D, the difference at the end. S_{k-1}(g_{k-1}) is S_k(O_k(g_{k-1})): one path per layer and side is
enough, and a layer that gives what the oracle gives, bit for bit, starts none and adds exactly 0.
"""

import numpy as np

from parity.oracle import MOVES

CLOSURE = 1e-10  # of |D|: what the parts may leave of the whole


class Paths:
    """The oracle's continuations of both chains, all carried side by side through the layers as deviations (see parity.carry)."""

    def __init__(self):
        self.deviations = {"oracle": None}  # path -> deviation after the current layer; "oracle" is the oracle's own chain
        self.path = {"port": "oracle", "reference": "oracle"}  # where each side's latest output continues
        self.layers = []  # (name, {side: (path before the layer, path after it)})

    def carry(self, carrier):
        """Carry every path through one layer."""
        self.deviations = {path: carrier.carry(deviation) for path, deviation in self.deviations.items()}

    def join(self, carrier, given, actual):
        """After `carry`: start the paths of what both sides gave; given, actual: the port's own input and output, float32."""
        before, name = dict(self.path), carrier.layer.name
        if carrier.error is not None and carrier.error.any():
            self._start("reference", name, None)
        if np.array_equal(actual, carrier.expected):
            self.path["port"] = self.path["reference"]
        elif not moved(carrier.layer, given, actual):
            self._start("port", name, np.subtract(actual, carrier.expected, dtype=np.float64).astype(np.float32))
        self.layers.append((name, {side: (before[side], self.path[side]) for side in before}))

    def abandon(self):
        """Keep the oracle's own chain only."""
        self.deviations = {"oracle": self.deviations["oracle"]}

    def _start(self, side, name, deviation):
        self.path[side] = f"{side} {name}"
        self.deviations[self.path[side]] = deviation


def moved(layer, given, actual):
    """Whether the layer only moves values and `actual` is what that makes of `given`."""
    return layer.kind in MOVES and np.array_equal(MOVES[layer.kind](layer.config, given), actual)


def attribute(paths, actual, expected):
    """Shares of the final drift, from paths that went through every layer.

    actual, expected: (B, N) the float32 ends of the port's and the original's chain.
    Returns {layers: {name: {share, energy, port_error, reference_error}}, drift: |D|, closure: |sum C - D|/|D|}: share_k =
    <C_k, D>/<D, D> adds up to 1 and is negative where a layer cancels others; energy_k = |C_k|^2/sum |C_j|^2; the errors are
    |P_k| and |R_k|, in the ends' units. Where D is exactly 0, share and closure are None. Raises ArithmeticError where the
    parts do not add up.
    """
    ends = {path: np.zeros(expected.shape) if end is None else end.astype(np.float64) for path, end in paths.deviations.items()}
    drift = np.subtract(actual, expected, dtype=np.float64)
    ends[paths.path["port"]] = drift
    parts = {name: {side: ends[after] - ends[before] for side, (before, after) in sides.items()} for name, sides in paths.layers}
    added = {name: part["port"] - part["reference"] for name, part in parts.items()}
    whole, energy = float(np.vdot(drift, drift)), sum(float(np.vdot(c, c)) for c in added.values())
    closure = closes(added.values(), drift)
    layers = {name: {"share": float(np.vdot(c, drift)) / whole if whole else None,
                     "energy": float(np.vdot(c, c)) / energy if energy else 0.0,
                     "port_error": float(np.linalg.norm(parts[name]["port"])),
                     "reference_error": float(np.linalg.norm(parts[name]["reference"]))} for name, c in added.items()}
    return {"layers": layers, "drift": whole**0.5, "closure": closure}


def closes(parts, drift):
    """|sum of parts - drift|/|drift|, None where drift is 0 and the largest part stands for it; ArithmeticError above CLOSURE."""
    parts = list(parts)
    size, left = np.linalg.norm(drift), np.linalg.norm(sum(parts) - drift)
    if not left <= CLOSURE * (size or max(np.linalg.norm(part) for part in parts)):
        raise ArithmeticError(f"the layers' parts leave {left:.3g} of a drift of {size:.3g}: the attribution is wrong")
    return float(left / size) if size else None

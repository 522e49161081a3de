"""GRU: Keras's formula and its bound, and those of other frameworks in every combination that a
real port may make.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from parity.kinds.activation import hard_sigmoid, sigmoid, sigmoid_forms
from parity.kinds.api import Change, LayerCase, Maker, Params, Variant
from parity.numerics.rounding import FLUSHED, Array, U, Where, tail_factor
from parity.numerics.witness import Block, Witness

PARAMETERS = ("W_z", "U_z", "b_z", "W_r", "U_r", "b_r", "W_h", "U_h", "b_h")


class Gate(NamedTuple):
    """A gate's function, its derivative at the sum, and its own rounding at y, in u."""

    value: Callable[..., Any]
    slope: Callable[..., Any]
    rounding: Callable[..., Any]


KERAS_GATE = Gate(hard_sigmoid, lambda a: 0.2 * (np.abs(a) < 2.5), lambda y: y)
GATES = {
    "": KERAS_GATE,
    # by tanh(a/2)/2 + 1/2, Chainer's, it errs by 2 u even near 0
    "true sigmoid gates": Gate(
        sigmoid, lambda a: sigmoid(a) * (1 - sigmoid(a)), lambda y: sigmoid_forms(y)
    ),
    "hard sigmoid of slope 1/6": Gate(
        lambda a: np.clip(a / 6 + 0.5, 0, 1), lambda a: (np.abs(a) < 3) / 6, lambda y: y
    ),
}


class Form(NamedTuple):
    """A GRU's formula. keeps_z: z weighs the old state, as in Keras, and not the new one.

    late_reset: r multiplies the product h U_h, and not h.
    """

    gate: Gate = KERAS_GATE
    keeps_z: bool = True
    late_reset: bool = False


KERAS = Form()


def steps(
    p: Params,
    x: Array,
    backwards: bool = False,
    start: Any = None,
    before: Any = None,
    form: Form = KERAS,
) -> Iterator[dict[str, Any]]:
    """Yield everything that each step computes, a dict of (B, units): Keras's GRU.step.

    x: (B, T, inputs); start: the first state, 0 by default; before: states (B, T, units) to start
    each step from, in the order of the steps, instead of its own.
    """
    h = np.zeros((len(x), p["U_z"].shape[0])) if start is None else start
    for at, t in enumerate(range(x.shape[1])[:: -1 if backwards else 1]):
        h = h if before is None else before[:, at].astype(np.float64)
        now = x[:, t].astype(np.float64)
        a_z, a_r = (now @ p[f"W_{g}"] + p[f"b_{g}"] + h @ p[f"U_{g}"] for g in "zr")
        z, r = form.gate.value(a_z), form.gate.value(a_r)
        inner = r * (h @ p["U_h"]) if form.late_reset else (r * h) @ p["U_h"]
        a_h = now @ p["W_h"] + p["b_h"] + inner
        c, keep = np.tanh(a_h), z if form.keeps_z else 1 - z
        after = keep * h + (1 - keep) * c
        yield {
            **{"params": p, "x": now, "h": h, "a_z": a_z, "a_r": a_r, "a_h": a_h},
            **{"z": z, "r": r, "c": c, "keep": keep, "after": after},
        }
        h = after


def steps_of(case: LayerCase, before: Any = None) -> Iterator[dict[str, Any]]:
    """The `steps` of a layer."""
    return steps(parameters(case), case.x, bool(case.config.get("go_backwards")), before=before)


def parameters(case: LayerCase) -> dict[str, Array]:
    """{suffix: float64 array}."""
    return {suffix: case.parameter(suffix) for suffix in PARAMETERS}


def step_errors(s: dict[str, Any], form: Form = KERAS) -> tuple[Array, Array]:
    """One step's Jacobian dh_t/dh_{t-1}, (B, units, units), and the variance, (B, units), of the
    errors made in it.
    """
    p, u2 = s["params"], U * U
    h, r, c, keep = s["h"], s["r"], s["c"], s["keep"]
    slope_z, slope_r = (form.gate.slope(s[f"a_{g}"]) for g in "zr")
    slope_c = 1 - c * c
    of_gate = {
        g: slope**2 * (_sum_variance(s, g, h) + u2 * np.square(1.25 * s[f"a_{g}"]))
        + u2 * (slope > 0) * np.square(form.gate.rounding(s[g]))
        for g, slope in (("z", slope_z), ("r", slope_r))
    }
    if form.late_reset:
        product = h @ p["U_h"]
        of_reset = product**2 * (of_gate["r"] + u2 * r**2)
        inner = r[:, :, None] * p["U_h"].T + (product * slope_r)[:, :, None] * p["U_r"].T
    else:
        of_reset = (h * h * of_gate["r"] + u2 * (r * h) ** 2) @ np.square(p["U_h"])
        eye = np.eye(h.shape[1])
        inner = p["U_h"].T @ (r[:, :, None] * eye + (h * slope_r)[:, :, None] * p["U_r"].T)
    state = h if form.late_reset else r * h
    of_c = slope_c**2 * (_sum_variance(s, "h", state) + of_reset) + u2 * (4 * c) ** 2
    local = (
        (h - c) ** 2 * of_gate["z"]
        + (1 - keep) ** 2 * of_c
        + u2 * ((keep * h) ** 2 + 2 * ((1 - keep) * c) ** 2 + s["after"] ** 2)
    )
    sign = 1 if form.keeps_z else -1
    jacobian = (
        keep[:, :, None] * np.eye(h.shape[1])
        + (sign * (h - c) * slope_z)[:, :, None] * p["U_z"].T
        + ((1 - keep) * slope_c)[:, :, None] * inner
    )
    return jacobian, local


def _sum_variance(s: dict[str, Any], gate: str, state: Array) -> Array:
    """u^2 V of the gate's sum x W + b + state U: the formula of a convolution's sums. Terms that
    are zero round nothing.
    """
    p = s["params"]
    weights, recurrent, bias = p[f"W_{gate}"], p[f"U_{gate}"], p[f"b_{gate}"]
    n = sum(np.count_nonzero(terms, axis=1, keepdims=True) for terms in (s["x"], state)) + 1
    terms2 = (
        np.square(s["x"]) @ np.square(weights)
        + np.square(bias)
        + np.square(state) @ np.square(recurrent)
    )
    return U * U * ((n / 3 + 1) * np.square(s[f"a_{gate}"]) + (n / 6 + 1) * terms2)


class Gru(Witness):
    """GRU: the first-order covariance of the rounding errors is carried from step to step; B = lam
    sigma.

    No certain bound is worth the name: B stands in for it ("GRU" in docs/numerics.md). The channel
    axis is time where the layer returns sequences. Errors are found when a block is asked for.

    direction: "", or one of DIRECTIONS.
    """

    certain_share = None

    def __init__(
        self, case: LayerCase, p: Params | None = None, form: Form = KERAS, direction: str = ""
    ) -> None:
        self.p, self.x, self.form = p or parameters(case), case.x, form
        self.direction, self.sequences = direction, bool(case.config.get("return_sequences"))
        self.backwards = bool(case.config.get("go_backwards")) != (direction == BACKWARDS)
        self.axis_name = "time step" if self.sequences else "unit"
        self.bound2: Any = None  # until the first block is asked for
        out = self._shaped(self._pass(errors=False)[0])
        super().__init__(out.shape, 1)
        self.out = out.reshape(self.view)

    def value(self, where: Where) -> Array:
        return self.out[where]

    def block(self, where: Where) -> Block:
        if self.bound2 is None:
            sigma2 = self._shaped(self._pass(errors=True)[1]).reshape(self.view)
            self.sigma2 = sigma2 + FLUSHED**2
            self.bound2 = tail_factor(sigma2.size) ** 2 * sigma2 + FLUSHED**2
        return Block(where, self.out[where], self.bound2[where], self.sigma2[where])

    def _pass(self, errors: bool) -> list[Array]:
        """(states, their variances), (B, T, units) each; the latter are empty without `errors`."""
        carried = self.direction == CARRIED
        batches = [clip[None] for clip in self.x] if carried else [self.x]
        units = len(self.p["U_z"])
        state = np.zeros((len(batches[0]), units))
        covariance, found = np.zeros((*state.shape, units)), []
        for x in batches:
            outs, variances = [], []
            for s in steps(self.p, x, self.backwards, state, form=self.form):
                outs.append(s["after"])
                if errors:
                    jacobian, local = step_errors(s, self.form)
                    covariance = jacobian @ covariance @ jacobian.transpose(0, 2, 1)
                    diagonal = np.einsum("bii->bi", covariance)  # a view
                    diagonal += local
                    variances.append(diagonal.copy())
            state = outs[-1]
            found.append([np.stack(many, axis=1) for many in (outs, variances) if many])
        return [np.concatenate(many) for many in zip(*found, strict=True)]

    def _shaped(self, states: Array) -> Array:
        if self.direction == LAST:
            return np.repeat(states[:, -1:], states.shape[1], axis=1)
        return states if self.sequences else states[:, -1]


def _each(suffix: str, change: Change) -> Callable[[Params], dict[str, Array]]:
    """Parameters with those of one sort (W, U, b) changed."""
    return lambda p: {key: change(a) if key[0] == suffix else a for key, a in p.items()}


def _z_and_r_swapped(p: Params) -> dict[str, Array]:
    swap = {"z": "r", "r": "z", "h": "h"}
    return {key: p[key[:2] + swap[key[2]]] for key in p}


SWAPPED = {"": True, "z and 1 - z swapped": False}
RESET = {"": False, "reset after the product": True}
CHANGES = {
    "": lambda p: p,
    "z and r swapped": _z_and_r_swapped,
    "bias on both products (added twice)": _each("b", lambda a: 2 * a),
    "recurrent matrices transposed": _each("U", lambda a: a.T),
    "bias left out": _each("b", lambda a: 0 * a),
    "no recurrence": _each("U", lambda a: 0 * a),
}
BACKWARDS, CARRIED = "backwards in time", "state carried over from clip to clip"
LAST = "last state for the whole sequence"
DIRECTIONS = ("", BACKWARDS, CARRIED, LAST)
TRUE, SWAP = "true sigmoid gates", "z and 1 - z swapped"
KNOWN = {  # ports known to make several at once
    frozenset({TRUE, SWAP}): "Chainer's own GRU (true sigmoid, z and 1 - z swapped)",
    frozenset({TRUE, SWAP, "bias on both products (added twice)"}): (
        "Chainer's own GRU (true sigmoid, z and 1 - z swapped, bias on both products)"
    ),
    frozenset({TRUE, "reset after the product"}): (
        "cuDNN's GRU, PyTorch's and Keras 2's reset_after (true sigmoid, reset after the product)"
    ),
}


def _variant(form: Form, change: Callable[[Params], Params], direction: str) -> Maker:
    def make(s: LayerCase) -> Variant:
        one = not s.config.get("return_sequences")
        if (direction == LAST and one) or (direction == CARRIED and len(s.x) < 2):
            return None
        return Gru(s, change(parameters(s)), form, direction)

    return make


def _combinations(most: int) -> dict[str, Maker]:
    """{name: maker} of every combination of at most so many of the faults above."""
    made = {}
    for choice in itertools.product(GATES, SWAPPED, RESET, CHANGES, DIRECTIONS):
        parts = [part for part in choice if part]
        if 0 < len(parts) <= most:
            gate, swapped, reset, change, direction = choice
            form = Form(GATES[gate], SWAPPED[swapped], RESET[reset])
            name = KNOWN.get(frozenset(parts), " and ".join(parts))
            made[name] = _variant(form, CHANGES[change], direction)
    return made


def _returns(sequences: bool) -> Maker:
    """The other setting of return_sequences: another shape."""
    return lambda s: (
        None
        if bool(s.config.get("return_sequences")) == sequences
        else s.but(config={"return_sequences": sequences})
    )


VARIANTS = {
    **_combinations(1),
    "the last state only, without the sequence": _returns(False),
    "the whole sequence instead of its last state": _returns(True),
}
COMBINED = {name: make for name, make in _combinations(3).items() if name not in VARIANTS}

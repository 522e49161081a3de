"""Recurrent layers: what each cell computes in a step, what rounding does there, and the witness
that follows both from step to step.

A cell's states are one array (B, S): the output first, and behind it what else is handed on.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from parity.kinds.activation import POINTWISE
from parity.kinds.api import LayerCase, Params
from parity.numerics.rounding import FLUSHED, Array, U, Where, tail_factor
from parity.numerics.witness import Block, Witness

Step = dict[str, Any]
BACKWARDS, CARRIED = "backwards in time", "state carried over from clip to clip"
LAST = "last state for the whole sequence"
UNMASKED, ZEROED = "mask ignored", "zeros as the output of masked steps"
ACTIVATIONS = tuple(name for name, each in POINTWISE.items() if not each.along_last)


class Gate(NamedTuple):
    """A gate's function, its derivative at a sum known within d, and the variance of its own
    rounding.
    """

    value: Callable[[Array], Array]
    slope: Callable[[Array, Array], Array]
    rounding2: Callable[[Array, Array], Array]


def _hard(slope: float, edge: float) -> Gate:
    """clip(slope a + 0.5, 0, 1): the product errs by 1.25 u of itself, the sum by u."""

    def rounding2(a: Array, y: Array) -> Array:
        inside = np.abs(a) < edge
        return U * U * inside * (np.square(1.25 * slope * a) + np.square(y))

    return Gate(
        lambda a: np.minimum(np.maximum(slope * a + 0.5, 0), 1),  # faster than np.clip
        lambda a, d: slope * (np.abs(a) < edge + d),
        rounding2,
    )


def _gate(name: str) -> Gate:
    each = POINTWISE[name]
    bent = name == "relu"
    return Gate(
        each.value,
        lambda a, d: 1.0 * (a > -d) if bent else each.slope(a, each.value(a)),
        lambda a, y: np.square(each.own(a, y)),
    )


GATES = {name: _gate(name) for name in ACTIVATIONS} | {
    "hard_sigmoid": _hard(0.2, 2.5),
    "hard sigmoid of slope 1/6": _hard(1 / 6, 3),
}


class Form(NamedTuple):
    """What a cell's formula is made of.

    keeps_z: z weighs the old state, as in Keras, and not the new one. late_reset: r multiplies the
    product h U_h, and not h. coupled: the forget gate is 1 - i. bare: the output is o c, without
    the activation of c.
    """

    inner: Gate = GATES["hard_sigmoid"]
    outer: Gate = GATES["tanh"]
    keeps_z: bool = True
    late_reset: bool = False
    coupled: bool = False
    bare: bool = False


KERAS = Form()


def form_of(case: LayerCase) -> Form:
    """As Keras's settings say."""
    return Form(
        GATES[case.config.get("inner_activation", "hard_sigmoid")],
        GATES[case.config.get("activation", "tanh")],
    )


def _sum(p: Params, gate: str, x: Array, state: Array) -> Array:
    total: Array = x @ p[f"W_{gate}"] + p[f"b_{gate}"] + state @ p[f"U_{gate}"]
    return total


def _sum_variance(s: Step, gate: str, state: Array) -> Array:
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


def _gated(
    s: Step, name: str, gate: Gate, y: Array, state: Array, before2: Array, more: Any = 0.0
) -> tuple[Array, Array]:
    """(slope, variance of what the step itself rounds) of a gate y. before2: variance of the state;
    more: of the sum, beside its own rounding.
    """
    sums, p = s[f"a_{name}"], s["params"]
    variance = _sum_variance(s, name, state) + more
    d = tail_factor(sums.size) * np.sqrt(variance + before2 @ np.square(p[f"U_{name}"]))
    slope = gate.slope(sums, d)
    return slope, slope**2 * variance + gate.rounding2(sums, y)


def _times(rows: Array, matrix: Array) -> Array:
    """diag(rows) matrix.T, (B, units, units)."""
    return rows[:, :, None] * matrix.T


def _simple_step(p: Params, x: Array, state: Array, form: Form) -> Step:
    a = _sum(p, "h", x, state)
    return {"h": state, "a_h": a, "after": form.outer.value(a)}


def _simple_errors(s: Step, form: Form, before2: Array) -> tuple[Array, Array]:
    slope, local = _gated(s, "h", form.outer, s["after"], s["h"], before2)
    return _times(slope, s["params"]["U_h"]), local


def _gru_step(p: Params, x: Array, h: Array, form: Form) -> Step:
    a_z, a_r = (_sum(p, gate, x, h) for gate in "zr")
    z, r = form.inner.value(a_z), form.inner.value(a_r)
    inner = r * (h @ p["U_h"]) if form.late_reset else (r * h) @ p["U_h"]
    a_h = x @ p["W_h"] + p["b_h"] + inner
    c, keep = form.outer.value(a_h), z if form.keeps_z else 1 - z
    after = keep * h + (1 - keep) * c
    sums = {"a_z": a_z, "a_r": a_r, "a_h": a_h}
    return {**sums, "h": h, "z": z, "r": r, "c": c, "keep": keep, "after": after}


def _gru_errors(s: Step, form: Form, before2: Array) -> tuple[Array, Array]:
    p, u2 = s["params"], U * U
    h, r, c, keep = s["h"], s["r"], s["c"], s["keep"]
    slope_z, of_z = _gated(s, "z", form.inner, s["z"], h, before2)
    slope_r, of_r = _gated(s, "r", form.inner, r, h, before2)
    if form.late_reset:
        product = h @ p["U_h"]
        of_reset = product**2 * (of_r + u2 * r**2)
        inner = _times(r, p["U_h"]) + _times(product * slope_r, p["U_r"])
    else:
        of_reset = (h * h * of_r + u2 * (r * h) ** 2) @ np.square(p["U_h"])
        inner = p["U_h"].T @ (_times(r, np.eye(h.shape[1])) + _times(h * slope_r, p["U_r"]))
    state = h if form.late_reset else r * h
    slope_c, of_c = _gated(s, "h", form.outer, c, state, before2, of_reset)
    local = (
        (h - c) ** 2 * of_z
        + (1 - keep) ** 2 * of_c
        + u2 * ((keep * h) ** 2 + 2 * ((1 - keep) * c) ** 2 + s["after"] ** 2)
    )
    sign = 1 if form.keeps_z else -1
    jacobian = (
        _times(keep, np.eye(h.shape[1]))
        + _times(sign * (h - c) * slope_z, p["U_z"])
        + ((1 - keep) * slope_c)[:, :, None] * inner
    )
    return jacobian, local


def _lstm_step(p: Params, x: Array, state: Array, form: Form) -> Step:
    h, old = np.split(state, 2, axis=1)
    sums = {f"a_{gate}": _sum(p, gate, x, h) for gate in "ifco"}
    i, f, o = (form.inner.value(sums[f"a_{gate}"]) for gate in "ifo")
    f = 1 - i if form.coupled else f
    c = form.outer.value(sums["a_c"])
    new = f * old + i * c
    shown = new if form.bare else form.outer.value(new)
    after = np.concatenate([o * shown, new], axis=1)
    gates = {"i": i, "f": f, "c": c, "o": o}
    return {**sums, **gates, "h": h, "old": old, "new": new, "shown": shown, "after": after}


def _lstm_errors(s: Step, form: Form, before2: Array) -> tuple[Array, Array]:
    """The two states' errors are correlated: `local` is (B, S, S)."""
    p, u2, units = s["params"], U * U, s["h"].shape[1]
    i, f, c, o, old, new, shown = (s[name] for name in ("i", "f", "c", "o", "old", "new", "shown"))
    slopes, of = {}, {}
    for name, gate in zip("ifco", (form.inner, form.inner, form.outer, form.inner), strict=True):
        slopes[name], of[name] = _gated(s, name, gate, s[name], s["h"], before2[:, :units])
    by_i = c
    if form.coupled:
        slopes["f"], of["f"], by_i = 0 * f, u2 * f**2, c - old
    of_new = (
        np.square(by_i) * of["i"]
        + old**2 * of["f"]
        + i**2 * of["c"]
        + u2 * ((f * old) ** 2 + (i * c) ** 2 + new**2)
    )
    through = [_times(slopes[g] * by, p[f"U_{g}"]) for g, by in (("i", by_i), ("f", old), ("c", i))]
    to_new = np.concatenate([sum(through), _times(f, np.eye(units))], axis=2)
    carried = np.einsum("bij,bj->bi", np.square(to_new), before2)
    d = tail_factor(new.size) * np.sqrt(of_new + carried)
    slope, own = (1 + 0 * new, 0 * new) if form.bare else (
        form.outer.slope(new, d), form.outer.rounding2(new, shown)
    )  # fmt: skip
    to_h = (o * slope)[:, :, None] * to_new
    to_h[:, :, :units] += _times(shown * slopes["o"], p["U_o"])
    of_h = shown**2 * of["o"] + o**2 * own + u2 * (o * shown) ** 2
    local = np.zeros((len(new), 2 * units, 2 * units))
    parts = np.arange(units)
    local[:, parts, parts] = of_h + np.square(o * slope) * of_new
    local[:, parts, parts + units] = local[:, parts + units, parts] = o * slope * of_new
    local[:, parts + units, parts + units] = of_new
    return np.concatenate([to_h, to_new], axis=1), local


class Cell(NamedTuple):
    """One recurrent class: its gates as Keras stacks them for a GPU, how many states it hands on,
    a step, and that step's errors.
    """

    gates: str
    states: int
    step: Callable[[Params, Array, Array, Form], Step]
    errors: Callable[[Step, Form, Array], tuple[Array, Array]]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Suffixes, gate by gate."""
        letters = [f"_{gate}" if len(self.gates) > 1 else "" for gate in self.gates]
        return tuple(f"{name}{letter}" for letter in letters for name in "WUb")


CELLS = {
    "SimpleRNN": Cell("h", 1, _simple_step, _simple_errors),
    "GRU": Cell("zrh", 1, _gru_step, _gru_errors),
    "LSTM": Cell("ifco", 2, _lstm_step, _lstm_errors),
}


def cell_of(case: LayerCase) -> Cell:
    """The cell of a layer's class."""
    return CELLS[case.layer.kind]


def parameters(case: LayerCase) -> dict[str, Array]:
    """{matrix_gate: float64 array}, also where Keras keeps all gates in one matrix."""
    gates = cell_of(case).gates
    if len(gates) > 1 and case.config.get("consume_less") != "gpu":
        return {suffix: case.parameter(suffix) for suffix in cell_of(case).parameters}
    return {
        f"{name}_{gate}": part
        for name in "WUb"
        for gate, part in zip(
            gates, np.split(case.parameter(name), len(gates), axis=-1), strict=True
        )
    }


def mask_of(case: LayerCase) -> Array | None:
    """Which steps count, (B, T) bool; None where all do."""
    return case.more[-1].astype(bool) if case.more else None


def steps(
    cell: Cell,
    p: Params,
    x: Array,
    backwards: bool = False,
    start: Any = None,
    before: Any = None,
    form: Form = KERAS,
    mask: Array | None = None,
) -> Iterator[Step]:
    """Yield everything that each step computes, a dict of (B, units): Keras's step.

    x: (B, T, inputs); start: the first states, 0 by default; before: states to start each step
    from, (B, T, states), in the order of the steps, instead of its own; mask: (B, T), where it is
    not set the step leaves all states as they are, and its "kept" is set.
    """
    states = np.zeros((len(x), cell.states * len(p[f"U_{cell.gates[0]}"])))
    states = states if start is None else start
    for at, t in enumerate(range(x.shape[1])[:: -1 if backwards else 1]):
        states = states if before is None else before[:, at].astype(np.float64)
        now = x[:, t].astype(np.float64)
        found = {"params": p, "x": now, **cell.step(p, now, states, form)}
        if mask is not None:
            found["kept"] = ~mask[:, t, None]
            found["after"] = np.where(found["kept"], states, found["after"])
        yield found
        states = found["after"]


def steps_of(case: LayerCase, before: Any = None) -> Iterator[Step]:
    """The `steps` of a layer."""
    backwards = bool(case.config.get("go_backwards"))
    given = (cell_of(case), parameters(case), case.x)
    return steps(*given, backwards, before=before, form=form_of(case), mask=mask_of(case))


def gates(names: str, case: LayerCase) -> Array:
    """The values of a layer's gates, (B, T, gates, units)."""
    steps = [np.stack([step[name] for name in names], axis=1) for step in steps_of(case)]
    return np.stack(steps, axis=1)


def step_errors(
    cell: Cell, s: Step, form: Form = KERAS, before2: Any = None
) -> tuple[Array, Array]:
    """One step's Jacobian, (B, S, S), and the variance, (B, S), or covariance, (B, S, S), of the
    errors made in it. before2: the variance of the states before, which says how far from a bend a
    sum is safe; none by default.
    """
    size = len(s["x"]), s["after"].shape[1]
    jacobian, local = cell.errors(s, form, np.zeros(size) if before2 is None else before2)
    if "kept" in s:
        kept = s["kept"]
        local = np.where(kept if local.ndim == 2 else kept[:, :, None], 0, local)
        jacobian = np.where(kept[:, :, None], np.eye(size[1]), jacobian)
    return jacobian, local


class Followed(Witness):
    """Values whose errors are found when a block is asked for; B = lam sigma.

    No certain bound is worth the name: B stands in for it ("Recurrent layers" in docs/numerics.md).
    """

    certain_share = None

    def __init__(self, out: Array, axis_name: str) -> None:
        super().__init__(out.shape, 1)
        self.out, self.axis_name = out.reshape(self.view), axis_name

    def values(self) -> Array:
        """Of the layer's shape."""
        return self.out.reshape(self.shape)

    def variances(self) -> Array:
        """Those of float32's errors, of the layer's shape."""
        raise NotImplementedError

    @cached_property
    def sigma2(self) -> Array:
        """The variances as a block has them."""
        with np.errstate(over="ignore", invalid="ignore"):  # of states that grow without bound
            return self.variances().reshape(self.view)

    def value(self, where: Where) -> Array:
        return self.out[where]

    def block(self, where: Where) -> Block:
        sigma2, lam2 = self.sigma2[where], tail_factor(self.out.size) ** 2
        return Block(where, self.out[where], lam2 * sigma2 + FLUSHED**2, sigma2 + FLUSHED**2)


class Recurrent(Followed):
    """The first-order covariance of the rounding errors is carried from step to step.

    The channel axis is time where the layer returns sequences.

    p: other parameters than the layer's; form: another formula; fault: "", or BACKWARDS, CARRIED,
    LAST, UNMASKED or ZEROED.
    """

    def __init__(
        self, case: LayerCase, p: Params | None = None, form: Form | None = None, fault: str = ""
    ) -> None:
        self.cell, self.p, self.x = cell_of(case), p or parameters(case), case.x
        self.form, self.fault = form or form_of(case), fault
        self.mask = None if fault == UNMASKED else mask_of(case)
        self.sequences = bool(case.config.get("return_sequences"))
        self.backwards = bool(case.config.get("go_backwards")) != (fault == BACKWARDS)
        self.units = len(self.p[f"U_{self.cell.gates[0]}"])
        with np.errstate(over="ignore", invalid="ignore"):
            out = self._shaped(self._pass(errors=False)[0])
        super().__init__(out, "time step" if self.sequences else "unit")

    def variances(self) -> Array:
        """As Followed.variances."""
        return self._shaped(self._pass(errors=True)[1])

    def _pass(self, errors: bool) -> list[Array]:
        """(outputs, their variances), (B, T, units) each; the latter are empty without `errors`."""
        carried = self.fault == CARRIED
        parts = range(len(self.x)) if carried else (slice(None),)
        size = self.cell.states * self.units
        state = np.zeros((1 if carried else len(self.x), size))
        covariance, found = np.zeros((*state.shape, size)), []
        for part in parts:
            x, mask = (
                None if each is None else each[part][None] if carried else each[part]
                for each in (self.x, self.mask)
            )
            outs, variances = [], []
            given: Any = (self.cell, self.p, x, self.backwards, state, None, self.form, mask)
            for s in steps(*given):
                outs.append(s["after"][:, : self.units])
                if errors:
                    before2 = np.einsum("bii->bi", covariance).copy()
                    jacobian, local = step_errors(self.cell, s, self.form, before2)
                    covariance = jacobian @ covariance @ jacobian.transpose(0, 2, 1)
                    diagonal = np.einsum("bii->bi", covariance)  # a view
                    to = diagonal if local.ndim == 2 else covariance
                    to += local
                    variances.append(diagonal[:, : self.units].copy())
                if self.fault == ZEROED and "kept" in s:
                    outs[-1] = np.where(s["kept"], 0, outs[-1])
            state = s["after"]
            found.append([np.stack(many, axis=1) for many in (outs, variances) if many])
        return [np.concatenate(many) for many in zip(*found, strict=True)]

    def _shaped(self, states: Array) -> Array:
        if self.fault == LAST:
            return np.repeat(states[:, -1:], states.shape[1], axis=1)
        return states if self.sequences else states[:, -1]

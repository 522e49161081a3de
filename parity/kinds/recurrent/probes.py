"""What recurrent layers are asked: one input at a time in every size, random steps, long and short
sequences.

Only the last step of a sequence tells a parameter by itself, so the state before it is set by one
step of random values, and all steps before that are zero. An output y_j is then known but for the
rounding of two steps, sigma from `step_errors`. What a
parameter of a GRU is off by is fitted to y - o by
its derivative at the last step, weighted by 1/sigma^2:

    dh_j/dW_z[i,j] = (h_j - c_j) z'_j x_i      dh_j/dW_h[i,j] = (1 - z_j) c'_j x_i
    dh_j/dW_r[i,k] = (1 - z_j) c'_j h_k r'_k U_h[k,j] x_i

and the same of U with h_k (of U_h with r_k h_k) for x_i, and of b with 1.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.kinds.api import LayerCase
from parity.kinds.probing import (
    Probe,
    Reading,
    batches,
    like,
    of_witness,
    random_probe,
    right,
)
from parity.kinds.recurrent.formula import (
    Cell,
    Form,
    cell_of,
    form_of,
    mask_of,
    parameters,
    step_errors,
    steps,
)
from parity.numerics.rounding import FLUSHED, Array, tail_factor

SIZES = 2.0 ** np.arange(-2, 10)  # of an input, where 1 makes its largest product 1
RANDOM = 4096  # sequences that the recurrent matrices are fitted to
SOME = 17  # random sequences
MOST = 2e10  # multiply-adds of the bounds of one probe
LARGE = 2.0**60  # a state
AT_ONCE = 2**23  # elements of the Jacobians of one probe
STEPS = 2  # of which the errors are followed
CLOSE = 2.0**6  # u: 2^-18 of a weight
HIDDEN = "their unit's gates are shut or saturated in every sequence that has this input"


def probes(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Unit vectors, random steps, an impulse long ago, and random sequences in several batches."""
    inputs, is_gru = case.x.shape[2], case.layer.kind == "GRU"
    states = rng.standard_normal((len(SIZES) * 2 * inputs, inputs))
    states *= rng.choice([0.5, 1, 2, 4], (len(states), 1)) / np.sqrt(inputs) * 4
    units = one_at_a_time([parameters(case)[f"W_{g}"] for g in cell_of(case).gates])
    read = _read_inputs if is_gru else None
    yield from _last_steps(case, "one input at a time", states, units, read)
    before = rng.standard_normal((RANDOM, inputs)) * rng.choice([1, 2, 4], (RANDOM, 1))
    last = rng.standard_normal((RANDOM, inputs)) * rng.choice([0, 0.25, 1], (RANDOM, 1))
    read = _read_recurrent if is_gru else None
    yield from _last_steps(case, "random steps", before, last, read)
    yield from of_sequences(case, rng)


def units_of(case: LayerCase) -> int:
    """How many outputs a cell has."""
    return len(parameters(case)[f"U_{cell_of(case).gates[0]}"])


def one_at_a_time(weights: list[Array]) -> Array:
    """Every input in every size, relative to its largest weight, with both signs."""
    largest = np.max([np.abs(each).max(axis=1) for each in weights], axis=0)
    one = np.diag(1 / np.where(largest > FLUSHED, largest, 1))
    return np.concatenate([sign * size * one for size in SIZES for sign in (1, -1)])


def of_sequences(case: LayerCase, rng: np.random.Generator, size: int = 0) -> Iterator[Probe]:
    """Nothing, an impulse at the first step, and random sequences, with random masks where the
    layer reads one. size: of the states that its bound follows, by default the cell's.
    """
    clips, length, inputs = SOME, *case.x.shape[1:]
    size = size or cell_of(case).states * units_of(case)
    early = np.zeros(like(case, inputs), np.float32)
    early[np.arange(inputs), 0, np.arange(inputs)] = 4
    early = early[: max(1, int(MOST / (length * size**3)))]
    x = rng.standard_normal(like(case, clips), np.float32)
    x *= np.exp2(rng.integers(-3, 3, (clips, 1, 1))).astype(np.float32)
    masks = rng.random((clips, length)) < 0.7
    states = case.but(x=x, more=_masks(case, x, masks)).value()
    x[~(np.abs(states) < LARGE).reshape(clips, -1).all(axis=1)] = 0  # some gates have no bound
    yield asked(of_witness, case, np.zeros(like(case, 1), np.float32), "nothing")
    yield asked(of_witness, case, early, "an impulse at the first step")
    for part in batches(clips):
        yield asked(random_probe, case, x[part], "random sequences", masks[part], slices=True)


def _last_steps(
    case: LayerCase, name: str, before: Array, last: Array, read: Any
) -> Iterator[Probe]:
    """Sequences of nothing but two last steps, in parts that fit in memory unless they are read."""
    cell, p, form = cell_of(case), parameters(case), form_of(case)
    x = np.zeros(like(case, len(last)), np.float32)
    backwards = bool(case.config.get("go_backwards"))
    ends = (0, 1) if backwards else (-1, -2)
    x[:, ends[0]] = last
    if x.shape[1] > 1:
        x[:, ends[1]] = before
    length, units = x.shape[1], units_of(case)
    quiet = np.zeros((1, max(0, length - STEPS), x.shape[2]))
    state, covariance = np.zeros((2, 1, cell.states * units))
    for s in steps(cell, p, quiet, form=form):
        state, covariance, _ = _followed(cell, s, covariance, form)
    order = [ends[1] % length, ends[0] % length][-length:]
    each = len(x) if read else max(1, AT_ONCE // state.size**2)
    for part in (x[at : at + each] for at in range(0, len(x), each)):
        variance, start = covariance, np.repeat(state, len(part), axis=0)
        shared: Array = np.diag(np.sqrt(covariance[0]))  # of what all sequences start from
        for s in steps(cell, p, part[:, order], start=start, form=form):
            _, variance, jacobian = _followed(cell, s, variance, form)
            shared = jacobian @ shared if read else shared
        sigma, expected = np.sqrt(variance[:, :units]) + FLUSHED, s["after"][:, :units]
        at: Any = ...
        if case.config.get("return_sequences"):
            at = np.ix_(np.arange(len(part)), np.array([length - 1]), np.arange(units))
            expected, sigma = expected[:, None], sigma[:, None]
        low, high = right(expected, tail_factor(expected.size) * sigma)
        shown = read and partial(
            read, {**s, "slopes": _slopes(s, form)}, sigma.reshape(len(part), -1), shared, at
        )
        # no q here: all sequences start from one state, and share what it is off by
        probe = Probe(name, part, low, high, at, expected=expected, read=shown)
        yield replace(probe, more=_masks(case, part))


def _masks(case: LayerCase, x: Array, mask: Array | None = None) -> tuple[Array, ...]:
    """What the layer reads beside x: no step is masked by default."""
    if mask_of(case) is None:
        return ()
    return (np.ones(x.shape[:2], bool) if mask is None else mask,)


def asked(
    of: Any, case: LayerCase, x: Array, name: str, mask: Array | None = None, **more: Any
) -> Probe:
    """A probe `of` a witness, or of random values, with the mask that the layer reads."""
    masks = _masks(case, x, mask)
    given = (name, case.but(more=masks), x) if of is of_witness else (case.but(more=masks), x, name)
    return replace(of(*given, **more), more=masks)


def _followed(
    cell: Cell, s: dict[str, Any], covariance: Array, form: Form
) -> tuple[Array, Array, Array]:
    """The states after a step, their variance by unit, errors of units taken as independent, and
    how they go with those before.
    """
    jacobian, local = step_errors(cell, s, form)
    local = local if local.ndim == 2 else np.einsum("bii->bi", local)
    carried = np.einsum("bij,bj->bi", np.square(jacobian), np.repeat(
        covariance, len(local) // len(covariance), axis=0
    ))  # fmt: skip
    return s["after"], carried + local, jacobian


def _read_inputs(
    s: dict[str, Any], sigma: Array, shared: Array, at: Any, answer: Array
) -> Iterator[Reading]:
    """W of every gate: an input's sequences tell its own weights."""
    p, x = s["params"], s["x"]
    inputs = len(p["W_z"])
    error = (answer[at].reshape(sigma.shape) - s["after"]) / sigma
    slopes = s["slopes"]
    which = np.arange(len(x)) % inputs  # the input that is on
    size = x[np.arange(len(x)), which][:, None]
    to_c, to_z = (slopes[g] * size / sigma for g in "hz")
    normal = {}
    for name, one, other in (("zz", to_z, to_z), ("hh", to_c, to_c), ("zh", to_z, to_c)):
        normal[name] = _by_input(one * other, inputs)
    against = {g: _by_input(d * error, inputs) for g, d in (("z", to_z), ("h", to_c))}
    of_r = slopes["r"][:, :, None] * p["U_h"]  # (B, k, j): what r's sum k does to output j
    of_r *= (slopes["h"] / sigma)[:, None, :] * size[:, :, None]
    normal_r = _by_input(np.square(of_r).sum(axis=2), inputs)
    against_r = _by_input((of_r * error[:, None, :]).sum(axis=2), inputs)
    determinant = normal["zz"] * normal["hh"] - np.square(normal["zh"])
    with np.errstate(all="ignore"):
        off = {
            "W_z": (against["z"] * normal["hh"] - against["h"] * normal["zh"]) / determinant,
            "W_h": (against["h"] * normal["zz"] - against["z"] * normal["zh"]) / determinant,
            "W_r": against_r / normal_r,
        }
        error_of = {
            "W_z": np.sqrt(normal["hh"] / determinant),
            "W_h": np.sqrt(normal["zz"] / determinant),
            "W_r": 1 / np.sqrt(normal_r),
        }
    for name, change in off.items():
        yield _fitted(name, p[name], change, error_of[name])


def _slopes(s: dict[str, Any], form: Form) -> dict[str, Array]:
    """What an output moves by with its gates' sums: of z, of the candidate; of r, r h's part."""
    exactly = np.zeros(1)
    inside = {g: form.inner.slope(s[f"a_{g}"], exactly) for g in "zr"}
    return {
        "z": (s["h"] - s["c"]) * inside["z"],
        "h": (1 - s["z"]) * form.outer.slope(s["a_h"], exactly),
        "r": s["h"] * inside["r"],
    }


def _by_input(values: Array, inputs: int) -> Array:
    """Summed over the sequences of each input: (inputs, units)."""
    summed: Array = values.reshape(-1, inputs, values.shape[-1]).sum(axis=0)
    return summed


def _fitted(name: str, own: Array, change: Array, error: Array) -> Reading:
    """A parameter with what it is off by; allowed: the error's tail over all its elements."""
    allowed = tail_factor(own.size) * error
    seen = np.isfinite(change) & np.isfinite(error)
    value = own + np.where(seen, change, 0)
    return Reading(name, ..., value, own, allowed, seen, to=CLOSE, hidden=HIDDEN)


def _read_recurrent(
    s: dict[str, Any], sigma: Array, shared: Array, at: Any, answer: Array
) -> Iterator[Reading]:
    """U and b of every gate, by least squares over all sequences.

    shared: what the error of each unit of the state that all sequences start from does to the last
    one, (B, units, units). It does not average out, so what it does to the fit is added to the
    fit's own error.
    """
    p, h = s["params"], s["h"]
    own = answer[at].reshape(sigma.shape) - s["after"]
    error = np.concatenate([own[..., None], shared], axis=-1)  # (B, units, 1 + units)
    error /= sigma[..., None]
    slopes, count = s["slopes"], len(h)
    with_one = np.concatenate([h, np.ones((count, 1))], axis=1)
    reset = np.concatenate([s["r"] * h, np.ones((count, 1))], axis=1)
    units = h.shape[1]
    size = units + 1, units
    found = {g: (np.empty((*size, error.shape[-1])), np.empty(size)) for g in "zhr"}
    for j in range(units):
        design = np.concatenate(
            [with_one * slopes["z"][:, j : j + 1], reset * slopes["h"][:, j : j + 1]], axis=1
        )
        off, se = _least_squares(design / sigma[:, j : j + 1], error[:, j])
        for g, part in (("z", slice(0, units + 1)), ("h", slice(units + 1, None))):
            found[g][0][:, j], found[g][1][:, j] = off[part], se[part]
    to_output = slopes["h"] / sigma
    for k in range(units):
        through = slopes["r"][:, k : k + 1] * p["U_h"][k] * to_output  # (B, j)
        weight2 = np.square(through).sum(axis=1)
        toward = np.einsum("bj,bje->be", through, error)
        normal = (with_one * weight2[:, None]).T @ with_one
        off, se = _solved(normal, with_one.T @ toward)
        found["r"][0][:, k], found["r"][1][:, k] = off, se
    for g, (off, se) in found.items():
        change, start = off[..., 0], off[..., 1:]
        both = np.sqrt(np.square(se) + np.square(start).sum(axis=-1))
        yield _fitted(f"U_{g}", p[f"U_{g}"], change[:-1], both[:-1])
        yield _fitted(f"b_{g}", p[f"b_{g}"], change[-1], both[-1])


def _least_squares(design: Array, error: Array) -> tuple[Array, Array]:
    return _solved(design.T @ design, design.T @ error)


def _solved(normal: Array, against: Array) -> tuple[Array, Array]:
    """(estimates, their standard error); infinite where the sequences say nothing."""
    scale = np.sqrt(np.maximum(np.diag(normal), FLUSHED))
    values, vectors = np.linalg.eigh(normal / np.outer(scale, scale))
    inverse = np.where(values > 1e-10, 1 / np.maximum(values, 1e-10), np.inf)
    with np.errstate(invalid="ignore"):
        spread = np.nan_to_num(np.square(vectors) * inverse, nan=0.0, posinf=np.inf).sum(axis=1)
    usable = np.where(np.isfinite(inverse), inverse, 0)
    estimate = (vectors * usable) @ (vectors.T @ (against / scale[:, None])) / scale[:, None]
    return estimate, np.sqrt(spread) / scale

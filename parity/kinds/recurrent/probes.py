"""What a GRU is asked: one input at a time in every size, random steps, long and short sequences.

Only the last step of a sequence tells a parameter by itself, so the state before it is set by one
step of random values, and all steps before that are zero. An output y_j is then known but for the
rounding of two steps, sigma from `step_errors`. What a parameter is off by is fitted to y - o by
its derivative at the last step, weighted by 1/sigma^2:

    dh_j/dW_z[i,j] = (h_j - c_j) z'_j x_i      dh_j/dW_h[i,j] = (1 - z_j) c'_j x_i
    dh_j/dW_r[i,k] = (1 - z_j) c'_j h_k r'_k U_h[k,j] x_i

and the same of U with h_k (of U_h with r_k h_k) for x_i, and of b with 1.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from parity.errors import CannotRun
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
    CELLS,
    Form,
    form_of,
    mask_of,
    parameters,
    step_errors,
    steps,
)
from parity.numerics.rounding import FLUSHED, Array, tail_factor

GRU = CELLS["GRU"]
SIZES = 2.0 ** np.arange(-2, 10)  # of an input, where 1 makes its largest product 1
RANDOM = 4096  # sequences that the recurrent matrices are fitted to
STEPS = 2  # of which the errors are followed
CLOSE = 2.0**6  # u: 2^-18 of a weight
HIDDEN = "their unit's gates are shut or saturated in every sequence that has this input"


def probes(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Unit vectors, random steps, an impulse long ago, and random sequences in several batches."""
    if mask_of(case) is not None:
        raise CannotRun("it reads a mask, and a question gives it its input alone")
    inputs = case.x.shape[2]
    states = rng.standard_normal((len(SIZES) * 2 * inputs, inputs))
    states *= rng.choice([0.5, 1, 2, 4], (len(states), 1)) / np.sqrt(inputs) * 4
    largest = np.max([np.abs(parameters(case)[f"W_{g}"]).max(axis=1) for g in "zrh"], axis=0)
    one = np.diag(1 / np.where(largest > FLUSHED, largest, 1))
    units = np.concatenate([sign * size * one for size in SIZES for sign in (1, -1)])
    yield _last_steps(case, "one input at a time", states, units, _read_inputs)
    before = rng.standard_normal((RANDOM, inputs)) * rng.choice([1, 2, 4], (RANDOM, 1))
    last = rng.standard_normal((RANDOM, inputs)) * rng.choice([0, 0.25, 1], (RANDOM, 1))
    yield _last_steps(case, "random steps", before, last, _read_recurrent)
    nothing = np.zeros(like(case, 1), np.float32)
    yield of_witness("nothing", case, nothing)
    early = np.zeros(like(case, inputs), np.float32)
    early[np.arange(inputs), 0, np.arange(inputs)] = 4
    yield of_witness("an impulse at the first step", case, early)
    x = rng.standard_normal(like(case, 17), np.float32)
    x *= np.exp2(rng.integers(-3, 3, (17, 1, 1))).astype(np.float32)
    for part in batches(17):
        yield random_probe(case, x[part], "random sequences", slices=True)


def _last_steps(case: LayerCase, name: str, before: Array, last: Array, read: Any) -> Probe:
    x = np.zeros(like(case, len(last)), np.float32)
    backwards = bool(case.config.get("go_backwards"))
    ends = (0, 1) if backwards else (-1, -2)
    x[:, ends[0]] = last
    if x.shape[1] > 1:
        x[:, ends[1]] = before
    p, length = parameters(case), x.shape[1]
    quiet = np.zeros((1, max(0, length - STEPS), x.shape[2]))
    state, covariance = np.zeros((1, len(p["U_z"]))), np.zeros((1, len(p["U_z"])))
    form = form_of(case)
    for s in steps(GRU, p, quiet, form=form):
        state, covariance, _ = _followed(s, covariance, form)
    order = [ends[1] % length, ends[0] % length][-length:]
    start = np.repeat(state, len(x), axis=0)
    shared: Array = np.diag(np.sqrt(covariance[0]))  # what all sequences start from may be off by
    for s in steps(GRU, p, x[:, order], start=start, form=form):
        _, covariance, jacobian = _followed(s, covariance, form)
        shared = jacobian @ shared
    sigma, expected = np.sqrt(covariance) + FLUSHED, s["after"]
    at: Any = ...
    if case.config.get("return_sequences"):
        at = np.ix_(np.arange(len(x)), np.array([length - 1]), np.arange(expected.shape[1]))
        expected, sigma = expected[:, None], sigma[:, None]
    low, high = right(expected, tail_factor(expected.size) * sigma)
    shown = partial(read, {**s, "slopes": _slopes(s, form)}, sigma.reshape(len(x), -1), shared, at)
    # no q here: all sequences start from one state, and share what it is off by
    return Probe(name, x, low, high, at, expected=expected, read=shown)


def _followed(s: dict[str, Any], covariance: Array, form: Form) -> tuple[Array, Array, Array]:
    """The state after a step, its variance by unit, errors of units taken as independent, and how
    it goes with the state before.
    """
    jacobian, local = step_errors(GRU, s, form)
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

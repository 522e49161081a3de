"""What ports get wrong in a GRU: formulas of other frameworks, in every combination a real one may
make.
"""

import itertools

import numpy as np

from parity.kinds import oracle
from parity.kinds.small_bounds import gru as keras_gru
from parity.numerics.rounding import FLUSHED, U, Whole, tail_factor

STEP = 1e-6  # of the finite differences behind a Jacobian, float64

# name -> (gate, its derivative, its own rounding in u: a true sigmoid by tanh(a/2)/2 + 1/2,
# Chainer's, errs by 2u even near 0)
GATES = {
    "": (oracle.hard_sigmoid, lambda a: 0.2 * (np.abs(a) < 2.5), lambda y: y),
    "true sigmoid gates": (
        oracle.sigmoid,
        lambda a: oracle.sigmoid(a) * (1 - oracle.sigmoid(a)),
        lambda y: np.maximum(y * (2 + 6 * (1 - y)), 2 * np.abs(2 * y - 1) + y),
    ),
    "hard sigmoid of slope 1/6": (
        lambda a: np.clip(a / 6 + 0.5, 0, 1),
        lambda a: (np.abs(a) < 3) / 6,
        lambda y: y,
    ),
}
SWAPPED = {"": False, "z and 1 - z swapped": True}
RESET = {"": False, "reset after the product": True}
PARAMETERS = {
    "": lambda p: p,
    "z and r swapped": lambda p: {
        f"{kind}_{new}": p[f"{kind}_{old}"]
        for kind in "WUb"
        for new, old in zip("zrh", "rzh", strict=True)
    },
    "bias on both products (added twice)": lambda p: {
        key: 2 * value if key[0] == "b" else value for key, value in p.items()
    },
    "recurrent matrices transposed": lambda p: {
        key: value.T if key[0] == "U" else value for key, value in p.items()
    },
    "bias left out": lambda p: {
        key: 0 * value if key[0] == "b" else value for key, value in p.items()
    },
    "no recurrence": lambda p: {
        key: 0 * value if key[0] == "U" else value for key, value in p.items()
    },
}
DIRECTION = {
    "": None,
    "backwards in time": "backwards",
    "state carried over from clip to clip": "carried",
    "last state for the whole sequence": "last",
}
# Ports known to make several at once.
KNOWN = {
    frozenset(
        {"true sigmoid gates", "z and 1 - z swapped"}
    ): "Chainer's own GRU (true sigmoid, z and 1 - z swapped)",
    frozenset(
        {"true sigmoid gates", "z and 1 - z swapped", "bias on both products (added twice)"}
    ): "Chainer's own GRU (true sigmoid, z and 1 - z swapped, bias on both products)",
    frozenset(
        {"true sigmoid gates", "reset after the product"}
    ): "cuDNN's GRU, PyTorch's and Keras 2's reset_after (true sigmoid, reset after the product)",
}


def _step(p, x, h, gate, swapped, after):
    """One step's quantities, (B, units) each."""
    a_z, a_r = (x @ p[f"W_{g}"] + p[f"b_{g}"] + h @ p[f"U_{g}"] for g in "zr")
    z, r = gate(a_z), gate(a_r)
    inner = r * (h @ p["U_h"]) if after else (r * h) @ p["U_h"]
    c = np.tanh(x @ p["W_h"] + p["b_h"] + inner)
    keep = 1 - z if swapped else z
    return {
        "a_z": a_z,
        "a_r": a_r,
        "z": z,
        "r": r,
        "c": c,
        "keep": keep,
        "after": keep * h + (1 - keep) * c,
    }


def _local_variance(p, x, h, s, form):
    """Variance of the errors made in one step: small_bounds._gru_step_errors with any gate and
    either reset.
    """
    (_, slope, rounding), _, after = form

    def sums(gate, total, state):
        n = len(p["W_z"]) + len(p["U_z"]) + 1
        terms2 = (
            np.square(x) @ np.square(p[f"W_{gate}"])
            + np.square(p[f"b_{gate}"])
            + np.square(state) @ np.square(p[f"U_{gate}"])
        )
        return U * U * ((n / 3 + 1) * np.square(total) + (n / 6 + 1) * terms2)

    v_z, v_r = (
        slope(s[f"a_{g}"]) ** 2 * (sums(g, s[f"a_{g}"], h) + np.square(1.25 * U * s[f"a_{g}"]))
        + np.square(U * rounding(s[g]))
        for g in "zr"
    )
    product = h @ p["U_h"]
    of_reset = (
        product**2 * (v_r + np.square(U * s["r"]))
        if after
        else (h * h * v_r + np.square(U * s["r"] * h)) @ np.square(p["U_h"])
    )
    state = h if after else s["r"] * h
    a_h = np.arctanh(np.clip(s["c"], -1 + 1e-15, 1 - 1e-15))
    v_c = (1 - s["c"] ** 2) ** 2 * (sums("h", a_h, state) + of_reset) + np.square(4 * U * s["c"])
    keep, c = s["keep"], s["c"]
    return (
        np.square(h - c) * v_z
        + (1 - keep) ** 2 * v_c
        + U * U * ((keep * h) ** 2 + 2 * ((1 - keep) * c) ** 2 + s["after"] ** 2)
    )


def _run(p, x, form, backwards, start, covariance):
    """States and variances, (B, T, units) each, of one pass over x (B, T, inputs) from the states
    `start`, (B, units), whose

    errors have that covariance, (B, units, units); and the covariance at its end.
    """
    (gate, *_), swapped, after = form
    h, units = start, p["U_z"].shape[0]
    outs, variances = [], []
    moves = STEP * np.eye(units)
    for t in range(x.shape[1])[:: -1 if backwards else 1]:
        s = _step(p, x[:, t], h, gate, swapped, after)
        moved = _step(
            p,
            np.repeat(x[:, t], units, axis=0),
            (h[:, None] + moves).reshape(-1, units),
            gate,
            swapped,
            after,
        )["after"]
        jacobian = (moved.reshape(len(x), units, units) - s["after"][:, None]).transpose(
            0, 2, 1
        ) / STEP
        covariance = jacobian @ covariance @ jacobian.transpose(0, 2, 1)
        diagonal = np.einsum("bii->bi", covariance)
        diagonal += _local_variance(p, x[:, t], h, s, form)
        h = s["after"]
        outs.append(h)
        variances.append(diagonal.copy())
    return np.stack(outs, axis=1), np.stack(variances, axis=1), covariance


def _carried(p, x, form, backwards, start, covariance):
    """As _run, clip after clip: state and error of one clip's last step go on into the next."""
    outs, variances, state, error = [], [], start[:1], covariance[:1]
    for clip in x:
        out, variance, error = _run(p, clip[None], form, backwards, state, error)
        state = out[:, -1]
        outs.append(out)
        variances.append(variance)
    return np.concatenate(outs), np.concatenate(variances), error


def _variant(subject, gate, swapped, after, change, direction):
    sequences = bool(subject.layer.config.get("return_sequences"))
    if (direction == "last" and not sequences) or (direction == "carried" and len(subject.x) < 2):
        return None
    p = change(
        {
            key: subject.parameter(key)
            for key in ("W_z", "U_z", "b_z", "W_r", "U_r", "b_r", "W_h", "U_h", "b_h")
        }
    )
    x, form = subject.x.astype(np.float64), (gate, swapped, after)
    backwards = bool(subject.layer.config.get("go_backwards")) != (direction == "backwards")
    units = p["U_z"].shape[0]
    run = _carried if direction == "carried" else _run
    out, sigma2, _ = run(
        p, x, form, backwards, np.zeros((len(x), units)), np.zeros((len(x), units, units))
    )
    if direction == "last":
        out, sigma2 = (np.repeat(a[:, -1:], a.shape[1], axis=1) for a in (out, sigma2))
    elif not sequences:
        out, sigma2 = out[:, -1], sigma2[:, -1]
    bound2 = tail_factor(out.size) ** 2 * sigma2 + FLUSHED**2
    judge = Whole(1, out, bound2, sigma2 + FLUSHED**2, bound2)
    judge.axis_name = "time step" if sequences else "unit"
    return judge


def _returns(sequences):
    """The other setting of return_sequences: another shape."""

    def make(s):
        if bool(s.layer.config.get("return_sequences")) == sequences:
            return None
        return keras_gru(s.but(config={"return_sequences": sequences}).layer, s.params, s.x)

    return make


def _name(parts):
    return KNOWN.get(frozenset(parts), " and ".join(parts))


def combinations(most):
    """name -> maker, for every combination of at most so many of the faults above."""
    made = {}
    for choice in itertools.product(GATES, SWAPPED, RESET, PARAMETERS, DIRECTION):
        parts = [part for part in choice if part]
        if 0 < len(parts) <= most:
            gate, swapped, reset, change, direction = choice
            how = (
                GATES[gate],
                SWAPPED[swapped],
                RESET[reset],
                PARAMETERS[change],
                DIRECTION[direction],
            )
            made[_name(parts)] = lambda s, how=how: _variant(s, *how)
    return made


SINGLE = {
    **combinations(1),
    "the last state only, without the sequence": _returns(False),
    "the whole sequence instead of its last state": _returns(True),
}
COMBINED = {name: make for name, make in combinations(3).items() if name not in SINGLE}

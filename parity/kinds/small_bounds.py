"""The bounds of the layers small enough to be computed whole: GRU and Dense."""

import numpy as np

from parity.kinds import oracle
from parity.numerics.rounding import FLUSHED, SPREAD, U, Whole, tail_factor


def gru(layer, params, x):
    """GRU: the first-order covariance of the rounding errors is carried from step to step; B = lam
    sigma.

    Absolute values (Wilkinson's running analysis) grow to 1e5 u in 15 steps where the error is 4
    u, so there is no certain
    bound worth the name: B stands in for it. The channel axis is time where the layer returns
    sequences.
    """
    outs, variances = [], []
    units = oracle.parameter(layer, params, "U_z").shape[0]
    covariance = np.zeros((len(x), units, units))
    for step in oracle.gru_steps(layer, params, x):
        jacobian, local = gru_step_errors(step)
        covariance = jacobian @ covariance @ jacobian.transpose(0, 2, 1)
        diagonal = np.einsum(
            "bii->bi", covariance
        )  # a view of the diagonals, which the step's own errors join
        diagonal += local
        outs.append(step["after"])
        variances.append(diagonal.copy())
    sequences = layer.config.get("return_sequences")
    out, sigma2 = (np.stack(many, axis=1) if sequences else many[-1] for many in (outs, variances))
    bound2 = tail_factor(out.size) ** 2 * sigma2 + FLUSHED**2
    judge = Whole(1, out, bound2, sigma2 + FLUSHED**2, bound2)
    judge.axis_name = "time step" if sequences else "unit"
    return judge


def gru_step_errors(s):
    """One step's (B, units, units) Jacobian dh_t/dh_{t-1} and (B, units) variance of the errors
    made in it.
    """
    p, h, z, r, c = s["params"], s["h"], s["z"], s["r"], s["c"]
    u2 = U * U
    slope_z, slope_r, slope_c = (
        0.2 * (np.abs(s["a_z"]) < 2.5),
        0.2 * (np.abs(s["a_r"]) < 2.5),
        1 - c * c,
    )
    gate = {
        g: slope**2 * _sum_variance(s, g, h)
        + u2 * ((slope * 1.25 * s[f"a_{g}"]) ** 2 + (slope > 0) * s[g] ** 2)
        for g, slope in (("z", slope_z), ("r", slope_r))
    }
    through_r = (h * h * gate["r"] + u2 * (r * h) ** 2) @ np.square(p["U_h"])
    of_c = slope_c**2 * (_sum_variance(s, "h", r * h) + through_r) + (4 * U * c) ** 2
    local = (
        (h - c) ** 2 * gate["z"]
        + (1 - z) ** 2 * of_c
        + u2 * ((z * h) ** 2 + 2 * ((1 - z) * c) ** 2 + s["after"] ** 2)
    )
    eye = np.eye(h.shape[1])
    inner = r[:, :, None] * eye + h[:, :, None] * slope_r[:, :, None] * p["U_r"].T  # d(r h)/dh
    of_state = slope_c[:, :, None] * (p["U_h"].T @ inner)
    jacobian = (
        z[:, :, None] * eye
        + ((h - c) * slope_z)[:, :, None] * p["U_z"].T
        + (1 - z)[:, :, None] * of_state
    )
    return jacobian, local


def _sum_variance(s, gate, state):
    """u^2 V of the gate's sum x W + b + state U: the formula of bounds.Sums."""
    p = s["params"]
    weights, recurrent, bias = p[f"W_{gate}"], p[f"U_{gate}"], p[f"b_{gate}"]
    n = len(weights) + len(recurrent) + 1
    terms2 = (
        np.square(s["x"]) @ np.square(weights)
        + np.square(bias)
        + np.square(state) @ np.square(recurrent)
    )
    return U * U * ((n / 3 + 1) * np.square(s[f"a_{gate}"]) + (n / 6 + 1) * terms2)


def dense(layer, params, x, activation=True):
    """Dense: the sums are bounded as a convolution's, carried through the sigmoid, whose own
    rounding is added.

    |sigmoid(s+d) - sigmoid(s)| <= y(1-y)(e^|d| - 1). Own rounding: the larger of 1/(1+exp(-s)), u
    y(2+6(1-y)), and of the tanh form, u(2|2y-1|+y). Theano's float32 code returns exactly 1 above
    15 (tensor/nnet/sigm.py): there e^-s is added.
    """
    sums = oracle.dense_sums(layer, params, x)
    weights, wide = oracle.parameter(layer, params, "W"), x.astype(np.float64)
    bias = oracle.bias(layer, params, weights.shape[1])
    n, lam = len(weights) + 1, tail_factor(sums.size)
    terms2 = np.square(wide) @ np.square(weights) + np.square(bias)
    certain = n * (U * (np.abs(wide) @ np.abs(weights) + np.abs(bias)) + FLUSHED)
    deviation = U * np.sqrt((n / 3 + 1) * np.square(sums) + (n / 6 + 1) * terms2)
    bound, slope, own2, out = lam * deviation + n * FLUSHED, 1.0, 0.0, sums
    if activation and layer.config.get("activation", "linear") == "sigmoid":
        out = oracle.sigmoid(sums)
        slope, own, own2 = (
            out * (1 - out),
            sigmoid_rounding(sums, out),
            _sigmoid_variance(sums, out),
        )
        bound, certain = slope * np.expm1(bound) + own, slope * np.expm1(certain) + own
    sigma2 = np.square(SPREAD * slope * deviation) + own2 + FLUSHED**2
    return Whole(
        1,
        out,
        np.square(bound),
        sigma2,
        np.square(certain),
        2 * np.square(SPREAD * slope) * terms2 + FLUSHED**2,
    )


def sigmoid_rounding(sums, y):
    """How far float32 may be from y = sigmoid(sums), in any of the forms that `dense` names."""
    forms = np.maximum(y * (2 + 6 * (1 - y)), 2 * np.abs(2 * y - 1) + y)
    return U * forms + _left_out_above_15(sums) + FLUSHED


def _sigmoid_variance(sums, y):
    """Of 1/(1 + e): 1 + e lies at the foot of its binade, where a rounding spreads by u/sqrt(3) of
    it; so may y, and e by twice that.

    Of tanh(s/2)/2 + 1/2: tanh and the sum are rounded on the grid of their binade below 1,
    u/sqrt(12) each. The larger counts. A seventh of the bound is too little where most scores are
    near 1, as under a Keras that the weights are not from.
    """
    quotient = np.square(y) * (2 + 4 * np.square(1 - y)) / 3
    return U * U * np.maximum(quotient, np.square(2 * y - 1) / 6) + np.square(
        _left_out_above_15(sums)
    )


def _left_out_above_15(sums):
    return np.where(sums > 15, np.exp(-np.maximum(sums, 15)), 0)

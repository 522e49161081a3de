"""Layers in float32, in several orders of summation: stand-ins for an original and for ports of
it.
"""

from types import SimpleNamespace

import numpy as np

F = np.float32
CONV = {
    "border_mode": "same",
    "subsample": [1, 1],
    "activation": "linear",
    "dim_ordering": "th",
    "bias": True,
}
KERAS = "1.1.0"


def layer(kind, **config):
    """A layer as a trace describes it."""
    return SimpleNamespace(name="it", kind=kind, config={"name": "it", **config})


def conv_params(rng, kernels=12, channels=8, size=(3, 3)):
    """Kernels (K, C, kh, kw) and bias (K,), float32, no two alike."""
    return {
        "W": (rng.standard_normal((kernels, channels, *size)) * 0.2).astype(F),
        "b": rng.standard_normal(kernels).astype(F),
    }


def patches(x, size=(3, 3), mode="constant"):
    """(C*kh*kw, B*H*W) of a 'same' convolution, float32."""
    rows, columns = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (size[0] // 2,) * 2, (size[1] // 2,) * 2), mode=mode)
    taps = [
        padded[:, :, i : i + rows, j : j + columns] for i in range(size[0]) for j in range(size[1])
    ]
    return np.stack(taps, axis=2).transpose(1, 2, 0, 3, 4).reshape(-1, x.shape[0] * rows * columns)


def _in_a_row(terms):
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _pairwise(terms):
    while len(terms) > 1:
        odd = [terms[-1]] if len(terms) % 2 else []
        terms = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)] + odd
    return terms[0]


def _blocked(terms):
    return _in_a_row([_in_a_row(terms[i : i + 8]) for i in range(0, len(terms), 8)])


ORDERS = {
    "forward": _in_a_row,
    "reversed": lambda terms: _in_a_row(terms[::-1]),
    "pairwise": _pairwise,
    "blocked": _blocked,
}


def conv(x, params, order="forward", flip=True, mode="constant"):
    """A 'same' convolution, (B, K, H, W), summed in the given order; flip=False correlates; mode:
    numpy's padding.
    """
    kernels = params["W"][:, :, ::-1, ::-1] if flip else params["W"]
    matrix, columns = kernels.reshape(len(kernels), -1), patches(x, kernels.shape[2:], mode)
    bias = np.broadcast_to(params["b"][:, None], (len(kernels), columns.shape[1]))
    sums = ORDERS[order]([*(matrix[:, k, None] * columns[k] for k in range(len(columns))), bias])
    return np.ascontiguousarray(
        sums.reshape(len(kernels), len(x), *x.shape[2:]).transpose(1, 0, 2, 3)
    )


def norm_params(rng, channels=12):
    """gamma, beta, running_mean, running_std (a variance from Keras 1.0.7 on), float32."""
    return {
        "gamma": rng.uniform(0.5, 2, channels).astype(F),
        "beta": rng.standard_normal(channels).astype(F),
        "running_mean": rng.standard_normal(channels).astype(F),
        "running_std": rng.uniform(0.5, 3, channels).astype(F),
    }


def norm(x, params, eps=1e-5, fused=False):
    """Keras 1.1.0's batch normalisation over axis 1, or s*x + t where fused."""
    gamma, beta, mean, variance = (
        params[k][:, None, None] for k in ("gamma", "beta", "running_mean", "running_std")
    )
    scale = gamma / np.sqrt(variance + F(eps))
    return x * scale + (beta - mean * scale) if fused else (x - mean) * scale + beta


def elu(x, alpha=1.0, exp=lambda x: np.exp(x) - F(1)):
    """Keras's ELU."""
    return np.maximum(x, F(0)) + F(alpha) * exp(np.minimum(x, F(0)))


def gru_params(rng, inputs=10, units=6):
    """The nine arrays of a Keras GRU, float32."""
    shapes = {"W": (inputs, units), "U": (units, units), "b": (units,)}
    return {
        f"{kind}_{gate}": (rng.standard_normal(shape) * 0.6).astype(F)
        for gate in "zrh"
        for kind, shape in shapes.items()
    }


def hard_sigmoid(x, slope=0.2):
    """clip(slope x + 0.5, 0, 1) in float32."""
    return np.clip(F(slope) * x + F(0.5), F(0), F(1))


def gru(x, p, sequences=True, gate=hard_sigmoid, reset_after=False, swap=False):
    """Keras's GRU on (B, T, inputs), float32; with faults of other frameworks."""
    h, states = np.zeros((len(x), len(p["U_z"])), F), []
    for t in range(x.shape[1]):
        z, r = (gate(x[:, t] @ p[f"W_{g}"] + p[f"b_{g}"] + h @ p[f"U_{g}"]) for g in "zr")
        inner = r * (h @ p["U_h"]) if reset_after else (r * h) @ p["U_h"]
        c = np.tanh(x[:, t] @ p["W_h"] + p["b_h"] + inner)
        h = (F(1) - z) * h + z * c if swap else z * h + (F(1) - z) * c
        states.append(h)
    return np.stack(states, axis=1) if sequences else h


def dense_params(rng, inputs=64, units=10, scale=0.3):
    """W (inputs, units), b (units,), float32."""
    return {
        "W": (rng.standard_normal((inputs, units)) * scale).astype(F),
        "b": rng.standard_normal(units).astype(F),
    }


def theano_sigmoid(x):
    """Theano's float32 C code: exactly 1 above 15, 0 below -88."""
    return np.where(
        x < -88, F(0), np.where(x > 15, F(1), F(1) / (F(1) + np.exp(-np.clip(x, F(-88), None))))
    )

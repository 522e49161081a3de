"""The float64 witness: what Keras on Theano computes in each layer kind, written again from its
formulas.

Kind and settings come from the trace (what Keras said of its layer), parameters from the weight
file, never from the port. A setting this module does not know stops the run: a witness that
guesses is none.
"""

import re
from contextlib import contextmanager

import numpy as np

from parity.errors import CannotRun
from parity.kinds.api import ANY
from parity.numerics.convolution import Convolution
from parity.numerics.rounding import Scratch, as_channels, blocks

_BASE = {"name": ANY, "trainable": ANY, "batch_input_shape": ANY, "input_dtype": ANY}
_TRAINING_ONLY = {
    key: ANY
    for key in (
        "init",
        "inner_init",
        "W_regularizer",
        "U_regularizer",
        "b_regularizer",
        "activity_regularizer",
        "W_constraint",
        "b_constraint",
        "gamma_regularizer",
        "beta_regularizer",
        "momentum",
    )
}
_IMAGE = {"dim_ordering": ("th",)}

# kind -> {setting: the values this witness computes}; a setting that is not listed stops the run.
SETTINGS = {
    "InputLayer": {"sparse": (False,)},
    "ZeroPadding2D": {**_IMAGE, "padding": ANY},
    "BatchNormalization": {**_TRAINING_ONLY, "epsilon": ANY, "mode": (0, 2), "axis": ANY},
    "Convolution2D": {
        **_TRAINING_ONLY,
        **_IMAGE,
        "nb_filter": ANY,
        "nb_row": ANY,
        "nb_col": ANY,
        "bias": (True, False),
        "activation": ("linear",),
        "border_mode": ("same", "valid"),
        "subsample": ANY,
    },
    "ELU": {"alpha": ANY},
    "MaxPooling2D": {**_IMAGE, "pool_size": ANY, "strides": ANY, "border_mode": ("valid",)},
    "Dropout": {"p": ANY},
    "Flatten": {},
    "Permute": {"dims": ANY},
    "Reshape": {"target_shape": ANY},
    "GRU": {
        **_TRAINING_ONLY,
        "output_dim": ANY,
        "input_dim": ANY,
        "input_length": ANY,
        "return_sequences": (True, False),
        "go_backwards": (True, False),
        "stateful": (False,),
        "unroll": (True, False),
        "consume_less": ("cpu", "mem", "gpu"),
        "activation": ("tanh",),
        "inner_activation": ("hard_sigmoid",),
        "dropout_W": ANY,
        "dropout_U": ANY,
    },
    "Dense": {
        **_TRAINING_ONLY,
        "output_dim": ANY,
        "input_dim": ANY,
        "bias": (True, False),
        "activation": ("linear", "sigmoid"),
    },
}
EXACT_KINDS = frozenset(
    {"InputLayer", "ZeroPadding2D", "MaxPooling2D", "Dropout", "Flatten", "Permute", "Reshape"}
)

# Since which Keras: (1/spread from the stored `running_std`, 1/spread from the batch's variance).
# normalization.py and backend/theano_backend.py of each version; 1.0.4 - 1.0.6 store a standard
# deviation and add eps twice in mode 2.
BATCH_NORMALIZATION = (
    (
        (1, 0, 4),
        lambda stored, eps: 1 / (stored + eps),
        lambda variance, eps: 1 / (np.sqrt(variance + eps) + eps),
    ),
    (
        (1, 0, 7),
        lambda stored, eps: 1 / (np.sqrt(stored) + eps),
        lambda variance, eps: 1 / (np.sqrt(variance) + eps),
    ),
    (
        (1, 0, 8),
        lambda stored, eps: 1 / np.sqrt(stored + eps),
        lambda variance, eps: 1 / np.sqrt(variance + eps),
    ),
)
KERAS_KNOWN = ((1, 0, 4), (1, 2, 2))


def check_settings(layer):
    """Raise CannotRun, naming layer and setting, for a kind or a setting that the formulas below
    do not cover.
    """
    if layer.kind not in SETTINGS:
        raise CannotRun(
            f"layer {layer.name}: the oracle has no formula for {layer.kind}; known are "
            f"{', '.join(SETTINGS)}"
        )
    known = {**_BASE, **SETTINGS[layer.kind]}
    for setting, given in layer.config.items():
        allowed = known.get(setting, ())
        if allowed is not ANY and given not in allowed:
            raise CannotRun(
                f"layer {layer.name} ({layer.kind}): the oracle does not compute "
                f"{setting}={given!r}; "
                f"it knows {', '.join(map(repr, allowed)) or 'no such setting'}"
            )


@contextmanager
def said_of(layer, x):
    """Turn what NumPy says of shapes that do not fit into CannotRun, naming the layer."""
    try:
        yield
    except (ValueError, IndexError) as error:
        raise CannotRun(
            f"layer {layer.name} ({layer.kind}): its parameters or settings do not fit an "
            "input of shape "
            f"{tuple(x.shape)} ({error})"
        ) from error


def parameter(layer, params, suffix):
    """One parameter in float64; CannotRun names the layer and what the weight file lacks."""
    try:
        return np.asarray(params[suffix], np.float64)
    except KeyError:
        raise CannotRun(
            f"layer {layer.name} ({layer.kind}): the weights hold no {layer.name}_{suffix}; "
            "check the weight file"
        ) from None


def bias(layer, params, units):
    """The layer's bias, float64, or zeros where Keras was told to have none."""
    return parameter(layer, params, "b") if layer.config.get("bias", True) else np.zeros(units)


def convolution(layer, params, channels):
    """The layer as a Convolution: kernels (K, C, kh, kw), bias (K,). ValueError where the kernels
    want other channels.
    """
    kernels = parameter(layer, params, "W")
    if kernels.ndim != 4 or kernels.shape[1] != channels:
        raise ValueError(f"kernels of shape {kernels.shape} on {channels} channels")
    return Convolution(
        kernels,
        bias(layer, params, len(kernels)),
        layer.config.get("border_mode", "valid"),
        tuple(layer.config.get("subsample", (1, 1))),
    )


def dialect(keras):
    """(reciprocal spread from the stored value, the same from a batch variance) of that Keras
    version.
    """
    version = tuple(map(int, keras.split("."))) if re.fullmatch(r"\d+(\.\d+)+", keras) else ()
    if not KERAS_KNOWN[0] <= version <= KERAS_KNOWN[1]:
        raise CannotRun(
            f"Keras {keras}: its batch normalisation is unknown here; known are 1.0.4 to 1.2.2"
        )
    return [row for row in BATCH_NORMALIZATION if row[0] <= version][-1][1:]


def channel_axis(layer, shape):
    """The axis a BatchNormalization normalises, counted from the front."""
    axis = int(layer.config["axis"])
    return axis % len(shape)


def batch_statistics(x):
    """Per channel of x (before, C, after): mean, biased variance and mean magnitude, float64, in
    two passes.
    """
    count, scratch = x.shape[0] * x.shape[2], Scratch()
    total, magnitude, variance = np.zeros((3, x.shape[1]))
    for where in blocks(x.shape):
        wide = _wide(x[where], scratch)
        total[where[1]] += np.einsum("acp->c", wide)
        magnitude[where[1]] += np.einsum("acp->c", np.abs(wide, out=wide))
    mean = total / count
    for where in blocks(x.shape):
        wide = _wide(x[where], scratch)
        wide -= mean[where[1], None]
        variance[where[1]] += np.einsum("acp,acp->c", wide, wide)
    return mean, variance / count, magnitude / count


def _wide(part, scratch):
    wide = scratch.take("wide", part.shape)
    np.copyto(wide, part)
    return wide


def normalization(layer, params, x, keras):
    """(scale, mean, beta, variance, mean |x|), each (C,): the layer is scale*(x - mean) + beta. x
    is (before, C, after).

    The last two are None where the layer uses its stored statistics.
    """
    stored, batch = dialect(keras)
    for suffix in ("gamma", "beta", "running_mean", "running_std"):
        if parameter(layer, params, suffix).shape != (x.shape[1],):
            raise ValueError(f"{suffix} of shape {params[suffix].shape} on {x.shape[1]} channels")
    eps = float(layer.config["epsilon"])
    gamma, beta = parameter(layer, params, "gamma"), parameter(layer, params, "beta")
    if layer.config["mode"] == 2:
        mean, variance, magnitude = batch_statistics(x)
        return gamma * batch(variance, eps), mean, beta, variance, magnitude
    mean, spread = parameter(layer, params, "running_mean"), parameter(layer, params, "running_std")
    return gamma * stored(spread, eps), mean, beta, None, None


def _batch_normalization(layer, params, x, keras):
    view = x.reshape(as_channels(x.shape, channel_axis(layer, x.shape)))
    scale, mean, beta, *_ = normalization(layer, params, view, keras)
    return ((view - mean[:, None]) * scale[:, None] + beta[:, None]).reshape(x.shape)


def _convolution(layer, params, x, keras):
    conv = convolution(layer, params, x.shape[1])
    out = np.empty(conv.output_shape(x.shape))
    flat = out.reshape(out.shape[0], out.shape[1], -1)
    for where in conv.blocks(x.shape):
        flat[where] = conv.sums(x, where)
    return out


def elu(x, alpha):
    """relu(x) + alpha*(exp(min(x, 0)) - 1): advanced_activations.py. float64 exp - 1 errs by
    1e-16, 1e-9 of its float32 bound.
    """
    negative = np.minimum(x, 0).astype(np.float64)
    np.exp(negative, out=negative)
    return np.maximum(x, 0) + alpha * (negative - 1)


def sigmoid(x):
    """Theano's float64 sigmoid: exactly 1 above 19 and 0 below -709 (tensor/nnet/sigm.py,
    ScalarSigmoid.c_code).
    """
    inner = 1 / (1 + np.exp(-np.clip(x, -709, 19)))
    return np.where(x > 19, 1.0, np.where(x < -709, 0.0, inner))


def hard_sigmoid(x):
    """clip(0.2 x + 0.5, 0, 1): theano tensor/nnet/sigm.py."""
    return np.clip(0.2 * x + 0.5, 0, 1)


def max_pool(config, x):
    """Floor max-pooling over the last two axes, in x's own dtype: a maximum rounds nothing."""
    strides = config.get("strides") or config["pool_size"]
    for axis, size, stride in zip((-2, -1), config["pool_size"], strides, strict=True):
        count = (x.shape[axis] - size) // stride + 1
        taps = [slice(i, i + stride * (count - 1) + 1, stride) for i in range(size)]
        pieces = [x[..., tap, :] if axis == -2 else x[..., tap] for tap in taps]
        out = pieces[0].copy()
        for piece in pieces[1:]:
            np.maximum(out, piece, out=out)
        x = out
    return x


def _zero_padding(config, x):
    rows, columns = config["padding"]
    return np.pad(x, ((0, 0), (0, 0), (rows, rows), (columns, columns)))


# Layers that move or choose values and round nothing; they keep the input's dtype.
MOVES = {
    "InputLayer": lambda config, x: x,
    "ZeroPadding2D": _zero_padding,
    "MaxPooling2D": max_pool,
    "Dropout": lambda config, x: x,
    "Flatten": lambda config, x: x.reshape(len(x), -1),
    "Permute": lambda config, x: x.transpose(0, *config["dims"]),
    "Reshape": lambda config, x: x.reshape(len(x), *config["target_shape"]),
}


def gru_steps(layer, params, x, before=None):
    """Yield, per time step, the dict of everything a GRU computes (B, units): recurrent.py,
    GRU.step, h0 = 0.

    before: states (B, T, units) to take before each step, in the order of the steps, instead of
    its own.
    """
    p = {
        suffix: parameter(layer, params, suffix)
        for suffix in ("W_z", "U_z", "b_z", "W_r", "U_r", "b_r", "W_h", "U_h", "b_h")
    }
    times = range(x.shape[1])
    h = np.zeros((len(x), p["U_z"].shape[0]))
    for step, t in enumerate(reversed(times) if layer.config.get("go_backwards") else times):
        h = h if before is None else before[:, step].astype(np.float64)
        now = x[:, t].astype(np.float64)  # (B, inputs)
        a_z, a_r = (now @ p[f"W_{g}"] + p[f"b_{g}"] + h @ p[f"U_{g}"] for g in "zr")
        z, r = hard_sigmoid(a_z), hard_sigmoid(a_r)
        a_h = now @ p["W_h"] + p["b_h"] + (r * h) @ p["U_h"]
        c = np.tanh(a_h)
        after = z * h + (1 - z) * c
        yield {
            "x": now,
            "h": h,
            "a_z": a_z,
            "a_r": a_r,
            "a_h": a_h,
            "z": z,
            "r": r,
            "c": c,
            "after": after,
            "params": p,
        }
        h = after


def _gru(layer, params, x, keras):
    states = [step["after"] for step in gru_steps(layer, params, x)]
    return np.stack(states, axis=1) if layer.config.get("return_sequences") else states[-1]


def dense_sums(layer, params, x):
    """(B, units): x W + b in float64, before the activation."""
    weights = parameter(layer, params, "W")
    return x.astype(np.float64) @ weights + bias(layer, params, weights.shape[1])


def _dense(layer, params, x, keras):
    sums = dense_sums(layer, params, x)
    return sigmoid(sums) if layer.config.get("activation", "linear") == "sigmoid" else sums


ROUNDS = {
    "BatchNormalization": _batch_normalization,
    "Convolution2D": _convolution,
    "ELU": lambda layer, params, x, keras: elu(x, float(layer.config["alpha"])),
    "GRU": _gru,
    "Dense": _dense,
}


def value(layer, params, x, keras):
    """The reference formula of one layer in float64.

    layer: has .name, .kind, .config; params: suffix -> array; x: the layer's input, float32 or
    float64; keras: version string.
    Returns a float64 array of the layer's output shape. Raises CannotRun for a kind, setting or
    version it does not know.
    """
    check_settings(layer)
    with said_of(layer, x):
        if layer.kind in MOVES:
            return np.asarray(MOVES[layer.kind](layer.config, x), np.float64)
        return ROUNDS[layer.kind](layer, params, x, keras)

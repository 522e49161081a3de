"""What ports get wrong in a convolution."""

import itertools

import numpy as np

from parity.diagnose.precision import FORMATS


def _kernels(change):
    return lambda s: s.but(params={"W": change(s.params["W"])})


def _many(change):
    """Kernels changed by something that needs several input channels."""
    return lambda s: _kernels(change)(s) if s.params["W"].shape[1] > 1 else None


def _square(change):
    """Kernels changed by something that needs as many rows as columns."""
    return lambda s: (
        _kernels(change)(s) if s.params["W"].shape[2] == s.params["W"].shape[3] else None
    )


def _channels_transposed(s):
    kernels, channels = s.params["W"].shape[:2]
    return _kernels(lambda w: w.transpose(1, 0, 2, 3))(s) if kernels == channels else None


def _padded(*mode, before=(1, 1), after=(1, 1)):
    """Border mode 'same' with another padding: before and after in units of k//2."""

    def make(s):
        if s.layer.config.get("border_mode") != "same":
            return None
        half = [k // 2 for k in s.params["W"].shape[2:]]
        sides = [
            (0, 0),
            (0, 0),
            *((b * h, a * h) for b, a, h in zip(before, after, half, strict=True)),
        ]
        return s.but(config={"border_mode": "valid"}, x=np.pad(s.x, sides, *mode))

    return make


def _border(mode):
    return lambda s: (
        s.but(config={"border_mode": mode}) if s.layer.config.get("border_mode") != mode else None
    )


def bias(factor):
    return lambda s: (
        s.but(params={"b": factor * s.params["b"]}) if s.layer.config.get("bias", True) else None
    )


def operands(rounded):
    return lambda s: s.but(params={"W": rounded(s.params["W"])}, x=rounded(s.x))


def left_out(s):
    """Kernels and bias zero."""
    return s.but(params={key: 0 * value for key, value in s.params.items()})


def _both(one, other):
    """Two of these at once, the second on what the first made."""

    def make(s):
        changed = one(s)
        return changed and other(changed)

    return make


def _bias_rolled(step):
    return lambda s: (
        s.but(params={"b": np.roll(s.params["b"], step)})
        if s.layer.config.get("bias", True)
        else None
    )


KERNELS = {
    "kernels not flipped": _kernels(lambda w: w[:, :, ::-1, ::-1]),
    "kernels not flipped along their rows": _kernels(lambda w: w[:, :, ::-1]),
    "kernels not flipped along their columns": _kernels(lambda w: w[:, :, :, ::-1]),
    "kernel rows and columns transposed": _square(lambda w: w.transpose(0, 1, 3, 2)),
    "kernel rows and columns transposed, not flipped": _square(
        lambda w: w.transpose(0, 1, 3, 2)[:, :, ::-1, ::-1]
    ),
    "input and output channels of the kernels transposed": _channels_transposed,
    "input channels in reversed order": _many(lambda w: w[:, ::-1]),
    "input channels one off": _many(lambda w: np.roll(w, 1, axis=1)),
    "input channels one off, the other way": _many(lambda w: np.roll(w, -1, axis=1)),
}
BIASES = {
    "bias left out": bias(0),
    "bias added twice": bias(2),
    "biases one off": _bias_rolled(1),
    "biases one off, the other way": _bias_rolled(-1),
}
ROWS = {"one row too low": (0, 2), "one row too high": (2, 0)}
COLUMNS = {"one column too late": (0, 2), "one column too early": (2, 0)}
BORDERS = {
    "no padding (border mode valid)": _border("valid"),
    "padded (border mode same)": _border("same"),
    **{
        f"padding {name}": _padded("constant", before=(b, 1), after=(a, 1))
        for name, (b, a) in ROWS.items()
    },
    **{
        f"padding {name}": _padded("constant", before=(1, b), after=(1, a))
        for name, (b, a) in COLUMNS.items()
    },
    **{
        f"padding {row} and {column}": _padded("constant", before=(up, left), after=(down, right))
        for row, (up, down) in ROWS.items()
        for column, (left, right) in COLUMNS.items()
    },
    "padded with the edge's values": _padded("edge"),
    "padded by reflection": _padded("reflect"),
    "padded around the other side": _padded("wrap"),
}
TABLE = {
    **KERNELS,
    **BORDERS,
    **BIASES,
    **{f"operands rounded to {name}": operands(rounded) for name, rounded in FORMATS.items()},
}
COMBINED = {
    f"{one}, {other}": _both(first, second)
    for (one, first), (other, second) in itertools.product(KERNELS.items(), BIASES.items())
}

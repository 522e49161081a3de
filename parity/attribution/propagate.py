"""One layer of the oracle near the original's recorded values: what a deviation of its input
becomes at its output.

A deviation d, float32, stands for the tensor a + d, where a is what the original recorded there;
None is d = 0. Nothing is
linearised: each formula below is O(a + d) - O(a) rewritten so that no large numbers are
subtracted. Its float32 arithmetic errs by 1e-6 of the deviation, not of the tensor, at half the
cost of float64.
"""

import itertools

import numpy as np

from parity.kinds import oracle
from parity.kinds.bounds import witness
from parity.numerics.rounding import BLOCK, Witness

SMALL = 2.0**-10  # below it d + d^2/2 is expm1(d) to d^2/6 = 1.6e-7 of itself
LINEAR_MOVES = ("ZeroPadding2D", "Dropout", "Flatten", "Permute", "Reshape")


class Carrier:
    """A layer, its float32 input and output as recorded, and the oracle's error there.

    layer, params, keras: as oracle.value takes them; given, expected: the original's input and
    output of that layer.
    error: O(given) - expected, sigma: the rounding error to expect, float32 of the output's shape;
    both are None where the layer moves values and the original did so bit for bit. Feed `observe`
    with every block of the layer's witness, or call `run`.
    """

    def __init__(self, layer, params, keras, given, expected):
        self.layer, self.params, self.keras = layer, params, keras
        self.given, self.expected = np.ascontiguousarray(given), np.ascontiguousarray(expected)
        self._rooms = {}

    @property
    def error(self):
        """O(given) - expected."""
        return self._rooms.get("error")

    @property
    def sigma(self):
        """The rounding error to expect."""
        return self._rooms.get("sigma")

    def observe(self, judge, block, error):
        """Take in one block of the witness of `given`; error: expected - o there (one zero where
        all are equal).

        May be called from several threads at once, as blocks do not overlap.
        """
        if not judge.moves:
            sigma = self._room("sigma", judge)[block.where]
            np.sqrt(
                block.bound2 if block.sigma2 is None else block.sigma2,
                out=sigma,
                casting="same_kind",
            )
            if block.sigma2 is None:
                sigma *= np.float32(judge.sigma_share)
        if not judge.moves or error.any():
            np.negative(error, out=self._room("error", judge)[block.where], casting="same_kind")

    def run(self):
        """Observe the whole layer, for a caller that has no blocks to show; returns self."""
        judge = witness(self.layer, self.params, self.given, self.keras)
        recorded = self.expected.reshape(judge.view)
        for where in judge.blocks():
            block = judge.block(where)
            self.observe(judge, block, np.subtract(recorded[where], block.o, dtype=np.float64))
        return self

    def errors(self):
        """As `run`, without sigma: half the work, for a caller that only carries."""
        judge = witness(self.layer, self.params, self.given, self.keras)
        recorded = self.expected.reshape(judge.view)
        for where in judge.blocks():
            error = np.subtract(judge.value(where), recorded[where], dtype=np.float64)
            if not judge.moves or error.any():
                self._room("error", judge)[where] = error
        return self

    def carry(self, deviation):
        """O(given + deviation) - expected, float32, or None for zero. The deviation's memory may
        be used for it.
        """
        if deviation is None:
            return None if self.error is None else self.error.copy()
        out = CARRIED.get(self.layer.kind, _through_float64)(self, deviation)
        if self.error is None:
            return out
        return np.add(out, self.error, out=out)

    def _room(self, name, judge):
        room = self._rooms.get(name)
        if room is None:  # two threads may get here; setdefault lets one room win
            room = self._rooms.setdefault(name, np.zeros(judge.shape, np.float32))
        return room.reshape(judge.view)


# Each takes (carrier, d) and returns O(a + d) - O(a), a = carrier.given; d may be overwritten.


def _move(carrier, d):
    return np.ascontiguousarray(oracle.MOVES[carrier.layer.kind](carrier.layer.config, d))


def _convolution(carrier, d):
    """A convolution is linear: the deviation is convolved, without the bias."""
    conv = oracle.convolution(carrier.layer, carrier.params, d.shape[1])
    matrix, out = conv.matrix.astype(np.float32), np.empty(conv.output_shape(d.shape), np.float32)
    flat = out.reshape(*out.shape[:2], -1)
    for where in conv.blocks(d.shape):
        np.matmul(matrix, conv.patches(d, where), out=flat[where][0])
    return out


def _normalization(carrier, d):
    """s' (a + d - m') - s (a - m) = s' d + (s' - s) a + (s m - s' m'): statistics and scale of a +
    d, primed, and of a.
    """
    axis = oracle.channel_axis(carrier.layer, d.shape)
    a, out = (t.reshape(oracle.as_channels(d.shape, axis)) for t in (carrier.given, d))
    scale, mean, _, variance, *_ = oracle.normalization(
        carrier.layer, carrier.params, a, carrier.keras
    )
    slope, tilt, shift = scale, 0 * scale, 0 * scale
    if variance is not None:
        of_mean, of_variance = _statistics_change(a, out, mean)
        slope = oracle.parameter(carrier.layer, carrier.params, "gamma") * oracle.dialect(
            carrier.keras
        )[1](variance + of_variance, float(carrier.layer.config["epsilon"]))
        tilt = slope - scale
        shift = -tilt * mean - slope * of_mean
    slope, tilt, shift = (p.astype(np.float32)[:, None] for p in (slope, tilt, shift))
    for where in Witness(d.shape, axis).blocks():
        part, channel = out[where], where[1]
        part *= slope[channel]
        if variance is not None:
            part += tilt[channel] * a[where] + shift[channel]
    return d


def _statistics_change(a, d, mean):
    """How mean and (biased) variance per channel of a (before, C, after) change with d: both (C,),
    float64.
    """
    count = a.shape[0] * a.shape[2]
    of_mean = sum(part.sum(axis=-1, dtype=np.float64) for part in d) / count
    of_variance = np.zeros(len(mean))
    for clip, channel in np.ndindex(a.shape[:2]):
        change = d[clip, channel] - of_mean[channel]  # float64, as the mean is
        centred = a[clip, channel] - mean[channel]
        of_variance[channel] += 2 * (centred @ change) + change @ change
    return of_mean, of_variance / count


def _elu(carrier, d):
    """p + alpha e^min(a,0) expm1(d - p), where p = max(a+d, 0) - max(a, 0) = max(d, -a) + min(a,
    0).
    """
    alpha = np.float32(carrier.layer.config["alpha"])
    judge = Witness(d.shape, min(1, d.ndim - 1))
    a, out = carrier.given.reshape(judge.view), d.reshape(judge.view)
    for where in judge.blocks():
        part, negative = out[where], np.minimum(a[where], 0)
        positive = np.maximum(part, -a[where]) + negative
        part -= positive  # min(a+d, 0) - min(a, 0)
        _exp_change(negative, part)
        part *= alpha
        part += positive
    return d


def _exp_change(x, d):
    """d becomes e^(x+d) - e^x = e^x expm1(d), for x and x + d up to 0; x may be overwritten."""
    largest = d.max()
    if largest > 1:  # expm1 may overflow, and where d is large nothing cancels
        before, far = np.exp(x), np.exp(np.minimum(x + d, 0))
        np.copyto(d, np.where(d > 1, far - before, before * np.expm1(np.minimum(d, 1))))
        return
    if max(largest, -d.min()) < SMALL:
        d *= 1 + d / 2
    else:
        np.expm1(d, out=d)
    d *= np.exp(x, out=x)


def _pool(carrier, d):
    """max((a - m) + d) over a window whose maximum in a is m: where a + d is largest, |a - m| is
    no more than deviations are.
    """
    config = carrier.layer.config
    recorded = oracle.MOVES["MaxPooling2D"](config, carrier.given)
    out = np.full(recorded.shape, -np.inf, np.float32)
    a, d, m, flat = (t.reshape(-1, *t.shape[2:]) for t in (carrier.given, d, recorded, out))
    many = max(1, 2 * BLOCK // a[0].size)
    for first in range(0, len(a), many):
        part = slice(first, first + many)
        for rows, columns in _taps(config, recorded.shape[2:]):
            near = a[part, rows, columns] - m[part]
            near += d[part, rows, columns]
            np.maximum(flat[part], near, out=flat[part])
    return out


def _taps(config, counts):
    """Per element of a pooling window: the slices of rows and of columns that hold it in every
    window.
    """
    strides = config.get("strides") or config["pool_size"]
    axes = [
        [slice(tap, tap + stride * (count - 1) + 1, stride) for tap in range(size)]
        for size, stride, count in zip(config["pool_size"], strides, counts, strict=True)
    ]
    return itertools.product(*axes)


def _through_float64(carrier, d):
    """Small layers: the oracle on both."""
    near, at = (
        oracle.value(carrier.layer, carrier.params, x, carrier.keras)
        for x in (np.add(carrier.given, d, dtype=np.float64), carrier.given)
    )
    return (near - at).astype(np.float32)


CARRIED = {
    **dict.fromkeys(LINEAR_MOVES, _move),
    "Convolution2D": _convolution,
    "BatchNormalization": _normalization,
    "ELU": _elu,
    "MaxPooling2D": _pool,
}

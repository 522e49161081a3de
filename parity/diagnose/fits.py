"""Hypotheses with something to find out first: which channels, which tap, how much. Each is tested
like any other.
"""

import numpy as np

from parity.diagnose import convolution, normalization, spreads
from parity.diagnose.elementwise import _leaky as leaky
from parity.diagnose.eps import fitted_eps
from parity.diagnose.subject import Adjusted, Mapped, pieces
from parity.numerics.rounding import NOTHING, Moves
from parity.numerics.taps import Taps

SUSPECTS_MOST = 4  # channels fitted one by one; more than that are no fault of single filters
BOTH = "gain and offset"  # named last: it explains whatever either does
POSITIONS_ENOUGH = 2**15  # per channel, to fit a line


def channel_map(judge, actual, without=None):
    """For each channel of `actual` the oracle's channel it equals within the bound, (C,), or None
    where one has none.

    without: what each channel has added, (C,), which is taken off on both sides.
    """
    values = np.ascontiguousarray(actual).reshape(judge.view)
    gathered = [_per_channel(judge.block(where), values[where]) for where in pieces(judge, 64)]
    port, o, bound2 = (np.concatenate(parts, axis=1) for parts in zip(*gathered, strict=True))
    if without is not None:
        port, o = port - without[:, None], o - without[:, None]
    found = np.empty(len(port), int)
    for channel, row in enumerate(port):
        ratio2 = (np.square(row - o) / bound2).max(axis=1)
        own = ratio2[channel] <= 1
        found[channel] = channel if own else int(np.argmin(ratio2))
        if not ratio2[found[channel]] <= 1:
            return None
    return found


def _per_channel(block, values):
    bound2 = np.full(block.o.shape, 2.0**-1000) if block.bound2 is None else block.bound2
    return [
        np.moveaxis(a, 1, 0).reshape(a.shape[1], -1).astype(np.float64)
        for a in (values, block.o, bound2)
    ]


def permuted(subject, judge, actual):
    """The output's channels in another order, which is found out."""
    order = channel_map(judge, actual) if judge.view[1] > 1 else None
    if order is None or (order == np.arange(len(order))).all():
        return
    yield _permutation_name(order, judge.axis_name), Adjusted(judge, order), None


def kernels_permuted(subject, judge, actual):
    """A convolution's kernels in another order, while every bias stays where it is."""
    order = channel_map(judge, actual, judge.conv.bias) if judge.view[1] > 1 else None
    if order is not None and (order != np.arange(len(order))).any():
        yield (
            f"{_permutation_name(order, 'kernel')}, not their biases",
            subject.but(params={"W": subject.params["W"][order]}),
            None,
        )


def _permutation_name(order, axis_name):
    moved, identity = np.flatnonzero(order != np.arange(len(order))), np.arange(len(order))
    shifts = [step for step in (1, -1) if (order == np.roll(identity, step)).all()]
    if len(moved) == 1:
        return f"{axis_name} {moved[0]} is a copy of {axis_name} {order[moved[0]]}"
    if len(moved) == 2 and order[moved[0]] == moved[1] and order[moved[1]] == moved[0]:
        return f"{axis_name}s {moved[0]} and {moved[1]} swapped"
    if shifts:
        return f"{axis_name}s one off"
    return f"{axis_name}s in another order"


def suspects(subject, judge, actual):
    """Channels with an element beyond the bound, and every channel's regression: (indices, gain,
    offset, their SEs).
    """
    if "suspects" not in subject.__dict__:  # several fits ask
        subject.__dict__["suspects"] = _suspects(
            judge, np.ascontiguousarray(actual).reshape(judge.view)
        )
    return subject.__dict__["suspects"]


def _suspects(judge, values):
    sums, beyond, centre = (
        np.zeros((7, judge.view[1])),
        np.zeros(judge.view[1], int),
        _centre(judge),
    )
    every = max(1, judge.view[0] * judge.view[2] // POSITIONS_ENOUGH)
    for where in judge.blocks():
        block = judge.block(where)
        d = values[where] - block.o
        beyond[where[1]] += np.count_nonzero(
            ~(d * d <= NOTHING if block.bound2 is None else d * d <= block.bound2), axis=(0, 2)
        )
        d, x, w = (
            a[:, :, ::every]
            for a in (d, block.o - centre[where[1], None], block.weights + 0 * block.o)
        )
        for row, term in zip(
            sums, (w, w * x, w * x * x, w * d, w * x * d, w * d * d, w * 0 + 1), strict=True
        ):
            row[where[1]] += np.einsum("acp->c", term)
    return np.flatnonzero(beyond), *_line(*sums)


def _centre(judge):
    return judge.limits.centre if judge.limits else np.zeros(judge.view[1])


def _line(w, wx, wxx, wd, wxd, wdd, count):
    """Weighted line d = offset + gain x per channel: gain, offset, their standard errors; 0 and
    inf where unfit.
    """
    with np.errstate(all="ignore"):
        determinant = w * wxx - wx * wx
        fits = determinant > 1e-9 * w * wxx
        gain = np.where(fits, (w * wxd - wx * wd) / determinant, 0.0)
        offset = (wd - gain * wx) / w
        noise = np.maximum(wdd - offset * wd - gain * wxd, 0) / np.maximum(1, count - 2)
        return (
            gain,
            offset,
            np.where(fits, np.sqrt(noise * w / determinant), np.inf),
            np.sqrt(noise / w),
        )


def adjusted(subject, judge, actual):
    """Channels multiplied by a constant or moved by one: up to a few, each by its own; or all
    multiplied by the same.
    """
    if judge.moves or judge.limits is None:
        return
    touched, gain, offset, se_gain, se_offset = suspects(subject, judge, actual)
    if not len(touched):
        strong = (np.abs(gain) > judge.limits.gain) & (np.abs(gain) > 15 * se_gain)
        touched = np.flatnonzero(
            strong | ((np.abs(offset) > 15 * se_offset) & (np.abs(offset) > judge.limits.offset))
        )
    yield _common_gain(judge, gain, se_gain)
    if 0 < len(touched) <= SUSPECTS_MOST:
        chosen = np.isin(np.arange(len(gain)), touched)
        yield from _few_adjusted(
            judge, touched, *(np.where(chosen, a, 0.0) for a in (gain, offset)), se_gain, se_offset
        )


def _common_gain(judge, gain, se_gain):
    """One factor for all channels: their mean, weighted; its standard error from how far the
    channels differ.
    """
    weights = np.where(np.isfinite(se_gain) & (se_gain > 0), 1 / np.square(se_gain), 0.0)
    factor = np.sum(weights * gain) / np.sum(weights)
    error = np.sqrt(np.sum(np.square(weights * (gain - factor)))) / np.sum(weights)
    return (
        "gain of all channels",
        Adjusted(judge, None, 1 + factor, -factor * _centre(judge)),
        _estimate("gain of all channels", 1 + factor, error),
    )


def _few_adjusted(judge, touched, gain, offset, se_gain, se_offset):
    names, axis_name, back = ", ".join(map(str, touched)), judge.axis_name, -gain * _centre(judge)
    which = f"{axis_name}{'s' * (len(touched) > 1)} {names}"
    of_gain = _of_each(f"gain of {axis_name}", touched, 1 + gain, se_gain)
    of_offset = _of_each(f"offset of {axis_name}", touched, offset, se_offset)
    yield f"gain of {which}", Adjusted(judge, None, 1 + gain, back), of_gain
    yield f"offset of {which}", Adjusted(judge, None, 1.0, offset), of_offset
    yield f"{BOTH} of {which}", Adjusted(judge, None, 1 + gain, back + offset), of_gain


def _of_each(what, channels, values, errors):
    """The first channel's estimate, and where there are several all of them as `each`."""
    found = [
        _estimate(f"{what} {channel}", values[channel], errors[channel]) for channel in channels
    ]
    return {**found[0], **({"each": found} if len(found) > 1 else {})}


def _estimate(what, value, se):
    return {"what": what, "value": float(value), "se": float(se)}


def locate_tap(subject, actual):
    """The kernel tap whose change best explains a Convolution2D's residual, over all channels, or
    None.

    actual: the port's output on the subject's input. Returns {what, at: [filter, channel, row,
    column] as the weight file
    has it, value: the change, relative (None for a weight of 0), se, t}; t in units of the layer's
    typical one (parity.numerics.taps).
    """
    judge, taps = subject.witness, Taps(subject.witness)
    values = np.ascontiguousarray(actual).reshape(judge.view)
    for where in judge.blocks():
        block = judge.block(where)
        taps.add(block, values[where] - block.o)
    found = taps.finding(values)
    if not found:
        return None
    change, se = _measured(judge, values, found["filter"], found["tap"])
    weight = judge.conv.matrix[found["filter"], found["tap"]]
    return {
        "what": f"change of tap {found['at']} (filter, channel, row, column)",
        "at": found["at"],
        "value": change,
        "relative": change / float(weight) if weight else None,
        "se": se,
        "t": found["t"],
    }


def _measured(judge, values, kernel, tap):
    """(change of that weight, its standard error): weighted by 1/B^2, with an intercept; the error
    is clustered by row.
    """
    rows = []
    for where in judge.blocks():
        block, x = judge.block(where), judge.conv.patches(judge.x, where)[tap].astype(np.float64)
        d, w = (values[where] - block.o)[0, kernel], block.weights[0, kernel]
        starts = np.arange(0, len(x), judge.shape[3])  # a block holds whole rows or a piece of one
        rows.append(np.add.reduceat([w, w * x, w * x * x, w * d, w * x * d], starts, axis=1))
    w, wx, wxx, wd, wxd = np.concatenate(rows, axis=1)
    mean, level = wx.sum() / w.sum(), wd.sum() / w.sum()
    spread = wxx.sum() - mean * wx.sum()
    change = (wxd.sum() - mean * wd.sum()) / spread
    scores = (
        wxd - mean * wd - (level - change * mean) * (wx - mean * w) - change * (wxx - mean * wx)
    )
    return float(change), float(np.sqrt(np.sum(scores**2)) / spread)


def one_tap(subject, judge, actual):
    """One weight of one kernel changed, by as much as the residual says."""
    found = locate_tap(subject, actual) if len(suspects(subject, judge, actual)[0]) <= 1 else None
    if found:
        kernels = subject.parameter("W").copy()
        kernels[tuple(found["at"])] += found["value"]
        yield (
            (
                f"one tap off: filter {found['at'][0]}, channel {found['at'][1]}, row "
                f"{found['at'][2]}, column {found['at'][3]}"
            ),
            subject.but(params={"W": kernels}),
            found,
        )


def some_filters(subject, judge, actual):
    """One filter, or a few, with kernels or bias as a hypothesis about all of them has it."""
    touched = suspects(subject, judge, actual)[0]
    if not 0 < len(touched) <= SUSPECTS_MOST or len(touched) == judge.view[1]:
        return
    which = f"of filter{'s' * (len(touched) > 1)} {', '.join(map(str, touched))} only"
    for name, maker in {**convolution.TABLE, "left out": convolution.left_out}.items():
        variant = maker(subject)
        if (
            variant is not None
            and variant.x is subject.x
            and variant.layer.config == subject.layer.config
        ):
            mixed = {key: value.copy() for key, value in subject.params.items()}
            for key, value in mixed.items():
                value[touched] = variant.params[key][touched]
            yield f"{name} ({which})", subject.but(params=mixed), None


def other_eps(subject, judge, actual):
    """The eps, for each formula of 1/spread, that gives the gains seen."""
    for name, (eps, error) in fitted_eps(subject, actual).items():
        if eps <= 0:  # no port has one: a gain, or another formula
            continue
        yield (
            spreads.spread_name(subject, name, float(f"{eps:.4g}")),
            normalization.with_spread(name, eps)(subject),
            {"what": f"eps of {name}", "value": eps, "se": error},
        )


def negative_side(subject, judge, actual):
    """ELU with another alpha, leaky ReLU with another slope: a constant times a known function of
    x <= 0.
    """
    x = subject.x.ravel()
    negative = np.flatnonzero(x < 0)[:: max(1, x.size // 2**18)]
    if not len(negative):
        return
    y, x = np.asarray(actual).ravel()[negative].astype(np.float64), x[negative].astype(np.float64)
    alpha, error = _factor(np.expm1(x), y)
    yield (
        f"alpha {alpha:.6g} instead of {subject.layer.config['alpha']:g}",
        subject.but(config={"alpha": alpha}),
        _estimate("alpha", alpha, error),
    )
    slope, error = _factor(x, y)
    yield (
        f"leaky ReLU with slope {slope:.6g}",
        leaky(slope)(subject),
        _estimate("slope", slope, error),
    )


def _factor(x, y):
    factor = np.dot(x, y) / np.dot(x, x)
    return float(factor), float(np.sqrt(np.sum(np.square((y - factor * x) * x))) / np.dot(x, x))


def dropout_on(subject, judge, actual):
    """Dropout left on: every value is 0 or x/(1 - p); which are 0 is read from the output."""
    keep = 1 - float(subject.layer.config["p"])
    dropped = np.asarray(actual) == 0
    if actual.shape == subject.x.shape and keep and (dropped & (subject.x != 0)).any():
        x = np.where(dropped, 0, subject.x)
        yield (
            "dropout left on",
            Mapped(x, lambda x: x / keep),
            _estimate(
                "share of values zeroed",
                np.mean(dropped),
                np.sqrt(keep * (1 - keep) / dropped.size),
            ),
        )
        yield "values zeroed at random", Moves(x), None

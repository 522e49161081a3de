"""Names what is wrong with a layer that answers its probes wrongly: by reading, not by regression.

What was read back is compared with the file bit for bit, under every variant of the kind that
changes parameters, as other formats would store it, then value by value. Only where reading says
nothing are the kind's hypotheses tested on a wrong answer.
"""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from parity import diagnose
from parity.errors import CannotRun
from parity.kinds import LayerCase
from parity.numerics.rounding import U, tail_factor
from parity.probes.asking import BEHAVIOUR, RIGHT, Layer
from parity.probes.judging import WHOLE, own_axis
from parity.results import FORMULA, NOT_PROBED, TRANSFORM, Probed, Read

FEW = 4  # values that are named one by one
LISTED = 3
TINY = 2.0**-50
BY_CHANCE = 14  # wrong answers to expect, where none has a probability of e^-14, 1e-6
CLIPS = 2  # that hypotheses are tested on
BITS = (8, 11, 16, 19, 20, 21, 22, 23)  # of a significand: bfloat16 8, float16 and TF32 11
FORMATS = {8: "bfloat16", 11: "float16 or TF32"}
OTHERS = " are others"
LEVELS_MOST = 2**17  # distinct values of what is stored as whole numbers


def cause_of(case: LayerCase, layer: Layer, guess: bool = True) -> str | None:
    """The cause of a layer that was not found to be the original's, or None. guess: whether to
    test hypotheses where reading says nothing.
    """
    message = layer.record.message or ""
    if message.startswith(BEHAVIOUR):
        return message.removeprefix(BEHAVIOUR)
    failure = layer.failure
    if (failure and failure.judged.narrow(case)) or _of_a_gain(case, layer):
        return None  # the place says it
    for name in (*_by_batch(layer), *_by_format(case, layer), *_by_reading(case, layer)):
        return name
    if failure is None:
        return layer.record.form
    found = _by_hypothesis(case, layer) if guess else None
    return found or next(_others(case, layer), None)


def settle(case: LayerCase, layer: Layer, guess: bool = True) -> Probed:
    """The layer's record with its cause, as of `cause_of`, and place, and its verdict by them."""
    record = layer.record
    if record.verdict in {*RIGHT, NOT_PROBED}:
        return record
    record.place = place_of(case, layer)
    narrow = layer.failure and layer.failure.judged.narrow(case)
    if layer.transform and not narrow and not [*_by_batch(layer), *_by_reading(case, layer)]:
        record.verdict, record.message = TRANSFORM, "weights are not read back bit for bit"
        return record
    record.cause = cause_of(case, layer, guess)
    if record.cause and record.verdict == FORMULA:
        record.verdict = f"FORMULA({record.cause})"
    return record


def told_by_clips(record: Probed, hypothesis: str | None) -> None:
    """Where reading says only that values are others, what explains the clips is the cause."""
    if hypothesis and (record.cause or "").endswith(OTHERS):
        record.cause, record.verdict = hypothesis, f"FORMULA({hypothesis})"


def place_of(case: LayerCase, layer: Layer) -> str | None:
    """Where all wrong answers to one probe are, if that is less than everywhere, and by what factor
    they are off, if that is one: "time frame 5, times 1.00000024".
    """
    if gain := _of_a_gain(case, layer):
        return gain
    if layer.failure is None:
        return None
    found, shape = layer.failure.judged, layer.failure.judged.looked_at
    if not found.wrong:
        return found.q_where if found.q_where != WHOLE else None
    names = case.kind.axes(case.config, len(shape)) or range(len(shape))
    parts = [
        f"{name} {', '.join(map(str, some[:LISTED]))}" + (" ..." if len(some) > LISTED else "")
        for name, some, size in zip(names, found.touched, shape, strict=True)
        if 0 < len(some) < size
    ]
    factor = [] if found.factor is None else [f"times {found.factor:.9g}"]
    return ", ".join(parts + factor) if parts else None


def _of_a_gain(case: LayerCase, layer: Layer) -> str | None:
    """The channel or unit whose gain explains what was fitted better than the parameters do that it
    was ascribed to: "unit 3, times 1.00000072".
    """
    if layer.odd is None or (layer.failure and layer.failure.judged.wrong):
        return None
    off = [each for each in layer.record.read if each.within < each.read]
    if any(each.sha256 or each.name not in case.params for each in off):
        return None
    probe, answer, _ = layer.odd
    params = {each.name: np.array(case.params[each.name], np.float64) for each in off}
    for each in off:
        at = tuple(each.at or ())
        params[each.name][at] = layer.read[each.name][at]
    room = (probe.high.astype(np.float64) - probe.low) / 2
    weight = np.divide(1, room, out=np.zeros_like(room), where=room > 0)
    size, error = (a * weight for a in (probe.expected, answer[probe.at] - probe.expected))
    fitted = (case.but(params=params, x=probe.x).value()[probe.at] - probe.expected) * weight
    axis = own_axis(case, answer.ndim)
    places = np.indices(answer.shape) if probe.at is ... else np.broadcast_arrays(*probe.at)
    sums = [np.bincount(places[axis].ravel(), (size * a).ravel()) for a in (size, error)]
    squares, products = np.maximum(sums[0], TINY), sums[1]
    shown = np.square(products) / squares
    most = int(np.argmax(shown))
    by_parameters = np.square(error).sum() - np.square(error - fitted).sum()
    chance = tail_factor(len(shown)) / tail_factor(error.size)  # room is so many sigma
    if shown[most] <= max(by_parameters, chance**2):
        return None
    names = case.kind.axes(case.config, answer.ndim) or range(answer.ndim)
    return f"{names[axis]} {most}, times {1 + products[most] / squares[most]:.9g}"


def _by_batch(layer: Layer) -> Iterator[str]:
    """Where large batches alone are answered wrongly, though small ones were asked the same, often
    enough to show as large a share of wrong answers.
    """
    wrong = [(name, clips, found) for name, clips, found in layer.history if found.wrong]
    asked = {name for name, _, _ in wrong}
    right = [
        (clips, found) for name, clips, found in layer.history if name in asked and not found.wrong
    ]
    least = min((clips for _, clips, _ in wrong), default=0)
    sizes = {clips for clips, _ in right}
    share = min((found.wrong / found.answers for _, _, found in wrong), default=0.0)
    if (
        len(sizes) > 1
        and max(sizes) < least
        and share * sum(found.answers for _, found in right) > BY_CHANCE
    ):
        yield f"only in batches of {least} or more"


def _by_format(case: LayerCase, layer: Layer) -> Iterator[str]:
    """Where no answer with something wrong has more bits than another format."""
    if layer.failure and layer.failure.judged.wrong and not case.kind.move:
        yield from (
            f"answers stored in {name}" for bits, name in FORMATS.items() if bits == layer.bits
        )


def _by_reading(case: LayerCase, layer: Layer) -> Iterator[str]:
    read = {name: found for name, found in layer.read.items() if name in case.params}
    if read:
        yield from _variants(case, read)
    changed = {
        name: found
        for name, found in read.items()
        if not _same(found, np.asarray(case.params[name], np.float64))
    }
    for name, found in changed.items():
        exact = next((each.sha256 for each in layer.record.read if each.name == name), None)
        if exact:
            yield from _stored(name, found, np.asarray(case.params[name]))
    few = [each for each in layer.record.read if 0 < each.read - each.within <= FEW]
    if 0 < sum(each.read - each.within for each in layer.record.read) <= FEW:
        for each in few:
            yield from _single(each, layer.read[each.name], case.params.get(each.name))
    yield from _factors(case, layer)


def _same(found: np.ndarray, own: np.ndarray) -> bool:
    """Whether all that was read is own; what could not be read is no difference."""
    return bool((np.isnan(found) | (found == own)).all()) and not np.isnan(found).all()


def _variants(case: LayerCase, read: dict[str, np.ndarray]) -> Iterator[str]:
    if all(_same(found, np.asarray(case.params[name])) for name, found in read.items()):
        return
    for name, make in {**case.kind.variants(case), **case.kind.combined(case)}.items():
        try:
            made = make(case)
        except (CannotRun, ValueError, IndexError):
            continue
        if not isinstance(made, LayerCase) or made.x is not case.x or made.config != case.config:
            continue
        if all(
            np.shape(made.params[key]) == found.shape and _same(found, made.params[key])
            for key, found in read.items()
        ):
            yield name


def _stored(name: str, found: np.ndarray, own: np.ndarray) -> Iterator[str]:
    """As another format would have stored it."""
    found = np.where(np.abs(found) < TINY * np.nanmax(np.abs(found)), 0.0, found)  # b for W = 0
    for bits in BITS:
        if _same(found, _rounded(own, bits)):
            yield f"{name} stored in {FORMATS.get(bits, f'{bits} bits')}"
            return
    levels = len(np.unique(found))
    if levels < min(LEVELS_MOST, 0.9 * len(np.unique(own))) and _on_a_lattice(found, own):
        yield f"{name} stored in {levels} levels"


def _rounded(values: np.ndarray, bits: int) -> np.ndarray:
    mantissa, exponent = np.frexp(np.asarray(values, np.float64))
    return np.asarray(np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits))


def _on_a_lattice(found: np.ndarray, own: np.ndarray) -> bool:
    """Whether each value is off by at most half of the smallest distance between any two."""
    apart = np.diff(np.unique(found))
    return bool(len(apart)) and float(np.abs(found - own).max()) <= 0.51 * float(np.median(apart))


def _single(record: Read, found: np.ndarray, own: np.ndarray | None) -> Iterator[str]:
    """Values told one by one; where they are not read exactly, the worst."""
    if record.sha256 and own is not None:
        yield ", ".join(
            f"{record.name} {tuple(map(int, at))} is {found[tuple(at)]:.9g}, not "
            f"{own[tuple(at)]:.9g}"
            for at in np.argwhere((found != own) & ~np.isnan(found))
        )
    elif record.at is not None:
        yield f"{record.name} {tuple(record.at)} is off by {record.worst_u:.3g} u"


def _others(case: LayerCase, layer: Layer) -> Iterator[str]:
    """How many values that are read exactly are others."""
    for record, _, own in _exact(case, layer):
        yield f"{record.read - record.within:,} of {own.size:,} values of {record.name}{OTHERS}"


def _factors(case: LayerCase, layer: Layer) -> Iterator[str]:
    """By what all values of a parameter are too large, where that is one factor."""
    for record, found, own in _exact(case, layer):
        ratio = found / np.where(own == 0, np.nan, own)
        middle = float(np.nanmedian(ratio))
        if float(np.nanmax(ratio) - np.nanmin(ratio)) <= 4 * U * abs(middle):
            yield f"{record.name} times {middle:.9g}"


def _exact(case: LayerCase, layer: Layer) -> Iterator[tuple[Read, np.ndarray, np.ndarray]]:
    """What was read exactly, and is not as the file has it."""
    for record in layer.record.read:
        if record.sha256 and record.within < record.read and record.name in case.params:
            own = np.asarray(case.params[record.name], np.float64)
            yield record, layer.read[record.name], own


def _by_hypothesis(case: LayerCase, layer: Layer) -> str | None:
    failure = layer.failure
    if failure is None or failure.probe.of != "run":
        return None
    x, more, answer = failure.probe.x, failure.probe.more, failure.answer
    if len(x) > CLIPS:  # those that are wrong, where clips do not depend on each other
        worst = (failure.judged.worst or (0,))[0]
        some = sorted({worst, (worst + 1) % len(x)})
        with suppress(CannotRun, ValueError):
            fewer = tuple(each[some] for each in more)
            part = case.but(x=x[some], more=fewer).value()
            if np.allclose(part, case.but(x=x, more=more).value()[some], rtol=1e-9, atol=0):
                x, more, answer = x[some], fewer, answer[some]
    asked = case.but(x=x, more=more)
    try:
        found = diagnose.cause(asked, None, answer)
    except (CannotRun, ValueError, FloatingPointError):
        return None
    return found.hypothesis

"""Names what is wrong with a layer that answers its probes wrongly: by reading, not by regression.

What was read back is compared with the file bit for bit, under every variant of the kind that
changes parameters, as other formats would store it, then value by value. Only where reading says
nothing are the kind's hypotheses tested on a wrong answer.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from parity import diagnose
from parity.errors import CannotRun
from parity.kinds import LayerCase
from parity.numerics.rounding import U
from parity.probes.asking import BEHAVIOUR, Layer

FEW = 4  # values that are named one by one
LISTED = 3
BITS = (8, 11, 16, 19, 20, 21, 22, 23)  # of a significand: bfloat16 8, float16 and TF32 11
FORMATS = {8: "bfloat16", 11: "float16 or TF32"}
LEVELS_MOST = 2**17  # distinct values of what is stored as whole numbers


def cause_of(case: LayerCase, layer: Layer) -> str | None:
    """The cause of a layer that was not found to be the original's, or None."""
    message = layer.record.message or ""
    if message.startswith(BEHAVIOUR):
        return message.removeprefix(BEHAVIOUR)
    for name in _by_reading(case, layer):
        return name
    return layer.record.form if layer.failure is None else _by_hypothesis(case, layer)


def place_of(layer: Layer) -> str | None:
    """Where all wrong answers to one probe are, if that is less than everywhere: "row 5"."""
    failure = layer.failure
    if failure is None or not failure.judged.wrong:
        return None
    return _places(failure.judged.touched, failure.answer.shape)


def _by_reading(case: LayerCase, layer: Layer) -> Iterator[str]:
    read = {name: found for name, found in layer.read.items() if name in case.params}
    if not read:
        return
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
    for name, found in changed.items():
        yield from _single(name, found, np.asarray(case.params[name], np.float64), layer)


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


def _single(name: str, found: np.ndarray, own: np.ndarray, layer: Layer) -> Iterator[str]:
    record = next(each for each in layer.record.read if each.name == name)
    if record.within == record.read:
        return
    with np.errstate(all="ignore"):
        off = np.abs(found - own) / np.abs(own) / U
    wrong = np.argwhere((found != own) & ~np.isnan(found)) if record.sha256 else None
    if wrong is not None and len(wrong) <= FEW:
        told = ", ".join(
            f"{name} {tuple(map(int, at))} is {found[tuple(at)]:.9g}, not {own[tuple(at)]:.9g}"
            for at in wrong
        )
        yield told
    elif wrong is not None:
        ratio = found / np.where(own == 0, np.nan, own)
        spread = float(np.nanmax(ratio) - np.nanmin(ratio))
        if spread <= 4 * U * abs(float(np.nanmedian(ratio))):
            yield f"{name} times {float(np.nanmedian(ratio)):.9g}"
        else:
            yield f"{len(wrong):,} of {own.size:,} values of {name} are others"
    elif record.at:
        at = tuple(record.at)
        yield f"{name} {at} is off by {float(off[at]):.3g} u"


def _by_hypothesis(case: LayerCase, layer: Layer) -> str | None:
    failure = layer.failure
    if failure is None or failure.probe.of != "run":
        return None
    asked = case.but(x=failure.probe.x)
    try:
        expected = asked.value().astype(np.float32)
        found = diagnose.cause(asked, expected, failure.answer)
    except (CannotRun, ValueError, FloatingPointError):
        return None
    return found.hypothesis


def _places(touched: Any, shape: tuple[int, ...]) -> str | None:
    names = ("clip", "channel", "row", "column") if len(shape) == 4 else tuple(
        f"axis {axis}" for axis in range(len(shape))
    )  # fmt: skip
    parts = [
        f"{name} {', '.join(map(str, some[:LISTED]))}" + (" ..." if len(some) > LISTED else "")
        for name, some, size in zip(names, touched, shape, strict=True)
        if 0 < len(some) < size
    ]
    return ", ".join(parts) or None

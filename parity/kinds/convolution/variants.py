"""What ports get wrong in a convolution: tables, and what is read off the output."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from parity.kinds.api import Change, LayerCase, Maker, Variant
from parity.kinds.convolution.bound import Sums
from parity.kinds.fitting import SUSPECTS_MOST, Proposal, Seen, channel_order, permutation_name
from parity.kinds.general import bias_times, operands_rounded
from parity.numerics.rounding import Array


def _kernels(change: Change, applies: Callable[[Array], bool] = lambda w: True) -> Maker:
    """Kernels (K, C, kh, kw) changed, where that applies to their shape."""
    return lambda s: s.but(params={"W": change(s.params["W"])}) if applies(s.params["W"]) else None


def _many(w: Array) -> bool:
    return w.shape[1] > 1


def _square(w: Array) -> bool:
    return w.shape[2] == w.shape[3]


def _padded(*mode: Any, before: tuple[int, int] = (1, 1), after: tuple[int, int] = (1, 1)) -> Maker:
    """Border mode 'same' with another padding: before and after in units of k//2."""

    def make(s: LayerCase) -> Variant:
        if s.config.get("border_mode") != "same":
            return None
        half = [k // 2 for k in s.params["W"].shape[2:]]
        sides = [(b * h, a * h) for b, a, h in zip(before, after, half, strict=True)]
        x = np.pad(s.x, [(0, 0), (0, 0), *sides], *mode)
        return s.but(config={"border_mode": "valid"}, x=x)

    return make


def _border(mode: str) -> Maker:
    return lambda s: (
        s.but(config={"border_mode": mode}) if s.config.get("border_mode") != mode else None
    )


def _even_kernels(s: LayerCase) -> Variant:
    """Of an even kernel's "same", TensorFlow and PyTorch have the odd zero at the end; of a stride,
    TensorFlow counts what is missing alone.
    """
    if s.config.get("border_mode") != "same":
        return None
    strides, edges = s.config.get("subsample", (1, 1)), []
    for n, k, stride in zip(s.x.shape[2:], s.params["W"].shape[2:], strides, strict=True):
        missing = max(0, (-(-n // stride) - 1) * stride + k - n)
        edges.append((missing // 2, missing - missing // 2))
    if all(before == k // 2 for (before, _), k in zip(edges, s.params["W"].shape[2:], strict=True)):
        return None
    return s.but(config={"border_mode": "valid"}, x=np.pad(s.x, [(0, 0), (0, 0), *edges]))


def _starts(s: LayerCase) -> Variant:
    """The strided windows begin one row and one column later."""
    strides = s.config.get("subsample", (1, 1))
    late = [int(stride > 1) for stride in strides]
    if not any(late) or s.config.get("border_mode") == "same":
        return None
    edges = [(0, 0), (0, 0), *((0, off) for off in late)]
    return s.but(x=np.pad(s.x[:, :, late[0] :, late[1] :], edges))


def _left_out(s: LayerCase) -> Variant:
    """Kernels and bias zero."""
    return s.but(params={key: 0 * value for key, value in s.params.items()})


def _both(one: Maker, other: Maker) -> Maker:
    """Two of these at once, the second on what the first made."""

    def make(s: LayerCase) -> Variant:
        changed = one(s)
        return other(changed) if isinstance(changed, LayerCase) else None

    return make


def _bias_rolled(step: int) -> Maker:
    return lambda s: (
        s.but(params={"b": np.roll(s.params["b"], step)}) if s.config.get("bias", True) else None
    )


KERNELS = {
    "kernels not flipped": _kernels(lambda w: w[:, :, ::-1, ::-1]),
    "kernels not flipped along their rows": _kernels(lambda w: w[:, :, ::-1]),
    "kernels not flipped along their columns": _kernels(lambda w: w[:, :, :, ::-1]),
    "kernel rows and columns transposed": _kernels(lambda w: w.transpose(0, 1, 3, 2), _square),
    "kernel rows and columns transposed, not flipped": _kernels(
        lambda w: w.transpose(0, 1, 3, 2)[:, :, ::-1, ::-1], _square
    ),
    "input and output channels of the kernels transposed": _kernels(
        lambda w: w.transpose(1, 0, 2, 3), lambda w: w.shape[0] == w.shape[1]
    ),
    "input channels in reversed order": _kernels(lambda w: w[:, ::-1], _many),
    "input channels one off": _kernels(lambda w: np.roll(w, 1, axis=1), _many),
    "input channels one off, the other way": _kernels(lambda w: np.roll(w, -1, axis=1), _many),
}
BIASES = {
    "bias left out": bias_times(0),
    "bias added twice": bias_times(2),
    "biases one off": _bias_rolled(1),
    "biases one off, the other way": _bias_rolled(-1),
}
# where the padding lies, in units of k//2: (before, after)
SAME = ("", (1, 1))
ROWS = [("one row too low", (0, 2)), ("one row too high", (2, 0))]
COLUMNS = [("one column too late", (0, 2)), ("one column too early", (2, 0))]
SHIFTED = {
    f"padding {' and '.join(filter(None, (row, column)))}": _padded(
        "constant", before=(up, left), after=(down, right)
    )
    for rows, columns in ((ROWS, [SAME]), ([SAME], COLUMNS), (ROWS, COLUMNS))
    for (row, (up, down)), (column, (left, right)) in itertools.product(rows, columns)
}
VARIANTS = {
    **KERNELS,
    "no padding (border mode valid)": _border("valid"),
    "padded (border mode same)": _border("same"),
    **SHIFTED,
    "padded as TensorFlow does": _even_kernels,
    "strided windows start late": _starts,
    "padded with the edge's values": _padded("edge"),
    "padded by reflection": _padded("reflect"),
    "padded around the other side": _padded("wrap"),
    **BIASES,
    **operands_rounded(),
}
COMBINED = {
    f"{one}, {other}": _both(first, second)
    for (one, first), (other, second) in itertools.product(KERNELS.items(), BIASES.items())
}


def kernels_permuted(seen: Seen) -> Iterator[Proposal]:
    """A convolution's kernels in another order, while every bias stays where it is."""
    if not isinstance(seen.judge, Sums):
        return
    order = channel_order(seen, without=seen.judge.conv.bias)
    if order is not None:
        name = f"{permutation_name(order, 'kernel')}, not their biases"
        yield Proposal(name, seen.case.but(params={"W": seen.case.params["W"][order]}))


def some_filters(seen: Seen) -> Iterator[Proposal]:
    """One filter, or a few, with kernels or bias as a hypothesis about all of them has it."""
    case, touched = seen.case, seen.touched
    if (
        not isinstance(seen.judge, Sums)
        or not 0 < len(touched) <= SUSPECTS_MOST
        or len(touched) == seen.judge.view[1]
    ):
        return
    which = f"of filter{'s' * (len(touched) > 1)} {', '.join(map(str, touched))} only"
    for name, make in {**VARIANTS, "left out": _left_out}.items():
        variant = make(case)
        if isinstance(variant, LayerCase) and variant.x is case.x and variant.config == case.config:
            mixed = {key: value.copy() for key, value in case.params.items()}
            for key, value in mixed.items():
                value[touched] = variant.params[key][touched]
            yield Proposal(f"{name} ({which})", case.but(params=mixed))

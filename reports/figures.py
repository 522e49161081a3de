"""Numbers and names as text: the digits that mean something, nothing that a reader obeys."""

import math
from collections.abc import Callable, Sequence

from parity.reports import Figure

ABSENT = "–"
# an axis in an element's index
AXES = {"clip": "b", "channel": "c", "mel band": "f", "time frame": "t", "time step": "t"}


def number(value: Figure) -> float | None:
    """A figure of the JSON as a float; None stays None."""
    return None if value is None else float(value)


def size(value: Figure) -> float:
    """The magnitude of a figure, to find the largest; NaN and None are below all others."""
    found = abs(number(value) or 0.0)
    return -math.inf if value is None or math.isnan(found) else found


def _text(value: Figure, write: Callable[[float], str], unit: str = "") -> str:
    value = number(value)
    if value is None:
        return ABSENT
    if not math.isfinite(value):
        return str(value)
    return ("0" if value == 0 else write(value)) + unit


def drift(value: Figure) -> str:
    """An absolute difference: two significant digits, `3.1e-07`, `0.99`, `430`."""
    return _text(value, lambda x: f"{float(f'{x:.1e}'):g}" if 0.01 <= abs(x) < 1e5 else f"{x:.1e}")


def magnitude(value: Figure) -> str:
    """A difference of any size: `3.8e-06`, `0.575`, `644`, `3920`."""
    size = abs(number(value) or 0)
    return (
        drift(value) if not 0.01 <= size < 1e5 else _text(value, lambda x: f"{float(f'{x:.3g}'):g}")
    )


def ratio(value: Figure) -> str:
    """A ratio around 1 (q, rho): two decimals, three digits from 10 on, `0.58`, `209`."""
    return _text(
        value,
        lambda x: f"{x:.2f}" if 0.01 <= abs(x) < 10 else f"{x:.3g}" if abs(x) < 1e4 else f"{x:.1e}",
    )


def bits(value: Figure, signed: bool = True) -> str:
    """Effective bits, one decimal; without the sign where words say which side it is on."""
    return _text(value, lambda x: f"{x if signed else abs(x):.1f}")


def percent(value: Figure) -> str:
    """A share of 1, two digits: `2.5 %`; below a hundredth of a percent `< 0.01 %`."""
    return _text(value, _in_hundred, " %")


def _in_hundred(share: float) -> str:
    if abs(share) < 1e-4:
        return "< 0.01" if share > 0 else "> -0.01"
    return f"{100 * share:.0f}" if abs(share) >= 0.0995 else f"{100 * share:.2g}"


def allowance(rho: Figure) -> str:
    """rho as a share of rounding's allowance: `42 %` inside it, `209 times` beyond."""
    value = number(rho)
    if value is None or not math.isfinite(value):
        return _text(value, str)
    if value > 1:
        return f"{ratio(value)} times"
    return "< 1 %" if 0 < value < 0.005 else f"{100 * value:.0f} %"


def of_allowed(rho: Figure) -> str:
    """The same in words: `42 % of what rounding allows`, `209 times what rounding allows`."""
    of = "" if size(rho) > 1 else "of "
    return f"{allowance(rho)} {of}what rounding allows"


def times(value: Figure) -> str:
    """A ratio of two figures of one kind: `1.3 times`, `=` where they are equal."""
    if value == 1:
        return "="
    return _text(
        value,
        lambda x: f"{x:.0f}" if 100 <= x < 1e4 else f"{x:.2g}" if 0.1 <= x < 100 else f"{x:.1e}",
        " times",
    )


def many(value: Figure) -> str:
    """A large ratio, two digits, thousands apart: `5 500`; as `ratio` below a hundred."""
    value = number(value)
    if value is None or not 100 <= value < 1e6:
        return ratio(value)
    return f"{float(f'{value:.2g}'):,.0f}".replace(",", "\u202f")


def thousands(value: int) -> str:
    """A count, thousands apart: `8 847 360`."""
    return f"{value:,}".replace(",", "\u202f")


def score(value: Figure) -> str:
    """A tag's score, 0 to 1, four decimals."""
    return _text(value, "{:.4f}".format)


def cell(value: object) -> str:
    """A value of any table: figures with four digits, words as they are."""
    if isinstance(value, bool) or value is None:
        return ABSENT if value is None else "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def is_figure(value: object) -> bool:
    """Whether a value of a table is aligned as a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def ended(words: str) -> str:
    """Words with one full stop at the end."""
    return words if words.endswith((".", "!", "?")) else f"{words}."


def sentence(words: str) -> str:
    """Words as a sentence: a capital first, one full stop at the end."""
    return ended(words[:1].upper() + words[1:])


def short(text: str, most: int) -> str:
    """`text`, or its beginning and its end where it is longer than `most`."""
    last = most // 3
    return text if len(text) <= most else f"{text[: most - last - 3]}...{text[len(text) - last :]}"


def counted(number: int, noun: str) -> str:
    """`1 layer`, `2 layers`."""
    return f"{number} {noun}" + "s" * (number != 1)


def pair(actual: Figure, expected: Figure) -> tuple[str, str]:
    """Two values with as many digits (5 to 9) as it takes to see their difference."""
    actual, expected = number(actual), number(expected)
    if actual is None or expected is None:
        return _text(actual, "{:.5g}".format), _text(expected, "{:.5g}".format)
    digits = next((d for d in range(5, 9) if f"{actual:.{d}g}" != f"{expected:.{d}g}"), 9)
    return f"{actual:.{digits}g}", f"{expected:.{digits}g}"


def place(index: Sequence[int] | None, axes: Sequence[str] | None) -> str:
    """An element's index with its axes named, `(b=0, t=14, unit=7)`; bare where unknown."""
    if not index:
        return ABSENT
    named = len(axes or ()) == len(index)
    names = [f"{AXES.get(axis, axis)}=" for axis in axes or ()] if named else [""] * len(index)
    return f"({', '.join(f'{name}{at}' for name, at in zip(names, index, strict=True))})"


def shape(axes: Sequence[int] | None) -> str:
    """A tensor's shape as Python writes a tuple."""
    return ABSENT if axes is None else str(tuple(axes))


def flags(value: str | dict[str, str]) -> str:
    """Theano's flags as one line, whether they were recorded as text or as a mapping."""
    if isinstance(value, str):
        return value
    return ",".join(f"{key}={flag}" for key, flag in sorted(value.items()))

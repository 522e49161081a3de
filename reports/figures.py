"""Numbers and names as text: as many digits as they mean, and nothing a terminal, a browser or XML
would obey.
"""

import math
import unicodedata

ABSENT = "–"
# Cc control, Cs lone surrogate, Co/Cn unassigned, Zl/Zp line separators; the bidirectional controls
# are of class Cf.
HIDDEN = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
BIDIRECTIONAL = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

# Axes as the originals have them: B batch, C channel, F mel band, T time frame.
AXES = {("Permute", 4): "btcf", 4: "bcft", 3: ("b", "t", "unit"), 2: ("b", "unit")}


def visible(text, keep=""):
    """`text` with control characters, lone surrogates and direction overrides written out
    (`\\x1b`), so it shows as itself.
    """
    return "".join(
        c
        if c in keep or not (c in BIDIRECTIONAL or unicodedata.category(c) in HIDDEN)
        else ascii(c)[1:-1]
        for c in str(text)
    )


def number(value):
    """A figure of parity.json as a float (`"inf"`, `"-inf"` and `"nan"` are written as words
    there); None stays None.
    """
    return None if value is None else float(value)


def _text(value, write, unit=""):
    value = number(value)
    if value is None:
        return ABSENT
    if not math.isfinite(value):
        return str(value)
    return ("0" if value == 0 else write(value)) + unit


def drift(value):
    """An absolute difference: two significant digits, `3.1e-07`, `0.99`, `430`."""
    return _text(value, lambda x: f"{float(f'{x:.1e}'):g}" if 0.01 <= abs(x) < 1e5 else f"{x:.1e}")


def ratio(value):
    """A ratio around 1 (q, rho): two decimals, three digits from 10 on, `0.58`, `209`."""
    return _text(
        value,
        lambda x: f"{x:.2f}" if 0.01 <= abs(x) < 10 else f"{x:.3g}" if abs(x) < 1e4 else f"{x:.1e}",
    )


def bits(value, signed=True):
    """Effective bits, one decimal; without its sign where the words say which side it is on."""
    return _text(value, lambda x: f"{x if signed else abs(x):.1f}")


def percent(value):
    """A share of 1 as `2.5 %`, two digits, none below a hundredth of a percent: `< 0.01 %`, `>
    -0.01 %`.
    """
    return _text(value, _in_hundred, " %")


def _in_hundred(share):
    if abs(share) < 1e-4:
        return "< 0.01" if share > 0 else "> -0.01"
    return f"{100 * share:.0f}" if abs(share) >= 0.0995 else f"{100 * share:.2g}"


def count(value):
    """A whole number; None as a dash."""
    return ABSENT if value is None else str(value)


def allowance(rho):
    """rho as a share of rounding's allowance: `42 %` inside it, `209 times` beyond."""
    rho = number(rho)
    if rho is None or not math.isfinite(rho):
        return _text(rho, str)
    if rho > 1:
        return f"{ratio(rho)} times"
    return "< 1 %" if 0 < rho < 0.005 else f"{100 * rho:.0f} %"


def times(value):
    """A ratio of two figures of the same kind: `1.3 times`, `=` where they are equal."""
    if value == 1:
        return "="
    return _text(
        value,
        lambda x: f"{x:.0f}" if 100 <= x < 1e4 else f"{x:.2g}" if 0.1 <= x < 100 else f"{x:.1e}",
        " times",
    )


def many(value):
    """A large count or ratio, two digits, thousands apart: `5 500`; as `ratio` below a hundred."""
    value = number(value)
    if value is None or not 100 <= value < 1e6:
        return ratio(value)
    return f"{float(f'{value:.2g}'):,.0f}".replace(",", "\u202f")


def ended(words):
    """Words with one full stop at the end."""
    return words if words.endswith((".", "!", "?")) else f"{words}."


def sentence(words):
    """Words as a sentence: a capital first, one full stop at the end."""
    return ended(words[:1].upper() + words[1:])


def short(text, most):
    """`text`, or its beginning and its end where it is longer than `most`."""
    last = most // 3
    return text if len(text) <= most else f"{text[: most - last - 3]}...{text[len(text) - last :]}"


def counted(number, noun):
    """`1 layer`, `2 layers`."""
    return f"{number} {noun}" + "s" * (number != 1)


def pair(actual, expected):
    """Two values with as many digits (5 to 9) as it takes to see their difference."""
    actual, expected = number(actual), number(expected)
    if actual is None or expected is None:
        return _text(actual, "{:.5g}".format), _text(expected, "{:.5g}".format)
    digits = next((d for d in range(5, 9) if f"{actual:.{d}g}" != f"{expected:.{d}g}"), 9)
    return f"{actual:.{digits}g}", f"{expected:.{digits}g}"


def place(index, kind):
    """An element's index with its axes named, `(b=0, t=14, unit=7)`; plain where the axes are not
    known.
    """
    if not index:
        return ABSENT
    axes = AXES.get((kind, len(index))) or AXES.get(len(index)) or ()
    names = [f"{axis}={at}" for axis, at in zip(axes, index, strict=False)] or [
        str(at) for at in index
    ]
    return f"({', '.join(names)})"


def shape(axes):
    """A tensor's shape as Python writes a tuple; a dash where it is not known."""
    return ABSENT if axes is None else str(tuple(axes))


def score(value):
    """A tag's score (0 to 1), four decimals."""
    return _text(value, "{:.4f}".format)


def flags(value):
    """Theano's flags as one line, whether they were recorded as text or as a mapping."""
    return (
        value
        if isinstance(value, str)
        else ",".join(f"{key}={flag}" for key, flag in sorted(value.items()))
    )

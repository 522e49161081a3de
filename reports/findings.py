"""What the investigation's section draws from investigation.json: its questions, findings, tables
and charts.
"""

from urllib.parse import quote

from parity.reports import charts, figures
from parity.reports.figures import counted

ROWS_MOST = 200  # of a table of evidence; its JSON has them all
VERDICTS = {"proved": ("good", "✓"), "refuted": ("bad", "✗"), "not decidable": ("missing", "∅")}


def anchor(name):
    """The id of a finding on the page, for links to it: `finding-decibels`."""
    return f"finding-{quote(name, safe='', errors='backslashreplace')}"


def heard(document):
    """Which clips it was found on: how many, and which were left out and why, as sentences."""
    left_out = [f"Left out: {each['clip']}: {each['message']}" for each in document["left_out"]]
    return [
        figures.sentence(words) for words in (counted(len(document["clips"]), "clip"), *left_out)
    ]


def ran(question):
    """What a question's originals ran on, and what Theano's optimizer does to their scores; empty
    where none ran.
    """
    stack = ", ".join(
        f"{model} under Keras {keras.removeprefix('Keras ')}"
        for model, keras in question["stack"].items()
    )
    if not stack:
        return ""
    noise = [
        f"{model} agrees with itself without it to {figures.drift(found['max_abs'])}"
        f" ({figures.percent(found['ratio'])} of what rounding "
        f"allows{'' if found['holds'] else ', TOO MUCH'})"
        for model, found in question["optimizer_noise"].items()
    ]
    compiled = f"Theano's optimizer {question['optimizer']}" if question["optimizer"] else ""
    return figures.sentence("; ".join(filter(None, (f"Original: {stack}", compiled, *noise))))


def evidence_chart(table):
    """The chart that a table of evidence asks for; "" where it asks for none or its columns are
    not there.
    """
    chart, columns = table["chart"], table["columns"]
    if not chart or not {
        chart["x"],
        *chart["y"],
        *([chart["series"]] if chart["series"] else []),
    } <= set(columns):
        return ""
    at = columns.index
    points = [
        (row[at(chart["x"])], _figure(row[at(y)]), _series(chart, row, y, at))
        for y in chart["y"]
        for row in table["rows"]
    ]
    points = [(x, y, series) for x, y, series in points if x is not None and y is not None]
    numeric = chart["kind"] == "lines" and all(
        isinstance(x, (int, float)) and not isinstance(x, bool) for x, _, _ in points
    )
    draw = {"lines": charts.lines, "bars": charts.bars}[chart["kind"]]
    points = points if numeric else [(cell(x), y, series) for x, y, series in points]
    return draw(
        points,
        label=table["title"],
        x=chart["x"],
        y=", ".join(chart["y"]),
        log=chart["log"],
        height=190,
        order=None if numeric else list(dict.fromkeys(x for x, _, _ in points)),
    )


def _series(chart, row, y, at):
    name = [] if chart["series"] is None else [cell(row[at(chart["series"])])]
    return " ".join([*name, *([y] if len(chart["y"]) > 1 or not name else [])])


def _figure(value):
    try:
        return None if isinstance(value, bool) else figures.number(value)
    except ValueError:
        return None


def cell(value):
    """A value of a table of evidence as text: figures with four digits, words as they are."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (
        figures.ABSENT
        if value is None
        else f"{value:.4g}"
        if isinstance(value, float)
        else str(value)
    )


def is_figure(value):
    """Whether a cell is aligned as a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def effect_text(effect):
    """`largest difference: 0.42 points`."""
    return f"{effect['what']}: {cell(figures.number(effect['value']))} {effect['unit']}".strip()

"""A proved collection as text and page, from its corpus.json alone."""

from collections.abc import Iterable

from parity.reports import Record, charts, figures, html
from parity.reports.charts import Point
from parity.reports.document import Kind
from parity.reports.figures import counted
from parity.reports.summary import DATA

CORPUS = Kind("corpus.json", "corpus.schema.json", "parity corpus")
SERIES = {"drift": "port to original", "noise": "the original's own noise"}
SHOWN = 5  # layers in the text


def text(document: Record) -> str:
    """A few lines for a terminal: the data, then each model."""
    lines = [
        DATA[document["data"]],
        *(line for model in document["models"] for line in _told(model)),
    ]
    return "\n".join(lines) + "\n"


def page(written: str) -> str:
    """corpus.html, of the text of a corpus.json."""
    document = CORPUS.read(CORPUS.file, written)
    shown = {
        "document": document,
        "data": DATA[document["data"]],
        "sentences": {model["name"]: sentence(model) for model in document["models"]},
        "drifts": {model["name"]: _drifts(model) for model in document["models"]},
        "nearness": {model["name"]: _shares(model) for model in document["models"]},
    }
    return html.draw("corpus.html.j2", document, CORPUS.file, **shown)


def sentence(model: Record) -> str:
    """One model over all clips."""
    proved = model["clips"] - model["failed"]
    if not proved:
        return f"none of {counted(model['clips'], 'clip')} could be proved"
    worst = model["near"][0]
    said = (
        f"{model['held']} of {counted(proved, 'clip')} hold; drift up to "
        f"{figures.drift(model['drift'][-1])}, the original's own noise up to "
        f"{figures.drift(model['noise'][-1])}; {worst['layer']} comes nearest to its bound, "
        f"{figures.allowance(worst['most'])}; {counted(model['changed'], 'clip')} with tags in "
        f"another order, {model['first_changed']} with another first tag"
    )
    return said + (f"; {model['failed']} could not be read" if model["failed"] else "")


def ends(model: Record) -> str:
    """How much was met of what hides differences."""
    parts = {"silence": "values silent", "saturation": "scores", "gates": "gates"}
    told = ", ".join(
        f"{figures.percent(model[name])} of the {said}"
        for name, said in parts.items()
        if model[name] is not None
    )
    return f"of all clips: {told} at 0 or 1"


def _told(model: Record) -> Iterable[str]:
    yield f"{model['name']}: {model['verdict']}; {sentence(model)}"
    near = model["near"][:SHOWN]
    if near:
        told = ", ".join(f"{each['layer']} {figures.allowance(each['most'])}" for each in near)
        yield f"  nearest to their bounds: {told}"
    if model["clips"] > model["failed"]:
        yield (
            f"  {model['nearer']} clips drift no farther than the original from itself; "
            f"{model['silent']} silent for half, {model['saturated']} with a score at 0 or 1"
        )
        yield f"  {ends(model)}"


def _drifts(model: Record) -> object:
    points: list[Point] = [
        (100 * at / (len(model[name]) - 1), value, words)
        for name, words in SERIES.items()
        for at, value in enumerate(model[name])
    ]
    return charts.chart(
        points,
        label=f"drift of {model['name']}'s scores, by share of the clips",
        x="share of the clips, %",
        y="largest difference of a score",
    )


def _shares(model: Record) -> object:
    return charts.chart(
        [
            (each["layer"], each[name], words)
            for name, words in (("most", "most of all clips"), ("median", "median clip"))
            for each in model["near"]
        ],
        label=f"share of rounding's allowance of {model['name']}'s layers",
        y="share of rounding's allowance",
        log=False,
        order=[each["layer"] for each in model["near"]],
    )

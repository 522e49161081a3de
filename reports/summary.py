"""What a whole run says: its cells, counts, sentences and one line of figures per model.
Everything is drawn from these.
"""

import math
from typing import NamedTuple

from parity.reports import figures
from parity.reports.verdicts import CELLS, MODES, describe, passes

DATA = {"real": "real data", "seeded": "seeded stand-ins: NOT the published weights"}
FINAL = (
    ("port_reference", "port to original"),
    ("noise_reference", "original's own noise"),
    ("port_truth", "port to truth"),
    ("reference_truth", "original to truth"),
    ("noise_truth", "original (fast_run) to truth"),
)


class Cell(NamedTuple):
    """One comparison: a model, one of its layers, `isolated` or `chained`, and the figures of that
    mode.
    """

    model: dict
    layer: dict
    mode: str

    @property
    def figures(self):
        return self.layer[self.mode]

    @property
    def verdict(self):
        return self.figures["verdict"]

    @property
    def holds(self):
        return passes(self.verdict)

    @property
    def name(self):
        return f"{self.model['name']} / {self.layer['name']} ({self.mode})"


def cells(document):
    """Every Cell of a document, models and layers in its own order."""
    return [cell for model in document["models"] for cell in cells_of(model)]


def cells_of(model):
    """Every Cell of one model in network order, isolated before chained."""
    return [Cell(model, layer, mode) for layer in model["layers"] for mode in MODES]


def offenders(model):
    """The cells that do not hold, by their own fault; the first offender first, in network
    order.
    """
    return [cell for cell in cells_of(model) if not cell.holds and cell.verdict != "INHERITED"]


def guilty(model):
    """The layers that do not hold by their own fault, in network order."""
    return list({cell.layer["name"]: cell.layer for cell in offenders(model)}.values())


def fails(layer):
    """Whether either cell of a layer does not hold, by its own fault or an earlier layer's."""
    return not all(passes(layer[mode]["verdict"]) for mode in MODES)


def found_by(model, layer):
    """What the page's filter finds a layer by: names, kind, verdicts, cause, and `fail` or
    `holds`.
    """
    verdicts = dict.fromkeys(layer[mode]["verdict"] for mode in MODES)
    cause = (layer["cause"] or {}).get("hypothesis") or ""
    return " ".join(
        filter(
            None,
            [
                model["name"],
                layer["name"],
                layer["kind"],
                *verdicts,
                cause,
                "fail" if fails(layer) else "holds",
            ],
        )
    )


def worst_first(model):
    """{layer name: its place, 0 for the worst}: by the graver verdict of its cells, then by the
    allowance used, then network order.
    """
    ordered = sorted(model["layers"], key=_badness, reverse=True)
    return {layer["name"]: place for place, layer in enumerate(ordered)}


def _badness(layer):
    words = [layer[mode]["verdict"].partition("(")[0] for mode in MODES]
    used = [
        figures.number(layer[mode][key])
        for mode, key in zip(MODES, ("rho_port", "rho_local"), strict=True)
    ]
    return max(map(list(CELLS).index, words)), max(
        0.0 if rho is None or math.isnan(rho) else rho for rho in used
    )


def counts(document):
    """Cells by verdict word, FORMULA names together, most severe last; words that do not occur are
    left out.
    """
    words = [cell.verdict.partition("(")[0] for cell in cells(document)]
    return {word: words.count(word) for word in CELLS if word in words}


def data_sentence(document):
    """The first line of every output: real data or stand-ins."""
    return DATA[document["data"]]


def verdict_sentence(document):
    """The run's verdict with its counts, in one sentence."""
    models = document["models"]
    if not cells(document):
        return f"{document['verdict']}: nothing was compared."
    first = next((offender for model in models for offender in offenders(model)), None)
    where = f"; first offender {first.name}" if first else ""
    scope = (
        f" for the selected {', '.join(document['selection'])}" if document.get("selection") else ""
    )
    holding = sum(model["verdict"] == "HOLDS" for model in models)
    proved = f"{holding} of {len(models)} {_plural(models)} proved"
    return f"{document['verdict']}{scope}: {proved}, {_compared(counts(document))}{where}."


def _compared(found):
    """`36 comparisons (3 EXACT, 33 ROUNDING)`; how many of those that were declared, where some
    are missing.
    """
    every, missing = sum(found.values()), found.get("NOT COMPARED", 0)
    if missing == every:
        return f"nothing was compared: all {every} comparisons are missing"
    parts = ", ".join(f"{count} {word}" for word, count in found.items() if word != "NOT COMPARED")
    return (
        f"{every - missing} of {every} comparisons made ({parts})"
        if missing
        else f"{every} comparisons ({parts})"
    )


def _plural(models):
    return "model" if len(models) == 1 else "models"


def worst_text(model):
    """Worst layer of a model: `conv3 (isolated) ROUNDING`; a dash where nothing was compared."""
    worst = model["worst"]
    return (
        figures.ABSENT
        if not worst or not worst["layer"]
        else f"{worst['layer']} ({worst['mode']}) {worst['verdict']}"
    )


def model_row(model):
    """One line per model, as text: name, marked verdict, worst layer, allowance used, then the
    final drifts of FINAL[:4].
    """
    rho = (model["worst"] or {}).get("rho")
    return [
        model["name"],
        f"{describe(model['verdict']).mark} {model['verdict']}",
        worst_text(model),
        figures.allowance(rho),
        *(figures.drift(model["final"][key]) for key, _ in FINAL[:4]),
    ]


MODEL_HEADINGS = (
    "model",
    "verdict",
    "worst layer",
    "allowance used",
    *(label for _, label in FINAL[:4]),
)


def stacks(document):
    """The originals' stacks, each once: `Keras 1.0.6 on Theano 1.0.5`."""
    return list(
        dict.fromkeys(
            original(model) + f" on Theano {model['stack']['theano']}"
            for model in document["models"]
        )
    )


def versions(document):
    """What the port ran on: `Chainer 7.8.1, NumPy 1.23.5, Python 3.11.7`; what is not known is
    left out.
    """
    environment = document["environment"]
    known = ((name, environment[name.lower()]) for name in ("Chainer", "NumPy", "Python"))
    return ", ".join(f"{name} {version}" for name, version in known if version)


def original(model):
    """What the port is measured against: `Keras 1.1.0`."""
    return f"Keras {model['stack']['keras']}"

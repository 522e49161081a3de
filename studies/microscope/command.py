"""`parity microscope`: GRU, batch normalisation and convolution looked into, and what stock
Chainer would have cost.
"""

import json
import sys

import click

from parity.options import INPUT, MODELS, WORKERS, command_line, out_of, port, takes
from parity.program import FORCE, JSON, Command, result, wants_json, wrote

OUTPUT = "microscope.json"


@click.command(cls=Command, example="parity microscope --model CRNN")
@takes(MODELS, INPUT, WORKERS, port("The port to look into."), out_of(OUTPUT), JSON, FORCE)
def microscope(asked, workers, port, output):
    """Look into GRU, batch normalisation and convolution, and measure what each of the port's
    fixes is worth.

    Writes microscope.json; judges nothing. Gates, batch statistics as they are computed, and the
    train phase are looked into in our own port only.
    """
    from parity import progress
    from parity.document import to_json
    from parity.files import check_writable
    from parity.files import publish as write
    from parity.reports import microscope as drawn
    from parity.reports import publish
    from parity.studies.microscope.examination import examine_all

    check_writable(output, ".json", make=True)
    chosen, _ = asked.chosen()
    with progress.shown() as shown:
        found = examine_all(
            chosen, port=port, workers=workers, command=command_line(), progress=shown
        )
    text = to_json(found)
    drawn.validate(json.loads(text), output)
    write({output: text}, kind=".json")
    lines = [line(model.name, trial) for model in found.models for trial in model.worth]
    result("".join(f"{each}\n" for each in lines), text)
    publish.redraw(output, sys.stderr if wants_json() else None)
    wrote(output)


def line(model, trial):
    """A trial as one line: model, drift, where, largest drift there and at the end, the tags."""
    layers, tags = trial.layers, trial.tags
    fields = (
        model,
        trial.drift,
        layers[0] if len(layers) == 1 else f"{len(layers)} layers",
        f"{max(cost.max_abs for cost in trial.at_layer.values()):.3g}",
        f"{trial.final.max_abs:.3g}",
        "; ".join(
            f"{tag.expected} -> {tag.actual}" if tag.changed else f"{tag.expected} stays"
            for tag in tags
        ),
        f"top {tags[0].k}: " + ", ".join(f"{tag.jaccard:.2f}" for tag in tags),
    )
    return "\t".join(fields)

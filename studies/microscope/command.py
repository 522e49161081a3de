"""`parity microscope`: GRU, batch normalisation and convolution looked into, and what stock
Chainer would have cost.
"""

import json
import shlex
import sys
from pathlib import Path

import click

from parity.ports import OURS

OUT = Path("reports/out/microscope.json")


@click.command()
@click.option(
    "--model",
    "models",
    multiple=True,
    help="CRNN, CRNN50, CNN0 or CNN (repeatable); default: CRNN, CNN0, CNN.",
)
@click.option(
    "--weights", help="A Keras weight file of the chosen model; default: the published one."
)
@click.option(
    "--clips",
    "clips",
    multiple=True,
    metavar="CLIP...",
    help=(
        "Mel spectrograms (.npy) or audio files, all in one batch; default: the two published ones."
    ),
)
@click.option(
    "--workers",
    default=2,
    show_default=True,
    type=click.IntRange(1),
    help="Processes side by side.",
)
@click.option(
    "--port",
    default=OURS,
    show_default=True,
    metavar="MODULE:FUNCTION",
    help="The port to look into.",
)
@click.option(
    "-o",
    "--output",
    default=str(OUT),
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The JSON to write.",
)
@click.argument("more_clips", nargs=-1, metavar="[CLIP]...")
def microscope(models, weights, clips, workers, port, output, more_clips):
    """Look into GRU, batch normalisation and convolution, and measure what each of the port's
    fixes is worth.

    Writes microscope.json; judges nothing. Gates, batch statistics as they are computed, and the
    train phase are looked into in our own port only.
    """
    from parity import progress
    from parity.document import to_json
    from parity.files import atomic_write
    from parity.model import cases
    from parity.reports import microscope as drawn
    from parity.reports import publish
    from parity.studies.microscope import examining as looking

    chosen = cases(models, weights, (*clips, *more_clips))
    with progress.shown() as shown:
        found = looking.examine_all(
            chosen,
            port=port,
            workers=workers,
            command=shlex.join(["parity", *sys.argv[1:]]),
            progress=shown,
        )
    text = to_json(found)
    drawn.validate(json.loads(text), output)
    atomic_write(output, text)
    for model in found["models"]:
        for trial in model["worth"]:
            click.echo(line(model["name"], trial))
    publish.redraw(output)


def line(model, trial):
    """One trial as a line: model, drift, where, largest drift there and at the end, and what
    became of the tags.
    """
    where = trial["layers"][0] if len(trial["layers"]) == 1 else f"{len(trial['layers'])} layers"
    at_layer, final = (
        max(cost["max_abs"] for cost in trial["at_layer"].values()),
        trial["final"]["max_abs"],
    )
    tags = "; ".join(
        f"{tag['expected']} -> {tag['actual']}" if tag["changed"] else f"{tag['expected']} stays"
        for tag in trial["tags"]
    )
    shared = ", ".join(f"{tag['jaccard']:.2f}" for tag in trial["tags"])
    return "\t".join(
        (
            model,
            trial["drift"],
            where,
            f"{at_layer:.3g}",
            f"{final:.3g}",
            tags,
            f"top {trial['tags'][0]['k']}: {shared}",
        )
    )

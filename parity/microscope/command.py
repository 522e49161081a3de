"""`parity microscope`: GRU, batch normalisation and convolution looked into, and what stock Chainer would have cost."""

import shlex
import sys
from pathlib import Path

import click

OUT = Path("reports/out/microscope.json")


@click.command()
@click.option("--model", "models", multiple=True, help="CRNN, CRNN50, CNN0 or CNN (repeatable); default: CRNN, CNN0, CNN.")
@click.option("-o", "--output", default=str(OUT), show_default=True, type=click.Path(dir_okay=False, path_type=Path),
              help="The JSON to write.")
def microscope(models, output):
    """Look into GRU, batch normalisation and convolution, and measure what each of the port's fixes is worth.

    Writes microscope.json; judges nothing.
    """
    from parity import cases, progress
    from parity.document import to_json
    from parity.files import atomic_write
    from parity.microscope import examining as looking

    names, _ = cases.select(models, ())
    with progress.shown() as shown:
        found = looking.examine_all([cases.case_for(name) for name in names], command=shlex.join(["parity", *sys.argv[1:]]),
                                    progress=shown)
    atomic_write(output, to_json(found))
    for model in found["models"]:
        for trial in model["worth"]:
            click.echo(line(model["name"], trial))


def line(model, trial):
    """One trial as a line: model, drift, where, largest drift there and at the end, and what became of the tags."""
    where = trial["layers"][0] if len(trial["layers"]) == 1 else f"{len(trial['layers'])} layers"
    at_layer, final = max(cost["max_abs"] for cost in trial["at_layer"].values()), trial["final"]["max_abs"]
    tags = "; ".join(f"{tag['expected']} -> {tag['actual']}" if tag["changed"] else f"{tag['expected']} stays" for tag in trial["tags"])
    shared = ", ".join(f"{tag['jaccard']:.2f}" for tag in trial["tags"])
    return "\t".join((model, trial["drift"], where, f"{at_layer:.3g}", f"{final:.3g}", tags, f"top {trial['tags'][0]['k']}: {shared}"))

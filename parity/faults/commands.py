"""`python -m parity faults`: the port broken in every known way, to prove that the harness can
fail.
"""

import shlex
import sys
from pathlib import Path

import click

OUT = Path("reports/out")


@click.command()
@click.option(
    "--only",
    "ids",
    multiple=True,
    metavar="ID",
    help="Try only this fault or reordering (repeatable).",
)
@click.option("--model", "models", multiple=True, help="Only faults in this model (repeatable).")
@click.option(
    "--layer", "layers", multiple=True, help="Only faults planted at this layer (repeatable)."
)
@click.option("--list", "listed", is_flag=True, help="Name the faults and stop.")
@click.option(
    "--workers",
    default=2,
    show_default=True,
    type=click.IntRange(1),
    help="Processes side by side.",
)
@click.option(
    "--out",
    default=str(OUT),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where faults.json goes.",
)
def faults(ids, models, layers, listed, workers, out):
    """Break the port in every known way and see whether each fault is caught, located and named.

    Writes faults.json and faults.md. Exit codes: 0 every promise that was tried holds: no fault
    survives, every harmless reordering is left alone, at least 95 % of the decidable faults are
    named, the final drift is put down to the broken layer in at least 95 % of the faults that can
    be blamed for it, and an eps, a tap and the published port's formulas are found out
    (faults.json lists them under "promises"); 1 otherwise; 2 the run could not be made. A run that
    is stopped goes on where it was.
    """
    from parity.faults import run as job

    chosen = job.select(models, layers, ids)
    if listed:
        for fault in (fault for whole in chosen for fault in whole):
            click.echo(f"{fault.id}\t{fault.kind}\t{fault.cause or 'harmless'}")
        return
    found = _run(chosen, bool(ids or models or layers), workers, out)
    sys.exit(0 if job.holds(found) else 1)


def _run(chosen, selected, workers, out):
    from parity import progress
    from parity.document import to_json
    from parity.faults import run as job
    from parity.faults.kept import Kept
    from parity.files import atomic_write
    from parity.reports import faults as drawn
    from parity.reports import publish

    selection = [fault.id for whole in chosen for fault in whole] if selected else None
    with progress.shown() as shown:
        found = job.run(
            *chosen,
            kept=Kept(out / "faults.kept.json"),
            workers=workers,
            progress=shown,
            selection=selection,
            command=shlex.join(["parity", *sys.argv[1:]]),
        )
    atomic_write(out / "faults.json", to_json(found))
    document = drawn.read(out / "faults.json")
    atomic_write(out / "faults.md", drawn.markdown(document))
    click.echo(drawn.text(document), nl=False)
    publish.redraw(out / "faults.json")
    return found

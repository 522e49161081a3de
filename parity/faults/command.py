"""`python -m parity faults`: the port broken in every known way, to prove that the harness can
fail.
"""

import sys
from pathlib import Path

import click

from parity.errors import CannotRun
from parity.options import OUT_FOLDER, WORKERS, command_line, takes
from parity.program import FORCE, JSON, Command, end, result, say, wants_json, wrote


@click.command(cls=Command, example="parity faults --model CRNN --layer gru1")
@click.option("--only", "ids", multiple=True, metavar="ID", help="Only this fault (repeatable).")
@click.option(
    "-m", "--model", "models", multiple=True, help="Only faults in this model (repeatable)."
)
@click.option(
    "-l", "--layer", "layers", multiple=True, help="Only faults at this layer (repeatable)."
)
@click.option("--list", "listed", is_flag=True, help="Name the faults and stop.")
@WORKERS
@takes(OUT_FOLDER, JSON)
@FORCE
def faults(ids, models, layers, listed, workers, out):
    """Break the port in every known way and see whether each fault is caught, located and named.

    In a folder with a project file they are the ports of its models, and every layer is computed
    by every other formula that is known for it (`parity hypotheses`).

    Writes faults.json and faults.md. A run that is stopped goes on where it was. Exit codes: 0
    every promise that was tried holds (faults.json lists them under "promises"): no fault
    survives, every harmless reordering is left alone, at least 95 % of the decidable faults are
    named, the broken layer is blamed in at least 95 % of those that can be blamed for the final
    drift, and an eps and the published port's formulas are found out; 1 otherwise; 2 the
    run could not be made.
    """
    from parity import progress, project
    from parity.document import to_json
    from parity.faults import run as job
    from parity.files import check_writable
    from parity.files import publish as write
    from parity.reports import faults as drawn
    from parity.reports import publish

    of_project = project.is_one(Path())
    chosen = [] if of_project else job.select(models, layers, ids)
    if listed:
        if of_project:
            raise CannotRun("the faults of a project are every layer's `parity hypotheses`")
        for mutant in chosen:
            say(f"{mutant.id}\t{mutant.kind}\t{mutant.cause or 'harmless'}")
        return
    json = out / "faults.json"
    for path in (json, out / "faults.md"):
        check_writable(path, make=True)
    with progress.shown() as shown:
        found = (
            job.of_project(
                models, layers, ids, workers=workers, progress=shown, command=command_line()
            )
            if of_project
            else job.run(
                chosen,
                folder=out / "faults.kept",
                workers=workers,
                progress=shown,
                selection=[mutant.id for mutant in chosen] if ids or models or layers else None,
                command=command_line(),
            )
        )
    text = to_json(found)
    document = drawn.read(json, text)
    write({json: text, out / "faults.md": drawn.markdown(document)})
    result(drawn.text(document), text)
    publish.redraw(json, sys.stderr if wants_json() else None)
    wrote(json, out / "faults.md")
    end(0 if job.holds(found) else 1)

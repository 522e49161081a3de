"""The command line: `python -m parity COMMAND`. Exit codes: 0 holds, 1 does not, 2 cannot run, 3
nothing compared.
"""

import datetime
import os
import shlex
import sys
from pathlib import Path

import click

import parity
from parity.diagnose.listing import hypotheses
from parity.errors import CannotRun
from parity.faults.command import faults
from parity.gate.commands import gate
from parity.ports import OURS
from parity.studies.microscope.command import microscope
from parity.studies.unstable_cnn.command import investigate

JSON = "parity.json"
OUT = Path("reports/out")
EXIT = {"HOLDS": 0, "DRIFTS": 1, "INCOMPLETE": 1}
NOTHING_COMPARED = 3


class Group(click.Group):
    """Says what stops a run in one sentence, without a traceback."""

    def invoke(self, context):
        from parity.reports.document import ReportError

        try:
            return super().invoke(context)
        except (CannotRun, ReportError) as error:
            raise _Refusal(str(error)) from error
        except KeyboardInterrupt as stop:
            raise _Refusal(
                "stopped by Ctrl-C; what was recorded so far is kept, and running it "
                "again goes on from there"
            ) from stop


class _Refusal(click.ClickException):
    exit_code = 2

    def show(self, file=None):
        click.echo(f"parity: {self.message}", err=True)


@click.group(
    cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120}
)
@click.version_option(parity.__version__, prog_name="parity")
def main():
    """Prove a port of the music taggers against the original Keras models, layer by layer.

    Exit codes: 0 it holds, 1 it does not, 2 the run could not be made, 3 nothing was compared.
    """


def _choice(function):
    for option in (
        click.option(
            "--layer", "layers", multiple=True, help="Judge only this layer (repeatable)."
        ),
        click.option(
            "--model",
            "models",
            multiple=True,
            help="CRNN, CRNN50, CNN0 or CNN (repeatable); default: CRNN, CNN0, CNN.",
        ),
    ):
        function = option(function)
    return function


def _input(function):
    for option in (
        click.argument("more_clips", nargs=-1, metavar="[CLIP]..."),
        click.option(
            "--workers",
            default=2,
            show_default=True,
            type=click.IntRange(1),
            help="Processes side by side.",
        ),
        click.option(
            "--clips",
            "clips",
            multiple=True,
            metavar="CLIP...",
            help=(
                "Mel spectrograms (.npy) or audio files, all in one batch; default: the two "
                "published ones."
            ),
        ),
        click.option(
            "--weights", help="A Keras weight file of the chosen model; default: the published one."
        ),
    ):
        function = option(function)
    return function


@main.command()
@_choice
@_input
@click.option(
    "--port",
    default=OURS,
    show_default=True,
    metavar="MODULE:FUNCTION",
    help="The port to prove.",
)
@click.option(
    "--out",
    default=str(OUT),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the outputs go.",
)
@click.option(
    "--explain/--no-explain",
    default=True,
    show_default=True,
    help="Attribute the final drift to the layers.",
)
def run(models, layers, weights, clips, more_clips, workers, port, out, explain):
    """Run the originals and the port on the same input and compare every layer.

    Writes parity.json, parity.csv, junit.xml and parity.html.
    """
    from parity import progress
    from parity import run as job
    from parity.model import cases, select

    _, layers = select(models, layers)
    chosen = cases(models, weights, (*clips, *more_clips))
    with progress.shown() as shown:
        document = job.run(
            chosen,
            port=port,
            layers=layers,
            workers=workers,
            command=_command(),
            progress=shown,
            explain=explain,
        )
    _publish(document, out)
    sys.exit(exit_code(document))


def exit_code(document):
    """The run's exit code: 3 where not one cell was compared, else by its verdict."""
    compared = any(
        layer[mode]["verdict"] != "NOT COMPARED"
        for model in document["models"]
        for layer in model["layers"]
        for mode in ("isolated", "chained")
    )
    return EXIT[document["verdict"]] if compared else NOTHING_COMPARED


def _publish(document, out):
    """JSON first; everything else is drawn from it alone."""
    from parity.document import to_json
    from parity.files import atomic_write
    from parity.reports import publish

    atomic_write(out / JSON, to_json(document))
    publish.everything(out / JSON, out)


@main.command()
@_choice
@_input
def record(models, layers, weights, clips, more_clips, workers):
    """Record the originals' traces into the cache, without comparing."""
    from parity import progress
    from parity.model import cases, select
    from parity.recording import recordings
    from parity.recording.clips import read_clips

    select(models, layers)
    chosen = cases(models, weights, (*clips, *more_clips))
    with progress.shown() as shown:
        traces = recordings.traces(
            {case: read_clips(case.clips).batch for case in chosen}, workers=workers, progress=shown
        )
    for case, lanes in traces.items():
        for lane, path in lanes.items():
            click.echo(f"{case.model.name}\t{lane}\t{path}")


@main.command()
@click.argument(
    "jsons",
    nargs=-1,
    metavar="[JSON] [LATER_JSON]",
    type=click.Path(dir_okay=False, path_type=Path),
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The page; default: parity.html, or compared.html, beside the last JSON.",
)
def report(jsons, output):
    """Draw the HTML report anew from a parity.json alone, and from what lies beside it.

    Of two it shows what changed from the first to the second: verdicts, drift of each layer,
    weights, stacks.
    """
    from parity.reports import publish

    if len(jsons) > 2:
        raise click.UsageError("one JSON is drawn, two are compared; more cannot be")
    if len(jsons) == 2:
        publish.comparison(*jsons, output or jsons[1].with_name("compared.html"))
    else:
        json = jsons[0] if jsons else OUT / JSON
        publish.page(json, output or json.with_name("parity.html"))


@main.group()
def data():
    """The recorded traces this machine keeps."""


@data.command("list")
def list_traces():
    """Show every recorded trace, most recently used first."""
    from parity.recording.cache import label_of, limit_bytes, trace_cache

    cache = trace_cache()
    entries = cache.entries()
    for entry in entries:
        used = datetime.datetime.fromtimestamp(entry.last_used_s).strftime("%Y-%m-%d %H:%M")
        click.echo(
            f"{used}  {entry.size_bytes / 1e6:7.0f} MB  {entry.path.stem[:12]}  "
            f"{label_of(entry.path)}"
        )
    total = sum(entry.size_bytes for entry in entries)
    click.echo(
        f"{len(entries)} traces, {total / 1e9:.2f} GB of {limit_bytes() / 1e9:.0f} GB, in "
        f"{cache.folder}"
    )


@data.command()
def clear():
    """Remove every recorded trace that no run is using."""
    from parity.recording.cache import trace_cache

    removed, freed, kept = trace_cache().clear()
    click.echo(
        f"removed {removed} traces, {freed / 1e9:.2f} GB"
        + (f"; {kept} are in use and stay" if kept else "")
    )


main.add_command(faults)
main.add_command(gate)
main.add_command(hypotheses)
main.add_command(investigate)
main.add_command(microscope)


def _command():
    return shlex.join(["parity", *sys.argv[1:]]).replace(os.getcwd() + "/", "")

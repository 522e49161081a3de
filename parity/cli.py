"""The command line: `python -m parity COMMAND`. Exit codes: 0 holds, 1 does not, 2 cannot run, 3
nothing compared.
"""

import datetime
from io import StringIO
from pathlib import Path

import click

from parity.corpus.command import command as corpus
from parity.diagnose.listing import hypotheses
from parity.faults.command import faults
from parity.gate.commands import gate
from parity.layers import layers
from parity.model import KERAS_VERSIONS
from parity.options import (
    FILE,
    INPUT,
    LAYERS,
    MODELS,
    ORIGINAL,
    OUT,
    OUT_FOLDER,
    SEED,
    WORKERS,
    Asked,
    again,
    command_line,
    option,
    port,
    takes,
)
from parity.probes.command import command as probe
from parity.program import FORCE, JSON, Group, end, say, wants_json, wrote
from parity.rescue import export, rescue
from parity.studies.microscope.command import microscope
from parity.studies.unstable_cnn.command import investigate

DOCUMENT = "parity.json"


@click.group(
    cls=Group,
    name="parity",
    stopped="stopped; what was recorded so far is kept, and running it again goes on from there",
    example="parity run --model CNN0",
)
def main() -> None:
    """Prove a port of the music taggers against the original Keras models, layer by layer.

    Exit codes: 0 it holds, 1 it does not, 2 the run could not be made, 3 nothing was compared.
    """


@main.command(
    example="parity run --model CNN0 --port mypackage.port:steps\n"
    "parity run --original net.json --keras 1.1.0 --weights net.h5 --input x.npy"
)
@takes(
    MODELS,
    LAYERS,
    ORIGINAL,
    INPUT,
    WORKERS,
    port("The port to prove."),
    SEED,
    OUT_FOLDER,
    JSON,
    FORCE,
)
@option("--explain/--no-explain", default=True, help="Attribute the final drift to the layers.")
def run(asked: Asked, workers: int, port: str, seed: int | None, out: Path, explain: bool) -> None:
    """Run the originals and the port on the same input and compare every layer.

    Writes parity.json, parity.csv, junit.xml and parity.html.
    """
    from parity import progress
    from parity import run as job
    from parity.document import to_json
    from parity.reports import publish

    publish.check(out)
    chosen, layers = asked.chosen()
    with progress.shown() as shown:
        document = job.run(
            chosen,
            port=port,
            layers=layers,
            workers=workers,
            command=command_line(),
            again=again(),
            progress=shown,
            explain=explain,
            seed=seed,
        )
    text = to_json(document)
    # All that is drawn is drawn from the JSON alone.
    publish.everything(out / DOCUMENT, out, StringIO() if wants_json() else None, text)
    if wants_json():
        say(text, lines=True)
    wrote(*(out / name for name in (publish.PAGE, DOCUMENT, *publish.FILES)))
    end(job.exit_code(document))


@main.command(example="parity init net.json net.h5 --keras 1.1.0\nparity run")
@click.argument("original")
@click.argument("weights", required=False)
@option("--keras", type=click.Choice(KERAS_VERSIONS), help="The release that it runs on.")
@option("--custom", metavar="FILE.py", help="The classes and functions that it needs.")
@option("--input", "inputs", multiple=True, metavar="X.npy", help="One for each of its inputs.")
@FORCE
def init(
    original: str,
    weights: str | None,
    keras: str | None,
    custom: str | None,
    inputs: tuple[str, ...],
) -> None:
    """Write a parity.toml for the model ORIGINAL (what model.to_json() returned, a file of
    model.save, or FILE.py:FUNCTION) with WEIGHTS.
    """
    from parity.project import written

    for sentence in written(original, weights, inputs, keras=keras, custom=custom):
        say(sentence)


@main.command(example="parity record --model CNN0")
@takes(MODELS, LAYERS, INPUT, WORKERS)
def record(asked: Asked, workers: int) -> None:
    """Record the originals' traces into the cache, without comparing."""
    from parity import progress
    from parity.recording import recordings
    from parity.recording.clips import clips_of

    chosen, _ = asked.chosen()
    batches = {case: clips.inputs for case, clips in clips_of(chosen).items()}
    with progress.shown() as shown:
        traces = recordings.traces(batches, workers=workers, progress=shown)
    for case, lanes in traces.items():
        for lane, path in lanes.items():
            say(f"{case.model.name}\t{lane}\t{path}")


@main.command(example="parity report reports/out/parity.json\nparity report before.json after.json")
@click.argument("jsons", nargs=-1, metavar="[JSON] [LATER_JSON]", type=FILE)
@FORCE
@option(
    "-o", "--out", type=FILE,
    help="The page; default: parity.html, or compared.html, beside the last JSON.",
)  # fmt: skip
def report(jsons: tuple[Path, ...], out: Path | None) -> None:
    """Draw the HTML report anew from a parity.json alone, and from what lies beside it.

    Of two it shows what changed from the first to the second: verdicts, drift of each layer,
    weights, stacks.
    """
    from parity.reports import publish

    if len(jsons) > 2:
        raise click.UsageError("one JSON is drawn, two are compared; more cannot be")
    if len(jsons) == 2:
        target = out or jsons[1].with_name("compared.html")
        publish.comparison(*jsons, target)
    else:
        json = jsons[0] if jsons else OUT / DOCUMENT
        target = out or json.with_name(publish.PAGE)
        publish.page(json, target)
    wrote(target)


@main.group(invoke_without_command=True, example="parity data\nparity data prune --to 5")
@click.pass_context
def data(context: click.Context) -> None:
    """The recorded traces and the environments that this machine keeps."""
    if context.invoked_subcommand is None:
        _list()


@data.command("list", example="parity data list")
def list_traces() -> None:
    """Show every recorded trace, most recently used first, and every environment."""
    _list()


def _list() -> None:
    from parity.recording import environments
    from parity.recording.cache import label_of, limit_bytes, trace_cache

    cache = trace_cache()
    entries = cache.entries()
    for entry in entries:
        used = datetime.datetime.fromtimestamp(entry.last_used_s).strftime("%Y-%m-%d %H:%M")
        say(
            f"{used}  {entry.size_bytes / 1e6:7.0f} MB  {entry.path.stem[:12]}  "
            f"{label_of(entry.path)}"
        )
    total = sum(entry.size_bytes for entry in entries)
    say(
        f"{len(entries)} traces, {total / 1e9:.2f} GB of {limit_bytes() / 1e9:.0f} GB, in "
        f"{cache.folder}"
    )
    sizes = environments.sizes()
    for name, size_bytes in sizes.items():
        say(f"{size_bytes / 1e6:25.0f} MB  {name}")
    say(
        f"{len(sizes)} environments, {sum(sizes.values()) / 1e9:.2f} GB, in {environments.WORK}; "
        "remove any, the next run builds it again"
    )


@data.command(example="parity data prune --to 5")
@option("--to", "gigabytes", type=click.FloatRange(0), required=True, help="How much may stay, GB.")
def prune(gigabytes: float) -> None:
    """Remove the traces that were used least recently, none in use, until so many are left."""
    from parity.recording.cache import trace_cache

    cache = trace_cache(limit_bytes=lambda: int(gigabytes * 1e9))
    before = cache.entries()
    cache.make_room()
    left = cache.entries()
    freed = sum(each.size_bytes for each in before) - sum(each.size_bytes for each in left)
    say(f"removed {len(before) - len(left)} traces, {freed / 1e9:.2f} GB; {len(left)} are left")


@data.command(example="parity data clear")
def clear() -> None:
    """Remove every recorded trace that no run is using."""
    from parity.recording.cache import trace_cache

    removed, freed, kept = trace_cache().clear()
    say(
        f"removed {removed} traces, {freed / 1e9:.2f} GB"
        + (f"; {kept} are in use and stay" if kept else "")
    )


for _command in (
    corpus,
    export,
    faults,
    gate,
    hypotheses,
    investigate,
    layers,
    microscope,
    probe,
    rescue,
):
    main.add_command(_command)

"""What the commands of `python -m port` do; each returns its exit code and raises ValueError with one sentence."""

import hashlib
import io
import sys
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from port import outputs
from port.files import write_atomically
from port.inputs import audio_files
from port.locate import stand_in_of, weights_of
from port.models import load
from port.sentences import shown
from port.tagging import score_files

NOTHING, SOME = 2, 1
BATCH_WARNING = "CNN0 normalises with the statistics of its batch: each track's tags depend on the clips it is scored with"


class Cut(NamedTuple):
    """How audio becomes batches; the options of port.tagging.score_files."""

    frames: str
    front_end: str
    batch_size: int


def network(model, weights, seeded):
    """(tagger, path of its weights) for the options of the command line."""
    if weights and seeded:
        raise ValueError("--weights and --seeded contradict each other; give one of them")
    path = stand_in_of(model, seeded) if seeded else weights or weights_of(model)
    return load(model, path), path


def tag(tagger, source, given, cut, top, unit, form, plot, is_stand_in):
    """Print the tags of audio files as they come, and the failures after; draw them into `plot`."""
    if plot and plot.suffix.lower() != ".svg":
        raise ValueError(f"{shown(plot)}: pictures are written as svg; give a name that ends in .svg")
    if tagger.model == "CNN0":
        click.echo(f"port: {BATCH_WARNING} (--batch-size {cut.batch_size})", err=True)
    writer = outputs.FORMATS[form](tagger, Path(source).name, top, unit, is_stand_in)
    paths, errors = audio_files(given)
    _say(errors)
    _print(writer.begin())
    tracks = []
    for scored in progress(score_files(tagger, paths, **cut._asdict()), len(paths)):
        if scored.error:
            errors.append(scored.error)
            _say([scored.error])
            continue
        _print(writer.track(scored))
        tracks.append(scored)
    _print(writer.end(errors))
    if plot and tracks:
        write_atomically(plot, outputs.bars(tagger, tracks, top, unit, is_stand_in))
    return exit_code(len(tracks), len(errors))


def exit_code(done, failed):
    """0 all done, 1 some failed, 2 nothing done."""
    return 0 if not failed else SOME if done else NOTHING


def progress(results, count):
    """The results as they come, with a bar on a terminal's stderr."""
    if not sys.stderr.isatty() or count < 2:
        yield from results
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task("tagging", total=count)
        for result in results:
            yield result
            bar.advance(task)


def melgram(audio, out, front_end):
    """Write one mel spectrogram as npy."""
    from port.audio import melgram as compute

    stream = io.BytesIO()
    np.save(stream, compute(audio, front_end), allow_pickle=False)
    write_atomically(out, stream.getvalue())
    return 0


def convert(source, target, model):
    """Write the npz of a Keras HDF5 or a published .model, and say what it is."""
    from port import weights

    tagger = weights.read_unnamed(source, model)
    weights.save_npz(target, tagger, source=Path(source).name, source_sha256=_sha256(source))
    click.echo(f"{shown(target)}: {tagger.model}, formulas of Keras {tagger.keras}, from {shown(source)}")
    return 0


def inspect(path):
    """Print what a weight file holds."""
    from port import weights

    tagger = weights.read_unnamed(path)
    stored = tagger.bn_0_freq.dialect.stored
    click.echo(f"file         {shown(path)}\nsha256       {_sha256(path)}")
    click.echo(f"model        {tagger.model}, {len(tagger.tags)} tags\nKeras        {tagger.keras}: running_std holds a {stored}")
    for name, array in weights.keras_arrays(tagger).items():
        click.echo(f"{name:<40} {array.dtype} {'x'.join(map(str, array.shape)):<14} {array.min():.6g} .. {array.max():.6g}")
    return 0


def _sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _say(errors):
    for error in errors:
        click.echo(f"port: {shown(error)}", err=True)


def _print(text):
    if text is not None:
        click.echo(text)

"""What the commands of `python -m tagger` do; each returns its exit code and raises ValueError with
one sentence.
"""

import io
import sys
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from parity.port.files import check_writable, sha256_of, write_atomically
from parity.port.models import load
from parity.port.sentences import shown
from tagger import outputs
from tagger.inputs import audio_files
from tagger.locate import stand_in_of, weights_of
from tagger.provenance import is_meaningless
from tagger.tagging import decoded, score_files

NOTHING, SOME = 2, 1
BATCH_WARNING = (
    "CNN0 normalises with the statistics of its batch: each track's tags depend on the "
    "clips it is scored with "
    "(--batch-size {}); --calibration freezes them"
)


class Network(NamedTuple):
    """A tagger, the path of its weights, and whether those are stand-ins."""

    tagger: object
    source: Path
    is_stand_in: bool


class Cut(NamedTuple):
    """How audio becomes batches; the options of tagger.tagging.score_files."""

    frames: str
    front_end: str
    batch_size: int


def network(model, weights, seeded, correction=None, calibration=None):
    """The Network for the options of the command line."""
    if weights and seeded:
        raise ValueError("--weights and --seeded contradict each other; give one of them")
    path = stand_in_of(model) if seeded else weights or weights_of(model)
    tagger = load(model, path, correction=correction, calibration=calibration)
    return Network(tagger, Path(path), seeded or is_meaningless(tagger, path))


def tag(network, given, cut, top, unit, form, plot):
    """Print the tags of audio files as they come, and the failures after; draw them into `plot`."""
    outputs.check_picture(plot)
    warn_of_batches(network, cut.batch_size)
    writer = outputs.FORMATS[form](network, top, unit)
    paths, errors = audio_files(given)
    outputs.check_room(network, plot, len(paths), top)
    say(errors)
    _print(writer.begin())
    tracks, done = [], 0
    for scored in progress(
        score_files(network.tagger, paths, **cut._asdict()), len(paths), "tagging"
    ):
        say(filter(None, (scored.error, *scored.remarks)))
        if scored.error:
            errors.append(scored.error)
            continue
        _print(writer.track(scored))
        done += 1
        tracks += [scored] * bool(plot)
    _print(writer.end(errors))
    if plot and tracks:
        write_atomically(plot, outputs.bars(network, tracks, top, unit, plot))
    return exit_code(done, len(errors))


def warn_of_batches(network, batch_size):
    """Whether the tags of this network depend on their batch; says so where they do."""
    does = network.tagger.model == "CNN0" and not network.tagger.calibration
    if does:
        say([BATCH_WARNING.format(batch_size)])
    return does


def exit_code(done, failed):
    """0 all done, 1 some failed, 2 nothing done."""
    return 0 if not failed else SOME if done else NOTHING


def progress(results, count, doing):
    """The results as they come, with a bar on a terminal's stderr."""
    if not sys.stderr.isatty() or count < 2:
        yield from results
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(
        console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
    ) as bar:
        task = bar.add_task(doing, total=count)
        for result in results:
            yield result
            bar.advance(task)


def calibrate(network, given, out, frames, front_end):
    """Write the statistics of CNN0's layers over the audio files, and say what they are made of."""
    from tagger import calibration

    check_writable(out)
    paths, errors = audio_files(given)
    say(errors)
    clips = _Clips(paths, frames, front_end, errors)
    found = calibration.calibrate(
        network.tagger,
        clips,
        lambda passed, layer: progress(passed, len(clips.paths), f"calibrating {layer}"),
    )
    files = [{"file": shown(path.name), "sha256": sha256_of(path)} for path in clips.paths]
    calibration.save(
        out,
        network.tagger,
        found,
        clips=files,
        frames=frames,
        front_end=front_end,
        weights=network.source.name,
        weights_file_sha256=sha256_of(network.source),
        meaningless=network.is_stand_in,
    )
    for line in outputs.told(network):
        click.echo(line)
    for name, statistics in found.items():
        click.echo(
            f"{name}: {len(statistics.mean)} means and variances, each of "
            f"{statistics.values:,} values"
        )
    click.echo(
        f"{shown(out)}: {network.tagger.model} frozen at {len(files)} file{'s' * (len(files) != 1)}"
    )
    return exit_code(len(files), len(errors))


class _Clips:
    """Mel spectrograms of files, decoded anew each time they are gone through, so that memory
    holds a few at a time.

    Files that cannot be read are left out of `paths` and named in `errors`.
    """

    def __init__(self, paths, frames, front_end, errors):
        self.paths, self.cut, self.errors, self.is_heard = paths, (frames, front_end), errors, False

    def __iter__(self):
        bad = {}
        for path, clips, error, remarks in decoded(self.paths, *self.cut):
            if not self.is_heard:
                say(filter(None, (error, *remarks)))
            if error:
                bad[path] = error
            else:
                yield clips
        self.paths, self.is_heard = [path for path in self.paths if path not in bad], True
        self.errors += bad.values()


def melgram(audio, out, front_end):
    """Write one mel spectrogram as npy."""
    from tagger.audio import melgram_and_remarks

    check_writable(out)
    mel, remarks = melgram_and_remarks(audio, front_end)
    say(remarks)
    stream = io.BytesIO()
    np.save(stream, mel, allow_pickle=False)
    write_atomically(out, stream.getvalue())
    return 0


def convert(source, target, model):
    """Write the npz of a Keras HDF5, another npz or a published .model, and say what it is."""
    from tagger import provenance

    check_writable(target)
    tagger = provenance.convert(source, target, model)
    click.echo(
        f"{shown(target)}: {tagger.model}, formulas of Keras {tagger.keras}, from {shown(source)}"
    )
    return 0


def inspect(path):
    """Print what a weight file holds."""
    from tagger import inspecting

    for line in inspecting.inspect(path):
        click.echo(line)
    return 0


def say(sentences):
    """What went wrong or should be known, a line each on stderr."""
    for sentence in sentences:
        click.echo(f"tagger: {shown(sentence)}", err=True)


def _print(text):
    if text is not None:
        click.echo(text)

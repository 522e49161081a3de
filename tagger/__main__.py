"""The command line: `tagger tag|embed|evaluate|calibrate|melgram|convert|inspect|compare`.

Exit codes: 0 everything done, 1 some files failed (or figures differ), 2 nothing could be done.
"""

import sys
from pathlib import Path

import click

from parity.program import FORCE, Group, Name

FILE = Name(path_type=Path)
MODELS = "CRNN, CRNN50, CNN0, CNN"


@click.group(
    cls=Group,
    name="tagger",
    sentences=(ValueError,),
    example="tagger tag song.mp3",
)
def commands():
    """Tag music with the Chainer port of the 2016 taggers CRNN (10 genres), CRNN50, CNN0 and CNN
    (50 tags).

    Published weights are looked for below PARITY_DATA, then in the cache that `make fixtures`
    fills.
    """


def _options(*options):
    def add(command):
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _option(*names, help, **settings):
    return click.option(*names, help=help, show_default="default" in settings, **settings)


def _choice(name, choices, help):
    return _option(name, type=click.Choice(choices), default=choices[0], help=help)


def _model(default):
    return _option("-m", "--model", default=default, metavar="NAME", help=f"{MODELS}.")


def _file(*names, help, **settings):
    return _option(*names, type=FILE, help=help, **settings)


KERAS = _option(
    "--keras",
    metavar="RELEASE",
    help="Keras release by whose formulas to read the weights, 1.0.4 to 1.2.2; by default what the "
    "file says, else assumed.",
)
FRONT_END = _choice(
    "--front-end",
    ["today", "2016"],
    "Resampler: soxr's, or resampy 0.2.2's as the published predictions had it.",
)
FRAMES = _choice(
    "--frames",
    ["centre", "all"],
    "The middle 29.12 s, or every 29.12 s of the track and their mean.",
)
NETWORK = (
    _file("--weights", help="Keras HDF5, converted npz, .model of the published port, or ONNX."),
    KERAS,
    _option(
        "--engine",
        type=click.Choice(["chainer", "onnx"]),
        help="What computes: Chainer, or onnxruntime with a file of `parity rescue`; by default "
        "what --weights is for.",
    ),
    _option("--seeded", is_flag=True, help="Try the program on stand-ins. Tags mean nothing."),
    _option(
        "--correction",
        metavar="NAME",
        help="Change the input to what the weights may have been trained on "
        "(tagger/corrections.py). Off by default.",
    ),
)
TAGGING = (
    *NETWORK,
    FRAMES,
    FRONT_END,
    _file(
        "--calibration",
        metavar="FILE.npz",
        help="Statistics of `calibrate` for CNN0 in place of its batch's. Off by default.",
    ),
    _option(
        "--batch-size",
        type=click.IntRange(1),
        default=8,
        help="Clips the network takes at a time. CNN0's tags depend on it unless it is "
        "calibrated, the others' do not.",
    ),
)


PLACE = (
    _option(
        "--workers",
        type=click.IntRange(0, 999),
        help="Processes that share the files; by default one for each core. 0: none but this.",
    ),
    _option(
        "--scheduler",
        metavar="ADDRESS",
        help="A Dask cluster that works on the files, by its scheduler, as tcp://HOST:8786.",
    ),
)


def _without_out(scheduler, workers):
    if scheduler or workers is not None:
        raise click.UsageError("--scheduler and --workers make a table; name it with --out")


def _tagger_and_cut(frames, front_end, batch_size, **network):
    """The tagger of the options TAGGING, and how audio becomes its batches."""
    from tagger.commands import opened

    cut = {"frames": frames, "front_end": front_end, "batch_size": batch_size}
    return opened(**network), cut


@commands.command(example="tagger tag song.mp3 --model CRNN50 --top 5")
@click.argument("audio", nargs=-1, required=True, metavar="AUDIO...")
@_options(_model("CRNN"), *TAGGING)
@_option("--top", type=click.IntRange(1), default=10, help="How many tags per track.")
@click.option(
    "--percent/--score",
    default=False,
    help="In tables and pictures: of the sum of all tags' scores, or the scores; json and csv have "
    "both.",
)
@_choice("--format", ["table", "json", "csv"], "What to print.")
@_file("--plot", metavar="FILE", help="Also draw bars, a panel per track: .svg or .png.")
@_file(
    "-o",
    "--out",
    metavar="TABLE",
    help="Write every score of every file to a .parquet, .csv or .jsonl instead of printing; the "
    "same command goes on where it was stopped.",
)
@_options(*PLACE)
@FORCE
def tag(audio, top, percent, format, plot, out, scheduler, workers, **options):
    """Tags of AUDIO: files, folders, patterns, lists (.txt, .m3u) and URLs; wav, flac, ogg, mp3."""
    from tagger import commands as steps

    tagger, cut = _tagger_and_cut(**options)
    if out:
        given = {"--plot": plot, "--format": format != "table"}
        where = (scheduler, workers)
        options = options["keras"], options["calibration"]
        return steps.tag_into(tagger, audio, cut, out, where, options, given)
    _without_out(scheduler, workers)
    return steps.tag(tagger, audio, cut, top, "percent" if percent else "score", format, plot)


@commands.command(example="tagger embed songs --layer gru2 -o songs.npz")
@click.argument("audio", nargs=-1, required=True, metavar="AUDIO...")
@_options(_model("CRNN"), *TAGGING)
@_option("-l", "--layer", default="gru2", help="As Keras calls it.")
@_file("-o", "--out", required=True, metavar="FILE", help="An .npz or a .parquet.")
@FORCE
def embed(audio, layer, out, **options):
    """Write what a layer makes of AUDIO: one vector or map for every clip of 29.12 s."""
    from tagger import commands as steps
    from tagger.embedding import embed as run

    tagger, cut = _tagger_and_cut(**options)
    done, errors, said = run(tagger, audio, layer, out, **cut)
    steps.tell([*errors, *said, *steps.outputs.told(tagger)])
    return steps.exit_code(done, len(errors))


@commands.command(example="tagger calibrate songs -o frozen.npz")
@click.argument("clips", nargs=-1, required=True, metavar="CLIPS...")
@_options(_model("CNN0"), *NETWORK, FRAMES, FRONT_END)
@_file("-o", "--out", required=True, metavar="FROZEN.npz", help="Where to write the statistics.")
@FORCE
def calibrate(clips, out, frames, front_end, **network):
    """Freeze CNN0's batch statistics at those of CLIPS (audio files, folders, patterns), for `tag
    -m CNN0 --calibration`.
    """
    from tagger import commands as steps

    return steps.calibrate(steps.opened(**network), clips, out, frames, front_end)


@commands.command(example="tagger melgram song.mp3 song.npy")
@click.argument("audio", type=FILE)
@click.argument("out", type=FILE, metavar="OUT.npy")
@FRONT_END
@FORCE
def melgram(audio, out, front_end):
    """Write the mel spectrogram of AUDIO's middle 29.12 s: float32 (1,1,96,1366), dB."""
    from tagger import commands as steps

    return steps.melgram(audio, out, front_end)


@commands.command(example="tagger convert weights.h5 weights.npz")
@click.argument("source", type=FILE, metavar="IN.h5")
@click.argument("target", type=FILE, metavar="OUT.npz")
@click.option("-m", "--model", metavar="NAME", help=f"{MODELS}; by default told from the file.")
@KERAS
@FORCE
def convert(source, target, model, keras):
    """Convert Keras HDF5 weights (or a .model of the published port) to an npz of this port, with
    its provenance.
    """
    from tagger import commands as steps

    return steps.convert(source, target, model, keras)


@commands.command(example="tagger inspect weights.h5")
@click.argument("file", type=FILE)
def inspect(file):
    """Print what is in a weight file: parameters and their shapes, what running_std holds, the
    Keras release, sha256.
    """
    from tagger import commands as steps

    return steps.inspect(file)


@commands.command(example="tagger compare fixtures/published.json")
@click.argument("table", type=FILE, metavar="TABLE.json")
@_choice("--front-end", ["2016", "today"], "Resampler.")
@_option("--limit", type=float, default=0.005, help="Percentage points a figure may be off.")
@_option("--engine", type=click.Choice(["chainer", "onnx"]), help="What computes.")
def compare(table, front_end, limit, engine):
    """Tag the clips of a published table (fixtures/published.json) and print how far each figure
    is off.
    """
    from tagger.comparing import compare as run

    return run(table, front_end, limit, engine)


@commands.command(example="tagger evaluate genres --results results.csv")
@click.argument("folder", type=FILE, metavar="FOLDER_OF_GENRES")
@_options(_model("CRNN"), *TAGGING)
@_file(
    "--results",
    metavar="TABLE",
    help="Write each track's result to a .parquet, .csv or .jsonl; the same command goes on where "
    "it was stopped.",
)
@_file("--plot", metavar="FILE", help="Also draw the confusion matrix: .svg or .png.")
@_options(*PLACE)
@FORCE
def evaluate(folder, results, plot, scheduler, workers, **options):
    """Accuracy, confusion matrix and recall on FOLDER_OF_GENRES/<tag>/<audio files>; bad files are
    named and left out.
    """
    from tagger.collections import Tagging
    from tagger.evaluating import evaluate as run

    tagger, cut = _tagger_and_cut(**options)
    job = Tagging.of(tagger, cut, options["keras"], options["calibration"])
    return run(tagger, job, folder, results, plot, scheduler, workers)


def main(arguments=None):
    """Run a command; returns the exit code."""
    return commands.main(arguments, prog_name="tagger", standalone_mode=False)


if __name__ == "__main__":
    sys.exit(main())

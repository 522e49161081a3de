"""What the commands of `python -m tagger` do; each returns its exit code.

They raise ValueError or CannotRun with one sentence where nothing can be done.
"""

import io
import os

import numpy as np

from parity.errors import visible
from parity.files import check_writable, publish, sha256_of
from parity.fixtures import seeded as stand_ins
from parity.port.architectures import architecture_of
from parity.program import say
from parity.progress import counted
from tagger import outputs, weight_files
from tagger.audio import melgrams
from tagger.inputs import audio_files
from tagger.model import Tagger, load
from tagger.tagging import decoded, score_files, sentences

NOTHING, SOME = 2, 1
ONNX = ".onnx"
BATCH_WARNING = (
    "CNN0 normalises with the statistics of its batch: each track's tags depend on the clips it is "
    "scored with (--batch-size {}); --calibration freezes them"
)


def opened(
    model, weights, seeded, keras=None, correction=None, calibration=None, engine=None
) -> Tagger:
    """The tagger for the options of the command line."""
    if weights and seeded:
        raise ValueError("--weights and --seeded contradict each other; give one of them")
    architecture_of(model)
    if engine == "onnx" and seeded:
        raise ValueError("--seeded makes no ONNX file; write one with parity export")
    path = stand_ins.weights(model) if seeded else weights or weight_files.weights_of(model, engine)
    if engine and (engine == "onnx") != (path.suffix == ONNX):
        raise ValueError(
            f"{path} is not for the engine {engine}; give an ONNX file to onnx and weights to "
            "chainer"
        )
    return load(model, path, keras, correction=correction, calibration=calibration)


def tag(tagger, given, cut, top, unit, form, plot):
    """Print the tags of audio files as they come, and draw them into `plot`.

    cut : options of tagger.tagging.score_files.
    """
    found = audio_files(given)
    paths, errors = found.paths, found.errors
    check_picture(plot, paths)
    warn_of_batches(tagger, cut["batch_size"])
    writer = outputs.FORMATS[form](tagger, top, unit)
    if plot:
        from tagger.pictures import check_height

        check_height(plot, len(paths), min(top, len(tagger.tags)))
    tell([*errors, *tagger.remarks * (not writer.is_read), *found.passed_over()])
    _print(writer.begin())
    done, tracks = 0, []
    for scored in progress(score_files(tagger.predict, paths, **cut), len(paths), "files"):
        if scored.error:
            tell([scored.error])
            errors.append(scored.error)
            continue
        if not writer.is_read:
            tell(sentences(scored.path, scored.remarks))
        _print(writer.track(scored))
        done += 1
        tracks += [scored] * bool(plot)
    _print(writer.end(errors, found.passed.total()))
    if tracks:
        from tagger.pictures import bars

        remarked = sum(bool(scored.remarks) for scored in tracks)
        noted = [f"{remarked} of {len(tracks)} tracks with remarks"] * bool(remarked)
        titles = [*outputs.told(tagger), *noted, f"{tagger.name}, {unit}"]
        publish({plot: bars(plot, tagger.tags, tracks, top, unit, titles)}, inputs=paths)
    return exit_code(done, len(errors))


def tag_into(tagger, given, cut, out, where, options, others):
    """Write the table of a collection.

    where : (scheduler, workers). options : of --keras and --calibration. others : what contradicts
    a table, and whether it was given.
    """
    from tagger import collections

    for name, is_given in others.items():
        if is_given:
            raise ValueError(f"--out and {name} contradict each other; give one of them")
    found = audio_files(given)
    if not found.paths:
        raise ValueError(str(found.errors[0]))
    warn_of_batches(tagger, cut["batch_size"])
    tell([*found.errors, *tagger.remarks, *found.passed_over()])
    files = [os.fspath(path) for path in found.paths]
    job = collections.Tagging.of(tagger, cut, *options)
    done, failed = collections.tag_all(tagger, job, files, out, *where)
    failed += len(found.errors)
    tell([f"{failed} could not be tagged; the table says why"] * bool(failed))
    return exit_code(done, failed)


def check_picture(path, inputs=()):
    """Raise where `path` cannot be written, or its name is of no kind that pictures have."""
    if path:
        from tagger.pictures import check_kind

        check_kind(path)
    check_writable(path, inputs=inputs)


def warn_of_batches(tagger, batch_size):
    """Whether the tags of this tagger depend on their batch; says so where they do."""
    does = tagger.model == "CNN0" and not tagger.calibration
    if does:
        tell([BATCH_WARNING.format(batch_size)])
    return does


def exit_code(done, failed):
    """0 all done, 1 some failed, 2 nothing done."""
    return 0 if not failed else SOME if done else NOTHING


def progress(results, count, what):
    """The results as they come, with the rate and the time that is left."""
    if count < 2:
        yield from results
        return
    with counted(what, count) as advance:
        for result in results:
            yield result
            advance(1)


def calibrate(tagger, given, out, frames, front_end):
    """Write the statistics of CNN0's layers over the audio files, and say what they are made of."""
    from tagger import calibration as calibrations

    if tagger.source.suffix == ONNX:
        raise ValueError(f"{tagger.source} cannot be calibrated; give the weights it was made of")
    given = audio_files(given)
    paths, errors = given.paths, given.errors
    check_writable(out, ".npz", [tagger.source, *paths])
    tell([*errors, *given.passed_over()])
    clips = _Clips(paths, frames, front_end, errors)
    found = calibrations.calibrate(
        tagger.network,
        clips,
        tagger.correction,
        lambda passed, layer: progress(passed, len(clips.paths), f"files for {layer}"),
    )
    calibrations.save(
        out,
        tagger.network,
        found,
        tagger.correction,
        clips=[{"file": visible(path.name), "sha256": sha256_of(path)} for path in clips.paths],
        frames=frames,
        front_end=front_end,
        weights=tagger.source.name,
        weights_file_sha256=sha256_of(tagger.source),
        meaningless=tagger.is_meaningless,
    )
    count = len(clips.paths)
    for line in outputs.told(tagger):
        say(line)
    for name, (mean, _, values) in found.items():
        say(f"{name}: {len(mean)} means and variances, each of {values:,} values")
    say(f"{out}: {tagger.name} frozen at {count} file{'s' * (count != 1)}")
    return exit_code(count, len(errors))


class _Clips:
    """Mel spectrograms of files, decoded anew in each pass, so that memory holds a few at a time.

    The first pass leaves files that cannot be read out of `paths` and names them in `errors`.
    """

    def __init__(self, paths, frames, front_end, errors):
        self.paths, self.cut, self.errors, self.is_heard = paths, (frames, front_end), errors, False

    def __iter__(self):
        good = []
        for path, clips, error, remarks in decoded(self.paths, *self.cut):
            if not self.is_heard:
                tell([error] if error else sentences(path, remarks))
            if error:
                self.errors.append(error)
            else:
                good.append(path)
                yield clips
        self.paths, self.is_heard = good, True


def melgram(audio, out, front_end):
    """Write one mel spectrogram as npy."""
    check_writable(out, ".npy", [audio])
    mel, remarks = melgrams(audio, "centre", front_end)
    tell(sentences(audio, remarks))
    stream = io.BytesIO()
    np.save(stream, mel, allow_pickle=False)
    publish({out: stream.getvalue()}, kind=".npy", inputs=[audio])
    return 0


def convert(source, target, model, keras):
    """Write the npz of a Keras HDF5, another npz or a published .model, and say what it is."""
    check_writable(target, ".npz", [source])
    network = weight_files.convert(source, target, model, keras)
    tell(weight_files.remarks_on(network, source))
    say(f"{target}: {network.model}, formulas of Keras {network.release}, from {source}")
    return 0


def inspect(path):
    """Print what a weight file holds."""
    for line in weight_files.inspect(path):
        say(line)
    return 0


def tell(sentences):
    """What went wrong or should be known, a line each on stderr."""
    for sentence in sentences:
        say(f"tagger: {sentence}", err=True)


def _print(text):
    if text is not None:
        say(text + "\n", lines=True)

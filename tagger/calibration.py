"""Frozen normalisation for CNN0: the statistics of a calibration set in place of those of whatever
batch a clip is in.

What is frozen at a mode 2 layer are the mean and biased variance of everything that arrives there
from all calibration clips, the layers before it frozen already. Going from the first layer to the
last, that is what mode 2 itself computes when all these clips
are one batch: the first layer is given the same input, and a layer of the same statistics passes
the same on to the next. A clip at a time and the moments merged, it takes no more memory for a
thousand clips than for one. Averages over small batches would depend on how the clips are split,
and miss what differs between batches.
"""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import chainer
import numpy as np

from parity.port.files import FilePath, write_atomically
from parity.port.functions.normalization import moments
from parity.port.models import Tagger
from parity.port.sentences import shown
from parity.port.weights import PROVENANCE, digest_of

FORMAT, KIND = 1, "calibration"
PARTS = ("mean", "variance")
UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


class CalibrationError(ValueError):
    """A calibration that cannot be made or used: one sentence with what, where and what to do."""


class Statistics(NamedTuple):
    """Of what arrives at one layer: mean and biased variance (features,) float64, each over
    `values` values.
    """

    mean: np.ndarray
    variance: np.ndarray
    values: int


def frozen_layers(tagger: Tagger) -> list[str]:
    """Names of the layers that normalise with their batch's statistics in the test phase, in
    network order.
    """
    return [name for name, link in tagger.steps().items() if getattr(link, "mode", 0) == 2]


def calibrate(
    tagger: Tagger,
    clips: Iterable[np.ndarray],
    watch: Callable[[Iterable, str], Iterable] = lambda clips, layer: clips,
) -> dict[str, Statistics]:
    """Freeze the tagger's mode 2 layers, in place, at the statistics of `clips`, and return them
    by layer.

    clips : gone through once per layer, each time the same mel spectrograms (n,1,96,1366) float32
    in dB, n >= 1. watch : given the clips and the layer's name before each pass, it returns the
    clips. The result does not depend on how clips are grouped.
    Raises CalibrationError where the model has no such layer or there is no clip.
    """
    layers = frozen_layers(tagger)
    if not layers:
        raise CalibrationError(
            f"{tagger.model} does not normalise with its batch's statistics, so nothing "
            "is to be frozen; calibrate CNN0"
        )
    for name in layers:
        tagger[name].thaw()
    found = {}
    for name in layers:
        found[name] = _arriving(tagger, name, watch(clips, name))
        tagger[name].freeze(*found[name][:2])
    return found


def _arriving(tagger, name, clips):
    before, total = tagger.layer_names[: tagger.layer_names.index(name)], None
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        for clip in (clip for several in clips for clip in np.split(several, len(several))):
            x = chainer.as_array(tagger.through(tagger.corrected(clip), before)).astype(np.float64)
            part = Statistics(
                *(value.array for value in moments(x, tagger[name].axis)),
                x.size // x.shape[tagger[name].axis],
            )
            total = part if total is None else _merged(total, part)
    if total is None:
        raise CalibrationError("there is no clip to calibrate with; give at least one audio file")
    return total


def _merged(a, b):
    # Chan, Golub and LeVeque 1979: the moments of a union from those of its parts.
    values, apart = a.values + b.values, b.mean - a.mean
    between = np.square(apart) * (a.values * b.values / values)
    return Statistics(
        a.mean + apart * (b.values / values),
        (a.values * a.variance + b.values * b.variance + between) / values,
        values,
    )


def save(path: FilePath, tagger: Tagger, statistics: dict[str, Statistics], **origin) -> None:
    """Write what `calibrate` returned as an npz, atomically, the same bytes for the same input.

    Members <layer>/mean and <layer>/variance (float64), and `provenance`: JSON with format, model,
    keras, correction, the sha256 of the parameters, how many values a statistic is made of, and
    whatever `origin` says. Raises parity.port.files.CannotWrite.
    """
    values = {name: of_layer.values for name, of_layer in statistics.items()}
    said = {"format": FORMAT, "kind": KIND, **_of(tagger), "values": values, **origin}
    members = {
        f"{name}/{part}": getattr(of_layer, part)
        for name, of_layer in statistics.items()
        for part in PARTS
    }
    stream = io.BytesIO()
    np.savez(stream, **members, **{PROVENANCE: np.array(json.dumps(said, sort_keys=True))})
    write_atomically(path, stream.getvalue())


def apply(tagger: Tagger, path: FilePath) -> None:
    """Freeze the tagger's mode 2 layers at the statistics in `path`, in place.

    Raises CalibrationError where `path` is no calibration, or one of another model, Keras release,
    correction or other weights.
    """
    said, arrays = _read(path)
    for key, own in _of(tagger).items():
        if said.get(key) != own:
            raise CalibrationError(
                f"{shown(path)} was made for {_spelled(key, said.get(key))}, not "
                f"{_spelled(key, own)}; "
                "make one for these with python -m tagger calibrate"
            )
    expected = {
        f"{name}/{part}": tagger[name].gamma.shape
        for name in frozen_layers(tagger)
        for part in PARTS
    }
    fits = {name: array.shape for name, array in arrays.items()} == expected
    if not fits or any(
        not np.isfinite(array).all() or ((array < 0).any() and name.endswith("variance"))
        for name, array in arrays.items()
    ):
        raise _useless(path)
    for name in frozen_layers(tagger):
        tagger[name].freeze(*(arrays[f"{name}/{part}"] for part in PARTS))
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
    tagger.calibration = f"{shown(Path(path).name)} ({len(said['clips'])} files, sha256 {digest})"


def _of(tagger):
    """What a calibration is bound to."""
    return {
        "model": tagger.model,
        "keras": tagger.keras,
        "weights_sha256": digest_of(tagger),
        "correction": tagger.correction,
    }


def _spelled(key, value):
    words = {
        "model": "{}",
        "keras": "Keras {}",
        "weights_sha256": "weights of sha256 {:.12}",
        "correction": "input correction {}",
    }
    return words[key].format(str(value))


def _read(path):
    if not Path(path).is_file():
        raise CalibrationError(
            f"{shown(path)} is not there; make it with python -m tagger calibrate"
        )
    try:
        with np.load(path, allow_pickle=False) as members:
            arrays = {name: np.asarray(members[name]) for name in members.files}
        said = json.loads(str(arrays.pop(PROVENANCE)[()]))
        numbers = all(array.dtype == np.float64 for array in arrays.values())
        if (
            numbers
            and said["format"] == FORMAT
            and said["kind"] == KIND
            and isinstance(said["clips"], list)
        ):
            return said, arrays
    except UNREADABLE as error:
        raise _useless(path) from error
    raise _useless(path)


def _useless(path):
    return CalibrationError(
        f"{shown(path)} is no calibration of this version, or a damaged one; make it with "
        "python -m tagger calibrate"
    )

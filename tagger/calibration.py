"""Frozen normalisation for CNN0: the statistics of a calibration set in place of the batch's.

At a mode 2 layer, the mean and biased variance are frozen of everything that arrives there from
all calibration clips, with the layers before it frozen already. Going from the first layer to the
last, that is what mode 2 itself computes when all these clips are one batch: the first layer gets
the same input, and a layer with the same statistics passes the same on to the next. A clip at a
time and the moments merged, it takes no more memory for a thousand clips than for one. Averages
over small batches would depend on how the clips are split, and miss what differs between batches.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import chainer
import numpy as np

from parity.errors import visible
from parity.files import FilePath, publish, sha256_of
from parity.port.links.batch_normalization import moments
from parity.port.network import Network
from parity.port.weights import PROVENANCE, WeightsError, archive, digest_of, read_npz
from parity.untrusted import json_of
from tagger.corrections import correct

FORMAT, KIND = 1, "calibration"
PARTS = ("mean", "variance")
BOUND_TO = {  # key of a calibration's provenance -> how a message says it
    "model": "{}",
    "keras": "Keras {}",
    "weights_sha256": "weights of sha256 {:.12}",
    "correction": "input correction {}",
}


class CalibrationError(ValueError):
    """A calibration that cannot be made or used: one sentence with what, where and what to do."""


class Statistics(NamedTuple):
    """Mean and biased variance (features,) float64 at one layer, each over `values` values."""

    mean: np.ndarray
    variance: np.ndarray
    values: int


def frozen_layers(network: Network) -> list[str]:
    """The layers that normalise with their batch's statistics in the test phase, in order."""
    return [name for name, link in network.steps().items() if getattr(link, "mode", 0) == 2]


def calibrate(
    network: Network,
    clips: Iterable[np.ndarray],
    correction: str | None = None,
    watch: Callable[[Iterable, str], Iterable] = lambda clips, layer: clips,
) -> dict[str, Statistics]:
    """Freeze the network's mode 2 layers, in place, at the statistics of `clips`.

    Parameters
    ----------
    network : Network
        CNN0.
    clips : iterable of numpy.ndarray, shape (n,1,96,1366), float32
        Mel spectrograms in dB, gone through once per layer. Their grouping does not matter.
    correction : str, optional
        The input correction the network is to be used with.
    watch : callable
        Called with the clips and the layer's name before each pass; returns the clips.

    Returns
    -------
    dict of str to Statistics
        By layer.

    Raises
    ------
    CalibrationError
        Where the model has no such layer or there is no clip.
    """
    layers = frozen_layers(network)
    if not layers:
        raise CalibrationError(
            f"{network.model} does not normalise with its batch's statistics, so nothing "
            "is to be frozen; calibrate CNN0"
        )
    for name in layers:
        network[name].thaw()
    found = {}
    for name in layers:
        found[name] = _arriving(network, name, watch(clips, name), correction)
        network[name].freeze(*found[name][:2])
    return found


def _arriving(
    network: Network, name: str, clips: Iterable[np.ndarray], correction: str | None
) -> Statistics:
    before, axis = network.layer_names[: network.layer_names.index(name)], network[name].axis
    total = None
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        for clip in (clip for several in clips for clip in np.split(several, len(several))):
            x = network.through(correct(correction, clip), before)
            x = chainer.as_array(x).astype(np.float64)
            mean, variance = moments(x, axis)
            part = Statistics(mean.array, variance.array, x.size // x.shape[axis])
            total = part if total is None else _merged(total, part)
    if total is None:
        raise CalibrationError("there is no clip to calibrate with; give at least one audio file")
    return total


def _merged(a: Statistics, b: Statistics) -> Statistics:
    # Chan, Golub and LeVeque 1979: the moments of a union from those of its parts.
    values, apart = a.values + b.values, b.mean - a.mean
    between = np.square(apart) * (a.values * b.values / values)
    return Statistics(
        a.mean + apart * (b.values / values),
        (a.values * a.variance + b.values * b.variance + between) / values,
        values,
    )


def save(
    path: FilePath,
    network: Network,
    statistics: dict[str, Statistics],
    correction: str | None = None,
    **origin: object,
) -> None:
    """Write what `calibrate` returned as an npz, the same bytes for the same input.

    Members <layer>/mean and <layer>/variance (float64), and `provenance`: JSON with format, model,
    keras, correction, the sha256 of the parameters, how many values a statistic is made of, and
    `origin`. Raises CannotRun where it cannot be written.
    """
    members = {
        f"{name}/{part}": getattr(of_layer, part)
        for name, of_layer in statistics.items()
        for part in PARTS
    }
    values = {name: of_layer.values for name, of_layer in statistics.items()}
    said = {"format": FORMAT, "kind": KIND, **_bound_to(network, correction), "values": values}
    publish({path: archive(members, said | origin)}, kind=".npz")


def apply(path: FilePath, network: Network, correction: str | None = None) -> str:
    """Freeze the network's mode 2 layers at the statistics in `path`, in place; returns its name.

    Raises CalibrationError where `path` is no calibration, or one of another model, Keras release,
    correction or other weights.
    """
    said, arrays = _read(path)
    for key, own in _bound_to(network, correction).items():
        if said.get(key) != own:
            theirs, ours = (BOUND_TO[key].format(str(value)) for value in (said.get(key), own))
            raise CalibrationError(
                f"{path} was made for {theirs}, not {ours}; make one for these with "
                "python -m tagger calibrate"
            )
    shapes = {
        f"{name}/{part}": network[name].gamma.shape
        for name in frozen_layers(network)
        for part in PARTS
    }
    if {name: array.shape for name, array in arrays.items()} != shapes or not all(
        np.isfinite(array).all() and (name.endswith("mean") or (array >= 0).all())
        for name, array in arrays.items()
    ):
        raise _useless(path)
    for name in frozen_layers(network):
        network[name].freeze(*(arrays[f"{name}/{part}"] for part in PARTS))
    digest = sha256_of(path)[:12]
    return f"{visible(Path(path).name)} ({len(said['clips'])} files, sha256 {digest})"


def _bound_to(network: Network, correction: str | None) -> dict[str, str | None]:
    return {
        "model": network.model,
        "keras": network.keras,
        "weights_sha256": digest_of(network),
        "correction": correction,
    }


def _read(path: FilePath) -> tuple[dict, dict[str, np.ndarray]]:
    if not Path(path).is_file():
        raise CalibrationError(f"{path} is not there; make it with python -m tagger calibrate")
    try:
        arrays = read_npz(path)
        said = json_of(str(arrays.pop(PROVENANCE)[()]))
        fits = (
            (said["format"], said["kind"]) == (FORMAT, KIND)
            and isinstance(said["clips"], list)
            and all(array.dtype == np.float64 for array in arrays.values())
        )
    except (WeightsError, OSError, KeyError, TypeError) as error:
        raise _useless(path) from error
    if not fits:
        raise _useless(path)
    return said, arrays


def _useless(path: FilePath) -> CalibrationError:
    return CalibrationError(
        f"{path} is no calibration of this version, or a damaged one; make it with "
        "python -m tagger calibrate"
    )

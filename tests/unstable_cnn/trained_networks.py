"""Seeded networks whose normalisations hold the statistics of an input of one's choosing, as if
they had been trained on it.
"""

import shutil

import h5py
import numpy as np

from parity.fixtures import seeded, synthesis
from parity.model import MODELS, Case, Weights
from parity.studies.unstable_cnn import runs

TRAINED_ON, HEARD = (
    (3, 4),
    (1, 2),
)  # numbers of synthesised clips: what is heard later was not trained on


def clips(numbers=HEARD):
    """{name: (1, 1, 96, 1366) float32, decibel}."""
    return {f"clip {number}": synthesis.mel_spectrogram(number) for number in numbers}


def trained(folder, model, correct, hold=np.sqrt):
    """A Case of `model` whose stored statistics are of `correct(clips)`, layer by layer; hold:
    what running_std keeps of a variance.
    """
    from parity.port import proof
    from parity.port.weights import load

    path = folder / f"{model}.h5"
    shutil.copyfile(seeded.weights(model, folder), path)
    tagger = load(model, path)
    values, kept = (
        np.concatenate([correct(x) for x in clips(TRAINED_ON).values()]).astype(np.float32),
        {},
    )
    port = proof.ChainerPort(tagger)
    for name in port.layers:
        link = tagger[name]
        if getattr(link, "mode", None) == 0:
            mean, variance = runs.statistics(values, link.axis)
            spread = np.sqrt(variance) if link.dialect.stored == "std" else variance
            link.running_mean, link.running_std = mean.astype(np.float32), spread.astype(np.float32)
            kept[name] = link.running_mean, hold(variance).astype(np.float32)
        values = port.run(name, values)
    write_statistics(path, kept)
    return Case(MODELS[model], Weights(path), (), "seeded")


def write_statistics(path, statistics):
    """Put {layer: (running_mean, running_std)} into a Keras weight file."""
    with h5py.File(path, "r+") as file:
        for layer, arrays in statistics.items():
            for name, array in zip(("running_mean", "running_std"), arrays, strict=True):
                file[f"{layer}/{layer}_{name}"][...] = array

"""The npz files of the published Chainer port (github.com/shun60s/music-tagging-chainer,
data/*.model), read as Keras's.

Its links have other names, and its `avg_var` is a variance where Keras 1.0.6 keeps a standard
deviation.
"""

import numpy as np

from parity.port.models import MODELS

GRU_PARTS = {
    f"{part}_{gate}": f"{part if part != 'b' else 'W'}{link}/{'W' if part != 'b' else 'b'}"
    for gate, link in (("z", "_z"), ("r", "_r"), ("h", ""))
    for part in "WUb"
}  # the bias is that of the link of W
BN_PARTS = {"gamma": "gamma", "beta": "beta", "running_mean": "avg_mean", "running_std": "avg_var"}
VARIANCE_IS_STORED = {"CRNN"}  # the other models' files hold the square of what Keras keeps


def member_names(model):
    """Ordered dict "conv1/conv1_W" as Keras names it -> the member of a published file that holds
    it.
    """
    return {
        f"{name}/{name}_{suffix}": member
        for name, kind, _ in MODELS[model].layers
        for suffix, member in _members(name, kind)
    }


def looks_published(arrays):
    """Whether a dict of arrays has the published port's names."""
    return "norm0/avg_var" in arrays


def candidates(arrays):
    """The models whose published file has these members and shapes."""
    return [
        model
        for model in VARIANCE_IS_STORED | {"CNN0", "CNN"}
        if set(arrays) - _counts(arrays) == set(member_names(model).values())
    ]


def in_keras_layout(arrays, model):
    """Published members -> ordered dict of Keras's names and layout.

    Kernels are flipped back, matrices transposed back, and a variance becomes the standard
    deviation where Keras keeps that.
    """
    return {
        name: _turned(arrays[member], member, model) for name, member in member_names(model).items()
    }


def _turned(array, member, model):
    if array.ndim == 4:
        return array[:, :, ::-1, ::-1]
    if member.endswith("avg_var") and model not in VARIANCE_IS_STORED:
        return np.sqrt(array)
    return array.T


def _members(name, kind):
    if kind == "BatchNormalization":
        link = f"norm{0 if name == 'bn_0_freq' else name[2:]}"
        return [(suffix, f"{link}/{member}") for suffix, member in BN_PARTS.items()]
    if kind == "GRU":
        return [(suffix, f"{name}/{member}") for suffix, member in GRU_PARTS.items()]
    link = {"Convolution2D": name, "Dense": "fc1"}.get(kind)
    return [(suffix, f"{link}/{suffix}") for suffix in "Wb"] if link else []


def _counts(arrays):
    # norm0/N .. count batches of a training phase that the published port does not have.
    return {name for name in arrays if name.endswith("/N")}

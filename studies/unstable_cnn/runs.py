"""A run: what the original or the port gave on one batch, and its file."""

from typing import NamedTuple

import h5py
import numpy as np

from parity import untrusted
from parity.errors import CannotRun

SIDES = ("original", "port")
LOGITS = "{}:logits"  # the name under which a Dense's sums before its activation are kept


class Run(NamedTuple):
    """One call. outputs: {layer: float32 (B, ...)}, with "<last layer>:logits" beside the last
    layer.

    arriving: {normalisation: (mean, variance)}, float64 (n,) along that layer's axis, over the
    whole batch, of its input; parameters_sha256: (before, after) the call, of every parameter and
    persistent value; others_sha256: of all else that stays between calls, which in the original
    are the generators of its dropouts and in the port is nothing.
    """

    outputs: dict
    arriving: dict
    parameters_sha256: tuple
    others_sha256: tuple = ("", "")


def statistics(values, axis):
    """(mean, variance), float64 (n,): two-pass, biased, over every axis but `axis` of `values`."""
    others = tuple(at for at in range(values.ndim) if at != axis % values.ndim)
    mean = values.mean(axis=others, dtype=np.float64, keepdims=True)
    variance = sum(np.square(clip[None] - mean).sum(axis=others) for clip in values) / (
        values.size // values.shape[axis]
    )
    return mean.reshape(-1), variance


def thinned(values, most):
    """(B, ...) -> (B, most) at equal distances; unchanged where there are no more."""
    of_clip = values.size // len(values)
    if most is None or of_clip <= most:
        return values
    return np.ascontiguousarray(
        values.reshape(len(values), -1)[:, np.arange(most) * of_clip // most]
    )


def per_channel(values, at):
    """Mean of each channel of clip `at` of an output (B, C, F, T): float64 (C,)."""
    return values[at].astype(np.float64).mean(axis=(1, 2))


def all_but_dropouts(case):
    """Every layer of a case that does something in the test phase."""
    return [name for name in case.model.layers if "drop" not in name]


def read(path, layers):
    """{label: Run} in order, from a file; CannotRun where it cannot be read."""
    try:
        with untrusted.hdf5(path) as file:
            groups = [file[str(at)] for at in range(len(file))]
            return {group.attrs["label"]: _run(group, layers) for group in groups}
    except (OSError, KeyError) as error:
        raise CannotRun(
            f"{path}: the recorded calls cannot be read; remove that file and run again"
        ) from error


def _run(group, layers):
    outputs = {name: group["outputs"][name][()] for name in layers if name in group["outputs"]}
    if "logits" in group:
        outputs[LOGITS.format(layers[-1])] = group["logits"][()]
    arriving = {name: tuple(array[()]) for name, array in group["arriving"].items()}
    marks = [
        tuple(group.attrs[f"{what}_{when}"] for when in ("before", "after"))
        for what in ("parameters", "others")
    ]
    return Run(outputs, arriving, *marks)


def write(path, found, layers):
    """Write Runs as the recorder does, labelled by their number."""
    logits = LOGITS.format(layers[-1])
    with h5py.File(path, "w") as file:
        for at, run in enumerate(found):
            group = file.create_group(str(at))
            group.create_group("outputs"), group.create_group("arriving")
            for name, values in run.outputs.items():
                group["logits" if name == logits else f"outputs/{name}"] = values
            for name, values in run.arriving.items():
                group[f"arriving/{name}"] = np.stack(values)
            group.attrs["label"] = str(at)
            marks = {"parameters": run.parameters_sha256, "others": run.others_sha256}
            for what, both in marks.items():
                for when, mark in zip(("before", "after"), both, strict=True):
                    group.attrs[f"{what}_{when}"] = mark

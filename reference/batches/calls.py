"""One Theano function of an original, called on batch after batch: kept layers, what arrives at
the normalisations, what it remembers.

Import `reference.legacy` and apply it first.
"""

import hashlib
import itertools

import h5py
import numpy as np
import theano
from keras import backend as K

from reference.refused import Refused

_TEST_PHASE = 0


class Function:
    """`model` as one Theano function that keeps the layers named in `keep`. Raises Refused for a
    layer it has not.
    """

    def __init__(self, model, keep):
        known = {layer.name: layer for layer in model.layers}
        unknown = [name for name in keep if name not in known]
        if unknown:
            raise Refused(f"the original has no layer {unknown[0]}; it has {', '.join(known)}")
        normalisations = [
            layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"
        ]
        wanted = {("outputs", name): known[name].output for name in keep}
        wanted |= {
            ("logits", name): known[name].output.owner.inputs[0]
            for name in keep
            if type(known[name]).__name__ == "Dense"
        }
        wanted |= {("arriving", layer.name): layer.input for layer in normalisations}
        self.axes, self.names = {layer.name: layer.axis for layer in normalisations}, list(wanted)
        self._call = theano.function(
            [model.inputs[0], K.learning_phase()], list(wanted.values()), on_unused_input="ignore"
        )
        self.parameters = [
            value
            for layer in model.layers
            for kind in ("trainable_weights", "non_trainable_weights")
            for value in getattr(layer, kind, [])
        ]  # Keras 1.0's InputLayer has neither list
        self.others = [
            value
            for value in self._call.get_shared()
            if not any(value is known for known in self.parameters)
        ]

    def remembered(self):
        """(sha256 of all parameters and persistent values, sha256 of everything else that stays
        between calls).
        """
        return tuple(_sha256(values) for values in (self.parameters, self.others))

    def __call__(self, batch):
        """Yield ((group, layer), array) of one call on `batch` (B, 1, 96, 1366)."""
        for (group, name), values in zip(self.names, self._call(batch, _TEST_PHASE), strict=True):
            yield (
                (group, name),
                statistics(values, self.axes[name]) if group == "arriving" else values,
            )


def _sha256(variables):
    digest = hashlib.sha256()
    for variable in variables:
        value = variable.get_value(borrow=True)
        for part in value if isinstance(value, tuple) else (value,):  # a RandomState is a tuple
            digest.update(
                np.ascontiguousarray(
                    part.get_state()[1] if hasattr(part, "get_state") else part
                ).tobytes()
            )
    return digest.hexdigest()


def statistics(values, axis):
    """float64 (2, n): mean and biased variance, in two passes, over every axis but `axis`."""
    others = tuple(at for at in range(values.ndim) if at != axis % values.ndim)
    mean = values.mean(axis=others, dtype=np.float64, keepdims=True)
    count, variance = values.size // values.shape[axis], 0.0
    for clip in values:  # one clip's float64 at a time
        variance = variance + np.square(clip[None] - mean).sum(axis=others)
    return np.stack([mean.reshape(-1), variance / count])


def thinned(values, most):
    """(B, ...) -> (B, most): values of each clip at equal distances; all, in their shape, where
    there are no more or most is None.
    """
    of_clip = values.size // len(values)
    if most is None or of_clip <= most:
        return values
    return np.ascontiguousarray(
        values.reshape(len(values), -1)[:, np.arange(most) * of_clip // most]
    )


def read_clips(job):
    """The clips of `job`, float32 (clips, 1, 96, 1366). Raises Refused where they or the batches
    cannot be used.
    """
    try:
        clips = np.load(job["input"], allow_pickle=False)
    except (OSError, ValueError) as error:
        raise Refused(
            f"{job['input']}: the clips cannot be read ({error}); give a float32 npy"
        ) from error
    if (
        clips.ndim != 4
        or clips.shape[1:] != (1, 96, 1366)
        or clips.dtype != np.float32
        or not np.isfinite(clips).all()
    ):
        raise Refused(
            f"{job['input']}: {clips.dtype} {clips.shape}, expected finite float32 "
            "(clips, 1, 96, 1366), decibel"
        )
    used = list(itertools.chain.from_iterable(rows for _, rows in job["batches"]))
    if not all(rows for _, rows in job["batches"]) or not all(
        0 <= row < len(clips) for row in used
    ):
        raise Refused(
            f"a batch is empty or asks for a clip beyond the {len(clips)} there are; "
            "number them from 0"
        )
    return clips


def write_all(function, clips, job, out, tick):
    """Call `function` on every batch of `job`, in order, and write what it gives to the HDF5 file
    `out`.
    """
    with h5py.File(out, "w") as file:
        for at, (label, rows) in enumerate(job["batches"]):
            tick(at + 1, len(job["batches"]))
            group, before = file.create_group(str(at)), function.remembered()
            for (kind, name), values in function(clips[rows].astype(theano.config.floatX)):
                place = "logits" if kind == "logits" else f"{kind}/{name}"
                group[place] = values if kind == "arriving" else thinned(values, job["most"])
            after = function.remembered()
            group.attrs.update(
                {
                    "label": label,
                    "parameters_before": before[0],
                    "parameters_after": after[0],
                    "others_before": before[1],
                    "others_after": after[1],
                }
            )

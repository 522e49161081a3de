"""What the runs of an investigation give, and what they are made on."""

from typing import NamedTuple

import numpy as np

COLLECTIONS_MODEL = "CRNN"  # its first layer remembers the decibels of the music it was trained on
FAST, PLAIN = "fast_run", "None"  # Theano's optimizers
LOGITS = "{}:logits"  # the name under which a Dense's sums before its activation are kept


class Run(NamedTuple):
    """One call. outputs: {layer: float32 (B, ...)}, with "<last layer>:logits" beside the last
    layer.

    arriving: {BatchNormalization layer: (mean, variance)}, float64 (n,) along that layer's axis,
    over the whole batch, of its input.
    parameters_sha256: (before, after) the call, of every parameter and persistent value;
    others_sha256: of all else that stays between calls, which in the original are the generators
    of its dropouts and in the port is nothing.
    """

    outputs: dict
    arriving: dict
    parameters_sha256: tuple
    others_sha256: tuple = ("", "")


class Subject(NamedTuple):
    """What is investigated. cases: {model: cases.Case}; clips: {name: float32 (1, 1, 96, 1366),
    decibel}.

    audio: {clip name: path}, where there is any; data: "real" or "seeded"; progress: of
    parity.progress, or None; optimizers: {model: Theano's, for the runs of the original}, where
    FAST will not do.
    """

    cases: dict
    clips: dict
    audio: dict
    data: str
    progress: object = None
    optimizers: dict = {}  # noqa: RUF012 - never written into

    def asks(self, model, batches, **more):
        """What runs.originals takes for one model."""
        chosen = self.optimizers.get(model, FAST)
        return {
            "case": self.cases[model],
            "batches": batches,
            "optimizer": chosen,
            "progress": self.progress,
            **more,
        }


def statistics(values, axis):
    """(mean, variance), float64 (n,): two-pass, biased, over every axis but `axis` of `values`."""
    others = tuple(at for at in range(values.ndim) if at != axis % values.ndim)
    mean = values.mean(axis=others, dtype=np.float64, keepdims=True)
    variance = sum(np.square(clip[None] - mean).sum(axis=others) for clip in values) / (
        values.size // values.shape[axis]
    )
    return mean.reshape(-1), variance


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


def per_channel(values, at):
    """Mean of each channel of clip `at` of an output (B, C, F, T): float64 (C,)."""
    return values[at].astype(np.float64).mean(axis=(1, 2))


def all_but_dropouts(case):
    """Every layer of a case that does something in the test phase."""
    return [name for name in case.model.layers if "drop" not in name]

"""A tagger's network: what its description says, built of links that train."""

from collections.abc import Iterable

import chainer
import numpy as np

from parity.port.architectures import MEL_SHAPE, architecture_of
from parity.port.from_keras import KerasModel
from parity.port.links.trainable import TRAINABLE
from parity.port.types import Array

NAMED = {"asked": "as asked", "file": "as the file says", "assumed": "assumed"}


class Network(KerasModel):
    """Mel spectrograms (B,1,96,1366) in dB -> scores (B,outputs) in [0, 1].

    A real chain: it takes Variables or arrays, trains where chainer.config.train is on, and
    serialises. Its links have the names that Keras gave the layers.

    Parameters
    ----------
    model : str
        A name of `parity.port.architectures.MODELS`.
    keras : str, optional
        The Keras release whose formulas to use, by default that of the published weights.

    Attributes
    ----------
    keras_from : {"asked", "file", "assumed"}
        Who named the release: the caller, the weight file, or nobody.
    remarks : tuple of str
        What should be known of the weights, a sentence each.

    Raises
    ------
    ValueError
        For an unknown model or release.
    """

    def __init__(self, model: str, keras: str | None = None) -> None:
        own = architecture_of(model)
        shapes = {
            layer: {suffix: np.broadcast_to(np.float32(0), shape) for suffix, shape in held.items()}
            for layer, held in own.parameters.items()
        }
        super().__init__(own.described, shapes, keras or own.keras, TRAINABLE)
        self.model = model
        self.keras_from = "asked" if keras else "assumed"
        self.remarks: tuple[str, ...] = ()

    @property
    def layer_names(self) -> tuple[str, ...]:
        """In network order."""
        return self.names

    @property
    def release(self) -> str:
        """The Keras release and who named it, in words: "1.0.6 (assumed)"."""
        return f"{self.keras} ({NAMED[self.keras_from]})"

    def forward(self, *inputs: Array) -> chainer.Variable:
        (x,) = inputs
        return self.through(x, self.layer_names)

    def logits(self, x: Array) -> chainer.Variable:
        """The scores before the last sigmoid: x (B,1,96,1366) -> (B,outputs)."""
        *before, last = self.layer_names
        return self[last].logits(self.through(x, before))

    def through(self, x: Array, names: Iterable[str]) -> Array:
        """x (B,1,96,1366) through the first layers, given by name in network order."""
        dtype = self.conv1.W.dtype
        if x.shape[1:] != MEL_SHAPE or x.dtype != dtype:
            raise ValueError(
                f"{self.model} takes {dtype} mel spectrograms (clips, 1, 96, 1366), not "
                f"{x.dtype} {x.shape}"
            )
        for name in names:
            x = self[name](x)
        return x

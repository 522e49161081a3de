"""What a port does beside answering: every layer is met before anything is compared."""

from collections.abc import Collection, Mapping

import numpy as np

from parity.errors import CannotRun
from parity.port_api import Port, answer, prepare, same_bits, unsteady
from parity.recording.trace import Layer

VALUES = 1 << 16  # of noise, repeated over an input


class Misshapen(CannotRun):
    """A layer's answer has another shape than Keras says, so no figure can be compared."""


def _like(layer: Layer, noise: np.ndarray, clips: int) -> np.ndarray:
    """Noise of a layer's shape; where it gives integers, the least that is known to be one."""
    values = np.resize(noise, (clips, *layer.shape[1:]))
    return values if layer.dtype.kind == "f" else (values > 0).astype(layer.dtype)


def meet(
    port: Port, layers: Mapping[str, Layer], proved: Collection[str] = ()
) -> dict[str, set[str]]:
    """{layer: its habits, keys of HABITS}, of layers that answer.

    Every layer that the port has is asked twice for one clip of noise, or for the whole batch
    where it takes no less; not those that probes, which ask twice too, have proved. Raises
    Misshapen for an answer of another shape than Keras says.
    """
    noise = np.random.default_rng(0).standard_normal(VALUES, np.float32)
    found = {}
    asked = [
        name
        for name, layer in layers.items()
        if layer.inbound and name in port.layers and name not in proved
    ]
    one = ((name, [_like(layers[at], noise, 1) for at in layers[name].inbound]) for name in asked)
    prepare(port, (each for each in one for _ in range(2)))
    for name in asked:
        layer = layers[name]
        for clips in (1, layer.shape[0]):
            inputs = [_like(layers[at], noise, clips) for at in layer.inbound]
            first, shape = answer(port, name, *inputs), (clips, *layer.shape[1:])
            if first.actual is not None and first.actual.shape == shape:
                again = answer(port, name, *inputs)
                found[name] = {*first.habits, *again.habits}
                if not same_bits(first.actual, again.actual):
                    found[name].add(unsteady(port, name, *inputs))
                break
        else:
            if first.actual is not None:
                raise Misshapen(
                    f"the port's {name} gives {first.actual.shape}, where Keras says {shape}; a "
                    "layer's axes are those of Keras, the clips first: mend the port"
                )
    return found

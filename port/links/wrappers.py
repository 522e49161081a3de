"""Layers around another. Keras names the weights of the inner layer after that one: dense_1_W,
forward_lstm_1_W_i.
"""

from collections.abc import Callable, Mapping
from typing import Any

import chainer
import chainer.functions as F

from parity.architecture import CONTAINERS, INPUT, layer_of, parse
from parity.port.inner import Inner
from parity.port.links.flow import Within
from parity.port.types import Array, Arrays, Config

Makers = Mapping[str, Callable[[Config, Arrays, str], chainer.Link]]


def _inside(makers: Makers, config: Config, arrays: Arrays, keras: str, **more: Any) -> Any:
    """The link of the layer inside; more: settings of it to change."""
    inner = config["layer"]
    if inner["class_name"] not in CONTAINERS:
        return makers[inner["class_name"]]({**inner["config"], **more}, Inner(arrays), keras)
    described = parse(inner)
    links = {
        layer_of(node.name): makers[node.kind](node.config, Inner.of(node.name, arrays), keras)
        for node in described.nodes
        if node.kind != INPUT
    }
    return Within(described, links)


class TimeDistributed(chainer.Chain):
    """x (B,T,...) -> (B,T,...): the layer on every step, all at once."""

    def __init__(self, layer: chainer.Link) -> None:
        super().__init__()
        with self.init_scope():
            self.layer = layer

    def forward(self, x: Array) -> chainer.Variable:
        y = self.layer(F.reshape(x, (-1, *x.shape[2:])))
        return F.reshape(y, (*x.shape[:2], *y.shape[1:]))


class Bidirectional(chainer.Chain):
    """x (B,T,in), mask or none -> both directions' outputs, in the order of the steps, merged."""

    reads_mask = True

    def __init__(self, mode: str, forwards: chainer.Link, backwards: chainer.Link) -> None:
        super().__init__()
        self.mode = mode
        with self.init_scope():
            self.forwards, self.backwards = forwards, backwards

    @property
    def hands_mask_on(self) -> bool:
        return bool(self.forwards.hands_mask_on)

    def forward(self, x: Array, mask: Any = None) -> chainer.Variable:
        a, b = self.forwards(x, mask), self.backwards(x, mask)
        b = F.flip(b, axis=1) if b.ndim == 3 else b
        return MERGED[self.mode](a, b)


MERGED: dict[str, Callable[[Any, Any], chainer.Variable]] = {
    "concat": lambda a, b: F.concat([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "ave": lambda a, b: (a + b) / 2,
    "mul": lambda a, b: a * b,
}


def time_distributed(makers: Makers) -> Callable[..., chainer.Link]:
    """The maker, by those of all layers."""
    return lambda *given: TimeDistributed(_inside(makers, *given))


def bidirectional(makers: Makers) -> Callable[..., chainer.Link]:
    """The maker, by those of all layers."""

    def make(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
        own = bool(config["layer"]["config"]["go_backwards"])
        halves = (
            _inside(
                makers,
                config,
                {name: array for name, array in arrays.items() if name.startswith(prefix)},
                keras,
                go_backwards=own != turned,
            )
            for prefix, turned in (("forward_", False), ("backward_", True))
        )
        return Bidirectional(config["merge_mode"], *halves)

    return make

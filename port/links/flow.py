"""Links called in the graph of a model."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import chainer
import numpy as np

from parity.architecture import INPUT, Architecture, layer_of

__all__ = ["Within", "flow"]


def flow(
    described: Architecture, link_of: Callable[[str], Any], inputs: Iterable[Any]
) -> tuple[Any, ...]:
    """The model's outputs. link_of: a layer's link by its name; masks go where it says."""
    made: dict[str, Any] = dict(zip(described.inputs, inputs, strict=True))
    masks: dict[str, Any] = {}
    for node in described.nodes:
        if node.kind == INPUT:
            continue
        link, given = link_of(layer_of(node.name)), [made[name] for name in node.inbound]
        mask = next((masks[name] for name in node.inbound if name in masks), None)
        if hasattr(link, "mask_of"):
            masks[node.name] = link.mask_of(*given)
        elif mask is not None and getattr(link, "hands_mask_on", True):
            masks[node.name] = mask
        if mask is not None and getattr(link, "reads_mask", False):
            given.append(mask)
        made[node.name] = out = link(*given)
        # as one alone would be given it: in another order of memory, sums round otherwise
        out.array = chainer.backend.get_array_module(out.array).ascontiguousarray(out.array)
    return tuple(made[name] for name in described.outputs)


class Within(chainer.Chain):
    """A model that stands inside a layer. links: {layer: link}."""

    def __init__(self, described: Architecture, links: Mapping[str, chainer.Link]) -> None:
        super().__init__()
        self.described = described
        for name, link in links.items():
            self.add_link(name.replace("/", " "), link)

    def forward(self, x: np.ndarray) -> chainer.Variable:
        (y,) = flow(self.described, lambda name: self[name.replace("/", " ")], [x])
        return y

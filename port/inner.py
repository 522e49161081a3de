"""The weights of a layer inside another: Keras names them after the inner layer."""

from collections.abc import Mapping

import numpy as np

from parity.architecture import layer_of

__all__ = ["Inner"]


class Inner(dict[str, np.ndarray]):
    """The arrays of the layer inside by the end of their names, which is Keras's suffix."""

    def __missing__(self, suffix: str) -> np.ndarray:
        for name, array in self.items():
            if name.endswith(f"_{suffix}"):
                return array
        raise KeyError(suffix)

    @classmethod
    def of(cls, node: str, arrays: Mapping[str, np.ndarray]) -> "Inner":
        """Those of one node of a model that stands inside a layer."""
        begin = f"{layer_of(node).rpartition('/')[2]}_"
        return cls({name: array for name, array in arrays.items() if name.startswith(begin)})

    def __contains__(self, suffix: object) -> bool:
        return any(name.endswith(f"_{suffix}") for name in self)

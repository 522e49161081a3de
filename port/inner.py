"""The weights of a layer inside another: Keras names them after the inner layer."""

import numpy as np

__all__ = ["Inner"]


class Inner(dict[str, np.ndarray]):
    """The arrays of the layer inside by the end of their names, which is Keras's suffix."""

    def __missing__(self, suffix: str) -> np.ndarray:
        for name, array in self.items():
            if name.endswith(f"_{suffix}"):
                return array
        raise KeyError(suffix)

    def __contains__(self, suffix: object) -> bool:
        return any(name.endswith(f"_{suffix}") for name in self)

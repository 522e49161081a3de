"""What begins a sequence: rows of a table, masked steps, one vector repeated."""

import chainer
import chainer.functions as F
import numpy as np

from parity.port.types import Array, Arrays, Config


class Embedding(chainer.Link):
    """ids (B,T) -> rows of W (ids,out), (B,T,out). Whole numbers of any dtype."""

    hands_mask_on = False

    def __init__(self, W: np.ndarray) -> None:
        super().__init__()
        with self.init_scope():
            self.W = chainer.Parameter(W)

    def keras_arrays(self) -> dict[str, np.ndarray]:
        return {"W": self.W.array}

    def forward(self, ids: Array) -> chainer.Variable:
        return F.get_item(self.W, chainer.as_array(ids).astype(np.int32))


class MaskingEmbedding(Embedding):
    """With mask_zero: id 0 is no step of the sequence."""

    def mask_of(self, ids: Array) -> np.ndarray:
        found: np.ndarray = chainer.as_array(ids) != 0
        return found


def embedding(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
    return (MaskingEmbedding if config["mask_zero"] else Embedding)(arrays["W"])


class Masking(chainer.Link):
    """x where a step has any other value than mask_value, else 0."""

    def __init__(self, mask_value: float) -> None:
        super().__init__()
        self.mask_value = mask_value

    def mask_of(self, x: Array) -> np.ndarray:
        found: np.ndarray = (chainer.as_array(x) != x.dtype.type(self.mask_value)).any(axis=-1)
        return found

    def forward(self, x: Array) -> chainer.Variable:
        counts = np.broadcast_to(self.mask_of(x)[..., None], x.shape)
        return F.where(counts, x, np.zeros_like(chainer.as_array(x)))


def masking(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
    return Masking(config["mask_value"])


def repeat_vector(x: Array, *, n: int) -> chainer.Variable:
    """x (B,in) -> (B,n,in)."""
    return F.repeat(F.expand_dims(x, 1), n, axis=1)

"""Convolution, pooling, padding, cropping and upsampling of images and sequences, as Keras 1 has
them on Theano, in every geometry.

All of them compute on (B,C,rows,columns). Images with their channels last, and sequences (B,T,C),
are turned before and after.
"""

from collections.abc import Callable, Mapping, Sequence

import chainer
import chainer.functions as F
import numpy as np

from parity.port.links.convolution_2d import same_convolution_2d
from parity.port.types import Array, Arrays, Config

Pair = Sequence[int]


def channels_first(x: Array) -> chainer.Variable:
    """(B,T,C) or (B,rows,columns,C) -> (B,C,T,1) or (B,C,rows,columns)."""
    if x.ndim == 3:
        return F.transpose(x, (0, 2, 1))[..., None]
    return F.transpose(x, (0, 3, 1, 2))


def channels_last(y: Array, rank: int) -> chainer.Variable:
    """The way back, to so many axes."""
    if rank == 3:
        return F.transpose(y[..., 0], (0, 2, 1))
    return F.transpose(y, (0, 2, 3, 1))


class OfImages(chainer.Link):
    """A layer of (B,C,rows,columns), on images in either order of axes or on sequences.

    `turned` says whether channels come last.
    """

    def __init__(self, turned: bool) -> None:
        super().__init__()
        self.turned = turned

    def of_image(self, x: Array) -> chainer.Variable:
        """(B,C,rows,columns) -> the same."""
        raise NotImplementedError

    def image(self, x: Array) -> chainer.Variable:
        """The layer but for what comes after the image is turned back."""
        if not self.turned:
            return self.of_image(x)
        return channels_last(self.of_image(channels_first(x)), x.ndim)

    def forward(self, x: Array) -> chainer.Variable:
        return self.image(x)


class Convolution(OfImages):
    """A convolution of any kernel, stride and border mode, with its activation.

    Parameters W, kernels as Keras keeps them, (O,C,rows,columns) or (rows,columns,C,O), and b (O,)
    or none. "same" pads half a kernel on both sides and drops what an even one makes too many.
    """

    def __init__(
        self,
        W: np.ndarray,
        b: np.ndarray | None,
        stride: Pair,
        border_mode: str,
        activation: str,
        activate: Callable[[Array], chainer.Variable],
        turned: bool,
        theano_kernels: bool,
    ) -> None:
        super().__init__(turned)
        self.stride, self.border_mode = tuple(stride), border_mode
        self.activation, self._activate = activation, activate
        self.theano_kernels = theano_kernels
        with self.init_scope():
            self.W = chainer.Parameter(W)
            self.b = None if b is None else chainer.Parameter(b)

    def keras_arrays(self) -> dict[str, np.ndarray]:
        return {"W": self.W.array} | ({} if self.b is None else {"b": self.b.array})

    def of_image(self, x: Array) -> chainer.Variable:
        W = self.W if self.theano_kernels else F.transpose(self.W, (3, 2, 0, 1))
        W = W[:, :, ::-1, ::-1]  # Theano convolves and Chainer correlates
        size, same = W.shape[2:], self.border_mode == "same"
        odd = size[0] % 2 and size[1] % 2
        if same and odd and self.stride == (1, 1) and self.b is not None:
            return same_convolution_2d(x, W, self.b)
        pad = {"valid": (0, 0), "same": (size[0] // 2, size[1] // 2)}.get(
            self.border_mode, (size[0] - 1, size[1] - 1)
        )
        y = F.convolution_2d(x, W, self.b, self.stride, pad)
        return _strided(y, x, self.stride) if same else y

    def logits(self, x: Array) -> chainer.Variable:
        """What goes into the activation."""
        return self.image(x)

    def forward(self, x: Array) -> chainer.Variable:
        return self._activate(self.image(x))


def _strided(y: Array, x: Array, stride: Pair) -> chainer.Variable:
    # one output for each stride that begins in the image
    rows, columns = (-(-n // step) for n, step in zip(x.shape[2:], stride, strict=True))
    return y[:, :, :rows, :columns]


class Pooling(OfImages):
    """Maximum or mean over windows. "same" has as many zeros at the end as at the start, which no
    window counts; for windows of 5 and more they are too many by Keras's own doing.
    """

    def __init__(
        self, size: Pair, stride: Pair, border_mode: str, mean: bool, turned: bool
    ) -> None:
        super().__init__(turned)
        self.size, self.stride, self.same = tuple(size), tuple(stride), border_mode == "same"
        self.mean = mean

    def of_image(self, x: Array) -> chainer.Variable:
        pad = tuple(_beyond(k) if self.same else 0 for k in self.size)
        if self.mean:
            y = F.average_pooling_nd(x, self.size, self.stride, pad, pad_value=None)
        else:
            y = F.max_pooling_nd(x, self.size, self.stride, pad, cover_all=False)
        return _strided(y, x, self.stride) if self.same else y


def _beyond(k: int) -> int:
    # keras/backend/theano_backend.py, pool2d
    return k - 2 if k > 2 and k % 2 else k - 1


class GlobalPooling(chainer.Link):
    """Maximum or mean over every place: (B,...,C) or (B,C,...) -> (B,C)."""

    def __init__(self, mean: bool, turned: bool) -> None:
        super().__init__()
        self.mean, self.turned = mean, turned

    def forward(self, x: Array) -> chainer.Variable:
        axes = tuple(range(1, x.ndim - 1)) if self.turned else tuple(range(2, x.ndim))
        return (F.mean if self.mean else F.max)(chainer.as_variable(x), axis=axes)


class Moved(OfImages):
    """What moves values: padded with zeros, cropped, or each value repeated, (rows, columns)."""

    def __init__(
        self,
        turned: bool,
        padding: Sequence[Pair] = ((0, 0), (0, 0)),
        cropping: Sequence[Pair] = ((0, 0), (0, 0)),
        size: Pair = (1, 1),
    ) -> None:
        super().__init__(turned)
        self.padding, self.cropping, self.size = padding, cropping, size

    def of_image(self, x: Array) -> chainer.Variable:
        rows, columns = (
            slice(start, n - end)
            for n, (start, end) in zip(x.shape[2:], self.cropping, strict=True)
        )
        y = chainer.as_variable(x)[:, :, rows, columns]
        y = F.pad(y, ((0, 0), (0, 0), *map(tuple, self.padding)), "constant")
        for axis, times in enumerate(self.size, 2):
            y = F.repeat(y, times, axis=axis) if times > 1 else y
        return y


def _turned(config: Config) -> bool:
    return bool(config.get("dim_ordering", "th") == "tf")


def convolution(
    activations: Mapping[str, Callable[[Array], chainer.Variable]],
) -> Callable[[Config, Arrays, str], chainer.Link]:
    """The maker of convolutions over rows and columns or over steps."""

    def make(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
        steps = "filter_length" in config
        W, b = arrays["W"], arrays["b"] if config.get("bias", True) else None
        theano = not _turned(config)
        if steps:  # (O,C,length,1) up to 1.0.6, then (length,1,C,O)
            theano = (
                W.shape[::3] == (config["nb_filter"], 1) and W.shape[2] == config["filter_length"]
            )
        stride = (config["subsample_length"], 1) if steps else config["subsample"]
        own = config["activation"]
        return Convolution(
            W,
            b,
            stride,
            config["border_mode"],
            own,
            activations[own],
            steps or _turned(config),
            theano,
        )

    return make


def pooling(mean: bool) -> Callable[[Config, Arrays, str], chainer.Link]:
    """The maker of pooling over rows and columns or over steps."""

    def make(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
        if "pool_length" in config:
            size, stride = (config["pool_length"], 1), (config["stride"], 1)
        else:
            size, stride = config["pool_size"], config["strides"]
        turned = "pool_length" in config or _turned(config)
        return Pooling(size, stride, config["border_mode"], mean, turned)

    return make


def global_pooling(mean: bool, steps: bool) -> Callable[[Config, Arrays, str], chainer.Link]:
    """The maker of pooling over all rows and columns, or all steps."""
    return lambda config, arrays, keras: GlobalPooling(mean, steps or _turned(config))


SIDES = ("top_pad", "bottom_pad", "left_pad", "right_pad")


def zero_padding(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
    padding = config["padding"]
    if isinstance(padding, Mapping):
        padding = [padding.get(side, 0) for side in SIDES]
    if len(padding) == 2:
        padding = np.repeat(padding, 2)
    above, below, left, right = map(int, padding)
    return Moved(_turned(config), padding=((above, below), (left, right)))


def step_padding(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
    padding = config["padding"]
    if isinstance(padding, Mapping):
        padding = [padding.get(side, 0) for side in ("left_pad", "right_pad")]
    before, after = map(int, np.broadcast_to(padding, 2))
    return Moved(True, padding=((before, after), (0, 0)))


def cropping(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
    return Moved(_turned(config), cropping=config["cropping"])


def step_cropping(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
    return Moved(True, cropping=(config["cropping"], (0, 0)))


def up_sampling(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
    return Moved(_turned(config), size=config["size"])


def step_up_sampling(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
    return Moved(True, size=(config["length"], 1))

"""What stock Chainer computes where the port has a layer of its own: the measured worth of each of
the port's fixes.

Every step here is one a porter might write who copies the parameters by name and trusts Chainer's
own links.
"""

from collections.abc import Callable
from typing import Any

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np

from parity.files import FilePath
from parity.port.links.batch_normalization import BatchNormalization
from parity.port.links.convolution_2d import Convolution2D, same_convolution_2d
from parity.port.links.gru import GRU
from parity.port.weights import load

# music-tagger-test.py of the published port (github.com/shun60s/music-tagging-chainer): (model has
# a standard deviation, layer) -> eps; everywhere else it has Chainer's 2e-5.
Step = Callable[[np.ndarray], Any]
PUBLISHED_EPS = {("std", "bn_0_freq"): 1e-5}


def replacements(
    model: str, weights: FilePath, keras: str | None = None
) -> dict[str, dict[str, Any]]:
    """{drift: {layer: callable(ndarray) -> ndarray}} in network order, for the tagger of
    parity.port.weights.load.

    A callable takes and gives what the port's step of that layer does, in the test phase; its
    attribute `link` is the stock link behind it, None where it has none.
    """
    links = load(model, weights, keras).steps()
    return {
        drift: {name: make(name, link) for name, link in links.items() if type(link) is kind}
        for drift, (kind, make) in DRIFTS.items()
    }


def _unflipped(name: str, link: Any) -> Step:
    """The kernel as the file has it, correlated: Theano would have flipped it."""
    as_stored = np.ascontiguousarray(link.W.array[:, :, ::-1, ::-1])
    return _quiet(lambda x: same_convolution_2d(x, as_stored, link.b.array))


def _gru(sign_of_z: int) -> Callable[[str, Any], Step]:
    def make(name: str, link: Any) -> Step:
        """Chainer's GRU: a true sigmoid and h' = (1 - z) h + z candidate. sign_of_z -1 turns its z
        into Keras's 1 - z.
        """
        stock = L.StatelessGRU(link.W.shape[1], link.out_size)
        gates = zip(
            (stock.W_z, stock.W_r, stock.W),
            (stock.U_z, stock.U_r, stock.U),
            (sign_of_z, 1, 1),
            *(np.split(parameter.array, 3) for parameter in (link.W, link.U, link.b)),
            strict=True,
        )
        for of_input, of_state, sign, W, U, b in gates:
            of_input.W.array, of_state.W.array, of_input.b.array = sign * W, sign * U, sign * b
        return _quiet(lambda x: _unroll(stock, x, link.out_size, link.return_sequences), link=stock)

    return make


def _unroll(stock: Any, x: np.ndarray, units: int, return_sequences: bool) -> Any:
    h, states = np.zeros((len(x), units), x.dtype), []
    for t in range(x.shape[1]):
        h = stock(h, x[:, t])
        states.append(h)
    return F.stack(states, axis=1) if return_sequences else h


def _normalization(name: str, link: Any) -> Step:
    """Chainer's batch normalisation: running_std taken for the variance it has; stored statistics
    in the test phase, always.
    """
    stock = _filled(link, link.running_std, 2e-5)
    return _quiet(stock, link=stock)


def _published_normalization(name: str, link: Any) -> Step:
    """The published port's 1/sqrt(std^2 + eps), running_std squared where it is a standard
    deviation; mode 2 by Chainer's train phase.

    There it meets what Chainer's own convolution gives, channel-last memory
    (functions/connection/convolution_2d.py), over which NumPy adds up a channel one by one in
    float32.
    """
    variance = np.square(link.running_std) if link.dialect.stored == "std" else link.running_std
    stock = _filled(link, variance, PUBLISHED_EPS.get((link.dialect.stored, name), 2e-5))
    return (
        _quiet(lambda x: stock(_channel_last(x)), train=True, link=stock)
        if link.mode == 2
        else _quiet(stock, link=stock)
    )


def _channel_last(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(x, 1, -1)).transpose(0, 3, 1, 2)


def _filled(link: Any, variance: np.ndarray, eps: float) -> Any:
    axes = tuple(axis for axis in range(4) if axis != link.axis)
    stock = L.BatchNormalization(len(variance), axis=axes, eps=eps)
    stock.gamma.array, stock.beta.array = link.gamma.array, link.beta.array
    stock.avg_mean, stock.avg_var = link.running_mean.copy(), variance.copy()
    return stock


def _quiet(step: Callable[..., Any], train: bool = False, link: Any = None) -> Step:
    def call(x: np.ndarray) -> Any:
        with chainer.using_config("train", train), chainer.no_backprop_mode():
            return chainer.as_array(step(x))

    call.link = link  # type: ignore[attr-defined]  # what may remember something between calls
    return call


# drift -> (the port's link that it replaces, what makes the step)
DRIFTS: dict[str, tuple[type, Callable[[str, Any], Step]]] = {
    "unflipped kernel": (Convolution2D, _unflipped),
    "Chainer's BatchNormalization": (BatchNormalization, _normalization),
    "published BatchNormalization": (BatchNormalization, _published_normalization),
    "Chainer's GRU": (GRU, _gru(1)),
    "Chainer's GRU, z negated": (GRU, _gru(-1)),
}


def moving_averages(
    batches: np.ndarray, keras: str | None = None, decay: float = 0.9
) -> dict[str, np.ndarray]:
    """What a batch normalisation holds after each batch of (updates,B,C,F,T) in the train phase:
    the port's of release `keras`, or else Chainer's own with that decay.

    Returns {"running_mean", "running_std", "divisor": (updates,C)}; Chainer's running_std is a
    variance; divisor is what the test phase then divides by.
    """
    channels = batches.shape[2]
    link = (
        BatchNormalization(channels, keras=keras)
        if keras
        else L.BatchNormalization(channels, decay=decay)
    )
    found = []
    with chainer.using_config("train", True), chainer.no_backprop_mode():
        for batch in batches:
            link(batch)
            found.append(_held(link))
    names = ("running_mean", "running_std", "divisor")
    return dict(zip(names, map(np.stack, zip(*found, strict=True)), strict=True))


def _held(link: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if isinstance(link, L.BatchNormalization):
        return link.avg_mean.copy(), link.avg_var.copy(), np.sqrt(link.avg_var + link.eps)
    divisor = link.dialect.test_divisor(chainer.Variable(link.running_std), link.eps)
    return link.running_mean, link.running_std, divisor.array

"""Keras 1's recurrent layers with every setting; the formulas are those of each step() in
keras/layers/recurrent.py and of K.rnn, the same in every 1.x release.
"""

from collections.abc import Callable, Mapping
from typing import Any

import chainer
import chainer.functions as F
import numpy as np

from parity.port.types import Array, Arrays, Config

Activation = Callable[[Array], chainer.Variable]
States = tuple[chainer.Variable, ...]
Cell = Callable[[Any, States, Any, Activation, Activation], States]


def simple(to_h: Any, states: States, U: Any, inner: Activation, outer: Activation) -> States:
    """h' = activation(W x + b + U h)."""
    return (outer(to_h + F.linear(states[0], U)),)


def gru(sums: Any, states: States, U: Any, inner: Activation, outer: Activation) -> States:
    """h' = z h + (1 - z) c, where r multiplies h before U_h."""
    (h,) = states
    units = h.shape[1]
    to_zr, to_h = F.split_axis(sums, [2 * units], axis=1)
    U_zr, U_h = F.split_axis(U, [2 * units], axis=0)
    z, r = F.split_axis(inner(to_zr + F.linear(h, U_zr)), 2, axis=1)
    return (z * h + (1 - z) * outer(to_h + F.linear(r * h, U_h)),)


def lstm(sums: Any, states: States, U: Any, inner: Activation, outer: Activation) -> States:
    """i, f and o, the inner activation of their sums; c' = f c + i activation(to_c), h' = o
    activation(c').
    """
    h, c = states
    to_i, to_f, to_c, to_o = F.split_axis(sums + F.linear(h, U), 4, axis=1)
    c = inner(to_f) * c + inner(to_i) * outer(to_c)
    return inner(to_o) * outer(c), c


# Keras class name -> (gates in the order of Keras's one matrix for all, states, step)
CELLS: dict[str, tuple[str, int, Cell]] = {
    "SimpleRNN": ("", 1, simple),
    "GRU": ("zrh", 1, gru),
    "LSTM": ("ifco", 2, lstm),
}


class Recurrent(chainer.Link):
    """x (B,T,in), mask (B,T) or none -> (B,T,out) with `return_sequences`, in the order of the
    steps, else the last state (B,out).

    A masked step leaves all states as they are. Parameters have Keras's names and layout.
    """

    reads_mask = True

    def __init__(
        self, kind: str, config: Config, arrays: Arrays, activations: Mapping[str, Activation]
    ) -> None:
        super().__init__()
        gates, self.states, self.cell = CELLS[kind]
        letters = [f"_{gate}" for gate in gates]
        if config.get("consume_less") == "gpu" or not letters:
            letters = [""]
        self.suffixes = {name: [f"{name}{letter}" for letter in letters] for name in "WUb"}
        self.backwards, self.return_sequences = config["go_backwards"], config["return_sequences"]
        self.activations = (
            activations[config.get("inner_activation", "linear")],
            activations[config["activation"]],
        )
        with self.init_scope():
            for names in self.suffixes.values():
                for suffix in names:
                    setattr(self, suffix, chainer.Parameter(arrays[suffix]))

    @property
    def hands_mask_on(self) -> bool:
        return bool(self.return_sequences)

    def keras_arrays(self) -> dict[str, np.ndarray]:
        names = zip(*self.suffixes.values(), strict=True)
        return {name: getattr(self, name).array for each in names for name in each}

    def forward(self, x: Array, mask: Any = None) -> chainer.Variable:
        W, U, b = (
            F.concat([getattr(self, suffix) for suffix in names], axis=-1)
            for names in self.suffixes.values()
        )
        sums = F.linear(x, W.T, b, n_batch_axes=2)  # of all steps in one product
        units = U.shape[0]
        states: States = (chainer.Variable(np.zeros((len(x), units), x.dtype)),) * self.states
        kept = None if mask is None else ~np.asarray(getattr(mask, "array", mask), bool)
        found, order = [], range(x.shape[1])[:: -1 if self.backwards else 1]
        for t in order:
            new = self.cell(sums[:, t], states, U.T, *self.activations)
            if kept is not None:
                stays = np.broadcast_to(kept[:, t, None], (len(x), units))
                new = tuple(F.where(stays, a, b) for a, b in zip(states, new, strict=True))
            states = new
            found.append(states[0])
        return F.stack(found, axis=1) if self.return_sequences else states[0]


def recurrent(kind: str, activations: Mapping[str, Activation]) -> Callable[..., chainer.Link]:
    """The maker of one class."""
    return lambda config, arrays, keras: Recurrent(kind, config, arrays, activations)

"""Keras's GRU, the same in every 1.x release (keras/layers/recurrent.py, GRU.step)."""

import chainer
import chainer.functions as F
import numpy as np
from chainer import initializers

from parity.port.types import Array


class GRU(chainer.Link):
    """x (B,T,in_size) -> (B,T,out_size) with `return_sequences`, else the last state (B,out_size).

    z = hard_sigmoid(W_z x + b_z + U_z h), r alike, candidate = tanh(W_h x + b_h + U_h (r * h)), h'
    = z * h + (1 - z) * candidate, h starts at 0; hard_sigmoid(a) = clip(0.2 a + 0.5, 0, 1).
    Chainer's own GRU has a true sigmoid, a bias on both products, and z and 1 - z the other way
    round.

    Parameters, gates stacked in the order z, r, h, matrices (out,in) as Chainer keeps them:
    W (3 out_size, in_size), U (3 out_size, out_size), b (3 out_size,).
    """

    def __init__(self, in_size: int, out_size: int, return_sequences: bool = False) -> None:
        super().__init__()
        self.out_size = out_size
        self.return_sequences = return_sequences
        with self.init_scope():
            self.W = chainer.Parameter(_per_gate(initializers.GlorotUniform(), (out_size, in_size)))
            self.U = chainer.Parameter(_per_gate(initializers.Orthogonal(), (out_size, out_size)))
            self.b = chainer.Parameter(np.zeros(3 * out_size, np.float32))

    def keras_arrays(self) -> dict[str, np.ndarray]:
        W, U, b = (np.split(parameter.array, 3) for parameter in (self.W, self.U, self.b))
        return {
            f"{part}_{gate}": array.T
            for index, gate in enumerate("zrh")
            for part, array in (("W", W[index]), ("U", U[index]), ("b", b[index]))
        }

    def forward(self, x: Array) -> chainer.Variable:
        # All steps' inputs in one product: (B,T,3 out_size).
        projections = F.linear(x, self.W, self.b, n_batch_axes=2)
        U_zr, U_h = F.split_axis(self.U, [2 * self.out_size], axis=0)
        h = chainer.Variable(np.zeros((x.shape[0], self.out_size), x.dtype))
        states = []
        for projection in F.separate(projections, axis=1):
            h = step(projection, h, U_zr, U_h)
            states.append(h)
        return F.stack(states, axis=1) if self.return_sequences else h


def step(projection: Array, h: Array, U_zr: Array, U_h: Array) -> chainer.Variable:
    """The state (B,H) after one step, from its projection (B,3H) and the state h (B,H) before."""
    z, _, candidate = gates(projection, h, U_zr, U_h)
    return z * h + (1 - z) * candidate


def gates(
    projection: Array, h: Array, U_zr: Array, U_h: Array
) -> tuple[chainer.Variable, chainer.Variable, chainer.Variable]:
    """z, r and candidate, each (B,H), of one step. The reset gate acts before U_h."""
    to_zr, to_candidate = F.split_axis(projection, [2 * h.shape[1]], axis=1)
    z, r = F.split_axis(F.hard_sigmoid(to_zr + F.linear(h, U_zr)), 2, axis=1)
    return z, r, F.tanh(to_candidate + F.linear(r * h, U_h))


def _per_gate(initializer: chainer.Initializer, shape: tuple[int, int]) -> np.ndarray:
    # Keras draws each gate's matrix by itself, so the fan-out is one gate's and not three.
    return np.concatenate(
        [initializers.generate_array(initializer, shape, np, np.float32) for _ in "zrh"]
    )

"""Keras's gated recurrent unit, the same in every 1.x release (keras/layers/recurrent.py,
GRU.step).
"""

import chainer
import chainer.functions as F
import numpy as np
from chainer import initializers


class GRU(chainer.Link):
    """x (B,T,in_size) -> (B,T,out_size) with `return_sequences`, else the last state (B,out_size).

    z = hard_sigmoid(W_z x + b_z + U_z h), r alike, candidate = tanh(W_h x + b_h + U_h (r * h)), h'
    = z * h + (1 - z) * candidate, h starts at 0; hard_sigmoid(a) = clip(0.2 a + 0.5, 0, 1).
    Chainer's own GRU has a true sigmoid, a bias on both products, and z and 1 - z the other way
    round.

    Parameters, gates stacked in the order z, r, h, matrices (out,in) as Chainer keeps them:
    W (3 out_size, in_size), U (3 out_size, out_size), b (3 out_size,).
    """

    def __init__(self, in_size, out_size, return_sequences=False):
        super().__init__()
        self.out_size = out_size
        self.return_sequences = return_sequences
        with self.init_scope():
            self.W = chainer.Parameter(_per_gate(initializers.GlorotUniform(), (out_size, in_size)))
            self.U = chainer.Parameter(_per_gate(initializers.Orthogonal(), (out_size, out_size)))
            self.b = chainer.Parameter(np.zeros(3 * out_size, np.float32))

    def forward(self, x):
        projections = F.linear(
            x, self.W, self.b, n_batch_axes=2
        )  # (B,T,3H): all steps in one product
        U_zr, U_h = F.split_axis(self.U, [2 * self.out_size], axis=0)
        h = chainer.Variable(np.zeros((x.shape[0], self.out_size), x.dtype))
        states = []
        for projection in F.separate(projections, axis=1):
            h = step(projection, h, U_zr, U_h)
            states.append(h)
        return F.stack(states, axis=1) if self.return_sequences else h


def step(projection, h, U_zr, U_h):
    # projection (B,3H), h (B,H) -> the next h (B,H).
    z, _, candidate = gates(projection, h, U_zr, U_h)
    return z * h + (1 - z) * candidate


def gates(projection, h, U_zr, U_h):
    """z, r and candidate, each (B,H), of one step from its projection (B,3H) and the state h (B,H)
    before it.
    """
    to_zr, to_candidate = F.split_axis(projection, [2 * h.shape[1]], axis=1)
    z, r = F.split_axis(F.hard_sigmoid(to_zr + F.linear(h, U_zr)), 2, axis=1)
    candidate = F.tanh(
        to_candidate + F.linear(r * h, U_h)
    )  # the reset gate acts before the product with U_h
    return z, r, candidate


def _per_gate(initializer, shape):
    # Keras draws each gate's matrix by itself, so the fan-out is one gate's and not three.
    return np.concatenate(
        [initializers.generate_array(initializer, shape, np, np.float32) for _ in "zrh"]
    )

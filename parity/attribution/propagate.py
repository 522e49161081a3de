"""One layer of the oracle near the original's recorded values: what a deviation of its input
becomes at its output.

A deviation d, float32, stands for the tensor a + d, where a is what the original recorded there;
None is d = 0. Nothing is linearised: every kind's `propagate` is O(a + d) - O(a) rewritten so that
no large numbers are subtracted. Its float32 arithmetic errs by 1e-6 of the deviation, not of the
tensor, at half the cost of float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.kinds import layer_case
from parity.kinds.api import Params
from parity.numerics.rounding import Array
from parity.numerics.witness import Block, Witness


class Carrier:
    """A layer, its float32 input and output as recorded, and the oracle's error there.

    layer, params, keras: as `layer_case` takes them; given, expected: the original's input and
    output of that layer. error: O(given) - expected, sigma: the rounding error to expect, float32
    of the output's shape; both are None where the layer moves values and the original did so bit
    for bit. Feed `observe` with every block of the layer's witness, or call `run`, which finds
    sigma too.
    """

    def __init__(
        self, layer: Any, params: Params, keras: str, given: Array, expected: Array
    ) -> None:
        self.layer, self.expected = layer, np.ascontiguousarray(expected)
        self.case = layer_case(layer, params, np.ascontiguousarray(given), keras)
        self._rooms: dict[str, Array] = {}

    @property
    def given(self) -> Array:
        """The layer's input, as recorded."""
        return self.case.x

    @property
    def error(self) -> Array | None:
        """O(given) - expected."""
        return self._rooms.get("error")

    @property
    def sigma(self) -> Array | None:
        """The rounding error to expect."""
        return self._rooms.get("sigma")

    def observe(self, judge: Witness, block: Block, error: Array) -> None:
        """Take in one block of the witness of `given`, for `carry`; error: expected - o there (one
        zero where all are equal).

        May be called from several threads at once, as blocks do not overlap.
        """
        if not judge.moves or error.any():
            np.negative(error, out=self._room("error", judge)[block.where], casting="same_kind")

    def run(self) -> Carrier:
        """Observe the whole layer, sigma too; returns self."""
        judge, recorded = self._judge()
        for where in judge.blocks():
            block = judge.block(where)
            self.observe(judge, block, np.subtract(recorded[where], block.o, dtype=np.float64))
            if not judge.moves:
                sigma = self._room("sigma", judge)[where]
                sigma2 = block.bound2 if block.sigma2 is None else block.sigma2
                np.sqrt(sigma2, out=sigma, casting="same_kind")
                if block.sigma2 is None:
                    sigma *= np.float32(judge.sigma_share)
        return self

    def errors(self) -> Carrier:
        """As `run`, without sigma: half the work, for a caller that only carries."""
        judge, recorded = self._judge()
        for where in judge.blocks():
            error = np.subtract(judge.value(where), recorded[where], dtype=np.float64)
            if not judge.moves or error.any():
                self._room("error", judge)[where] = error
        return self

    def carry(self, deviation: Array | None) -> Array | None:
        """O(given + deviation) - expected, float32, or None for zero. The deviation's memory may
        be used for it.
        """
        if deviation is None:
            return None if self.error is None else self.error.copy()
        out: Array = self.case.kind.carry(self.case, deviation)
        if self.error is None:
            return out
        return np.add(out, self.error, out=out)

    def _judge(self) -> tuple[Witness, Array]:
        """A witness that is not kept, and the recorded output as its view."""
        judge = self.case.but().witness
        return judge, self.expected.reshape(judge.view)

    def _room(self, name: str, judge: Witness) -> Array:
        room = self._rooms.get(name)
        if room is None:  # two threads may get here; setdefault lets one room win
            room = self._rooms.setdefault(name, np.zeros(judge.shape, np.float32))
        return room.reshape(judge.view)

"""Where a layer's output leaves its bound: which channels, rows, time steps, which side of zero."""

import numpy as np

from parity.numerics.rounding import NOTHING
from parity.numerics.witness import Block, Witness
from parity.results import Support as Found

LISTED = 16  # indices named in a finding


class Support:
    """Counts, per axis of the output, the elements beyond B."""

    def __init__(self, judge: Witness) -> None:
        self.judge = judge
        self.counts: list[np.ndarray] = []
        self.beyond = self.unbounded = 0

    def add(self, block: Block, beyond: np.ndarray) -> None:
        """beyond: bool, the block's shape."""
        self.counts = self.counts or [np.zeros(n, int) for n in self.judge.view]
        for axis, (count, where) in enumerate(zip(self.counts, block.where, strict=True)):
            count[where] += np.count_nonzero(beyond, axis=tuple({0, 1, 2} - {axis}))
        self.beyond += int(np.count_nonzero(beyond))
        if block.bound2 is not None:
            self.unbounded += int(np.count_nonzero(beyond & (block.bound2 == NOTHING)))

    def findings(self) -> Found | None:
        """None when nothing is beyond."""
        if not self.beyond:
            return None
        axes, edges, side = self._axes(), self._edges_only(), self._side()
        touched, of = axes[self.judge.axis], self.judge.shape[self.judge.axis]
        which = f" ({', '.join(map(str, touched))})" if len(touched) <= LISTED else ""
        parts = [
            f"{len(touched)} of {of} {self.judge.axis_name}s{which if len(touched) < of else ''}",
            "edges only" if edges else "",
            f"only {side}" if side else "",
        ]
        indices = [axis[:LISTED].tolist() for axis in axes]
        return Found([len(a) for a in axes], indices, edges, side, ", ".join(filter(None, parts)))

    def _axes(self) -> list[np.ndarray]:
        """The touched indices of every output axis."""
        shape, axis = self.judge.shape, self.judge.axis
        before, channels, after = self.counts
        return [
            *map(np.unique, np.atleast_1d(before.reshape(shape[:axis])).nonzero()),
            channels.nonzero()[0],
            *map(np.unique, np.atleast_1d(after.reshape(shape[axis + 1 :])).nonzero()),
        ]

    def _edges_only(self) -> bool:
        """Whether no element off the image's border is beyond; False where the output is no image
        around axis 1.
        """
        image = self.judge.shape[self.judge.axis + 1 :]
        if len(image) != 2 or min(image) < 3:
            return False
        return not self.counts[2].reshape(image)[1:-1, 1:-1].any()

    def _side(self) -> str | None:
        """'x > 0' or 'x <= 0' where a one-sided kind is beyond on one side only, else None."""
        if not self.judge.one_sided:
            return None
        return {0: "x <= 0", self.beyond: "x > 0"}.get(self.unbounded)

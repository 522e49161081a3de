"""Where a layer's output leaves its bound: which channels, rows, time steps, which side of zero."""

import numpy as np

from parity.numerics.rounding import NOTHING

LISTED = 16  # indices named in a finding


class Support:
    """Counts, per axis of the output, the elements beyond B. judge: bounds.Witness."""

    def __init__(self, judge):
        self.judge, self.counts = judge, None
        self.beyond = self.unbounded = 0

    def add(self, block, beyond):
        """beyond: bool, the block's shape."""
        if self.counts is None:
            self.counts = [np.zeros(n, int) for n in self.judge.view]
        for axis, (count, where) in enumerate(zip(self.counts, block.where, strict=True)):
            count[where] += np.count_nonzero(beyond, axis=tuple({0, 1, 2} - {axis}))
        self.beyond += int(np.count_nonzero(beyond))
        if block.bound2 is not None:
            self.unbounded += int(np.count_nonzero(beyond & (block.bound2 == NOTHING)))

    def findings(self):
        """None when nothing is beyond; else {axes: [touched indices per axis], edges_only, side,
        text}.
        """
        if not self.beyond:
            return None
        axes = self._axes()
        found = {
            "touched": [len(a) for a in axes],
            "indices": [a[:LISTED].tolist() for a in axes],
            "edges_only": self._edges_only(),
            "side": self._side(),
        }
        return {**found, "text": self._text(axes, found)}

    def _axes(self):
        """The touched indices of every output axis."""
        shape, axis = self.judge.shape, self.judge.axis
        before, channels, after = self.counts
        return [
            *map(np.unique, before.reshape(shape[:axis]).nonzero()),
            channels.nonzero()[0],
            *map(np.unique, after.reshape(shape[axis + 1 :]).nonzero()),
        ]

    def _edges_only(self):
        """Whether no element off the image's border is beyond; False where the output is no image
        around axis 1.
        """
        image = self.judge.shape[self.judge.axis + 1 :]
        if len(image) != 2 or min(image) < 3:
            return False
        return not self.counts[2].reshape(image)[1:-1, 1:-1].any()

    def _side(self):
        """'x > 0' or 'x <= 0' where an ELU is beyond on one side only, else None."""
        if not self.judge.one_sided:
            return None
        return {0: "x <= 0", self.beyond: "x > 0"}.get(self.unbounded)

    def _text(self, axes, found):
        touched, of = axes[self.judge.axis], self.judge.shape[self.judge.axis]
        name = self.judge.axis_name
        which = (
            f" ({', '.join(map(str, touched[:LISTED]))})"
            if len(touched) <= LISTED and len(touched) < of
            else ""
        )
        parts = [f"{len(touched)} of {of} {name}s{which}"]
        return ", ".join(
            parts
            + ["edges only"] * found["edges_only"]
            + [f"only {found['side']}"] * bool(found["side"])
        )

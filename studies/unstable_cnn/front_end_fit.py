"""Which choices of the front end explain a stored mel spectrogram: one after the other, and each
undone again.
"""

from typing import NamedTuple

import numpy as np

from parity.studies.unstable_cnn.alignment import Alignment, align, curve_around
from parity.studies.unstable_cnn.front_end_variants import (
    FULL_SCALE,
    FrontEnd,
    Track,
    choices,
    spectrogram,
)

MOST_STEPS = 8
WORDS = {
    "late": "shift",
    "sample": "sample format",
    "channel": "channels",
    "resampler": "resampler",
    "padding": "padding",
    "window": "window",
    "bands": "mel bands",
    "value": "value",
    "reference": "reference",
    "offset_db": "gain",
    "span": "range (top_db)",
}
CAUSE_RATIO = (
    2  # a choice is a cause where undoing it alone makes what is left at least twice as large
)


class Step(NamedTuple):
    """One choice taken over: its field and name, the front end with it and all before it, and what
    is then left.
    """

    field: str
    name: str
    front_end: FrontEnd
    left: dict


class Fit(NamedTuple):
    """What explains a stored mel spectrogram.

    steps: the Steps, the first of them the front end as it is here; alignment: an Alignment by the
    last of them;
    undone, others: {(field, name): rms in dB} with one choice put back, and with one other choice
    anywhere;
    noise_db: rms of what half a unit of 16 bits, at random, does to a mel spectrogram.
    """

    steps: list
    alignment: Alignment
    undone: dict
    others: dict
    noise_db: float

    @property
    def front_end(self):
        return self.steps[-1].front_end

    @property
    def before(self):
        return self.steps[0].left

    @property
    def left(self):
        return self.steps[-1].left


class Against:
    """A Track and the mel spectrogram (96, 1366), decibel, that it is held against; what was
    computed once is known.
    """

    def __init__(self, track, stored):
        self.track, self.stored, self._known = track, stored, {}

    def rms_db(self, front_end):
        """What is left with a FrontEnd, root mean square over all cells."""
        return float(np.hypot(*self._moments(front_end)))

    def spread_db(self, front_end):
        """What is left with a FrontEnd and the gain that suits it best."""
        return self._moments(front_end)[1]

    def gain_db(self, front_end):
        """The gain that suits a FrontEnd best."""
        return -self._moments(front_end)[0]

    def _moments(self, front_end):
        if front_end not in self._known:
            difference = spectrogram(self.track, front_end) - self.stored
            self._known[front_end] = float(difference.mean()), float(difference.std())
        return self._known[front_end]

    def left(self, front_end):
        return left(spectrogram(self.track, front_end), self.stored)


def fit(track, stored, noise_seed=0):
    """The Fit of a Track to `stored` (96, 1366), decibel."""
    against = Against(track, stored)
    found = FrontEnd(late=align(track, stored, FrontEnd()).late)
    for _ in range(MOST_STEPS):
        found = _shaped(against, found)
        alignment = curve_around(track, stored, found, found.late)
        if alignment.late == found.late or not np.isfinite(alignment.give):
            break
        found = found._replace(
            late=alignment.late
        )  # the wrong front end can put the shift a sample off
    found = _causes_only(against, _levelled(against, found))
    others = {
        _named(found, other): against.rms_db(other)
        for other in (*_shapes(against, found), *_references(found))
    }
    return Fit(
        _steps(against, found),
        alignment,
        _undone(against, found),
        others,
        _noise_db(track, found, noise_seed),
    )


def left(actual, stored):
    """What is left between two mel spectrograms in dB: {mean_db, rms_db, largest_db, signed_db,
    correlation}.
    """
    difference = actual - stored
    spread = actual.std() * stored.std()
    together = (
        ((actual - actual.mean()) * (stored - stored.mean())).mean() / spread
        if spread
        else float(np.array_equal(actual, stored))
    )
    return {
        "mean_db": float(np.abs(difference).mean()),
        "rms_db": _root_mean_square(difference),
        "largest_db": float(np.abs(difference).max()),
        "signed_db": float(difference.mean()),
        "correlation": float(together),
    }


def last_bits(track, stored, front_end, shares):
    """{share of samples: rms in dB}: left where the share of 16-bit samples nearest to halfway is
    rounded the other way.

    Two decoders of the same file differ in just these.
    """
    scaled = track.samples.astype(np.float64) * FULL_SCALE
    doubt = np.abs(scaled - np.floor(scaled) - 0.5)
    found = {}
    for share in shares:
        other = (
            np.where(
                doubt < share / 2,
                np.floor(scaled) + np.ceil(scaled) - np.rint(scaled),
                np.rint(scaled),
            )
            / FULL_SCALE
        )
        found[share] = Against(Track(other.astype(np.float32), track.rate_hz), stored).rms_db(
            front_end
        )
    return found


def _root_mean_square(difference):
    return float(np.sqrt(np.square(difference).mean()))


def _shaped(against, front_end):
    """The FrontEnd to which no one choice but a gain makes a difference for the better."""
    for _ in range(MOST_STEPS):
        best = min(_shapes(against, front_end), key=against.spread_db)
        if against.spread_db(best) >= against.spread_db(front_end):
            break
        front_end = best
    return front_end


def _shapes(against, front_end):
    """Every FrontEnd one choice away that a gain could not stand in for."""
    return [
        other
        for field, _, other in choices(front_end, against.track.samples.shape[1])
        if field != "reference"
    ]


def _references(front_end):
    return [other for field, _, other in choices(front_end, 1) if field == "reference"]


def _levelled(against, front_end):
    """The FrontEnd with the reference that leaves least; with a gain of any size only where that
    leaves far less.
    """
    best = min((front_end, *_references(front_end)), key=against.rms_db)
    gained = front_end._replace(offset_db=against.gain_db(front_end))
    return gained if against.rms_db(gained) * CAUSE_RATIO < against.rms_db(best) else best


def _named(front_end, other):
    """(field, name) of the one choice in which `other` differs."""
    field = next(
        name for name in FrontEnd._fields if getattr(other, name) != getattr(front_end, name)
    )
    return field, named(field, getattr(other, field))


def named(field, value):
    """The value of a choice in words."""
    if field == "late":
        return f"{value} samples later"
    return f"{value:+.3g} dB" if field == "offset_db" else value


def _undone(against, front_end):
    """{(field, name put back): rms in dB} for every choice that is not the one made here."""
    return {
        (field, named(field, here)): against.rms_db(front_end._replace(**{field: here}))
        for field, here in FrontEnd()._asdict().items()
        if getattr(front_end, field) != here
    }


def _causes_only(against, front_end):
    """The FrontEnd without the choices that hardly matter."""
    for field, here in FrontEnd()._asdict().items():
        without = front_end._replace(**{field: here})
        if without != front_end and against.rms_db(without) < CAUSE_RATIO * against.rms_db(
            front_end
        ):
            front_end = without
    return front_end


def _steps(against, front_end):
    """From the front end here to the one found, the choice that leaves least first; the shift
    comes before all others.
    """
    now = FrontEnd()
    steps = [Step("", "as computed here", now, against.left(now))]
    open_fields = [
        field for field in FrontEnd._fields if getattr(front_end, field) != getattr(now, field)
    ]
    while open_fields:
        taken = {field: now._replace(**{field: getattr(front_end, field)}) for field in open_fields}
        field = (
            "late" if "late" in taken else min(taken, key=lambda name: against.rms_db(taken[name]))
        )
        now = taken[field]
        steps.append(Step(field, named(field, getattr(now, field)), now, against.left(now)))
        open_fields.remove(field)
    return steps


def _noise_db(track, front_end, seed):
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, track.samples.shape) / FULL_SCALE
    heard = front_end._replace(sample="float")
    noisy = Track((track.samples + noise).astype(np.float32), track.rate_hz)
    return _root_mean_square(spectrogram(noisy, heard) - spectrogram(track, heard))

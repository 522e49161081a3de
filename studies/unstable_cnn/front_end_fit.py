"""Which choices of the front end explain a stored mel spectrogram: one after the other, and each
undone again.
"""

import functools
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
# A choice is a cause where undoing it alone makes what is left at least twice as large.
CAUSE_RATIO = 2


class Step(NamedTuple):
    """One choice taken over: the front end with it and all before it, and what is then left."""

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
    """A Track against the mel spectrogram (96, 1366), decibel, of its recording."""

    def __init__(self, track, stored):
        self.track, self.stored = track, stored
        self.moments = functools.cache(self._moments)

    def _moments(self, front_end):
        """(mean, deviation) in dB of what is left with a FrontEnd: the gain that suits it best is
        minus the first, and would leave the second.
        """
        difference = spectrogram(self.track, front_end) - self.stored
        return float(difference.mean()), float(difference.std())

    def rms_db(self, front_end):
        return float(np.hypot(*self.moments(front_end)))

    def spread_db(self, front_end):
        return self.moments(front_end)[1]

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
        # The wrong front end can put the shift a sample off.
        found = found._replace(late=alignment.late)
    found = _causes_only(against, _levelled(against, found))
    others = {
        (field, name): against.rms_db(other)
        for field, name, other in choices(found, track.samples.shape[1])
    }
    undone = {
        (field, named(field, here)): against.rms_db(found._replace(**{field: here}))
        for field, here in _differing(found)
    }
    noise_db = _noise_db(track, found, noise_seed)
    return Fit(_steps(against, found), alignment, undone, others, noise_db)


def left(actual, stored):
    """The difference of two mel spectrograms in dB, and their correlation."""
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
    rounded, found = np.rint(scaled), {}
    for share in shares:
        other = np.where(doubt < share / 2, np.floor(scaled) + np.ceil(scaled) - rounded, rounded)
        heard = Track((other / FULL_SCALE).astype(np.float32), track.rate_hz)
        found[share] = Against(heard, stored).rms_db(front_end)
    return found


def _root_mean_square(difference):
    return float(np.sqrt(np.square(difference).mean()))


def _shaped(against, front_end):
    """The FrontEnd that no single choice but a gain improves."""
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
    """The FrontEnd with the best reference, or with any gain where that leaves far less."""
    best = min((front_end, *_references(front_end)), key=against.rms_db)
    gained = front_end._replace(offset_db=-against.moments(front_end)[0])
    return gained if against.rms_db(gained) * CAUSE_RATIO < against.rms_db(best) else best


def named(field, value):
    """The value of a choice in words."""
    if field == "late":
        return f"{value} samples later"
    return f"{value:+.3g} dB" if field == "offset_db" else value


def _differing(front_end):
    """[(field, the choice made here)] of those that `front_end` makes otherwise."""
    return [
        (field, here)
        for field, here in FrontEnd()._asdict().items()
        if getattr(front_end, field) != here
    ]


def _causes_only(against, front_end):
    """The FrontEnd without the choices that hardly matter."""
    for field, here in _differing(front_end):
        without = front_end._replace(**{field: here})
        if against.rms_db(without) < CAUSE_RATIO * against.rms_db(front_end):
            front_end = without
    return front_end


def _steps(against, front_end):
    """From the front end here to `front_end`: first the shift, then what leaves least."""
    now = FrontEnd()
    steps = [Step("", "as computed here", now, against.left(now))]
    fields = [field for field, _ in _differing(front_end)]
    while fields:
        taken = {field: now._replace(**{field: getattr(front_end, field)}) for field in fields}
        best = min(taken, key=lambda name: against.rms_db(taken[name]))
        field = "late" if "late" in taken else best
        now = taken[field]
        steps.append(Step(field, named(field, getattr(now, field)), now, against.left(now)))
        fields.remove(field)
    return steps


def _noise_db(track, front_end, seed):
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, track.samples.shape) / FULL_SCALE
    heard = front_end._replace(sample="float")
    noisy = Track((track.samples + noise).astype(np.float32), track.rate_hz)
    return _root_mean_square(spectrogram(noisy, heard) - spectrogram(track, heard))

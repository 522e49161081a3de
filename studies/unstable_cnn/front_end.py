"""Is the front end the same? The originals' stored mel spectrograms against those computed here
from the same recordings.
"""

from typing import NamedTuple

import numpy as np

from parity.errors import CannotRun
from parity.studies.unstable_cnn import front_end_control, front_end_delays, front_end_tags
from parity.studies.unstable_cnn.front_end_fit import WORDS, Fit, fit, last_bits, left
from parity.studies.unstable_cnn.front_end_variants import (
    FULL_SCALE,
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    FrontEnd,
    Track,
    read,
    spectrogram,
)
from parity.studies.unstable_cnn.outcome import Outcome, Rows
from tagger.inputs import SUFFIXES

PARTS = 32  # of a clip's time, to look at one by one
TREBLE_STEP_HZ = 2000
FFT_SAMPLES = 4096
LEFT = ("mean_db", "rms_db", "largest_db", "signed_db", "correlation")  # of front_end_fit.left
SHARES = (0.0001, 0.001, 0.01)  # of the samples with another last bit


class Pair(NamedTuple):
    """A clip with both: stored (96, 1366), decibel, and the Track of its recording; wav: a second
    recording's, or None; its Fit.
    """

    name: str
    stored: np.ndarray
    track: Track
    wav: Track | None
    fit: Fit


def ask(subject):
    """On the pairs there are, and on pairs made here with a known difference."""
    pairs, left_out = _pairs(subject)
    control = controlled(front_end_control.planted())
    if not pairs:
        return [Outcome("nothing", None, None, {"left_out": left_out}), control]
    outcomes = [same(pairs, left_out), moved(pairs), explained(pairs)]
    with_wav = [pair for pair in pairs if pair.wav]
    return [*outcomes, *([as_wav(with_wav)] if with_wav else []), on_tags(subject, pairs), control]


def _pairs(subject):
    """([Pair], [why a recording was left out])."""
    found, left_out = [], []
    beside = {name: (clip, _recordings(subject, name)) for name, clip in subject.clips.items()}
    for name, (clip, paths) in (subject.pairs or beside).items():
        if not paths:
            continue
        if subject.progress:
            subject.progress.update("front_end", f"fitting {name}")
        try:
            track, *others = [read(path) for path in paths]
        except CannotRun as why:
            left_out.append(str(why))
            continue
        stored = clip[0, 0].astype(np.float64)
        found.append(Pair(name, stored, track, (others or [None])[0], fit(track, stored)))
    return found, left_out


def _recordings(subject, name):
    """Recordings of a clip, mp3 first; none where the clip itself was computed from one."""
    asked = {path.name for case in subject.cases.values() for path in case.clips}
    names = [name + suffix for suffix in SUFFIXES if name + suffix in subject.audio]
    return [] if asked & set(names) else [subject.audio[each] for each in names]


def judge_same(differences):
    """Whether every (rms in dB, rms that half a bit of the samples makes) is within the latter."""
    return all(rms <= noise for rms, noise in differences) if differences else None


def same(pairs, left_out=()):
    """The outcome on today's front end as it is. left_out: why recordings could not be used."""
    before = {pair.name: pair.fit.before for pair in pairs}
    return Outcome(
        "same",
        judge_same([(pair.fit.before["rms_db"], pair.fit.noise_db) for pair in pairs]),
        max(found["mean_db"] for found in before.values()),
        {"before": before, "left_out": list(left_out)},
        [Rows("floor", [_floor_row(pair) for pair in pairs])],
    )


def _floor_row(pair):
    """Whether top_db acted, and the floor's part in the mean difference."""
    here, at_floor = spectrogram(pair.track, FrontEnd()), pair.stored == pair.stored.min()
    gap = np.abs(here - pair.stored)
    figures = (
        pair.stored.max(),
        pair.stored.min(),
        np.ptp(pair.stored),
        at_floor.mean(),
        here.max(),
        here.min(),
        (here == here.min()).mean(),
        gap[at_floor].sum() / gap.size,
        gap[~at_floor].sum() / gap.size,
    )
    return [pair.name, *map(float, figures)]


def judge_shift(alignments):
    """Whether all (late, give) are sure to less than half a sample and are one shift: True where
    it is not 0, False where it is. None where one is not sure, or they differ.
    """
    lates = {late for late, _ in alignments}
    sure = bool(alignments) and all(give < 0.5 for _, give in alignments)
    return lates != {0} if sure and len(lates) == 1 else None


def moved(pairs):
    """The outcome on the shift: how far, and what would explain it."""
    found = [pair.fit.alignment for pair in pairs]
    late, rate_hz = max((each.late for each in found), key=abs), pairs[0].track.rate_hz
    measured = [
        (len(pair.track.samples), pair.track.rate_hz, of.exact, of.give)
        for pair, of in zip(pairs, found, strict=True)
    ]
    known = front_end_delays.explaining(measured)
    delays = [
        [pair.name, delay.name, round(late, 3), exact, round(late - exact, 3)]
        for pair, (samples, rate_hz, exact, _) in zip(pairs, measured, strict=True)
        for delay in front_end_delays.DELAYS
        for late in [delay.late(samples, rate_hz)]
    ]
    curves = [
        [pair.name, *point]
        for pair, of in zip(pairs, found, strict=True)
        for point in sorted(of.curve.items())
    ]
    return Outcome(
        "shift",
        judge_shift([(each.late, each.give) for each in found]),
        late,
        {
            "rate_hz": rate_hz,
            "at_hz": SAMPLE_RATE_HZ,
            "clips": len(pairs),
            "give": max(each.give for each in found),
            "delays": [delay.name for delay in known],
            "is_decoder": [delay.left_out for delay in known] == [front_end_delays.DECODER],
        },
        [Rows("shift", curves), Rows("delays", delays)],
    )


def explained(pairs):
    """The outcome on all causes together."""
    steps = {step.field: step.name for pair in pairs for step in pair.fit.steps[1:]}
    rows = [
        [pair.name, step.name, *(step.left[key] for key in LEFT)]
        for pair in pairs
        for step in pair.fit.steps
    ]
    return Outcome(
        "causes",
        judge_same([(pair.fit.left["rms_db"], pair.fit.noise_db) for pair in pairs]),
        max(pair.fit.left["mean_db"] for pair in pairs),
        {
            "causes": list(steps.values()),
            "kinds": [WORDS[field] for field in steps],
            "before": max(pair.fit.before["mean_db"] for pair in pairs),
            "rms": max(pair.fit.left["rms_db"] for pair in pairs),
            "largest": max(pair.fit.left["largest_db"] for pair in pairs),
            "noise": min(pair.fit.noise_db for pair in pairs),
        },
        [
            Rows("steps", rows),
            Rows("choices", _choice_rows(pairs)),
            Rows(
                "last-bits",
                [_last_bits_row(pair) for pair in pairs],
                [f"{share:.2%} other last bits" for share in SHARES],
            ),
            Rows("bands", _along(pairs, 1, enumerate)),
            Rows("times", _along(pairs, 0, _parts)),
        ],
    )


def _choice_rows(pairs):
    """Each cause put back alone, and the other choices nearest to what was found."""
    rows = [
        [pair.name, "put back", WORDS[field], name, rms]
        for pair in pairs
        for (field, name), rms in pair.fit.undone.items()
    ]
    return rows + [
        [pair.name, "instead", WORDS[field], name, rms]
        for pair in pairs
        for (field, name), rms in sorted(pair.fit.others.items(), key=lambda each: each[1])
        if (field, name) not in pair.fit.undone
    ]


def _last_bits_row(pair):
    """What other last bits of the samples would leave, and how many would leave what is left."""
    rms_db = pair.fit.left["rms_db"]
    found = last_bits(pair.track, pair.stored, pair.fit.front_end, SHARES)
    power_per_share = (found[SHARES[-1]] ** 2 - rms_db**2) / SHARES[-1]
    enough = rms_db**2 / power_per_share if power_per_share > 0 else None
    return [pair.name, rms_db, *found.values(), enough, pair.fit.noise_db]


def _along(pairs, axis, labelled):
    """What is left along an axis before and after: [[clip, label, rms, rms]]."""
    rows = []
    for pair in pairs:
        gaps = (
            spectrogram(pair.track, front_end) - pair.stored
            for front_end in (FrontEnd(), pair.fit.front_end)
        )
        values = np.stack([np.sqrt(np.square(gap).mean(axis=axis)) for gap in gaps], axis=1)
        rows += [[pair.name, label, *each.tolist()] for label, each in labelled(values)]
    return rows


def _parts(values):
    """(start in seconds, rms) of PARTS parts of a clip's frames."""
    for part in np.array_split(np.arange(len(values)), PARTS):
        start_s = round(float(part[0]) * HOP_SAMPLES / SAMPLE_RATE_HZ, 2)
        yield start_s, np.sqrt(np.square(values[part]).mean(axis=0))


def as_wav(pairs):
    """The outcome on the port's wav beside the original's mp3; every pair has a wav."""
    gaps = [
        left(*(spectrogram(track, FrontEnd()) for track in (pair.wav, pair.track)))
        for pair in pairs
    ]
    noise = [pair.fit.noise_db for pair in pairs]
    units = [float(np.sqrt(np.square(wav_difference(pair)).mean())) for pair in pairs]
    return Outcome(
        "wav",
        judge_same([(gap["rms_db"], least) for gap, least in zip(gaps, noise, strict=True)]),
        max(gap["rms_db"] for gap in gaps),
        {
            "lengths": sorted({len(pair.wav.samples) - len(pair.track.samples) for pair in pairs}),
            "units": max(units),
        },
        [Rows("wav", [[pair.name, *row] for pair in pairs for row in _density(pair)])],
    )


def wav_difference(pair):
    """The wav less the mp3's decoding, (n,) in units of 16 bits, over what both have."""
    together = min(len(pair.wav.samples), len(pair.track.samples))
    gap = pair.wav.samples[:together] - pair.track.samples[:together]
    return gap.mean(axis=1, dtype=np.float64) * FULL_SCALE


def _density(pair):
    """[(from kHz, dB)] of that difference's spectrum."""
    difference, window = wav_difference(pair), np.hanning(FFT_SAMPLES)
    frames = difference[: len(difference) // FFT_SAMPLES * FFT_SAMPLES].reshape(-1, FFT_SAMPLES)
    spectra = np.square(np.abs(np.fft.rfft(frames * window)))
    power = spectra.mean(axis=0) / np.square(window).sum()
    at_hz = np.fft.rfftfreq(FFT_SAMPLES, 1 / pair.track.rate_hz)
    rows = []
    for low in range(0, int(at_hz[-1]) - TREBLE_STEP_HZ + 1, TREBLE_STEP_HZ):
        mean = power[(at_hz >= low) & (at_hz < low + TREBLE_STEP_HZ)].mean()
        rows.append((low / 1000, float(10 * np.log10(mean)) if mean else None))
    return rows


def on_tags(subject, pairs):
    """The outcome on what the front end does to the tags."""
    try:
        found = front_end_tags.scores(subject, front_end_tags.batches(pairs))
    except CannotRun as why:
        return Outcome("tags-unknown", None, None, {"why": str(why)})
    return tags_changed(front_end_tags.rows([pair.name for pair in pairs], found))


def tags_changed(rows):
    """The outcome from front_end_tags.rows."""
    here = [row for row in rows if row[2] == front_end_tags.HERE]
    changed = [row for row in here if row[3] != row[4]]
    points = {row[0]: 0.0 for row in here}
    for model, *_, change, _, _, _ in here:
        points[model] = max(points[model], abs(change))
    turning = {}
    for model, _, way, before, after, *_ in rows:
        if before != after:
            turning.setdefault(way, {})[model] = None
    return Outcome(
        "tags",
        bool(changed),
        max(points.values()),
        {
            "changed": len(changed),
            "cases": len(here),
            "clips": list(dict.fromkeys(row[1] for row in here)),
            "turned": [row[:2] + row[3:5] for row in changed],
            "points": points,
            "most": max(points, key=points.get),
            "turning": {way: list(models) for way, models in turning.items()},
        },
        [Rows("tags", rows)],
    )


def controlled(planted):
    """The outcome on the search itself. planted: {what: (FrontEnd, Fit)}."""
    both = [(front_end, found.front_end) for front_end, found in planted.values()]
    right = sum(front_end == found for front_end, found in both)
    return Outcome("control", right == len(both), right, {"planted": list(planted)})

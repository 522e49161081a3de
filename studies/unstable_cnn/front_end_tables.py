"""The evidence on the front end, as tables."""

import numpy as np

from parity.studies.unstable_cnn import front_end_delays
from parity.studies.unstable_cnn.finding import Table
from parity.studies.unstable_cnn.front_end_fit import WORDS, last_bits
from parity.studies.unstable_cnn.front_end_variants import (
    FULL_SCALE,
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    FrontEnd,
    spectrogram,
)

PARTS = 32  # of a clip's time, to look at one by one
TREBLE_STEP_HZ = 2000
SHARES = (0.0001, 0.001, 0.01)  # of the samples with another last bit
FFT_SAMPLES = 4096


def steps(pairs):
    """What each cause takes away, one after the other."""
    rows = [
        [
            pair.name,
            step.name,
            *(
                step.left[key]
                for key in ("mean_db", "rms_db", "largest_db", "signed_db", "correlation")
            ),
        ]
        for pair in pairs
        for step in pair.fit.steps
    ]
    return Table(
        "front-end-steps",
        "What is left between the stored and the computed mel spectrogram, cause after cause",
        ["clip", "put right", "mean |dB|", "rms dB", "largest dB", "mean dB", "correlation"],
        rows,
        "Each row puts one more cause right, those above it included.",
    )


def shift(pairs):
    """The curve whose foot is the shift."""
    rows = [
        [pair.name, late, value]
        for pair in pairs
        for late, value in sorted(pair.fit.alignment.curve.items())
    ]
    return Table(
        "front-end-shift",
        "What is left by how many samples of the source the clip is cut later",
        ["clip", "samples later", "median |dB|"],
        rows,
        (
            "Over the cells clear of both floors, of every fourth frame, with the other "
            "causes put right."
        ),
        {
            "kind": "lines",
            "x": "samples later",
            "y": ["median |dB|"],
            "series": "clip",
            "log": True,
        },
    )


def delays(pairs):
    """Every known delay against the shift measured."""
    rows = [
        [
            pair.name,
            delay.name,
            round(delay.late(*_length(pair)), 3),
            pair.fit.alignment.exact,
            round(delay.late(*_length(pair)) - pair.fit.alignment.exact, 3),
        ]
        for pair in pairs
        for delay in front_end_delays.DELAYS
    ]
    return Table(
        "front-end-delays",
        "What could have moved the clip, in samples of the source",
        ["clip", "left out by the other decoder", "predicted", "measured", "misses by"],
        rows,
        "Cutting the middle halves what shortens the file; starts are whole samples at "
        "12 kHz. Delays: LAME technical FAQ. "
        "Which program decoded is not to be told from this.",
    )


def undone(pairs):
    """Each cause put back alone, and the other choices nearest to what was found."""
    rows = [
        [pair.name, "put back", WORDS[field], name, rms]
        for pair in pairs
        for (field, name), rms in pair.fit.undone.items()
    ]
    rows += [
        [pair.name, "instead", WORDS[field], name, rms]
        for pair in pairs
        for (field, name), rms in sorted(pair.fit.others.items(), key=lambda each: each[1])
        if (field, name) not in pair.fit.undone
    ]
    return Table(
        "front-end-choices",
        "What is left with one choice other than the ones found",
        ["clip", "how", "what", "choice", "rms dB"],
        rows,
        "With all causes put right but this one. Channels stand here where a file has several.",
    )


def bands(pairs):
    """Before and after, per mel band."""
    return Table(
        "front-end-bands",
        "What is left in each mel band",
        ["clip", "mel band", "before, rms dB", "after, rms dB"],
        [
            [pair.name, band, *values]
            for pair in pairs
            for band, values in enumerate(_rms_along(pair, 1))
        ],
        "Before: as computed here. After: with all causes put right.",
        {
            "kind": "lines",
            "x": "mel band",
            "y": ["before, rms dB", "after, rms dB"],
            "series": "clip",
            "log": True,
        },
    )


def times(pairs):
    """Before and after, over the clip's time."""
    rows = []
    for pair in pairs:
        values = np.array(_rms_along(pair, 0))
        for part in np.array_split(np.arange(len(values)), PARTS):
            mean = np.sqrt(np.square(values[part]).mean(axis=0))
            rows.append(
                [
                    pair.name,
                    round(float(part[0]) * HOP_SAMPLES / SAMPLE_RATE_HZ, 2),
                    *map(float, mean),
                ]
            )
    return Table(
        "front-end-times",
        "What is left over the clip's time",
        ["clip", "from s", "before, rms dB", "after, rms dB"],
        rows,
        "A drift in time, or a cut, would show as a slope or a step.",
        {
            "kind": "lines",
            "x": "from s",
            "y": ["before, rms dB", "after, rms dB"],
            "series": "clip",
            "log": True,
        },
    )


def floors(pairs):
    """Whether top_db acted, and what the floor has to do with the mean difference."""
    rows = []
    for pair in pairs:
        here, at_floor = spectrogram(pair.track, FrontEnd()), pair.stored == pair.stored.min()
        gap = np.abs(here - pair.stored)
        rows.append(
            [
                pair.name,
                float(pair.stored.max()),
                float(pair.stored.min()),
                float(np.ptp(pair.stored)),
                float(at_floor.mean()),
                float(here.max()),
                float(here.min()),
                float((here == here.min()).mean()),
                float(gap[at_floor].sum() / gap.size),
                float(gap[~at_floor].sum() / gap.size),
            ]
        )
    return Table(
        "front-end-floor",
        "The floor 80 dB below the loudest cell, stored and computed here",
        [
            "clip",
            "stored loudest",
            "stored lowest",
            "range",
            "share at the floor",
            "loudest here",
            "lowest here",
            "share at the floor here",
            "mean |dB| from cells at the stored floor",
            "mean |dB| from the others",
        ],
        rows,
        (
            "top_db acted where many cells stand at the lowest value. The loudest cell sets "
            "the floor, and a shift makes it another."
        ),
    )


def bits(pairs):
    """What other last bits of the decoded samples would leave, and how many it would take to leave
    what is left.
    """
    rows = []
    for pair in pairs:
        rms_db = pair.fit.left["rms_db"]
        found = last_bits(pair.track, pair.stored, pair.fit.front_end, SHARES)
        power_per_share = (found[SHARES[-1]] ** 2 - rms_db**2) / SHARES[-1]
        enough = rms_db**2 / power_per_share if power_per_share > 0 else None
        rows.append([pair.name, rms_db, *found.values(), enough, pair.fit.noise_db])
    return Table(
        "front-end-last-bits",
        "What is left, beside what rounding of the decoded samples leaves",
        [
            "clip",
            "left, rms dB",
            *(f"{share:.2%} other last bits" for share in SHARES),
            "share that would leave as much",
            "half a bit at random, rms dB",
        ],
        rows,
        (
            "Two decoders of one mp3 round differently where a sample lies halfway; those "
            "samples are taken first."
        ),
    )


def wav(pairs):
    """The wav against the mp3's decoding, by frequency."""
    rows = [[pair.name, low_hz / 1000, value] for pair in pairs for low_hz, value in _density(pair)]
    return Table(
        "front-end-wav",
        "The wav less the mp3's decoding: units of 16 bits, squared, in dB",
        ["clip", "from kHz", "dB"],
        rows,
        (
            "The taggers hear up to 6 kHz. Noise that rises towards the treble is what "
            "programs add when they write 16 bits."
        ),
        {"kind": "lines", "x": "from kHz", "y": ["dB"], "series": "clip", "log": False},
    )


def tags(rows):
    """What the front end does to the tags."""
    return Table(
        "front-end-tags",
        "Tags by front end, against those of the stored mel spectrograms",
        [
            "model",
            "clip",
            "front end",
            "top tag (stored)",
            "top tag",
            "largest change, points",
            "of",
            "top 10 shared",
            "largest change (port), points",
        ],
        rows,
        (
            "The original's, in hundredths of the row's sum; all clips in one batch, made "
            "the same way."
        ),
    )


def wav_difference(pair):
    """The wav less the mp3's decoding, (n,) in units of 16 bits, over what both have."""
    together = min(len(pair.wav.samples), len(pair.track.samples))
    return (pair.wav.samples[:together] - pair.track.samples[:together]).mean(
        axis=1, dtype=np.float64
    ) * FULL_SCALE


def _length(pair):
    return len(pair.track.samples), pair.track.rate_hz


def _rms_along(pair, axis):
    gaps = [
        spectrogram(pair.track, front_end) - pair.stored
        for front_end in (FrontEnd(), pair.fit.front_end)
    ]
    return list(
        zip(*(np.sqrt(np.square(gap).mean(axis=axis)).tolist() for gap in gaps), strict=True)
    )


def _density(pair):
    difference = wav_difference(pair)
    frames = difference[: len(difference) // FFT_SAMPLES * FFT_SAMPLES].reshape(
        -1, FFT_SAMPLES
    ) * np.hanning(FFT_SAMPLES)
    power = (
        np.square(np.abs(np.fft.rfft(frames))).mean(axis=0)
        / np.square(np.hanning(FFT_SAMPLES)).sum()
    )
    at_hz = np.fft.rfftfreq(FFT_SAMPLES, 1 / pair.track.rate_hz)
    lows = range(0, int(at_hz[-1]) - TREBLE_STEP_HZ + 1, TREBLE_STEP_HZ)
    means = [power[(at_hz >= low) & (at_hz < low + TREBLE_STEP_HZ)].mean() for low in lows]
    return [
        (low, float(10 * np.log10(mean)) if mean else None)
        for low, mean in zip(lows, means, strict=True)
    ]

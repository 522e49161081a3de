"""Is the front end the same? The originals' stored mel spectrograms against those computed here
from the same recordings.
"""

from typing import NamedTuple

import numpy as np

from parity.errors import CannotRun
from parity.recording.clips import AUDIO_SUFFIXES
from parity.studies.unstable_cnn import (
    front_end_control,
    front_end_delays,
    front_end_tables,
    front_end_tags,
)
from parity.studies.unstable_cnn.finding import (
    CARRIES_OVER,
    NEEDS_REAL,
    PROVED,
    REAL,
    REFUTED,
    UNDECIDABLE,
    Finding,
    scope,
    verdict,
)
from parity.studies.unstable_cnn.front_end_fit import WORDS, Fit, fit, left
from parity.studies.unstable_cnn.front_end_variants import (
    SAMPLE_RATE_HZ,
    FrontEnd,
    Track,
    read,
    spectrogram,
)

SAME = "The stored mel spectrograms are what is computed here from the same recordings"
ON_TAGS = (
    "Computing the mel spectrogram here, instead of taking the stored one, changes a first tag"
)
_ADVICE_ON_TAGS = {
    False: (
        "Compare figures only on one and the same mel spectrogram; what is odd beyond that "
        "has another cause."
    ),
    True: (
        "Name the front end with every tag, and compare figures only on one and the same mel "
        "spectrogram."
    ),
}
WHAT_IT_TAKES = (
    "Give mel spectrograms (.npy) that were computed elsewhere, and the recordings they are "
    "of (PARITY_DATA, or make fixtures)."
)

_ADVICE_ON_SHIFT = {
    PROVED: (
        "Nothing to mend: what decodes here keeps the delay. Leave out as many samples to "
        "compare with the stored ones."
    ),
    REFUTED: "Nothing: there is no shift.",
    UNDECIDABLE: "Compare clip by clip: they are not cut alike, or not of these recordings.",
}


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
    """Findings on the pairs there are, and on pairs made here with a known difference."""
    pairs, left_out = _pairs(subject)
    control = controlled(front_end_control.planted())
    if not pairs:
        return [_nothing_to_compare(left_out), control]
    return [
        same(pairs, left_out),
        moved(pairs),
        explained(pairs),
        *([as_wav(pairs)] if any(pair.wav for pair in pairs) else []),
        on_tags(subject, pairs),
        control,
    ]


def _pairs(subject):
    """([Pair], [why a recording was left out])."""
    found, left_out = [], []
    for name, clip in subject.clips.items():
        paths = _recordings(subject, name)
        if subject.progress and paths:
            subject.progress.update("front_end", f"fitting {name}")
        try:
            found += _pair(name, clip[0, 0].astype(np.float64), paths)
        except CannotRun as why:
            left_out.append(str(why))
    return found, left_out


def _pair(name, stored, paths):
    """[Pair], or [] where there is nothing to compare."""
    if not paths:
        return []
    tracks = [read(path) for path in paths]
    return [Pair(name, stored, tracks[0], (tracks[1:] or [None])[0], fit(tracks[0], stored))]


def _recordings(subject, name):
    """Paths of the recordings of a clip, mp3 first; none where a recording was itself what was
    given: then nothing is stored.
    """
    given = {path.name for case in subject.cases.values() for path in case.clips}
    names = [name + suffix for suffix in AUDIO_SUFFIXES if name + suffix in subject.audio]
    return [] if given & set(names) else [subject.audio[each] for each in names]


def judge_same(differences):
    """Proved where every (rms in dB, rms that half a bit of the samples makes) is within the
    latter, refuted where one is not.
    """
    return verdict(all(rms <= noise for rms, noise in differences) if differences else None)


def same(pairs, left_out=()):
    """The finding on today's front end as it is. left_out: why recordings could not be used."""
    before = [pair.fit.before for pair in pairs]
    said = judge_same([(pair.fit.before["rms_db"], pair.fit.noise_db) for pair in pairs])
    each = "; ".join(
        f"{pair.name}: {found['mean_db']:.3g} dB on average, correlation {found['correlation']:.3f}"
        for pair, found in zip(pairs, before, strict=True)
    )
    return Finding(
        "front-end-same",
        f"The stored mel spectrograms {'are' if said == PROVED else 'are not'} what is "
        "computed here from the same "
        f"recordings: they differ ({each}).{_beside(left_out)}",
        said,
        {
            "what": "mean difference, largest of the clips",
            "value": max(found["mean_db"] for found in before),
            "unit": "dB",
        },
        "Nothing: they are."
        if said == PROVED
        else "For the originals' own figures give their spectrograms, not the recordings.",
        REAL,
        [front_end_tables.floors(pairs)],
        hypothesis=SAME,
    )


def judge_shift(alignments):
    """Proved where all (late, give) are sure to less than half a sample and are one shift that is
    not 0; refuted where all are 0.

    Not decidable where one is not sure, or they differ.
    """
    lates = {late for late, _ in alignments}
    sure = bool(alignments) and all(give < 0.5 for _, give in alignments)
    return verdict(lates != {0} if sure and len(lates) == 1 else None)


def moved(pairs):
    """The finding on the shift: how far, and what would explain it."""
    alignments = [pair.fit.alignment for pair in pairs]
    said, rate_hz = (
        judge_shift([(found.late, found.give) for found in alignments]),
        pairs[0].track.rate_hz,
    )
    late, give = (
        max((found.late for found in alignments), key=abs),
        max(found.give for found in alignments),
    )
    known = front_end_delays.explaining(
        [
            (
                len(pair.track.samples),
                pair.track.rate_hz,
                pair.fit.alignment.exact,
                pair.fit.alignment.give,
            )
            for pair in pairs
        ]
    )
    why = (
        f"of the delays known only this equals it: {known[0].name}"
        if len(known) == 1
        else f"{len(known)} of the delays known equal it"
    )
    length = (
        f"{late * SAMPLE_RATE_HZ / rate_hz:.2f} at {SAMPLE_RATE_HZ} Hz, "
        f"{1000 * late / rate_hz:.1f} ms"
    )
    claim = {
        PROVED: f"The stored clips are cut {late} samples at {rate_hz} Hz ({length}) later than "
        f"here, the same in {len(pairs)} clips, "
        f"sure to {give:.2g} samples; {why}.",
        REFUTED: (
            f"The stored clips are cut where they are cut here, in {len(pairs)} clips, sure "
            f"to {give:.2g} samples."
        ),
        UNDECIDABLE: f"No one shift fits all {len(pairs)} clips surely: "
        f"the largest is {late} samples at {rate_hz} Hz ({length}), the "
        f"least sure is so to {give:.2g} samples.",
    }[said]
    return Finding(
        "front-end-shift",
        claim,
        said,
        {"what": "shift", "value": late, "unit": f"samples at {rate_hz} Hz"},
        _ADVICE_ON_SHIFT[said],
        REAL,
        [front_end_tables.shift(pairs), front_end_tables.delays(pairs)],
        _sentence_on_shift(said, late, rate_hz, known),
        "The stored clips are cut later or earlier than those computed here, all by the same time",
    )


def _sentence_on_shift(said, late, rate_hz, known):
    if said == UNDECIDABLE:
        return None
    if said == REFUTED:
        return "The originals' stored spectrograms are cut at the very sample where ours are."
    by = (
        ", which equals an mp3 decoder's delay"
        if [delay.left_out for delay in known] == [front_end_delays.DECODER]
        else ""
    )
    return (
        f"The originals' stored spectrograms start {late} samples "
        f"({1000 * late / rate_hz:.0f} ms) later than ours{by}."
    )


def judge_explained(differences):
    """Proved where what is left, (rms in dB, rms that half a bit of the samples makes), is within
    the latter in every clip.
    """
    return judge_same(differences)


def explained(pairs):
    """The finding on all causes together."""
    said = judge_explained([(pair.fit.left["rms_db"], pair.fit.noise_db) for pair in pairs])
    steps = {step.field: step.name for pair in pairs for step in pair.fit.steps[1:]}
    before, after = (
        max(getattr(pair.fit, which)["mean_db"] for pair in pairs) for which in ("before", "left")
    )
    rms_db, largest_db = (
        max(pair.fit.left[key] for pair in pairs) for key in ("rms_db", "largest_db")
    )
    names = ", ".join(steps.values()) or "nothing"
    words = ", ".join(WORDS[field] for field in steps) or "none"
    all_of_it = "the whole difference" if said == PROVED else "not the whole difference"
    return Finding(
        "front-end-causes",
        f"What was found explains {all_of_it} ({names}): of {before:.3g} dB on average "
        f"{after:.2g} dB is "
        f"left, rms {rms_db:.2g}, at most {largest_db:.2g} in any cell, where half a bit "
        "of 16 would make "
        f"{min(pair.fit.noise_db for pair in pairs):.2g} (rms).",
        said,
        {"what": "mean difference left", "value": after, "unit": "dB"},
        (
            "Use `--front-end 2016` for the resampler of the time; shift and sample format "
            "are the decoder's."
        )
        if said == PROVED
        else "Look at what is left by band and by time: a choice is missing in the table.",
        REAL,
        [
            table(pairs)
            for table in (
                front_end_tables.steps,
                front_end_tables.undone,
                front_end_tables.bits,
                front_end_tables.bands,
                front_end_tables.times,
            )
        ],
        (
            f"The differences found ({words}) explain the {before:.2g} dB between the two: "
            f"{after:.1g} dB is left."
        )
        if said == PROVED
        else (
            f"Of {before:.2g} dB between stored and computed spectrograms {after:.1g} dB "
            "stays unexplained."
        ),
        (
            "The causes found explain the whole difference between stored and computed, to "
            "the last bits of the decoded samples"
        ),
    )


def judge_wav(differences):
    """As `judge_same`."""
    return judge_same(differences)


def as_wav(pairs):
    """The finding on the port's wav beside the original's mp3."""
    both = [pair for pair in pairs if pair.wav]
    gaps = [
        left(spectrogram(pair.wav, FrontEnd()), spectrogram(pair.track, FrontEnd()))
        for pair in both
    ]
    units = max(
        float(np.sqrt(np.square(front_end_tables.wav_difference(pair)).mean())) for pair in both
    )
    lengths = sorted({len(pair.wav.samples) - len(pair.track.samples) for pair in both})
    said = judge_wav(
        [(gap["rms_db"], pair.fit.noise_db) for gap, pair in zip(gaps, both, strict=True)]
    )
    rms_db = max(gap["rms_db"] for gap in gaps)
    return Finding(
        "front-end-wav",
        f"For the taggers the wav {'is' if said == PROVED else 'is not'} the mp3: "
        f"{rms_db:.2g} dB apart in "
        f"the mel spectrogram (rms), lengths {lengths} samples apart, {units:.2g} units "
        "of 16 bits in the samples (rms), whose spectrum "
        "the table shows.",
        said,
        {
            "what": "rms difference of the mel spectrograms of wav and mp3",
            "value": rms_db,
            "unit": "dB",
        },
        "Use either."
        if said == PROVED
        else "Use the recording that the stored spectrograms are of.",
        REAL,
        [front_end_tables.wav(both)],
        hypothesis="To the taggers the port's wav files are the originals' mp3 files",
    )


def judge_tags(tops):
    """Proved where any (top tag by the stored, top tag by the computed) differ, refuted where none
    do.
    """
    return verdict(any(stored != here for stored, here in tops) if tops else None)


def on_tags(subject, pairs):
    """The finding on what the front end has to do with the tags."""
    try:
        rows = front_end_tags.rows(
            [pair.name for pair in pairs],
            front_end_tags.scores(subject, front_end_tags.batches(pairs)),
        )
    except CannotRun as why:
        return Finding(
            "front-end-tags",
            (
                "What the front end does to the tags is not known: the originals could not "
                f"be asked ({why})."
            ),
            UNDECIDABLE,
            {"what": "largest change of a tag", "value": None, "unit": "points"},
            "Mend that, and run again.",
            NEEDS_REAL,
            [],
            hypothesis=ON_TAGS,
        )
    return tags_changed(rows, subject.data)


def tags_changed(rows, data):
    """The finding from front_end_tags.rows; data: "real" or "seeded"."""
    here = [row for row in rows if row[2] == front_end_tags.HERE]
    of_model = {row[0]: max(abs(other[5]) for other in here if other[0] == row[0]) for row in here}
    count = sum(row[3] != row[4] for row in here)
    flips = f"{count} of {len(here)} first tags"
    moves = ", ".join(f"{name} {points:.3g}" for name, points in of_model.items())
    ways = dict.fromkeys(row[2] for row in rows)
    turned = {
        way: dict.fromkeys(row[0] for row in rows if row[2] == way and row[3] != row[4])
        for way in ways
    }
    turning = (
        "; ".join(f"{way} ({', '.join(models)})" for way, models in turned.items() if models)
        or "none"
    )
    most = max(of_model, key=of_model.get)
    return Finding(
        "front-end-tags",
        f"Computed here instead of stored, {flips} are others; a tag moves by up to "
        f"(points) {moves}. Of all ways tried "
        f"these change a first tag: {turning}.",
        judge_tags([row[3:5] for row in here]),
        {"what": "largest change of a tag", "value": max(of_model.values()), "unit": "points"},
        _ADVICE_ON_TAGS[bool(count)],
        scope(data, False),
        [front_end_tables.tags(rows)],
        (
            f"Computing spectrograms anew changes {flips}; {most}'s tags move by up to "
            f"{of_model[most]:.2g} points."
        ),
        ON_TAGS,
    )


def judge_control(found):
    """Proved where every (planted, found) are one FrontEnd."""
    return verdict(all(planted == fitted for planted, fitted in found) if found else None)


def controlled(planted):
    """The finding on the search itself. planted: {what: (FrontEnd, Fit)}."""
    right = sum(front_end == found.front_end for front_end, found in planted.values())
    return Finding(
        "front-end-control",
        f"On a sound made here, the search finds what was planted in {right} of "
        f"{len(planted)} cases: "
        f"{'; '.join(planted)}.",
        judge_control([(front_end, found.front_end) for front_end, found in planted.values()]),
        {
            "what": "planted differences found, to the sample and by name",
            "value": right,
            "unit": f"of {len(planted)}",
        },
        "Nothing: this is the control."
        if right == len(planted)
        else "Do not trust the other findings on the front end.",
        CARRIES_OVER,
        [],
        hypothesis="The search finds a known difference, to the sample and by name",
    )


def _nothing_to_compare(left_out):
    return Finding(
        "front-end-same",
        "Nothing can be compared: there is no clip with both a stored mel spectrogram "
        "and its recording."
        f"{_beside(left_out)}",
        UNDECIDABLE,
        {"what": "mean difference", "value": None, "unit": "dB"},
        WHAT_IT_TAKES,
        NEEDS_REAL,
        [],
        hypothesis=SAME,
    )


def _beside(left_out):
    return f" Left out: {'; '.join(left_out)}." if left_out else ""

"""The corrections of the input that are tried: those of the port, another collection's scale, and
those fitted to the other clips.
"""

import numpy as np

from parity.errors import CannotRun
from parity.studies.microscope.training import divisor
from parity.studies.unstable_cnn import stored
from parity.studies.unstable_cnn.calls import COLLECTIONS_MODEL

ASIS, PER_CLIP, COLLECTION = "none", "clip", "collection"
AFFINE = {
    "offset": "one offset for all clips, fitted to the other clips",
    "gain": "one gain for all clips, fitted to the other clips",
    "offset and gain": "one offset and one gain for all clips, fitted to the other clips",
}
RIVALS = (
    "amplitude",
    "power",
    "top60",
    "top40",
)  # another quantity than decibels over 80 dB, on whatever scale
FITTED = AFFINE | {
    f"{rival}, offset and gain": f"of the {rival}, {AFFINE['offset and gain']}" for rival in RIVALS
}
RESCALED = {
    f"{rival}, per clip": f"of the {rival}, each clip standardised by its own mean and deviation"
    for rival in RIVALS
}


def candidates(clips, remembered, keras, scale=None):
    """{correction: {clip: (1, 1, 96, 1366) float32}}; those with constants only where there are
    other clips to fit them to.

    scale: (mean, deviation) of another collection, in decibels, for COLLECTION; None leaves that
    out.
    """
    from tagger.corrections import CORRECTIONS, correct, standardised

    given = {name: {clip: correct(name, x) for clip, x in clips.items()} for name in CORRECTIONS}
    rivals = [rival for rival in RIVALS if rival in given]
    given |= {
        f"{rival}, per clip": {clip: correct(PER_CLIP, x) for clip, x in given[rival].items()}
        for rival in rivals
    }
    given |= (
        {COLLECTION: {clip: standardised(*scale)(x) for clip, x in clips.items()}} if scale else {}
    )
    if len(clips) > 1:
        wanted = moments_of(remembered[stored.FREQUENCY], keras)
        given |= {name: fitted(name, clips, wanted) for name in AFFINE}
        given |= {
            f"{rival}, offset and gain": fitted("offset and gain", given[rival], wanted)
            for rival in rivals
        }
    return given


def moments_of(remembered, keras):
    """(mean, deviation) over all frames that a normalisation's stored statistics imply."""
    variance = divisor(keras, remembered.spread) ** 2
    mean = remembered.mean.mean()
    return float(mean), float(np.sqrt(np.mean(variance + remembered.mean**2) - mean**2))


def fitted(name, clips, wanted):
    """{clip: x}, each brought to the moments `wanted` by constants of the other clips."""
    return {clip: _fitted(name, clips, clip, wanted) for clip in clips}


def _fitted(name, clips, clip, wanted):
    others = [x for other, x in clips.items() if other != clip]
    mean, std = np.mean(others, dtype=np.float64), np.std(others, dtype=np.float64)
    to_mean, to_std = wanted
    gain = {
        "offset": 1.0,
        "gain": np.hypot(to_mean, to_std) / np.hypot(mean, std),
        "offset and gain": to_std / std,
    }[name]
    offset = 0.0 if name == "gain" else to_mean - gain * mean
    return (gain * clips[clip] + offset).astype(np.float32)


def collection(subject, model):
    """(scale for `candidates`, a sentence): the decibels that CRNN was trained on, by what its own
    first layer stored.

    Nothing of it is fitted to `model` or to a clip. None, and why, where `model` is CRNN itself or
    its weight file is not at hand.
    """
    from parity.model import case_for
    from parity.recording import stacks

    if model == COLLECTIONS_MODEL:
        return None, f"Its own collection's scale is not tried on {model}."
    try:
        case = subject.cases.get(COLLECTIONS_MODEL) or case_for(COLLECTIONS_MODEL)
        remembered = stored.stored(case.weights)[stored.FREQUENCY]
    except (CannotRun, KeyError) as why:
        return (
            None,
            f"{COLLECTION!r} is left out: {COLLECTIONS_MODEL}'s weights cannot be used ({why}).",
        )
    if case.data != subject.data:
        return (
            None,
            f"{COLLECTION!r} is left out: {COLLECTIONS_MODEL}'s weight file is not at hand.",
        )
    mean, std = moments_of(remembered, stacks.STACKS[case.model.stack].keras)
    return (
        (mean, std),
        (
            f"{COLLECTION!r} is (x - ({mean:.4g})) / {std:.4g}, of {COLLECTIONS_MODEL}'s "
            f"{stored.FREQUENCY}."
        ),
    )


def meaning(name):
    """What a candidate's name stands for."""
    from tagger.corrections import CORRECTIONS

    own = {
        COLLECTION: (
            f"decibels on the scale of the music that {COLLECTIONS_MODEL} was trained on "
            "(nothing is fitted)"
        )
    }
    return {**FITTED, **RESCALED, **own}.get(name) or CORRECTIONS[name][1]

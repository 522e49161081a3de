"""The corrections of the input that are tried: those of the port, another collection's scale, and
those fitted to the other clips.
"""

import numpy as np

from parity.errors import CannotRun
from parity.model import case_for
from parity.recording import stacks
from parity.studies.microscope.training import divisor
from parity.studies.unstable_cnn import averages
from parity.studies.unstable_cnn.subject import COLLECTIONS_MODEL

ASIS, PER_CLIP, COLLECTION = "none", "clip", "collection"
AFFINE = ("offset", "gain", "offset and gain")
# Another quantity than decibels over 80 dB, on whatever scale.
RIVALS = ("amplitude", "power", "top60", "top40")


def candidates(clips, remembered, keras, scale=None):
    """{correction: {clip: (1, 1, 96, 1366) float32}}; those with constants only where there are
    other clips to fit them to.

    scale: (mean, deviation) of another collection, in decibels, for COLLECTION; None leaves that
    out.
    """
    from tagger.corrections import CORRECTIONS, correct, standardised

    found = {name: {clip: correct(name, x) for clip, x in clips.items()} for name in CORRECTIONS}
    rivals = [rival for rival in RIVALS if rival in found]
    for rival in rivals:
        found[f"{rival}, per clip"] = {
            clip: correct(PER_CLIP, x) for clip, x in found[rival].items()
        }
    if scale:
        found[COLLECTION] = {clip: standardised(*scale)(x) for clip, x in clips.items()}
    if len(clips) > 1:
        wanted = moments_of(remembered[averages.FREQUENCY], keras)
        found |= {name: fitted(name, clips, wanted) for name in AFFINE}
        for rival in rivals:
            found[f"{rival}, offset and gain"] = fitted("offset and gain", found[rival], wanted)
    return found


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
    """(the decibels that CRNN was trained on, (mean, deviation), by what its own first layer
    stored, a sentence). Nothing of it is fitted to `model` or to a clip.

    None, and why, where `model` is CRNN itself or its weight file is not available.
    """
    left_out = f"{COLLECTION!r} is left out: {COLLECTIONS_MODEL}'s"
    if model == COLLECTIONS_MODEL:
        return None, f"Its own collection's scale is not tried on {model}."
    try:
        case = subject.cases.get(COLLECTIONS_MODEL) or case_for(COLLECTIONS_MODEL)
        remembered = averages.of(case.weights)[averages.FREQUENCY]
    except (CannotRun, KeyError) as why:
        return None, f"{left_out} weights cannot be used ({why})."
    if case.data != subject.data:
        return None, f"{left_out} weight file is not available."
    mean, std = moments_of(remembered, stacks.STACKS[case.model.stack].keras)
    return (mean, std), (
        f"{COLLECTION!r} is (x - ({mean:.4g})) / {std:.4g}, of {COLLECTIONS_MODEL}'s "
        f"{averages.FREQUENCY}."
    )


def meaning(name):
    """What a candidate's name stands for."""
    from tagger.corrections import CORRECTIONS

    if name == COLLECTION:
        return (
            f"decibels on the scale of the music that {COLLECTIONS_MODEL} was trained on "
            "(nothing is fitted)"
        )
    rival, comma, how = name.rpartition(", ")
    of = f"of the {rival}, " if comma else ""
    if how == "per clip":
        return f"{of}each clip standardised by its own mean and deviation"
    if how in AFFINE:
        constants = " and ".join(f"one {each}" for each in how.split(" and "))
        return f"{of}{constants} for all clips, fitted to the other clips"
    return CORRECTIONS[name][1]

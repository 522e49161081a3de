"""What the question of the input ends in: does a model's input fit, and what did its training do
to it.
"""

from parity.studies.unstable_cnn import input_tables as tables
from parity.studies.unstable_cnn.calls import COLLECTIONS_MODEL
from parity.studies.unstable_cnn.finding import Finding, Table, scope, verdict
from parity.studies.unstable_cnn.input_candidates import ASIS, RIVALS, meaning
from parity.studies.unstable_cnn.input_looking import unfitted
from parity.studies.unstable_cnn.input_tags import tag_table, turned

CONSTANTS = (
    "Training used the same offset and gain for all clips, and did not standardise each clip "
    "by itself"
)


def fits(name, seen, data):
    """Whether the input of the model `name` differs from what its weights were trained on. seen:
    of input_looking.look_at, and more.
    """
    of = seen["original"]
    differs = of["differs"] if of["selected"] == seen["port"]["selected"] else None
    shown = list(
        dict.fromkeys(
            filter(None, (ASIS, of["selected"], unfitted(of), of["closest"], of["applied"]))
        )
    )
    effect = {
        "what": "distance from the stored statistics, decibels over the selected correction",
        "unit": "times",
        "value": of["score"][ASIS] / of["score"][of["selected"]],
    }
    evidence = [
        tables.scores(name, seen),
        tables.layers(name, seen, shown),
        tables.channels(name, seen),
        tag_table(name, seen, shown),
        tables.synthesised(name, seen),
    ]
    return Finding(
        f"input-{name}",
        _CLAIM[differs](name, seen),
        verdict(differs),
        effect,
        _ADVICE[differs](name, seen),
        scope(data, carries_over=False),
        evidence,
        _SENTENCE[differs](name, seen),
        f"{name}'s input differs from what its weights were trained on",
    )


def _fits(name, seen):
    return (
        f"{name} gets what it was trained on: {_asis(name, seen)}, and no correction that was "
        "tried comes nearer."
    )


def _differs(name, seen):
    of = seen["original"]
    shown = dict.fromkeys(
        filter(None, (of["selected"], unfitted(of), of["closest"], of["applied"]))
    )
    found = "; ".join(f"{meaning(each)}: {of['score'][each]:.3g}" for each in shown)
    return (
        f"{name} was not trained on what it gets: {_asis(name, seen)}; {found}. The "
        "nearest that the file allows is "
        f"{of['selected']!r}, in {of['wins']:.0%} of the resampled "
        f"draws{_beside_the_floor(seen)}.{_rival(seen)}"
    )


def _open(name, seen):
    of, port = seen["original"], seen["port"]
    why = (
        f"the original selects {of['selected']!r} and the port {port['selected']!r}"
        if of["selected"] != port["selected"]
        else (
            f"decibels cannot be told from the nearest, {of['selected']!r} "
            f"({of['score'][of['selected']]:.3g})"
        )
    )
    return (
        f"Whether {name} gets what it was trained on cannot be told: {_asis(name, seen)}, and "
        f"{why}."
    )


def _asis(name, seen):
    layers, count = seen["original"]["distances"][ASIS], len(seen["clips"])
    held = (
        "one normalisation's statistics"
        if len(layers) == 1
        else f"the statistics of {len(layers)} normalisations"
    )
    asis = seen["original"]["score"][ASIS]
    return (
        f"on {count} clip{'s' * (count != 1)}, decibels lie {asis:.3g} nats a value from "
        f"{held} in its file (0 is a perfect fit)"
    )


def _beside_the_floor(seen):
    """How good the best fit is, measured by what CRNN's own input comes to."""
    if not seen["floor"]:
        return ""
    floor, (_, high) = seen["floor"]
    good = seen["original"]["range"][seen["original"]["selected"]][0] <= high
    fit = (
        "as good a fit as" if good else "only the least bad of those tried, not so good as that of"
    )
    return (
        f"; that is {fit} "
        f"{COLLECTIONS_MODEL} on its own input in those of these layers it has ({floor:.3g})"
    )


def _rival(seen):
    """Whether the input of training can have been another quantity than decibels over 80 dB, on
    whatever scale.
    """
    of = seen["original"]
    rivals = [
        name for name in of["score"] if name.startswith(RIVALS) and name not in seen["ruled_out"]
    ]
    if not rivals:
        return ""
    nearest = min(rivals, key=of["score"].get)
    told = "is surely farther off" if of["margin"][nearest][0] > 0 else "cannot be told from it"
    return (
        f" Of {', '.join(RIVALS)}, as they are or rescaled, {nearest!r} comes nearest and "
        f"{told} ({of['score'][nearest]:.3g}, by "
        f"{of['margin'][nearest][0]:.2g} to {of['margin'][nearest][1]:.2g})."
    )


def _on_turned(name, seen):
    """The conclusion on a model whose input differs: what it does to the clip whose tags it
    changes most.
    """
    found = turned(seen, unfitted(seen["original"]))
    if not found:
        return (
            f"{name}'s input is on another scale than in training; rescaled, it keeps its "
            f"first tag for all {len(seen['clips'])} clips."
        )
    _, clip, (old, percent), (new, then) = found[0]
    return (
        f"{name} calls {clip} {old} ({percent:.0f} %) because its input is on another "
        "scale than in training: rescaled, "
        f"it says {new} ({then:.0f} %)."
    )


_CLAIM = {True: _differs, False: _fits, None: _open}
_SENTENCE = {
    True: _on_turned,
    False: lambda name, seen: (
        f"{name} gets what it was trained on: no correction of "
        f"{len(seen['original']['score']) - 1} fits better."
    ),
    None: lambda name, seen: None,
}


def _correct(name, seen):
    applied = seen["original"]["applied"]
    if applied is None:
        return (
            f"Leave {name}'s input: no layer behind the first holds training's statistics, so "
            "no correction can be checked there."
        )
    return (
        f"Correct {name}'s input by {applied!r} when tagging ({meaning(applied)}); off by "
        "default and in parity."
    )


def _wait(name, seen):
    if seen["original"]["selected"] != seen["port"]["selected"]:
        return "Run `make parity` with these clips: the port differs from the original."
    return f"Give more clips before {name}'s input is changed."


_ADVICE = {True: _correct, False: lambda name, seen: "Keep the decibels.", None: _wait}


def constants(found, data):
    """Whether training used the same constants for all clips: the stored means say so, without any
    clip.
    """
    average = {name: seen["centres"]["clip"] for name, seen in found.items()}
    share = {name: abs(average[name]) / seen["rounding"] for name, seen in found.items()}
    holds = judge_constants(share.values())
    said = ", ".join(f"{value:.3g} ({name})" for name, value in average.items())
    claim = (
        f"The stored means average {said} over the frames"
        + {
            True: ", and standardising each clip over them would leave 0: training used one "
            "offset and one gain for the whole collection, or "
            "standardised over another stretch of the clip.",
            False: ": 0 to rounding, as standardising each clip by itself leaves it.",
            None: (
                ": 0 to rounding in some and not in others, so these models were not trained "
                "on the same kind of input."
            ),
        }[holds]
    )
    advice = {
        True: (
            "Standardise each clip by itself all the same: the constants of the training "
            "collection are in none of these files."
        ),
        False: "Standardise each clip by itself, as training did.",
        None: "Correct each of these models by what its own file says.",
    }
    rows = [
        [name, candidate, value, seen["rounding"], candidate not in seen["ruled_out"]]
        for name, seen in found.items()
        for candidate, value in seen["centres"].items()
    ]
    table = Table(
        "input-constants-means",
        "What a correction would leave at 0 in bn_0_freq's stored means",
        ["model", "correction", "measured", "rounding allows", "possible"],
        rows,
        "clip and band: the average over all frames; frame: the largest of any frame.",
    )
    effect = {
        "what": "average of the stored means, as a share of what rounding allows",
        "value": max(share.values()),
        "unit": "times",
    }
    return Finding(
        "input-constants",
        claim,
        verdict(holds),
        effect,
        advice[holds],
        scope(data, carries_over=False),
        [table],
        hypothesis=CONSTANTS,
    )


def judge_constants(shares):
    """Whether all averages are more than rounding (True), none is (False), or only some (None).
    shares: average over rounding.
    """
    beyond = [not share <= 1 for share in shares]
    return True if all(beyond) else None if any(beyond) else False

"""The evidence of the question of the Keras, as tables."""

import numpy as np

from parity.recording import stacks
from parity.studies.unstable_cnn import meaning, stored
from parity.studies.unstable_cnn.finding import Table
from parity.studies.unstable_cnn.input_tags import first_tags, tag_names

RULE_OF = {
    "1.0.4": "1.0.4 to 1.0.6",
    "1.0.7": "1.0.7",
    "1.0.8": "1.0.8 to 1.1.2",
    "1.2.0": "1.2.0 to 1.2.2",
}  # of moving averages
KINDS = {
    "jitter": "how the stored spread moves from frame to frame, over how the mean does",
    "slope": "the power of the arriving deviation that the stored spread follows",
    "level": "nats a value, with the input that suits it best",
}


def evidence(name, told):
    """What tells a deviation from a variance. told: of keras.look_at."""
    layers = {"jitter": stored.FREQUENCY, "slope": told["layer"], "level": "all"}
    known = {kind: told[kind] for kind in KINDS if told[kind] and told[kind]["share"] is not None}
    rows = [
        [KINDS[kind], layers[kind], *_measured(kind, found), found["share"]]
        for kind, found in known.items()
    ]
    return Table(
        f"keras-{name}-evidence",
        f"{name}: is running_std a deviation or a variance",
        ["evidence", "layer", "measured", "a deviation", "a variance", "share for a deviation"],
        rows,
        "Share: of resampled frames or channels in which a deviation fits better. From "
        "frame to frame: normal values' "
        "deviation moves by 1/sqrt(2) of their mean, their variance by sqrt(2 variance). "
        "Power: 1 or 2, whatever the scale.",
    )


def _measured(kind, found):
    """(measured, as a deviation, as a variance), as text."""
    if kind == "jitter":
        return _range(found["measured"], found["interval"]), *(
            f"{value:.3g}" for value in found["expected"].values()
        )
    if kind == "slope":
        return "", *(
            f"{_range(found['measured'][what], found['interval'][what])}, for {power}"
            for what, power in meaning.POWER.items()
        )
    return "", *(f"{nats:.3g} ({correction})" for nats, correction in found["measured"].values())


def _range(value, interval):
    return f"{value:.3g} ({interval[0]:.3g} to {interval[1]:.3g})"


def under_every(name, live, changes, possible):
    """The tags and the fit of one file under every Keras. live: of versions.under_all; changes:
    {stack: largest change of a score}.
    """
    rows = []
    for stack, record in live.items():
        scores, nats = np.array(record["scores"])[0], float(np.mean(list(record["nats"].values())))
        tags = (
            first_tags(tag_names(len(scores)), scores)
            if scores.any()
            else "every score is exactly 0"
        )
        rows.append([record["keras"], record["keras"] in possible, nats, tags, changes[stack]])
    return Table(
        f"keras-{name}-versions",
        f"{name}: the same file under every Keras, live",
        ["Keras", "possible", "nats a value", "tags", "largest change of a score"],
        rows,
        (
            "One clip, decibels. Nats: what arrives against what is stored, as that Keras "
            "reads it. Change: from the parity run's."
        ),
        {"kind": "bars", "x": "Keras", "y": ["nats a value"], "series": None, "log": True},
    )


def drift(name, live, home):
    """How far every normalisation's output is from the home stack's."""
    base = {layer: np.array(values) for layer, values in live[home]["values"].items()}
    rows = [
        [layer, record["keras"], _relative(np.array(record["values"][layer]), values)]
        for layer, values in base.items()
        for stack, record in live.items()
        if stack != home
    ]
    return Table(
        f"keras-{name}-drift",
        f"{name}: the normalisations' outputs against those of Keras {stacks.STACKS[home].keras}",
        ["layer", "Keras", "relative difference"],
        rows,
        "Root mean square of the difference over that of the output, of values at equal distances.",
        {
            "kind": "lines",
            "x": "layer",
            "y": ["relative difference"],
            "series": "Keras",
            "log": True,
        },
    )


def _relative(values, base):
    return float(np.sqrt(np.mean((values - base) ** 2) / np.mean(base**2)))


def padding(name, padded):
    """[table] of what can have left the value of the padded frames; [] where there are none."""
    if not padded:
        return []
    rows = [
        [f"{padded['value']:.8g}", RULE_OF.get(first), updates, RULE_OF.get(then), more]
        for first, updates, then, more in padded["histories"]
    ]
    return [
        Table(
            f"keras-{name}-padding",
            f"{name}: what can have left exactly the value of the padded frames",
            ["value", "rule of Keras", "updates", "then rule of Keras", "updates after"],
            rows,
            (
                "Training on zeros, followed in float32 bit for bit; without a number of "
                "updates: until it came to rest."
            ),
        )
    ]


def verdicts(cells, clip):
    """The port against every Keras. cells: {(model, Keras): record of versions}."""
    rows = [
        [
            name,
            keras,
            *record["worst"].values(),
            record["rho"],
            record["port_to_original"],
            _remark(record),
        ]
        for (name, keras), record in cells.items()
    ]
    return Table(
        "keras-parity-verdicts",
        f"The port, switched to every Keras, against that Keras ({clip})",
        ["file", "Keras", "isolated", "chained", "allowance used", "port to original", "remark"],
        rows,
        "The worst layer's verdict, as in the parity run; the largest share of what "
        "rounding allows an element; the largest "
        "difference of a score.",
    )


def _remark(record):
    said = {
        True: (
            "no element beyond rounding; taken together, the original itself is beyond the limits"
        ),
        False: "at fault",
    }
    return "; ".join(f"{layer}: {said[too]}" for layer, too in record["at_fault"].items())

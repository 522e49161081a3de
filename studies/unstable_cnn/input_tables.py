"""The evidence on the input, as tables."""

import numpy as np

from parity.studies.unstable_cnn.finding import Table
from parity.studies.unstable_cnn.input_candidates import ASIS, meaning
from parity.studies.unstable_cnn.input_looking import unfitted

MOST_CHANNELS = 32  # of each layer, at equal distances


def scores(name, seen):
    """Every correction, the nearest first."""
    of, port = seen["original"], seen["port"]
    rows = [
        [
            candidate,
            meaning(candidate),
            value,
            *of["margin"][candidate],
            port["score"][candidate],
            _remark(candidate, seen),
        ]
        for candidate, value in sorted(of["score"].items(), key=lambda item: item[1])
    ]
    note = (
        "Nats a value (Kullback-Leibler; 0 is a perfect fit), averaged over channels, "
        "clips and layers. Margin: 95 % interval of the "
        f"distance above the selected one over resampled clips ({len(seen['clips'])} of "
        "them) and channels; nearest in "
        f"{of['wins']:.0%} of the draws. Constants are fitted to the other clips, never "
        f"to the clip that is scored. {seen['scale']}"
    )
    return Table(
        f"input-{name}-scores",
        f"{name}: how far each correction leaves what arrives from what is stored",
        ["correction", "what it means", "original", "margin low", "margin high", "port", "remark"],
        rows,
        note,
        {"kind": "bars", "x": "correction", "y": ["original"], "series": None, "log": True},
    )


def _remark(candidate, seen):
    if candidate == seen["original"]["selected"]:
        return "selected"
    if candidate in seen["ruled_out"]:
        return (
            "not in training: it would leave 0 in the stored means, not "
            f"{seen['centres'][candidate]:.3g}"
        )
    return "cannot be told from the selected" if candidate in seen["original"]["tied"] else ""


def layers(name, seen, corrections):
    """The fit of each layer, and whether what arrives there lies too low or is too wide."""
    of, rows = seen["original"], []
    for candidate in corrections:
        for layer, values in of["distances"][candidate].items():
            mean = np.nanmean(values[:, ~np.isnan(values).all(axis=0)], axis=0)
            shift, ratio = np.median(of["standing"][candidate][layer], axis=1)
            rows.append(
                [
                    layer,
                    candidate,
                    *map(float, (np.nanmean(values), np.median(mean), mean.max(), shift, ratio)),
                ]
            )
    return Table(
        f"input-{name}-layers",
        f"{name}: what arrives against what is stored, through the network",
        [
            "layer",
            "correction",
            "nats a value",
            "median channel",
            "worst channel",
            "mean above the stored, in its deviations",
            "deviation over the stored",
        ],
        rows,
        "Mean over clips; a channel is a time frame at bn_0_freq. The last two, medians "
        "of the channels, are 0 and 1 where the "
        "input fits: below 0 it is too low, above 1 too wide. Layers that training never "
        "updated are not there.",
        {"kind": "bars", "x": "layer", "y": ["nats a value"], "series": "correction", "log": True},
    )


def channels(name, seen):
    """Channel by channel, as it is and with the correction that stands for training's scale."""
    standing, corrections = (
        seen["original"]["standing"],
        list(dict.fromkeys((ASIS, unfitted(seen["original"])))),
    )
    rows = []
    for layer, (shift, _) in standing[ASIS].items():
        for at in np.unique(np.linspace(0, len(shift) - 1, MOST_CHANNELS).round().astype(int)):
            rows.append(
                [
                    layer,
                    int(at),
                    *(
                        float(value)
                        for each in corrections
                        for value in standing[each][layer][:, at]
                    ),
                ]
            )
    columns = [
        f"{what} ({each})"
        for each in corrections
        for what in ("mean above the stored", "deviation over the stored")
    ]
    return Table(
        f"input-{name}-channels",
        f"{name}: what arrives against what is stored, channel by channel",
        ["layer", "channel", *columns],
        rows,
        f"At most {MOST_CHANNELS} channels of a layer, at equal distances; a channel is a "
        "time frame at bn_0_freq. Means are in "
        "stored deviations; mean over clips.",
    )


def synthesised(name, seen):
    """The same on made-up sounds."""
    rows = [
        [correction, value]
        for correction, value in sorted(seen["synthesised"].items(), key=lambda item: item[1])
    ]
    return Table(
        f"input-{name}-synthesised",
        f"{name}: synthesised sounds, kept apart",
        ["correction", "nats a value"],
        rows,
        (
            "By the port. These sounds are no music that training heard, and had no part in "
            "the selection."
        ),
    )

"""Whether CNN, its input corrected, agrees with CNN0: a model of the same tags that took no part
in choosing the correction.

CNN0's own answer depends on its batch, so it is asked in several. Tags that are common in any
music make logits of unlike clips correlate too, so what counts as agreement has to be more than
with CNN0 on the other clips.
"""

import numpy as np

from parity.attribution.tags import ranking
from parity.studies.unstable_cnn.finding import (
    PROVED,
    REFUTED,
    UNDECIDABLE,
    Finding,
    Table,
    scope,
    verdict,
)
from parity.studies.unstable_cnn.input_candidates import ASIS
from parity.studies.unstable_cnn.input_looking import unfitted
from parity.studies.unstable_cnn.input_tags import tag_names

HYPOTHESIS = (
    "With its input corrected, CNN agrees better with CNN0 on a clip than it does "
    "uncorrected, and better than on other clips"
)
ADVICE = {
    PROVED: "Correct CNN's input when tagging, or use CNN0.",
    REFUTED: "Do not take the corrected tags on trust.",
    UNDECIDABLE: "Do not take the corrected tags on trust before more clips have been tried.",
}


def agreement(seen, judged, data):
    """seen: what input_looking.look_at saw of CNN; judged: {label of input.judging: CNN0's logits
    (B, tags)}, decibels.
    """
    tags, clips = seen["original"]["tags"], seen["clips"]
    correction = unfitted(seen["original"])
    by_way = ways(judged, clips)
    plain, corrected = (dict(zip(clips, tags[name][1], strict=True)) for name in (ASIS, correction))
    rows = [
        [
            way,
            clip,
            pearson(plain[clip], other[clip]),
            pearson(corrected[clip], other[clip]),
            crossed(clip, corrected, other),
        ]
        for way, other in by_way.items()
        for clip in clips
    ]
    before, after, apart = zip(*(row[2:] for row in rows), strict=True)
    said = verdict(judge_agreement(before, after, apart))
    spread = (
        f"{min(after):.2f} to {max(after):.2f} over {len(by_way)} batches that CNN0 was given "
        f"{len(clips)} clips in"
    )
    others = [value for value in apart if value is not None]
    control = (
        f"with CNN0 on the other clips by {min(others):.2f} to {max(others):.2f}"
        if others
        else "there is no other clip to compare"
    )
    claim = (
        f"CNN's logits over {len(plain[clips[0]])} tags correlate with CNN0's on the same "
        f"clip by {min(before):.2f} to "
        f"{max(before):.2f} as they are, and by {spread} with the input correction "
        f"{correction!r}; {control}."
    )
    effect = {
        "what": "mean correlation of CNN's logits with CNN0's, corrected less uncorrected",
        "value": float(np.mean(after) - np.mean(before)),
        "unit": "correlation",
    }
    sentence = (
        (
            "Rescaled, CNN agrees with CNN0, which has the same tags (correlation "
            f"{np.mean(after):.2f} instead of "
            f"{np.mean(before):.2f})."
        )
        if said == PROVED
        else None
    )
    return Finding(
        "input-agreement",
        claim,
        said,
        effect,
        ADVICE[said],
        scope(data, carries_over=False),
        [_in_batches(rows, correction), _under_each(by_way["all"], tags, clips)],
        sentence,
        HYPOTHESIS,
    )


def ways(judged, clips):
    """{how CNN0 was given them: {clip: logits}}."""
    found = {"all": dict(zip(clips, judged["all"], strict=True))}
    for label, rows in judged.items():
        way, _, clip = label.partition("|")
        if clip:
            found.setdefault(way, {})[clip] = rows[0]
    return found


def crossed(clip, corrected, other):
    """The largest correlation with CNN0 on another clip, None where there is none."""
    return max(
        (pearson(corrected[clip], other[name]) for name in other if name != clip), default=None
    )


def pearson(one, other):
    """Pearson's r, float."""
    return float(np.corrcoef(one.astype(np.float64), other)[0, 1])


def correlations(actual, expected):
    """Pearson's r of each row: (clips, tags) twice -> [r of each clip]."""
    return [pearson(one, other) for one, other in zip(actual, expected, strict=True)]


def judge_agreement(before, after, apart=None):
    """True where every clip agrees better after than before, and than with another clip; False
    where none does; None else.

    before, after, apart: correlations, one for each clip and batch; None in `apart`: there is no
    other clip.
    """
    rows = zip(before, after, apart or [None] * len(after), strict=True)
    better = [new > old and (other is None or new > other) for old, new, other in rows]
    return True if all(better) else None if any(better) else False


def _in_batches(rows, correction):
    return Table(
        "input-agreement-batches",
        f"CNN as it is and corrected ({correction}) against CNN0 in several batches",
        [
            "CNN0's batch",
            "clip",
            "as it is",
            "corrected",
            "corrected, against CNN0 on another clip",
        ],
        rows,
        (
            "Pearson correlation of the logits. all: all clips in one batch; alone, silence, "
            "noise: each clip alone, or beside that."
        ),
    )


def _under_each(other, tags, clips):
    names = tag_names(next(iter(tags.values()))[0].shape[1])
    values = {
        name: correlations(logits, np.stack([other[clip] for clip in clips]))
        for name, (_, logits) in tags.items()
    }
    rows = [
        [
            name,
            *of,
            "; ".join(
                f"{clip}: {names[ranking(row)[0]]}"
                for clip, row in zip(clips, tags[name][0], strict=True)
            ),
        ]
        for name, of in sorted(values.items(), key=lambda item: -np.mean(item[1]))
    ]
    return Table(
        "input-agreement-correlation",
        "CNN under every correction against CNN0 on decibels",
        ["correction", *clips, "first tag"],
        rows,
        "Pearson correlation of the logits, clip by clip, CNN0 with all clips in one batch.",
        {"kind": "bars", "x": "correction", "y": list(clips), "series": None, "log": False},
    )

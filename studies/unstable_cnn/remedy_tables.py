"""The tables of question `remedy`: tags before and after, in every batch, beside the published
ones.
"""

import json
from pathlib import Path

import numpy as np

from parity.kinds.activation import sigmoid
from parity.studies.unstable_cnn.changes import largest
from parity.studies.unstable_cnn.finding import Table
from parity.studies.unstable_cnn.input_tags import PUBLISHED, SHOWN, first_tags, tag_names


def tag_table(model, logits, remedied):
    """Before and after, of every clip in every batch, with the published tags of 2018 beside those
    of the pair they were made in.
    """
    rows = []
    for clip, by_names in logits["original"].items():
        for names, before in by_names.items():
            after = logits[remedied][clip]
            rows.append(
                [
                    clip,
                    "alone" if len(names) == 1 else " + ".join(names),
                    tags(before),
                    tags(after[names]),
                    largest(scores_of(before), scores_of(by_names[clip,])),
                    largest(scores_of(after[names]), scores_of(after[clip,])),
                    largest(scores_of(logits["port"][clip][names]), scores_of(before)),
                ]
            )
        rows += [
            [clip, "published, 2018", said, None, None, None, None]
            for said in _published(model, clip)
        ]
    return Table(
        f"remedy-{model}-tags",
        f"{model}: the first {SHOWN} tags as they are and {remedied}",
        [
            "clip",
            "batch",
            "original",
            remedied,
            "moved by the batch",
            f"moved, {remedied}",
            "port to original",
        ],
        rows,
        "Tags in percent of the row's sum. Moved: the largest change of a score against "
        "the clip alone. The published ones "
        "were made of the wav files, both in one batch.",
        {
            "kind": "bars",
            "x": "batch",
            "y": ["moved by the batch", f"moved, {remedied}"],
            "series": "clip",
            "log": False,
        },
    )


def scores_of(logits):
    """Logits (..,) -> scores, float64."""
    return sigmoid(np.asarray(logits, np.float64))


def tags(logits, count=SHOWN):
    """The first tags of logits (N,), in percent of their scores' sum, as text."""
    scores = scores_of(logits)
    return ", ".join(first_tags(tag_names(len(scores)), scores).split(", ")[:count])


def _published(model, clip):
    known = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    rows = known["models"].get(model, [])
    return [
        ", ".join(f"{tag} {percent:.1f}" for tag, percent in list(row.items())[:SHOWN])
        for path, row in zip(known["clips"], rows, strict=bool(rows))
        if Path(path).stem == Path(clip).stem
    ]

"""What a correction of the input does to the tags."""

import json
from pathlib import Path

import numpy as np

from parity import room
from parity.attribution.tags import ranking
from parity.studies.unstable_cnn.finding import Table
from parity.studies.unstable_cnn.input_candidates import ASIS

PUBLISHED = room("fixtures") / "published.json"
SHOWN = 5


def tag_table(name, seen, corrections):
    """The first tags of every clip under the corrections that matter, the published ones of 2018
    beside them.
    """
    of, rows = seen["original"], []
    names = tag_names(of["tags"][ASIS][0].shape[1])
    for at, clip in enumerate(seen["clips"]):
        plain = of["tags"][ASIS][0][at]
        for correction in corrections:
            scores, ported = of["tags"][correction][0][at], seen["port"]["tags"][correction][0][at]
            rows.append(
                [
                    clip,
                    correction,
                    first_tags(names, scores),
                    *(float(np.abs(scores - other).max()) for other in (plain, ported)),
                ]
            )
        rows += [
            [clip, "published, 2018", _said(tags), None, None] for tags in _published(name, clip)
        ]
    return Table(
        f"input-{name}-tags",
        f"{name}: the first {SHOWN} tags",
        ["clip", "correction", "tags", "largest change", "port to original"],
        rows,
        "Tags in percent of the row's sum, by the original; largest change of a score "
        "against decibels as they are. The "
        "published ones were computed from wav.",
    )


def tag_names(count):
    """The names of 10 or 50 scores."""
    from parity.fixtures.tags import GENRES, TAGS

    return {len(names): names for names in (GENRES, TAGS)}[count]


def first_tags(names, scores):
    """The first tags of scores (tags,), in percent of their sum, as text."""
    percent = scores / scores.sum() * 100
    return ", ".join(f"{names[at]} {percent[at]:.1f}" for at in ranking(scores)[:SHOWN])


def first_tag(scores):
    """(the first tag of scores (tags,), its percent of their sum)."""
    at = ranking(scores)[0]
    return tag_names(len(scores))[at], float(scores[at] / scores.sum() * 100)


def turned(seen, correction):
    """[(largest change of a score, clip, its first tag as it is, the same with the correction)] of
    the clips whose first tag changes.
    """
    before, after = (seen["original"]["tags"][name][0] for name in (ASIS, correction))
    rows = [
        (float(np.abs(new - old).max()), clip, first_tag(old), first_tag(new))
        for clip, old, new in zip(seen["clips"], before, after, strict=True)
    ]
    return sorted((row for row in rows if row[2][0] != row[3][0]), reverse=True)


def _said(tags):
    return ", ".join(f"{tag} {percent:.1f}" for tag, percent in list(tags.items())[:SHOWN])


def _published(name, clip):
    known = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    rows = known["models"].get(name, [])
    return [
        tags
        for path, tags in zip(known["clips"], rows, strict=bool(rows))
        if Path(path).stem == clip
    ]

"""What a change does to one clip's tags, and tags in words."""

import json
from pathlib import Path

import numpy as np

from parity import room
from parity.attribution.tags import TOP, jaccard, kendall_tau, ranking
from parity.kinds.activation import sigmoid

PUBLISHED = room("fixtures") / "published.json"
SHOWN = 5


def names_of(count):
    """The names of 10 or 50 scores."""
    from parity.fixtures.tags import GENRES, TAGS

    return {len(names): names for names in (GENRES, TAGS)}[count]


def scores_of(logits):
    """Logits (..,) -> scores, float64."""
    return sigmoid(np.asarray(logits, np.float64))


def first_tags(scores, count=SHOWN):
    """The first tags of scores (N,), in percent of their sum, as text."""
    names, percent = names_of(len(scores)), scores / scores.sum() * 100
    return ", ".join(f"{names[at]} {percent[at]:.1f}" for at in ranking(scores)[:count])


def first_tag(scores):
    """(the first tag of scores (N,), its percent of their sum)."""
    at = ranking(scores)[0]
    return names_of(len(scores))[at], float(scores[at] / scores.sum() * 100)


def published(model, clip):
    """[the first tags that were published for a clip in 2018, as text], at most one."""
    known = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    rows = known["models"].get(model, [])
    return [
        ", ".join(f"{tag} {percent:.1f}" for tag, percent in list(row.items())[:SHOWN])
        for path, row in zip(known["clips"], rows, strict=bool(rows))
        if Path(path).stem == Path(clip).stem
    ]


def change(before, after):
    """What a change from logits (N,) to others does to the top tags, ranking and values."""
    before, after = (np.asarray(logits, np.float64) for logits in (before, after))
    # With every tag in the top none could leave it.
    count, names = min(TOP, len(before) // 2) or 1, names_of(len(before))
    top = {"before": names[ranking(before)[0]], "after": names[ranking(after)[0]]}
    return {
        **top,
        "flipped": top["before"] != top["after"],
        "jaccard": jaccard(before, after, count),
        "tau": kendall_tau(before, after),
        "score": largest(sigmoid(after), sigmoid(before)),
        "logit": largest(after, before),
    }


def largest(actual, expected):
    """Largest |actual - expected|, a float."""
    return float(np.abs(np.asarray(actual, np.float64) - np.asarray(expected, np.float64)).max())


def share_of_rounding(actual, expected, allowed):
    """Largest share that a difference takes of `allowed`, what rounding can do to each logit."""
    gap = np.abs(np.asarray(actual, np.float64) - np.asarray(expected, np.float64))
    return float(np.max(np.where(gap == 0, 0.0, gap / np.maximum(allowed, 1e-300))))


def correlation(one, other):
    """Pearson's r, a float."""
    return float(np.corrcoef(np.asarray(one, np.float64), other)[0, 1])

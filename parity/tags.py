"""What a drift does to the answer: the top tags of both sides, side by side."""

import numpy as np

TOP = 10


def tag_tables(clips, names, scores):
    """One table per clip: the original's and the port's scores of every tag that is in either top ten.

    clips : clip names, length B. names : tag names, length N.
    scores : {"expected": (B, N), "actual": (B, N)} or None where the port gave no comparable scores.
    """
    if scores is None or scores["actual"].shape != scores["expected"].shape:
        return []
    rows = zip(clips, scores["expected"].astype(np.float64), scores["actual"].astype(np.float64), strict=True)
    return [_table(clip, names, expected, actual) for clip, expected, actual in rows]


def ranking(scores):
    """Indices by falling score, ties by index."""
    return [int(index) for index in np.lexsort((np.arange(len(scores)), -scores))]


def _table(clip, names, expected, actual):
    theirs, ours = ranking(expected), ranking(actual)
    shown = [index for index in theirs if index in theirs[:TOP] or index in ours[:TOP]]
    top = [{"tag": names[index], "expected": float(expected[index]), "actual": float(actual[index]),
            "delta": float(actual[index] - expected[index]), "rank_expected": theirs.index(index) + 1,
            "rank_actual": ours.index(index) + 1} for index in shown]
    return {"clip": clip, "top": top, "swaps": _swaps(names, shown, expected, actual), "stability": None}


def _swaps(names, shown, expected, actual):
    """Pairs of shown tags which the two sides put in opposite order, with the original's margin between them."""
    pairs = ((i, j) for at, i in enumerate(shown) for j in shown[at + 1:])
    return [{"pair": [names[i], names[j]], "margin": float(expected[i] - expected[j])} for i, j in pairs
            if (expected[i] - expected[j]) * (actual[i] - actual[j]) < 0]

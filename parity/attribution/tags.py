"""What a drift does to the answer: the top tags of both sides, which of them swapped, and whether
rounding may do that.

Tags are ranked by their logits, ties by index: scores near 0 and 1 collide on float32's grid. With
B_i = lam sd_i, the most that rounding moves logit i, two tags are tied by rounding when the oracle
has them no farther apart than B_i + B_j.
"""

import numpy as np

from parity.numerics.rounding import tail_factor

TOP = 10


def tag_tables(clips, names, scores, logits=None, rounding_only=False):
    """One table per clip; [] where the port gave no comparable scores.

    clips : clip names, length B. names : tag names, length N. scores : {"expected": (B, N),
    "actual": (B, N)} or None.
    logits : {oracle, expected, actual or None, sd, ...}, each (B, N), as explain.Explanation finds
    them, or None.
    rounding_only : whether every layer is EXACT or ROUNDING (EXCESS with its sigma scaled),
    without which nothing is explained.
    Each table: {clip, top: [{tag, expected, actual, delta, rank_expected, rank_actual,
    logit_expected, logit_actual, sd}],
    swaps: [{pair, margin, tied, explained}], stability, tau, jaccard, k}; see `swaps`,
    `stability`, `kendall_tau`, `jaccard`.
    """
    if scores is None or scores["actual"].shape != scores["expected"].shape:
        return []
    rows = [
        {side: scores[side][clip].astype(np.float64) for side in ("expected", "actual")}
        for clip in range(len(clips))
    ]
    known = [_of_clip(logits, clip) for clip in range(len(clips))]
    return [
        _table(clip, names, row, each, rounding_only)
        for clip, row, each in zip(clips, rows, known, strict=True)
    ]


def ranking(values):
    """Indices by falling value, ties by index."""
    return [int(index) for index in np.lexsort((np.arange(len(values)), -values))]


def bounds(sd):
    """B = lam sd, the most that rounding moves each logit; lam for all of a model's logits
    together.
    """
    return tail_factor(sd.size) * sd


def swaps(expected, actual, oracle, bound, among):
    """Pairs (i, j) of indices in `among`, in the original's order, which the port ranks the other
    way: [(i, j, margin, tied)].

    expected, actual: what each side ranks by, (N,); oracle: the oracle's logits, bound: B, or None
    for both, and then the margin is the original's own and tied is None. margin: how far i is
    above j by the oracle (below 0: the original errs).
    """
    place = {
        side: np.argsort(ranking(values))
        for side, values in (("expected", expected), ("actual", actual))
    }
    among = sorted(among, key=lambda index: place["expected"][index])
    found = []
    for at, i in enumerate(among):
        for j in among[at + 1 :]:
            if place["actual"][i] > place["actual"][j]:
                margin = float((expected if oracle is None else oracle)[[i, j]] @ (1, -1))
                found.append(
                    (
                        i,
                        j,
                        margin,
                        None if bound is None else bool(abs(margin) <= bound[i] + bound[j]),
                    )
                )
    return found


def stability(oracle, bound, k):
    """Least (l_i - l_j)/(B_i + B_j) over tags i in the oracle's top k and j outside: above 1
    rounding cannot change the set.

    None where no tag is outside.
    """
    order = ranking(oracle)
    inside, outside = order[:k], order[k:]
    if not outside:
        return None
    gap = oracle[inside][:, None] - oracle[outside]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(gap == 0, 0.0, gap / (bound[inside][:, None] + bound[outside]))
    return float(ratio.min())


def kendall_tau(expected, actual):
    """Kendall's tau of the two rankings, -1 to 1; no ties, as rankings break them by index. None
    for fewer than two tags.
    """
    first, second = (np.argsort(ranking(values)) for values in (expected, actual))
    pairs = np.triu_indices(len(first), 1)
    agreement = [np.sign(places[pairs[0]] - places[pairs[1]]) for places in (first, second)]
    return float(np.mean(agreement[0] * agreement[1])) if len(first) > 1 else None


def jaccard(expected, actual, k):
    """Shared tags of both top k over the tags in either."""
    first, second = set(ranking(expected)[:k]), set(ranking(actual)[:k])
    return len(first & second) / len(first | second)


def _of_clip(logits, clip):
    """The clip's rows of the logits, with their bound; every one None where there are no logits."""
    names = ("oracle", "expected", "actual", "sd")
    if logits is None:
        return dict.fromkeys((*names, "bound"))
    rows = {name: None if logits[name] is None else logits[name][clip] for name in names}
    return {**rows, "bound": bounds(logits["sd"])[clip]}


def _table(clip, names, scores, logits, rounding_only):
    by = scores if logits["actual"] is None else logits  # what both sides can be ranked by
    k = min(TOP, len(names) // 2) or 1  # with every tag in the top, the set could never change
    places = {side: np.argsort(ranking(by[side])) + 1 for side in ("expected", "actual")}
    shown = [
        index
        for index in ranking(by["expected"])
        if min(places[side][index] for side in places) <= TOP
    ]
    top = [_row(names[index], index, scores, logits, places) for index in shown]
    swapped = [
        {
            "pair": [names[i], names[j]],
            "margin": margin,
            "tied": tied,
            "explained": None if tied is None else tied and rounding_only,
        }
        for i, j, margin, tied in swaps(
            by["expected"], by["actual"], logits["oracle"], logits["bound"], shown
        )
    ]
    return {
        "clip": clip,
        "top": top,
        "swaps": swapped,
        "k": k,
        "stability": None
        if logits["oracle"] is None
        else stability(logits["oracle"], logits["bound"], k),
        "tau": kendall_tau(by["expected"], by["actual"]),
        "jaccard": jaccard(by["expected"], by["actual"], k),
    }


def _row(tag, index, scores, logits, places):
    expected, actual = float(scores["expected"][index]), float(scores["actual"][index])

    def of(name):
        return None if logits[name] is None else float(logits[name][index])

    return {
        "tag": tag,
        "expected": expected,
        "actual": actual,
        "delta": actual - expected,
        **{f"rank_{side}": int(place[index]) for side, place in places.items()},
        "logit_expected": of("expected"),
        "logit_actual": of("actual"),
        "sd": of("sd"),
    }

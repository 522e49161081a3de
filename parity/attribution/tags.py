"""What a drift does to the answer: the top tags of both sides, which of them swapped, and whether
rounding may do that.

Tags are ranked by their logits, ties by index: scores near 0 and 1 collide on float32's grid. With
B_i = lam sd_i, the most that rounding moves logit i, two tags are tied by rounding when the oracle
has them no farther apart than B_i + B_j.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from parity.attribution.explain import Logits
from parity.numerics.rounding import tail_factor
from parity.results import ClipTags, Swap, Tag

TOP = 10
SIDES = ("expected", "actual")


def tag_tables(
    clips: Sequence[str],
    names: Sequence[str],
    scores: Mapping[str, np.ndarray] | None,
    logits: Logits | None = None,
    rounding_only: bool = False,
) -> list[ClipTags]:
    """One table per clip; [] where the port gave no comparable scores.

    clips : clip names, length B. names : tag names, length N, or none. scores : {"expected":
    (B, N), "actual": (B, N)}. rounding_only : whether every layer is EXACT or ROUNDING (EXCESS with
    its sigma scaled), without which nothing is explained.
    """
    if scores is None or scores["actual"].shape != scores["expected"].shape:
        return []
    if scores["expected"].ndim != 2:
        return []  # no scores of tags
    names = names or [f"output {at}" for at in range(scores["expected"].shape[1])]
    known: dict[str, Any] = dict.fromkeys(("oracle", "expected", "actual", "sd", "bound"))
    if logits is not None:
        known |= {**vars(logits), "bound": bounds(logits.sd)}
    return [
        _table(
            clip,
            names,
            {side: scores[side][at].astype(np.float64) for side in SIDES},
            {name: None if rows is None else rows[at] for name, rows in known.items()},
            rounding_only,
        )
        for at, clip in enumerate(clips)
    ]


def ranking(values: np.ndarray) -> list[int]:
    """Indices by falling value, ties by index."""
    return [int(index) for index in np.lexsort((np.arange(len(values)), -values))]


def bounds(sd: np.ndarray) -> np.ndarray:
    """B = lam sd, the most that rounding moves each logit; lam for all of a model's logits
    together.
    """
    return np.asarray(tail_factor(sd.size) * sd)


def swaps(
    expected: np.ndarray,
    actual: np.ndarray,
    oracle: np.ndarray | None,
    bound: np.ndarray | None,
    among: Iterable[int],
) -> list[tuple[int, int, float, bool | None]]:
    """Pairs (i, j) of indices in `among`, in the original's order, which the port ranks the other
    way: [(i, j, margin, tied)].

    expected, actual: what each side ranks by, (N,); oracle: the oracle's logits, bound: B, or None
    for both, and then the margin is the original's own and tied is None. margin: how far i is
    above j by the oracle (below 0: the original errs).
    """
    theirs, ours = np.argsort(ranking(expected)), np.argsort(ranking(actual))
    among, found = sorted(among, key=lambda index: theirs[index]), []
    for at, i in enumerate(among):
        for j in among[at + 1 :]:
            if ours[i] > ours[j]:
                margin = float((expected if oracle is None else oracle)[[i, j]] @ (1, -1))
                tied = None if bound is None else bool(abs(margin) <= bound[i] + bound[j])
                found.append((i, j, margin, tied))
    return found


def stability(oracle: np.ndarray, bound: np.ndarray, k: int) -> float | None:
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


def kendall_tau(expected: np.ndarray, actual: np.ndarray) -> float | None:
    """Kendall's tau of the two rankings, -1 to 1; no ties, as rankings break them by index. None
    for fewer than two tags.
    """
    first, second = (np.argsort(ranking(values)) for values in (expected, actual))
    pairs = np.triu_indices(len(first), 1)
    agreement = [np.sign(places[pairs[0]] - places[pairs[1]]) for places in (first, second)]
    return float(np.mean(agreement[0] * agreement[1])) if len(first) > 1 else None


def jaccard(expected: np.ndarray, actual: np.ndarray, k: int) -> float:
    """Shared tags of both top k over the tags in either."""
    first, second = set(ranking(expected)[:k]), set(ranking(actual)[:k])
    return len(first & second) / len(first | second)


def _table(
    clip: str,
    names: Sequence[str],
    scores: Mapping[str, np.ndarray],
    logits: Mapping[str, Any],
    rounding_only: bool,
) -> ClipTags:
    by = scores if logits["actual"] is None else logits  # what both sides can be ranked by
    sides, oracle, bound = (by["expected"], by["actual"]), logits["oracle"], logits["bound"]
    k = min(TOP, len(names) // 2) or 1  # with every tag in the top, the set could never change
    places = [np.argsort(ranking(values)) + 1 for values in sides]
    shown = [at for at in ranking(sides[0]) if min(place[at] for place in places) <= TOP]

    def row(at: int) -> Tag:
        expected, actual = (float(scores[side][at]) for side in SIDES)
        ranks = [int(place[at]) for place in places]
        own = (logits["expected"], logits["actual"], logits["sd"])
        figures = [None if values is None else float(values[at]) for values in own]
        return Tag(names[at], expected, actual, actual - expected, *ranks, *figures)

    return ClipTags(
        clip,
        [row(at) for at in shown],
        [
            Swap(
                [names[i], names[j]], margin, tied, None if tied is None else tied and rounding_only
            )
            for i, j, margin, tied in swaps(*sides, oracle, bound, shown)
        ],
        None if oracle is None else stability(oracle, bound, k),
        k,
        kendall_tau(*sides),
        jaccard(*sides, k),
    )

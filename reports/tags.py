"""What became of a clip's tags, in words: their order, how much rounding could change it, and
which changed places.
"""

from parity.reports import figures


def order(clip):
    """`same order`, or how many pairs of its top tags changed places."""
    return (
        f"{figures.counted(len(clip['swaps']), 'pair')} changed places"
        if clip["swaps"]
        else "same order"
    )


def rank(row):
    """A tag's rank, `3`; both where they differ, `3 → 4`; a dash where the run kept none."""
    ranks = [row.get(f"rank_{side}") for side in ("expected", "actual")]
    return (
        figures.count(ranks[0]) if ranks[0] == ranks[1] else " → ".join(map(figures.count, ranks))
    )


def stability(clip):
    """How much larger rounding would have to be to change the set of top tags; empty where that is
    not known.
    """
    ratio, top = (
        figures.number(clip["stability"]),
        f"top {clip['k']}" if clip.get("k") else "top tags",
    )
    if ratio is None:
        return ""
    if ratio > 1:
        return (
            f"Rounding would have to reach {figures.many(ratio)} times its allowance to "
            f"change the {top}."
        )
    return (
        f"Rounding alone may change the {top}: {figures.many(ratio)} times its allowance is enough."
    )


def swaps(clip):
    """A sentence for each pair that changed places."""
    return [_swap(swap) for swap in clip["swaps"] if isinstance(swap, dict) and swap.get("pair")]


def agreement(clip):
    """How alike both rankings are: Kendall's tau over all tags, and the share of the top tags that
    both have; empty where not known.
    """
    told = (
        ("Kendall's tau of all tags", figures.score, clip.get("tau")),
        ("shared of the top tags", figures.percent, clip.get("jaccard")),
    )
    return "; ".join(f"{what} {write(value)}" for what, write, value in told if value is not None)


EXPLAINED = {True: "explained by rounding", False: "NOT explained by rounding"}
TIED = {
    True: "tied by rounding",
    False: "farther apart than rounding reaches",
    None: "whether rounding ties them is not known",
}


def _swap(swap):
    first, second = swap["pair"]
    why = [TIED[swap.get("tied")], *filter(None, [EXPLAINED.get(swap.get("explained"))])]
    return (
        f"{first} and {second} changed places: {figures.drift(swap.get('margin'))} apart, "
        f"{', '.join(why)}."
    )

"""What became of a clip's tags: their order, and how much rounding could change it."""

from typing import Any

from parity.reports import Record, charts, figures
from parity.reports.summary import attribution

EXPLAINED: dict[Any, str] = {True: "explained by rounding", False: "NOT explained by rounding"}
TIED = {
    True: "tied by rounding",
    False: "farther apart than rounding reaches",
    None: "whether rounding ties them is not known",
}


def rank(row: Record) -> str:
    """A tag's rank, `3`; both where they differ, `3 → 4`."""
    ranks = [figures.cell(row.get(f"rank_{side}")) for side in ("expected", "actual")]
    return " → ".join(dict.fromkeys(ranks))


def notes(clip: Record) -> list[str]:
    """All that is known of a clip's ranking, a sentence each."""
    swaps = [_swap(swap) for swap in clip["swaps"] if isinstance(swap, dict) and swap.get("pair")]
    return [words for words in (stability(clip), agreement(clip), *swaps) if words]


def stability(clip: Record) -> str:
    """How much larger rounding would have to be to change the set of top tags."""
    ratio = figures.number(clip["stability"])
    if ratio is None:
        return ""
    top, many = f"top {clip['k']}" if clip.get("k") else "top tags", figures.many(ratio)
    if ratio > 1:
        return f"Rounding would have to reach {many} times its allowance to change the {top}."
    return f"Rounding alone may change the {top}: {many} times its allowance is enough."


def agreement(clip: Record) -> str:
    """How alike both rankings are, by Kendall's tau and by the top tags that both have."""
    told = {
        "Kendall's tau of all tags": (figures.score, clip.get("tau")),
        "shared of the top tags": (figures.percent, clip.get("jaccard")),
    }
    known = ((what, write(value)) for what, (write, value) in told.items() if value is not None)
    return "; ".join(" ".join(pair) for pair in known)


def _swap(swap: Record) -> str:
    first, second = swap["pair"]
    why = [TIED[swap.get("tied")], *filter(None, [EXPLAINED.get(swap.get("explained"))])]
    apart = figures.drift(swap.get("margin"))
    return f"{first} and {second} changed places: {apart} apart, {', '.join(why)}."


def in_sd(row: Record) -> float | None:
    """How far the port's logit is from the original's, in rounding's standard deviations."""
    port, original, sd = (
        figures.number(row.get(key)) for key in ("logit_actual", "logit_expected", "sd")
    )
    return None if port is None or original is None or not sd else (port - original) / sd


def points(model: Record) -> list[charts.Point]:
    """`in_sd` of the top tags by the original's rank, a series for each clip where they are few."""
    clips = model["tags"]
    several = f"{len(clips)} clips" if len(clips) > len(charts.COLOURS) else None
    return [
        (row["rank_expected"], in_sd(row), several or clip["clip"])
        for clip in clips
        for row in clip["top"]
        if row.get("rank_expected")
    ]


def caption(model: Record) -> str:
    """What the chart shows, and how much of what rounding explains the farthest logit uses."""
    ratio = (attribution(model).get("ends") or {}).get("ratio")
    used = figures.allowance(ratio)
    return (
        "The logits' distance from the original's, in standard deviations that rounding gives each."
        + (
            f" The farthest of all tags uses {used} of what rounding explains."
            if ratio is not None
            else ""
        )
    )

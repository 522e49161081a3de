"""What is said of the remedies, by verdict: what holds by construction is told from what was
measured.
"""

NOTHING_TO_CORRECT = {
    "claim": (
        "No input correction of the port fits CNN's weights better than the decibels as they are."
    ),
    "advice": "Leave the input as it is.",
    "sentence": None,
}


def frozen(holds, scores, shares, clips, without):
    """{claim, advice, sentence}. scores: the largest change of one by a batch, as it is and
    frozen; shares: as judge_frozen takes them.

    clips: how many it is calibrated on, which are those shown; without: largest change of a score
    calibrated on the others, or None.
    """
    before, after, gap = shares
    figures = (
        f"frozen at {clips} clip{'s' * (clips != 1)}, a batch changes a score by up to "
        f"{scores[1]:.2g} instead of {scores[0]:.2g} "
        f"({after:.2g} of what rounding can do instead of {before:.3g}), and on the "
        "calibration clips it answers as unfrozen in one "
        f"batch ({gap:.2g})"
    )
    alone = (
        "nothing here shows how it does on clips that it was not calibrated on"
        if without is None
        else (
            "calibrated on the other clips only, its scores of a clip change by up to "
            f"{without:.2g}"
        )
    )
    if not holds:
        return {
            "claim": (
                f"Freezing CNN0's statistics does not make its answer one clip's own: {figures}."
            ),
            "sentence": None,
            "advice": "Do not calibrate: it does not make the answer one clip's own.",
        }
    return {
        "claim": "That frozen statistics do not depend on the batch is so by construction; "
        f"measured is that nothing else does: {figures}. "
        f"Which answer is right that does not say. The calibration clips are those shown; {alone}.",
        "advice": "Calibrate CNN0 on many clips such as yours (`python -m tagger calibrate "
        "CLIPS... "
        "-o frozen.npz`; a few will not do), and "
        "give the file to `--calibration`.",
        "sentence": (
            f"Remedy for CNN0: with frozen statistics batches move scores by {scores[1]:.1g} "
            f"instead of {scores[0]:.2g}"
        )
        + ("." if without is None else f", but another calibration set by up to {without:.2g}."),
    }


def corrected(holds, name, turned, apart, correlation, by_batch):
    """{claim, advice, sentence}. turned: (what piece's first tag changes, of how many pieces);
    apart: port to original, a score.

    correlation: with CNN0's logits (before, after), each None without CNN0; by_batch: share of
    rounding that a batch moves it by.
    """
    (changed, pieces), (before, after) = turned, correlation
    listed = (
        "; ".join(f"{piece}: {old} becomes {new}" for piece, (old, new) in changed.items())
        or "none"
    )
    agrees = (
        (
            f"Its logits correlate with CNN0's by {min(after):.2f} to {max(after):.2f}, "
            f"before by {min(before):.2f} to {max(before):.2f}"
        )
        if before
        else "CNN0, which would judge it, is not investigated"
    )
    claim = (
        f"The input correction {name!r} changes CNN's first tag for {len(changed)} of "
        f"{pieces} pieces of music ({listed}); given it, "
        f"port and original are {apart:.1g} apart, and a batch moves it by {by_batch:.2g} "
        f"of what rounding can do. {agrees}."
    )
    advice = {
        True: f"Tag with `-m CNN --correction {name}`, and say so: the published CNN does not.",
        False: "Leave the input as it is: nothing speaks for this correction.",
        None: "Leave the input as it is, until the correction agrees with CNN0 on every clip.",
    }[holds]
    told = "; ".join(
        f"{piece} becomes {new.rpartition(' ')[0]}" for piece, (_, new) in changed.items()
    )
    sentence = (
        f"Remedy for CNN: `--correction {name}` changes the first tag of {len(changed)} "
        f"of {pieces} pieces"
        f"{f' ({told})' if told else ''}."
    )
    return {"claim": claim, "advice": advice, "sentence": sentence if holds else None}

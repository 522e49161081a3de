"""What becomes of one clip's tags when something is changed: its top tag, its top ten, its
ranking, its largest move.
"""

import numpy as np

from parity.attribution.tags import TOP, jaccard, kendall_tau, ranking
from parity.kinds.activation import sigmoid


def change(names, before, after):
    """From logits (N,) before and after: {before, after: top tags, flipped, k, jaccard, tau,
    score, logit: largest changes}.
    """
    before, after = (np.asarray(logits, np.float64) for logits in (before, after))
    k = (
        min(TOP, len(names) // 2) or 1
    )  # as tags.tag_tables: with every tag in the top, none could leave it
    first = [names[ranking(logits)[0]] for logits in (before, after)]
    return {
        "before": first[0],
        "after": first[1],
        "flipped": first[0] != first[1],
        "k": k,
        "jaccard": jaccard(before, after, k),
        "tau": kendall_tau(before, after),
        "score": largest(sigmoid(after), sigmoid(before)),
        "logit": largest(after, before),
    }


def largest(actual, expected):
    """Largest |actual - expected|, a float."""
    return float(np.abs(np.asarray(actual, np.float64) - np.asarray(expected, np.float64)).max())


def share_of_rounding(actual, expected, allowed):
    """Largest share of `allowed`, what rounding can do to each logit, that their difference
    takes.
    """
    gap = np.abs(np.asarray(actual, np.float64) - np.asarray(expected, np.float64))
    return float(np.max(np.where(gap == 0, 0.0, gap / np.maximum(allowed, 1e-300))))

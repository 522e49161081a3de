"""How far the original is from itself, with and without Theano's optimizer, against what rounding
can do to its logits.

The allowance is numerics' Monte Carlo of float64 noise (parity.numerics.montecarlo): logit i moves
by at most lam sd_i, two computations of it are at most 2 lam sd_i apart.
"""

import numpy as np

from parity.attribution.explain import Explanation
from parity.compare.walk import walk
from parity.numerics.rounding import tail_factor
from parity.ports.callables import Callables
from parity.recording import recordings, stacks
from parity.recording.job import check_batch
from parity.recording.trace import array_sha256, open_trace
from parity.studies.unstable_cnn import cache

MOST_CLIPS = 2  # the batch of every parity run, whose traces are then in the cache


def measured(subject, model):
    """What rounding does to the logits of `model` on the first clips of the subject.

    Returns {clips: names, allowed: (B, N) lists, 2 lam sd of each logit, max_abs, logits_max_abs:
    the largest of fast_run - None over clips and tags, ratio: the largest share of what is
    allowed, holds: ratio <= 1}. Raises CannotRun where there are no clips or the original cannot
    be run.
    """
    case, names = subject.cases[model], list(subject.clips)[:MOST_CLIPS]
    none = np.zeros((0, 1, 96, 1366), np.float32)
    batch = np.concatenate([none, *(subject.clips[name] for name in names)])
    check_batch(batch)
    found = cache.recalled(
        "noise",
        [model, case.model.stack, case.weights.sha256, array_sha256(batch)],
        lambda: _measure(case, batch, subject.progress),
        __name__,
    )
    return {"clips": names, **found}


def _measure(case, batch, progress):
    paths = recordings.traces({case: batch}, lanes=("reference", "noise"), progress=progress)[case]
    last = case.model.layers[-1]
    with open_trace(paths["reference"]) as plain, open_trace(paths["noise"]) as optimised:
        found = _explanation(case, plain, optimised).findings()
        scores = np.abs(optimised.read(last).astype(np.float64) - plain.read(last))
    logits, ends = found.logits, found.attribution.ends
    return {
        "allowed": (2 * tail_factor(logits.sd.size) * logits.sd).tolist(),
        "max_abs": float(scores.max()),
        "logits_max_abs": float(np.abs(logits.actual - logits.expected).max()),
        "ratio": ends.ratio,
        "holds": ends.holds,
    }


def _explanation(case, plain, optimised):
    """The optimised original in the place of a port: its chain is what was recorded of it."""
    names, last = case.model.layers, case.model.layers[-1]
    steps = {name: lambda _, name=name: optimised.read(name) for name in names}
    steps[last].logits = lambda _: optimised.read_pre_activation(last)
    port = Callables(steps)
    explanation = Explanation(
        plain, case.weights.params, stacks.STACKS[case.model.stack].keras, port
    )
    for step in walk(plain, port):
        explanation.follow(step, explanation.carrier(step).run())
    return explanation

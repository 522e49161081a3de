"""What an uncaught fault could have shown: how far its formula alone, without rounding, lies from
the original's.
"""

import numpy as np

from parity.compare.tally import Tally
from parity.faults.plant import planted, widened
from parity.numerics.structure import Regression
from parity.port_api import answer


def hidden(there, fault):
    """(D, whether nothing else would show the fault either) of a fault that no output showed;
    there: a trial.Original.

    D = max|o_fault - o|/B: the broken formula is the planted port's own, run in float64, beside
    the oracle. Below 1 no single output can tell the fault from rounding; then all of them
    together are asked: the regression over channels and taps, of what the original rounded with
    the fault's effect added.
    """
    name, port = fault.layer, planted(widened(there.tagger()), fault)
    given = answer(port, name, there.input_of(name).astype(np.float64)).actual
    if given is None or given.shape != there.outputs[name].shape:
        return float("inf"), False
    judge = there.witness(name)
    tally, regression = Tally(judge, given), Regression(judge) if judge.limits else None
    would_be = there.outputs[name].astype(np.float64).reshape(judge.view)
    for where in judge.blocks():
        block = judge.block(where)
        effect = tally.add(block)
        if regression:
            would_be[where] += effect
            regression.add(block, would_be[where] - block.o)
    return tally.rho, bool(
        tally.rho < 1 and not (regression and regression.findings(would_be)["structured"])
    )

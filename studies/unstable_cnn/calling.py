"""Does calling it change it? The same clip again and again, in the original, the port and with
stock Chainer's links.
"""

from typing import NamedTuple

import numpy as np

from parity.ports.callables import Replaced
from parity.recording import stacks
from parity.studies.unstable_cnn import noise, ports, runs
from parity.studies.unstable_cnn.outcome import Outcome, Rows
from parity.studies.unstable_cnn.subject import companions
from parity.studies.unstable_cnn.tags import share_of_rounding

# The calls of one process in their order: label -> which of the two clips.
CALLS = {
    "first": (0,),
    "again": (0,),
    "another": (1,),
    "both": (0, 1),
    "both, other order": (1, 0),
    "at last": (0,),
}
REPEATED = ("first", "again", "at last")  # the same clip by itself
STOCK = {
    "stock Chainer, test phase": ("Chainer's BatchNormalization", "Chainer's GRU"),
    "stock Chainer, as published": ("published BatchNormalization",),
}


class Observed(NamedTuple):
    """What the calls of one model by one side did.

    changed: parameters or persistent values after them differ from before; others: so do what else
    it keeps (generators); repeats: whether all answers to the same clip are the same bits; order:
    largest share of rounding's allowance between both orders.
    """

    model: str
    side: str
    changed: bool
    others: bool
    repeats: bool
    order: float

    @property
    def name(self):
        return f"{self.model} ({self.side})"


def ask(subject):
    """Whether calls, threads and order change original or port, and what stock links would do."""
    subject.need_clips("nothing can be called")
    batches = calls(subject.clips)
    last = {name: runs.LOGITS.format(case.model.layers[-1]) for name, case in subject.cases.items()}
    allowed = {
        name: np.array(noise.measured(subject, name)["allowed"])[0] for name in subject.cases
    }
    by_one, by_two, observed = {}, {}, []
    for answer in (_originals, _ports, _stock):
        by_one |= answer(subject, batches, 1)
        by_two |= answer(subject, {"first": batches["first"]}, 2)
    for (side, name), found in by_one.items():
        observed.append(observe(name, side, found, last[name], allowed[name]))
    ours = [each for each in observed if each.side in runs.SIDES]
    stock = [each for each in observed if each.side not in runs.SIDES]
    rows = []
    for each in observed:
        first = (
            found[each.side, each.model]["first"].outputs[last[each.model]][0]
            for found in (by_two, by_one)
        )
        by_threads = share_of_rounding(*first, allowed[each.model])
        rows.append([each.model, each.side, by_threads, each.order])
    return [state("state", ours), state("stock", stock), threads(rows)]


def calls(clips):
    """{label: batch} of CALLS on the first two clips; silence is the second of one."""
    pair = list((clips if len(clips) > 1 else {**clips, **companions(clips)}).values())[:2]
    return {label: np.concatenate([pair[at] for at in which]) for label, which in CALLS.items()}


def _originals(subject, batches, threads):
    """{("original", model): {label: Run}} with so many threads, each in a process of its own."""
    asked = {"batches": batches, "threads": threads}
    found = subject.originals(dict.fromkeys(subject.cases, asked))
    return {("original", name): answers for name, answers in found.items()}


def _ports(subject, batches, threads):
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        return {("port", name): ports.run(case, batches) for name, case in subject.cases.items()}


def _stock(subject, batches, threads):
    """The port with stock Chainer's links in place of its own, as STOCK has them."""
    from threadpoolctl import threadpool_limits

    from parity.port import proof, stock

    found = {}
    for name, case in subject.cases.items():
        asked = case.model.name, case.weights, stacks.STACKS[case.model.stack].keras
        replacements = stock.replacements(*asked)
        for side, drifts in STOCK.items():
            stand_ins = {
                layer: step for drift in drifts for layer, step in replacements[drift].items()
            }
            port = Replaced(proof.steps(*asked), stand_ins)
            # Wrong formulas may overflow.
            with threadpool_limits(threads), np.errstate(all="ignore"):
                found[side, name] = ports.through(
                    port, batches, axes={}, remembered=lambda links=stand_ins: _sha256(links)
                )
    return found


def _sha256(steps):
    return [ports.parameters_sha256(step.link) for step in steps.values()]


def observe(model, side, answers, last, allowed):
    """Observed, from the Runs of CALLS. allowed: of each logit of the first clip."""
    logits = {
        label: answers[label].outputs[last][which.index(0)]
        for label, which in CALLS.items()
        if 0 in which
    }
    before, after = answers["first"], answers["at last"]
    return Observed(
        model,
        side,
        before.parameters_sha256[0] != after.parameters_sha256[1],
        before.others_sha256[0] != after.others_sha256[1],
        all(np.array_equal(logits[label], logits["first"], equal_nan=True) for label in REPEATED),
        share_of_rounding(logits["both, other order"], logits["both"], allowed),
    )


def judge_state(observed):
    """Whether a call changed a parameter or a later answer; None without calls."""
    return any(each.changed or not each.repeats for each in observed) if observed else None


def state(finding, observed):
    """The outcome on what calling changes: of original and port, or of stock Chainer's links."""
    changed = [each for each in observed if each.changed]
    unsteady = [each for each in observed if not each.repeats]
    # A stock link that answers otherwise is told apart from one that is written into.
    counted = changed if finding == "stock" else [e for e in observed if e.changed or not e.repeats]
    return Outcome(
        finding,
        judge_state(observed),
        len(counted),
        {
            "changed": [each.name for each in changed],
            "unsteady": [each.name for each in unsteady],
            "counted": [f"{each.side} {each.model}" for each in counted],
            "generators": sorted({each.model for each in observed if each.others}),
            "sides": list(dict.fromkeys(each.side for each in observed)),
            "models": len(observed),
            "calls": len(CALLS),
            "order": max((each.order for each in observed), default=0.0),
        },
        [Rows(finding, [list(each) for each in observed])],
    )


def threads(rows):
    """The outcome on the number of BLAS threads and the order of clips. rows: [[model, side, share
    of rounding by threads, by order]]; stock links are shown, not judged.
    """
    ours = [row for row in rows if row[1] in runs.SIDES]
    shares = [share for row in ours for share in row[2:]]
    # An answer that two threads leave as it was to the bit does not show a second one was used.
    still = [f"{side} {model}" for model, side, by_threads, _ in ours if by_threads == 0]
    return Outcome(
        "threads", max(shares) > 1, max(shares), {"still": still}, [Rows("threads", rows)]
    )

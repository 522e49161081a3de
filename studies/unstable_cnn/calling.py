"""Does calling it change it? The same clip again and again, in the original, the port and with
stock Chainer's links.
"""

from typing import NamedTuple

import numpy as np

from parity.errors import CannotRun
from parity.ports.callables import Replaced
from parity.recording import stacks
from parity.studies.unstable_cnn import noise, runs
from parity.studies.unstable_cnn.changes import share_of_rounding
from parity.studies.unstable_cnn.clips import companions
from parity.studies.unstable_cnn.finding import PROVED, REFUTED, Finding, Table, scope, verdict

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
SIDES = ("original", "port")
AS_WRITTEN, AS_PUBLISHED = "stock Chainer, test phase", "stock Chainer, as published"
STOCK = {
    AS_WRITTEN: ("Chainer's BatchNormalization", "Chainer's GRU"),
    AS_PUBLISHED: ("published BatchNormalization",),
}


class Observed(NamedTuple):
    """What the calls of one model by one side did.

    changed: parameters or persistent values after them differ from before; others: so do what else
    it keeps (generators);
    repeats: whether all answers to the same clip are the same bits; order: largest share of
    rounding's allowance between both orders, None where only one was tried.
    """

    model: str
    side: str
    changed: bool
    others: bool
    repeats: bool
    order: float | None


def ask(subject):
    """Findings: whether calling changes original or port, what threads and order do, and what
    stock Chainer's links would do.
    """
    if not subject.clips:
        raise CannotRun(
            "no clip could be read, so nothing can be called; give at least one mel "
            "spectrogram or audio file"
        )
    batches = calls(subject.clips)
    answers = {**_originals(subject, batches, 1), **_ports(subject, batches, 1)}
    one_call = {"first": batches["first"]}
    by_two = {**_originals(subject, one_call, 2), **_ports(subject, one_call, 2)}
    allowed = {name: _allowed(subject, name) for name in subject.cases}
    stock_by_one, stock_by_two = _stock(subject, batches, 1), _stock(subject, one_call, 2)
    ours, stock = (_observe_all(subject, found, allowed) for found in (answers, stock_by_one))
    found = threads(
        [*ours, *stock], {**answers, **stock_by_one}, {**by_two, **stock_by_two}, allowed, subject
    )
    return [state(ours, subject), by_stock(stock, subject), found]


def calls(clips):
    """{label: batch} of CALLS on the first two clips, the second one silence where there is only
    one.
    """
    first, second = (
        list({**clips, **companions(clips)}.values())[:2]
        if len(clips) < 2
        else list(clips.values())[:2]
    )
    return {
        label: np.concatenate([(first, second)[at] for at in which])
        for label, which in CALLS.items()
    }


def _originals(subject, batches, threads):
    """{("original", model): {label: Run}} with so many threads, each in a process of its own."""
    return runs.originals(
        {("original", name): subject.asks(name, batches, threads=threads) for name in subject.cases}
    )


def _ports(subject, batches, threads):
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        return {("port", name): runs.ported(case, batches) for name, case in subject.cases.items()}


def _stock(subject, batches, threads):
    """The port with stock Chainer's links in the place of its own, as STOCK has them, with so many
    threads.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        return _with_stock_links(subject, batches)


def _with_stock_links(subject, batches):
    from parity.port import proof, stock

    found = {}
    for name, case in subject.cases.items():
        asked = case.model.name, case.weights, stacks.STACKS[case.model.stack].keras
        replacements = stock.replacements(*asked)
        for side, drifts in STOCK.items():
            put_in = {
                layer: step for drift in drifts for layer, step in replacements[drift].items()
            }
            links = {layer: step.link for layer, step in put_in.items()}
            port = Replaced(proof.steps(*asked), put_in)
            with np.errstate(all="ignore"):  # wrong formulas may overflow
                found[side, name] = runs.through(
                    port, batches, axes={}, remembered=lambda links=links: _sha256(links)
                )
    return found


def _sha256(links):
    return [runs.parameters_sha256(link) for link in links.values()]


def _allowed(subject, name):
    """What rounding can do to each logit of the first clip: 2 lam sd."""
    return np.array(noise.measured(subject, name)["allowed"])[0]


def _observe_all(subject, answers, allowed):
    return [
        observe(name, side, found, subject.cases[name].model.layers[-1], allowed[name])
        for (side, name), found in answers.items()
    ]


def observe(model, side, answers, last, allowed):
    """Observed, from the Runs of CALLS. allowed: of each logit of the first clip."""

    def logits(label):
        return answers[label].outputs[runs.LOGITS.format(last)][CALLS[label].index(0)]

    order = (
        share_of_rounding(logits("both, other order"), logits("both"), allowed)
        if "both" in answers
        else None
    )
    repeats = [
        np.array_equal(logits(label), logits("first"), equal_nan=True)
        for label in REPEATED
        if label in answers
    ]
    return Observed(
        model,
        side,
        answers["first"].parameters_sha256[0] != answers["at last"].parameters_sha256[1],
        answers["first"].others_sha256[0] != answers["at last"].others_sha256[1],
        all(repeats),
        order,
    )


def judge_state(observed):
    """Proved where a call changed a parameter or a later answer, refuted where none did; None
    where nobody was called.
    """
    return verdict(any(each.changed or not each.repeats for each in observed) if observed else None)


def state(observed, subject):
    """The finding on original and port."""
    said = judge_state(observed)
    changed = [f"{each.side} {each.model}" for each in observed if each.changed or not each.repeats]
    drawn = sorted({each.model for each in observed if each.others})
    generators = (
        f" The originals' dropout generators ({', '.join(drawn)}) move on at every call, "
        "in the test phase too, and reach no "
        "answer."
        if drawn
        else ""
    )
    did = (
        f"changes {', '.join(changed)}"
        if changed
        else "changes nothing: no parameter, persistent value or answer moved by a bit"
    )
    return Finding(
        "calling-state",
        f"Calling {did}, in {len(CALLS)} calls of {_whom(observed)}.{generators}",
        said,
        {
            "what": "models that a call changed",
            "value": len(changed),
            "unit": f"of {len(observed)}",
        },
        "Load the weights anew before each clip."
        if said == PROVED
        else "Nothing: a model may be called as often as one likes.",
        scope(subject.data),
        [_table("calling-state", "What calling changes", observed)],
        f"Calling again changes {len(changed) or 'none'} of {len(observed)} models by a bit.",
        "Calling a model changes it, or its later answers",
    )


def _whom(observed):
    return " and ".join(dict.fromkeys(f"the {each.side}" for each in observed))


def by_stock(observed, subject):
    """The finding on stock Chainer's links."""
    said = judge_state(observed)
    changed = [f"{each.model} ({each.side})" for each in observed if each.changed]
    unsteady = [f"{each.model} ({each.side})" for each in observed if not each.repeats]
    does = (
        f"overwrites the moving statistics of {', '.join(changed)}"
        if changed
        else "overwrites nothing"
    )
    return Finding(
        "calling-stock",
        f"With stock Chainer's links, calling {does}; {len(unsteady)} of {len(observed)} "
        "gave the same clip another answer"
        f"{': ' if unsteady else ''}{', '.join(unsteady)}; {_others(observed)}.",
        said,
        {
            "what": "models with stock links that a call changed",
            "value": len(changed),
            "unit": f"of {len(observed)}",
        },
        (
            "Do not get batch statistics by running Chainer's batch normalisation in its "
            "train phase, and save no model that was."
        )
        if said == PROVED
        else "Nothing.",
        scope(subject.data),
        [_table("calling-stock", "What calling changes with stock links", observed)],
        hypothesis=(
            "With stock Chainer's links in the port, calling a model changes it, or its "
            "later answers"
        ),
    )


def _others(observed):
    orders = [each.order for each in observed if each.order is not None]
    return (
        f"in the other order logits differ by at most {max(orders):.2g} of what rounding can do"
        if orders
        else "in one order"
    )


def _table(name, title, observed):
    return Table(
        name,
        title,
        [
            "model",
            "who",
            "parameters changed",
            "generators moved on",
            "repeats are the same bits",
            "other order, share of rounding",
        ],
        [
            [each.model, each.side, each.changed, each.others, each.repeats, each.order]
            for each in observed
        ],
        f"{len(CALLS)} calls in one process; the first clip comes again by itself after others.",
    )


def judge_threads(shares):
    """Proved where threads or order move a logit further than rounding can."""
    return verdict(max(shares) > 1 if shares else None)


def threads(observed, by_one, by_two, allowed, subject):
    """The finding on the number of BLAS threads and the order of clips. by_one, by_two: {(side,
    model): {label: Run}} by threads.
    """

    def logits(answers, key):
        return answers[key]["first"].outputs[
            runs.LOGITS.format(subject.cases[key[1]].model.layers[-1])
        ][0]

    rows = [
        [
            each.model,
            each.side,
            share_of_rounding(
                logits(by_two, (each.side, each.model)),
                logits(by_one, (each.side, each.model)),
                allowed[each.model],
            ),
            each.order,
        ]
        for each in observed
    ]
    shares = [share for row in rows if row[1] in SIDES for share in row[2:]]
    said = judge_threads(shares)
    did = {PROVED: "changes the answer", REFUTED: "changes no answer beyond rounding"}[said]
    return Finding(
        "calling-threads",
        f"The number of threads or the order of the clips {did}: between 1 and 2 threads, "
        "and between both "
        f"orders, the logits differ by at most {max(shares):.2g} of what rounding can "
        f"do.{_vacuous(rows)}",
        said,
        {
            "what": (
                "largest difference of a logit by threads or order, as a share of what "
                "rounding can do"
            ),
            "value": max(shares),
            "unit": "",
        },
        "Pin the number of threads and the order."
        if said == PROVED
        else "Nothing: neither matters.",
        scope(subject.data),
        [
            Table(
                "calling-threads",
                "Threads and order of the clips",
                ["model", "who", "2 threads against 1", "against the other order"],
                rows,
                (
                    "Largest difference of a logit as a share of what rounding can do. Stock "
                    "links are shown, not judged."
                ),
            )
        ],
        hypothesis=(
            "The number of threads or the order of the clips changes an answer beyond rounding"
        ),
    )


def _vacuous(rows):
    """Whose answer two threads left as it was to the bit: nothing then shows that a second thread
    was used at all.
    """
    still = [
        f"{side} {model}"
        for model, side, by_threads, _ in rows
        if side in SIDES and by_threads == 0
    ]
    return (
        (
            " The same bits with either number of threads, so that none may have used a "
            f"second: {', '.join(still)}."
        )
        if still
        else ""
    )

"""Tests every hypothesis about a layer that fails, and says which of them explain it."""

import numpy as np

from parity.compare.tally import Tally
from parity.compare.verdict import OPERANDS, Q_MOST, RHO_MOST
from parity.diagnose import failing, spreads
from parity.diagnose.eps import fitted_eps
from parity.diagnose.observing import form, undecidable
from parity.diagnose.subject import Subject, pieces
from parity.diagnose.tables import LAST, base, combined, groups, made, registered

OPERAND_NAMES = tuple(
    f"rounded as if by operands of {bits}"
    for bits in ("11 bits (TF32 or float16)", "8 bits (bfloat16)")
)
POSITIONS_ENOUGH = 2**13  # per channel, to estimate theta and R2


def cause(layer, params, keras, *, given, expected, actual, u_in=None):
    """Why a layer that fails fails: {hypothesis, survivors, undecidable, estimate, r2, theta,
    tested, form}.

    layer: .name .kind .config; params: suffix -> array; given, expected: the original's input and
    output, float32;
    actual: the port's output on that input, of any shape, or the sentence it failed with; u_in: of
    the measures, where the
    verdict is EXCESS ROUNDING: it reads the operands' precision where no formula explains.
    hypothesis is None where no tested one explains it, or where the layer's own formula does.
    survivors: [{name, rho, q, distance}], best first, distance: as of `_distance`; undecidable: as
    of `undecidable`; estimate: {what, value, se} or None; theta: {value, se}, how much of the
    hypothesis' effect is seen (1 where it is true).
    """
    subject = Subject(layer, params, given, keras)
    if isinstance(actual, str):
        return _of_nothing(*failing.explaining(subject, actual))
    actual = np.asarray(actual)
    with np.errstate(all="ignore"):
        clean = explains(base(subject), actual)
        survivors, tested = ([], 0) if clean else _survivors(subject, actual)
        best = survivors[0] if survivors else None
        name = best["name"] if best else None if clean else _operands(u_in)
        found = {
            "hypothesis": name,
            "survivors": [_survivor(each, best["judge"]) for each in survivors],
            "undecidable": undecidable(
                layer, params, keras, given=given, expected=expected, actual=actual
            )["undecidable"],
            "estimate": best and best["estimate"],
            "r2": None,
            "theta": None,
            "tested": tested,
        }
        if best and best["judge"].view == subject.witness.view:
            found |= _effect(base(subject), best["judge"], actual)
    return found | {"form": form(subject, actual)}


def _of_nothing(names, tested):
    """What `cause` returns where there is no output: a hypothesis has no rho then."""
    survivors = [{"name": name, **dict.fromkeys(("rho", "q", "distance"))} for name in names]
    return {
        "hypothesis": names[0] if names else None,
        "survivors": survivors,
        "undecidable": [],
        "estimate": None,
        "r2": None,
        "theta": None,
        "tested": tested,
        "form": None,
    }


def _survivor(each, best):
    distance = 0.0 if each["judge"] is best else _distance(each["judge"], best)
    return {**{key: each[key] for key in ("name", "rho", "q")}, "distance": distance}


def _distance(judge, best):
    """Largest |o_h - o_best|/B_best over the rows that `explains` tries first: from 1 on, another
    input could tell the two apart.

    inf where nothing may round and something differs.
    """
    furthest = 0.0
    for where in pieces(best):
        block = best.block(where)
        gap2, other = block.bound2, judge.block(where).o
        if gap2 is None:
            furthest = max(furthest, 0.0 if np.array_equal(other, block.o) else float("inf"))
        else:
            furthest = max(furthest, float((np.square(other - block.o) / gap2).max(initial=0.0)))
    return float(np.sqrt(furthest))


def verdict_of(verdict, found):
    """The verdict with its cause's name, FORMULA(<name>); as it was where no formula was found to
    explain the layer.
    """
    return f"FORMULA({found['hypothesis']})" if found and found["survivors"] else verdict


def _operands(u_in):
    """The operand precision that u_in reads, or None."""
    ranges = zip(OPERAND_NAMES, OPERANDS, strict=True)
    return next(
        (name for name, (low, high) in ranges if u_in is not None and low <= u_in <= high), None
    )


def _survivors(subject, actual):
    """([{name, judge, rho, q, estimate}] best first, how many were tested). Fitted ones are asked
    when no other explains.

    Where q is the same in two digits nothing tells two formulas apart, and they stay in the order
    of the tables.
    """
    found, tested = _all_that_explain(subject, registered(subject), actual)
    if not found:
        found, more = _all_that_explain(subject, combined(subject), actual)
        tested += more
    reshaped = actual.shape != subject.witness.shape or not np.isfinite(actual).all()
    for group in groups(subject.layer.kind, reshaped):
        for name, variant, estimate in () if found else _fitted(group, subject, actual):
            tested += 1
            _keep(found, name, made(subject, lambda s, v=variant: v), actual, estimate)
    _estimate_eps(subject, found, actual)
    return sorted(
        found, key=lambda each: (each["name"].startswith(LAST), float(f"{each['q']:.2g}"))
    ), tested


def _fitted(group, subject, actual):
    """All that the fits of a group have to propose: [(name, variant, estimate)]."""
    return [proposed for fit in group for proposed in fit(subject, subject.witness, actual)]


def _all_that_explain(subject, table, actual):
    found, tested = [], 0
    for name, maker in table.items():
        judge = made(subject, maker)
        tested += judge is not None
        _keep(found, name, judge, actual, None)
    return found, tested


def _keep(found, name, judge, actual, estimate):
    tally = judge and explains(judge, actual)
    if tally:
        found.append(
            {"name": name, "judge": judge, "rho": tally.rho, "q": tally.q, "estimate": estimate}
        )


def explains(judge, actual):
    """The Tally of an output that a hypothesis explains, else None. A few rows are tried first:
    one element refutes.
    """
    if actual.shape != judge.shape:
        return None
    values = np.ascontiguousarray(actual).reshape(judge.view)
    if not all(_within(judge.block(where), values[where]) for where in pieces(judge)):
        return None
    tally = Tally(judge, actual, structure=True)
    for where in judge.blocks():
        tally.add(judge.block(where))
        if not tally.worst2 <= RHO_MOST:
            return None
    structured = tally.regression and tally.regression.findings(tally.values)["structured"]
    return tally if tally.q <= Q_MOST and tally.finite and not structured else None


def _within(block, values):
    if block.bound2 is None:
        return np.array_equal(values, block.o)
    return bool((np.square(values - block.o) <= block.bound2).all())


def _estimate_eps(subject, found, actual):
    """Give survivors that state an eps the eps their formula would fit, with its standard error."""
    wanting = [
        each for each in found if not each["estimate"] and spreads.eps_in(each["name"]) is not None
    ]
    if subject.layer.kind == "BatchNormalization" and wanting:
        fits = fitted_eps(subject, actual)
        for each in wanting:
            eps = spreads.eps_in(each["name"])
            name = next(
                (n for n in fits if spreads.spread_name(subject, n, eps) == each["name"]), None
            )
            each["estimate"] = name and {
                "what": f"eps of {name}",
                "value": fits[name][0],
                "se": fits[name][1],
            }


def _effect(original, judge, actual):
    """theta = sum w (p-o) d / sum w d^2 with d = o_h - o, w = 1/B^2, its error clustered by
    channel, and R2 with theta = 1.
    """
    values, channels = np.ascontiguousarray(actual).reshape(judge.view), judge.view[1]
    left, with_d, d2, total = np.zeros((4, channels))
    for where, cut in _some(original, channels):
        block = original.block(where)
        o, w, other = (
            block.o[cut],
            1.0 if block.bound2 is None else block.weights[cut],
            judge.block(where).o[cut],
        )
        d, error = other - o, values[where][cut] - o
        for row, term in (
            (with_d, error * d),
            (d2, d * d),
            (total, error * error),
            (left, np.square(error - d)),
        ):
            row[where[1]] += np.einsum("acp->c", w * term)
    if not d2.sum() > 0:
        return {}
    theta = with_d.sum() / d2.sum()
    se = np.sqrt(np.sum(np.square(with_d - theta * d2))) / d2.sum()
    return {
        "theta": {"value": float(theta), "se": float(se)},
        "r2": float(1 - left.sum() / total.sum()),
    }


def _some(original, channels):
    """(block, part of it) with about POSITIONS_ENOUGH positions per channel: every n-th block and
    the last, where all have every channel.
    """
    every, wheres = (
        max(1, original.view[0] * original.view[2] // POSITIONS_ENOUGH),
        list(original.blocks()),
    )
    if all(where[1].indices(channels) == (0, channels, 1) for where in wheres):
        return [
            (wheres[at], np.s_[:])
            for at in sorted({*range(0, len(wheres), every), len(wheres) - 1})
        ]
    return [(where, np.s_[:, :, ::every]) for where in wheres]

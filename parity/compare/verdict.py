"""What a layer's measures amount to: a table of rules, first match wins.

Every rule states what must hold, so that a NaN never passes one.
"""

from collections.abc import Callable, Iterable

from parity.results import ALLOWED as ALLOWED
from parity.results import EXACT as EXACT
from parity.results import EXCESS as EXCESS
from parity.results import FORMULA as FORMULA
from parity.results import GROSS as GROSS
from parity.results import INCOMPARABLE as INCOMPARABLE
from parity.results import INHERITED as INHERITED
from parity.results import MISBEHAVES as MISBEHAVES
from parity.results import NOT_COMPARED as NOT_COMPARED
from parity.results import NOT_PROBED, Cell
from parity.results import ROUNDING as ROUNDING
from parity.results import SUSPECT as SUSPECT

# In order of severity: a model's verdict is its worst layer's.
VERDICTS = (
    *(
        EXACT,
        ROUNDING,
        ALLOWED,
        INHERITED,
        EXCESS,
        MISBEHAVES,
        FORMULA,
        GROSS,
        SUSPECT,
        INCOMPARABLE,
    ),
    NOT_COMPARED,
)
HOLDS = frozenset({EXACT, ROUNDING, ALLOWED})
PROBES_HOLD = HOLDS | {NOT_PROBED}  # what was not asked is not proved, and no failure either

RHO_MOST, Q_MOST = 1.0, 1.5
# fewer: worse than storing the tensor in bfloat16, which no common format's rounding can be
BITS_LEAST = 8.0
# Unit roundoffs of reduced-precision operands, with room for a factor of two: TF32 and half
# precision, bfloat16.
OPERANDS = ((2.0**-12, 2.0**-10), (2.0**-9, 2.0**-8))
Q_REFERENCE_SANE = (0.05, 1.2)


def reduced_operands(u_in: float | None) -> bool:
    """Whether operands of that unit roundoff are of a format with fewer bits than float32."""
    return u_in is not None and any(low <= u_in <= high for low, high in OPERANDS)


# (verdict, its condition on a measured cell)
RULES: tuple[tuple[str, Callable[..., bool]], ...] = (
    # shape, dtype or NaN: there is nothing to compare
    (INCOMPARABLE, lambda m: m.fault != ""),
    # every element is the original's
    (EXACT, lambda m: m.exact),
    # the oracle does not explain the original itself
    (SUSPECT, lambda m: not m.rho_reference <= RHO_MOST),
    # float32 rounding explains it
    (ROUNDING, lambda m: m.rho_port <= RHO_MOST and m.q_port <= Q_MOST and not m.structured),
    # and so it does within the certain bound, where probes have shown which function this is and
    # that it loses no precision: terms that repeat may round alike in a sound order of summing
    (ROUNDING, lambda m: bool(m.proved) and m.rho_det <= 1),
    # a transform's rounding does, where probes found one that was allowed by name
    (ALLOWED, lambda m: m.rho_transform is not None and m.rho_transform <= 1),
    # the same formula, rounded more than expected
    (EXCESS, lambda m: not m.structured and (m.rho_det <= 1 or reduced_operands(m.u_in))),
    # another formula or parameter
    (FORMULA, lambda m: m.effective_bits >= BITS_LEAST),
    # no rounding of any common format
    (GROSS, lambda m: True),
)


def judge(cell: Cell, upstream_holds: bool = True) -> str:
    """The verdict of a measured cell.

    upstream_holds: in a chain, whether every layer before holds. Where not, a layer that itself
    holds has only INHERITED its difference; so has one whose input cannot be compared any more.
    """
    if not upstream_holds and getattr(cell, "input_fault", None):
        return INHERITED
    verdict = next(name for name, applies in RULES if applies(cell))
    if verdict in HOLDS and not upstream_holds and not cell.bitwise_equal:
        return INHERITED
    return verdict


def severity(verdict: str) -> int:
    """Place of a verdict in VERDICTS; a named formula is as grave as an unnamed one."""
    return VERDICTS.index(FORMULA if verdict.startswith("FORMULA(") else verdict)


def worst(verdicts: Iterable[str]) -> str:
    """The severest of some verdicts; NOT COMPARED of none."""
    return max(verdicts, key=severity, default=NOT_COMPARED)


def holds(verdict: str) -> bool:
    """Whether a verdict means that the port does what the original does."""
    return verdict in HOLDS


def reference_is_sane(rho: float, q: float) -> bool:
    """The guard on the oracle: the original keeps within its bound, and its rounding is neither
    absent nor excessive.
    """
    low, high = Q_REFERENCE_SANE
    return rho <= RHO_MOST and (q == 0 or low <= q <= high)

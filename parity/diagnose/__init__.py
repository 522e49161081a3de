"""Why a layer differs: named variant formulas, each tested against the port's output under its own
rounding bound.

A hypothesis explains an output when no element is farther from its float64 value than its bound
and no structure is left under it. Nothing is named that was not tested; what would change this
layer by less than a bound is listed as undecidable.
"""

from parity.diagnose.observability import form, undecidable
from parity.diagnose.search import cause

__all__ = ["cause", "form", "undecidable"]

"""Why a layer differs: named variant formulas, each tested against the port's output under its own
rounding bound (m6).

A hypothesis explains an output when no element is farther from its float64 value than its bound
and no structure is left under it. Nothing is named that was not tested; what would change this
layer by less than a bound is listed as undecidable.
"""

from parity.diagnose.explaining import cause, verdict_of
from parity.diagnose.fits import locate_tap
from parity.diagnose.observing import form, undecidable
from parity.diagnose.subject import Subject

__all__ = ["Subject", "cause", "form", "locate_tap", "undecidable", "verdict_of"]

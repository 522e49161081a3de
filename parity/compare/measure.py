"""How far a port's layer lies from the original's, and from the float64 oracle of the original's
formula (m0 - m5, m7).

Everything is gathered in one pass over the oracle's blocks, so a layer costs a few cache-sized
arrays beside its inputs.
Isolated: the port's layer was fed the original's input. Chained: the port was fed its own output
from the start, and is held to the oracle on that same input of its own: what it adds itself is
told from what it was handed.
"""

import numpy as np

from parity.compare.tally import Pair, Tally
from parity.kinds import witness, witness_beside
from parity.numerics.closeness import closeness
from parity.numerics.regression import per_channel
from parity.numerics.rounding import NOTHING, squares

EXCESS = 1.5  # q above this, or rho above 1, asks for the certain bound
NAN = float("nan")


class Comparison:
    """A port's output against the original's and the oracle. fault: why they cannot be compared,
    or ""; copies: bit for bit.
    """

    def __init__(self, judge, actual, expected):
        self.judge, self.actual, self.expected = judge, np.asarray(actual), np.asarray(expected)
        self.fault = mismatch(self.actual, self.expected)
        self.usable = not self.fault and judge.shape == self.expected.shape
        if self.usable:
            self.port, self.pair = (
                Tally(judge, self.actual, structure=True),
                Pair(self.actual, self.expected, judge.view),
            )
            self.copies = _same(self.actual, self.expected)  # then one tally serves both
        self.inherited2 = self.local2 = 0.0

    def add(self, block):
        """Take in a block of the oracle; returns port - oracle."""
        self.pair.add(block.where)
        return self.port.add(block)

    def split(self, block, original, original_error):
        """As add, and split port - original into what the input brought and what the layer added.

        original: the oracle's block on the original's input; original_error: the original's output
        minus that.
        """
        error = self.add(block)
        room = self.port.scratch.take("split", block.o.shape)
        if block is not original:
            self.inherited2 += squares(np.subtract(block.o, original.o, out=room))
        self.local2 += squares(np.subtract(error, original_error, out=room))


def mismatch(actual, expected):
    """Why two outputs cannot be compared, in a clause; "" when they can."""
    if actual.shape != expected.shape:
        return f"shape {actual.shape} instead of {expected.shape}"
    if actual.dtype != expected.dtype:
        return f"dtype {actual.dtype} instead of {expected.dtype}"
    return "" if actual.size else "there are no values"


def not_finite(comparison, reference):
    """Which side holds NaN or infinite values, in a clause; "" when none does."""
    if comparison.port.finite and reference.finite:
        return ""
    sides = (("the port's", comparison.actual), ("the original's", comparison.expected))
    bad = [(int(np.count_nonzero(~np.isfinite(array))), whose) for whose, array in sides]
    return (
        " and ".join(
            f"{count} of {whose} values are NaN or infinite" for count, whose in bad if count
        )
        or "the layer's input or parameters hold NaN or infinite values"
    )


def measure(actual, expected, judge):
    """The isolated measures of one layer, a dict (see `report`): the port's and the original's
    output, judge a bounds.Witness.

    Both were computed in float32 from the input and weights that the witness was made with.
    """
    return _gather(judge, Comparison(judge, actual, expected), None, expected, None)[0]


def compare_layer(
    layer,
    params,
    keras,
    *,
    input_reference,
    expected,
    actual_isolated,
    input_chained=None,
    actual_chained=None,
    truth=None,
    observe=None,
    evidence=None,
):
    """Isolated and chained measures of one layer: (dict, dict or None); the oracle on the
    original's input is computed once.

    input_reference, expected: the original's, from its trace; actual_isolated: the port's output
    on input_reference;
    input_chained, actual_chained: the port's own input and output in the chain; truth: the float64
    lane's output.
    observe: called with (witness, block, expected - o) for every block of the oracle on the
    original's input, or None.
    evidence: an evidence.Evidence to fill, or None. Raises CannotRun for what the oracle does not
    know.
    """
    judge = witness(layer, params, input_reference, keras)
    isolated = Comparison(judge, actual_isolated, expected)
    if actual_chained is None:
        return _gather(judge, isolated, None, expected, truth, observe, evidence)
    fault = mismatch(np.asarray(input_chained), np.asarray(input_reference))
    same = not fault and _same(input_chained, input_reference)
    if same and isolated.usable and _same(actual_chained, actual_isolated):
        measures, _ = _gather(judge, isolated, None, expected, truth, observe, evidence)
        return measures, {
            **measures,
            **_handed(input_chained, input_reference, 0.0, ""),
            "local": isolated.pair.norm,
        }
    chained = Comparison(
        judge if same or fault else witness_beside(judge, layer, params, input_chained, keras),
        actual_chained,
        expected,
    )
    chained.usable = chained.usable and not fault
    isolated, measures = _gather(judge, isolated, chained, expected, truth, observe, evidence)
    measures |= _handed(input_chained, input_reference, measures["inherited"], fault)
    return isolated, measures


def _same(one, other):
    return one is other or np.array_equal(one, other)


def _gather(judge, isolated, chained, expected, truth, observe=None, evidence=None):
    """One pass over the blocks; returns the isolated and the chained dict (None without a
    chain).
    """
    explained = judge.shape == np.shape(expected)
    copies = isolated.usable and isolated.copies
    reference = None if not explained else isolated.port if copies else Tally(judge, expected)
    sides = _truth_pairs(truth, chained or isolated, judge) if explained else {}
    if evidence and isolated.usable:
        evidence.watch(isolated, reference, chained)
    with np.errstate(all="ignore"):  # NaN, inf and 0/0 are findings here, each reported
        for where in judge.blocks() if explained else ():
            block = judge.block(where)
            error = reference.add(block)
            if observe:
                observe(judge, block, error)
            if copies:
                isolated.pair.add(where)
            elif isolated.usable:
                isolated.add(block)
            if chained and chained.usable:
                chained.split(
                    block if chained.judge is judge else chained.judge.beside(where, block),
                    block,
                    error,
                )
            for pair in sides.values():
                pair.add(where)
        reports = [report(each, reference) for each in (isolated, chained) if each]
    if not reports[0]["fault"] and isolated.usable:
        reports[0]["closeness"] = closeness(isolated.port.channels2, reference.channels2)
    for name, pair in sides.items():
        reports[-1] |= {
            f"{name}_to_truth_max": float(pair.largest),
            f"{name}_to_truth_rms": pair.rms,
        }
    return reports[0], reports[1] if chained else None


def _truth_pairs(truth, comparison, judge):
    if truth is None or np.shape(truth) != judge.shape:
        return {}
    sides = {
        "reference": comparison.expected,
        **({"port": comparison.actual} if comparison.usable else {}),
    }
    return {name: Pair(side, truth, judge.view) for name, side in sides.items()}


def report(comparison, reference):
    """The measures of one comparison as a dict of plain numbers.

    fault ("" or why nothing can be compared), exact (the verdict EXACT's condition),
    bitwise_share, bitwise_equal, signed_zeros; rho, f1, q of port and reference (the reference's
    always on its own input); rho_det and whether it is exact or an upper bound; u_in; structured
    and structure; effective_bits; max_abs and rms of port - original; the worst element by |port -
    o|/B and what is allowed there, in the output's own units; beyond and support. inf and NaN
    occur.
    """
    fault = comparison.fault or (not_finite(comparison, reference) if comparison.usable else "")
    measures = {"fault": fault, **_of_reference(reference), **dict.fromkeys(PORT, NAN), **UNKNOWN}
    if fault or not comparison.usable:
        return measures
    port, pair = comparison.port, comparison.pair
    rho_det, u_in, certain = _certainty(comparison)
    structure = port.regression.findings(port.values) if port.regression else None
    at = port.at or {}
    return measures | {
        "bitwise_share": pair.equal / pair.count,
        "bitwise_equal": pair.equal == pair.count,
        "signed_zeros": pair.signed_zeros,
        "exact": pair.equal == pair.count or (comparison.judge.moves and port.worst2 == 0),
        "rho_port": port.rho,
        "beyond_share": port.beyond_share,
        "q_port": port.q,
        "rho_det": rho_det,
        "rho_det_exact": certain,
        "u_in": u_in,
        "structured": bool(structure and structure["structured"]),
        "structure": structure,
        "effective_bits": _bits(port.errors2, reference.size2),
        "rms_error_port": float(np.sqrt(port.errors2 / pair.count)),
        "max_abs": float(pair.largest),
        "rms": pair.rms,
        "beyond": port.support.beyond,
        "support": port.support.findings(),
        "worst_index": at.get("index"),
        "worst_actual": at.get("value"),
        "worst_oracle": at.get("oracle"),
        "worst_expected": float(comparison.expected[tuple(at["index"])]) if at else None,
        "worst_allowed": at.get("allowed"),
        "inherited": float(np.sqrt(comparison.inherited2)),
        "local": float(np.sqrt(comparison.local2)),
    }


PORT = (
    "bitwise_share",
    "rho_port",
    "beyond_share",
    "q_port",
    "rho_det",
    "effective_bits",
    "rms_error_port",
    "max_abs",
    "rms",
)
UNKNOWN = {
    "bitwise_equal": False,
    "exact": False,
    "signed_zeros": 0,
    "rho_det_exact": False,
    "u_in": None,
    "structured": False,
    "structure": None,
    "beyond": 0,
    "support": None,
    "worst_index": None,
    "worst_actual": None,
    "worst_oracle": None,
    "worst_expected": None,
    "worst_allowed": None,
    "inherited": None,
    "local": None,
}


def _of_reference(reference):
    if reference is None:  # the oracle's shape is not the original's: nothing is explained
        inf = float("inf")
        return {
            "rho_reference": inf,
            "q_reference": inf,
            "beyond_share_reference": 1.0,
            "rms_error_reference": NAN,
        }
    count = max(1, int(np.prod(reference.judge.view)))
    return {
        "rho_reference": reference.rho,
        "q_reference": reference.q,
        "beyond_share_reference": reference.beyond_share,
        "rms_error_reference": float(np.sqrt(reference.errors2 / count)),
    }


def _bits(errors2, sizes2):
    """-log2(|error|/|value|): inf when there is no error."""
    return float(-0.5 * np.log2(np.float64(errors2) / sizes2)) if errors2 != 0 else float("inf")


def _certainty(comparison):
    """(rho_det, u_in, whether rho_det is exact). Clean sums get the upper bound that rho implies:
    no second pass for them.
    """
    port, judge = comparison.port, comparison.judge
    clean = port.rho <= 1 and port.q <= EXCESS
    if judge.certain_share is not None and clean:
        return port.rho * judge.certain_share, None, judge.certain_share == 1
    largest, operands2, total = 0.0, None, np.zeros(judge.view[1])
    for where in judge.blocks():
        block = judge.block(where)
        certain2, operands2 = judge.certain(block)
        error2 = np.square(np.subtract(port.values[where], block.o, dtype=np.float64))
        largest = max(largest, (error2 / (NOTHING if certain2 is None else certain2)).max())
        if operands2 is not None:
            total[where[1]] += per_channel(error2 / operands2)
    u_in = (
        float(np.median(np.sqrt(total / (judge.view[0] * judge.view[2]))))
        if operands2 is not None
        else None
    )
    return float("inf") if largest > 1 / NOTHING**0.5 else float(np.sqrt(largest)), u_in, True


def _handed(input_chained, input_reference, inherited, fault):
    """What came in with the chain: its difference's norm, how much of it came out, and why it is
    unusable, if it is.
    """
    if fault:
        return {"input_fault": fault, "input_drift": NAN, "amplification": None}
    pair = Pair(input_chained, input_reference, (1, 1, -1))
    for start in range(0, pair.count, 2**16):
        pair.add((slice(None), slice(None), slice(start, start + 2**16)))
    if not np.isfinite(pair.norm):
        fault = "its input holds NaN or infinite values"
    grown = inherited / pair.norm if pair.norm and inherited is not None else None
    return {"input_fault": fault, "input_drift": pair.norm, "amplification": grown}

"""What a layer could not show on this input: hypotheses whose effect stays below rounding
(observability, D_h).
"""

import numpy as np

from parity.diagnose import general, normalization
from parity.diagnose.elementwise import lattice_share
from parity.diagnose.subject import Subject, pieces
from parity.diagnose.tables import base, made, registered
from parity.kinds.bounds import Elu
from parity.numerics.structure import Regression

CHANNEL_BY_CHANNEL = frozenset({"ELU", "MaxPooling2D", "Dropout", "BatchNormalization"})
LATTICE_ENOUGH = 2**20  # values of an ELU that show which exponential was taken
FEW = 2  # channels that settle most hypotheses about a clean layer


def undecidable(layer, params, keras, *, given, expected, actual=None):
    """Which registered hypotheses this layer, on this input, could not show: {undecidable: [{name,
    D}], tested, form}.

    D = max|o_h - o|/B: below 1, with no structure that the regression would see, h can be neither
    named nor refuted here.
    expected: the original's output; actual: the port's, used for its rounding errors (the
    original's serve as well).
    """
    subject = Subject(layer, params, given, keras)
    values = np.asarray(
        expected if actual is None or np.shape(actual) != np.shape(expected) else actual
    )
    found, tested, settled = [], 0, _decided_by_few(subject)
    with np.errstate(all="ignore"):
        original = base(subject)
        sampled = list(_sampled(original))
        for name, maker in registered(subject).items():
            judge = None if name in settled else made(subject, maker)
            tested += judge is not None or name in settled
            distance = judge and _hidden(original, judge, sampled, np.asarray(expected))
            if distance is not None:
                found.append({"name": name, "D": distance})
    return {"undecidable": found, "tested": tested, "form": form(subject, values)}


def _sampled(original):
    for where in pieces(original, 96):
        block = original.block(where)
        yield where, block.o.copy(), None if block.bound2 is None else block.bound2.copy()


def _decided_by_few(subject):
    """Names of the hypotheses that a few channels alone can show, for kinds that treat each
    channel by itself.
    """
    axis = subject.layer.config.get("axis", 1)
    if (
        subject.layer.kind not in CHANNEL_BY_CHANNEL
        or axis != 1
        or subject.x.ndim != 4
        or subject.x.shape[1] <= 2 * FEW
    ):
        return frozenset()
    few = subject.channels(slice(0, FEW))
    table = general.TABLE if subject.layer.kind == "BatchNormalization" else registered(few)
    with np.errstate(all="ignore"):
        original = base(few)
        sampled = list(_sampled(original))
        judges = {name: made(few, maker) for name, maker in table.items()}
        return frozenset(
            name for name, judge in judges.items() if judge and _shows(original, judge, sampled)
        )


def _hidden(original, judge, sampled, expected):
    """D where a hypothesis cannot be decided, else None. A lower bound of D on a few rows settles
    most of them.
    """
    if judge is original:
        return 0.0
    if _shows(original, judge, sampled):
        return None
    most = normalization.most_distance(original, judge)
    if most is not None and most < 1:
        return most
    return _whole_distance(original, judge, expected)


def _shows(original, judge, sampled):
    """Whether D reaches 1 among the sampled values, or the shape tells."""
    if judge.shape != original.shape:
        return True
    return any(_ratio2(o, bound2, judge.block(where).o) >= 1 for where, o, bound2 in sampled)


def _ratio2(o, bound2, other):
    if bound2 is None:
        return 0.0 if np.array_equal(other, o) else np.inf
    return float((np.square(other - o) / bound2).max(initial=0.0))


def _whole_distance(original, judge, expected):
    """D over the whole layer; None where it reaches 1 or the regression would see the difference
    through the rounding.
    """
    values, largest = expected.reshape(original.view), 0.0
    regression = Regression(original) if original.limits else None
    would_be = values.astype(np.float64) if regression else None
    for where in original.blocks():
        block = original.block(where)
        other = judge.block(where).o
        largest = max(largest, _ratio2(block.o, block.bound2, other))
        if not largest < 1:
            return None
        if regression:
            would_be[where] += other - block.o
            regression.add(block, would_be[where] - block.o)
    if regression and largest and regression.findings(would_be)["structured"]:
        return None
    return float(np.sqrt(largest))


def form(subject, actual):
    """Which form of an ELU's exponential an output shows, by its lattice: {lattice_share, formula}.

    None for other kinds, where nothing shows it, and where the layer's own formula does not
    explain the output: then neither form of it ran.
    """
    if subject.layer.kind != "ELU" or actual.shape != subject.x.shape:
        return None
    few = np.s_[:, :: max(1, subject.x.size // LATTICE_ENOUGH)] if subject.x.ndim > 1 else np.s_[:]
    x, y, alpha = subject.x[few], actual[few], float(subject.layer.config["alpha"])
    share = lattice_share(x, y, alpha) if _explained(Elu(subject.layer, x), y) else None
    return share and {
        "lattice_share": share,
        "formula": "exp(x) - 1" if share == 1 else "expm1(x)" if share < 0.7 else None,
    }


def _explained(judge, values):
    flat = np.ascontiguousarray(values).reshape(judge.view)
    return all(
        (np.square(flat[where] - block.o) <= block.bound2).all()
        for where in judge.blocks()
        for block in (judge.block(where),)
    )

"""What the project promises of the planted faults: each promise is measured on the records and
holds, does not, or was not tried.
"""

from collections.abc import Callable
from typing import NamedTuple

LEAST_NAMED = LEAST_ATTRIBUTED = (
    0.95  # of the decidable faults, and of those that can be blamed at the end
)
LEAST_HARMLESS = 6  # reorderings that change bits
EPS, TAP, PUBLISHED = "CNN-bn1-eps-1e-5", "CRNN-conv3-tap-2e-5", "CNN-published-port"
PUBLISHED_AT = {"bn_0_freq", "bn1"}
PUBLISHED_CAUSE = "eps under the root: the published Chainer port's"


class Promise(NamedTuple):
    """measure(found, record) gives (holds, figure); record: of the fault or improvement that it
    needs, None for all of them.

    What needs a single one is promised of the published weights.
    """

    text: str
    measure: Callable
    needs: str | None = None


def _share(part, whole, least):
    def measure(found, record):
        totals = found["totals"]
        return (
            (totals[part] >= least * totals[whole], totals[part] / totals[whole])
            if totals[whole]
            else (None, None)
        )

    return measure


def _survivors(found, record):
    return found["totals"]["survivors"] == 0, found["totals"]["survivors"]


def _harmless(found, record):
    totals = found["totals"]
    enough = found["selection"] is not None or totals["harmless"] >= LEAST_HARMLESS
    return totals["quiet"] == totals["harmless"] and enough, totals["quiet"]


def _eps(found, record):
    value = ((record["cause"] or {}).get("estimate") or {}).get("value")
    return value is not None and abs(value / 1e-5 - 1) <= 0.01, value


def _tap(found, record):
    relative = ((record["cause"] or {}).get("estimate") or {}).get("relative")
    return record["located"] and record["named"], relative


def _published(found, record):
    causes = {
        layer["layer"]: (layer["cause"] or {}).get("hypothesis") or "" for layer in record["layers"]
    }
    named = set(causes) == PUBLISHED_AT and all(
        cause.startswith(PUBLISHED_CAUSE) for cause in causes.values()
    )
    return named, sum(layer["share"] or 0.0 for layer in record["layers"])


PROMISES = (
    Promise(
        "every decidable fault is caught at the layer where it is (figure: how many survive)",
        _survivors,
    ),
    Promise(
        "at least 95 % of the decidable faults are named, or have their cause among the survivors",
        _share("named", "decidable", LEAST_NAMED),
    ),
    Promise(
        (
            "in at least 95 % of the faults that can be blamed at the end, the planted layer "
            "has the largest share"
        ),
        _share("attributed", "attributable", LEAST_ATTRIBUTED),
    ),
    Promise(
        (
            f"every harmless reordering is left alone, and at least {LEAST_HARMLESS} change "
            "bits (figure: how many were)"
        ),
        _harmless,
    ),
    Promise(
        "an eps of 1e-5 at bn1 of CNN is read from its output to 1 % (figure: the value)", _eps, EPS
    ),
    Promise(
        (
            "a tap of CRNN's conv3 that is off by 2e-5 is caught and located (figure: by how "
            "much it is off)"
        ),
        _tap,
        TAP,
    ),
    Promise(
        (
            "the published port's formulas in CNN are found at bn_0_freq and bn1, with that "
            "cause (figure: their share of the drift)"
        ),
        _published,
        PUBLISHED,
    ),
)


def kept(found):
    """[{text, holds, figure}] of every promise, from a document with its totals; holds None:
    nothing that it needs was tried.
    """
    records = {record["id"]: record for record in (*found["faults"], *found["improved"])}
    return [_measured(promise, found, records) for promise in PROMISES]


def _measured(promise, found, records):
    there = promise.needs is None or (promise.needs in records and found["data"] == "real")
    holds, figure = promise.measure(found, records.get(promise.needs)) if there else (None, None)
    return {"text": promise.text, "holds": holds, "figure": figure}

"""What the project promises of the mutants: each promise holds, is broken, or was not tried."""

from collections.abc import Callable
from typing import NamedTuple

LEAST = 0.95  # of the decidable faults named, and of those that can be blamed at the end
LEAST_HARMLESS = 6  # reorderings that change bits
EPS, PUBLISHED = "CNN-bn1-eps-1e-5", "CNN-published-port"
PUBLISHED_AT = {"bn_0_freq", "bn1"}
PUBLISHED_CAUSE = "eps under the root: the published Chainer port's"


class Promise(NamedTuple):
    """measure(document, record) gives (holds, figure).

    needs: the id of the one record that it is measured on, which is promised of the published
    weights alone; None for promises of all records.
    """

    text: str
    measure: Callable
    needs: str | None = None


def _share(part, whole):
    def measure(document, record):
        found, of = document["totals"][part], document["totals"][whole]
        return (found >= LEAST * of, found / of) if of else (None, None)

    return measure


def _survivors(document, record):
    return document["totals"]["survivors"] == 0, document["totals"]["survivors"]


def _harmless(document, record):
    totals = document["totals"]
    enough = document["selection"] is not None or totals["harmless"] >= LEAST_HARMLESS
    return totals["quiet"] == totals["harmless"] and enough, totals["quiet"]


def _estimate(record, figure):
    return ((record["cause"] or {}).get("estimate") or {}).get(figure)


def _eps(document, record):
    value = _estimate(record, "value")
    return value is not None and abs(value / 1e-5 - 1) <= 0.01, value


def _published(document, record):
    causes = {
        layer["layer"]: (layer["cause"] or {}).get("hypothesis") or "" for layer in record["layers"]
    }
    named = all(cause.startswith(PUBLISHED_CAUSE) for cause in causes.values())
    share = sum(layer["share"] or 0.0 for layer in record["layers"])
    return named and set(causes) == PUBLISHED_AT, share


PROMISES = (
    Promise(
        "every decidable fault is caught at the layer where it is (figure: how many survive)",
        _survivors,
    ),
    Promise(
        "at least 95 % of the decidable faults are named, or have their cause among the survivors",
        _share("named", "decidable"),
    ),
    Promise(
        "in at least 95 % of the faults that can be blamed at the end, the planted layer has the "
        "largest share",
        _share("attributed", "attributable"),
    ),
    Promise(
        f"every harmless reordering is left alone, and at least {LEAST_HARMLESS} change bits "
        "(figure: how many were)",
        _harmless,
    ),
    Promise(
        "an eps of 1e-5 at bn1 of CNN is read from its output to 1 % (figure: the value)", _eps, EPS
    ),
    Promise(
        "the published port's formulas in CNN are found at bn_0_freq and bn1, with that cause "
        "(figure: their share of the drift)",
        _published,
        PUBLISHED,
    ),
)


def measured(document: dict) -> list[dict]:
    """[{text, holds, figure}] of every promise; holds is None where nothing it needs was tried."""
    records = {record["id"]: record for record in (*document["faults"], *document["improved"])}
    found = []
    for text, measure, needs in PROMISES:
        tried = needs is None or (needs in records and document["data"] == "real")
        holds, figure = measure(document, records.get(needs)) if tried else (None, None)
        found.append({"text": text, "holds": holds, "figure": figure})
    return found

"""What a run says of the end of the chain: why a model does not hold although every layer does,
and who made the final drift.
"""

from parity.reports import figures
from parity.reports.summary import cells_of

UNTOLD = (
    "the run says that the model does not; see oracle_truth, final and attribution in parity.json"
)


def final_fault(model):
    """Why a model does not hold although each of its cells does; None where the cells or the
    verdict say enough.
    """
    if model["verdict"] == "HOLDS" or not all(cell.holds for cell in cells_of(model)):
        return None
    if not model["layers"]:
        return "no layer of it was compared"
    found = [why for tell in (_oracle_fault, _scores_fault) if (why := tell(model))]
    return f"every layer holds, but {'; and '.join(found) or UNTOLD}"


def _oracle_fault(model):
    ratio = figures.number(model["oracle_truth"]["ratio"])
    if ratio is not None and not ratio <= 1:
        return (
            f"at {model['oracle_truth']['layer']} the oracle is {figures.ratio(ratio)} "
            "times as far from the float64 original as it"
            " may be, so it cannot be relied on"
        )
    return None


def _scores_fault(model):
    """A layer that was not recorded, or an input that was not the same, shows here and nowhere
    else.
    """
    ends = (model.get("attribution") or {}).get("ends") or {}
    if ends.get("holds") is False:
        return (
            f"a logit is {figures.ratio(ends.get('ratio'))} times as far from the "
            "original's as rounding in all layers explains:"
            " a layer was not recorded, or an input was not the same"
        )
    return "its final scores cannot be compared" if model["final"].get("holds") is False else None


def attribution_note(model):
    """Why there are no shares of the final drift, or why they are not of the logits; empty where
    there is nothing to say.
    """
    found = model.get("attribution") or {}
    why = (
        found.get("message")
        or "this run was not asked to attribute it, or not all of its layers were judged"
    )
    if not any(layer["chained"].get("share") is not None for layer in model["layers"]):
        return NO_DRIFT if found.get("drift") == 0 else f"The final drift is not shared out: {why}."
    return (
        f"The shares are of the drift of the scores, not of the logits: {why}."
        if found.get("space") == "scores"
        else ""
    )


NO_DRIFT = "There is no final drift to share out: the port's end is the original's, bit for bit."

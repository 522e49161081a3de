"""parity.json: what a run found, as one document (format 1; schema in
reports/parity.schema.json).
"""

import datetime
import json
import math
import os

from parity.compare import verdict

FORMAT = 1
HOLDS, DRIFTS, INCOMPLETE = "HOLDS", "DRIFTS", "INCOMPLETE"


def document(models, *, environment, command, port, selection=None):
    """Put the models' records together under the run's own verdict: the worst of theirs,
    INCOMPLETE where there are none.
    """
    words = [model["verdict"] for model in models]
    whole = DRIFTS if DRIFTS in words else INCOMPLETE if INCOMPLETE in words or not words else HOLDS
    data = "seeded" if any(model["data"] == "seeded" for model in models) else "real"
    return {
        "format": FORMAT,
        "verdict": whole,
        "data": data,
        "created": now(),
        "command": command,
        "port": port,
        "selection": selection,
        "environment": environment,
        "models": models,
    }


def model_verdict(record):
    """DRIFTS where a compared cell, the oracle check, the end of the chain or what users call
    fails; INCOMPLETE where cells are missing, or the call could not be judged.
    """
    words = {
        layer[mode]["verdict"] for layer in record["layers"] for mode in ("isolated", "chained")
    }
    if words - verdict.HOLDS - {verdict.NOT_COMPARED}:
        return DRIFTS
    if not words or verdict.NOT_COMPARED in words:
        return INCOMPLETE
    call = record["whole_call"] or {"holds": True}
    if not (record["final"]["holds"] and record["oracle_truth"]["ratio"] <= 1):
        return DRIFTS
    return {True: HOLDS, None: INCOMPLETE, False: DRIFTS}[call["holds"]]


def worst_cell(record):
    """The cell of the gravest verdict and, among equals, of the largest share of rounding's
    allowance.
    """
    cells = [
        {
            "layer": layer["name"],
            "mode": mode,
            "verdict": layer[mode]["verdict"],
            "rho": layer[mode][rho],
        }
        for layer in record["layers"]
        for mode, rho in (("isolated", "rho_port"), ("chained", "rho_local"))
    ]
    return max(
        cells,
        key=lambda cell: (verdict.severity(cell["verdict"]), cell["rho"] or 0.0),
        default=None,
    )


def to_json(found):
    """The document as text: sorted nowhere (order means something), infinities and NaN as strings,
    same document same bytes.
    """
    return json.dumps(_plain(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):  # a NumPy scalar
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def now():
    """UTC; SOURCE_DATE_EPOCH fixes it where the same input has to give the same bytes."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = (
        datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
        if epoch
        else datetime.datetime.now(datetime.UTC)
    )
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

"""parity.csv: one row per model, layer and mode, in a column order that later versions only add
to.
"""

import json

from parity.reports.summary import cells

COLUMNS = (
    "model",
    "layer",
    "kind",
    "mode",
    "verdict",
    "shape",
    "dtype",
    "data",
    "keras",
    # isolated: the port's layer on the original's input
    "rho_port",
    "rho_reference",
    "q_port",
    "q_reference",
    "rho_det",
    "max_abs",
    "rms",
    "worst_index",
    "worst_actual",
    "worst_expected",
    "worst_allowed",
    "bitwise_equal",
    "bitwise_share",
    "beyond",
    "beyond_share",
    "effective_bits",
    "structure",
    "support",
    # chained: the port on its own input from the first layer on
    "rho_local",
    "inherited",
    "local",
    "amplification",
    "share",
    "energy",
    "noise_max_abs",
    "noise_rms",
    # the layer
    "hypothesis",
    "closer",
    "closeness_bits",
    "message",
)


def csv(document):
    """parity.csv as text, header included; lists and structures as JSON, figures with all their
    digits, absent ones empty.
    """
    import pandas

    rows = [[_text(value) for value in _row(cell)] for cell in cells(document)]
    return pandas.DataFrame(rows, columns=COLUMNS, dtype=object).to_csv(
        index=False, lineterminator="\n"
    )


def _row(cell):
    model, layer = cell.model, cell.layer
    known = {
        "model": model["name"],
        "data": model["data"],
        "keras": model["stack"]["keras"],
        "layer": layer["name"],
        "mode": cell.mode,
        "hypothesis": (layer["cause"] or {}).get("hypothesis"),
        **{key: layer[key] for key in ("kind", "shape", "dtype", "closer", "closeness_bits")},
        **cell.figures,
    }
    return [known.get(column) for column in COLUMNS]


def _text(value):
    if value is None or isinstance(value, str):
        return value and value.encode("utf-8", "backslashreplace").decode()
    return json.dumps(value)

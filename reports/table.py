"""parity.csv: one row per model, layer and mode; later versions only add columns."""

import json
from typing import TYPE_CHECKING, Any

from parity.reports import Record, probes
from parity.reports.summary import Cell, cells, remarks_of
from parity.reports.verdicts import cause_name

if TYPE_CHECKING:
    import pandas

COLUMNS = tuple(
    """
    model layer kind mode verdict shape dtype data keras
    rho_port rho_reference q_port q_reference rho_det max_abs rms
    worst_index worst_actual worst_expected worst_allowed
    bitwise_equal bitwise_share beyond beyond_share effective_bits structure support
    rho_local inherited local amplification share energy noise_max_abs noise_rms
    hypothesis closer closeness_bits message
    probed read_back probed_cause remarks bound
    """.split()
)


def csv(document: Record) -> str:
    """The table with its header: lists and structures as JSON, figures with all their digits."""
    rows = [[_text(value) for value in row] for row in map(_row, cells(document))]
    return str(_table(rows).to_csv(index=False, lineterminator="\n"))


def frame(document: Record) -> "pandas.DataFrame":
    """The table, values as the JSON has them."""
    return _table([_row(cell) for cell in cells(document)])


def _table(rows: list[list[Any]]) -> "pandas.DataFrame":
    import pandas

    return pandas.DataFrame(rows, columns=COLUMNS, dtype=object)


def _row(cell: Cell) -> list[object]:
    model, layer = cell.model, cell.layer
    known = {
        **{key: layer[key] for key in ("kind", "shape", "dtype", "closer", "closeness_bits")},
        "bound": layer.get("bound"),
        **cell.figures,
        "model": model["name"],
        "remarks": remarks_of(model) or None,
        "data": model["data"],
        "keras": model["stack"]["keras"],
        "layer": layer["name"],
        "mode": cell.mode,
        "hypothesis": cause_name(layer) or None,
        "probed": probes.word(layer) if layer.get("probed") else None,
        "read_back": probes.read_back(layer["probed"]) or None if layer.get("probed") else None,
        "probed_cause": probes.cause(layer) or None,
    }
    return [known.get(column) for column in COLUMNS]


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value and value.encode("utf-8", "backslashreplace").decode()
    return json.dumps(value)

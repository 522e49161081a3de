"""parity.json: what a run found, as one document (format 1; its types stand in parity.results)."""

import datetime
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from parity.compare import verdict
from parity.results import DRIFTS, HELD, INCOMPLETE, Model, Run, RunVerdict, Worst
from parity.settings import setting

FORMAT = 1


def document(
    models: Sequence[Model],
    *,
    environment: Any,
    command: str,
    port: str,
    selection: list[str] | None = None,
    audio_read_by: str | None = None,
) -> dict[str, Any]:
    """The document as JSON has it, under the run's own verdict: the worst of its models',
    INCOMPLETE where there are none.
    """
    return asdict(
        Run(
            format=FORMAT,
            verdict=worst_of(model.verdict for model in models),
            data="seeded" if any(model.data == "seeded" for model in models) else "real",
            created=now(),
            command=command,
            environment=environment,
            port=port,
            selection=selection,
            models=list(models),
            audio_read_by=audio_read_by,
        )
    )


def worst_of(verdicts: Iterable[RunVerdict]) -> RunVerdict:
    """The gravest of some models' verdicts; INCOMPLETE of none."""
    words = {*verdicts}
    return DRIFTS if DRIFTS in words else HELD if words == {HELD} else INCOMPLETE


def model_verdict(model: Model) -> RunVerdict:
    """DRIFTS where a compared cell, the oracle check, the end of the chain or what users call
    fails; INCOMPLETE where cells are missing, or the call could not be judged.
    """
    words = {cell.verdict for layer in model.layers for cell in layer.cells()}
    probed = [layer.probed.verdict for layer in model.layers if layer.probed]
    if not {*probed} <= verdict.PROBES_HOLD or (model.probes and model.probes.call):
        return DRIFTS
    asked = [layer.probed.original for layer in model.layers if layer.probed]
    if not all(original.holds for original in asked if original):
        return DRIFTS
    if words - verdict.HOLDS - {verdict.NOT_COMPARED}:
        return DRIFTS
    if not words or verdict.NOT_COMPARED in words:
        return INCOMPLETE
    ratio, call = model.oracle_truth.ratio, model.whole_call
    if not (model.final.holds and ratio is not None and ratio <= 1):
        return DRIFTS
    if call and call.holds is None:
        return INCOMPLETE
    return DRIFTS if call and not call.holds else HELD


def worst_cell(model: Model) -> Worst | None:
    """The cell of the gravest verdict and, among equals, of the largest share of rounding's
    allowance.
    """
    cells = []
    for layer in model.layers:
        one, two = layer.cells()
        cells.append(Worst(layer.name, "isolated", one.verdict, one.rho_port))
        cells.append(Worst(layer.name, "chained", two.verdict, two.rho_local))
    return max(
        cells, key=lambda cell: (verdict.severity(cell.verdict), cell.rho or 0.0), default=None
    )


def to_json(found: Any, indent: int | None = 1) -> str:
    """The document as text: sorted nowhere (order means something), infinities and NaN as strings,
    same document same bytes. indent : None is ten times as fast.
    """
    text = json.dumps(_plain(found), indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()  # a file's name may be no UTF-8


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        value = vars(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):  # a NumPy scalar
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def now() -> str:
    """UTC; SOURCE_DATE_EPOCH fixes it where the same input has to give the same bytes."""
    epoch, utc = setting("SOURCE_DATE_EPOCH"), datetime.UTC
    moment = None if epoch is None else datetime.datetime.fromtimestamp(epoch, utc)
    return (moment or datetime.datetime.now(utc)).strftime("%Y-%m-%dT%H:%M:%SZ")

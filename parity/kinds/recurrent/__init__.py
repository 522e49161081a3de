"""Recurrent layers."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from parity.kinds.api import ANY, TRAINING_ONLY, LayerCase, LayerKind, Makers
from parity.kinds.recurrent import variants
from parity.kinds.recurrent.formula import ACTIVATIONS, CELLS, Recurrent, gates
from parity.kinds.recurrent.probes import probes
from parity.kinds.recurrent.unrolled import examine, glance

__all__ = ["GRU", "LSTM", "SIMPLE_RNN"]

SETTINGS = {
    **TRAINING_ONLY,
    **dict.fromkeys(("output_dim", "input_dim", "input_length", "dropout_W", "dropout_U"), ANY),
    "return_sequences": (True, False),
    "go_backwards": (True, False),
    "stateful": (True, False),
    "unroll": (True, False),
    "consume_less": ("cpu", "mem", "gpu"),
    "activation": ACTIVATIONS,
}
GATED = {**SETTINGS, "inner_activation": ACTIVATIONS}


def _caveat(config: Mapping[str, Any]) -> str | None:
    if not config.get("stateful"):
        return None
    return "keeps its state from call to call; what is compared is a first call, from zeros"


def _table(table: Makers, case: LayerCase) -> Makers:
    return table


def _kind(name: str, settings: dict[str, Any], table: Makers, **more: Any) -> LayerKind:
    return LayerKind(
        name,
        settings,
        reference=Recurrent,
        parameters=CELLS[name].parameters,
        variants=partial(_table, table),
        input_ranks=(3,),
        probes=probes,
        caveat=_caveat,
        **more,
    )


SIMPLE_RNN = _kind("SimpleRNN", SETTINGS, variants.SIMPLE)
LSTM = _kind("LSTM", {**GATED, "forget_bias_init": ANY}, variants.LSTM, gates=partial(gates, "ifo"))
GRU = _kind(
    "GRU",
    GATED,
    variants.GRU,
    combined=partial(_table, variants.COMBINED),
    gates=partial(gates, "zr"),
    part="gru",
    glance=glance,
    examine=examine,
)

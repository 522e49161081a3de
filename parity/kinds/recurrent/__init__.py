"""Recurrent layers."""

from parity.kinds.api import ANY, TRAINING_ONLY, LayerKind
from parity.kinds.recurrent.formula import COMBINED, PARAMETERS, VARIANTS, Gru
from parity.kinds.recurrent.probes import probes
from parity.kinds.recurrent.unrolled import examine, glance

__all__ = ["GRU"]

GRU = LayerKind(
    "GRU",
    {
        **TRAINING_ONLY,
        **dict.fromkeys(("output_dim", "input_dim", "input_length", "dropout_W", "dropout_U"), ANY),
        "return_sequences": (True, False),
        "go_backwards": (True, False),
        "stateful": (False,),
        "unroll": (True, False),
        "consume_less": ("cpu", "mem", "gpu"),
        "activation": ("tanh",),
        "inner_activation": ("hard_sigmoid",),
    },
    reference=Gru,
    parameters=PARAMETERS,
    variants=lambda case: VARIANTS,
    combined=lambda case: COMBINED,
    input_ranks=(3,),
    part="gru",
    glance=glance,
    examine=examine,
    probes=probes,
)

"""`parity hypotheses`: every named hypothesis, by layer kind, whatever a layer's settings."""

import difflib
import itertools
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import click
import numpy as np

from parity.diagnose.formulas import groups
from parity.errors import CannotRun
from parity.kinds import KINDS, general, layer_case, spectrogram
from parity.kinds.api import none
from parity.program import Command, say

NEAREST = 10  # of several hundred names, one sentence holds no more
# Keras of every dialect with its eps, in every mode: kinds that have no such settings ignore them.
LAYERS = [
    (keras, {"mode": mode, "epsilon": eps})
    for keras, eps in (("1.0.6", 1e-6), ("1.0.7", 1e-6), ("1.1.0", 1e-5), ("1.2.2", 1e-3))
    for mode in (0, 1, 2)
]
LISTED = [name for name, kind in KINDS.items() if kind.variants is not none]


def names(keras_class: str) -> list[str]:
    """The names of the tables, in the order they are asked, at a layer of any Keras and mode."""
    kind, found = KINDS[keras_class], dict[str, Any]()
    activations = kind.settings.get("activation", ("linear",))
    for (keras, config), activation in itertools.product(LAYERS, activations):
        config = {**config, "activation": activation}
        layer = SimpleNamespace(name="any", kind=keras_class, config=config)
        case = layer_case(layer, {}, np.empty(0), keras)
        found |= {**kind.variants(case), **kind.combined(case)}
    of_input = spectrogram.VARIANTS if kind.affine else {}
    return list(dict.fromkeys([*found, *of_input, *general.names(kind)]))


def found_out(keras_class: str) -> list[str]:
    """What else is tried: the first sentence of every fit to the output of such a layer."""
    kind = KINDS[keras_class]
    fits = [fit for reshaped in (False, True) for group in groups(kind, reshaped) for fit in group]
    sentences = (" ".join(str(fit.__doc__).split()) for fit in fits)
    return list(dict.fromkeys(each.partition(":")[0].partition(".")[0] for each in sentences))


@click.command(cls=Command, example="parity hypotheses --layer-kind GRU")
@click.option(
    "--layer-kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    help="Only those of this Keras class (repeatable).",
)
@click.argument("name", required=False)
def hypotheses(kinds: tuple[str, ...], name: str | None) -> None:
    """List what a layer that does not hold is tested against, or say which layers are asked about
    NAME.

    Names in brackets stand for what is found out from the output itself. Exit code 2 for a kind or
    a name that is not known.
    """
    for kind in kinds:
        _known("layer kind", kind, LISTED)
    rows = [
        (kind, each)
        for kind in kinds or LISTED
        for each in (*names(kind), *(f"[{found}]" for found in found_out(kind)))
    ]
    if name:
        _known("hypothesis", name, [each for _, each in rows])
    for kind, each in rows:
        if name in (None, each):
            say(f"{kind}\t{each}")


def _known(what: str, name: str, known: Iterable[str]) -> None:
    known = list(dict.fromkeys(known))
    if name not in known:
        near = difflib.get_close_matches(name, known, n=NEAREST, cutoff=0)
        listed, left = (known, 0) if len(known) <= 2 * NEAREST else (near, len(known) - NEAREST)
        rest = f"; and {left} more, which `parity hypotheses` lists" if left else ""
        raise CannotRun(
            f"no {what} called {name!r}; did you mean {near[0]}? Known: {'; '.join(listed)}{rest}"
        )

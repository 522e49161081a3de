"""The second limit: drift no worse than the baseline's, as far as rounding lets two clean runs
differ.

    allowed = max(factor * baseline, floor)

The factor covers another draw of the errors: sqrt(ln(2M/delta)/ln(2M)) for M elements, the ratio
of the level that the largest of M errors passes once in 1/delta runs to the level where the
largest is expected. The floor is rounding's own scale, which any order of summation may reach: of
q what the guard on the original allows (verdict.Q_REFERENCE_SANE), of rho what another draw of the
baseline's errors, scaled to q = 1, would have: the spread of one sequential float32 accumulator
(sigma is defined so). Another BLAS, kernels for another processor, another blocking or number of
threads is another order and another draw: OpenBLAS's five families of kernels differ by up to 2.4
in q, 2.1 in rho. For the final scores the floor is what rounding explains there by Monte-Carlo
arithmetic (explain.at_the_end), factor and all.
"""

import math

from parity.compare import verdict
from parity.gate.baseline import FINAL, MODES, number, of_final, of_layer
from parity.gate.outcome import Json, Pairs
from parity.reports import probes
from parity.results import EXACT, NOT_COMPARED

DELTA = 1e-6  # per tensor, as in the bounds (numerics, tail_factor)
Q_ROW = 1.0  # of one accumulator, which adds up term after term
Q_FLOOR = verdict.Q_REFERENCE_SANE[1]


def factor(count: int) -> float:
    """How much larger the largest of `count` rounding errors may be in another run.

    2.2 for 20 elements, 1.35 for 9 million.
    """
    doubled = 2 * max(count, 2)
    return math.sqrt(math.log(doubled / DELTA) / math.log(doubled))


def floors(isolated: Json, count: int) -> dict[str, float]:
    """{"q", "rho"} that any order of a layer's `count` sums may reach in float32."""
    rho, q = number(isolated["rho"]), number(isolated["q"])
    return {
        "q": Q_FLOOR,
        "rho": factor(count) * rho * max(Q_ROW / q, 1) if q > 0 else verdict.RHO_MOST,
    }


def allowed(base: Json, mode: str, key: str) -> float:
    """The largest figure that passes at a layer of the baseline."""
    count = math.prod(base["shape"])
    return max(factor(count) * number(base[mode][key]), floors(base["isolated"], count)[key])


def ratchet(record: Json, base: Json) -> Pairs:
    """(layer, what rose) of a model's record; layers that only one side has concern `changes`."""
    kept = {layer["name"]: layer for layer in base["layers"]}
    for layer in record["layers"]:
        if layer["name"] in kept:
            was = kept[layer["name"]]
            yield from _layer(of_layer(layer), was)
            if (gone := probes.lost(layer.get("probed"), was["probed"])) and not probes.fails(
                layer
            ):
                yield layer["name"], gone
    final, count = of_final(record["final"]), math.prod(record["layers"][-1]["shape"])
    for pair in FINAL:
        most = max(factor(count) * number(base["final"][pair]), number(base["final"]["rounding"]))
        if not number(final[pair]) <= most:
            what, was = pair.replace("_", " against "), base["final"][pair]
            yield "final", f"{what}: {final[pair]}, was {was} (at most {most:.3g})"


def _layer(fresh: Json, base: Json) -> Pairs:
    for mode, keys in MODES.items():
        cell, was = fresh[mode], base[mode]
        if cell["verdict"] in (EXACT, NOT_COMPARED):
            continue  # nothing to be worse than; what was not compared breaks the budget
        for key in keys:
            most = allowed(base, mode, key)
            if not number(cell[key]) <= most:
                text = f"{mode}: {key} {cell[key]}, was {was[key]} (at most {most:.3g})"
                yield fresh["name"], text

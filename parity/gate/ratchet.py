"""The second limit: drift no worse than the baseline's, as far as rounding lets two clean runs differ.

    allowed = max(factor * baseline, floor)

The floor is rounding's own scale, which any order of summation may reach: q = 1, the spread of one sequential float32
accumulator (numerics: sigma is defined so), and the rho that the baseline's errors would have when scaled to q = 1. Another
BLAS, another blocking or another number of threads is another order, and stays below it. For the final scores the floor is
the original's own noise: what the same original differs by when it is compiled otherwise or computed in float64.
The factor covers what is left, another draw of the same errors: sqrt(ln(2M/delta)/ln(2M)) for M elements, the ratio of the
level that the largest of M errors passes once in 1/delta runs to the level where the largest is expected.
"""

import math

from parity import verdict
from parity.gate.figures import FINAL, MODES, number, of_final, of_layer
from parity.gate.finding import Finding

DELTA = 1e-6  # per tensor, as in the bounds (numerics, tail_factor)
Q_FLOOR = 1.0


def factor(count):
    """How much larger the largest of `count` rounding errors may be in another run: 2.2 for 20 elements, 1.35 for 9 million."""
    doubled = 2 * max(count, 2)
    return math.sqrt(math.log(doubled / DELTA) / math.log(doubled))


def floors(isolated):
    """{"q", "rho"} that any float32 order of the same formula may reach, from a baseline's isolated figures."""
    rho, q = number(isolated["rho"]), number(isolated["q"])
    return {"q": Q_FLOOR, "rho": rho * Q_FLOOR / q if 0 < q < Q_FLOOR else max(rho, 0.0) if q > 0 else verdict.RHO_MOST}


def ratchet(model, base):
    """Findings of one model's record against its baseline. Layers only one of them has are the identity's affair."""
    kept = {record["name"]: record for record in base["layers"]}
    found = [
        finding
        for layer in model["layers"]
        if layer["name"] in kept
        for finding in _layer(model["name"], of_layer(layer), kept[layer["name"]])
    ]
    return found + _final(model, base["final"])


def allowed(base, mode, key):
    """The largest figure that passes at a layer of the baseline."""
    return max(factor(math.prod(base["shape"])) * number(base[mode][key]), floors(base["isolated"])[key])


def _layer(model, fresh, base):
    for mode, keys in MODES.items():
        cell, was = fresh[mode], base[mode]
        if cell["verdict"] == verdict.EXACT or cell["verdict"] == verdict.NOT_COMPARED:
            continue  # nothing to be worse than; what was not compared breaks the budget
        for key in keys:
            most = allowed(base, mode, key)
            if not number(cell[key]) <= most:
                text = f"{mode}: {key} {cell[key]}, was {was[key]} (at most {most:.3g})"
                yield Finding(model, fresh["name"], "ratchet", text)


def _final(model, base):
    final, count = of_final(model["final"]), math.prod(model["layers"][-1]["shape"])
    found = []
    for pair in FINAL:
        most = max(factor(count) * number(base[pair]), number(base["noise"]))
        if not number(final[pair]) <= most:
            text = f"{pair.replace('_', ' against ')}: {final[pair]}, was {base[pair]} (at most {most:.3g})"
            found.append(Finding(model["name"], "final", "ratchet", text))
    return found

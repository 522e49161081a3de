"""Many drawn layers of every kind against real Keras: `python -m tests.kinds.sweep --layers 600`.

Each layer is built in its own release, in one process for each release and float. The oracle has to
be what Keras computes in float64; Keras's float32 output, and that of the Chainer link made of what
Keras says of the layer, have to stay within the bound, and within the one that draws of rounding on
Keras's own graph give. Exit code 1 where one does not.
"""

import argparse
import itertools
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from parity.kinds import layer_case
from parity.port.links.keras import MAKERS
from parity.port.proof import in_test_phase
from tests.kinds.draws import drawn
from tests.kinds.judging import AGREEMENT, experiment, gap, holds, used_of, widths
from tests.kinds.originals import FLOATS, RELEASES, run, spread_of, write

DRAWS = 90  # enough for 10^6 elements
WIDTH = "bound by experiment over the derived one"
CAUGHT = "a weight off by 2^-8 is caught"


def judged(one, lanes, release, spread=None):
    """({what was measured: figure}, what is wrong) of one layer; lanes: {float: (layer, output)};
    spread: of draws.
    """
    refused = [output for _, output in lanes.values() if isinstance(output, str)]
    if refused:
        return None, [f"Keras refuses it: {refused[0]}"]
    figures, wrong = {}, []
    wide, narrow = (
        layer_case(lanes[floatx][0], one.weights, one.x, release, one.more) for floatx in FLOATS
    )
    figures["gap"] = gap(wide, lanes["float64"][1])
    if not figures["gap"] <= AGREEMENT:
        wrong.append(f"the oracle is off by {figures['gap']:.2g} in float64")
    link = MAKERS[one.kind](narrow.config, one.weights, release)
    outputs = {"Keras": lanes["float32"][1], "the link": in_test_phase(link)(one.x, *one.more)}
    judges = {"": narrow.witness}
    if spread is not None:
        judges[" by experiment"] = drawn_bound = experiment(lanes["float64"][1], spread)
        width = widths(drawn_bound, narrow.witness)
        figures |= {} if width is None else {WIDTH: width[1]}
    for (how, judge), (name, output) in itertools.product(judges.items(), outputs.items()):
        rho, q = used_of(judge, output)
        figures |= {f"rho of {name}{how}": rho, f"q of {name}{how}": q}
        if not holds(rho, q):
            wrong.append(f"{name} uses rho {rho:.3g}, q {q:.3g}{how}")
    if off := _one_weight_off(one):
        output = in_test_phase(MAKERS[one.kind](narrow.config, off, release))(one.x, *one.more)
        for how, judge in judges.items():
            figures[f"{CAUGHT}{how}"] = float(not holds(*used_of(judge, output)))
    return figures, wrong


def _one_weight_off(one):
    """The weights, the largest of the first array off by 2^-8 of itself; None without weights."""
    if not one.weights:
        return None
    key, array = next(iter(one.weights.items()))
    array = array.copy()
    array.flat[np.abs(array).argmax()] *= np.float32(1 + 2**-8)
    return {**one.weights, key: array}


def sweep(layers, seed, workers):
    """Draw, run and judge; (figures of every layer, [what is wrong], kinds)."""
    figures, wrong, kinds = [], [], Counter()
    counts = [layers // len(RELEASES) + (at < layers % len(RELEASES)) for at in range(3)]
    rows = {
        release: drawn(release, count, seed)
        for release, count in zip(RELEASES, counts, strict=True)
    }
    with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(workers) as pool:
        folders = {release: Path(root) / release for release in RELEASES}
        for release, folder in folders.items():
            folder.mkdir()
            write(rows[release], folder)
        lanes = {
            (release, floatx): pool.submit(
                run, rows[release], release, floatx, folder, DRAWS * (floatx == "float64")
            )
            for release, folder in folders.items()
            for floatx in FLOATS
        }
        for release, some in rows.items():
            found = {floatx: lanes[release, floatx].result() for floatx in FLOATS}
            for number, one in enumerate(some):
                kinds[one.kind] += 1
                place = f"{release} {number} {one.name} of {list(one.x.shape)}"
                try:
                    lanes_of = {floatx: lane[number] for floatx, lane in found.items()}
                    refused = isinstance(lanes_of["float64"][1], str)
                    spread = None if refused else spread_of(folders[release], number)
                    measured, said = judged(one, lanes_of, release, spread)
                    figures += [(place, measured)] if measured else []
                except Exception:
                    said = [traceback.format_exc(limit=-2)]
                wrong += [f"{place}: {each}" for each in said]
    return figures, wrong, kinds


def main():
    """Sweep, print what came of it, and exit."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--layers", type=int, default=600)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--workers", type=int, default=2)
    given = options.parse_args()
    started = time.perf_counter()
    figures, wrong, kinds = sweep(given.layers, given.seed, given.workers)
    for each in wrong:
        print(each)
    print(f"{sum(kinds.values())} layers of {len(kinds)} kinds, {len(RELEASES)} releases, ", end="")
    print(f"seed {given.seed}, {time.perf_counter() - started:.0f} s: {len(wrong)} wrong; worst")
    for name in dict.fromkeys(name for _, measured in figures for name in measured):
        having = [(place, measured[name]) for place, measured in figures if name in measured]
        values = [value for _, value in having]
        place, worst = max(having, key=lambda one: one[1])
        if name.startswith(CAUGHT):
            print(f"  {name}: {sum(values):.0f} of {len(values)}")
        else:
            print(f"  {name} {worst:.3g} (median {np.median(values):.2g}): {place}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

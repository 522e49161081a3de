"""The smallest error that is caught at a layer of each kind: by the clips alone, and with probes.

`python -m bench.smallest` prints the table of docs/probes.md: the published weights, errors of 1,
2, 4 ... 2^20 ulp or u.
"""

import statistics
from collections.abc import Iterator
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from parity.compare import verdict
from parity.compare.measure import measure
from parity.faults.behaviours import U, larger, then
from parity.faults.plant import own_weights, parameters, planted, weight
from parity.faults.table_row import Fault
from parity.faults.trial import SEED, Original, Sound, read_original
from parity.model import case_for
from parity.port.proof import ChainerPort
from parity.port_api import answer
from parity.probes.asking import RIGHT, probe_layer
from parity.recording import recordings
from parity.recording.clips import clips_of

LAYERS = {
    "convolution": "CRNN-conv3",
    "dense": "CNN0-output",
    "normalisation, stored statistics": "CRNN-bn3",
    "normalisation, the batch's": "CNN0-bn3",
    "ELU": "CRNN-elu_3",
    "pooling": "CRNN-pool3",
    "GRU": "CRNN-gru2",
}
MOST, DRAWS = 20, 3  # errors up to 2^MOST; weights that are drawn, of which the median is told
HEAD = """\
| kind | layer | one weight, ulp | one channel's gain, u | one channel's offset, u of its largest |
|---|---|---:|---:|---:|"""


def rows():
    """The table's rows, as figures without a limit."""
    for kind, layer, *figures in measured():
        yield (
            f"smallest error caught: {kind} ({layer}): weight, gain, offset",
            ", ".join(figures),
            "-",
        )


def table() -> str:
    """The table in Markdown."""
    return "\n".join([HEAD, *(f"| {' | '.join(row)} |" for row in measured())])


def measured(kinds=tuple(LAYERS)) -> Iterator[tuple[str, ...]]:
    """(kind, layer, figures "by clips → with probes")."""
    names = {kind: LAYERS[kind].split("-") for kind in kinds}
    cases = {model: case_for(model) for model, _ in names.values()}
    batches = {case: clips.batch for case, clips in clips_of(cases.values()).items()}
    paths = recordings.traces(batches, lanes=("reference",))
    for kind, (model, layer) in names.items():
        there = read_original(cases[model], paths[cases[model]]["reference"])
        with threadpool_limits(1):
            yield (
                kind,
                f"{model} {layer}",
                *(_figures(there, layer, e) for e in _errors(there, layer)),
            )


def _errors(there: Original, layer: str):
    """Of each column, the plants, which take a size."""
    own, rng = parameters(there.tagger(), layer), np.random.default_rng(SEED)
    weights = []
    for suffix in rng.choice([*own], DRAWS) if own else ():
        at = tuple(int(rng.integers(n)) for n in own[suffix].shape)
        weights.append(
            lambda size, suffix=suffix, at=at: weight(suffix, partial(_farther, at, size))
        )
    is_last = layer == [*there.layers][-1]  # changed by its weights, so that it shows its sums
    shown = there.logits if is_last else there.read(layer)
    axis = "channel" if shown.ndim == 4 else "unit"
    at = int(rng.integers(shown.shape[{"channel": 1, "unit": -1}[axis]]))
    gain = own_weights if is_last else lambda change: then(change=change)
    largest = np.abs(shown.take(at, 1 if axis == "channel" else -1)).max()
    offset = partial(weight, "b") if is_last else gain
    return (
        weights,
        [lambda size: gain(larger(size, **{axis: at}))],
        [lambda size: offset(partial(_added, axis, at, size * U * largest))],
    )


def _farther(at, size, array):
    """One value, so many float32 numbers farther from zero."""
    array.view(np.int32)[at] += int(size)
    return array


def _added(axis, at, amount, array):
    part = array[:, at : at + 1] if axis == "channel" else array[..., at : at + 1]
    part += np.float32(amount)
    return array


def _figures(there: Original, layer: str, plants) -> str:
    if not plants:
        return "none"
    sound = Sound(there, ChainerPort(there.tagger()), {}, {}, {}, None)
    clips, probes = zip(*(_smallest(sound, layer, plant) for plant in plants), strict=True)
    return " → ".join(_power(statistics.median_high(each)) for each in (clips, probes))


def _smallest(sound: Sound, layer: str, plant) -> tuple[int, int]:
    """The exponent of the smallest error that clips show, and of that which either shows."""
    found = []
    for is_caught in (_by_clips, _by_probes):
        low, high = 0, MOST + 1
        while low < high:
            middle = (low + high) // 2
            mutant = Fault(f"{sound.original.model}-{layer}", plant(2**middle))
            port = planted(sound.original.tagger(), mutant)
            low, high = (low, middle) if is_caught(sound, port, layer) else (middle + 1, high)
        found.append(high)
    return found[0], min(found)


def _by_clips(sound: Sound, port, layer: str) -> bool:
    there = sound.original
    actual = answer(port, layer, there.input_of(layer)).actual
    return not verdict.holds(
        verdict.judge(measure(actual, there.read(layer), there.case(layer).witness))
    )


def _by_probes(sound: Sound, port, layer: str) -> bool:
    found = probe_layer(port, sound.blank(layer), np.random.default_rng(SEED))
    return found.record.verdict not in RIGHT


def _power(exponent: int) -> str:
    return (
        f"over 2^{MOST}"
        if exponent > MOST
        else f"2^{exponent}"
        if exponent > 9
        else f"{2**exponent}"
    )


if __name__ == "__main__":
    print(table())

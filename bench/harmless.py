"""Harmless implementations on inputs that no music resembles: how many are blamed by clips alone.

`make faults` has them on the two clips and asks their probes; here each reads what the sound port
hands on of silence, of two constant clips of different levels, of noise and of scaled clips.
"""

from collections.abc import Iterator

import numpy as np
from threadpoolctl import threadpool_limits

from parity.compare import verdict
from parity.compare.measure import allow_transform, measure
from parity.faults.plant import planted
from parity.faults.table import HARMLESS
from parity.faults.table_row import BY_TRANSFORM, ELSEWHERE, Fault
from parity.faults.trial import Original, read_original
from parity.kinds import layer_case
from parity.model import DEFAULT_MODELS, case_for
from parity.port.proof import ChainerPort
from parity.port_api import answer
from parity.recording import recordings
from parity.recording.clips import clips_of


def rows():
    """One row an input: how many of the harmless implementations do not hold on it, and which."""
    cases = {name: case_for(name) for name in DEFAULT_MODELS}
    batches = {case: clips.batch for case, clips in clips_of(cases.values()).items()}
    paths = recordings.traces(batches, lanes=("reference",))
    tried, blamed = {}, {}
    with threadpool_limits(1):
        for case in cases.values():
            there = read_original(case, paths[case]["reference"])
            for what, mutant, word in words_of(there, inputs(batches[case])):
                tried[what] = tried.get(what, 0) + 1
                if not verdict.holds(word):
                    blamed.setdefault(what, []).append(f"{mutant.id} {word}")
    for what, count in tried.items():
        named = "".join(f"; {each}" for each in blamed.get(what, ()))
        found = len(blamed.get(what, ()))
        yield f"of {count} harmless implementations, blamed on {what}", f"{found}{named}", 0


def inputs(x: np.ndarray) -> dict[str, np.ndarray]:
    """Batches of the clips' own shape, float32."""
    levels = np.reshape([x.mean(), x.max()], (2, 1, 1, 1))
    noise = np.random.default_rng(20160618).normal(x.mean(), x.std(), x.shape)
    made = {
        "silence": np.full_like(x, x.min()),
        "two constant clips": np.broadcast_to(levels, x.shape),
        "noise": noise,
        "clips of a tenth of the size": x / 10,
    }
    return {what: np.ascontiguousarray(each, np.float32) for what, each in made.items()}


def words_of(there: Original, given: dict[str, np.ndarray]) -> Iterator[tuple[str, Fault, str]]:
    """(input, implementation, verdict) of a model; probes have proved them all."""
    mine = [each for each in HARMLESS if each.model == there.model and each.kind != ELSEWHERE]
    sound = ChainerPort(there.tagger())
    for what, x in given.items():
        for name in there.layers:
            y = sound.run(name, x)
            for mutant in (each for each in mine if each.layer == name):
                case = layer_case(there.layers[name], there.params.get(name, {}), x, there.keras)
                said = answer(planted(there.tagger(), mutant), name, x)
                cell = measure(said.actual, y, case.witness)
                cell.proved = mutant.kind != BY_TRANSFORM
                if not cell.proved:
                    allow_transform(cell, said, case)
                yield what, mutant, verdict.judge(cell)
            x = y

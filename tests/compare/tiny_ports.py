"""Ports of the tiny network of test_compare as people write them, for `tiny_ports:NAME`."""

import itertools

import h5py
import numpy as np


def pool(x):
    return x.reshape(len(x), 1, x.shape[2] // 2, 2, x.shape[3] // 2, 2).max(axis=(3, 5))


def flatten(x):
    return x.reshape(len(x), -1)


def right(model, weights, keras):
    with h5py.File(weights) as file:
        w, b = file["output/output_W"][()], file["output/output_b"][()]
    return {"pool1": pool, "flatten_1": flatten, "output": lambda x: 1 / (1 + np.exp(-(x @ w + b)))}


def _but(layer, habit):
    """The right port, one layer of which is habit(its step)."""

    def steps(*asked):
        found = right(*asked)
        return {**found, layer: habit(found[layer])}

    return steps


def _in_place(step):
    def run(x):
        y = step(x)
        x -= 7
        return y

    return run


def _scratch(step):
    kept = {}

    def run(x):
        y = step(x)
        buffer = kept.setdefault(y.shape, y)
        buffer[...] = y
        return buffer

    return run


def _random(step):
    rng = np.random.default_rng()
    return lambda x: step(x) * np.float32(1 + 2**-20 * rng.standard_normal())


def _state(step):
    calls = itertools.count()
    return lambda x: step(x) + np.float32(next(calls) / 2)


def _from_the_third_call(step):
    calls = itertools.count()
    return lambda x: step(x) * np.float32(1 if next(calls) < 2 else -1)


in_place = _but("output", _in_place)
in_place_pool = _but("pool1", _in_place)
scratch = _but("pool1", _scratch)
random = _but("pool1", _random)
state = _but("output", _state)
late = _but("output", _from_the_third_call)
fortran = _but("flatten_1", lambda step: lambda x: np.asfortranarray(step(x)))
float64 = _but("output", lambda step: lambda x: step(x).astype(np.float64))
a_list = _but("output", lambda step: lambda x: step(x).tolist())
masked = _but("output", lambda step: lambda x: np.ma.masked_array(step(x)))
complexes = _but("output", lambda step: lambda x: step(x).astype(np.complex64))
none = _but("output", lambda step: lambda x: None)
narrow = _but("output", lambda step: lambda x: step(x)[:, :4])
no_clips = _but("flatten_1", lambda step: lambda x: step(x)[0])
prints = _but("output", lambda step: lambda x: (print("here"), step(x))[1])
leaves = _but("output", lambda step: lambda x: exit(0))


def one_batch_only(*asked):
    """As an exported graph: nothing but two clips."""

    def fixed(step):
        def run(x):
            assert len(x) == 2
            return step(x)

        return run

    return {name: fixed(step) for name, step in right(*asked).items()}

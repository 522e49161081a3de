"""The train phase of batch normalisation: moving averages after each update, in the original, the
port, stock Chainer and float64.

All are fed the same seeded batches. The original runs live (`python -m reference.training`, one
environment per Keras) and its answer is kept in the cache folder by content, as traces are.
"""

from pathlib import Path

import numpy as np

from parity import untrusted
from parity.errors import CannotRun
from parity.files import sha256_of
from parity.kinds.normalization.formula import SPREADS, dialect
from parity.numerics.rounding import U
from parity.recording import stacks
from parity.recording.cache import default_folder, key_of
from parity.recording.job import RECORDER, Job
from parity.recording.scheduler import record_all
from parity.recording.trace import array_sha256
from parity.store import Store
from parity.studies.microscope.document import Training, Update

UPDATES, SHAPE = 20, (4, 8, 8, 8)  # batches of (B, C, F, T)
SEED = 20160618
AVERAGES = ("running_mean", "running_std")
# Since which Keras: (momentum, epsilon, what running_std follows, given the batch's biased
# variance): normalization.py of each.
RULES = (
    ((1, 0, 4), 0.9, 1e-6, lambda variance, eps: np.sqrt(variance + eps)),
    ((1, 0, 7), 0.99, 1e-6, lambda variance, eps: variance),
    ((1, 0, 8), 0.99, 1e-5, lambda variance, eps: variance),
    ((1, 2, 0), 0.99, 1e-3, lambda variance, eps: variance + eps),
)


def batches():
    """float32 (UPDATES, B, C, F, T): each channel with an offset and a scale of its own, 0.01 to
    100, drifting over the updates.
    """
    rng = np.random.default_rng(SEED)
    scale = np.logspace(-2, 2, SHAPE[1])[:, None, None]
    offset = rng.uniform(-5, 5, (SHAPE[1], 1, 1)) * scale
    drift = 1 + 0.02 * np.arange(UPDATES).reshape(-1, 1, 1, 1, 1)
    return ((rng.standard_normal((UPDATES, *SHAPE)) + offset / scale) * scale * drift).astype(
        np.float32
    )


def examine(keras, given, original, sides):
    """Compare moving averages after each update.

    given: (updates, B, C, F, T) float32; original: {"running_mean", "running_std": (updates, C),
    "test_output"}, what that Keras computed, the last being its output of the last batch in the
    test phase afterwards; sides: {name: {"running_mean", "running_std", "divisor": (updates, C)}},
    the port first.
    Returns a Training. Every figure is the largest difference from the original's over the
    channels, relative to the channel's value and in units of u = 2^-24 where it ends in _u;
    "oracle" is the rule in float64; rho: share of what rounding allows; output_max_abs: of what the
    final averages make of the last batch, (x - running_mean)/divisor, from the original's test
    output.
    """
    truth, bound = averages(keras, given)
    expected = {
        **{name: original[name].astype(np.float64) for name in AVERAGES},
        "divisor": divisor(keras, original["running_std"].astype(np.float64)),
    }
    sides = {**sides, "oracle": {**truth, "divisor": divisor(keras, truth["running_std"])}}
    gaps = {
        name: {each: np.abs(side[each] - expected[each]) for each in expected}
        for name, side in sides.items()
    }

    def rho(side):
        return float(max(np.max(np.abs(side[at] - truth[at]) / bound[at]) for at in AVERAGES))

    def worst(name, side):
        found = {}
        for each, gap in gaps[name].items():
            found[f"{each}_max_abs"] = float(gap.max())
            found[f"{each}_max_u"] = float((gap / (U * np.abs(expected[each]))).max())
        output = np.abs(_test_output(given[-1], side) - original["test_output"])
        return {**found, "output_max_abs": float(output.max()), "rho": rho(side)}

    updates = [
        Update(
            at + 1,
            {
                name: {each: float(gap[at].max()) for each, gap in of_side.items()}
                for name, of_side in gaps.items()
            },
        )
        for at in range(len(given))
    ]
    return Training(
        keras,
        momentum(keras),
        list(given.shape[1:]),
        updates,
        {name: worst(name, side) for name, side in sides.items()},
        rho(original),
    )


def _test_output(batch, side):
    """The last batch (B, C, F, T) in the test phase, gamma 1 and beta 0, in the averages' dtype."""
    mean, spread = (side[name][-1][:, None, None] for name in ("running_mean", "divisor"))
    return (batch - mean) / spread


def averages(keras, given):
    """({name: (updates, C)} float64, {name: what float32 rounding allows}): the rule of that Keras
    on the batches.

    With m the momentum: B' = m B + (1 - m) b + u(2|m r| + 2|(1 - m) x| + |r'|), b the batch
    statistic's own error: mean u(|mean| + mean|x|), variance 5u v + mean error^2, as both sides
    add up in float64.
    """
    _, momentum, eps, follows = _rule(keras)
    wide = given.astype(np.float64)
    mean, variance = wide.mean(axis=(1, 3, 4)), wide.var(axis=(1, 3, 4))
    of_mean = U * (np.abs(mean) + np.abs(wide).mean(axis=(1, 3, 4)))
    of_variance = 5 * U * variance + of_mean**2
    statistic = follows(variance, eps)
    found = (
        _moving(momentum, mean, of_mean, 0.0),
        _moving(momentum, statistic, of_variance * statistic / variance, 1.0),
    )
    return tuple(dict(zip(AVERAGES, parts, strict=True)) for parts in zip(*found, strict=True))


def _moving(momentum, statistic, error, start):
    running, bound, values, bounds = start, 0.0, [], []
    for new, own in zip(statistic, error, strict=True):
        kept, added = momentum * running, (1 - momentum) * new
        running = kept + added
        rounding = U * (2 * np.abs(kept) + 2 * np.abs(added) + np.abs(running))
        bound = momentum * bound + (1 - momentum) * own + rounding
        values.append(running)
        bounds.append(bound)
    return np.stack(values), np.stack(bounds)


def divisor(keras, stored):
    """What (x - mean) is divided by in the test phase, float64, from running_std."""
    return 1 / SPREADS[dialect(keras)[0]](stored, _rule(keras)[2])


def momentum(keras):
    """The default momentum of that Keras."""
    return _rule(keras)[1]


def _rule(keras):
    version = tuple(int(part) for part in keras.split("."))
    return [row for row in RULES if row[0] <= version][-1]


def original(stack, given, progress=None):
    """{"running_mean", "running_std": (updates, C), "test_output": (B, C, F, T)}, float32, of a
    stack by its name: run now or recalled. Raises CannotRun where it cannot be run.
    """
    stack, lane = stacks.STACKS[stack], stacks.LANES["reference"]
    program = {path.name: sha256_of(path) for path in sorted((RECORDER / "training").glob("*.py"))}
    expect = stack.expect(lane)
    key = key_of({"training": program, "batches": array_sha256(given), **expect})
    kept = Store(default_folder() / "training", ".h5")
    if kept.find(key) is None:
        job = Job("train phase", stack, lane, Path(), given, expect, program="reference.training")
        record_all({key: job}, kept, progress=progress)
    path = kept.path(key)
    try:
        with untrusted.hdf5(path) as file:
            return {name: file[name][()] for name in (*AVERAGES, "test_output")}
    except (OSError, KeyError) as error:
        raise CannotRun(
            f"{path}: the recorded moving averages cannot be read; remove that file and run again"
        ) from error

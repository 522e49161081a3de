"""The port on many batches. What it gave is kept as what the original gave is: by content, and by
the port's code.
"""

import shutil
from contextlib import suppress

import numpy as np

from parity.errors import CannotRun
from parity.port_api import output
from parity.recording import stacks
from parity.recording.cache import key_of
from parity.recording.trace import array_sha256
from parity.store import Store
from parity.studies.unstable_cnn import cache, runs
from parity.studies.unstable_cnn.runs import LOGITS, Run


def run(case, batches, *, keep=None, keras=None, most=None):
    """{label: Run} of the port, as originals.run gives it. keras: the release whose formulas to
    use, by default the stack's.

    It is kept but where whole outputs are asked for. Raises CannotRun where the weights do not fit.
    """
    keras = keras or stacks.STACKS[case.model.stack].keras
    if keep and most is None:
        return _called(case, batches, keep, keras, most)
    store, layers = Store(cache.folder(), ".h5"), case.model.layers
    key = f"port.{_key(case, batches, {'keras': keras, 'keep': list(keep or ()), 'most': most})}"
    if path := store.find(key):
        with suppress(CannotRun):  # damaged: it can be made again
            return dict(zip(batches, runs.read(path, layers).values(), strict=True))
    found, folder = _called(case, batches, keep, keras, most), store.scratch(key)
    runs.write(folder / "runs.h5", found.values(), layers)
    store.add(key, folder / "runs.h5")
    shutil.rmtree(folder)
    return found


def _key(case, batches, asked):
    from threadpoolctl import threadpool_info

    return key_of(
        {
            "model": case.model.name,
            "weights": case.weights.sha256,
            "batches": [array_sha256(x) for x in batches.values()],
            "asked": asked,
            "code": cache.digests(__name__),
            "versions": cache.versions(),
            "threads": sorted(pool["num_threads"] for pool in threadpool_info()),
        }
    )


def _called(case, batches, keep, keras, most):
    return called(loaded(case, keras), batches, keep=keep, most=most)


def loaded(case, keras=None):
    """The port with the weights of a case, by default for the release of its stack."""
    from parity.port.weights import load

    try:
        return load(case.model.name, case.weights, keras or stacks.STACKS[case.model.stack].keras)
    except (OSError, ValueError) as error:
        raise CannotRun(str(error)) from error


def called(tagger, batches, *, keep=None, most=None):
    """As `run`, of a loaded port."""
    from parity.port import proof

    axes = {
        name: link.axis for name, link in tagger.steps().items() if hasattr(link, "running_mean")
    }
    return through(
        proof.ChainerPort(tagger),
        batches,
        axes=axes,
        remembered=lambda: parameters_sha256(tagger),
        keep=keep,
        most=most,
    )


def through(port, batches, *, axes, remembered, keep=None, most=None):
    """As `run`, of any port with logits. axes: {normalisation: axis}."""
    found = {}
    for label, batch in batches.items():
        before = remembered()
        outputs, arriving = _through(port, axes, batch, keep or port.layers[-1:], most)
        found[label] = Run(outputs, arriving, (before, remembered()))
    return found


def _through(port, axes, values, keep, most):
    outputs, arriving, last = {}, {}, port.layers[-1]
    for name in port.layers:
        if name in axes:
            arriving[name] = runs.statistics(values, axes[name])
        x, values = values, output(port, name, values)
        if name in keep:
            outputs[name] = runs.thinned(values, most)
    if last in keep:
        outputs[LOGITS.format(last)] = port.logits(x)
    return outputs, arriving


def parameters_sha256(chain):
    """sha256, hex, of every parameter and persistent value of a chainer.Link, with their names."""
    import chainer

    held = chainer.serializers.DictionarySerializer()
    held.save(chain)
    return key_of({name: array_sha256(np.asarray(value)) for name, value in held.target.items()})


def towards_the_second(case, batch):
    """float32 +1 or -1: the direction in which the top tag loses most to the second."""
    import chainer
    from chainer import functions

    tagger, x = loaded(case), chainer.Variable(batch)
    with chainer.using_config("train", False):
        logits = tagger.logits(x)
        second, first = np.argsort(logits.array, axis=1)[:, -2:].T
        functions.sum(
            functions.select_item(logits, first) - functions.select_item(logits, second)
        ).backward()
    return np.where(x.grad > 0, np.float32(-1), np.float32(1))

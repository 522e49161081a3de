"""The original and the port on many batches: what questions measure on."""

import numpy as np

from parity.errors import CannotRun
from parity.recording import stacks
from parity.recording.cache import key_of
from parity.recording.trace import array_sha256
from parity.studies.unstable_cnn import ported as kept_runs
from parity.studies.unstable_cnn.calls import (
    LOGITS,
    Run,
    Subject,
    all_but_dropouts,
    per_channel,
    statistics,
    thinned,
)
from parity.studies.unstable_cnn.live import original, originals

__all__ = [
    "LOGITS",
    "Run",
    "Subject",
    "all_but_dropouts",
    "called",
    "original",
    "originals",
    "parameters_sha256",
    "per_channel",
    "ported",
    "statistics",
    "thinned",
    "through",
    "towards_the_second",
]


def ported(case, batches, *, keep=None, keras=None, most=None):
    """As `original`, of the port. keras: the release whose formulas to use, by default the
    stack's; most: as of `original`.

    It is kept but where whole outputs are asked for. Raises CannotRun where the weights do not fit.
    """
    keras = keras or stacks.STACKS[case.model.stack].keras
    if keep and most is None:
        return _ported(case, batches, keep, keras, most)
    asked = {"keras": keras, "keep": list(keep or ()), "most": most}
    return kept_runs.recalled(
        case, batches, asked, lambda: _ported(case, batches, keep, keras, most)
    )


def _ported(case, batches, keep, keras, most):
    from parity.port.weights import load

    try:
        tagger = load(case.model.name, case.weights, keras)
    except (OSError, ValueError) as error:
        raise CannotRun(str(error)) from error
    return called(tagger, batches, keep=keep, most=most)


def called(tagger, batches, *, keep=None, most=None):
    """As `ported`, of a parity.port.network.Network at hand."""
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
    """The same of any port that gives its logits. axes: {normalisation: axis}; remembered() ->
    parameters_sha256.
    """
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
            arriving[name] = statistics(values, axes[name])
        before, values = values, port.run(name, values)
        if name in keep:
            outputs[name] = thinned(values, most)
    if last in keep:
        outputs[LOGITS.format(last)] = port.logits(before)
    return outputs, arriving


def parameters_sha256(chain):
    """sha256, hex, of every parameter and persistent value of a chainer.Link, with their names."""
    import chainer

    held = chainer.serializers.DictionarySerializer()
    held.save(chain)
    return key_of({name: array_sha256(np.asarray(value)) for name, value in held.target.items()})


def towards_the_second(case, batch):
    """float32 +1 or -1 for each value of `batch`: the direction in which the port's top tag loses
    most to its second, to first order.
    """
    import chainer
    from chainer import functions

    from parity.port.weights import load

    tagger, given = (
        load(case.model.name, case.weights, stacks.STACKS[case.model.stack].keras),
        chainer.Variable(batch),
    )
    with chainer.using_config("train", False):
        logits = tagger.logits(given)
        second, first = np.argsort(logits.array, axis=1)[:, -2:].T
        functions.sum(
            functions.select_item(logits, first) - functions.select_item(logits, second)
        ).backward()
    return np.where(given.grad > 0, np.float32(-1), np.float32(1))

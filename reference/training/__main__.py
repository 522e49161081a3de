"""`python -m reference.training JOB.json OUT.h5`: train one BatchNormalization of the running
Keras and write its moving averages.

JOB.json: {"input": path of a float32 npy (updates, B, C, F, T), "expect": {name: value, ...} which
has to match what really runs}
OUT.h5: datasets running_mean and running_std (updates, C), float32, under the names Keras gives
them, and test_output, the last batch in the test phase afterwards.
Stages and exit codes as of reference/program.py.
"""

import sys

import h5py
import numpy as np

from reference import legacy
from reference.program import check, main, say
from reference.refused import Refused

_TRAIN_PHASE, _TEST_PHASE = 1, 0


def _train(job, out):
    say(stage="import")
    legacy.apply()
    from reference.stack import observed_stack  # takes seconds, and needs the shims

    check(observed_stack(), job["expect"])
    batches = np.load(job["input"], allow_pickle=False)
    if batches.ndim != 5 or batches.dtype != np.float32:
        raise Refused(
            f"{job['input']}: {batches.dtype} {batches.shape}, expected float32 (updates, "
            "B, C, F, T)"
        )
    say(stage="run")
    averages, test_output = _averages(batches)
    say(stage="write")
    with h5py.File(out, "w") as file:
        for name, array in {**averages, "test_output": test_output}.items():
            file[name] = array
    say(stage="done")


def _averages(batches):
    """({name: (updates, C)}, test output): Keras's own graph and updates, one call for each batch
    (updates, B, C, F, T).
    """
    import theano
    from keras import backend as K
    from keras.layers import BatchNormalization, Input

    entry, layer = Input(shape=batches.shape[2:]), BatchNormalization(mode=0, axis=1)
    output = layer(entry)
    update = theano.function(
        [entry, K.learning_phase()], output, updates=layer.updates, on_unused_input="ignore"
    )
    test = theano.function([entry, K.learning_phase()], output, on_unused_input="ignore")
    found = {"running_mean": [], "running_std": []}
    for batch in batches:
        update(batch, _TRAIN_PHASE)
        for name, values in found.items():
            values.append(getattr(layer, name).get_value())
    return {name: np.stack(values) for name, values in found.items()}, test(
        batches[-1], _TEST_PHASE
    )


if __name__ == "__main__":
    sys.exit(main(_train, __doc__, sys.argv[1:]))

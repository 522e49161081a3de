"""What the port gave on many batches, kept in the cache folder as what the original gave is
(live): by content, and by the port's code.
"""

import os
import tempfile

import h5py
import numpy as np

from parity.errors import CannotRun
from parity.recording.cache import default_folder, key_of
from parity.recording.trace import array_sha256
from parity.studies.unstable_cnn import live
from parity.studies.unstable_cnn.calls import LOGITS
from parity.studies.unstable_cnn.sources import digests, versions


def recalled(case, batches, asked, make):
    """{label: Run} that `make()` gives for a case and batches, in their order; asked: plain
    values, whatever else it depends on.
    """
    from threadpoolctl import threadpool_info

    key = key_of(
        {
            "model": case.model.name,
            "weights": case.weights.sha256,
            "batches": [array_sha256(x) for x in batches.values()],
            "asked": asked,
            "code": digests("parity.studies.unstable_cnn.runs"),
            "versions": versions(),
            "threads": sorted(pool["num_threads"] for pool in threadpool_info()),
        }
    )
    path = default_folder() / "investigations" / f"port.{key}.h5"
    if not path.exists():
        return _kept(path, make(), case.model.layers)
    try:
        return dict(zip(batches, live.read(path, case.model.layers).values(), strict=True))
    except CannotRun:  # damaged: it can be had again
        return _kept(path, make(), case.model.layers)


def _kept(path, found, layers):
    """`found`, and written to `path` whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
        with h5py.File(name, "w") as file:
            for at, run in enumerate(found.values()):
                _write(file.create_group(str(at)), f"{at}", run, LOGITS.format(layers[-1]))
        os.replace(name, path)
    except OSError as error:
        raise CannotRun(
            f"{path.parent}: cannot be written ({error.strerror}); choose another folder "
            "with PARITY_CACHE"
        ) from error
    return found


def _write(group, label, run, logits):
    """As reference.batches writes a call."""
    places = {f"outputs/{name}": values for name, values in run.outputs.items() if name != logits}
    places |= {f"arriving/{name}": np.stack(values) for name, values in run.arriving.items()}
    places |= {"logits": run.outputs[logits]} if logits in run.outputs else {}
    group.create_group("outputs"), group.create_group("arriving")
    for place, values in places.items():
        group[place] = values
    marks = {"parameters": run.parameters_sha256, "others": run.others_sha256}
    group.attrs.update(
        {
            "label": label,
            **{
                f"{what}_{when}": mark
                for what, both in marks.items()
                for when, mark in zip(("before", "after"), both, strict=True)
            },
        }
    )

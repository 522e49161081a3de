"""`python -m reference.record JOB.json OUT.h5`: run any Keras 1 model once and write every layer's
output to a trace.

JOB.json: {"model": name, "lane": name, "definition": path of model.to_json()'s text, of a file of
model.save, or "file.py:function", which returns the model, "custom": path of a Python file with the
model's own classes and functions or null, "weights": path, "inputs": [path of a npy, ...] in the
order of model.inputs, "expect": {name: value, ...} which has to match what really runs, "time":
true to print timings instead of writing}
A job of "describe": true gets model.to_json() as OUT, with the names of nested Sequentials. Stages
on stdout: import, load, build, run, write, done; or {"timings": {...}}.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from reference import legacy
from reference.program import check, main, say, sources_sha256
from reference.refused import Refused
from reference.trace_file import array_sha256, write_trace


def record(job, out):
    """Run the original of `job` and write its trace, or what Keras says of it, to `out`."""
    say(stage="import")
    legacy.apply()
    from reference import building, stack, walking  # takes seconds, and needs the shims

    inputs = [] if job.get("describe") else [_read(path) for path in job["inputs"]]
    observed = {**stack.observed_stack(), **digests(job, inputs)}
    check(observed, job["expect"])
    say(stage="load")
    if job.get("describe"):
        Path(out).write_text(building.described(building.build(job["definition"], job["custom"])))
        return say(stage="done")
    model = building.loaded(job)
    say(stage="build")
    nodes = walking.nodes_of(model)
    run = walking.compiled(model, nodes)
    if job.get("time"):
        say(stage="time")
        return say(timings=walking.timings(model, run, inputs))
    say(stage="run")
    layers = run(inputs)
    say(stage="write")
    provenance = {
        "model": job["model"],
        "lane": job["lane"],
        "batch_size": len(inputs[0]),
        **walking.ends_of(model, nodes),
        **observed,
    }
    write_trace(out, layers, provenance)
    return say(stage="done")


def digests(job, inputs):
    """What the trace says of the files that the job names and of its inputs. Raises Refused."""
    files = {"definition": job["definition"].partition(".py:")[0], "custom": job["custom"]}
    if ".py:" in job["definition"]:
        files["definition"] += ".py"
    if not job.get("describe"):
        files["weights"] = job["weights"]
    return {
        **{f"{name}_sha256": _sha256(path) for name, path in files.items()},
        "recorder_sha256": sources_sha256(),
        "input_sha256": "+".join(map(array_sha256, inputs)),
    }


def _sha256(path):
    if path is None:
        return None
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({error.strerror}); check the path") from error


def _read(path):
    try:
        batch = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: the input cannot be read ({error}); give a npy") from error
    if not len(batch) or not np.isfinite(batch).all():
        raise Refused(f"{path}: holds no sample, or NaN or infinity; compute it again")
    return batch


if __name__ == "__main__":
    sys.exit(main(record, __doc__, sys.argv[1:]))

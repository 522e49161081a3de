"""`python -m reference.stream JOB.json FOLDER`: build one original once, then record every batch
that stdin names.

JOB.json: as of reference/record.py; its "expect" says nothing of the input. A line on stdin,
{"inputs": [path of a npy, ...], "out": path}, gets a trace at `out` and {"written": path} on
stdout, or {"refused": sentence, "out": path}. The end of stdin ends it. Stages and exit codes as of
reference/program.py; "run" means that it is ready.
"""

import json
import sys

import numpy as np

from reference import legacy
from reference.program import check, main, say
from reference.record import digests
from reference.refused import Refused
from reference.trace_file import array_sha256, write_trace


def stream(job, _):
    """Record batch after batch. Raises Refused where stack or weights are not as asked."""
    say(stage="import")
    legacy.apply()
    from reference import building, stack, walking  # takes seconds, and needs the shims

    observed = {**stack.observed_stack(), **digests(job, [])}
    del observed["input_sha256"]
    check(observed, job["expect"])
    say(stage="load")
    model = building.loaded(job)
    say(stage="build")
    nodes = walking.nodes_of(model)
    run = walking.compiled(model, nodes)
    say(stage="run")
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            inputs = [np.load(path, allow_pickle=False) for path in asked["inputs"]]
            provenance = {
                **{"model": job["model"], "lane": job["lane"], "batch_size": len(inputs[0])},
                **walking.ends_of(model, nodes),
                **observed,
                "input_sha256": "+".join(map(array_sha256, inputs)),
            }
            write_trace(asked["out"], run(inputs), provenance)
        except (Refused, OSError, ValueError) as error:
            say(refused=" ".join(str(error).split()), out=asked["out"])
        else:
            say(written=asked["out"])


if __name__ == "__main__":
    sys.exit(main(stream, __doc__, sys.argv[1:]))

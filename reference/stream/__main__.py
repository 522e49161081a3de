"""`python -m reference.stream JOB.json FOLDER`: build one original once, then record every batch
that stdin names.

JOB.json: as of reference/record.py, or, where it has a "definition", of reference/outside; its
"expect" says nothing of the input. A line on stdin, {"inputs": [path of a npy, ...], "out": path},
gets a trace at `out` and {"written": path} on stdout, or {"refused": sentence, "out": path}. The
end of stdin ends it. Stages and exit codes as of reference/program.py; "run" means that it is
ready.
"""

import json
import sys

import numpy as np

from reference import legacy
from reference.program import main, say
from reference.record import check, sources_sha256
from reference.refused import Refused
from reference.trace_file import array_sha256, write_trace


def stream(job, _):
    """Record batch after batch. Raises Refused where stack or weights are not as asked."""
    say(stage="import")
    legacy.apply()
    from reference import graph  # takes seconds, and needs the shims

    outside = "definition" in job
    observed = {**graph.observed_stack(), **_digests(job, outside)}
    check(observed, job["expect"])
    say(stage="load")
    layers_of, more = _outside(job) if outside else _tagger(job, observed["floatX"])
    say(stage="run")
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            inputs = [np.load(path, allow_pickle=False) for path in asked["inputs"]]
            provenance = {
                **{"model": job["model"], "lane": job["lane"], "batch_size": len(inputs[0])},
                **more,
                **observed,
                "input_sha256": "+".join(map(array_sha256, inputs)),
            }
            write_trace(asked["out"], layers_of(inputs), provenance)
        except (Refused, OSError, ValueError) as error:
            say(refused=" ".join(str(error).split()), out=asked["out"])
        else:
            say(written=asked["out"])


def _tagger(job, float_type):
    """(inputs -> layers with their outputs, nothing more for the provenance)."""
    from reference import graph

    model = graph.load(job["model"], job["weights"])
    say(stage="build")
    run = graph.compile_all(model)
    return lambda inputs: graph.layers(model, *run(inputs[0].astype(float_type))), {}


def _outside(job):
    from reference.outside import building, walking

    model = building.build(job["definition"], job["custom"])
    building.load_weights(model, job["weights"])
    say(stage="build")
    nodes = walking.nodes_of(model)
    return walking.compiled(model, nodes), {"inputs": walking.inputs_of(model, nodes)}


def _digests(job, outside):
    if outside:
        from reference.outside.__main__ import _digests as digests

        found = digests(job, [])
    else:
        from reference.record import _digests as digests

        found = digests(job["weights"], np.zeros(0))
    del found["input_sha256"]
    return {**found, "recorder_sha256": sources_sha256(more=["outside"] if outside else [])}


if __name__ == "__main__":
    sys.exit(main(stream, __doc__, sys.argv[1:]))

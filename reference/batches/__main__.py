"""`python -m reference.batches JOB.json OUT.h5`: run one original on many batches, one call after
the other, by one function.

JOB.json: as of reference/record.py, and
          {"input": path of a float32 npy (clips, 1, 96, 1366), decibel,
           "batches": [[label, [clip, ...]], ...] in the order of the calls, "keep": [layer, ...],
           "most": values kept of each clip and layer or null for all}
OUT.h5: /<number of the call>, attributes label, parameters_before, parameters_after,
others_before, others_after: sha256 of every parameter and persistent value, and of all else that
the function keeps between calls (dropout's generators); groups
  outputs/<layer>             what was kept, float32: the output, or (B, most) of its values at
  equal distances logits                      what the last Dense hands to its activation, where
  its layer is kept arriving/<normalisation>    (2, n) float64: mean and variance, along that
  layer's axis, of what arrives at it from the whole batch
Stages and exit codes as of reference/program.py.
"""

import sys

from reference import legacy
from reference.program import check, main, say


def _run(job, out):
    say(stage="import")
    legacy.apply()
    from reference import building, stack  # takes seconds, and needs the shims
    from reference.batches import calls

    check(stack.observed_stack(), job["expect"])
    clips = calls.read_clips(job)
    say(stage="load")
    model = building.loaded(job)
    say(stage="build")
    function = calls.Function(model, job["keep"])
    say(stage="run")
    calls.write_all(function, clips, job, out, lambda at, of: say(stage=f"batch {at} of {of}"))
    say(stage="done")


if __name__ == "__main__":
    sys.exit(main(_run, __doc__, sys.argv[1:]))

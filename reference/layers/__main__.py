"""`python -m reference.layers JOB.json OUT.json`: what Keras says of every layer, none of them run.

JOB.json: as of reference/record.py, without weights and inputs. OUT.json: [{"name", "kind", "shape"
of the output without samples, null where it varies, "parameters" of the layer, null at a later call
of it, "inbound": [names]}, ...] in network order. Stages and exit codes as of reference/program.py.
"""

import json
import sys
from pathlib import Path

from reference import legacy
from reference.program import check, main, say
from reference.record import digests


def layers(job, out):
    """Write what Keras says. Raises Refused where the model cannot be built."""
    say(stage="import")
    legacy.apply()
    from reference import building, stack, walking  # takes seconds, and needs the shims

    observed = {**stack.observed_stack(), **digests({**job, "describe": True}, [])}
    check(observed, job["expect"])
    say(stage="load")
    nodes = walking.nodes_of(building.build(job["definition"], job["custom"]))
    shapes = {}
    for node in nodes:
        shapes[node.name] = _shape(node, [shapes[name] for name in node.inbound])
    rows = [
        {
            "name": node.name,
            "kind": type(node.layer).__name__,
            "shape": [size and int(size) for size in shapes[node.name][1:]],
            "parameters": None if "#" in node.name else _count(building.parameters_of(node.layer)),
            "inbound": list(node.inbound),
        }
        for node in nodes
    ]
    Path(out).write_text(json.dumps(rows))
    return say(stage="done")


def _shape(node, inbound):
    """Of its output, samples first; Keras keeps none of what is called inside another model."""
    if hasattr(node.output, "_keras_shape"):
        return tuple(node.output._keras_shape)
    given = inbound if len(inbound) > 1 else inbound[0]
    found = node.layer.get_output_shape_for(given)
    return tuple(found[0] if isinstance(found, list) else found)


def _count(weights):
    """How many numbers they hold; Keras 1.0 itself counts those that are trained alone."""
    return sum(int(weight.get_value(borrow=True).size) for weight in weights)


if __name__ == "__main__":
    sys.exit(main(layers, __doc__, sys.argv[1:]))

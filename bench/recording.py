"""Recording every layer against the same model's plain `predict`, same flags, the second call of each, in one process."""

from parity import cases, stacks
from parity.clips import read_clips

LIMIT = 1.25


def rows():
    """One row per model, in the reference lane (optimizer None)."""
    for name in cases.DEFAULT_MODELS:
        case = cases.case_for(name)
        wish = stacks.job(name, case.model.stack, "reference", case.weights, read_clips(case.clips).batch)
        seconds = stacks.timings(wish)
        yield f"{name}: recording all layers over predict", f"{seconds['all_layers_s'] / seconds['predict_s']:.2f}", LIMIT

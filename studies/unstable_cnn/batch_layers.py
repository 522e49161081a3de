"""Layer by layer: what share of an output the batch mates decide, and of how many values each
statistic is made.
"""

import numpy as np

from parity.studies.unstable_cnn import runs
from parity.studies.unstable_cnn.finding import Table


def layers_table(measured):
    """Share of each layer's variance that the batch mates explain, in the original and in the
    port.
    """
    kept = next(iter(measured.runs["original"].values())).outputs
    order = [
        name for name in (*measured.layers, runs.LOGITS.format(measured.layers[-1])) if name in kept
    ]
    rows = (
        [
            [layer, *(mates_share(measured, side, layer) for side in ("original", "port"))]
            for layer in order
        ]
        if len(measured.base) > 1
        else []
    )
    return Table(
        f"batch-layers-{measured.model}",
        f"{measured.model}: variance of each layer's output that the batch mates explain",
        ["layer", "original", "port"],
        rows,
        (
            "Of the variance over clips and batches, per value, the share within a clip; 0: "
            "the clip alone decides."
        ),
        {"kind": "bars", "x": "layer", "y": ["original", "port"], "series": None, "log": False},
    )


def mates_share(measured, side, layer):
    """Within-clip variance over batches, of all variance over clips and batches, each value by
    itself, summed over the values.
    """
    within, means = 0.0, []
    for clip in measured.base:
        seen = np.stack(
            [
                measured.runs[side][batch].outputs[layer][batch.index(clip)].ravel()
                for at, batch in measured.beside_others()
                if at == clip and set(batch) != {clip}
            ]
        ).astype(np.float64)
        within, means = (
            within + seen.var(axis=0).sum() / len(measured.base),
            [*means, seen.mean(axis=0)],
        )
    between = np.var(means, axis=0).sum()
    return float(within / (within + between)) if within + between else 0.0


def signal_left(measured, side, value):
    """Variance of value(run, position) between the clips, each alone, over the same with all of
    them in one batch.
    """
    alone = [value(measured.runs[side][name,], 0) for name in measured.everyone]
    together = [
        value(measured.runs[side][measured.everyone], at) for at in range(len(measured.everyone))
    ]
    spread = [
        float(np.var(np.stack(values).astype(np.float64), axis=0).sum())
        for values in (alone, together)
    ]
    return spread[0] / spread[1]


def statistics_table(measured, case):
    """(a Table of how many values make each statistic, the last normalisation's name)."""
    clip = np.zeros((1, 1, 96, 1366), np.float32)
    run = runs.ported(case, {"clip": clip}, keep=case.model.layers)["clip"]
    shapes = dict(
        zip(
            case.model.layers,
            [clip.shape, *(run.outputs[name].shape for name in case.model.layers)][:-1],
            strict=True,
        )
    )
    normalisations = [name for name in case.model.layers if name in run.arriving]
    rows = [
        [
            name,
            " x ".join(map(str, shapes[name][1:])),
            *_values(shapes[name], run.arriving[name], len(measured.everyone)),
        ]
        for name in normalisations
    ]
    table = Table(
        f"batch-statistics-{measured.model}",
        f"{measured.model}: values that a statistic of the batch is made of",
        ["layer", "input of one clip", "alone", f"batch of {len(measured.everyone)}"],
        rows,
        "Only normalisations in mode 2 (bn1 to bn5 of CNN0) take them from the batch.",
    )
    return table, normalisations[-1]


def _values(shape, arriving, batch):
    of_clip = int(np.prod(shape)) // len(arriving[0])
    return of_clip, of_clip * batch

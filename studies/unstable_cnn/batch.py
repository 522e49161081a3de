"""Does the answer depend on who else is in the batch? Each clip alone and beside others, in the
original and in the port.
"""

from typing import NamedTuple

import numpy as np

from parity.studies.unstable_cnn import noise, ports, runs
from parity.studies.unstable_cnn.outcome import Outcome, Rows
from parity.studies.unstable_cnn.subject import companions
from parity.studies.unstable_cnn.tags import change, largest, share_of_rounding

THOROUGH = ("CNN0",)  # the others are its controls, on fewer batches
MOST_CLIPS = 3  # looked at one by one; more than that would only take longer
LARGEST_BATCH = 8
# What a clip's batch mates are.
MUSIC, SILENCE, NOISE, SEVERAL = MATES = ("other music", "silence", "noise", "several of these")


class Measured(NamedTuple):
    """One model: batches (tuples of clip names), everyone: the largest of them, base: the clips
    looked at, runs: {side: {batch: Run}}, allowed: {clip: 2 lam sd of each logit}.
    """

    case: object
    batches: list
    everyone: tuple
    base: tuple
    runs: dict
    allowed: dict

    @property
    def model(self):
        return self.case.model.name

    @property
    def last(self):
        return runs.LOGITS.format(self.case.model.layers[-1])

    def logits(self, side, batch, clip):
        """The logits (N,) of a clip in a batch."""
        return self.runs[side][batch].outputs[self.last][batch.index(clip)]

    def beside_others(self):
        """(clip, batch) of every clip looked at, in every batch of more than one."""
        return [
            (clip, batch)
            for batch in self.batches
            if len(batch) > 1
            for clip in self.base
            if clip in batch
        ]


def ask(subject):
    """Whether the batch changes what CNN0 and its controls say, and whether the port agrees."""
    subject.need_clips("none can be put beside another")
    found = measure(subject)
    thorough = [measured for measured in found if measured.model in THOROUGH]
    controls = [measured for measured in found if measured.model not in THOROUGH]
    return [
        *(each for measured in thorough for each in (dependence(measured), of_one(measured))),
        *([independence(controls)] if controls else []),
        in_both(found),
    ]


def plan(base, beside, thorough):
    """(batches as tuples of clip names, the largest) of clips to look at and clips beside them."""
    everyone = (*base, *beside)[:LARGEST_BATCH]
    mates = beside[:3] if thorough else beside[:2]
    batches = [(name,) for name in (everyone if thorough else base)]
    batches += [
        (clip, mate) for clip in base for mate in (*base, *mates) if thorough or mate != clip
    ]
    batches += [everyone[: LARGEST_BATCH // 2], *[everyone[::-1]] * thorough]
    return list(dict.fromkeys([*batches, everyone])), everyone


def measure(subject):
    """[Measured] of every model."""
    clips = {**subject.clips, **companions(dict(list(subject.clips.items())[:MOST_CLIPS]))}
    base = tuple(subject.clips)[:MOST_CLIPS]
    beside = tuple(name for name in clips if name not in base)
    plans = {name: plan(base, beside, name in THOROUGH) for name in subject.cases}
    found = subject.both(
        {
            name: {
                "batches": {
                    " + ".join(batch): np.concatenate([clips[each] for each in batch])
                    for batch in plans[name][0]
                },
                "keep": runs.all_but_dropouts(case) if name in THOROUGH else None,
                "most": 4096,
            }
            for name, case in subject.cases.items()
        }
    )
    return [_measured(subject, name, *plans[name], base, found[name]) for name in subject.cases]


def _measured(subject, name, batches, everyone, base, sides):
    rounding = noise.measured(subject, name)
    rows = dict(zip(rounding["clips"], np.array(rounding["allowed"]), strict=True))
    most = np.max(list(rows.values()), axis=0)
    of_batch = {
        side: {batch: found[" + ".join(batch)] for batch in batches}
        for side, found in sides.items()
    }
    allowed = {clip: rows.get(clip, most) for clip in base}
    return Measured(subject.cases[name], batches, everyone, base, of_batch, allowed)


def moved(measured, side):
    """[(clip, batch, change from alone, its share of what rounding can do)] in every batch."""
    found = []
    for clip, batch in measured.beside_others():
        alone, here = measured.logits(side, (clip,), clip), measured.logits(side, batch, clip)
        share = share_of_rounding(here, alone, measured.allowed[clip])
        found.append((clip, batch, change(alone, here), share))
    return found


def unmoved(measured):
    """The largest share of rounding between the original's answers in equal batches."""
    first, shares = {}, []
    for clip, batch in [(clip, (clip,)) for clip in measured.base] + measured.beside_others():
        logits = measured.logits("original", batch, clip)
        same = first.setdefault((clip, frozenset(batch)), logits)
        shares.append(share_of_rounding(logits, same, measured.allowed[clip]))
    return max(shares)


def cases(measured, side):
    """As `moved`, each set of mates once, whatever their order; a clip beside itself left out."""
    of = {
        (clip, frozenset(batch)): (clip, batch, *more)
        for clip, batch, *more in moved(measured, side)[::-1]
        if set(batch) != {clip}
    }
    return list(of.values())[::-1]


def kind(clip, batch):
    """What a clip's mates are: one of MATES."""
    kinds = {mate if mate in (SILENCE, NOISE) else MUSIC for mate in set(batch) - {clip}}
    return kinds.pop() if len(kinds) == 1 else SEVERAL


def judge_dependence(shares):
    """Whether a logit moves further than rounding can; None where no clip stood beside another, or
    the two sides disagree. shares: {side: [share of rounding]}.
    """
    depends = {max(of_side) > 1 if of_side else None for of_side in shares.values()}
    return depends.pop() if len(depends) == 1 else None


def dependence(measured):
    """The outcome on one model that is looked at thoroughly."""
    of_side = {side: cases(measured, side) for side in measured.runs}
    of, layers = of_side["original"], layer_rows(measured)
    kinds = {name: [row for row in of if kind(*row[:2]) == name] for name in MATES}
    rows = [
        [
            name,
            len(each),
            sum(row[2]["flipped"] for row in each),
            max(row[2]["score"] for row in each),
            min(row[2]["jaccard"] for row in each),
            max(row[3] for row in each),
        ]
        for name, each in kinds.items()
        if each
    ]
    return Outcome(
        "batch",
        judge_dependence({side: [row[3] for row in each] for side, each in of_side.items()}),
        max(row[2]["score"] for row in of),
        {
            "model": measured.model,
            "kinds": rows,
            "least_shared": min(row[4] for row in rows),
            "most": max(row[5] for row in rows),
            "explained": layers[-1][1] if layers else None,
            "still": unmoved(measured),
        },
        [Rows("kinds", rows), tag_rows(measured), Rows("layers", layers)],
    )


def independence(controls):
    """The outcome on the models that should not care."""
    rows = {side: [row for each in controls for row in moved(each, side)] for side in runs.SIDES}
    depends = judge_dependence({side: [row[3] for row in of] for side, of in rows.items()})
    return Outcome(
        "controls",
        None if depends is None else not depends,
        max(row[3] for row in rows["original"]),
        {
            "models": [measured.model for measured in controls],
            "count": len(rows["original"]),
            "moves": max(row[2]["logit"] for row in rows["original"]),
        },
        [tag_rows(measured) for measured in controls],
    )


def in_both(everything):
    """The outcome on port and original."""
    shares = [
        share_of_rounding(
            *(measured.logits(side, batch, clip) for side in ("port", "original")),
            measured.allowed[clip],
        )
        for measured in everything
        for batch in measured.batches
        for clip in measured.base
        if clip in batch
    ]
    return Outcome("whose", max(shares) <= 1, max(shares), {"count": len(shares)})


def judge_of_one(left):
    """Whether less than half is left of what tells the logits apart. left: {side: share}."""
    took = {share < 0.5 for share in left.values()}
    return took.pop() if len(took) == 1 else None


def of_one(measured):
    """The outcome on what the last normalisation does to a clip that is alone."""
    rows = statistics_rows(measured)
    last, _, values, _ = rows[-1]
    left = {
        side: signal_left(measured, side, lambda run, at: run.outputs[measured.last][at])
        for side in measured.runs
    }
    return Outcome(
        "of-one",
        judge_of_one(left),
        left["original"],
        {
            "model": measured.model,
            "last": last,
            "values": values,
            "clips": len(measured.everyone),
            "levels": signal_left(
                measured, "original", lambda run, at: runs.per_channel(run.outputs[last], at)
            ),
        },
        [Rows("statistics", rows)],
    )


def signal_left(measured, side, value):
    """Variance of value(run, position) between clips alone, over that of all in one batch."""
    everyone, found = measured.everyone, measured.runs[side]
    alone = [value(found[name,], 0) for name in everyone]
    together = [value(found[everyone], at) for at in range(len(everyone))]
    apart, joined = (
        float(np.var(np.stack(values).astype(np.float64), axis=0).sum())
        for values in (alone, together)
    )
    return apart / joined


def statistics_rows(measured):
    """[[layer, shape of its input, values in each statistic: alone, in the largest batch]]."""
    clip, layers = np.zeros((1, 1, 96, 1366), np.float32), measured.case.model.layers
    run = ports.run(measured.case, {"clip": clip}, keep=layers)["clip"]
    shapes = [clip.shape, *(run.outputs[name].shape for name in layers)]
    rows = []
    for name, shape in zip(layers, shapes, strict=False):
        if name in run.arriving:
            of_clip = int(np.prod(shape)) // len(run.arriving[name][0])
            size = " x ".join(map(str, shape[1:]))
            rows.append([name, size, of_clip, of_clip * len(measured.everyone)])
    return rows


def layer_rows(measured):
    """[[layer, share of its variance that the mates explain in the original, in the port]]."""
    kept = next(iter(measured.runs["original"].values())).outputs
    order = [name for name in (*measured.case.model.layers, measured.last) if name in kept]
    return [
        [layer, *(mates_share(measured, side, layer) for side in runs.SIDES)]
        for layer in order
        if len(measured.base) > 1
    ]


def mates_share(measured, side, layer):
    """Within-clip variance over batches, of all over clips and batches, summed over the values."""
    within, means = 0.0, []
    for clip in measured.base:
        seen = np.stack(
            [
                measured.runs[side][batch].outputs[layer][batch.index(clip)].ravel()
                for at, batch in measured.beside_others()
                if at == clip and set(batch) != {clip}
            ]
        ).astype(np.float64)
        within += seen.var(axis=0).sum() / len(measured.base)
        means.append(seen.mean(axis=0))
    between = np.var(means, axis=0).sum()
    return float(within / (within + between)) if within + between else 0.0


def tag_rows(measured):
    """Every clip in every batch, against the clip alone."""
    of_port = {(clip, batch): each["score"] for clip, batch, each, _ in moved(measured, "port")}
    rows = [
        [
            clip,
            " + ".join(batch),
            len(batch),
            *(each[key] for key in ("before", "after", "flipped", "jaccard", "tau", "score")),
            of_port[clip, batch],
            share,
            largest(*(measured.logits(side, batch, clip) for side in ("port", "original"))),
        ]
        for clip, batch, each, share in moved(measured, "original")
    ]
    return Rows("tags", rows, figures={"model": measured.model})

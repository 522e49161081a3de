"""Does the answer depend on who else is in the batch? Each clip alone and beside others, in the
original and in the port.
"""

from typing import NamedTuple

import numpy as np

from parity.errors import CannotRun
from parity.studies.unstable_cnn import batch_words, noise, runs
from parity.studies.unstable_cnn.batch_layers import layers_table, signal_left, statistics_table
from parity.studies.unstable_cnn.changes import change, largest, share_of_rounding
from parity.studies.unstable_cnn.clips import companions
from parity.studies.unstable_cnn.finding import Finding, Table, scope, verdict

THOROUGH = ("CNN0",)  # the others are its controls, on fewer batches
MOST_CLIPS = 3  # looked at one by one; more than that would only take longer
LARGEST_BATCH = 8
SIDES = ("original", "port")
MUSIC, SILENCE, NOISE, SEVERAL = MATES = (
    "other music",
    "silence",
    "noise",
    "several of these",
)  # what a clip's batch mates are


class Measured(NamedTuple):
    """One model: batches (tuples of clip names), everyone: the largest of them, runs: {side:
    {batch: Run}}, and what they are judged by.

    allowed: {clip: 2 lam sd of each logit}; layers: in network order; names: the tags.
    """

    model: str
    batches: list
    everyone: tuple
    base: tuple
    runs: dict
    allowed: dict
    layers: tuple
    names: tuple

    def logits(self, side, batch, clip):
        """The logits (N,) of a clip in a batch."""
        return self.runs[side][batch].outputs[runs.LOGITS.format(self.layers[-1])][
            batch.index(clip)
        ]

    def beside_others(self):
        """(clip, batch) of every clip looked at, in every batch of more than one."""
        return [
            (clip, batch)
            for batch in self.batches
            if len(batch) > 1
            for clip in self.base
            if clip in batch
        ]


def plan(base, beside, thorough):
    """(batches as tuples of clip names, the largest of them). base: clips to look at; beside:
    clips to put beside them.
    """
    everyone = (*base, *beside)[:LARGEST_BATCH]
    mates = beside[:3] if thorough else beside[:2]
    batches = [(name,) for name in (everyone if thorough else base)]
    batches += [
        (clip, mate) for clip in base for mate in (*base, *mates) if thorough or mate != clip
    ]
    batches += [everyone[: LARGEST_BATCH // 2], *[everyone[::-1]] * thorough]
    return list(dict.fromkeys([*batches, everyone])), everyone


def ask(subject):
    """Findings: whether CNN0's answer depends on its batch, whether its controls' do, what a batch
    of one does, and whose fault it is.
    """
    if not subject.clips:
        raise CannotRun(
            "no clip could be read, so none can be put beside another; give at least one "
            "mel spectrogram or audio file"
        )
    found = measure(subject)
    thorough = {name: measured for name, measured in found.items() if name in THOROUGH}
    findings = [
        finding
        for measured in thorough.values()
        for finding in (dependence(measured, subject), of_one(measured, subject))
    ]
    controls = [measured for name, measured in found.items() if name not in THOROUGH]
    return [
        *findings,
        *([independence(controls, subject)] if controls else []),
        in_both(list(found.values()), subject),
    ]


def measure(subject):
    """{model: Measured}."""
    clips = {**subject.clips, **companions(dict(list(subject.clips.items())[:MOST_CLIPS]))}
    base = tuple(subject.clips)[:MOST_CLIPS]
    beside = tuple(name for name in clips if name not in base)
    plans = {name: plan(base, beside, name in THOROUGH) for name in subject.cases}
    wanted = {
        name: _asked(case, plans[name][0], clips, name in THOROUGH)
        for name, case in subject.cases.items()
    }
    recorded = runs.originals({name: subject.asks(name, **asked) for name, asked in wanted.items()})
    return {
        name: _measured(subject, name, plans[name], base, recorded[name], wanted[name])
        for name in subject.cases
    }


def _asked(case, batches, clips, thorough):
    keep = runs.all_but_dropouts(case) if thorough else None
    stacked = {
        " + ".join(batch): np.concatenate([clips[name] for name in batch]) for batch in batches
    }
    return {"batches": stacked, "keep": keep, "most": 4096}


def _measured(subject, name, plan, base, original, asked):
    batches, everyone = plan
    rounding = noise.measured(subject, name)
    rows = dict(zip(rounding["clips"], np.array(rounding["allowed"]), strict=True))
    most = np.max(list(rows.values()), axis=0)
    of_side = {"original": original, "port": runs.ported(subject.cases[name], **asked)}
    return Measured(
        name,
        batches,
        everyone,
        base,
        {side: {batch: of_side[side][" + ".join(batch)] for batch in batches} for side in SIDES},
        {clip: rows.get(clip, most) for clip in base},
        subject.cases[name].model.layers,
        _tags(subject.cases[name]),
    )


def _tags(case):
    return case.model.tags


def moved(measured, side):
    """[(clip, batch, change from alone, its share of what rounding can do)] of every clip in every
    batch.
    """
    found = []
    for clip, batch in measured.beside_others():
        alone, here = measured.logits(side, (clip,), clip), measured.logits(side, batch, clip)
        found.append(
            (
                clip,
                batch,
                change(measured.names, alone, here),
                share_of_rounding(here, alone, measured.allowed[clip]),
            )
        )
    return found


def unmoved(measured):
    """Largest share of rounding's allowance by which the original's logits differ between batches
    of equal statistics.
    """
    first, shares = {}, []
    for clip, batch in [(clip, (clip,)) for clip in measured.base] + measured.beside_others():
        logits = measured.logits("original", batch, clip)
        same = first.setdefault((clip, frozenset(batch)), logits)
        shares.append(share_of_rounding(logits, same, measured.allowed[clip]))
    return max(shares)


def cases(measured, side):
    """As `moved`, of a clip beside others, each set of mates once: their order makes no case."""
    of = {
        (clip, frozenset(batch)): row
        for row in moved(measured, side)[::-1]
        for clip, batch in [row[:2]]
        if set(batch) != {clip}
    }
    return list(of.values())[::-1]


def kind(clip, batch):
    """What a clip's mates are: one of MATES."""
    kinds = {mate if mate in (SILENCE, NOISE) else MUSIC for mate in set(batch) - {clip}}
    return kinds.pop() if len(kinds) == 1 else SEVERAL


def judge_dependence(shares):
    """Proved where a logit moves further than rounding can, refuted where none does. shares:
    {side: [share of rounding's allowance]}.

    Not decidable where no clip stood beside another, or the two sides disagree.
    """
    depends = {max(of_side) > 1 if of_side else None for of_side in shares.values()}
    return verdict(depends.pop() if len(depends) == 1 else None)


def dependence(measured, subject):
    """The finding on one model that is looked at thoroughly."""
    of_side = {side: cases(measured, side) for side in SIDES}
    said = judge_dependence({side: [share for *_, share in rows] for side, rows in of_side.items()})
    of, layers = of_side["original"], layers_table(measured)
    words = batch_words.dependence(
        measured.model, said, by_kind(of), unmoved(measured), layers.rows
    )
    return Finding(
        f"batch-{measured.model}",
        words["claim"],
        said,
        {
            "what": "largest change of a score by the batch",
            "value": max(row[2]["score"] for row in of),
            "unit": "of 1",
        },
        words["advice"],
        scope(subject.data),
        [batch_words.kinds_table(measured.model, by_kind(of)), tags_table(measured), layers],
        words["sentence"],
        f"What {measured.model} says of a clip depends on the other clips of its batch",
    )


def by_kind(rows):
    """{kind of mates: (cases, first tags that change, largest change of a score, least Jaccard,
    largest share of rounding)}.
    """
    found = {}
    for name in MATES:
        of = [row for row in rows if kind(*row[:2]) == name]
        if of:
            found[name] = (
                len(of),
                sum(row[2]["flipped"] for row in of),
                max(row[2]["score"] for row in of),
                min(row[2]["jaccard"] for row in of),
                max(row[3] for row in of),
            )
    return found


def independence(controls, subject):
    """The finding on the models that have to stay where they are."""
    shares = {
        side: [row[3] for measured in controls for row in moved(measured, side)] for side in SIDES
    }
    said = judge_dependence(shares)
    names, share = " and ".join(measured.model for measured in controls), max(shares["original"])
    moves = max(row[2]["logit"] for measured in controls for row in moved(measured, "original"))
    words = batch_words.independence(names, said, len(shares["original"]), moves, share)
    return Finding(
        "batch-controls",
        words["claim"],
        said,
        {
            "what": "largest change of a logit by the batch, as a share of what rounding can do",
            "value": share,
            "unit": "",
        },
        words["advice"],
        scope(subject.data),
        [tags_table(measured) for measured in controls],
        words["sentence"],
        f"What {names} say of a clip depends on the other clips of its batch",
    )


def judge_both(shares):
    """Proved where the port is nowhere farther from the original than rounding. shares: of its
    allowance, over clips and batches.
    """
    return verdict(max(shares) <= 1 if shares else None)


def in_both(everything, subject):
    """The finding on whose fault it is."""
    shares = [
        share_of_rounding(
            measured.logits("port", batch, clip),
            measured.logits("original", batch, clip),
            measured.allowed[clip],
        )
        for measured in everything
        for batch in measured.batches
        for clip in measured.base
        if clip in batch
    ]
    said, worst = judge_both(shares), max(shares)
    words = batch_words.in_both(said, len(shares), worst)
    return Finding(
        "batch-whose",
        words["claim"],
        said,
        {
            "what": "largest difference of port and original, as a share of what rounding can do",
            "value": worst,
            "unit": "",
        },
        words["advice"],
        scope(subject.data),
        [],
        words["sentence"],
        (
            "In every batch the port answers as the original does, so that what a batch "
            "changes is the original's own"
        ),
    )


def judge_of_one(left):
    """Proved where a batch of one takes away more than half of what tells the clips' logits apart.
    left: {side: share left}.
    """
    took = {share < 0.5 for share in left.values()}
    return verdict(took.pop() if len(took) == 1 else None)


def of_one(measured, subject):
    """The finding on what the last normalisation does to a clip that is alone."""
    statistics, last = statistics_table(measured, subject.cases[measured.model])
    levels = signal_left(
        measured, "original", lambda run, at: runs.per_channel(run.outputs[last], at)
    )
    ends = {
        side: signal_left(
            measured, side, lambda run, at: run.outputs[runs.LOGITS.format(measured.layers[-1])][at]
        )
        for side in SIDES
    }
    said = judge_of_one(ends)
    words = batch_words.of_one(
        measured.model,
        said,
        last,
        statistics.rows[-1][2],
        len(measured.everyone),
        levels,
        ends["original"],
    )
    return Finding(
        f"batch-of-one-{measured.model}",
        words["claim"],
        said,
        {
            "what": (
                "variance between clips left at the logits in batches of one, against a "
                f"batch of {len(measured.everyone)}"
            ),
            "value": ends["original"],
            "unit": "of 1",
        },
        words["advice"],
        scope(subject.data),
        [statistics],
        words["sentence"],
        (
            "Alone in its batch, a clip loses more than half of what tells it from others in "
            f"{measured.model}'s logits"
        ),
    )


def tags_table(measured):
    """Every clip in every batch, against the clip alone."""
    port = {(clip, batch): (each, share) for clip, batch, each, share in moved(measured, "port")}
    rows = []
    for clip, batch, each, share in moved(measured, "original"):
        gap = largest(
            measured.logits("port", batch, clip), measured.logits("original", batch, clip)
        )
        rows.append(
            [
                clip,
                " + ".join(batch),
                len(batch),
                each["before"],
                each["after"],
                each["flipped"],
                each["jaccard"],
                each["tau"],
                each["score"],
                port[clip, batch][0]["score"],
                share,
                gap,
            ]
        )
    return Table(
        f"batch-tags-{measured.model}",
        f"{measured.model}: each clip in each batch, against the clip alone",
        [
            "clip",
            "batch",
            "size",
            "top tag alone",
            "top tag here",
            "flipped",
            "top 10 shared",
            "Kendall's tau",
            "largest change",
            "largest change (port)",
            "logits, share of rounding",
            "port - original, logits",
        ],
        rows,
        (
            "Top tags, shares and changes of scores are the original's; a share of rounding "
            "above 1 cannot be rounding. What rounding "
            "can do was measured with the first two clips in one batch; other statistics "
            "make it somewhat more or less."
        ),
    )

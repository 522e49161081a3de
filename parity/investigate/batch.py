"""Does the answer depend on who else is in the batch? Each clip alone and beside others, in the original and in the port."""

from typing import NamedTuple

import numpy as np

from parity.errors import CannotRun
from parity.investigate import noise, runs
from parity.investigate.batch_layers import layers_table, signal_left, statistics_table
from parity.investigate.changes import change, largest, share_of_rounding
from parity.investigate.clips import companions
from parity.investigate.finding import PROVED, Finding, Table, scope, verdict

THOROUGH = ("CNN0",)  # the others are its controls, on fewer batches
MOST_CLIPS = 3  # looked at one by one; more than that would only take longer
LARGEST_BATCH = 8
SIDES = ("original", "port")
PINNED = ("Always give CNN0 the same batch, or freeze its statistics (`python -m port calibrate`); what it says of a clip is said of "
          "that batch.")


class Measured(NamedTuple):
    """One model: batches (tuples of clip names), everyone: the largest of them, runs: {side: {batch: Run}}, and what they are judged by.

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
        return self.runs[side][batch].outputs[runs.LOGITS.format(self.layers[-1])][batch.index(clip)]

    def beside_others(self):
        """(clip, batch) of every clip looked at, in every batch of more than one."""
        return [(clip, batch) for batch in self.batches if len(batch) > 1 for clip in self.base if clip in batch]


def plan(base, beside, thorough):
    """(batches as tuples of clip names, the largest of them). base: clips to look at; beside: clips to put beside them."""
    everyone = (*base, *beside)[:LARGEST_BATCH]
    mates = beside[:3] if thorough else beside[:1]
    batches = [(name,) for name in (everyone if thorough else base)]
    batches += [(clip, mate) for clip in base for mate in (*base, *mates) if thorough or mate != clip]
    batches += [everyone[:LARGEST_BATCH // 2], everyone[::-1]] if thorough else []
    return list(dict.fromkeys([*batches, everyone])), everyone


def ask(subject):
    """Findings: whether CNN0's answer depends on its batch, whether its controls' do, what a batch of one does, and whose fault it is."""
    if not subject.clips:
        raise CannotRun("no clip could be read, so none can be put beside another; give at least one mel spectrogram or audio file")
    found = measure(subject)
    thorough = {name: measured for name, measured in found.items() if name in THOROUGH}
    findings = [finding for measured in thorough.values() for finding in (dependence(measured, subject), of_one(measured, subject))]
    controls = [measured for name, measured in found.items() if name not in THOROUGH]
    return [*findings, *([independence(controls, subject)] if controls else []), in_both(list(found.values()), subject)]


def measure(subject):
    """{model: Measured}."""
    clips = {**subject.clips, **companions(dict(list(subject.clips.items())[:MOST_CLIPS]))}
    base = tuple(subject.clips)[:MOST_CLIPS]
    beside = tuple(name for name in clips if name not in base)
    plans = {name: plan(base, beside, name in THOROUGH) for name in subject.cases}
    wanted = {name: _asked(case, plans[name][0], clips, name in THOROUGH) for name, case in subject.cases.items()}
    recorded = runs.originals({name: subject.asks(name, **asked) for name, asked in wanted.items()})
    return {name: _measured(subject, name, plans[name], base, recorded[name], wanted[name]) for name in subject.cases}


def _asked(case, batches, clips, thorough):
    keep = runs.all_but_dropouts(case) if thorough else None
    stacked = {" + ".join(batch): np.concatenate([clips[name] for name in batch]) for batch in batches}
    return {"batches": stacked, "keep": keep, "most": 4096}


def _measured(subject, name, plan, base, original, asked):
    batches, everyone = plan
    rounding = noise.measured(subject, name)
    rows = dict(zip(rounding["clips"], np.array(rounding["allowed"]), strict=True))
    most = np.max(list(rows.values()), axis=0)
    of_side = {"original": original, "port": runs.ported(subject.cases[name], **asked)}
    return Measured(name, batches, everyone, base, {side: {batch: of_side[side][" + ".join(batch)] for batch in batches} for side in SIDES},
                    {clip: rows.get(clip, most) for clip in base}, subject.cases[name].model.layers, _tags(subject.cases[name]))


def _tags(case):
    from port.models import MODELS

    return MODELS[case.model.name].tags


def moved(measured, side):
    """[(clip, batch, change from alone, its share of what rounding can do)] of every clip in every batch."""
    found = []
    for clip, batch in measured.beside_others():
        alone, here = measured.logits(side, (clip,), clip), measured.logits(side, batch, clip)
        found.append((clip, batch, change(measured.names, alone, here), share_of_rounding(here, alone, measured.allowed[clip])))
    return found


def unmoved(measured):
    """Largest share of rounding's allowance by which the original's logits differ between batches of equal statistics."""
    first, shares = {}, []
    for clip, batch in [(clip, (clip,)) for clip in measured.base] + measured.beside_others():
        logits = measured.logits("original", batch, clip)
        same = first.setdefault((clip, frozenset(batch)), logits)
        shares.append(share_of_rounding(logits, same, measured.allowed[clip]))
    return max(shares)


def judge_dependence(shares):
    """Proved where a logit moves further than rounding can, refuted where none does. shares: {side: [share of rounding's allowance]}.

    Not decidable where no clip stood beside another, or the two sides disagree.
    """
    depends = {max(of_side) > 1 if of_side else None for of_side in shares.values()}
    return verdict(depends.pop() if len(depends) == 1 else None)


def dependence(measured, subject):
    """The finding on one model that is looked at thoroughly."""
    by_side = {side: [row for row in moved(measured, side) if set(row[1]) != {row[0]}] for side in SIDES}
    said = judge_dependence({side: [share for *_, share in rows] for side, rows in by_side.items()})
    of = by_side["original"]
    flips, score = sum(row[2]["flipped"] for row in of), max(row[2]["score"] for row in of)
    shared, share = min(row[2]["jaccard"] for row in of), max(row[3] for row in of)
    layers = layers_table(measured)
    explained = f" The batch mates explain {layers.rows[-1][1]:.0%} of the logits' variance." if layers.rows else ""
    figures = (f"the top tag is another in {flips} of {len(of)} cases, a score moves by up to {score:.3f}, as little as {shared:.2f} of "
               f"the top {of[0][2]['k']} is shared, and the logits move by {share:.3g} times what rounding can do")
    does = "depends" if said == PROVED else "does not depend"
    return Finding(
        f"batch-{measured.model}", f"What {measured.model} says of a clip depends on the other clips of its batch: beside others, "
        f"{figures}.{explained} Beside itself, or with the others in another order, it moves by at most {unmoved(measured):.2g} of it.",
        said, {"what": "largest change of a score by the batch", "value": score, "unit": "of 1"},
        PINNED if said == PROVED else "Nothing: any batch will do.", scope(subject.data), [tags_table(measured), layers],
        f"{measured.model}'s answer {does} on its batch mates: the top tag changes in {flips} of {len(of)} cases, scores by up to "
        f"{score:.2f}.")


def independence(controls, subject):
    """The finding on the models that have to stay where they are."""
    shares = {side: [row[3] for measured in controls for row in moved(measured, side)] for side in SIDES}
    said = judge_dependence(shares)
    names, share = " and ".join(measured.model for measured in controls), max(shares["original"])
    moves = max(row[2]["logit"] for measured in controls for row in moved(measured, "original"))
    return Finding(
        "batch-controls", f"What {names} say of a clip depends on the other clips of its batch: their logits move by up to {moves:.2g}, "
        f"{share:.2g} times what rounding can do.", said,
        {"what": "largest change of a logit by the batch, as a share of what rounding can do", "value": share, "unit": ""},
        PINNED if said == PROVED else "Nothing: these may be given any batch.", scope(subject.data),
        [tags_table(measured) for measured in controls],
        f"{names} move by at most {share:.2g} of what rounding allows.")


def judge_both(shares):
    """Proved where the port is nowhere farther from the original than rounding. shares: of its allowance, over clips and batches."""
    return verdict(max(shares) <= 1 if shares else None)


def in_both(everything, subject):
    """The finding on whose fault it is."""
    shares = [share_of_rounding(measured.logits("port", batch, clip), measured.logits("original", batch, clip), measured.allowed[clip])
              for measured in everything for batch in measured.batches for clip in measured.base if clip in batch]
    said, worst = judge_both(shares), max(shares)
    whose = "the original's own, not a fault of the port" if said == PROVED else "not the original's alone"
    return Finding(
        "batch-whose", f"The dependence is the original's own: in {len(shares)} cases of a clip in a batch the port's logits differ from "
        f"the original's by at most {worst:.2g} of what rounding can do.", said,
        {"what": "largest difference of port and original, as a share of what rounding can do", "value": worst, "unit": ""},
        "Do not look for it in the port." if said == PROVED else "Run `make parity` with these clips: the port differs from the original.",
        scope(subject.data), [], f"This is {whose}: they differ by at most {worst:.2g} of rounding's allowance.")


def judge_of_one(left):
    """Proved where a batch of one takes away more than half of what tells clips apart. left: {side: share left}."""
    took = {share < 0.5 for share in left.values()}
    return verdict(took.pop() if len(took) == 1 else None)


def of_one(measured, subject):
    """The finding on what the last normalisation does to a clip that is alone."""
    statistics, last = statistics_table(measured, subject.cases[measured.model])
    levels = {side: signal_left(measured, side, lambda run, at: runs.per_channel(run.outputs[last], at)) for side in SIDES}
    ends = {side: signal_left(measured, side, lambda run, at: run.outputs[runs.LOGITS.format(measured.layers[-1])][at]) for side in SIDES}
    said, values = judge_of_one(levels), statistics.rows[-1][2]
    return Finding(
        f"batch-of-one-{measured.model}", f"Alone, a clip loses at {last} what tells it from others: each statistic is made of its own "
        f"{values} values; of the variance between {len(measured.everyone)} clips {levels['original']:.2g} is left in the levels of its "
        f"channels, and {ends['original']:.2f} in the logits.", said,
        {"what": f"variance between clips left at the logits in batches of one, against a batch of {len(measured.everyone)}",
         "value": ends["original"], "unit": "of 1"},
        "Never tag one clip alone with batch statistics; freeze them (`python -m port calibrate`)." if said == PROVED else "Nothing.",
        scope(subject.data), [statistics],
        f"Alone, {last} makes each statistic of {values} values; {ends['original']:.0%} of the logits' variance between clips is left.")


def tags_table(measured):
    """Every clip in every batch, against the clip alone."""
    port = {(clip, batch): (each, share) for clip, batch, each, share in moved(measured, "port")}
    rows = []
    for clip, batch, each, share in moved(measured, "original"):
        gap = largest(measured.logits("port", batch, clip), measured.logits("original", batch, clip))
        rows.append([clip, " + ".join(batch), len(batch), each["before"], each["after"], each["flipped"], each["jaccard"], each["tau"],
                     each["score"], port[clip, batch][0]["score"], share, gap])
    return Table(f"batch-tags-{measured.model}", f"{measured.model}: each clip in each batch, against the clip alone",
                 ["clip", "batch", "size", "top tag alone", "top tag here", "flipped", "top 10 shared", "Kendall's tau", "largest change",
                  "largest change (port)", "logits, share of rounding", "port - original, logits"], rows,
                 "Top tags, shares and changes of scores are the original's; a share of rounding above 1 cannot be rounding.")

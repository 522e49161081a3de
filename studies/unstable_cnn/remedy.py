"""What to do: CNN0's statistics frozen at a calibration set, and CNN's input corrected. What each
changes, and whether it helps.

The original has no frozen statistics, so that remedy is shown on the port beside the original as
it is; a corrected input is just another input, and shown on both. CNN's correction is the one that
fits what its normalisations stored (question `input`), chosen without a look at any tag; CNN0,
which has the same tags, takes no part in the choice and judges it.
"""

from pathlib import Path

import numpy as np

from parity.errors import CannotRun
from parity.studies.unstable_cnn import input_fit, noise, ports, runs
from parity.studies.unstable_cnn.input import judge_agreement
from parity.studies.unstable_cnn.input_candidates import ASIS
from parity.studies.unstable_cnn.outcome import Outcome, Rows
from parity.studies.unstable_cnn.subject import companions
from parity.studies.unstable_cnn.tags import (
    correlation,
    first_tags,
    largest,
    published,
    scores_of,
    share_of_rounding,
)

LARGEST_BATCH = 8
FRONT_END = "2016"  # of the published predictions
SILENCE = "silence"


def ask(subject):
    """Whether the remedies help, of those models that are investigated."""
    clips = dict(list(subject.with_sound("try a remedy on").items())[:LARGEST_BATCH])
    if not {"CNN0", "CNN"} & set(subject.cases):
        raise CannotRun(
            "neither CNN0 nor CNN is investigated, and the others need no remedy; name "
            "one of them with --model"
        )
    heard = {**clips, **recordings(subject.audio, clips)}
    return [
        find(subject, clips, heard)
        for name, find in (("CNN0", frozen), ("CNN", corrected))
        if name in subject.cases
    ]


def recordings(audio, clips):
    """{file name: (1, 1, 96, 1366) float32} of new recordings, a wav before an mp3."""
    from tagger.audio import AudioError, melgram

    found = {}
    for name, path in sorted(audio.items(), key=lambda item: Path(item[1]).suffix, reverse=True):
        if name not in clips and Path(path).stem not in {Path(known).stem for known in found}:
            try:
                found[name] = melgram(path, FRONT_END)
            except AudioError:
                continue  # question `front_end` says so
    return found


def plan(clips, heard):
    """Batches as tuples of clip names: alone, beside silence, and together in several ways."""
    everyone = tuple(heard)[:LARGEST_BATCH]
    recorded = tuple(name for name in everyone if name not in clips)
    groups = [tuple(clips), *[recorded] * bool(recorded), everyone, everyone[::-1]]
    alone, beside = ([(name, *mate) for name in everyone] for mate in ((), (SILENCE,)))
    return list(dict.fromkeys([*alone, *beside, *groups]))


def joined(batches, heard):
    """{tuple of names: (B, 1, 96, 1366)}."""
    known = {SILENCE: companions({})[SILENCE], **heard}
    return {names: np.concatenate([known[name] for name in names]) for names in batches}


def originals(subject, model, wanted):
    """{when: {names: Run}} of the original for {when: {names: batch}}, in one process."""
    labels = {
        (when, names): f"{when} {at}"
        for when, batches in wanted.items()
        for at, names in enumerate(batches)
    }
    batches = {label: wanted[when][names] for (when, names), label in labels.items()}
    found = subject.originals({model: {"batches": batches}})[model]
    return {
        when: {names: found[labels[when, names]] for names in batches}
        for when, batches in wanted.items()
    }


def by_clip(found, layers):
    """{clip: {batch: logits (N,)}} of {batch: Run}, silence left out."""
    logits = {}
    for names, run in found.items():
        for name, row in zip(names, run.outputs[runs.LOGITS.format(layers[-1])], strict=True):
            logits.setdefault(name, {})[names] = row
    return {name: rows for name, rows in logits.items() if name != SILENCE}


def moved(logits, change):
    """The largest `change(row, alone)` by which any batch moves any clip from where it is alone."""
    return max(change(row, rows[name,]) for name, rows in logits.items() for row in rows.values())


def of_scores(logits, others):
    """The largest difference of a score."""
    return largest(scores_of(logits), scores_of(others))


def of_rounding(allowed):
    """change(row, alone): the share of `allowed`."""
    return lambda row, alone: share_of_rounding(row, alone, allowed)


def _allowed(subject, model):
    """What rounding can do to each logit, (N,): the most of the clips it was measured on."""
    return np.max(noise.measured(subject, model)["allowed"], axis=0)


def judge_frozen(before, after, gap):
    """Whether freezing helps: the batch moved the tags, moves them no more, and the calibration
    batch gets mode 2's answer.

    before, after, gap: shares of what rounding may do; above 1 is more than rounding.
    """
    return before > 1 and after <= 1 and gap <= 1


def frozen(subject, clips, heard):
    """The outcome on CNN0, calibrated on `clips`, the recordings among `heard` being new to it."""
    case = subject.cases["CNN0"]
    batches, layers = joined(plan(clips, heard), heard), case.model.layers
    share = of_rounding(_allowed(subject, "CNN0"))
    sides = {
        "original": originals(subject, "CNN0", {"as it is": batches})["as it is"],
        "port": ports.run(case, batches),
        "frozen": calibrated(case, clips, batches),
    }
    logits = {side: by_clip(found, layers) for side, found in sides.items()}
    before, after = (moved(logits[side], share) for side in ("original", "frozen"))
    together = tuple(clips)
    gap = max(
        share(*(logits[side][name][together] for side in ("frozen", "port"))) for name in together
    )
    without = _without(case, clips, logits["frozen"])
    score = moved(logits["frozen"], of_scores)
    return Outcome(
        "frozen",
        judge_frozen(before, after, gap),
        score,
        {
            "model": "CNN0",
            "remedied": "frozen",
            "score_before": moved(logits["original"], of_scores),
            "shares": [before, after, gap],
            "clips": len(clips),
            "without": max((row[-1] for row in without), default=None),
        },
        [
            Rows("tags", _tag_rows("CNN0", logits, "frozen")),
            *([Rows("without", without)] if without else []),
        ],
    )


def calibrated(case, clips, batches):
    """{batch: Run} of the port with CNN0's statistics frozen at `clips`."""
    from tagger.calibration import calibrate

    tagger = ports.loaded(case)
    calibrate(tagger, list(clips.values()))
    return ports.called(tagger, batches)


def _without(case, clips, seen):
    """[[clip, tags with it, tags calibrated without it, largest change]]: a poor calibration."""
    rows = []
    for name in clips if len(clips) > 1 else ():
        others = {other: x for other, x in clips.items() if other != name}
        found = calibrated(case, others, joined([(name,)], clips))
        with_it, row = (logits[name][name,] for logits in (seen, by_clip(found, case.model.layers)))
        said = (first_tags(scores_of(each)) for each in (with_it, row))
        rows.append([name, *said, of_scores(row, with_it)])
    return rows


def chosen(case, clips):
    """The correction of the port that fits the weights best; ASIS where decibels fit."""
    tried = input_fit.prepare(case, clips)
    seen = input_fit.look_at(tried, {"port": ports.run(case, tried.batches)})["port"]
    return (seen["applied"] or ASIS) if seen["differs"] is not False else ASIS


def judge_corrected(before, after, moved_after):
    """Whether correcting helps: every clip of either side agrees better with CNN0, and no batch
    moves a tag beyond rounding.

    before, after: correlations, empty where CNN0 is not there (not decidable); moved_after: share
    of what rounding may do.
    """
    if not before:
        return None
    return moved_after <= 1 and judge_agreement(before, after)


def corrected(subject, clips, heard):
    """The outcome on CNN with its input corrected, in the original and in the port."""
    case, name = subject.cases["CNN"], chosen(subject.cases["CNN"], clips)
    if name == ASIS:
        return Outcome("nothing-to-correct", False, 0.0, {})
    batches = joined(plan(clips, heard), heard)
    wanted = {
        "before": batches,
        "after": {names: _correct(name, x) for names, x in batches.items()},
    }
    logits = _logits_of_sides(subject, case, wanted)
    share = of_rounding(_allowed(subject, "CNN"))
    by_batch = max(moved(logits[side, "after"], share) for side in runs.SIDES)
    judge = _judge(subject, heard)
    before, after = (_agreement(logits, when, judge) for when in wanted)
    apart = max(
        of_scores(row, logits["original", "after"][clip][names])
        for clip, rows in logits["port", "after"].items()
        for names, row in rows.items()
    )
    changed, pieces = turned(*(logits["original", when] for when in wanted))
    shown = {
        "original": logits["original", "before"],
        "port": logits["port", "before"],
        "corrected": logits["original", "after"],
    }
    return Outcome(
        "corrected",
        judge_corrected(before, after, by_batch),
        float(np.mean(after) - np.mean(before)) if before else 0.0,
        {
            "model": "CNN",
            "remedied": "corrected",
            "name": name,
            "changed": changed,
            "pieces": pieces,
            "apart": apart,
            "by_batch": by_batch,
            "before": [min(before), max(before)] if before else None,
            "after": [min(after), max(after)] if after else None,
        },
        [Rows("tags", _tag_rows("CNN", shown, "corrected"))],
    )


def _logits_of_sides(subject, case, wanted):
    """{(side, when): {clip: {batch: logits}}} of CNN on the batches {when: {names: values}}."""
    sides = {
        "original": originals(subject, "CNN", wanted),
        "port": {when: ports.run(case, x) for when, x in wanted.items()},
    }
    return {
        (side, when): by_clip(found[when], case.model.layers)
        for side, found in sides.items()
        for when in wanted
    }


def _agreement(logits, when, judge):
    """Correlations of either side's logits of each clip alone with the judge's."""
    return [
        correlation(logits[side, when][clip][clip,], row)
        for side in runs.SIDES
        for clip, row in judge.items()
    ]


def _judge(subject, heard):
    """{clip: CNN0's logits, all clips in one batch}; empty without CNN0."""
    if "CNN0" not in subject.cases:
        return {}
    everyone, case = tuple(heard)[:LARGEST_BATCH], subject.cases["CNN0"]
    found = by_clip(ports.run(case, joined([everyone], heard)), case.model.layers)
    return {clip: rows[everyone] for clip, rows in found.items()}


def turned(before, after):
    """({piece: [first tag, the new one]} of those that change, how many pieces)."""
    rows = [(Path(clip).stem, before[clip][clip,], rows[clip,]) for clip, rows in after.items()]
    changed = {
        piece: [first_tags(scores_of(logits), 1) for logits in (old, new)]
        for piece, old, new in rows[::-1]
        if np.argmax(new) != np.argmax(old)
    }
    return changed, len({piece for piece, *_ in rows})


def _correct(name, batch):
    from tagger.corrections import correct

    return correct(name, batch)


def _tag_rows(model, logits, remedied):
    """Before and after, of every clip in every batch, and the published tags of 2018."""
    rows = []
    for clip, by_names in logits["original"].items():
        after = logits[remedied][clip]
        for names, row in by_names.items():
            rows.append(
                [
                    clip,
                    "alone" if len(names) == 1 else " + ".join(names),
                    first_tags(scores_of(row)),
                    first_tags(scores_of(after[names])),
                    of_scores(row, by_names[clip,]),
                    of_scores(after[names], after[clip,]),
                    of_scores(logits["port"][clip][names], row),
                ]
            )
        rows += [[clip, "published, 2018", said, *[None] * 4] for said in published(model, clip)]
    return rows

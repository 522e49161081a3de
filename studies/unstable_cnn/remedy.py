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
from parity.recording import stacks
from parity.studies.unstable_cnn import input as fit
from parity.studies.unstable_cnn import noise, remedy_words, runs
from parity.studies.unstable_cnn.changes import largest, share_of_rounding
from parity.studies.unstable_cnn.clips import companions
from parity.studies.unstable_cnn.finding import Finding, Table, scope, verdict
from parity.studies.unstable_cnn.input_agreement import correlations, judge_agreement
from parity.studies.unstable_cnn.input_candidates import ASIS
from parity.studies.unstable_cnn.remedy_tables import scores_of, tag_table, tags

LARGEST_BATCH = 8
FRONT_END = "2016"  # of the published predictions
SILENCE = "silence"
GAIN = "mean gain in correlation with CNN0's logits"


def ask(subject):
    """The findings on CNN0 and CNN, of those that are investigated. Silent clips are left out, and
    more than make a batch.

    Raises CannotRun where there is no other clip, neither model, or the original cannot be run.
    """
    clips = dict([(name, x) for name, x in subject.clips.items() if np.ptp(x)][:LARGEST_BATCH])
    if not clips:
        raise CannotRun(
            "there is no clip with any sound to try a remedy on; name at least one mel "
            "spectrogram (.npy) or audio file"
        )
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
    """{file name: (1, 1, 96, 1366) float32}: recordings that are no clips yet, by the front end of
    the published predictions.
    """
    from tagger.audio import AudioError, melgram

    found = {}
    for name, path in sorted(
        audio.items(), key=lambda item: Path(item[1]).suffix, reverse=True
    ):  # a wav before an mp3 of the same music
        if name not in clips and Path(path).stem not in {Path(known).stem for known in found}:
            try:
                found[name] = melgram(path, FRONT_END)
            except AudioError:
                continue  # question `front_end` says so
    return found


def plan(clips, heard):
    """Batches as tuples of clip names: each alone, each beside silence, the clips, the recordings,
    and everyone, either way round.
    """
    everyone = tuple(heard)[:LARGEST_BATCH]
    recorded = tuple(name for name in everyone if name not in clips)
    return list(
        dict.fromkeys(
            [
                *((name,) for name in everyone),
                *((name, SILENCE) for name in everyone),
                tuple(clips)[:LARGEST_BATCH],
                *[recorded] * bool(recorded),
                everyone,
                everyone[::-1],
            ]
        )
    )


def joined(batches, heard):
    """{tuple of names: (B, 1, 96, 1366)}."""
    known = {SILENCE: companions({})[SILENCE], **heard}
    return {names: np.concatenate([known[name] for name in names]) for names in batches}


def originals(subject, case, wanted):
    """{when: {tuple of names: Run}} of the original for {when: {tuple of names: batch}}, in one
    process.
    """
    labels = {
        f"{when} {at}": (when, names)
        for when, batches in wanted.items()
        for at, names in enumerate(batches)
    }
    together = {label: wanted[when][names] for label, (when, names) in labels.items()}
    found = runs.originals({"": subject.asks(case.model.name, together)})[""]
    return {
        when: {names: found[label] for label, (of, names) in labels.items() if of == when}
        for when in wanted
    }


def by_clip(found, layers):
    """{clip: {batch: logits (N,)}} of {batch: Run}, silence left out."""
    logits = {}
    for names, run in found.items():
        for name, row in zip(names, run.outputs[runs.LOGITS.format(layers[-1])], strict=True):
            logits.setdefault(name, {})[names] = row
    return {name: rows for name, rows in logits.items() if name != SILENCE}


def moved(logits, allowed):
    """The largest share of `allowed` by which any batch moves any clip from where it is alone."""
    return max(
        share_of_rounding(row, rows[name,], allowed)
        for name, rows in logits.items()
        for row in rows.values()
    )


def judge_frozen(before, after, gap):
    """Whether freezing helps: the batch moved the tags, moves them no more, and the calibration
    batch gets mode 2's answer.

    before, after, gap: shares of what rounding may do; above 1 is more than rounding.
    """
    return before > 1 and after <= 1 and gap <= 1


def frozen(subject, clips, heard):
    """The finding on CNN0, calibrated on `clips`, the recordings among `heard` being new to it."""
    case = subject.cases["CNN0"]
    batches, layers = joined(plan(clips, heard), heard), case.model.layers
    allowed = _allowed(subject, "CNN0")
    given = {
        "original": originals(subject, case, {"as it is": batches})["as it is"],
        "port": runs.ported(case, batches),
        "frozen": calibrated(case, clips, batches),
    }
    logits = {side: by_clip(found, layers) for side, found in given.items()}
    before, after = moved(logits["original"], allowed), moved(logits["frozen"], allowed)
    calibration = tuple(clips)[:LARGEST_BATCH]
    gap = max(
        share_of_rounding(
            logits["frozen"][name][calibration], logits["port"][name][calibration], allowed
        )
        for name in calibration
    )
    holds = judge_frozen(before, after, gap)
    scores = [
        max(
            largest(scores_of(row), scores_of(rows[name,]))
            for name, rows in logits[side].items()
            for row in rows.values()
        )
        for side in ("original", "frozen")
    ]
    without = _without(case, clips, logits["frozen"])
    words = remedy_words.frozen(
        holds,
        scores,
        (before, after, gap),
        len(clips),
        without and max(row[-1] for row in without.rows),
    )
    effect = {
        "what": "largest change of a score by its batch, once frozen",
        "value": scores[1],
        "unit": "of 1",
    }
    evidence = [tag_table("CNN0", logits, "frozen"), *filter(None, [without])]
    return Finding(
        "remedy-CNN0",
        words["claim"],
        verdict(holds),
        effect,
        words["advice"],
        scope(subject.data),
        evidence,
        words["sentence"],
        (
            "With its statistics frozen at a calibration set, CNN0's answer does not depend "
            "on the batch"
        ),
    )


def calibrated(case, clips, batches):
    """{batch: Run} of the port with CNN0's statistics frozen at `clips`."""
    from parity.port.weights import load
    from tagger.calibration import calibrate

    tagger = load(case.model.name, case.weights, stacks.STACKS[case.model.stack].keras)
    calibrate(tagger, list(clips.values()))
    return runs.called(tagger, batches)


def _without(case, clips, seen):
    """The table of each clip calibrated on the other clips only: what a poor calibration costs.
    None where there are no others.
    """
    if len(clips) < 2:
        return None
    rows = []
    for name in clips:
        others = {other: x for other, x in clips.items() if other != name}
        row = by_clip(calibrated(case, others, joined([(name,)], clips)), case.model.layers)[name][
            name,
        ]
        rows.append(
            [
                name,
                tags(seen[name][name,]),
                tags(row),
                largest(scores_of(row), scores_of(seen[name][name,])),
            ]
        )
    note = "A calibration set has to hold clips such as those to be tagged."
    return Table(
        "remedy-CNN0-without",
        "CNN0 calibrated with the clip and on the other clips only",
        ["clip", "with", "without", "largest change"],
        rows,
        note,
    )


def chosen(case, clips):
    """The name of the correction that fits the weights best of those the port offers, ASIS where
    decibels do.
    """
    tried = fit.prepare(case, clips)
    seen = fit.look_at(tried, {"port": runs.ported(case, tried.batches)})["port"]
    return (seen["applied"] or ASIS) if seen["differs"] is not False else ASIS


def judge_corrected(before, after, moved_after):
    """Whether correcting helps: every clip of either side agrees better with CNN0, and no batch
    moves a tag beyond rounding.

    before, after: correlations, None where CNN0 is not there (not decidable); moved_after: share
    of what rounding may do.
    """
    if before is None:
        return None
    return moved_after <= 1 and judge_agreement(before, after)


def corrected(subject, clips, heard):
    """The finding on CNN with its input corrected, in the original and in the port."""
    case, name = subject.cases["CNN"], chosen(subject.cases["CNN"], clips)
    if name == ASIS:
        return _finding(subject, False, 0.0, remedy_words.NOTHING_TO_CORRECT, [])
    batches = joined(plan(clips, heard), heard)
    wanted = {
        "before": batches,
        "after": {names: _correct(name, x) for names, x in batches.items()},
    }
    sides = {
        "original": originals(subject, case, wanted),
        "port": {when: runs.ported(case, given) for when, given in wanted.items()},
    }
    logits = {
        f"{side}, {when}": by_clip(found[when], case.model.layers)
        for side, found in sides.items()
        for when in wanted
    }
    by_batch = max(moved(logits[f"{side}, after"], _allowed(subject, "CNN")) for side in sides)
    before, after = (
        _agreement(subject, heard, [logits[f"{side}, {when}"] for side in sides]) for when in wanted
    )
    return _on_correction(subject, name, logits, (before, after), by_batch)


def _agreement(subject, heard, sides):
    """[correlation of CNN's logits with CNN0's] of each side and clip alone; None without CNN0,
    which scores all clips in one batch.
    """
    if "CNN0" not in subject.cases:
        return None
    everyone = tuple(heard)[:LARGEST_BATCH]
    case = subject.cases["CNN0"]
    judge = by_clip(runs.ported(case, joined([everyone], heard)), case.model.layers)
    return [
        correlations(logits[name][name,][None], judge[name][everyone][None])[0]
        for logits in sides
        for name in everyone
    ]


def _on_correction(subject, name, logits, correlation, by_batch):
    (before, after), holds = correlation, judge_corrected(*correlation, by_batch)
    apart = max(
        largest(scores_of(row), scores_of(logits["original, after"][clip][names]))
        for clip, by_names in logits["port, after"].items()
        for names, row in by_names.items()
    )
    gain = float(np.mean(after) - np.mean(before)) if before else 0.0
    words = remedy_words.corrected(holds, name, turned(logits), apart, (before, after), by_batch)
    shown = {
        "original": "original, before",
        "port": "port, before",
        "corrected": "original, after",
        "corrected port": "port, after",
    }
    return _finding(
        subject,
        holds,
        gain,
        words,
        [tag_table("CNN", {side: logits[key] for side, key in shown.items()}, "corrected")],
    )


def turned(logits):
    """({piece: (first tag, the new one)} where that of a clip alone changes, how many pieces): a
    mel and a wav of one piece are one.
    """
    rows = [
        (Path(clip).stem, logits["original, before"][clip][clip,], by_names[clip,])
        for clip, by_names in logits["original, after"].items()
    ]
    changed = {
        piece: (tags(old, 1), tags(new, 1))
        for piece, old, new in rows[::-1]
        if np.argmax(new) != np.argmax(old)
    }
    return changed, len({piece for piece, *_ in rows})


def _finding(subject, holds, gain, words, evidence):
    effect = {"what": GAIN, "value": gain, "unit": "correlation"}
    return Finding(
        "remedy-CNN",
        words["claim"],
        verdict(holds),
        effect,
        words["advice"],
        scope(subject.data, carries_over=False),
        evidence,
        words["sentence"],
        (
            "With its input corrected, CNN agrees better with CNN0 on every clip, and no "
            "batch moves its tags"
        ),
    )


def _correct(name, batch):
    from tagger.corrections import correct

    return correct(name, batch)


def _allowed(subject, model):
    """What rounding can do to each logit, (N,): the most of the clips it was measured on."""
    return np.max(noise.measured(subject, model)["allowed"], axis=0)

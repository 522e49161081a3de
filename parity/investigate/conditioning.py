"""How well-conditioned is the network there? Small changes of the input followed through the layers, against the margins of the tags.

Amplification at a layer: rms of the change over rms of the output, by the same of the input.
"""

from typing import NamedTuple

import numpy as np

from parity.errors import CannotRun
from parity.investigate import noise, runs
from parity.investigate.finding import PROVED, REFUTED, Finding, Table, scope, verdict
from parity.tags import ranking

SEED = 20160618
ROUNDING, SCATTERED, LOUDER = "1e-6 relative", "0.1 dB, random signs", "0.1 dB louder"
PERTURBATIONS = {  # name -> the batch so changed; signs: +1 or -1 for each value
    ROUNDING: lambda batch, signs: batch * (1 + np.float32(1e-6) * signs),
    SCATTERED: lambda batch, signs: batch + np.float32(0.1) * signs,
    LOUDER: lambda batch, signs: batch + np.float32(0.1),
}
SIDES = ("original", "port")
STEADY = "CRNN"  # the network that nobody called unstable; the others are held against it


class Measured(NamedTuple):
    """One model. amplification: {side: {perturbation: {layer: figure}}}; margins: [Margin]."""

    model: str
    amplification: dict
    margins: list


class Margin(NamedTuple):
    """One clip under one perturbation, in the original. used: the largest share of the top tag's margin to another that it takes.

    margin: of the first tag to the second, logits; moved: the largest change of the first tag's distance to another; flipped:
    whether another tag is first; rounding: what it can do to the distance of the first two, between two computations.
    """

    clip: str
    perturbation: str
    top: str
    margin: float
    moved: float
    used: float
    flipped: bool
    rounding: float


def ask(subject):
    """Findings: whether changes of rounding's size, or of 0.1 dB, can turn a top tag, and which network amplifies them more."""
    if not subject.clips:
        raise CannotRun("no clip could be read, so none can be changed; give at least one mel spectrogram or audio file")
    found = measure(subject)
    findings = [turning(found, subject, (ROUNDING,), "conditioning-rounding", "A change of rounding's size (1e-6 of each value)"),
                turning(found, subject, (SCATTERED, LOUDER), "conditioning-decibel", "A change of 0.1 dB")]
    names = {measured.model for measured in found}
    return [*findings, *([compared(found, subject)] if STEADY in names and len(names) > 1 else [])]


def measure(subject):
    """[Measured]: every model of the subject on its first clips."""
    names = list(subject.clips)[:noise.MOST_CLIPS]
    given = np.concatenate([subject.clips[name] for name in names])
    signs = np.random.default_rng(SEED).choice(np.float32([-1, 1]), given.shape)
    batches = {"as it is": given, **{name: change(given, signs) for name, change in PERTURBATIONS.items()}}
    wanted = {name: {"case": case, "batches": batches, "most": 4096, "keep": _worth_keeping(case)} for name, case in subject.cases.items()}
    recorded = runs.originals({name: {**asked, "progress": subject.progress} for name, asked in wanted.items()})
    return [_measured(subject, name, names, {"original": recorded[name], "port": runs.ported(**asked)}, batches)
            for name, asked in wanted.items()]


def _worth_keeping(case):
    """All layers but the dropouts, which change nothing."""
    from port.models import MODELS

    return [name for name, kind, _ in MODELS[case.model.name].layers if kind != "Dropout"]


def _measured(subject, name, clips, answers, batches):
    from port.models import MODELS

    case, amplified = subject.cases[name], {}
    for side, found in answers.items():
        amplified[side] = {perturbation: amplification(batches, found, perturbation) for perturbation in PERTURBATIONS}
    last, rounding = runs.LOGITS.format(case.model.layers[-1]), np.array(noise.measured(subject, name)["allowed"])
    logits = {label: run.outputs[last].astype(np.float64) for label, run in answers["original"].items()}
    tags = MODELS[case.model.name].tags
    margins = [_margin(clip, perturbation, tags, logits["as it is"][at], logits[perturbation][at], rounding[at])
               for at, clip in enumerate(clips) for perturbation in PERTURBATIONS]
    return Measured(name, amplified, margins)


def amplification(batches, answers, perturbation):
    """{layer: relative change there over relative change of the input}, in network order, the logits in the scores' place."""
    kept = answers["as it is"].outputs
    last = next(name for name in kept if name.endswith(":logits"))
    order = [name for name in kept if name != last.removesuffix(":logits")]
    given = _relative(batches[perturbation], batches["as it is"])
    return {name: _relative(answers[perturbation].outputs[name], kept[name]) / given for name in order}


def _relative(changed, values):
    gap = np.subtract(changed, values, dtype=np.float64)
    return float(np.sqrt(np.mean(np.square(gap)) / np.mean(np.square(values, dtype=np.float64))))


def _margin(clip, perturbation, tags, before, after, rounding):
    first, second = ranking(before)[:2]
    others = [index for index in range(len(before)) if index != first]
    gap, moved = before[first] - before[others], np.abs((after[first] - after[others]) - (before[first] - before[others]))
    used = float(np.max(np.where(moved == 0, 0.0, moved / np.maximum(gap, 1e-300))))
    return Margin(clip, perturbation, tags[first], float(before[first] - before[second]), float(moved.max()), used,
                  ranking(after)[0] != first, float(rounding[first] + rounding[second]))


def judge_turning(used):
    """Proved where a change takes a whole margin, refuted where none does. used: the shares taken."""
    return verdict(max(used) >= 1 if used else None)


def turning(found, subject, perturbations, name, what):
    """The finding on whether such a change can turn a top tag."""
    rows = [(measured.model, margin) for measured in found for margin in measured.margins if margin.perturbation in perturbations]
    said = judge_turning([margin.used for _, margin in rows])
    model, worst = max(rows, key=lambda row: row[1].used)
    flips = sum(margin.flipped for _, margin in rows)
    can = "can" if said == PROVED else "cannot"
    return Finding(
        name, f"{what} can turn a top tag: it takes at most {worst.used:.2g} of a top tag's margin ({model}, {worst.clip}, {worst.top}), "
        f"and turned {flips} of {len(rows)}.", said,
        {"what": "largest share of a top tag's margin that it takes", "value": worst.used, "unit": "of the margin"},
        "Report no top tag whose margin is smaller than this." if said == PROVED else
        "Do not look here for the instability: the network is not at the edge of another answer.", scope(subject.data),
        [_margins_table(name, found, perturbations), *(_layers_table(name, measured, perturbations) for measured in found)],
        f"{what} {can} turn a top tag: at most {worst.used:.2g} of its margin.")


def _margins_table(name, found, perturbations):
    rows = [[measured.model, *margin[:6], margin.flipped, margin.rounding] for measured in found for margin in measured.margins
            if margin.perturbation in perturbations]
    return Table(f"{name}-margins", "Margins of the top tags (original)", ["model", "clip", "change", "top tag", "margin to the next",
                 "moved by", "share of margin", "turned", "rounding can move it by"], rows,
                 "Logits. The share is the largest over all other tags: from 1 on the top tag can turn.")


def _layers_table(name, measured, perturbations):
    columns = [f"{perturbation} ({side})" for perturbation in perturbations for side in SIDES]
    layers = next(iter(measured.amplification["original"].values()))
    rows = [[layer, *(measured.amplification[side][perturbation][layer] for perturbation in perturbations for side in SIDES)]
            for layer in layers]
    return Table(f"{name}-{measured.model}", f"{measured.model}: amplification through the layers", ["layer", *columns], rows,
                 "Relative change of a layer's output over the relative change of the input; 1: as it came.",
                 {"kind": "lines", "x": "layer", "y": columns, "series": None, "log": True})


def at_the_end(measured, side, perturbation):
    """Amplification from the input to the logits."""
    return list(measured.amplification[side][perturbation].values())[-1]


def judge_compared(ratios):
    """Proved where every ratio of amplifications is above 1, refuted where none is, else not decidable."""
    above = {ratio > 1 for ratio in ratios}
    return verdict(above.pop() if len(above) == 1 else None)


def compared(found, subject):
    """The finding on which network amplifies more."""
    by_name = {measured.model: measured for measured in found}
    rows = [[name, perturbation, side, at_the_end(measured, side, perturbation), at_the_end(by_name[STEADY], side, perturbation)]
            for name, measured in by_name.items() if name != STEADY for perturbation in PERTURBATIONS for side in SIDES]
    ratios = [row[3] / row[4] for row in rows]
    said = judge_compared(ratios)
    names = " and ".join(name for name in by_name if name != STEADY)
    told = {PROVED: "more than", REFUTED: "no more than"}.get(said, "not always more than")
    return Finding(
        "conditioning-compared", f"{names} amplify a change of the input more than {STEADY}: from the input to the logits by "
        f"{min(ratios):.2g} to {max(ratios):.2g} times as much.", said,
        {"what": f"amplification from input to logits, largest ratio to {STEADY}'s", "value": max(ratios), "unit": "times"},
        "Bring the input to the range the weights were trained on (see the questions on the input)." if said == PROVED else
        "Do not explain the instability by amplification.", scope(subject.data, carries_over=False),
        [Table("conditioning-compared", "Amplification from the input to the logits", ["model", "change", "who", "amplification", STEADY],
               rows, "Relative change of the logits over the relative change of the input.")],
        f"{names} amplify input changes {told} {STEADY}: {min(ratios):.2g} to {max(ratios):.2g} times.")

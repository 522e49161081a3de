"""How well-conditioned is the network there? Small changes of the input followed through the
layers, against the margins of the tags.

Amplification at a layer: rms of the change over rms of the output, by the same of the input.
"""

from typing import NamedTuple

import numpy as np

from parity.attribution.tags import ranking
from parity.errors import CannotRun
from parity.studies.unstable_cnn import noise, runs
from parity.studies.unstable_cnn.finding import PROVED, REFUTED, Finding, Table, scope, verdict

SEED = 20160618
ROUNDING, SCATTERED, LOUDER, AIMED = (
    "1e-6 relative",
    "0.1 dB, random signs",
    "0.1 dB louder",
    "0.1 dB, aimed",
)
# name -> the batch so changed; signs, aimed: +1 or -1 for each value, drawn and down the gradient
PERTURBATIONS = {
    ROUNDING: lambda batch, signs, aimed: batch * (1 + np.float32(1e-6) * signs),
    SCATTERED: lambda batch, signs, aimed: batch + np.float32(0.1) * signs,
    LOUDER: lambda batch, signs, aimed: batch + np.float32(0.1),
    AIMED: lambda batch, signs, aimed: batch + np.float32(0.1) * aimed,
}
SIDES = ("original", "port")
LEAVE = "Do not look here for the instability: the network is not at the edge of another answer."
TURNING = (  # id, what it is, the perturbations, what to do where they can turn a top tag
    (
        "conditioning-rounding",
        "A change of rounding's size (1e-6 of each value)",
        (ROUNDING,),
        "Compute in float64.",
    ),
    (
        "conditioning-decibel",
        "A change of 0.1 dB",
        (SCATTERED, LOUDER),
        "Report no top tag whose margin is smaller than this.",
    ),
    (
        "conditioning-aimed",
        "A change of 0.1 dB aimed at the second tag",
        (AIMED,),
        (
            "Hold the models against each other: what the steady one shows as well is no "
            "cause of the instability."
        ),
    ),
)
IN_CONCLUSION = "conditioning-decibel"


class Measured(NamedTuple):
    """One model. amplification: {side: {perturbation: {layer: figure}}}; margins: [Margin]."""

    model: str
    amplification: dict
    margins: list


class Margin(NamedTuple):
    """One clip under one perturbation, in the original. used: the largest share of the top tag's
    margin to another that it takes.

    margin: of the first tag to the second, logits; moved: the largest change of the first tag's
    distance to another, its largest loss where the change was aimed, for that one could not as
    well have gone the other way; flipped: whether another tag is first;
    rounding: what it can do to the distance of the first two, between two computations.
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
    """Findings: whether changes of rounding's size, or of 0.1 dB, can turn a top tag, and whether
    they grow in the network.
    """
    if not subject.clips:
        raise CannotRun(
            "no clip could be read, so none can be changed; give at least one mel "
            "spectrogram or audio file"
        )
    found = measure(subject)
    return [*(turning(found, subject, *asked) for asked in TURNING), amplified(found, subject)]


def measure(subject):
    """[Measured]: every model of the subject on its first clips."""
    names = list(subject.clips)[: noise.MOST_CLIPS]
    given = np.concatenate([subject.clips[name] for name in names])
    signs = np.random.default_rng(SEED).choice(np.float32([-1, 1]), given.shape)
    wanted = {
        name: {
            "batches": _batches(case, given, signs),
            "most": 4096,
            "keep": runs.all_but_dropouts(case),
        }
        for name, case in subject.cases.items()
    }
    recorded = runs.originals({name: subject.asks(name, **asked) for name, asked in wanted.items()})
    sides = {
        name: {"original": recorded[name], "port": runs.ported(subject.cases[name], **asked)}
        for name, asked in wanted.items()
    }
    return [
        _measured(subject, name, names, sides[name], asked["batches"])
        for name, asked in wanted.items()
    ]


def _batches(case, given, signs):
    aimed = runs.towards_the_second(case, given)
    return {
        "as it is": given,
        **{name: change(given, signs, aimed) for name, change in PERTURBATIONS.items()},
    }


def _measured(subject, name, clips, answers, batches):
    case, amplified = subject.cases[name], {}
    for side, found in answers.items():
        amplified[side] = {
            perturbation: amplification(batches, found, perturbation)
            for perturbation in PERTURBATIONS
        }
    last, rounding = (
        runs.LOGITS.format(case.model.layers[-1]),
        np.array(noise.measured(subject, name)["allowed"]),
    )
    logits = {
        label: run.outputs[last].astype(np.float64) for label, run in answers["original"].items()
    }
    tags = case.model.tags
    margins = [
        _margin(
            clip, perturbation, tags, logits["as it is"][at], logits[perturbation][at], rounding[at]
        )
        for at, clip in enumerate(clips)
        for perturbation in PERTURBATIONS
    ]
    return Measured(name, amplified, margins)


def amplification(batches, answers, perturbation):
    """{layer: relative change there over relative change of the input}, in network order, the
    logits in the scores' place.
    """
    kept = answers["as it is"].outputs
    last = next(name for name in kept if name.endswith(":logits"))
    order = [name for name in kept if name != last.removesuffix(":logits")]
    given = _relative(batches[perturbation], batches["as it is"])
    return {
        name: _relative(answers[perturbation].outputs[name], kept[name]) / given for name in order
    }


def _relative(changed, values):
    gap = np.mean(np.square(np.subtract(changed, values, dtype=np.float64)))
    return float(np.sqrt(gap / np.mean(np.square(values, dtype=np.float64)))) if gap else 0.0


def _margin(clip, perturbation, tags, before, after, rounding):
    first, second = ranking(before)[:2]
    others = [index for index in range(len(before)) if index != first]
    gap = before[first] - before[others]
    lost = gap - (after[first] - after[others])
    moved = np.maximum(lost, 0) if perturbation == AIMED else np.abs(lost)
    used = float(np.max(np.where(moved == 0, 0.0, moved / np.maximum(gap, 1e-300))))
    return Margin(
        clip,
        perturbation,
        tags[first],
        float(before[first] - before[second]),
        float(moved.max()),
        used,
        ranking(after)[0] != first,
        float(rounding[first] + rounding[second]),
    )


def judge_turning(used):
    """Proved where a change takes a whole margin, refuted where none does. used: the shares
    taken.
    """
    return verdict(max(used) >= 1 if used else None)


def turning(found, subject, name, what, perturbations, advice):
    """The finding on whether such a change can turn a top tag; `advice` where it can."""
    rows = [
        (measured.model, margin)
        for measured in found
        for margin in measured.margins
        if margin.perturbation in perturbations
    ]
    said = judge_turning([margin.used for _, margin in rows])
    by_model = {
        model: max(margin.used for each, margin in rows if each == model) for model, _ in rows
    }
    used, flips = max(by_model.values()), sum(margin.flipped for _, margin in rows)
    listed = ", ".join(f"{model} {share:.2g}" for model, share in by_model.items())
    figures = (
        f"of the margin to another tag it takes at most {listed}, and it turned {flips} of "
        f"{len(rows)}"
    )
    can = {PROVED: "can turn a first tag", REFUTED: "turns no first tag here"}[said]
    sentence = {
        PROVED: f"{what} can turn a first tag: it takes {used:.2g} times its lead over another.",
        REFUTED: f"{what} turns no first tag: it takes at most {used:.1%} of its lead.",
    }[said]
    return Finding(
        name,
        f"{what} {can}: {figures}.",
        said,
        {
            "what": "largest share of a top tag's margin that it takes",
            "value": used,
            "unit": "of the margin",
        },
        advice if said == PROVED else LEAVE,
        scope(subject.data, carries_over=False),
        [
            _margins_table(name, found, perturbations),
            *(_layers_table(name, measured, perturbations) for measured in found),
        ],
        sentence if name == IN_CONCLUSION else None,
        f"{what} can turn a first tag of these clips",
    )


def _margins_table(name, found, perturbations):
    rows = [
        [measured.model, *margin[:6], margin.flipped, margin.rounding]
        for measured in found
        for margin in measured.margins
        if margin.perturbation in perturbations
    ]
    return Table(
        f"{name}-margins",
        "Margins of the top tags (original)",
        [
            "model",
            "clip",
            "change",
            "top tag",
            "margin to the next",
            "moved by",
            "share of margin",
            "turned",
            "rounding can move it by",
        ],
        rows,
        "Logits. The share is the largest over all other tags: from 1 on the top tag can turn.",
    )


def _layers_table(name, measured, perturbations):
    columns = [f"{perturbation} ({side})" for perturbation in perturbations for side in SIDES]
    layers = next(iter(measured.amplification["original"].values()))
    rows = [
        [
            layer,
            *(
                measured.amplification[side][perturbation][layer]
                for perturbation in perturbations
                for side in SIDES
            ),
        ]
        for layer in layers
    ]
    return Table(
        f"{name}-{measured.model}",
        f"{measured.model}: amplification through the layers",
        ["layer", *columns],
        rows,
        "Relative change of a layer's output over the relative change of the input; 1: as it came.",
        {"kind": "lines", "x": "layer", "y": columns, "series": None, "log": True},
    )


def judge_amplified(factors):
    """Proved where a change is larger at the logits than at the input, relative to each, refuted
    where it nowhere is.
    """
    return verdict(max(factors) > 1 if factors else None)


def amplified(found, subject):
    """The finding on whether small changes grow on their way through the network."""
    rows = [
        [measured.model, perturbation, side, *_peak(by_layer), list(by_layer.values())[-1]]
        for measured in found
        for side, perturbations in measured.amplification.items()
        for perturbation, by_layer in perturbations.items()
    ]
    ends = [row[-1] for row in rows if row[1] != AIMED]
    said, peak = (
        judge_amplified(ends),
        max((row for row in rows if row[1] != AIMED), key=lambda row: row[4]),
    )
    grows = {
        PROVED: "grows on its way to the logits",
        REFUTED: "is damped on its way to the logits",
    }[said]
    return Finding(
        "conditioning-amplification",
        (
            f"A small change of the input that nobody aimed {grows}: relative to what it "
            "changes it is "
            f"{min(ends):.2g} to {max(ends):.2g} times as large there, and at most "
            f"{peak[4]:.2g} times before ({peak[0]}, {peak[3]})."
        ),
        said,
        {
            "what": "largest amplification from the input to the logits",
            "value": max(ends),
            "unit": "times",
        },
        "Bring the input to what the weights were trained on, and compare."
        if said == PROVED
        else "Do not explain the instability by amplification: small changes are damped.",
        scope(subject.data, carries_over=False),
        [
            Table(
                "conditioning-amplification",
                "Amplification from the input to the logits",
                ["model", "change", "who", "largest at", "largest", "logits"],
                rows,
                (
                    "Relative change of an output over the relative change of the input; "
                    "1e-6 comes near the logits' own rounding."
                ),
            )
        ],
        hypothesis="A small change of the input that nobody aimed grows on its way to the logits",
    )


def _peak(by_layer):
    return max(by_layer.items(), key=lambda item: item[1])

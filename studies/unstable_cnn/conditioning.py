"""How well-conditioned is the network there? Small changes of the input followed through the
layers, against the margins of the tags.

Amplification at a layer: rms of the change over rms of the output, by the same of the input.
"""

from typing import NamedTuple

import numpy as np

from parity.attribution.tags import ranking
from parity.studies.unstable_cnn import noise, ports, runs
from parity.studies.unstable_cnn.outcome import Outcome, Rows
from parity.studies.unstable_cnn.tags import names_of

SEED = 20160618
ROUNDING, SCATTERED = "1e-6 relative", "0.1 dB, random signs"
LOUDER, AIMED = "0.1 dB louder", "0.1 dB, aimed"
# name -> the batch so changed; signs, aimed: +1 or -1 for each value, drawn and down the gradient
PERTURBATIONS = {
    ROUNDING: lambda batch, signs, aimed: batch * (1 + np.float32(1e-6) * signs),
    SCATTERED: lambda batch, signs, aimed: batch + np.float32(0.1) * signs,
    LOUDER: lambda batch, signs, aimed: batch + np.float32(0.1),
    AIMED: lambda batch, signs, aimed: batch + np.float32(0.1) * aimed,
}
TURNING = {"rounding": (ROUNDING,), "decibel": (SCATTERED, LOUDER), "aimed": (AIMED,)}


class Measured(NamedTuple):
    """One model. amplification: {side: {perturbation: {layer: figure}}}; margins: [Margin]."""

    model: str
    amplification: dict
    margins: list


class Margin(NamedTuple):
    """One clip under one perturbation, in the original.

    margin: of the first tag to the second, logits; moved: the largest change of the first tag's
    distance to another, its largest loss where the change was aimed, for that one could not as
    well have gone the other way; used: the largest share of the top tag's margin to another that
    it takes; turned: whether another tag is first; rounding: what it can do to the distance of the
    first two, between two computations.
    """

    clip: str
    perturbation: str
    top: str
    margin: float
    moved: float
    used: float
    turned: bool
    rounding: float


def ask(subject):
    """Whether small changes can turn a top tag, and whether they grow in the network."""
    subject.need_clips("none can be changed")
    found = measure(subject)
    return [*(turning(name, found) for name in TURNING), amplified(found)]


def measure(subject):
    """[Measured]: every model of the subject on its first clips."""
    names = list(subject.clips)[: noise.MOST_CLIPS]
    x = np.concatenate([subject.clips[name] for name in names])
    signs = np.random.default_rng(SEED).choice(np.float32([-1, 1]), x.shape)
    wanted = {}
    for name, case in subject.cases.items():
        aimed = ports.towards_the_second(case, x)
        changed = {label: change(x, signs, aimed) for label, change in PERTURBATIONS.items()}
        wanted[name] = {
            "batches": {"as it is": x, **changed},
            "most": 4096,
            "keep": runs.all_but_dropouts(case),
        }
    return [
        _measured(subject, name, names, sides, wanted[name]["batches"])
        for name, sides in subject.both(wanted).items()
    ]


def _measured(subject, name, clips, sides, batches):
    last = runs.LOGITS.format(subject.cases[name].model.layers[-1])
    rounding = np.array(noise.measured(subject, name)["allowed"])
    logits = {
        label: run.outputs[last].astype(np.float64) for label, run in sides["original"].items()
    }
    amplified = {
        side: {each: amplification(batches, found, each) for each in PERTURBATIONS}
        for side, found in sides.items()
    }
    margins = [
        _margin(clip, each, logits["as it is"][at], logits[each][at], rounding[at])
        for at, clip in enumerate(clips)
        for each in PERTURBATIONS
    ]
    return Measured(name, amplified, margins)


def amplification(batches, answers, perturbation):
    """{layer: relative change over that of the input}, the logits in place of the scores."""
    kept = answers["as it is"].outputs
    last = next(name for name in kept if name.endswith(":logits"))
    of_input = _relative(batches[perturbation], batches["as it is"])
    return {
        name: _relative(answers[perturbation].outputs[name], values) / of_input
        for name, values in kept.items()
        if name != last.removesuffix(":logits")
    }


def _relative(changed, values):
    gap = np.mean(np.square(np.subtract(changed, values, dtype=np.float64)))
    return float(np.sqrt(gap / np.mean(np.square(values, dtype=np.float64)))) if gap else 0.0


def _margin(clip, perturbation, before, after, rounding):
    first, second = ranking(before)[:2]
    others = [index for index in range(len(before)) if index != first]
    gap = before[first] - before[others]
    lost = gap - (after[first] - after[others])
    moved = np.maximum(lost, 0) if perturbation == AIMED else np.abs(lost)
    return Margin(
        clip,
        perturbation,
        names_of(len(before))[first],
        margin=float(before[first] - before[second]),
        moved=float(moved.max()),
        used=float(np.max(np.where(moved == 0, 0.0, moved / np.maximum(gap, 1e-300)))),
        turned=ranking(after)[0] != first,
        rounding=float(rounding[first] + rounding[second]),
    )


def judge_turning(used):
    """Whether a change takes a whole margin. used: the shares taken."""
    return max(used) >= 1 if used else None


def turning(name, found):
    """The outcome on whether such a change can turn a top tag."""
    perturbations = TURNING[name]
    rows = [
        (measured.model, *margin)
        for measured in found
        for margin in measured.margins
        if margin.perturbation in perturbations
    ]
    used = {}
    for model, *margin in rows:
        used[model] = max(used.get(model, 0.0), Margin(*margin).used)
    columns = [f"{each} ({side})" for each in perturbations for side in runs.SIDES]
    return Outcome(
        name,
        judge_turning(list(used.values())),
        max(used.values()),
        {"used": used, "turned": sum(row[7] for row in rows), "cases": len(rows)},
        [
            Rows("margins", rows, figures={"name": name}),
            *(
                Rows(
                    "layers",
                    _layer_rows(measured.amplification, perturbations),
                    columns,
                    {"name": name, "model": measured.model},
                )
                for measured in found
            ),
        ],
    )


def _layer_rows(amplification, perturbations):
    of_column = [amplification[side][each] for each in perturbations for side in runs.SIDES]
    return [[layer, *(column[layer] for column in of_column)] for layer in of_column[0]]


def amplified(found):
    """The outcome on whether small changes grow in the network; aimed ones do not count."""
    rows = [
        [
            measured.model,
            perturbation,
            side,
            *max(by_layer.items(), key=lambda item: item[1]),
            list(by_layer.values())[-1],
        ]
        for measured in found
        for side, perturbations in measured.amplification.items()
        for perturbation, by_layer in perturbations.items()
    ]
    counted = [row for row in rows if row[1] != AIMED]
    model, _, _, layer, peak, _ = max(counted, key=lambda row: row[4])
    ends = [row[-1] for row in counted]
    figures = {"least": min(ends), "peak": peak, "at": [model, layer]}
    tables = [Rows("amplification", rows)]
    return Outcome("amplification", max(ends) > 1, max(ends), figures, tables)

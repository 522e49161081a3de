"""Which Keras do these weights belong to, told from the files and from what arrives, and does the
port, switched to a release, compute what that release does?
"""

import numpy as np

from parity.recording import stacks
from parity.studies.microscope.training import RULES
from parity.studies.unstable_cnn import averages, ports, releases, running_std
from parity.studies.unstable_cnn.input_fit import distances_of, prepare
from parity.studies.unstable_cnn.outcome import Outcome, Rows
from parity.studies.unstable_cnn.running_std import DEVIATION, VARIANCE
from parity.studies.unstable_cnn.tags import first_tags

READ_AS = {DEVIATION: "1.0.6", VARIANCE: "1.1.0"}  # a release that keeps it
# Decibels and standardised: what the weights here were trained on, as question `input` finds.
INPUTS = ("none", "clip", "offset and gain")
KINDS = {
    "jitter": "how the stored spread moves from frame to frame, over how the mean does",
    "slope": "the power of the arriving deviation that the stored spread follows",
    "level": "nats a value, with the input that suits it best",
}
RULE_OF = {  # of moving averages
    "1.0.4": "1.0.4 to 1.0.6",
    "1.0.7": "1.0.7",
    "1.0.8": "1.0.8 to 1.1.2",
    "1.2.0": "1.2.0 to 1.2.2",
}


def ask(subject):
    """Which Keras each model's file is from, and whether the port is every Keras."""
    clips = subject.with_sound("put in")
    told = calibrate({name: look_at(case, clips) for name, case in subject.cases.items()})
    *_, (clip, x) = clips.items()
    live = {
        name: releases.under_all(case, x, subject.progress) for name, case in subject.cases.items()
    }
    return [
        *(
            belongs(name, told[name], live[name], case.model.stack)
            for name, case in subject.cases.items()
        ),
        proved(live, told, clip),
    ]


def look_at(case, clips):
    """What tells one file's Keras: {jitter, slope, level, padding, meaning, confidence, versions},
    the evidence None where there is none.

    clips: {name: (1, 1, 96, 1366) float32, decibel}; versions: those of stacks.STACKS that the
    file can be from.
    """
    remembered = averages.trained(case.weights)
    behind = next((layer for layer in remembered if layer != averages.FREQUENCY), None)
    found = {
        "jitter": running_std.jitter(remembered[averages.FREQUENCY]),
        "slope": _slope(case, clips, remembered, behind) if behind else None,
        "level": _level(case, clips) if behind else None,
        "padding": padding(case.weights),
        "layer": behind,
    }
    return {**found, **_concluded([_share(found[kind]) for kind in KINDS], found["padding"])}


def _share(evidence):
    return evidence and evidence["share"]


def _concluded(shares, padded):
    meaning, confidence = running_std.judge(shares)
    versions = possible(meaning, padded)
    return {"meaning": meaning, "confidence": confidence, "versions": versions}


def calibrate(told):
    """The same, where a file has its jitter only: as sure as that is on the files whose kind is
    known without it.

    `calibration`, where there is any: {name: its jitter over what it should be} of those files.
    """
    known = {}
    for name, of in told.items():
        meaning, _ = running_std.judge([_share(of["slope"]), _share(of["level"])])
        if meaning and of["jitter"]["measured"]:
            known[name] = running_std.misfit(of["jitter"], meaning)
    ratios = {name: float(np.exp(misfit)) for name, misfit in known.items()}

    def calibrated(of):
        share = running_std.calibrated(of["jitter"], list(known.values()))
        return {**of, **_concluded([share], of["padding"]), "calibration": ratios}

    return {
        name: calibrated(of)
        if of["layer"] is None and of["jitter"]["measured"] and known
        else {**of, "calibration": {}}
        for name, of in told.items()
    }


def _slope(case, clips, remembered, layer):
    """On decibels: whatever the scale of the input, the slope is the same."""
    batch = {"all": np.concatenate(list(clips.values()))}
    arriving = {
        meaning: ports.run(case, batch, keras=keras)["all"].arriving[layer][1] ** 0.5
        for meaning, keras in READ_AS.items()
    }
    return running_std.slope(arriving, remembered[layer])


def _level(case, clips):
    """On every input that it may have been trained on."""
    found = {}
    for meaning, keras in READ_AS.items():
        tried = prepare(case, clips, INPUTS, keras=keras)
        seen = ports.run(case, tried.batches, keras=keras)
        found |= {(meaning, name): distances_of(name, tried, seen) for name in tried.inputs}
    return running_std.level(found)


def padding(weights):
    """{value, histories} of the padded frames, None unless all hold the same value."""
    spread = weights.params[averages.FREQUENCY]["running_std"]
    within = averages.inside(averages.FREQUENCY, len(spread))
    values = np.unique(np.delete(spread, np.arange(within.start, within.stop)))
    if len(values) != 1:
        return None
    return {"value": float(values[0]), "histories": running_std.histories(values[0])}


def possible(meaning, padded):
    """The Keras releases that keep `meaning` and can have ended the padding's history."""
    ended = {row[2] or row[0] for row in padded["histories"]} if padded else set()
    found = []
    for keras in stacks.KERAS_VERSIONS:
        version = tuple(map(int, keras.split(".")))
        rule = ".".join(map(str, [row[0] for row in RULES if row[0] <= version][-1]))
        keeps = DEVIATION if version < (1, 0, 7) else VARIANCE
        if keeps == meaning and (not ended or rule in ended):
            found.append(keras)
    return found


def judge(meaning, among, keras):
    """Whether `keras` is among the releases; None where what the file keeps cannot be told."""
    return None if meaning is None else keras in among


def belongs(name, told, live, home):
    """The outcome on whether a file is from the Keras it is run on. told: of look_at; live: of
    releases.under_all; home: the stack it is run on.
    """
    keras = stacks.STACKS[home].keras
    scores = {stack: np.array(record["scores"]) for stack, record in live.items()}
    changes = {stack: float(np.abs(of - scores[home]).max()) for stack, of in scores.items()}
    misread = [
        change
        for stack, change in changes.items()
        if stacks.STACKS[stack].keras not in told["versions"]
    ]
    padded = told["padding"]
    continued = [row for row in padded["histories"] if row[2]] if padded else []
    kinds = sum(_share(told[kind]) is not None for kind in KINDS)
    tables = [
        Rows("evidence", _evidence_rows(told)),
        Rows("versions", _version_rows(live, changes, told["versions"])),
        Rows("drift", _drift_rows(live, home)),
    ]
    if padded:
        rows = [
            [f"{padded['value']:.8g}", RULE_OF.get(first), updates, RULE_OF.get(then), more]
            for first, updates, then, more in padded["histories"]
        ]
        tables.append(Rows("padding", rows))
    return Outcome(
        "belongs",
        judge(told["meaning"], told["versions"], keras),
        max(misread, default=0.0),
        {
            "model": name,
            "keras": keras,
            "meaning": told["meaning"],
            "versions": told["versions"] or ["none of them"],
            "tried": len(stacks.KERAS_VERSIONS),
            "live": len(live),
            "confidence": told["confidence"],
            "kinds": kinds,
            "resamples": averages.RESAMPLES,
            "jitter": told["jitter"],
            "calibration": told.get("calibration", {}),
            "value": padded and padded["value"],
            "continued": [[RULE_OF[row[0]], RULE_OF[row[2]], row[3]] for row in continued],
        },
        tables,
    )


def _evidence_rows(told):
    """The evidence as text: [[what, layer, measured, as a deviation, as a variance, share]]."""

    def ranged(value, interval):
        return f"{value:.3g} ({interval[0]:.3g} to {interval[1]:.3g})"

    def measured(kind, found):
        if kind == "jitter":
            expected = (f"{value:.3g}" for value in found["expected"].values())
            return ranged(found["measured"], found["interval"]), *expected
        if kind == "slope":
            return "", *(
                f"{ranged(found['measured'][what], found['interval'][what])}, for {power}"
                for what, power in running_std.POWER.items()
            )
        levels = found["measured"].values()
        return "", *(f"{nats:.3g} ({correction})" for nats, correction in levels)

    layers = {"jitter": averages.FREQUENCY, "slope": told["layer"], "level": "all"}
    return [
        [KINDS[kind], layers[kind], *measured(kind, told[kind]), told[kind]["share"]]
        for kind in KINDS
        if _share(told[kind]) is not None
    ]


def _version_rows(live, changes, versions):
    """The tags and the fit of one file under every Keras."""
    rows = []
    for stack, record in live.items():
        scores, nats = np.array(record["scores"])[0], float(np.mean(list(record["nats"].values())))
        tags = first_tags(scores) if scores.any() else "every score is exactly 0"
        rows.append([record["keras"], record["keras"] in versions, nats, tags, changes[stack]])
    return rows


def _drift_rows(live, home):
    """How far every normalisation's output is from the home stack's."""
    rows = []
    for layer, values in live[home]["values"].items():
        base = np.array(values)
        for stack, record in live.items():
            if stack != home:
                gap = np.mean((np.array(record["values"][layer]) - base) ** 2)
                rows.append([layer, record["keras"], float(np.sqrt(gap / np.mean(base**2)))])
    return rows


def judge_cells(records):
    """Whether every layer holds; None where what fails can only be judged by element."""
    failing = [at_fault for record in records for at_fault in record["at_fault"].values()]
    return not failing or (None if all(failing) else False)


def proved(live, told, clip):
    """The outcome on whether the port, switched to each release, is the original of that release,
    whatever the file means to it.

    live: {model: of releases.under_all}; told: {model: of look_at}; clip: its name.
    """
    cells = {
        (name, record["keras"]): record
        for name, records in live.items()
        for record in records.values()
    }
    of = {
        said: [key for key, record in cells.items() if judge_cells([record]) is said]
        for said in (True, False, None)
    }
    remarks = {
        True: (
            "no element beyond rounding; taken together, the original itself is beyond the limits"
        ),
        False: "at fault",
    }
    rows = [
        [
            *key,
            *record["worst"].values(),
            record["rho"],
            record["port_to_original"],
            "; ".join(f"{layer}: {remarks[too]}" for layer, too in record["at_fault"].items()),
        ]
        for key, record in cells.items()
    ]
    return Outcome(
        "parity",
        judge_cells(cells.values()),
        len(of[True]),
        {
            "pairs": len(cells),
            "misread": sum(keras not in told[name]["versions"] for name, keras in of[True]),
            "failing": [f"{name} under {keras}" for name, keras in of[False]],
            "within": all(cells[key]["within"] for key in of[False]),
            "open": [f"{name} under {keras}" for name, keras in of[None]],
            "clip": clip,
        },
        [Rows("verdicts", rows)],
    )

"""What the question of the Keras ends in: whose a file is, and whether the port is every one of
them.
"""

import numpy as np

from parity.recording import stacks
from parity.studies.unstable_cnn import keras_tables, meaning, stored
from parity.studies.unstable_cnn.finding import Finding, scope, verdict

HELD = {meaning.DEVIATION: "deviations", meaning.VARIANCE: "variances"}


def belongs(name, told, live, home, data):
    """Whether the file of the model `name` is from the Keras it is run on. told: of keras.look_at;
    live: of versions.under_all.
    """
    keras, changes = stacks.STACKS[home].keras, _changes(live, home)
    holds = judge(told["meaning"], told["versions"], keras)
    misread = [
        change
        for stack, change in changes.items()
        if stacks.STACKS[stack].keras not in told["versions"]
    ]
    effect = {
        "what": "largest change of a score under a Keras that the file is not from",
        "unit": "score",
        "value": max(misread, default=0.0),
    }
    tables = [
        keras_tables.evidence(name, told),
        keras_tables.under_every(name, live, changes, told["versions"]),
        keras_tables.drift(name, live, home),
        *keras_tables.padding(name, told["padding"]),
    ]
    sentence = {
        True: (
            f"{name}'s weights are read as their Keras wrote them: {_among(told)}, of the "
            f"{len(live)} tried."
        ),
        False: (
            f"{name}'s weights are not from Keras {keras}, on which they are run, but from "
            f"{_among(told)}."
        ),
    }
    return Finding(
        f"keras-{name}",
        _claim(name, told, holds, keras),
        verdict(holds),
        effect,
        _advice(name, holds, keras, told),
        scope(data, carries_over=False),
        tables,
        sentence.get(holds),
        f"{name}'s weight file can be from Keras {keras}",
    )


def judge(what, among, keras):
    """Whether a file is from Keras `keras`: None where what it keeps cannot be told. among: the
    versions it can be from.
    """
    return None if what is None else keras in among


def _claim(name, told, holds, keras):
    if holds is None:
        return (
            f"What {name}'s file keeps under running_std, deviations or variances, cannot "
            "be told from its numbers."
            f"{_method(told)}{_history(told['padding'])}"
        )
    return (
        f"{name}'s file keeps {HELD[told['meaning']]} under running_std "
        f"({_how_sure(told)}). Of the {len(stacks.KERAS_VERSIONS)} Keras "
        f"tried it can be from {_among(told)}; it is run on "
        f"{keras}.{_method(told)}{_history(told['padding'])}"
    )


def _among(told):
    *others, last = told["versions"] or ["none of them"]
    return f"{', '.join(others)}{' or ' if others else ''}{last}"


def _how_sure(told):
    if told.get("calibration"):
        return f"{told['confidence']:.1%}, by one kind of evidence"
    most = 1 - 1 / stored.RESAMPLES
    kinds = sum(bool(told[kind] and told[kind]["share"] is not None) for kind in keras_tables.KINDS)
    return (
        f"{'more than ' if told['confidence'] > most else ''}{min(told['confidence'], most):.1%} "
        f"of the draws, {kinds} kinds of evidence"
    )


def _method(told):
    """What is known of the error of the method itself, where it is the only evidence."""
    if not told.get("calibration"):
        return ""
    jitter, files = told["jitter"], told["calibration"]["files"]
    expected = jitter["expected"]
    low, high = jitter["interval"]
    both = (
        "neither of which lies in its interval"
        if not any(low <= value <= high for value in expected.values())
        else "measured"
    )
    listed = ", ".join(f"{name} {ratio:.2f}" for name, ratio in files.items())
    return (
        f" From frame to frame the stored spread moves {jitter['measured']:.3g} "
        f"({low:.3g} to {high:.3g}) times as much as the mean; a "
        f"deviation should move {expected[meaning.DEVIATION]:.3g}, a variance "
        f"{expected[meaning.VARIANCE]:.3g} times, {both}. So the "
        "method itself is off: files known by other evidence come to these shares of "
        f"what they should: {listed}. That is counted in."
    )


def _history(padded):
    rows = [row for row in padded["histories"] if row[2]] if padded else []
    if not rows:
        return ""
    first, _, _, updates = rows[0]
    later = " or ".join(keras_tables.RULE_OF[row[2]] for row in rows)
    return (
        f" Its padded frames hold {padded['value']:.8g}, bit for bit what {updates} "
        f"updates by the rule of Keras {later} make of where "
        f"that of {keras_tables.RULE_OF[first]} comes to rest: training went on from an older file."
    )


def _advice(name, holds, keras, told):
    if holds is None:
        return f"Keep Keras {keras} for {name}, and do not call it proved."
    return (
        f"Read {name}'s file as Keras {keras} does."
        if holds
        else f"Run {name} on Keras {_among(told)} instead of {keras}."
    )


def _changes(live, home):
    """{stack: largest difference of a score from the home stack's}."""
    scores = {stack: np.array(record["scores"]) for stack, record in live.items()}
    return {stack: float(np.abs(values - scores[home]).max()) for stack, values in scores.items()}


def proved(live, told, clip, data):
    """Whether the port, switched to each release, is the original of that release, whatever the
    file means to it.

    live: {model: of versions.under_all}; told: {model: of keras.look_at}; clip: the name of the
    one that was put in.
    """
    cells = {
        (name, record["keras"]): record
        for name, records in live.items()
        for record in records.values()
    }
    holds = judge_cells(cells.values())
    of = {
        said: [key for key, record in cells.items() if judge_cells([record]) is said]
        for said in (True, False, None)
    }
    misread = [(name, keras) for name, keras in of[True] if keras not in told[name]["versions"]]
    claim = (
        "Switched to each Keras, the port holds layer by layer, alone and in the chain, "
        f"against {len(of[True])} of {len(cells)} "
        f"pairs of file and live original, {len(misread)} of them with a Keras that the "
        "file is not from"
        + {
            True: ": parity does not depend on whether the tags make sense.",
            False: f". It does not hold for {_listed(of[False])}{_within(of[False], cells)}.",
            None: ".",
        }[holds]
    )
    if of[None]:
        claim += (
            f" In {len(of[None])}, {_listed(of[None])}, no element is beyond rounding; a "
            "layer's elements taken together cannot "
            "be judged: there the original itself is beyond those limits."
        )
    effect = {
        "what": "pairs of file and Keras that hold",
        "value": len(of[True]),
        "unit": f"of {len(cells)}",
    }
    return Finding(
        "keras-parity",
        claim,
        verdict(holds),
        effect,
        PARITY_ADVICE[holds],
        scope(data),
        [keras_tables.verdicts(cells, clip)],
        _SENTENCE[holds](len(of[True]), len(cells)),
        "Switched to any Keras tried, the port computes what that Keras does",
    )


def _within(failing, cells):
    """Whether what does not hold is a matter of single elements or only of many taken together."""
    within = all(cells[key]["within"] for key in failing)
    return (
        ": no single element is beyond rounding there, but many together lean one way"
        if within
        else ""
    )


def _listed(cells):
    return ", ".join(f"{name} under {keras}" for name, keras in cells)


PARITY_ADVICE = {
    True: (
        "Parity says that the port computes what the original does, never that weights, "
        "input and Keras belong together."
    ),
    False: "See which layer is at fault (the table), and run `make parity` with that clip.",
    None: "Take the pairs that hold as proved, the others as open.",
}
_SENTENCE = {
    True: lambda good, pairs: (
        f"Whether the tags make sense has no part in parity: the port equals {good} of "
        f"{pairs} files under a Keras."
    ),
    False: lambda good, pairs: (
        f"The port is proved equal in only {good} of {pairs} pairs of weights and Keras."
    ),
    None: lambda good, pairs: (
        f"The port equals {good} of {pairs} files under a Keras; the others cannot be judged."
    ),
}


def judge_cells(records):
    """True where every layer of all records holds, None where what does not can only be judged by
    element (versions), False else.
    """
    failing = [at_fault for record in records for at_fault in record["at_fault"].values()]
    return not failing or (None if all(failing) else False)

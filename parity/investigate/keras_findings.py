"""What the question of the Keras ends in: whose a file is, and whether the port is every one of them."""

import numpy as np

from parity import stacks
from parity.investigate import keras_tables, meaning, stored
from parity.investigate.finding import Finding, scope, verdict

HELD = {meaning.DEVIATION: "deviations", meaning.VARIANCE: "variances"}


def belongs(name, told, live, home, data):
    """Whether the file of the model `name` is from the Keras it is run on. told: of keras.look_at; live: of versions.under_all."""
    keras, changes = stacks.STACKS[home].keras, _changes(live, home)
    holds = judge(told["meaning"], told["versions"], keras)
    misread = [change for stack, change in changes.items() if stacks.STACKS[stack].keras not in told["versions"]]
    effect = {"what": "largest change of a score under a Keras that the file is not from", "unit": "score",
              "value": max(misread, default=0.0)}
    tables = [keras_tables.evidence(name, told), keras_tables.under_every(name, live, changes, told["versions"]),
              keras_tables.drift(name, live, home), *keras_tables.padding(name, told["padding"])]
    sentence = None if holds is None else f"{name}'s file keeps {HELD[told['meaning']]}: it is from {_among(told)}{_how_sure(told)}."
    return Finding(f"keras-{name}", _claim(name, told, holds, keras), verdict(holds), effect, _advice(name, holds, keras, told),
                   scope(data, carries_over=False), tables, sentence)


def judge(what, among, keras):
    """Whether a file is from Keras `keras`: None where what it keeps cannot be told. among: the versions it can be from."""
    return None if what is None else keras in among


def _claim(name, told, holds, keras):
    if holds is None:
        return f"What {name}'s file keeps under running_std cannot be told from its numbers." + _history(told["padding"])
    return (f"{name}'s file keeps {HELD[told['meaning']]} under running_std, as {_among(told)} does{_how_sure(told)}; it is run on {keras}."
            + _history(told["padding"]))


def _among(told):
    *others, last = told["versions"] or ["none of those tried"]
    return f"Keras {', '.join(others)}{' or ' if others else ''}{last}"


def _how_sure(told):
    most = 1 - 1 / stored.RESAMPLES
    return f" ({'more than ' if told['confidence'] > most else ''}{min(told['confidence'], most):.1%} of the draws)"


def _history(padded):
    rows = [row for row in padded["histories"] if row[2]] if padded else []
    if not rows:
        return ""
    first, _, _, updates = rows[0]
    later = " or ".join(keras_tables.RULE_OF[row[2]] for row in rows)
    return (f" Its padded frames hold {padded['value']:.8g}, bit for bit what {updates} updates by the rule of Keras {later} make of where "
            f"that of {keras_tables.RULE_OF[first]} comes to rest: training went on from an older file.")


def _advice(name, holds, keras, told):
    if holds is None:
        return f"Keep Keras {keras} for {name}."
    return f"Read {name}'s file as Keras {keras} does." if holds else f"Run {name} on {_among(told)} instead of {keras}."


def _changes(live, home):
    """{stack: largest difference of a score from the home stack's}."""
    scores = {stack: np.array(record["scores"]) for stack, record in live.items()}
    return {stack: float(np.abs(values - scores[home]).max()) for stack, values in scores.items()}


def proved(live, told, clip, data):
    """Whether the port, switched to each release, is the original of that release, whatever the file means to it.

    live: {model: of versions.under_all}; told: {model: of keras.look_at}; clip: the name of the one that was put in.
    """
    cells = {(name, record["keras"]): record for name, records in live.items() for record in records.values()}
    holds = judge_cells(cells.values())
    good = [key for key, record in cells.items() if judge_cells([record])]
    misread = [(name, keras) for name, keras in cells if keras not in told[name]["versions"]]
    doubtful = [f"{name} under {keras}" for (name, keras), record in cells.items() if judge_cells([record]) is None]
    claim = (f"Switched to each Keras, the port holds layer by layer, alone and in the chain, against {len(good)} of {len(cells)} pairs of "
             f"file and live original, {len(set(good) & set(misread))} of them with a Keras that the file is not from: parity does not "
             "depend on whether the tags make sense.")
    if doubtful:
        claim += (f" In {len(doubtful)}, {', '.join(doubtful)}, no element is beyond rounding; a layer's elements taken together cannot "
                  "be judged: there the original itself is beyond those limits.")
    effect = {"what": "pairs of file and Keras that hold", "value": len(good), "unit": f"of {len(cells)}"}
    return Finding("keras-parity", claim, verdict(holds), effect,
                   "Parity says that the port computes what the original does, never that weights, input and Keras belong together.",
                   scope(data), [keras_tables.verdicts(cells, clip)],
                   _sentence(len(good), len(doubtful), len(cells)))


def _sentence(good, doubtful, pairs):
    rest = f"; in {doubtful} every element is within rounding" if doubtful else ""
    return f"The port holds against {good} of {pairs} pairs of file and Keras, sensible tags or not{rest}."


def judge_cells(records):
    """True where every layer of all records holds, None where what does not can only be judged by element (versions), False else."""
    failing = [at_fault for record in records for at_fault in record["at_fault"].values()]
    return not failing or (None if all(failing) else False)

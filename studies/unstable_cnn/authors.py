"""What did the authors run to print their scores, and where their file says otherwise, which is
right?

Every front end, Keras release and batch is tried with the port; the original then runs what was
found. A file that another was trained on from is held against it: moving averages of the same
convolutions on music, one a deviation where the other keeps its square.
"""

import numpy as np

from parity.errors import CannotRun
from parity.model import MODELS, Weights
from parity.recording import stacks
from parity.studies.unstable_cnn.outcome import Outcome, Rows
from parity.studies.unstable_cnn.subject import AUTHORS
from parity.studies.unstable_cnn.tags import first_tags

RAN = ("1.0.6", "1.0.7")  # the originals that stand for the releases of `conditions.RELEASES`
HEIRS = {"CRNN50": "CRNN"}  # file -> the one that was trained on from it
CORRECTION = "clip"  # standardised, as question `input` finds that CNN and CRNN50 were trained


def ask(subject):
    """What each printed set of scores was run on, and whether that read the file rightly."""
    from tagger.comparing import read_table

    sets = {
        name: of
        for name, of in read_table(_table()).items()
        if isinstance(of, tuple) and of[0] in subject.cases
    }
    if not sets:
        raise CannotRun(
            f"{AUTHORS} has no scores of {', '.join(subject.cases)}; name another model"
        )
    scores = _scores(subject, sets)
    outcomes, releases = [], {}
    for name, (model, printed) in sets.items():
        within, others = _ranked(scores[model], printed)
        releases.setdefault(model, set()).update(row[0].keras for row in within)
        original = _by_original(subject, model, within, printed)
        outcomes.append(printed_by(name, model, printed, within, others, original))
    outcomes += [
        misread(subject, model, sorted(releases.get(model, ())))
        for model in HEIRS
        if model in subject.cases
    ]
    return outcomes


def _table():
    from parity.fixtures import store

    if path := store.find(AUTHORS):
        return path
    raise CannotRun(f"{AUTHORS} is not here; set {store.DATA_VARIABLE} to a folder that holds it")


def _scores(subject, sets):
    from tagger import conditions

    clips = {model: list(printed) for model, printed in sets.values()}
    return {
        model: conditions.scored(model, subject.cases[model].weights, names)
        for model, names in clips.items()
    }


def _ranked(found, printed):
    from tagger import conditions

    return conditions.ranked(found, printed)


def _by_original(subject, model, within, printed):
    """How far the original's scores are from the printed ones in the first condition that gives
    them, or None where none does.
    """
    from tagger import conditions

    ways = sorted((way for way, _ in within if way.keras in RAN), key=lambda way: -way.together)
    if not ways:
        return None
    x = np.concatenate([conditions.FRONT_ENDS[ways[0].front_end](clip) for clip in printed])
    batches = {str(at): part for at, part in enumerate(np.split(x, len(x) // ways[0].together))}
    stack = f"keras{ways[0].keras.replace('.', '')}"
    runs = subject.originals({model: {"batches": batches, "stack": stack}})[model]
    last = MODELS[model].layers[-1]
    return conditions.off(np.concatenate([runs[label].outputs[last] for label in batches]), printed)


def printed_by(name, model, printed, within, others, original):
    """The outcome on one set: whether some condition gives every printed digit."""
    from tagger import conditions

    rows = [[*way, apart, True] for way, apart in within]
    rows += [[*way, apart, False] for way, apart in others]
    found = {way[:2] for way, _ in within}
    alone = [apart for way, apart in others if way.together == 1 and way[:2] in found]
    return Outcome(
        "printed",
        bool(within),
        float(rows[0][3]),
        {
            "set": name,
            "model": model,
            "figures": sum(map(len, printed.values())),
            "clips": len(printed),
            "ways": conditions.in_words(way for way, _ in within),
            "tried": len(rows),
            "nearest": float(others[0][1]) if others else None,
            "alone": float(min(alone)) if alone else None,
            "original": original and float(original),
        },
        [Rows("conditions", rows, figures={"set": name})],
    )


def misread(subject, model, releases):
    """The outcome on whether the releases that give the printed scores read the file rightly."""
    from parity.port.network import Network
    from parity.port.statistics import kept
    from parity.port.weights import load

    case = subject.cases[model]
    network = load(model, case.weights)
    meaning = kept(network)
    read_as = {Network(model, release).bn_0_freq.dialect.stored for release in releases}
    heirs = heir_rows(case.weights, _heir(model))
    home, theirs = stacks.STACKS[case.model.stack].keras, releases[0] if releases else None
    rows, turned = tag_rows(subject, model, home, theirs)
    return Outcome(
        "misread",
        None if meaning is None or not read_as else meaning not in read_as,
        float(max(abs(row[3] - 1) for row in heirs)) if heirs else 0.0,
        {
            "model": model,
            "heir": HEIRS[model],
            "meaning": {"std": "deviations", "variance": "variances", None: "either"}[meaning],
            "home": home,
            "theirs": theirs,
            "same": sum(row[4] for row in heirs),
            "layers": len(heirs),
            "low": min((row[3] for row in heirs), default=None),
            "high": max((row[3] for row in heirs), default=None),
            "turned": turned,
        },
        [Rows("heirs", heirs), Rows("readings", rows)],
    )


def _heir(model):
    from parity.fixtures import store

    path = store.find(MODELS[HEIRS[model]].weights)
    return path and Weights(path)


def heir_rows(weights, heir):
    """[[layer, power that the heir's numbers follow, over the numbers, over their squares, whether
    the convolution before is the same bit for bit]] of the normalisations behind a convolution.
    """
    rows = []
    for layer, of in weights.params.items() if heir else ():
        before = layer.replace("bn", "conv")
        if before != layer and before in weights.params and "running_std" in of:
            own, theirs = of["running_std"], heir.params[layer]["running_std"]
            x, y = np.log(own.astype(float)), np.log(theirs.astype(float))
            same = np.array_equal(weights.params[before]["W"], heir.params[before]["W"])
            medians = (float(np.exp(np.median(y - power * x))) for power in (1, 2))
            rows.append([layer, float(np.polyfit(x, y, 1)[0]), *medians, bool(same)])
    return rows


def tag_rows(subject, model, home, theirs):
    """([[clip, Keras, input, first tags]], [clip, tag as printed, tag as read and corrected] of the
    first clip whose tag turns, or None).
    """
    from parity.port.weights import load
    from tagger.model import Tagger

    rows, first = [], {}
    weights = subject.cases[model].weights
    ways = [(theirs, None)] * bool(theirs) + [(home, None), (home, CORRECTION)]
    for keras, correction in ways:
        tagger = Tagger(load(model, weights, keras), weights, correction)
        for clip, x in subject.with_sound("put in").items():
            scores = tagger.predict(x)[0].astype(float)
            rows.append([clip, keras, correction or "decibels", first_tags(scores)])
            first.setdefault(clip, []).append(tagger.tags[int(np.argmax(scores))])
    turned = [[clip, tags[0], tags[-1]] for clip, tags in first.items() if tags[0] != tags[-1]]
    return rows, turned[0] if turned else None

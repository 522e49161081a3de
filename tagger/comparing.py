"""A published table of predictions beside what the port says now."""

import numpy as np

from parity.errors import visible
from parity.fixtures.tags import OF_COUNT
from parity.port.architectures import MODELS
from parity.program import say
from parity.untrusted import read_json
from tagger import conditions, load_tagger
from tagger.audio import melgram
from tagger.tagging import percent_of
from tagger.weight_files import weights_of

SUCH_AS = "give one such as fixtures/published.json"


def compare(table, front_end, limit, engine=None):
    """Print how far each figure of a published table is off.

    Returns 0 where all are within `limit` points and in the same order, else 1. For a table of an
    author's own scores the conditions are searched for, and 0 means that each set has some.
    """
    if not 0 <= limit < np.inf:
        raise ValueError(f"--limit is {limit}; give a number of percentage points, 0 or more")
    read = read_table(table)
    if "models" not in read:
        return _conditions_of(read)
    faults = 0
    for row in differences(read, front_end, engine):
        faults += not row["difference"] <= limit or not row["same_order"]  # NaN is none
        order = "same order" if row["same_order"] else "ANOTHER ORDER"
        say(
            f"{row['model']:<5} {row['clip']:<36} {row['figures']} figures, largest "
            f"difference {row['difference']:.4f} points ({row['tag']}), {order}"
        )
    say(
        f"front end {front_end}: {'not all' if faults else 'all'} within {limit} "
        "points and in the published order"
    )
    return 1 if faults else 0


def _conditions_of(sets):
    faults, known = 0, {}
    for name, (model, printed) in sets.items():
        key = model, *printed
        if key not in known:
            known[key] = conditions.scored(model, weights_of(model), printed)
        within, others = conditions.ranked(known[key], printed)
        faults += not within
        figures = sum(map(len, printed.values()))
        ways = conditions.in_words(condition for condition, _ in within)
        say(f"{name}: {figures} figures, every printed digit with {' or '.join(ways) or 'nothing'}")
        for condition, apart in others[:1]:
            say(f"  nearest other: {conditions.in_words([condition])[0]}, off by {apart:.4f}")
    return 1 if faults else 0


def read_table(path):
    """{"clips": [relative path], "models": {model: [{tag: percent}, ..]}} from a JSON file.

    Of a file with an author's scores, {clip: {tag: score}} under "<model> <what else>" for the
    names of "clips": {name: (model, {clip: {tag: score}})}. Raises ValueError for another file.
    """
    try:
        table = read_json(path)
        sets = {
            name: (name.split()[0], [rows[clip] for clip in table["clips"]])
            for name, rows in table.items()
            if "models" not in table and isinstance(rows, dict) and {*table["clips"]} <= {*rows}
        }
        fault = next(_faults(table["clips"], sets.values() or table["models"].items()), None)
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no table of predictions; {SUCH_AS}") from error
    if fault:
        raise ValueError(f"{path} {fault}; {SUCH_AS}")
    if sets:
        clips = table["clips"]
        return {
            name: (of, dict(zip(clips, rows, strict=True))) for name, (of, rows) in sets.items()
        }
    return table


def _faults(clips, models):
    if not clips or not models:
        yield f"names no {'model' if clips else 'clip'}"
    for model, rows in models:
        if model not in MODELS:
            yield f"has figures of {visible(model)}, which is no model"
        elif len(rows) != len(clips):
            yield "has not one row per clip"
        elif not all(rows):
            yield f"has a row of {model} without a figure"
        else:
            figures = [cell for row in rows for cell in row.items()]
            tags = OF_COUNT[MODELS[model].outputs]
            unknown = sorted({tag for tag, _ in figures} - set(tags))
            yield from (f"has a figure for {tag}, which is no tag of {model}" for tag in unknown)
            yield from (
                f"has {figure!r} for a figure"
                for _, figure in figures
                if not isinstance(figure, (int, float)) or isinstance(figure, bool)
            )


def differences(table, front_end, engine=None):
    """A dict for each model and clip: the largest difference in percentage points, and where."""
    clips = np.concatenate([melgram(conditions.found(path), front_end) for path in table["clips"]])
    for model, rows in table["models"].items():
        tagger = load_tagger(model, weights_of(model, engine))
        all_percents = percent_of(tagger.predict(clips))  # one batch, as it was published
        for clip, published, percents in zip(table["clips"], rows, all_percents, strict=True):
            actual = dict(zip(tagger.tags, percents.tolist(), strict=True))
            off = {tag: abs(actual[tag] - figure) for tag, figure in published.items()}
            best = sorted(actual, key=actual.get, reverse=True)[: len(published)]
            worst = max(off, key=off.get)
            yield {
                "model": model,
                "clip": clip,
                "figures": len(off),
                "difference": off[worst],
                "tag": worst,
                "same_order": best == list(published),
            }

"""A published table of predictions beside what the port says now."""

import json
from pathlib import Path

import click
import numpy as np

from port.audio import melgram
from port.locate import NotFound, find, weights_of
from port.models import load
from port.sentences import shown
from port.tagging import percent_of, predict


def compare(table, front_end, limit):
    """Print each figure of a published table with the port's; 0 where all are within `limit` points in the same order, else 1."""
    published = read_table(table)
    faults = 0
    for row in differences(published, front_end):
        faults += row["difference"] > limit or not row["same_order"]
        order = "same order" if row["same_order"] else "ANOTHER ORDER"
        click.echo(f"{row['model']:<5} {row['clip']:<36} {row['figures']} figures, largest difference {row['difference']:.4f} "
                   f"points ({row['tag']}), {order}")
    click.echo(f"front end {front_end}: {'all' if not faults else 'not all'} within {limit} points and in the published order")
    return 1 if faults else 0


def read_table(path):
    """{"clips": [relative path], "models": {model: [{tag: percent}, ..]}} from a JSON file; ValueError for another."""
    try:
        table = json.loads(Path(path).read_text())
        if all(len(rows) == len(table["clips"]) for rows in table["models"].values()):
            return table
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{shown(path)} is no table of predictions; give one such as fixtures/published.json") from error
    raise ValueError(f"{shown(path)} has not one row per clip; give one such as fixtures/published.json")


def differences(table, front_end):
    """One dict per model and clip: how many figures, the largest difference in percentage points, its tag, the order."""
    clips = np.concatenate([melgram(_found(path), front_end) for path in table["clips"]])  # (B,1,96,1366), one batch
    for model, rows in table["models"].items():
        tagger = load(model, weights_of(model))
        for clip, published, percents in zip(table["clips"], rows, percent_of(predict(tagger, clips)), strict=True):
            actual = dict(zip(tagger.tags, percents.tolist(), strict=True))
            off = {tag: abs(actual[tag] - figure) for tag, figure in published.items()}
            best = sorted(actual, key=actual.get, reverse=True)[: len(published)]
            worst = max(off, key=off.get)
            yield {"model": model, "clip": clip, "figures": len(off), "difference": off[worst], "tag": worst,
                   "same_order": best == list(published)}


def _found(clip):
    path = find(clip)
    if path is None:
        raise NotFound(f"{clip} is not here; run make fixtures or set PARITY_DATA to a folder that holds it")
    return path

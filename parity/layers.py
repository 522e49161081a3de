"""`parity layers`: what Keras says of every layer of a model."""

import json
from typing import Any

import click

from parity.model import KERAS_VERSIONS
from parity.options import option
from parity.program import JSON, Command, result

HEAD = ("layer", "class", "output", "parameters", "reads")


@click.command(cls=Command, example="parity layers CNN\nparity layers net.json --keras 1.1.0")
@click.argument("model")
@option("--keras", type=click.Choice(KERAS_VERSIONS), help="The release that it runs on.")
@option("--custom", metavar="FILE.py", help="The classes and functions that it needs.")
@JSON
def layers(model: str, keras: str | None, custom: str | None) -> None:
    """List the layers of MODEL (a tagger by its name, what model.to_json() returned, a file of
    model.save, or FILE.py:FUNCTION) by the names that a port's layers have to have.

    Of each: Keras's class, the output's shape without samples (? where it varies), how many
    parameters it has, and what it reads.
    """
    from parity import originals  # late: it brings the recorders

    rows = originals.layers_of(model, keras, custom)
    result(_text(rows), json.dumps(rows, indent=1))


def _text(rows: list[dict[str, Any]]) -> str:
    cells = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    total = sum(row["parameters"] or 0 for row in rows)
    return "\n".join([*lines, f"{len(rows)} layers, {total:,} parameters", ""])


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    shape = " x ".join("?" if size is None else str(size) for size in row["shape"])
    held = "shared" if row["parameters"] is None else f"{row['parameters']:,}"
    return row["name"], row["kind"], shape, held, ", ".join(row["inbound"])

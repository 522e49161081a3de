"""probes.json: what it says in a terminal, and what answers otherwise in another one."""

from collections.abc import Iterable, Iterator
from textwrap import wrap

from parity.errors import visible
from parity.reports import Record, probes
from parity.reports.document import Kind
from parity.reports.message import reproduce
from parity.reports.summary import DATA
from parity.reports.terminal import aligned
from parity.reports.verdicts import bare, describe

PROBES = Kind("probes.json", "probes.schema.json", "make probe")
HEADINGS = ("layer", "verdict", "read back", "asked", "answers")
WORDS = 3  # of HEADINGS; figures follow
WIDTH = 100


def text(document: Record) -> str:
    """A table of each model, a line a layer, what it leaves out below it, and the sum of all."""
    parts = [line for model in document["models"] for line in [*_model(model), ""]]
    said = f"{document['verdict']}: {probes.sentence(document['models'])}"
    return "\n".join([*parts, visible(said), ""])


def _model(model: Record) -> Iterator[str]:
    stand_in = f", {DATA['seeded']}" if model["data"] == "seeded" else ""
    yield visible(f"{model['name']}: {model['weights']['file']}{stand_in}")
    head, *rows = aligned(HEADINGS, [_row(each) for each in model["layers"]], WORDS).split("\n")
    yield head
    for row, layer in zip(rows, model["layers"], strict=True):
        yield row
        found = layer["probed"]
        more = [*probes.notes(found)]
        if probes.fails(layer):
            more.append(f"reproduce: {reproduce(model, layer)}")
        yield from _wrapped(more)
    yield from _wrapped([model["probes"]["call"]])


def _wrapped(notes: Iterable[str | None]) -> Iterator[str]:
    for note in filter(None, notes):
        yield from wrap(
            visible(note), WIDTH, initial_indent="    ", subsequent_indent=" " * 6,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip


def _row(layer: Record) -> tuple[str, ...]:
    found, word = layer["probed"], layer["probed"]["verdict"]
    asked, answers = probes.counts(found)
    shown = f"{describe(word).mark} {bare(word)}"
    return layer["name"], shown, probes.read_back(found), f"{asked:,}", f"{answers:,}"


def changes(before: Record, after: Record, name: str) -> list[str]:
    """What answers otherwise than in an earlier document, called `name`."""
    old = {model["name"]: model for model in before["models"]}
    found = []
    for model in after["models"]:
        if model["name"] not in old:
            found.append(f"{model['name']}: not in {name}")
            continue
        was = {layer["name"]: layer["probed"] for layer in old[model["name"]]["layers"]}
        for layer in model["layers"]:
            here, there = layer["probed"], was.get(layer["name"])
            why = [*_changes(here, there)] if there else [f"not in {name}"]
            found += [f"{model['name']} / {layer['name']}: {each}" for each in why]
    return found


def _changes(here: Record, there: Record) -> Iterator[str]:
    was = probes.kept(there) or {}
    yield from probes.changed(here, was)
    if gone := probes.lost(here, was):
        yield gone

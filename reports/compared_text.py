"""Two compared runs as a sentence, text, Markdown and page; each says first which data was used."""

from parity.errors import visible
from parity.reports import Record, compared, figures, html
from parity.reports.figures import ABSENT, counted
from parity.reports.markdown import paragraphs, plain
from parity.reports.summary import DATA
from parity.reports.verdicts import MODES

SHOWN = 12  # layers in the text and in the Markdown
ALSO_SHOWN = 4  # of what changed in a layer besides its main figures


def data_sentence(found: Record) -> str:
    """The first line: which data both runs used, or each."""
    before, after = (DATA[run["data"]] for run in found["runs"])
    return before if before == after else f"before: {before}; after: {after}"


def sentence(found: Record) -> str:
    """The whole comparison in a sentence."""
    shared = [model for model in found["models"] if not model["only"]]
    layers = counted(sum(model["of"] for model in shared), "layer")
    if compared.is_same(found):
        what = "the same verdicts, figures, weights and stacks"
        return f"nothing changed: {counted(len(shared), 'model')}, {layers}, {what}."
    changed = [layer for model in shared for layer in model["layers"]]
    turns = [compared.turn(*layer[mode]["verdict"]) for layer in changed for mode in MODES]
    told = [f"{turns.count(word)} {word}" for word in ("better", "worse", "other") if word in turns]
    first, second = (run["verdict"] for run in found["runs"])
    return "; ".join(
        [
            f"{first} in both" if first == second else f"{first} before, {second} after",
            *_only(found),
            f"{counted(len(list(filter(None, turns))), 'verdict')} changed"
            + (f" ({', '.join(told)})" if told else ""),
            f"figures changed in {len(changed)} of {layers}",
            f"{counted(len(found['settings']), 'setting')} changed.",
        ]
    )


def text(found: Record) -> str:
    """A few lines for a terminal: the data, the sentence, the settings, then SHOWN layers."""
    return "\n".join(map(visible, [data_sentence(found), sentence(found), *_details(found)])) + "\n"


def as_markdown(found: Record) -> str:
    """The same as GitHub Markdown. Holds no time: the same two runs give the same text."""
    details = "\n".join(f"* {plain(line)}" for line in _details(found))
    return paragraphs(f"**{plain(sentence(found))}**", plain(data_sentence(found)), details)


def page(found: Record) -> str:
    """The comparison as one self-contained page, the same bytes for the same two documents."""
    shown = {"found": found, "sentence": sentence(found), "data": data_sentence(found)}
    return html.draw(
        "compared.html.j2", found, "compared.json", **shown, compared=compared, also=also
    )


def _only(found: Record) -> list[str]:
    """`only before: CRNN, CNN0`, for each run that has models the other has not."""
    names = {
        side: ", ".join(model["name"] for model in found["models"] if model["only"] == side)
        for side in ("before", "after")
    }
    return [f"only {side}: {listed}" for side, listed in names.items() if listed]


def _details(found: Record) -> list[str]:
    settings = [
        f"{row['what']}: {row['before'] or ABSENT} -> {row['after'] or ABSENT}"
        for row in found["settings"]
    ]
    layers = [_line(model, layer) for model in found["models"] for layer in model["layers"]]
    rest = len(layers) - SHOWN
    more = [f"{counted(rest, 'more layer')} in the page"] if rest > 0 else []
    return [*settings, *layers[:SHOWN], *more]


def _line(model: Record, layer: Record) -> str:
    cells = [_cell(mode, layer[mode]) for mode in MODES]
    cells += [f"also {also(layer)}"] if layer["also"] else []
    return f"{model['name']} / {layer['name']}: {'; '.join(cells)}"


def also(layer: Record) -> str:
    """The first ALSO_SHOWN of what else changed in a layer."""
    rest = len(layer["also"]) - ALSO_SHOWN
    more = [f"{rest} more in compared.json"] if rest > 0 else []
    return ", ".join([*layer["also"][:ALSO_SHOWN], *more])


def _cell(mode: str, cell: Record) -> str:
    words = dict.fromkeys(ABSENT if word is None else word for word in cell["verdict"])
    write = figures.allowance if mode == "isolated" else figures.drift
    ratio = f" ({figures.times(cell['ratio'])})" if cell["ratio"] else ""
    written = dict.fromkeys(map(write, cell["figure"]))
    return f"{mode} {' -> '.join(words)}, {' -> '.join(written)}{ratio}"

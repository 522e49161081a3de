"""Two compared runs as a sentence, as text, as Markdown and as a page. All of them say first which
data was used.
"""

from parity.reports import compared, figures, html, markdown
from parity.reports.figures import counted, visible
from parity.reports.summary import DATA
from parity.reports.verdicts import MODES

NOTHING = "nothing changed"
SHOWN = 12  # layers in the text and in the Markdown
ALSO_SHOWN = 4  # of what changed in a layer besides its main figures


def data_sentence(found):
    """The first line: which data both runs used, or each."""
    before, after = (DATA[run["data"]] for run in found["runs"])
    return before if before == after else f"before: {before}; after: {after}"


def sentence(found):
    """The whole comparison in a sentence."""
    shared = [model for model in found["models"] if not model["only"]]
    layers = counted(sum(model["of"] for model in shared), "layer")
    if compared.is_same(found):
        return (
            f"{NOTHING}: {counted(len(shared), 'model')}, {layers}, the same verdicts, "
            "figures, weights and stacks."
        )
    pairs = [
        layer[mode]["verdict"] for model in shared for layer in model["layers"] for mode in MODES
    ]
    changed = [compared.turn(*pair) for pair in pairs if None not in pair and pair[0] != pair[1]]
    return "; ".join(
        [
            _verdicts(found),
            *_only(found),
            f"{counted(len(changed), 'verdict')} changed" + _turns(changed),
            f"figures changed in {sum(len(model['layers']) for model in shared)} of {layers}",
            f"{counted(len(found['settings']), 'setting')} changed.",
        ]
    )


def text(found):
    """A few lines for a terminal: the data, the sentence, the settings, then the layers, at most
    SHOWN.
    """
    return "\n".join(map(visible, [data_sentence(found), sentence(found), *_details(found)])) + "\n"


def as_markdown(found):
    """The same as GitHub Markdown. Holds no time or date: the same two runs give the same text."""
    details = "\n".join(f"* {markdown.plain(line)}" for line in _details(found))
    parts = [
        f"**{markdown.plain(sentence(found))}**",
        markdown.plain(data_sentence(found)),
        details,
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def page(found):
    """The comparison as one self-contained page, byte-identical for the same two documents."""
    return html.draw(
        "compared.html.j2",
        found,
        "compared.json",
        found=found,
        sentence=sentence(found),
        data=data_sentence(found),
        compared=compared,
        also=also,
    )


def _verdicts(found):
    first, second = (run["verdict"] for run in found["runs"])
    return f"{first} in both" if first == second else f"{first} before, {second} after"


def _only(found):
    """`only before: CRNN, CNN0`, for each run that has models the other has not."""
    for side in ("before", "after"):
        names = [model["name"] for model in found["models"] if model["only"] == side]
        if names:
            yield f"only {side}: {', '.join(names)}"


def _turns(changed):
    """` (1 better, 2 worse)`; empty where no verdict changed."""
    told = ", ".join(
        f"{changed.count(word)} {word}" for word in ("better", "worse", "other") if word in changed
    )
    return f" ({told})" if told else ""


def _details(found):
    settings = [
        f"{row['what']}: {row['before'] or figures.ABSENT} -> {row['after'] or figures.ABSENT}"
        for row in found["settings"]
    ]
    layers = [_line(model, layer) for model in found["models"] for layer in model["layers"]]
    more = (
        [f"{counted(len(layers) - SHOWN, 'more layer')} in the page"] if len(layers) > SHOWN else []
    )
    return [*settings, *layers[:SHOWN], *more]


def _line(model, layer):
    cells = [_cell(mode, layer[mode]) for mode in MODES]
    return (
        f"{model['name']} / {layer['name']}: "
        f"{'; '.join([*cells, *([f'also {also(layer)}'] if layer['also'] else [])])}"
    )


def also(layer):
    """The first ALSO_SHOWN of what else changed in a layer; empty where nothing did."""
    more = (
        [f"{len(layer['also']) - ALSO_SHOWN} more in compared.json"]
        if len(layer["also"]) > ALSO_SHOWN
        else []
    )
    return ", ".join([*layer["also"][:ALSO_SHOWN], *more])


def _cell(mode, cell):
    before, after = (figures.ABSENT if word is None else word for word in cell["verdict"])
    words = before if before == after else f"{before} -> {after}"
    write = figures.allowance if mode == "isolated" else figures.drift
    ratio = f" ({figures.times(cell['ratio'])})" if cell["ratio"] else ""
    return f"{mode} {words}, {' -> '.join(dict.fromkeys(map(write, cell['figure'])))}{ratio}"

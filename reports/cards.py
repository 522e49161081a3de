"""What a layer's card says beside its figures: pictures of its evidence, and which causes are
possible, excluded or undecidable.
"""

from typing import NamedTuple

from parity.reports import figures, heatmap, small_charts
from parity.reports.verdicts import MODES, meaning, passes

definitions, gradient = small_charts.definitions, heatmap.legend  # what all cards of a page share
UNEXPLAINED = "no formula tested explains it"
APART = "another input could tell it from the first"
CAUSE_MOST = 120  # letters of a cause in a table
EFFECTS = ("gain", "offset")
# layers of a model whose pictures are on the page: with those of 200 it would be too large to open
# at once
PICTURED = 60


class Picture(NamedTuple):
    """Something to look at: markup, and a caption as text."""

    markup: str
    caption: str


def pictures(model, layer):
    """The Pictures of a layer's evidence: the spread of its residuals, then each channel's gain
    and offset; [] where there are none.
    """
    found, name = layer.get("evidence") or {}, f"{model['name']} / {layer['name']}"
    spread = small_charts.spread(
        found.get("residuals"), f"{name}: shares of error / sigma, logarithmic"
    )
    channels = (
        [_of_channels(name, found["channels"], effect) for effect in EFFECTS]
        if found.get("channels")
        else []
    )
    return [
        picture for picture in (Picture(spread, spread_caption(layer)), *channels) if picture.markup
    ]


def spread_caption(layer):
    """How much of the spread lies outside the picture, and what was counted."""
    residuals = (layer.get("evidence") or {}).get("residuals")
    if not residuals:
        return ""
    counted = next(filter(None, residuals.values()))
    looks = "" if residuals["port"] is None else "port filled, original dashed, "
    beyond = [
        f"{_who(side, residuals)} {count} of {of}"
        for side, (count, of) in small_charts.tails(residuals).items()
    ]
    part = f"; one element in {counted['every']} was counted" if counted["every"] > 1 else ""
    certain = f"; {counted['certain']} more may not differ at all" if counted["certain"] else ""
    return (
        f"Distance from the oracle in expected errors: {looks}a normal distribution "
        f"dotted. Beyond 5: {', '.join(beyond)}"
        f"{part}{certain}."
    )


def _who(side, residuals):
    return "port and original" if residuals["port"] is None else side


def _of_channels(name, channels, effect):
    axis, every, shares = (
        channels["axis"],
        channels["every"],
        small_charts.channel_shares(channels, effect),
    )
    label = f"{name}: {effect} of each {axis} as a share of what rounding may do"
    strongest = max(range(len(shares)), key=lambda at: abs(shares[at]))
    at = strongest * every
    which = (
        f"{axis} {at}"
        if every == 1
        else f"{axis}s {at} to {at + every - 1}; the strongest of every {every}"
    )
    most = figures.allowance(abs(shares[strongest]))
    return Picture(
        small_charts.channels(shares, channels["count"], axis, label),
        f"Shared {effect} of each {axis}, of what rounding may do: at most {most}, {which}.",
    )


def heat_map(model, layer):
    """{source, width, height, alternative, caption, least, largest} of the layer's map, or None."""
    found = (layer.get("evidence") or {}).get("map")
    if not found:
        return None
    width, height = heatmap.size(found)
    return {
        "source": heatmap.image(found),
        "width": width,
        "height": height,
        "alternative": f"{model['name']} / {layer['name']}: {heatmap.alternative(layer, found)}",
        "caption": _map_caption(layer, found),
        "least": figures.drift(found["least"]),
        "largest": figures.drift(found["largest"]),
    }


def _map_caption(layer, found):
    across, up = heatmap.axes(layer)
    over = "clips and channels" if len(layer["shape"]) > 3 else "clips"
    blocks = [
        figures.counted(size, axis) for size, axis in zip(found["block"], (up, across), strict=True)
    ]
    place = (
        f"at each {up} and {across}"
        if found["block"] == [1, 1]
        else f"in blocks of {' by '.join(blocks)}"
    )
    return (
        f"|port − original|, {found['mode']}, largest over {over} {place}; {up} 0 is below; "
        "empty where nothing differs."
    )


def survivors(layer):
    """Every hypothesis that explains the layer, best first, as text."""
    return [_survivor(each) for each in (layer["cause"] or {}).get("survivors", ())]


def _survivor(each):
    if isinstance(each, str):
        return each
    apart = figures.number(each.get("distance"))
    told = (
        f", {figures.allowance(apart)} of the allowance from the first"
        if apart and apart <= 1
        else f", {APART}"
        if apart
        else ""
    )
    return (
        f"{each['name']} (rho {figures.ratio(each.get('rho'))}, q "
        f"{figures.ratio(each.get('q'))}{told})"
    )


def undecidable(layer):
    """Every hypothesis that this layer on this input could not have shown, with the largest effect
    it would have had, as text.
    """
    found = (layer["cause"] or {}).get("undecidable") or layer.get("undecidable") or ()
    return [
        each
        if isinstance(each, str)
        else f"{each['name']} ({figures.percent(each.get('D'))} of the allowance)"
        for each in found
    ]


def forms(layer):
    """Which form of an ELU's exponential each side ran, read from the lattice its outputs stand
    on; "" where nothing shows it.
    """
    found = [
        (
            f"{side} {form['formula'] or 'either'} ({figures.percent(form['lattice_share'])} "
            "on the lattice of exp(x) − 1)"
        )
        for side in ("port", "original")
        if isinstance(form := (layer.get("form") or {}).get(side), dict)
    ]
    return f"form of the exponential: {'; '.join(found)}" if found else ""


def estimate(layer):
    """What a parameter would have to be, fitted on the output alone; "" where nothing was
    fitted.
    """
    found = (layer["cause"] or {}).get("estimate")
    if not isinstance(found, dict) or "value" not in found:
        return ""
    error = f" ± {figures.drift(found['se'])}" if found.get("se") is not None else ""
    return f"{found.get('what', 'estimate')} {figures.drift(found['value'])}{error}"


def causes(model):
    """{(layer, mode): why that cell does not hold, in a few words}; a chained cell says what the
    isolated one does not.
    """
    found = {}
    for layer in model["layers"]:
        words = [_cause(model, layer, mode) for mode in MODES]
        found |= {
            (layer["name"], mode): why
            for at, (mode, why) in enumerate(zip(MODES, words, strict=True))
            if why not in ("", *words[:at])
        }
    return found


def _cause(model, layer, mode):
    cell, found = layer[mode], layer["cause"] or {}
    if passes(cell["verdict"]):
        return ""
    if cell["verdict"] == "INHERITED":
        return f"from {model['first_divergence'] or 'an earlier layer'}"
    if found.get("hypothesis"):
        more = len(found.get("survivors") or ()) - 1
        return found["hypothesis"] + (f" (or {more} more)" if more > 0 else "")
    unnamed = (
        UNEXPLAINED
        if cell["verdict"] in ("FORMULA(unnamed)", "GROSS")
        else meaning(cell["verdict"])
    )
    return figures.short(cell.get("message") or cell.get("fault") or unnamed, CAUSE_MOST)


def is_open(layer):
    """Whether a card stands open: where its layer fails by its own fault."""
    return any(
        not passes(layer[mode]["verdict"]) and layer[mode]["verdict"] != "INHERITED"
        for mode in MODES
    )

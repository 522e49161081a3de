"""What a layer's card says beside its figures: pictures of its evidence, and possible causes."""

from typing import NamedTuple

from markupsafe import Markup

from parity.reports import Record, figures, small_charts
from parity.reports.message import cause_in_brief
from parity.reports.verdicts import MODES

APART = "another input could tell it from the first"
CAUSE_MOST = 120  # letters of a cause in a table
# layers of a model whose pictures are on the page: with those of 200 it would be too large to open
# at once
PICTURED = 60


class Picture(NamedTuple):
    """Something to look at: markup, and a caption as text."""

    markup: Markup
    caption: str


def pictures(model: Record, layer: Record) -> list[Picture]:
    """The spread of a layer's residuals, then each channel's gain and offset, as far as known."""
    found, name = layer.get("evidence") or {}, f"{model['name']} / {layer['name']}"
    residuals, channels = found.get("residuals"), found.get("channels")
    label = f"{name}: shares of error / sigma, logarithmic"
    drawn = [Picture(small_charts.spread(residuals, label), spread_caption(residuals))]
    if channels:
        drawn += [_of_channels(name, channels, effect) for effect in small_charts.EFFECTS]
    return [picture for picture in drawn if picture.markup]


def spread_caption(residuals: Record | None) -> str:
    """How much of the spread lies outside the picture, and what was counted."""
    if not residuals:
        return ""
    counted = next(filter(None, residuals.values()))
    both = residuals["port"] is None
    looks = "" if both else "port filled, original dashed, "
    beyond = ", ".join(
        f"{'port and original' if both else side} {count} of {of}"
        for side, (count, of) in small_charts.tails(residuals).items()
    )
    part = f"; one element in {counted['every']} was counted" if counted["every"] > 1 else ""
    certain = f"; {counted['certain']} more may not differ at all" if counted["certain"] else ""
    return (
        f"Distance from the oracle in expected errors: {looks}a normal distribution dotted. "
        f"Beyond 5: {beyond}{part}{certain}."
    )


def _of_channels(name: str, channels: Record, effect: str) -> Picture:
    axis, every = channels["axis"], channels["every"]
    shares = small_charts.channel_shares(channels, effect)
    label = f"{name}: {effect} of each {axis} as a share of what rounding may do"
    strongest = max(range(len(shares)), key=lambda at: abs(shares[at]))
    at, last = strongest * every, (strongest + 1) * every - 1
    group = f"{axis}s {at} to {last}; the strongest of every {every}"
    return Picture(
        small_charts.channels(shares, channels["count"], axis, label),
        f"{effect.capitalize()} shared by each {axis}, of what rounding may do: at most "
        f"{figures.allowance(abs(shares[strongest]))}, {group if every > 1 else f'{axis} {at}'}.",
    )


def survivors(layer: Record) -> list[str]:
    """Every hypothesis that explains the layer, best first."""
    return [_survivor(each) for each in (layer["cause"] or {}).get("survivors", ())]


def _survivor(each: Record | str) -> str:
    if isinstance(each, str):
        return each
    apart, told = figures.number(each.get("distance")), ""
    if apart:
        near = f"{figures.allowance(apart)} of the allowance from the first"
        told = f", {near if apart <= 1 else APART}"
    rho, q = figures.ratio(each.get("rho")), figures.ratio(each.get("q"))
    return f"{each['name']} (rho {rho}, q {q}{told})"


def undecidable(layer: Record) -> list[str]:
    """Every hypothesis that this input could not have shown, with the effect it would have had."""
    found = (layer["cause"] or {}).get("undecidable") or layer.get("undecidable") or ()
    return [
        each
        if isinstance(each, str)
        else f"{each['name']} ({figures.percent(each.get('D'))} of the allowance)"
        for each in found
    ]


def forms(layer: Record) -> str:
    """Which form of an ELU's exponential each side ran, by the lattice its outputs stand on."""
    sides = {side: (layer.get("form") or {}).get(side) for side in ("port", "original")}
    found = [
        f"{side} {form['formula'] or 'either'} ({figures.percent(form['lattice_share'])} on the "
        "lattice of exp(x) − 1)"
        for side, form in sides.items()
        if isinstance(form, dict)
    ]
    return f"form of the exponential: {'; '.join(found)}" if found else ""


def estimate(layer: Record) -> str:
    """What a parameter would have to be, fitted on the output alone."""
    found = (layer["cause"] or {}).get("estimate")
    if not isinstance(found, dict) or "value" not in found:
        return ""
    error = f" ± {figures.drift(found['se'])}" if found.get("se") is not None else ""
    return f"{found.get('what', 'estimate')} {figures.drift(found['value'])}{error}"


def causes(model: Record) -> dict[tuple[str, str], str]:
    """{(layer, mode): why that cell does not hold, in brief}; a chained cell says only what the
    isolated one does not.
    """
    found = {}
    for layer in model["layers"]:
        isolated, chained = (cause_in_brief(model, layer, mode, CAUSE_MOST) for mode in MODES)
        found[layer["name"], "isolated"] = isolated
        found[layer["name"], "chained"] = chained if chained != isolated else ""
    return {cell: why for cell, why in found.items() if why}

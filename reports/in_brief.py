"""What a section of the page comes to, in one line: it stands beside the section's title."""

from collections.abc import Iterable

from parity.reports import Figure, Record, figures, microscope, summary
from parity.reports.investigation import listed
from parity.reports.microscope import Found


def _largest(values: Iterable[Figure]) -> Figure:
    return max(values, key=figures.size, default=None)


def gru(found: list[Found]) -> str:
    """Steps, drift and share of the allowance of all recurrent layers."""
    rows = [row for each in found for row in each.found.get("free") or ()]
    if not rows:
        return "none could be looked into" if found else "none of these models has one"
    drift = figures.drift(_largest(row["state"]["max_abs"] for row in rows))
    used = figures.of_allowed(_largest(row["rho_port"] for row in rows))
    asked = f"{figures.counted(len(found), 'layer')}, {figures.counted(len(rows), 'step')}"
    return f"{asked}: drift at most {drift}, {used}"


def normalisation(document: Record) -> str:
    """The gain that uses most of what rounded parameters explain."""
    layers = list(microscope.found_at("batch_normalization", document["models"]))
    shares = [
        size / limit
        for at in layers
        if (limit := at.found["worst"]["gain_limit_u"])
        and (size := figures.number(at.found["worst"]["gain_u"])) is not None
    ]
    phases = figures.counted(len(document["train_phase"]), "Keras release")
    used = figures.allowance(_largest(shares))
    return (
        f"{figures.counted(len(layers), 'layer')}: gains use at most {used} of what rounded "
        f"parameters explain; trained as {phases}"
    )


def convolution(found: list[tuple[Found, Record]]) -> str:
    """How visible the flip is."""
    least = min((figures.size(asymmetry["whole"]) for _, asymmetry in found), default=None)
    layers = figures.counted(len(found), "layer")
    seen = [at.found for at, _ in found if at.found]
    if not seen:
        return f"{layers}; asymmetry at least {figures.ratio(least)}"
    without = figures.magnitude(_largest(each["unflipped"]["max_abs"] for each in seen))
    with_it = figures.magnitude(_largest(each["flipped"]["max_abs"] for each in seen))
    shown = sum(each["visible"] for each in seen)
    return f"{layers}, {shown} show the flip: up to {without} off without it, {with_it} with it"


def worth(models: list[Record]) -> str:
    """What the dearest trial costs, beside the port's own drift."""
    ends = [
        (name, figures.number(end))
        for model in models
        for name, end, _ in microscope.worth_points(model)[1:]
    ]
    name, end = max(ends, key=lambda pair: figures.size(pair[1]), default=("", None))
    own = figures.magnitude(_largest(model["clean"]["max_abs"] for model in models))
    return (
        f"{name}: scores up to {figures.magnitude(end)} off; the port's own {own}" if name else ""
    )


def faults(document: Record) -> str:
    """Caught, located and quiet, of how many."""
    t = document["totals"]
    return (
        f"{t['caught']} of {t['decidable']} decidable faults caught, {t['located']} located, "
        f"{t['survivors']} survive; {t['quiet']} of {t['harmless']} harmless changes raised no "
        "alarm"
    )


def investigation(document: Record) -> str:
    """How many findings each list has."""
    return ", ".join(f"{len(found)} {title}" for title, found in listed(document).items() if found)


def provenance(document: Record) -> str:
    """Port, originals and versions."""
    return f"{document['port']} against {summary.stacks(document)}"

"""What probes found, in words, from the records of parity.json and probes.json alike."""

import math
from collections import defaultdict
from collections.abc import Iterator

from parity.reports import Figure, Record
from parity.reports.figures import ABSENT, number, ratio

NOT_PROBED, SUSPECT = "NOT PROBED", "ORACLE-SUSPECT"
ALLOWED = "ALLOWED TRANSFORM"
HOLDS = ("EXACT", "ROUNDING", ALLOWED)
CAUSE = "explained by: "
IN_UNITS = 2**6  # u; from here on a resolution is told as a power of two


def asked(model: Record) -> list[Record]:
    """The layers that the run asked, or tried to ask; none in documents of earlier versions."""
    return [layer for layer in model["layers"] if layer.get("probed")]


def sentence(models: list[Record]) -> str:
    """What the probes of some models add up to; empty where none were asked."""
    told = [model["probes"] for model in models if model.get("probes")]
    if not told:
        return ""
    every = [(model, layer) for model in models for layer in asked(model)]
    proved = sum(word(layer) in HOLDS for _, layer in every)
    read, weights = (sum(each[key] for each in told) for key in ("read", "weights"))
    parts = [f"{proved:,} of {len(every):,} layers compute the original's function"]
    if weights:
        parts.append(f"{read:,} of {weights:,} weights read back bit for bit")
    missing = [name(model, layer, models) for model, layer in every if _missing(layer)]
    if missing:
        parts.append(f"{NOT_PROBED}: {', '.join(missing)}")
    seeds = dict.fromkeys(f"random seed {each['seed']}" for each in told)
    return "; ".join([*parts, *seeds])


def name(model: Record, layer: Record, models: list[Record]) -> str:
    """`conv3`, or `CNN0 / conv3` where there are several models."""
    return f"{model['name']} / {layer['name']}" if len(models) > 1 else str(layer["name"])


def word(layer: Record) -> str:
    """What probes say of a layer; ORACLE-SUSPECT where the original answers otherwise than the
    formula that the port was held to.
    """
    return SUSPECT if suspicion(layer["probed"]) else str(layer["probed"]["verdict"])


def suspicion(found: Record) -> str:
    """How the original's own answers are not the formula's; else empty."""
    original = found.get("original")
    if not original:
        return ""
    ratio_, wrong = number(original["truth"]), original["wrong"]
    if original["probes"] and not wrong and ratio_ is not None and ratio_ <= 1:
        return ""
    return original["message"] or (
        f"the original itself answers {wrong:,} of these {original['probes']:,} questions wrongly, "
        f"and in float64 is {ratio(ratio_)} times as far from the formula as it may be"
    )


def fails(layer: Record) -> bool:
    """Whether probes found another function; a layer that was not asked does not fail by that."""
    return bool(layer.get("probed")) and word(layer) not in (*HOLDS, NOT_PROBED)


def failing_first(model: Record) -> list[Record]:
    """Its probed layers: what fails, what was not asked, then the rest in network order."""
    return sorted(asked(model), key=lambda each: (not fails(each), not _missing(each)))


def all_hold(model: Record) -> bool:
    """Whether probes proved every layer, and what users call."""
    return not model["probes"]["call"] and all(word(layer) in HOLDS for layer in asked(model))


def _missing(layer: Record) -> bool:
    return bool(layer["probed"]["verdict"] == NOT_PROBED)


def counts(found: Record) -> tuple[int, int]:
    """(questions, answers compared) of a layer."""
    asked = found["asked"]
    return sum(each["probes"] for each in asked), sum(each["answers"] for each in asked)


def read_back(found: Record) -> str:
    """How much of a layer was read back, and how well: `640 of 640 bit for bit`."""
    groups: dict[Figure, list[Record]] = defaultdict(list)
    for each in found["read"]:
        groups[each["to_u"]].append(each)
    return "; ".join(
        f"{sum(_told(each) for each in group):,} of {sum(each['count'] for each in group):,} "
        f"{nearness(to)}"
        for to, group in groups.items()
    )


def _told(read: Record) -> int:
    return int(read["close"] if number(read["to_u"]) else read["equal"])


def nearness(to: Figure) -> str:
    """A resolution: `bit for bit`, `to 8 u`, `to 2^-18`."""
    units = number(to) or 0.0
    if not units:
        return "bit for bit"
    return f"to {units:g} u" if units < IN_UNITS else f"to 2^{math.log2(units) - 24:g}"


def readings(found: Record) -> list[str]:
    """A line for each parameter: how much of it was read, to what, and how sharp that is."""
    return [
        f"{each['name']}: {_told(each):,} of {each['count']:,} "
        f"{nearness(each['to_u'])}{_sharp(each)}"
        for each in found["read"]
    ]


def _sharp(read: Record) -> str:
    if not number(read["to_u"]):
        return ""
    worst = f", worst {ratio(read['worst_u'])} u" if read["close"] == read["read"] else ""
    return f"{worst}; half of them would show {ratio(read['shows_u'])} u"


def unread(found: Record) -> list[str]:
    """What could not be read, or not so well, and why."""
    hidden: dict[str, list[str]] = defaultdict(list)
    coarse: dict[Figure, list[str]] = defaultdict(list)
    for each in found["read"]:
        if each["hidden"]:
            lacking = f"{each['count'] - each['read']:,} of {each['count']:,} {each['name']}"
            hidden[each["hidden"]].append(lacking)
        if number(each["to_u"]) and each["close"] < each["read"]:
            coarse[each["to_u"]].append(f"{each['read'] - each['close']:,} {each['name']}")
    return [f"could not be read: {', '.join(some)}: {why}" for why, some in hidden.items()] + [
        f"read, but not {nearness(to)} of themselves: {', '.join(some)}"
        for to, some in coarse.items()
    ]


def faults(found: Record) -> list[str]:
    """Why a layer fails or was not asked: what was found, the cause, the place."""
    if why := suspicion(found):
        return [why]
    said = found["message"] or ""
    parts = {"": said, CAUSE: found["cause"], "where: ": found["place"]}
    return [
        f"{label}{part}"
        for label, part in parts.items()
        if part and (not label or part not in said)
    ]


def notes(found: Record) -> Iterator[str]:
    """All that a layer's line leaves out."""
    if found["verdict"] not in HOLDS[:2] or suspicion(found):
        yield from faults(found)
    elif found["form"]:
        yield f"another form of the formula: {found['form']}"
    yield from unread(found)


def kept(found: Record | None) -> Record | None:
    """What is kept of a layer to compare others with: nothing that depends on the processor."""
    if not found:
        return None
    read = {each["name"]: each["sha256"][:16] for each in found["read"] if each["sha256"]}
    return {"verdict": found["verdict"], "form": found["form"], "read": read}


def changed(found: Record, was: Record) -> Iterator[str]:
    """What was read back that is not what was `kept` once."""
    now, places = kept(found) or {}, {each["name"]: each["at"] for each in found["read"]}
    for name, digest in was["read"].items():
        if now["read"].get(name) != digest:
            at = f" {tuple(places[name])}" if places.get(name) else ""
            gone = name not in now["read"]
            yield f"weight {name}{at} {'is no longer read back exactly' if gone else 'changed'}"
    for name in now["read"].keys() - was["read"].keys():
        yield f"weight {name} is read back exactly, and was not"
    if now["form"] != was["form"]:
        form, before = (each["form"] or "the formula's own" for each in (now, was))
        yield f"form is {form}, was {before}"


def lost(found: Record | None, was: Record | None) -> str:
    """What probes proved once and do not now; else empty."""
    if not was or was["verdict"] not in HOLDS or (found and found["verdict"] in HOLDS):
        return ""
    why = found["message"] if found else "the run did not ask it"
    return (
        f"was probed ({was['verdict']}), and is {found['verdict'] if found else NOT_PROBED}: {why}"
    )


def found(layer: Record) -> list[str]:
    """What stands below a layer's verdict: why it fails or was not asked, or its form."""
    below, told = unread(layer["probed"]), layer["probed"]
    named = f"{CAUSE}{told['cause']}"  # the verdict says it, in brackets
    return [
        line
        for line in notes(told)
        if line not in below and not (line == named and told["cause"] in told["verdict"])
    ]


def card(layer: Record) -> list[str]:
    """What a layer's card says of its probes."""
    told, (questions, answers) = layer["probed"], counts(layer["probed"])
    asked_ = f"probed: {answers:,} answers to {questions:,} questions"
    sizes = f"clips at a time {batches(told)}"
    original = told.get("original")
    own = f"the original answered {original['probes']:,} of them" if original else ""
    return [line for line in (asked_, sizes, own, *readings(told), *notes(told)) if line]


def cause(layer: Record) -> str:
    """Why its probes fail, in brief; empty where they do not."""
    if not fails(layer):
        return ""
    found = layer["probed"]
    return suspicion(found) or found["cause"] or found["message"] or ""


def batches(found: Record) -> str:
    """The batch sizes that it was asked with: `1, 2, 5`."""
    return ", ".join(map(str, sorted(found["batches"]))) or ABSENT

"""What a whole run says: its cells, counts, sentences and one line of figures per model."""

from typing import Any, NamedTuple

from parity.errors import visible
from parity.reports import Figure, Record, figures, probes
from parity.reports.verdicts import (
    CELLS,
    MODES,
    bare,
    cause_name,
    describe,
    fails,
    gravity,
    inherits,
    passes,
    worst_word,
)

DATA = {"real": "real data", "seeded": "seeded stand-ins: NOT the published weights"}
FINAL = (
    ("port_reference", "port to original"),
    ("noise_reference", "original's own noise"),
    ("port_truth", "port to truth"),
    ("reference_truth", "original to truth"),
    ("noise_truth", "original (fast_run) to truth"),
)
ROW_FINAL = FINAL[:4]
RHO = {"isolated": "rho_port", "chained": "rho_local"}  # the share of rounding's allowance
BY_EXPERIMENT = "bounded by experiment"
MODEL_HEADINGS = ("model", "verdict", "worst layer", "allowance used", *dict(ROW_FINAL).values())
PROBED = "probed"
STAND_INS = (
    " Stand-ins were proved, not the published weights: fetch those with `make fixtures`, or name "
    "their folder with --data (make: DATA=)."
)
WORD_COLUMNS = 3  # of MODEL_HEADINGS; figures follow


class Cell(NamedTuple):
    """One comparison: a model, one of its layers and `isolated`, `chained` or `probed`."""

    model: Record
    layer: Record
    mode: str

    @property
    def figures(self) -> Any:
        return self.layer[self.mode]

    @property
    def verdict(self) -> str:
        return probes.word(self.layer) if self.mode == PROBED else str(self.figures["verdict"])

    @property
    def holds(self) -> bool:
        return passes(self.verdict)

    @property
    def name(self) -> str:
        return f"{self.model['name']} / {self.layer['name']} ({self.mode})"


def cells(document: Record) -> list[Cell]:
    """Every Cell of a document, models and layers in its own order."""
    return [cell for model in document["models"] for cell in cells_of(model)]


def cells_of(model: Record) -> list[Cell]:
    """Every Cell of one model in network order, isolated before chained."""
    return [Cell(model, layer, mode) for layer in model["layers"] for mode in MODES]


def probed(model: Record) -> list[Cell]:
    """The layers of one model as probes found them, where they were asked."""
    return [Cell(model, layer, PROBED) for layer in probes.asked(model)]


def offenders(model: Record) -> list[Cell]:
    """The cells that do not hold by their own layer's fault, in network order. A layer that was
    not probed is none.
    """
    found = [cell for cell in cells_of(model) if not cell.holds and cell.verdict != "INHERITED"]
    found += [cell for cell in probed(model) if probes.fails(cell.layer)]
    places = {layer["name"]: at for at, layer in enumerate(model["layers"])}
    return sorted(found, key=lambda cell: places[cell.layer["name"]])


def first_offenders(document: Record) -> list[Cell]:
    """The first offender of each model that has any."""
    return [found[0] for model in document["models"] if (found := offenders(model))]


def found_by(model: Record, layer: Record) -> str:
    """What the page's filter finds a layer by."""
    verdicts = dict.fromkeys(layer[mode]["verdict"] for mode in MODES)
    state = "fail" if fails(layer) else "" if inherits(layer) else "holds"
    asked = [probes.word(layer), probes.cause(layer)] if layer.get(PROBED) else []
    words = [
        model["name"],
        layer["name"],
        layer["kind"],
        *verdicts,
        cause_name(layer),
        *asked,
        state,
    ]
    return " ".join(filter(None, words))


def worst_first(model: Record) -> dict[str, int]:
    """{layer name: its place, 0 for the worst}: by verdict, then by allowance used."""
    ordered = sorted(model["layers"], key=_badness, reverse=True)
    return {layer["name"]: place for place, layer in enumerate(ordered)}


def _badness(layer: Record) -> tuple[int, float]:
    rounded = max(figures.size(layer[mode][key]) for mode, key in RHO.items())
    return gravity(worst_word(layer)), rounded


def counts(document: Record) -> dict[str, int]:
    """Cells by verdict word, the gravest last; FORMULA names together."""
    words = [bare(cell.verdict) for cell in cells(document)]
    return {word: words.count(word) for word in CELLS if word in words}


def remarks_of(model: Record) -> list[str]:
    """What changes the worth of a model's figures: of its clips, then of itself."""
    clips = model.get("clips", ())
    said = [f"{clip['name']} {why}" for clip in clips for why in clip.get("remarks", ())]
    return [*said, *model.get("remarks", ())]


def data_sentence(document: Record) -> str:
    """The first line of every output: real data or stand-ins, who read audio, and what is to be
    known of the clips.
    """
    reader = document.get("audio_read_by")
    clips = (clip for model in document.get("models", ()) for clip in model.get("clips", ()))
    said = {f"{clip['name']} {why}": None for clip in clips for why in clip.get("remarks", ())}
    by = f"audio read by {reader}'s front end" if reader else ""
    return "; ".join(filter(None, (DATA[document["data"]], by, *said)))


def verdict_sentence(document: Record) -> str:
    """The run's verdict with its counts, in one sentence."""
    models = document["models"]
    if not cells(document):
        return f"{document['verdict']}: nothing was compared."
    first = next(iter(first_offenders(document)), None)
    where = f"; first offender {first.name}" if first else ""
    selected = document.get("selection")
    is_seeded = document["data"] == "seeded"
    scope = " for seeded stand-ins" if is_seeded else ""
    scope += f"{' and' if scope else ' for'} the selected {', '.join(selected)}" if selected else ""
    holding = sum(model["verdict"] == "HOLDS" for model in models)
    proved = f"{holding} of {figures.counted(len(models), 'model')} proved"
    said = f"{document['verdict']}{scope}: {proved}, {_compared(counts(document))}{where}."
    return said + (STAND_INS if is_seeded else "")


TITLES = {
    "HOLDS": "the port computes what the original computes",
    "DRIFTS": "the port does not compute what the original computes",
    "INCOMPLETE": "not everything was compared, so nothing is proved",
}
NUMBERS = dict(enumerate("no one two three four five six seven eight nine ten".split()))


def title(document: Record) -> str:
    """The verdict for people: `HOLDS: the port computes what the original computes`."""
    scope = ", on stand-ins" if document["data"] == "seeded" else ""
    return f"{document['verdict']}: {TITLES[document['verdict']]}{scope}."


def in_short(document: Record) -> str:
    """What became of the tags and scores, in one sentence for people; empty without models."""
    models = document["models"]
    at_fault = sum(fails(layer) for model in models for layer in model["layers"])
    handed = sum(inherits(layer) for model in models for layer in model["layers"])
    clips = {clip["name"] for model in models for clip in model["clips"]}
    apart = max(
        (model["final"]["port_reference"] for model in models), key=figures.size, default=None
    )
    more = (
        f" and {handed} more only {'inherits' if handed == 1 else 'inherit'} it" if handed else ""
    )
    said = [
        f"{figures.counted(at_fault, 'layer')} at fault{more}" if at_fault else "",
        tags_in_short(document),
        f"scores differ by at most {figures.drift(apart)}" if apart is not None else "",
        f"{NUMBERS.get(len(clips), len(clips))} clip{'s' * (len(clips) != 1)}",
    ]
    return figures.sentence("; ".join(filter(None, said))) if models else ""


def tags_in_short(document: Record) -> str:
    """Whether the top tags are the same, in one line; empty where there are none."""
    lists = [clip for model in document["models"] for clip in model.get("tags", ())]
    turned = sum(bool(clip["swaps"]) for clip in lists)
    if not lists:
        return ""
    if not turned:
        return "the tags are the same, in the same order"
    return f"tags changed places in {turned} of {figures.counted(len(lists), 'list')}"


def probes_sentence(document: Record) -> str:
    """What the probes of all models add up to, in one line; empty where none were asked."""
    said = probes.sentence(document["models"])
    return f"probes: {said}" if said else ""


def experiment_sentence(document: Record) -> str:
    """Which layers were held to draws of rounding instead of a derived bound; empty where none."""
    named = [
        f"{model['name']} / {layer['name']} ({layer['kind']})"
        for model in document["models"]
        for layer in model["layers"]
        if by_experiment(layer)
    ]
    return f"{BY_EXPERIMENT}: {', '.join(named)}" if named else ""


def by_experiment(layer: Record) -> bool:
    """Whether a layer's bound is no derived one."""
    return layer.get("bound") == "experiment"


def _compared(found: dict[str, int]) -> str:
    """`36 comparisons (3 EXACT, 33 ROUNDING)`, and how many are missing."""
    every, missing = sum(found.values()), found.get("NOT COMPARED", 0)
    if missing == every:
        return f"nothing was compared: all {every} comparisons are missing"
    apart = {"NOT COMPARED", "INHERITED"}
    parts = ", ".join(f"{count} {word}" for word, count in found.items() if word not in apart)
    of_all = f"{every - missing} of {every} comparisons made" if missing else f"{every} comparisons"
    handed = found.get("INHERITED", 0)
    return f"{of_all} ({parts}{f'; and {handed} that only INHERITED a difference' * bool(handed)})"


def worst(model: Record) -> tuple[str, Figure]:
    """The worst layer of a model, `conv3 (isolated) ROUNDING`, and the allowance it used; the first
    that only probes found at fault, where all others hold.
    """
    found = model["worst"] or {}
    alone = [cell for cell in probed(model) if probes.fails(cell.layer)]
    if alone and passes(found.get("verdict") or "NOT COMPARED"):
        return f"{alone[0].layer['name']} (probed) {alone[0].verdict}", None
    named = f"{found['layer']} ({found['mode']}) {found['verdict']}" if found.get("layer") else ""
    return named or figures.ABSENT, found.get("rho")


def worst_shares(model: Record) -> Record:
    """What the bars of a model's worst layer show: its share, the original's there, its verdict."""
    found = model["worst"] or {}
    beside = [
        layer["isolated"]["rho_reference"]
        for layer in model["layers"]
        if layer["name"] == found.get("layer")
    ]
    return {
        "rho_port": worst(model)[1],
        "rho_reference": next(iter(beside), None),
        "verdict": found.get("verdict") or "NOT COMPARED",
    }


def words(document: Record) -> list[str]:
    """The verdicts that some layer's block on the page has, from light to grave."""
    layers = (layer for model in document["models"] for layer in model["layers"])
    return sorted({bare(worst_word(layer)) for layer in layers}, key=gravity)


def model_row(model: Record) -> list[str]:
    """One line per model, as visible text, under MODEL_HEADINGS."""
    layer, rho = worst(model)
    row = [
        model["name"],
        f"{describe(model['verdict']).mark} {model['verdict']}",
        layer,
        figures.allowance(rho),
        *(figures.drift(model["final"][key]) for key, _ in ROW_FINAL),
    ]
    return [visible(cell) for cell in row]


NAMED = {"asked": "as asked", "file": "as the file says", "assumed": "assumed"}
SURROUNDINGS = {"parity", "commit", "python", "numpy", "blas", "threads", "os", "cpu"}


def stacks(document: Record) -> str:
    """The originals' stacks, each once: `Keras 1.0.6 on Theano 1.0.5`."""
    found = (f"{original(each)} on Theano {each['stack']['theano']}" for each in document["models"])
    return ", ".join(dict.fromkeys(found)) or "no original"


def remarks(document: Record) -> list[str]:
    """What makes a verdict worth less than it looks, a line of each model."""
    return [
        f"{model['name']}: {remark}"
        for model in document["models"]
        for remark in model.get("remarks", ())
    ]


def versions(document: Record) -> str:
    """What the port ran on, as far as known: `Chainer 7.8.1, NumPy 1.23.5, Python 3.11.7`."""
    environment = document["environment"]
    own = [name for name in environment if name not in SURROUNDINGS]  # the port's, by its own names
    known = [(name.capitalize(), environment[name]) for name in own]
    known += [(name, environment[name.lower()]) for name in ("NumPy", "Python")]
    return ", ".join(f"{name} {version}" for name, version in known if version)


def original(model: Record) -> str:
    """What the port is measured against: `Keras 1.1.0 (assumed)`."""
    named = NAMED.get(model["stack"].get("keras_from"))
    return f"Keras {model['stack']['keras']}{f' ({named})' if named else ''}"


# --- the end of the chain ---

UNTOLD = "the model does not; see oracle_truth, final and attribution in parity.json"
NO_DRIFT = "There is no final drift to attribute: the port's end is the original's, bit for bit."
NOT_ASKED = (
    "this run was not asked to attribute it, not all layers were judged, or the network is no chain"
)


def final_fault(model: Record) -> str | None:
    """Why a model does not hold although its cells do; None where they say enough."""
    if model["verdict"] == "HOLDS" or offenders(model):
        return None
    if not model["layers"]:
        return "no layer of it was compared"
    call = "" if (model.get("whole_call") or {"holds": True})["holds"] else call_note(model)
    asked = (model.get("probes") or {}).get("call")
    faults = (_oracle_fault(model["oracle_truth"]), _scores_fault(model), call, asked)
    found = [why for why in faults if why]
    return f"every layer holds, but {'; and '.join(found) or UNTOLD}"


def _oracle_fault(truth: Record) -> str | None:
    ratio = figures.number(truth["ratio"])
    if ratio is None or ratio <= 1:
        return None
    return (
        f"at {truth['layer']} the oracle is {figures.ratio(ratio)} times as far from the float64 "
        "original as it may be, so it cannot be relied on"
    )


def _scores_fault(model: Record) -> str | None:
    """Only here it shows that a layer was not recorded, or that an input was not the same."""
    ends = attribution(model).get("ends") or {}
    if ends.get("holds") is False:
        return (
            f"a logit is {figures.ratio(ends.get('ratio'))} times as far from the original's as "
            "rounding in all layers explains: a layer was not recorded, or an input was not the "
            "same"
        )
    return "its final scores cannot be compared" if model["final"].get("holds") is False else None


def call_note(model: Record) -> str:
    """How what users call differs from the layers that were judged; else empty."""
    return (model.get("whole_call") or {}).get("message") or ""


def final_faults(document: Record) -> list[tuple[Record, str]]:
    """(model, why) of each model that does not hold although its cells do."""
    return [(model, why) for model in document["models"] if (why := final_fault(model))]


def attribution(model: Record) -> Record:
    """What the run says of its final drift; empty where it says nothing."""
    return model.get("attribution") or {}


def attribution_note(model: Record) -> str:
    """Why there are no shares of the final drift, or why they are not of the logits; else empty."""
    found = attribution(model)
    why = found.get("message") or NOT_ASKED
    if not any(layer["chained"].get("share") is not None for layer in model["layers"]):
        return NO_DRIFT if found.get("drift") == 0 else f"The final drift is not attributed: {why}."
    if found.get("space") == "scores":
        return f"The shares are of the drift of the scores, not of the logits: {why}."
    return ""

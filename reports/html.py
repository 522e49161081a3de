"""parity.html: one self-contained page, the same bytes for the same JSON."""

import json
from base64 import b64encode
from collections.abc import Callable
from functools import cache, partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup

from parity.errors import visible
from parity.reports import Figure, Record, companions, figures

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).with_name("templates")
Rows = tuple[tuple[str, str, Callable[[Any], str]], ...]  # label, a cell's key, writer

# every figure on a layer's card, in reading order
FIGURES: dict[str, Rows] = {
    "isolated": (
        ("rho, port", "rho_port", figures.ratio),
        ("rho, original", "rho_reference", figures.ratio),
        ("q, port", "q_port", figures.ratio),
        ("q, original", "q_reference", figures.ratio),
        ("rho (proved bound)", "rho_det", figures.ratio),
        ("largest difference", "max_abs", figures.drift),
        ("rms difference", "rms", figures.drift),
        ("rounding allows there", "worst_allowed", figures.drift),
        ("elements beyond", "beyond", figures.cell),
        ("share beyond", "beyond_share", figures.percent),
        ("bitwise equal", "bitwise_share", figures.percent),
        ("effective bits", "effective_bits", figures.bits),
    ),
    "chained": (
        ("largest drift", "max_abs", figures.drift),
        ("rms drift", "rms", figures.drift),
        ("inherited", "inherited", figures.drift),
        ("made here", "local", figures.drift),
        ("rho, this layer alone", "rho_local", figures.ratio),
        ("amplification", "amplification", figures.ratio),
        ("share of the final drift", "share", figures.percent),
        ("energy", "energy", figures.percent),
        ("original's own noise", "noise_max_abs", figures.drift),
        ("own noise, rms", "noise_rms", figures.drift),
        ("rounding allows, rms", "rounding_rms", figures.drift),
    ),
}
# the word of glossary.TERMS that explains a figure, by its key
EXPLAINED = {
    "rho_port": "share",
    "rho_reference": "share",
    "q_port": "q",
    "q_reference": "q",
    "rho_det": "det",
    "bitwise_share": "bitwise",
    "effective_bits": "bits",
    "inherited": "inherited",
    "local": "inherited",
    "amplification": "amplification",
    "share": "final",
    "energy": "energy",
    "rho_local": "share",
    "noise_max_abs": "noise",
    "noise_rms": "noise",
    "rounding_rms": "rounding",
}
# what follows the networks, in reading order: id and template, title in the list of contents
SECTIONS = {
    "probes": "probes",
    "gru": "recurrent layers",
    "normalisation": "batch normalisation",
    "convolution": "convolution",
    "worth": "worth of each fix",
    "tags": "tags",
    "faults": "planted faults",
    "investigation": "investigation",
    "provenance": "provenance",
    "glossary": "glossary",
}
# the modules of this room that templates call, by their own names
CALLED = (
    "cards charts companions faults figures glossary heatmap in_brief investigation message "
    "microscope probes provenance small_charts summary tags verdicts"
).split()


def page(document: Record, **beside: Record | None) -> str:
    """parity.html as text. Needs no network and no JavaScript; hostile text is shown as text.

    beside: the documents that lay beside parity.json, by the names in companions.COMPANIONS.
    """
    found = dict.fromkeys(companions.COMPANIONS) | beside
    found["microscope"] = companions.of_run(document, found["microscope"])
    shown: Record = {"document": document, "beside": found}
    drawn = (
        (name, title, _environment().get_template(f"sections/{name}.html.j2").render(shown))
        for name, title in SECTIONS.items()
    )
    sections = [(name, title, Markup(text.strip())) for name, title, text in drawn if text.strip()]
    return draw("parity.html.j2", document, "parity.json", sections=sections, **shown)


def draw(template: str, embedded: Record, json_name: str, **shown: Any) -> str:
    """A page from a template that extends base.html.j2, with its JSON, saved as `json_name`."""
    text = json.dumps(embedded, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "&<>":  # no HTML parser may mistake a name for markup
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    known = {"embedded": text, "json_name": json_name}
    return str(_environment().get_template(template).render(known, **shown))


def anchor(model: Record, layer: Record | None = None) -> str:
    """The stable id of a model's section or a layer's card: `CNN0`, `CNN0-conv3`."""
    plain = partial(quote, safe="", errors="backslashreplace")
    name = plain(model["name"]).replace("-", "%2D")
    return name if layer is None else f"{name}-{plain(layer['name'])}"


def bar_width(rho: Figure) -> float:
    """Filled share of the allowance bar in percent; full for anything beyond or not a number."""
    value = figures.number(rho)
    return 0 if value is None else round(100 * value, 1) if 0 <= value <= 1 else 100


def _shown(value: object) -> object:
    is_text = isinstance(value, str) and not isinstance(value, Markup)
    return visible(value, keep="\n") if is_text else value


@cache
def _environment() -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    script = (TEMPLATES / "page.js").read_bytes()
    environment.globals.update(
        {name: import_module(f"parity.reports.{name}") for name in CALLED},
        anchor=anchor,
        bar_width=bar_width,
        card_figures=FIGURES,
        explained=EXPLAINED,
        script=script.decode(),
        script_sha256=b64encode(sha256(script).digest()).decode(),
    )
    macros = vars(environment.get_template("parts.html.j2").module)
    script = (TEMPLATES / "page.js").read_bytes()
    environment.globals.update(
        {name: macro for name, macro in macros.items() if not name.startswith("_")}
    )
    return environment

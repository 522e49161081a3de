"""parity.html: one self-contained page, drawn from the document alone and byte-identical for the
same document.
"""

import json
from base64 import b64encode
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from parity.reports import (
    cards,
    charts,
    companions,
    ends,
    figures,
    findings,
    message,
    provenance,
    sections,
    summary,
    tags,
    verdicts,
)
from parity.reports.glossary import GLOSSARY

TEMPLATES = Path(__file__).with_name("templates")

# (label, cell key, writer) of every figure on a layer's card, in reading order.
ISOLATED = (
    ("rho, port", "rho_port", figures.ratio),
    ("rho, original", "rho_reference", figures.ratio),
    ("q, port", "q_port", figures.ratio),
    ("q, original", "q_reference", figures.ratio),
    ("rho (proved bound)", "rho_det", figures.ratio),
    ("largest difference", "max_abs", figures.drift),
    ("rms difference", "rms", figures.drift),
    ("rounding allows there", "worst_allowed", figures.drift),
    ("elements beyond", "beyond", figures.count),
    ("share beyond", "beyond_share", figures.percent),
    ("bitwise equal", "bitwise_share", figures.percent),
    ("effective bits", "effective_bits", figures.bits),
)
CHAINED = (
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
)
# (id and template, title in the list of contents) of what follows the networks, in reading order.
SECTIONS = (
    ("gru", "GRU"),
    ("normalisation", "batch normalisation"),
    ("convolution", "convolution"),
    ("worth", "worth of each fix"),
    ("tags", "tags"),
    ("faults", "planted faults"),
    ("investigation", "investigation"),
    ("provenance", "provenance"),
    ("glossary", "glossary"),
)
WORDS = {"port": "the port", "reference": "the original", "equal": "neither"}


def page(document, *, microscope=None, faults=None, investigation=None):
    """parity.html as text. Works from disk, without a network or JavaScript; hostile text in names
    is shown as text.

    microscope, faults, investigation: the documents that lay beside parity.json
    (parity.reports.companions), None where there is none.
    """
    shown = {
        "document": document,
        "microscope": companions.of_run(document, microscope),
        "faults": faults,
        "investigation": investigation,
    }
    return draw("parity.html.j2", document, "parity.json", sections=_sections(shown), **shown)


def draw(template, embedded, json_name, **shown):
    """A whole page from a template that extends base.html.j2; `embedded` is the JSON inside it,
    saved as `json_name`.
    """
    known = {"embedded": _embedded(embedded), "json_name": json_name, "script": _script()}
    return _environment().get_template(template).render(known, **shown)


def _sections(shown):
    """(id, title, markup) of every section after the networks that has something to say."""
    from markupsafe import Markup

    environment = _environment()
    drawn = (
        (name, title, environment.get_template(f"sections/{name}.html.j2").render(shown))
        for name, title in SECTIONS
    )
    return [(name, title, Markup(text.strip())) for name, title, text in drawn if text.strip()]


@cache
def _script():
    """The one script of the page, and the digest by which the page's policy lets it run."""
    text = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    return {"text": text, "sha256": b64encode(sha256(text.encode()).digest()).decode()}


def anchor(model, layer=None):
    """The stable id of a model's section or a layer's card: `CNN0`, `CNN0-conv3`; other than plain
    names percent-encoded.
    """
    plain = partial(quote, safe="", errors="backslashreplace")
    name = plain(model["name"]).replace("-", "%2D")
    return name if layer is None else f"{name}-{plain(layer['name'])}"


def facts(rows, cell):
    """(label, text) of each figure in ISOLATED or CHAINED for one cell."""
    return [(label, write(cell.get(key))) for label, key, write in rows]


def bar_width(rho):
    """Filled share of the allowance bar in percent, 0 to 100; full for anything beyond or not a
    number.
    """
    rho = figures.number(rho)
    return 0 if rho is None else round(100 * rho, 1) if 0 <= rho <= 1 else 100


def _embedded(document):
    """The document as JSON that no HTML parser can mistake for markup, whatever its names say."""
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@cache
def _environment():
    import jinja2
    from markupsafe import Markup

    def shown(value):
        return (
            value
            if isinstance(value, Markup) or not isinstance(value, str)
            else figures.visible(value, keep="\n")
        )

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        anchor=anchor,
        facts=facts,
        bar_width=bar_width,
        figures=figures,
        summary=summary,
        tags=tags,
        glossary=GLOSSARY,
        describe=verdicts.describe,
        passes=verdicts.passes,
        all_verdicts=verdicts.CELLS | verdicts.MODELS,
        modes=verdicts.MODES,
        cell_message=message.cell_message,
        message=message,
        isolated_rows=ISOLATED,
        chained_rows=CHAINED,
        words=WORDS,
        cards=cards,
        charts=charts,
        ends=ends,
        findings=findings,
        provenance=provenance,
        drawn=sections,
    )
    macros = vars(environment.get_template("parts.html.j2").module)
    environment.globals.update(
        {name: macro for name, macro in macros.items() if not name.startswith("_")}
    )
    return environment

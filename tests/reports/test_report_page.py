"""parity.html: from the JSON alone, whole, self-contained, and hostile text is text."""

import json
import os
import re
import subprocess
import sys
from base64 import b64encode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser

import pytest

from parity.reports import figures, html, provenance
from parity.reports.summary import DATA, FINAL, cells, verdict_sentence
from tests.reports import factory

EVERY = pytest.mark.parametrize("make", factory.EVERY.values(), ids=factory.EVERY)
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """What a browser would see: visible text, ids, links, tags, the embedded JSON; fails on tags
    that do not match.
    """

    def __init__(self, text):
        super().__init__()
        self.text, self.ids, self.links, self.tags, self.attributes, self.open = (
            "",
            [],
            [],
            [],
            [],
            [],
        )
        self.scripts = []
        self.feed(text)
        self.close()
        assert self.open == []
        self.json, self.script = self.scripts

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        self.ids += [value for name, value in attributes if name == "id"]
        self.links += [value for name, value in attributes if name == "href"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.scripts.append(data)
        elif self.open[-1:] != ["style"]:
            self.text += data


@EVERY
def test_same_document_same_bytes(make):
    assert html.page(make()).encode() == html.page(make()).encode()


@pytest.mark.slow
def test_two_processes_draw_the_same_page_whatever_their_hashes():
    code = (
        "from parity.reports import html; from tests.reports import companions_factory, "
        "factory; import sys;"
        "sys.stdout.buffer.write(html.page(factory.hostile(), "
        "**companions_factory.all_three()).encode())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] and len(runs[0]) > 50_000


@EVERY
def test_page_is_well_formed_with_unique_ids_and_no_dead_link(make):
    page = Page(html.page(make()))
    assert len(set(page.ids)) == len(page.ids)
    assert all(re.fullmatch(r"\S+", name) for name in page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


@EVERY
def test_page_asks_for_nothing(make):
    page = Page(html.page(make()))
    digest = b64encode(sha256(page.script.encode()).digest()).decode()
    policy = next(
        value for name, value in page.attributes if name == "content" and "default-src" in value
    )
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{digest}'; ")
    assert page.tags.count("script") == 2 and ("type", "application/json") in page.attributes
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert all(
        value.startswith("data:image/png;base64,")
        for name, value in page.attributes
        if name == "src"
    )
    assert not any(
        name.startswith("on") or name in ("srcset", "action", "background")
        for name, _ in page.attributes
    )
    assert page.tags.count("img") == sum(
        bool(layer.get("evidence")) for model in make()["models"] for layer in model["layers"]
    )
    style = re.search(r"<style>(.*?)</style>", html.page(make()), re.S).group(1)
    assert "url(" not in style and "@import" not in style


@EVERY
def test_embedded_json_is_the_document(make):
    embedded = Page(html.page(make())).json
    assert json.loads(embedded) == make() and not set(embedded) & set("<>&")


@EVERY
def test_data_and_verdict_come_first(make):
    text = " ".join(Page(html.page(make())).text.split())
    document = make()
    start = text.index(DATA[document["data"]])
    assert (
        start < 40
        and verdict_sentence(document).split(":")[0].split(" for ")[0] in text[start : start + 120]
    )


@pytest.mark.parametrize(
    "make", [factory.document, factory.failing, factory.seeded, factory.incomplete]
)
def test_every_figure_is_on_its_layers_card(make):
    document, page = make(), html.page(make())
    for cell in cells(document):
        card = re.search(
            rf'<tbody class="layer" id="{html.anchor(cell.model, cell.layer)}".*?</tbody>',
            page,
            re.S,
        ).group()
        card = unescape(card)
        rows = html.FIGURES[cell.mode]
        for label, key, write in rows:
            named = rf"<dt>(<a [^>]*>)?{re.escape(label)}(</a>)?</dt>"
            figure = re.escape(f"<dd>{write(cell.figures[key])}</dd>")
            assert re.search(named + figure, card), (cell.name, key)
        assert cell.verdict in card
    text = Page(page).text
    for model in document["models"]:
        assert all(figures.drift(model["final"][key]) in text for key, _ in FINAL)
        assert model["weights"]["sha256"] in text and all(
            clip["sha256"] in text for clip in model["clips"]
        )


def test_every_figure_of_the_contract_has_its_place():
    told = {
        "verdict",
        "message",
        "worst_index",
        "worst_actual",
        "worst_expected",
        "structure",
        "support",
    }
    told |= {"bitwise_equal"}  # said by the verdict EXACT and by bitwise_share of 100 %
    assert set(factory.isolated()) == told | {key for _, key, _ in html.FIGURES["isolated"]}
    assert set(factory.chained()) == {"verdict"} | {key for _, key, _ in html.FIGURES["chained"]}


def test_failing_page_names_offenders_and_blames_nobody_else():
    text = Page(html.page(factory.failing())).text
    assert (
        "First offender of each model" in text
        and text.count("CRNN / gru1 (isolated): the port differs") == 2
    )
    assert "the fault is in gru1" in text
    assert "First offender" not in Page(html.page(factory.document())).text


def test_stable_ids():
    ids = Page(html.page(factory.document())).ids
    assert {
        "CNN0",
        "CNN0-conv1",
        "CRNN-gru1",
        "page:provenance",
        "page:glossary",
        "page:json",
    } <= set(ids)


def test_ids_cannot_collide():
    a, b = {"name": "A-b"}, {"name": "A"}
    assert html.anchor(a, {"name": "c"}) != html.anchor(b, {"name": "b-c"})


def test_hostile_text_is_text():
    source = html.page(factory.hostile())
    page = Page(source)
    assert all(name in page.text for name in factory.HOSTILE[:3])
    assert "\\u202egnihtyna" in page.text and "\\x1b[31mred" in page.text
    assert "<script>alert" not in source and "\x1b" not in source and "\u202e" not in source
    source.encode("utf-8")


def test_environment_and_command_are_told():
    text = Page(html.page(factory.document())).text
    assert all(str(value) in text for value in factory.document()["environment"].values())
    assert "make parity DATA=data" in text and "optimizer=None,floatX=float32" in text


def test_published_files_are_told_by_their_sha256():
    published = next(
        entry for entry in json.loads(provenance.MANIFEST.read_text())["files"].values()
    )
    model = factory.model(weights={"file": "renamed.h5", "sha256": published["sha256"]})
    text = Page(html.page(factory.document([model]))).text
    assert f"{published['source_path']}; licence: {published['licence']}" in text
    assert text.count("given to this run; none of the published files") == 2, "the clips"
    assert "made from a fixed seed" in Page(html.page(factory.seeded())).text
    assert "make fixtures" in text and "make investigate" in text


def test_flags_as_a_mapping():
    model = factory.model()
    model["stack"]["flags"] = {"optimizer": "None", "floatX": "float32"}
    assert "floatX=float32,optimizer=None" in Page(html.page(factory.document([model]))).text


def test_beyond_the_allowance_is_seen_without_colour():
    page = html.page(factory.failing())
    assert 'class="bar bad"' in page and "209 times" in page
    assert (
        html.bar_width(0.4237) == 42.4
        and html.bar_width("inf") == 100
        and html.bar_width("nan") == 100
        and html.bar_width(None) == 0
    )


def test_style_knows_dark_print_and_narrow():
    page = html.page(factory.document())
    assert all(
        rule in page
        for rule in (
            "prefers-color-scheme: dark",
            "@media print",
            "max-width: 48rem",
            "tabular-nums",
        )
    )


def test_a_long_run_stays_small():
    layers = [factory.layer(f"layer_{index}") for index in range(200)]
    assert len(html.page(factory.document([factory.model(layers=layers)])).encode()) < 2_000_000


def test_a_share_of_next_to_nothing_can_be_drawn():
    model = factory.model()
    for at, layer in enumerate(model["layers"]):
        layer["chained"]["share"] = 1.0 if at == 3 else 3e-9
    assert "<svg" in html.page(factory.document([model]))

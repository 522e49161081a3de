"""What lies beside parity.json: read where it is there, refused in one sentence where it cannot be
used.
"""

import io
import json

import pytest
from click.testing import CliRunner

from parity.cli import main
from parity.reports import document, html, publish
from parity.reports.companions import COMPANIONS, beside
from parity.reports.document import ReportError
from tests.reports import companions_factory, factory

EACH = pytest.mark.parametrize(
    ("name", "make"), companions_factory.EVERY.items(), ids=companions_factory.EVERY
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "parity.json").write_text(json.dumps(factory.document()))
    return tmp_path


def test_nothing_beside_it(folder):
    assert beside(folder / "parity.json") == dict.fromkeys(COMPANIONS)


@EACH
def test_each_is_found_by_its_name_and_valid(folder, name, make):
    (folder / COMPANIONS[name].file).write_text(json.dumps(make()))
    assert beside(folder / "parity.json") == {**dict.fromkeys(COMPANIONS), name: make()}


@EACH
def test_each_schema_is_itself_valid(name, make):
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(
        json.loads((document.FOLDER / COMPANIONS[name].schema).read_text())
    )


@EACH
def test_each_name_that_the_schema_requires_is_missed(folder, name, make):
    kind = COMPANIONS[name]
    for key in json.loads((document.FOLDER / kind.schema).read_text())["required"]:
        (folder / kind.file).write_text(
            json.dumps({other: value for other, value in make().items() if other != key})
        )
        with pytest.raises(
            ReportError, match=f"lacks '{key}'" if key != "format" else "no format number"
        ):
            kind.read(folder / kind.file)


BROKEN = {
    "cut short": (lambda text: text[: len(text) // 2], "is cut short or is not JSON"),
    "empty": (lambda text: "", "is empty"),
    "another format": (
        lambda text: text.replace('"format": 1', '"format": 7'),
        "has format 7, expected 1",
    ),
    "no format": (lambda text: "{}", "has no format number"),
    "schema broken": (
        lambda text: text.replace('"data": "real"', '"data": "surreal"'),
        "is 'surreal', expected one of real, seeded",
    ),
}


@EACH
@pytest.mark.parametrize(("spoil", "says"), BROKEN.values(), ids=BROKEN)
def test_a_bad_companion_gets_its_sentence_and_leaves_the_old_page(folder, name, make, spoil, says):
    kind, page = COMPANIONS[name], folder / "parity.html"
    page.write_text("old")
    (folder / kind.file).write_text(spoil(json.dumps(make())))
    refused = CliRunner().invoke(main, ["report", str(folder / "parity.json")])
    assert refused.exit_code == 2 and page.read_text() == "old"
    assert (
        says in refused.stderr
        and kind.command in refused.stderr
        and refused.stderr.count("\n") == 1
    )
    with pytest.raises(ReportError, match=kind.file):
        publish.everything(folder / "parity.json", folder, io.StringIO())
    assert not (folder / "junit.xml").exists() and page.read_text() == "old"


@pytest.mark.parametrize("make", factory.EVERY.values(), ids=factory.EVERY)
def test_the_page_takes_all_of_them_and_is_the_same_each_time(make):
    source = html.page(make(), **companions_factory.all_three())
    assert source == html.page(make(), **companions_factory.all_three())
    assert html.page(make()) == html.page(make(), **dict.fromkeys(COMPANIONS))


def test_the_page_says_what_made_each_of_them():
    text = html.page(factory.seeded(), **companions_factory.all_three())
    provenance = text[text.index('id="page:provenance"') :]
    for made in companions_factory.all_three().values():
        assert f"<dd><code>{made['command']}</code></dd>" in provenance
    assert (
        provenance.count("real data; this run is on seeded stand-ins: NOT the published weights")
        == 3
    )

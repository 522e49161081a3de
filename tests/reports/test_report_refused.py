"""What cannot be drawn is refused: one short sentence without control characters, exit 2, the old
page left as it was.
"""

import json

import pytest
from click.testing import CliRunner

from parity.cli import main
from parity.errors import visible
from parity.reports import compared, document, publish
from parity.reports.document import ReportError
from tests.reports import companions_factory, factory

WHOLE = json.dumps(factory.document())
ESTIMATE = {"hypothesis": None, "survivors": [], "undecidable": [], "estimate": None, "r2": None}
CHANNELS = {
    "axis": "channel",
    "count": 2,
    "every": 1,
    "gain_u": "1 2",
    "gain_limit_u": "2",
    "offset": "1 2",
    "offset_limit": "2",
}
RAGGED = {
    "mode": "isolated",
    "shape": [2, 2],
    "block": [1, 1],
    "least": 1e-9,
    "largest": 1e-8,
    "rows": ["01", "0"],
}


def evidence(**channels):
    return {"residuals": None, "map": None, "channels": {**CHANNELS, **channels}}


def tags(**changes):
    return [{**factory.model()["tags"][0], **changes}]


REFUSED = {
    "stability in words": (
        "models/0/tags",
        tags(stability="abc"),
        "tags / 0 / stability is 'abc', expected a number",
    ),
    "stability an object": ("models/0/tags", tags(stability={}), "stability is {}"),
    "a swap of one": (
        "models/0/tags",
        tags(swaps=[{"pair": [1]}]),
        "swaps / 0 / pair is [1], which breaks the rule minItems 2",
    ),
    "a swap of nothing": ("models/0/tags", tags(swaps=[3]), "swaps / 0 is 3, expected object"),
    "selection": ("selection", 5, "selection is 5, expected array, null"),
    "survivors": (
        "models/1/layers/1/cause",
        {**ESTIMATE, "survivors": [3]},
        "survivors / 0 is 3, expected a name or {name, rho, q}",
    ),
    "undecidable cause": (
        "models/1/layers/1/cause",
        {**ESTIMATE, "undecidable": [3]},
        "undecidable / 0 is 3, expected a name or {name, D}",
    ),
    "undecidable": (
        "models/1/layers/1/undecidable",
        [3],
        "conv1 / undecidable / 0 is 3, expected a name or {name, D}",
    ),
    "estimate": (
        "models/1/layers/1/cause",
        {**ESTIMATE, "estimate": 3},
        "estimate is 3, expected object, null",
    ),
    "form": ("models/1/layers/1/form", "expm1", "form is 'expm1', expected object, null"),
    "gru": ("models/0/microscope", {"gru": {"gru1": {}}}, "gru1 is {}, expected steps, units"),
    "attribution": ("models/0/attribution", [1], "attribution is [1], expected object, null"),
    "published": (
        "models/0/final/port_share_of_published",
        "abc",
        "port_share_of_published is 'abc'",
    ),
    "negative drift": ("models/1/layers/1/chained/max_abs", -1.0, "max_abs is -1.0"),
    "series of dots": (
        "models/1/layers/1/evidence",
        evidence(gain_u="1.2.3 ."),
        "gain_u is '1.2.3 .', expected text like",
    ),
    "too many channels": (
        "models/1/layers/1/evidence",
        evidence(count=10**12),
        "breaks the rule maximum",
    ),
    # what no schema says, but drawing does
    "a series cut short": (
        "models/1/layers/1/evidence",
        evidence(gain_u="1 2 3", offset="1 2 3"),
        "holds figures that cannot be drawn (ValueError: ",
    ),
    "ragged map": (
        "models/1/layers/1/evidence",
        {"residuals": None, "channels": None, "map": RAGGED},
        "are not equally long)",
    ),
}


@pytest.mark.parametrize(("place", "value", "says"), REFUSED.values(), ids=REFUSED)
def test_each_is_a_sentence_and_leaves_the_old_page(tmp_path, place, value, says):
    path, page = tmp_path / "parity.json", tmp_path / "parity.html"
    path.write_text(json.dumps(factory.changed(place, value)))
    page.write_text("old")
    refused = CliRunner().invoke(main, ["report", str(path)])
    assert refused.exit_code == 2 and page.read_text() == "old" and says in refused.stderr
    assert (
        refused.stderr.count("\n") == 1
        and refused.stdout == ""
        and refused.stderr.endswith("write it again (make parity)\n")
    )


NUMBERS = {
    "1e400": "1e400 is too large for a number",
    "-1e999": "-1e999 is too large",
    "9" * 400: "9999",
    "9" * 5000: "is not usable JSON",
    "NaN": "NaN is not a JSON number",
    "-Infinity": "-Infinity is not a JSON number",
}


@pytest.mark.parametrize(
    ("number", "says"), NUMBERS.items(), ids=[number[:9] for number in NUMBERS]
)
def test_numbers_that_no_float_holds(tmp_path, number, says):
    path = tmp_path / "parity.json"
    path.write_text(WHOLE.replace("0.4237", number))
    with pytest.raises(ReportError) as refused:
        document.read(path)
    assert says in str(refused.value) and len(str(refused.value)) <= document.MESSAGE_MOST
    path.write_text(WHOLE.replace("0.4237", "1e308"))
    assert document.read(path)


def test_two_documents_that_cannot_be_compared_are_named(tmp_path, monkeypatch):
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(WHOLE)
    monkeypatch.setattr(compared, "compare", lambda *_: {}["runs"])
    with pytest.raises(
        ReportError,
        match=r"a\.json and .*b\.json: holds figures that cannot be drawn \(KeyError: 'runs'\)",
    ):
        publish.comparison(tmp_path / "a.json", tmp_path / "b.json", tmp_path / "c.html")


@pytest.mark.parametrize("name", factory.HOSTILE[3:5])
def test_hostile_names_are_written_out_in_a_refusal(tmp_path, name):
    path = tmp_path / "parity.json"
    twice, broken = factory.document(), factory.document()
    for model in twice["models"]:
        model["name"] = name
    broken["models"][0]["name"], broken["models"][0]["batch_size"] = name * 50, name
    for run in (twice, broken):
        path.write_text(json.dumps(run))
        with pytest.raises(ReportError) as refused:
            document.read(path)
        said = str(refused.value)
        assert (
            visible(said) == said
            and "\n" not in said
            and len(said) <= document.MESSAGE_MOST
            and said.endswith("(make parity)")
        )


@pytest.mark.parametrize("target", ["parity.json", "faults.json"])
def test_what_is_drawn_is_never_written_over(tmp_path, target):
    (tmp_path / "parity.json").write_text(WHOLE)
    (tmp_path / "faults.json").write_text(json.dumps(companions_factory.faults()))
    before = (tmp_path / target).read_text()
    for arguments in (
        ["parity.json"],
        *([["faults.json", "parity.json"]] if target == "parity.json" else []),
    ):
        inputs, output = (
            (str(tmp_path / name) for name in arguments),
            str(tmp_path / "x" / ".." / target),
        )
        refused = CliRunner().invoke(main, ["report", *inputs, "-o", output])
        assert (
            refused.exit_code == 2
            and "an input and would be overwritten; name another" in refused.stderr
        )
    assert (tmp_path / target).read_text() == before

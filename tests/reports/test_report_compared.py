"""Two runs compared: every kind of change is found, named and told once, and the same file twice
changes nothing.
"""

import io
import json

import pytest
from click.testing import CliRunner

from parity.cli import main
from parity.reports import compared, compared_text, publish
from parity.reports.document import ReportError
from parity.reports.summary import DATA
from tests.reports import factory
from tests.reports.test_report_page import Page

EVERY = pytest.mark.parametrize("make", factory.EVERY.values(), ids=factory.EVERY)


def layer_of(found):
    """The one layer that changed."""
    layers = [layer for model in found["models"] for layer in model["layers"]]
    assert len(layers) == 1, layers
    return layers[0]


@EVERY
def test_the_same_run_twice_changes_nothing(make):
    found = compared.compare(make(), make())
    assert compared.is_same(found) and compared_text.sentence(found).startswith("nothing changed: ")
    assert (
        compared_text.text(found).splitlines()[0] == DATA[make()["data"]]
        and len(compared_text.text(found).splitlines()) == 2
    )


@pytest.mark.parametrize("place", ["created", "command", "models/0/seconds"], ids=str)
def test_when_and_how_long_is_no_difference(place):
    value = {"models/0/seconds": 99.9}.get(place, "2031-01-01T00:00:00Z")
    assert compared.is_same(compared.compare(factory.document(), factory.changed(place, value)))


SETTINGS = factory.cases("""
weights of CRNN | models/0/weights | {"file": "other.h5", "sha256": "0000000000000000000000000000000000000000000000000000000000000000"} | other.h5 000000000000
stack of CNN0 | models/1/stack/keras | "1.2.2" | Keras 1.2.2
clips of CNN | models/2/clips | [] | nothing
blas | environment/blas | "OpenBLAS 0.3.21" | OpenBLAS 0.3.21
threads | environment/threads | null | nothing
port | port | "mine:steps" | mine:steps
data | data | "seeded" | seeded stand-ins: NOT the published weights
""")


@pytest.mark.parametrize(
    ("what", "place", "value", "told"),
    [(what, *row) for what, row in SETTINGS.items()],
    ids=SETTINGS,
)
def test_a_changed_setting_is_named(what, place, value, told):
    found = compared.compare(factory.document(), factory.changed(place, value))
    (row,) = found["settings"]
    assert row["what"] == what and (not row["after"] if told == "nothing" else told in row["after"])
    assert "1 setting changed" in compared_text.sentence(
        found
    ) and f"{what}: " in compared_text.text(found)
    assert what in Page(compared_text.page(found)).text


def test_a_changed_verdict_and_its_ratio():
    later = factory.changed(
        "models/1/layers/1/isolated", factory.isolated("GROSS", rho_port=0.4237 * 300)
    )
    found = compared.compare(factory.document(), later)
    layer = layer_of(found)
    assert layer["name"] == "conv1" and layer["isolated"]["verdict"] == ["ROUNDING", "GROSS"]
    assert (
        layer["isolated"]["ratio"] == pytest.approx(300)
        and layer["chained"]["ratio"] == 1
        and layer["also"] == []
    )
    assert (
        "1 verdict changed (1 worse); figures changed in 1 of 18 layers"
        in compared_text.sentence(found)
    )
    assert (
        "CNN0 / conv1: isolated ROUNDING -> GROSS, 42 % -> 127 times (300 times); chained ROUNDING"
        in compared_text.text(found)
    )


def test_the_drift_ratio_of_a_layer_whose_verdict_stays():
    found = compared.compare(
        factory.document(), factory.changed("models/0/layers/3/chained/max_abs", 3.1e-7)
    )
    assert layer_of(found)["chained"]["ratio"] == pytest.approx(0.5)
    assert "0 verdicts changed; figures changed in 1 of 18 layers" in compared_text.sentence(found)
    assert "0.5 times" in Page(compared_text.page(found)).text


def test_figures_that_are_not_shown_are_named():
    found = compared.compare(
        factory.document(), factory.changed("models/0/layers/3/isolated/q_port", 0.9)
    )
    assert layer_of(found)["also"] == ["q, port (isolated)"]
    assert "q, port (isolated)" in Page(compared_text.page(found)).text


def test_the_final_drift_is_compared():
    found = compared.compare(
        factory.document(), factory.changed("models/0/final/port_reference", 2.02e-7)
    )
    assert [(row["label"], row["ratio"]) for row in found["models"][0]["final"]] == [
        ("port to original", 2.0)
    ]
    assert not compared.is_same(found)


def test_models_and_layers_that_only_one_run_has():
    found = compared.compare(factory.document(), factory.one_model())
    assert [(model["name"], model["verdict"][1]) for model in found["models"]] == [
        ("CNN", "HOLDS"),
        ("CRNN", None),
        ("CNN0", None),
    ]
    assert (
        "; only before: CRNN, CNN0; 0 verdicts changed; figures changed in 0 of 6 "
        "layers; 0 settings"
    ) in compared_text.sentence(found)
    assert (
        Page(compared_text.page(found)).text.count(
            "Only the earlier run has this model, with 6 layers."
        )
        == 2
    )
    assert "only after: CRNN, CNN0" in compared_text.sentence(
        compared.compare(factory.one_model(), factory.document())
    )


def test_a_layer_that_only_one_run_has():
    later = factory.document()
    del later["models"][0]["layers"][5]
    found = compared.compare(factory.document(), later)
    assert (
        layer_of(found)["isolated"]["verdict"] == ["ROUNDING", None]
        and "no such name" in Page(compared_text.page(found)).text
    )
    assert "0 verdicts changed; figures changed in 1 of 18 layers" in compared_text.sentence(found)


ELSEWHERE = factory.cases("""
oracle | models/0/oracle_truth/ratio | 0.9 | oracle against the original of CRNN: 3.1 % of what is allowed, most at gru1 -> 90 %
divergence | models/0/first_divergence | "gru1" | first divergence of CRNN: none -> gru1
kind | models/1/layers/1/kind | "Conv2D" | also kind Convolution2D → Conv2D
shape | models/1/layers/1/shape | [2, 3] | also shape [2, 64, 96, 1366] → [2, 3]
worst place | models/1/layers/1/isolated/worst_index | [0, 0, 0] | also worst_index (isolated)
closer | models/1/layers/1/closer | "port" | also closer
selection | selection | ["gru1"] | selection: – -> ["gru1"]
""")


@pytest.mark.parametrize(("place", "value", "says"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_changed_elsewhere_is_a_change_too(place, value, says):
    found = compared.compare(factory.document(), factory.changed(place, value))
    assert not compared.is_same(found) and says in compared_text.text(found)


def test_tags_that_changed_are_told_with_their_model():
    later = factory.changed("models/2/tags/0/stability", 7.5)
    found = compared.compare(factory.document(), later)
    assert (
        not compared.is_same(found)
        and "Also changed: tags." in Page(compared_text.page(found)).text
    )


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (
            factory.document,
            factory.seeded,
            "before: real data; after: seeded stand-ins: NOT the published weights",
        ),
        (factory.seeded, factory.seeded, "seeded stand-ins: NOT the published weights"),
        (factory.document, factory.failing, "real data"),
    ],
)
def test_the_data_is_said_first(before, after, says):
    found = compared.compare(before(), after())
    page = Page(compared_text.page(found)).text
    assert compared_text.text(found).splitlines()[0] == says and page.index(says) < page.index(
        compared_text.sentence(found)
    )
    assert says in compared_text.as_markdown(found).splitlines()[2]


def test_the_summary_of_a_ci_run_has_the_comparison(two, monkeypatch):
    summary = two[0].with_name("summary.md")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert CliRunner().invoke(main, ["report", *map(str, two)]).exit_code == 0
    written = summary.read_text()
    assert written.startswith("**HOLDS before, DRIFTS after; ")
    assert "* CRNN / gru1: isolated ROUNDING -&#62; FORMULA(reset-after)" in written


def test_a_ratio_too_large_for_a_number_is_infinite():
    assert compared._ratio(1e-300, 1e300) == "inf"


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("ROUNDING", "GROSS", "worse"),
        ("GROSS", "EXACT", "better"),
        ("FORMULA(a)", "FORMULA(b)", "other"),
        ("EXACT", "EXACT", ""),
        ("HOLDS", "DRIFTS", "worse"),
        ("INCOMPLETE", "HOLDS", "better"),
        (None, "EXACT", ""),
    ],
)
def test_which_way_a_verdict_turned(before, after, says):
    assert compared.turn(before, after) == says


@pytest.mark.parametrize(
    ("before", "after", "ratio"),
    [
        (2.0, 1.0, 0.5),
        (0.0, 0.0, 1.0),
        (0.0, 1.0, "inf"),
        ("inf", 1.0, None),
        ("nan", "nan", None),
        (None, 1.0, None),
    ],
)
def test_ratios(before, after, ratio):
    found = compared.compare(
        factory.changed("models/0/final/port_reference", before),
        factory.changed("models/0/final/port_reference", after),
    )
    assert [row["ratio"] for row in found["models"][0]["final"]] == (
        [] if before == after else [ratio]
    )


def test_worse_layers_come_first():
    later = factory.failing()
    later["models"][0]["layers"][0]["chained"]["max_abs"] *= 1000
    names = [
        layer["name"]
        for layer in compared.compare(factory.document(), later)["models"][0]["layers"]
    ]
    assert set(names[:3]) == {"gru1", "gru2", "output"} and names[3:] == ["bn_0_freq"]


@EVERY
def test_the_page_is_whole_and_asks_for_nothing(make):
    found = compared.compare(factory.document(), make())
    source = compared_text.page(found)
    page = Page(source)
    assert source == compared_text.page(compared.compare(factory.document(), make()))
    assert len(set(page.ids)) == len(page.ids) and {
        link[1:] for link in page.links if link.startswith("#")
    } <= set(page.ids)
    assert (
        all(link.startswith(("#", "data:")) for link in page.links)
        and json.loads(page.json) == found
    )
    assert (
        "<script>alert" not in source
        and "\x1b" not in source
        and "\x1b" not in compared_text.text(found)
    )


@pytest.fixture
def two(tmp_path):
    paths = tmp_path / "before.json", tmp_path / "after.json"
    for path, run in zip(paths, (factory.document(), factory.failing()), strict=True):
        path.write_text(json.dumps(run))
    return paths


def test_the_command_writes_a_page_and_tells_the_gist(two):
    shown = CliRunner().invoke(main, ["report", *map(str, two)])
    assert shown.exit_code == 0 and shown.stdout.splitlines()[1].startswith(
        "HOLDS before, DRIFTS after; "
    )
    assert two[1].with_name("compared.html").read_text() == compared_text.page(
        compared.compare(factory.document(), factory.failing())
    )


def test_a_long_comparison_is_short_on_the_terminal(two):
    stream = io.StringIO()
    publish.comparison(*two, two[0].with_name("page.html"), stream)
    assert len(stream.getvalue().splitlines()) <= 16 and "CRNN / gru1" in stream.getvalue()


@pytest.mark.parametrize("which", [0, 1])
def test_a_bad_document_leaves_the_old_comparison(two, which):
    target = two[0].with_name("page.html")
    target.write_text("old")
    two[which].write_text(two[which].read_text()[:300])
    with pytest.raises(ReportError, match=rf"{two[which].name}: is cut short"):
        publish.comparison(*two, target, io.StringIO())
    refused = CliRunner().invoke(main, ["report", *map(str, two), "-o", str(target)])
    assert refused.exit_code == 2 and target.read_text() == "old"


def test_three_documents_are_too_many(two):
    assert CliRunner().invoke(main, ["report", *map(str, two), str(two[0])]).exit_code == 2


def test_of_what_else_changed_a_few_are_shown_and_the_rest_is_counted():
    found = compared.compare(factory.document(), factory.failing())
    gru1 = found["models"][0]["layers"][0]
    assert len(gru1["also"]) > 9 and compared_text.also(gru1).endswith(
        f"{len(gru1['also']) - 4} more in compared.json"
    )
    assert (
        compared_text.also(gru1) in compared_text.text(found)
        and compared_text.also(gru1) in Page(compared_text.page(found)).text
    )


def test_figures_that_read_the_same_are_shown_once():
    assert "42 % → 42 %" not in compared_text.page(
        compared.compare(factory.document(), factory.failing())
    )

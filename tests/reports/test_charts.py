"""Charts: what is in the figures is drawn, in the page's own colours, as text that nothing obeys,
the same bytes every time.
"""

import re
import subprocess
import sys
from xml.etree import ElementTree

import altair
import pytest
from jsonschema import ValidationError

from parity.reports import charts, drawing
from tests.reports import factory

NAMES = ("conv1", "bn1", "elu_1")
POINTS = [
    (name, 10.0**-at, series) for at, name in enumerate(NAMES) for series in ("port", "noise")
]
HOSTILE = "</svg><script>alert(1)</script>\"'&\u202e\x00"


def draw(points=POINTS, **changes):
    return str(
        charts.chart(points, **{"label": "drift", "y": "difference", "order": NAMES, **changes})
    )


def svg_of(markup):
    """The <svg class="chart"> of a chart, parsed; the legend before it is HTML."""
    return ElementTree.fromstring(markup[markup.index('<svg class="chart"') :])


def texts(markup):
    return [element.text for element in svg_of(markup).iter() if element.tag == "text"]


def paths(markup, **attributes):
    found = (element for element in svg_of(markup).iter() if element.tag == "path")
    return [
        element
        for element in found
        if all(element.get(key) == value for key, value in attributes.items())
    ]


@pytest.fixture(autouse=True)
def checked(monkeypatch):
    """Every chart of these tests is drawn anew and checked by Altair against Vega's schema."""
    render = charts.rendered

    def checked(spec):
        (altair.LayerChart if "layer" in spec else altair.Chart).from_dict(spec)
        return render(spec)

    charts._drawn.cache_clear()
    monkeypatch.setattr(charts, "rendered", checked)
    yield
    charts._drawn.cache_clear()


@pytest.mark.parametrize("kind", charts.MARKS)
def test_what_vega_does_not_know_is_found(kind, monkeypatch):
    monkeypatch.setattr(charts, "_ticks", lambda _: {"tickMinStop": 1})
    with pytest.raises(ValidationError):
        draw([(1, 1.0, "port"), (2, 3.0, "port")], order=None, kind=kind)


@pytest.mark.parametrize("kind", charts.MARKS)
def test_every_name_and_series_is_there_and_what_it_shows_is_said(kind):
    markup = draw(kind=kind, label="drift of CNN")
    assert set(NAMES) <= set(texts(markup)) and "difference" in texts(markup)
    assert (
        svg_of(markup).get("role") == "img" and svg_of(markup).get("aria-label") == "drift of CNN"
    )
    assert re.findall(r"<bdi>(.*?)</bdi>", markup) == ["port", "noise"]


def test_colours_are_the_pages_own():
    painted = {
        element.get(key) for element in svg_of(draw()).iter() for key in ("fill", "stroke")
    } - {None}
    assert (
        all(re.fullmatch(r"none|var\(--[a-z]+\)", colour) for colour in painted)
        and "var(--link)" in painted
    )


def test_series_differ_by_more_than_colour():
    many = [(name, 1.0 + at, f"series {at}") for at in range(7) for name in NAMES]
    markup = draw(many)
    keys = re.findall(r'<svg class="key".*?</svg>', markup)
    looks = [re.sub(r"var\(--\w+\)", "", key) for key in keys]
    assert len(keys) == 7 and len(set(looks[:5])) == 5 and len(set(keys)) == 7
    assert (
        len(
            {
                element.get("stroke-dasharray")
                for element in paths(markup)
                if element.get("stroke-width") == "1.5"
            }
        )
        >= 5
    )


def test_zero_stands_at_the_foot_of_a_logarithmic_axis_marked_as_zero():
    assert (
        texts(draw([("conv1", 0.0, "port"), ("bn1", 1e-6, "port"), ("elu_1", 1e-7, "port")])).count(
            "0"
        )
        == 1
    )
    assert "0" not in texts(
        draw([("conv1", 1e-8, "port"), ("bn1", 1e-6, "port"), ("elu_1", 1e-7, "port")])
    )
    assert "0" in texts(draw([(name, 0.0, "port") for name in NAMES])), (
        "nothing but zeros is a chart too"
    )


@pytest.mark.parametrize("value", [None, "nan", "inf", "-inf", 1e305])
def test_what_has_no_place_on_the_axis_is_left_out(value):
    rest = [("bn1", 1e-6, "port"), ("elu_1", 1e-7, "port")]
    assert draw([("conv1", value, "port"), *rest]) == draw(rest)
    assert draw([("conv1", value, "port")]) == ""


@pytest.mark.parametrize("value", [1e-323, 1e-300, 1e299])
def test_the_smallest_and_the_largest_numbers_are_drawn(value):
    assert draw([("conv1", value, "port"), ("bn1", 1e-6, "port"), ("elu_1", 0.0, "port")])


def test_hostile_text_is_text():
    markup = draw(
        [(HOSTILE, 1e-6, HOSTILE), ("bn1", 1e-7, "other")],
        order=(HOSTILE, "bn1"),
        label=HOSTILE,
        x=HOSTILE,
        y=HOSTILE,
    )
    assert "<script" not in markup and "\x00" not in markup and "\u202e" not in markup
    assert svg_of(markup).get("aria-label").startswith("</svg><script>")
    assert any(text.startswith("</svg><scr") for text in texts(markup))


def test_numbers_on_both_axes():
    markup = draw([(step, step * 1e-8, "port") for step in range(1, 16)], order=None, x="time step")
    whole = [int(text) for text in texts(markup) if text.isdecimal()]
    assert "time step" in texts(markup) and whole == list(range(1, 16))


def test_a_point_alone_is_not_joined():
    joined = len(paths(draw(POINTS), **{"stroke-width": "1.5"}))
    assert len(paths(draw(POINTS, loose=("noise",)), **{"stroke-width": "1.5"})) == joined - 1


def test_a_bar_on_a_logarithmic_axis_reaches_from_its_foot_to_its_value():
    bars = draw([("conv1", 1e-2, "a"), ("bn1", 1e-4, "a")], kind="bars", order=NAMES[:2])
    heights = [
        abs(float(height))
        for height in re.findall(
            r"h[\d.]+v(-?[\d.]+)h", paths(bars, fill="var(--link)")[0].get("d")
        )
    ]
    assert heights == pytest.approx([220, 220 / 3], abs=1)


def test_charts_of_a_large_network_keep_to_their_width():
    names = tuple(f"layer_{at}" for at in range(150))
    markup = draw([(name, 1e-6, "port") for name in names], order=names)
    assert (
        float(svg_of(markup).get("width")) < charts.WIDTH_MOST + 200
        and 10 < len(set(texts(markup)) & set(names)) < 150
    )


def test_a_chart_of_a_whole_network_is_small():
    model = factory.model()
    model["layers"] = [factory.layer(f"layer_{at}", "ELU", (2, 3)) for at in range(28)]
    names = [layer["name"] for layer in model["layers"]]
    assert 500 < len(draw(charts.drift_points(model), order=names)) < 9000
    assert draw(charts.share_points(model), kind="bars", log=False, order=names) == ""
    for at, layer in enumerate(model["layers"]):
        layer["chained"]["share"] = (-1) ** at / 28
    assert 500 < len(draw(charts.share_points(model), kind="bars", log=False, order=names)) < 5000


@pytest.mark.slow
def test_another_process_draws_the_same_bytes():
    code = (
        "from tests.reports.test_charts import draw; import sys; "
        "sys.stdout.buffer.write(draw().encode())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert run.stdout.decode() == draw()


def test_the_reports_start_without_what_draws():
    code = (
        "import parity.reports.html, sys; sys.exit(any(name in sys.modules for name in ('altair', "
        "'vl_convert', 'PIL', 'jinja2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


SHAPES = '<svg xmlns="http://www.w3.org/2000/svg" width="50" height="40">{}</svg>'


@pytest.mark.parametrize(
    ("given", "drawn"),
    [
        (
            '<g transform="translate(10,5)"><path d="M0,0L5,0L5,5L1,1Z" fill="red"/></g>',
            '<path fill="red" d="M10,5h5v5l-4-4Z"/>',
        ),
        ('<path d="M1,0A1,1,0,1,1,-1,0" fill="red"/>', '<path fill="red" d="M1,0a1,1,0,1,1-2,0"/>'),
        (
            '<line x1="0" y1="0" x2="4" y2="3" stroke="red"/>',
            '<path stroke="red" fill="none" d="M0,0l4,3"/>',
        ),
        (
            '<rect width="4" height="3" fill="red"/><rect x="9" width="4" height="3" fill="red"/>',
            '<path fill="red" d="M0,0h4v3h-4ZM9,0h4v3h-4Z"/>',
        ),
        (
            '<g fill="red"><text transform="translate(3,4) rotate(-90)">a&lt;b</text></g>',
            '<g fill="red"><text x="3" y="4" transform="rotate(-90 3 4)">a&lt;b</text></g>',
        ),
        ('<path d="M0,0L5,0" fill="none" stroke="none"/><text opacity="0">x</text>', ""),
    ],
    ids=["moved", "arc", "line", "alike at once", "turned text", "unseen"],
)
def test_an_svg_made_small_shows_the_same(given, drawn):
    assert drawing.small(SHAPES.format(given)) == (50.0, 40.0, drawn)


def test_a_path_of_another_kind_is_no_silent_hole():
    with pytest.raises(ValueError, match="'C', which Vega did not use before"):
        drawing.small(SHAPES.format('<path d="M0,0C1,1,2,2,3,3" fill="red"/>'))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12])
def test_few_whole_numbers_have_a_tick_each(count):
    markup = draw(
        [(step, step * 1e-8, "port") for step in range(1, count + 1)], order=None, x="update"
    )
    assert [text for text in texts(markup) if text.isdecimal()] == [
        str(step) for step in range(1, count + 1)
    ]

"""The report in a real browser: opens quietly, fits, prints, and does what its keys and addresses
say.
"""

import json
import re

import pytest
from browser_pages import FOCUSED, PAGES

from parity.reports import cards
from parity.reports.summary import offenders
from tests.reports import factory

pytestmark = pytest.mark.slow

EVERY = pytest.mark.parametrize(
    "name", [name for name in PAGES if name not in ("audited", "stand_ins")]
)
LOOKS = pytest.mark.parametrize(
    ("js", "dark", "width"),
    [(True, False, 1280), (False, True, 360)],
    ids=["scripted", "bare-dark-narrow"],
)
# What watches the layout is told of a change in the frame that draws it.
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@EVERY
@LOOKS
def test_it_opens_without_complaint_and_fits(opened, name, js, dark, width):
    page = opened(name, js=js, dark=dark, width=width)
    assert page.title().endswith("· parity") and page.locator("h1").is_visible()
    assert page.evaluate(FITS), "the page is wider than its window"
    assert page.locator("#page\\:tools").is_visible() == js


@pytest.mark.parametrize("js", [True, False], ids=["scripted", "bare"])
@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
@pytest.mark.parametrize("width", [360, 640, 1280])
def test_a_failing_run_fits_however_it_is_read(opened, js, dark, width):
    page = opened(
        "companioned", js=js, dark=dark, width=width, scale=2 if width == 640 else 1
    )  # 640: 1280 at 200 % zoom
    assert page.evaluate(FITS)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper)[:3])) < 200) == dark


def test_on_a_narrow_screen_no_row_has_to_be_scrolled(opened):
    page = opened("companioned", width=360)
    wide = page.locator(".wide:has(> .stack):visible").evaluate_all(
        "parts => parts.map(part => part.scrollWidth - part.clientWidth)"
    )
    assert len(wide) > 3 and max(wide) <= 0


# Pairs of labels of one chart that touch or print over each other, seen along either's direction.
OVERLAPS = """
charts => charts.flatMap(chart => {
  const boxes = [...chart.querySelectorAll('text')].filter(text => text.textContent).map(text => {
    const {x, y, width, height} = text.getBBox();
    return {x, y, width, height, turn: text.getAttribute('transform') ?? '', says: text.textContent,
            at: text.transform.baseVal.consolidate()?.matrix};
  });
  const turned = ({x, y, width, height, at}, by) => {  // the corners in another label's direction
    const back = by?.inverse(), corners = [[x, y], [x + width, y], [x, y + height], [x + width, y + height]];
    return corners.map(([a, b]) => {
      let point = new DOMPoint(a, b);
      if (at) point = point.matrixTransform(at);
      return back ? point.matrixTransform(back) : point;
    });
  };
  const apart = (one, other) => {  // a line along `one` has them on either side
    const [p, q] = [turned(one, one.at), turned(other, one.at)];
    return ['x', 'y'].some(axis => {
      const [a, b] = [p, q].map(points => points.map(point => point[axis]));
      return Math.max(...a) + 2 <= Math.min(...b) || Math.max(...b) + 2 <= Math.min(...a);
    });
  };
  return boxes.flatMap((one, at) => boxes.slice(at + 1).filter(other => !apart(one, other) && !apart(other, one))
    .map(other => [chart.ariaLabel, one.says, other.says]));
})
"""


@pytest.mark.parametrize("name", ["hostile_figures", "companioned"])
def test_no_label_prints_over_another(opened, name):
    page = opened(name)
    page.evaluate(
        "for (const fold of document.querySelectorAll('details')) fold.open = true;"
        "for (const layer of document.querySelectorAll('.layer')) layer.classList.add('open')"
    )
    charts = page.locator("svg:is(.chart, .small)")
    assert charts.count() > 9 and charts.evaluate_all(OVERLAPS) == []


def test_larger_letters_fit_too(opened):
    page = opened("companioned", width=1280)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    page.evaluate(DRAWN)
    assert page.evaluate(FITS)


def test_without_a_script_every_verdict_figure_and_cause_can_be_read(opened):
    page = opened("failing", js=False)
    text = page.locator("main").inner_text()
    for model in factory.failing()["models"]:
        assert all(layer["name"] in text for layer in model["layers"])
    assert (
        text.count("FORMULA(reset-after)") >= 2
        and "reset gate applied after the matrix product" in text
        and "209" in text
    )
    assert page.locator(".card").first.is_visible()


def test_slash_filters_and_the_address_keeps_it(opened):
    page = opened("failing")
    page.keyboard.press("/")
    assert page.evaluate(FOCUSED) == "page:filter"
    page.keyboard.type("fail")
    assert ids(page) == ["CRNN-gru1", "CNN0-conv1"], "what only inherits is walked over"
    assert page.locator("#page\\:said").inner_text() == "2 of 18 layers"
    assert page.evaluate("location.href").endswith("#?q=fail")
    page.keyboard.press("Escape")
    assert len(ids(page)) == 18 and "#" not in page.evaluate("location.href")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("CRNN gru", ["CRNN-gru1", "CRNN-gru2"]),
        ("cnn0 convolution2d", ["CNN0-conv1"]),
        ("inherited", ["CRNN-gru2", "CRNN-output"]),
        ("reset gate", ["CRNN-gru1"]),
        ("nothing of the kind", []),
    ],
)
def test_a_filter_in_the_address(opened, query, names):
    page = opened("failing", "#?" + f"q={query.replace(' ', '+')}")
    assert ids(page) == names
    assert page.locator("#page\\:filter").input_value() == query
    assert (page.locator("#page\\:said").inner_text() == "none of 18 layers") == (not names)


def test_a_hidden_target_ends_the_filter(opened):
    page = opened("failing", "#?q=gru1")
    assert not page.locator("#CNN-conv1").is_visible()
    page.evaluate("location.hash = 'CNN-conv1'")
    page.wait_for_function("!document.getElementById('CNN-conv1').hidden")
    assert page.locator("#page\\:filter").input_value() == ""


def ids(page):
    """The layers that are shown."""
    return page.locator(".layer:visible").evaluate_all("layers => layers.map(layer => layer.id)")


@pytest.mark.parametrize("js", [True, False], ids=["scripted", "bare"])
def test_a_deep_link_shows_its_card(opened, js):
    page = opened("document", "#CNN-gru1", js=js)
    assert page.locator("#CNN-gru1 .card").is_visible()
    top, bottom = page.locator("#CNN-gru1").evaluate(
        "card => [card.getBoundingClientRect().top, innerHeight]"
    )
    assert 0 <= top < bottom


def test_j_and_k_walk_over_layers(opened):
    page = opened("failing")
    walked = []
    for key in "jjjkj":
        page.keyboard.press(key)
        walked.append(page.evaluate(FOCUSED).split()[1])
    assert walked == ["bn_0_freq", "conv1", "pool1", "conv1", "pool1"]
    for _ in range(20):
        page.keyboard.press("j")
    here = page.evaluate(FOCUSED)
    assert page.evaluate("location.href").endswith("#CNN-output"), "the last of 18"
    page.keyboard.press("Control+k")
    assert page.evaluate(FOCUSED) == here and page.evaluate("location.href").endswith(
        "#CNN-output"
    ), "the browser's own keys are left alone"


def test_j_from_a_card_goes_to_the_next_layer(opened):
    page = opened("failing", "#CRNN-gru1")
    page.keyboard.press("j")
    assert page.evaluate("location.href").endswith("#CRNN-gru2") and page.evaluate(
        FOCUSED
    ).startswith("CRNN gru2")
    page.keyboard.press("k")
    page.keyboard.press("k")
    assert page.evaluate("location.href").endswith("#CRNN-pool1")


def test_n_goes_round_the_failures(opened):
    page = opened("failing")
    visited = []
    for _ in range(5):
        page.keyboard.press("n")
        visited.append(page.evaluate("location.href").partition("#")[2])
    guilty = [
        cell.layer["name"] for model in factory.failing()["models"] for cell in offenders(model)
    ]
    assert visited == ["CRNN-gru1", "CNN0-conv1"] * 2 + ["CRNN-gru1"] and {
        "gru1",
        "conv1",
    } == set(guilty)
    assert page.locator("#CRNN-gru1 .card").is_visible()
    top, bottom = page.locator("#CRNN-gru1").evaluate(
        "card => [card.getBoundingClientRect().top, innerHeight]"
    )
    assert 0 <= top < bottom


def test_n_says_where_nothing_fails(opened):
    page = opened("document")
    page.keyboard.press("n")
    assert (
        page.locator("#page\\:said").inner_text() == "no failure here"
        and not page.locator("#page\\:next").is_visible()
    )


def test_question_mark_opens_the_keys_and_escape_closes_them(opened):
    page = opened("document")
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.keyboard.press("j")
    assert page.evaluate("document.querySelector('dialog').contains(document.activeElement)")
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    page.locator("#page\\:keys").click()
    page.get_by_role("button", name="close").click()
    assert not page.get_by_role("dialog").is_visible()


def test_worst_first_and_back(opened):
    page = opened("failing")
    names = "rows => rows.map(row => row.querySelector('bdi').textContent)"
    rows = page.locator("section[aria-labelledby=CRNN] .layer")
    network = rows.evaluate_all(names)
    page.locator("#page\\:order").click()
    assert rows.evaluate_all(names)[:3] == ["gru1", "gru2", "output"] and page.evaluate(
        "location.href"
    ).endswith("#?order=worst")
    page.reload()
    assert (
        rows.evaluate_all(names)[0] == "gru1"
        and page.locator("#page\\:order").get_attribute("aria-pressed") == "true"
    )
    page.locator("#page\\:order").click()
    assert rows.evaluate_all(names) == network == [kind[0] for kind in factory.KINDS]


@pytest.mark.parametrize("name", ["hostile", "failing"])
def test_the_json_comes_back_out_of_the_page(opened, name):
    page = opened(name)
    with page.expect_download() as download:
        page.locator("#page\\:download").click()
    assert download.value.suggested_filename == "parity.json"
    assert json.loads(download.value.path().read_text(encoding="utf-8")) == factory.EVERY[name]()


def test_hostile_names_are_text(opened):
    page = opened("hostile")
    assert all(name in page.locator("main").inner_text() for name in factory.HOSTILE[:3])
    for at, name in enumerate(factory.HOSTILE):
        assert (
            page.locator(".layer")
            .nth(at)
            .locator("bdi")
            .first.inner_text()
            .startswith(name[:1].replace("\u202e", "\\").replace("\x1b", "\\"))
        )


@pytest.mark.parametrize("js", [True, False], ids=["scripted", "bare"])
def test_on_paper_everything_is_open_and_no_card_is_cut(opened, js):
    page = opened("companioned", js=js)
    pdf = page.pdf(format="A4", print_background=True)
    assert pdf.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", pdf)) > 3
    page.emulate_media(media="print")
    page.set_viewport_size(
        {"width": 702, "height": 1031}
    )  # what the style's margins of 12 mm leave of A4
    if js:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("details:not([open])").count() == 0
    cards = page.locator(".card").evaluate_all(
        "cards => cards.map(card => [card.id, getComputedStyle(card).breakInside, "
        "card.offsetHeight, card.scrollWidth - card.clientWidth])"
    )
    assert [card for card in cards if card[1] != "avoid" or card[2] > 1031 or card[3] > 0] == []
    wide = page.locator(".wide").evaluate_all(
        "parts => parts.filter(part => part.scrollWidth > part.clientWidth).map(part => "
        "part.ariaLabel)"
    )
    assert wide == [], "what scrolls on a screen is cut on paper"
    assert not page.locator("nav").is_visible() and not page.locator("#page\\:tools").is_visible()
    assert page.evaluate(FITS)
    assert page.locator("table.layers thead").first.is_visible(), (
        "paper has room for tables, a telephone has not"
    )
    assert set(
        page.locator(".stack tr").evaluate_all(
            "rows => rows.map(row => getComputedStyle(row).display)"
        )
    ) == {"table-row"}


def test_after_printing_the_details_are_as_they_were(opened):
    page = opened("companioned")
    before = page.locator("details[open]").count()
    page.evaluate("dispatchEvent(new Event('beforeprint')); dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == before


@pytest.mark.parametrize("name", ["many_layers", "many_clips"])
def test_a_long_run_opens_at_once(opened, page_file, name):
    assert page_file(name).stat().st_size < 2_000_000
    loaded = "performance.getEntriesByType('navigation')[0].loadEventEnd"
    assert min(opened(name).evaluate(loaded) for _ in range(3)) < 2000


def test_a_long_run_shows_the_pictures_of_its_worst_layers(opened):
    page = opened("many_layers")
    assert page.locator(".card:has(.pictures)").count() == cards.PICTURED
    assert "the 60 worst layers have pictures" in page.locator("main").inner_text()
    assert opened("failing").locator("text=worst layers have pictures").count() == 0


CONTRAST = {"runOnly": ["color-contrast"]}  # of all rules the one that the dark colours can break


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("audited", {}),
        ("incomplete", {}),
        ("comparison", {}),
        ("hostile", {}),
        ("empty", {}),
        ("clean", {}),
        ("stand_ins", CONTRAST),
    ],
)
def test_nothing_stands_in_the_way_of_anyone(opened, axe, name, options):
    page = opened(name)
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    page.evaluate(axe)
    assert grave(page, options) == []
    page.emulate_media(color_scheme="dark")
    assert grave(page, CONTRAST) == []
    page.set_viewport_size({"width": 360, "height": 800})
    page.evaluate(DRAWN)
    assert grave(page, {"runOnly": ["scrollable-region-focusable", "target-size"]}) == []


def grave(page, options):
    """The serious and critical findings of an audit, with up to three places each."""
    found = page.evaluate(
        "options => axe.run(document, {...options, resultTypes: ['violations']})", options
    )["violations"]
    return [
        f"{each['impact']} {each['id']}: {each['help']}: {node['html'][:120]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:3]
    ]

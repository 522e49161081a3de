"""The address keeps place, filter and order together; the next failure is found from wherever the
reader was; a comparison likewise.
"""

import pytest
from browser_pages import FOCUSED

pytestmark = pytest.mark.slow

TOUR = ["CRNN-gru1", "CNN0-conv1", "CRNN-gru1"]
CURRENT = "[...document.querySelectorAll('.current')].map(stop => stop.id)"


def hash_of(page):
    return page.evaluate("location.hash.slice(1)")  # page.url hears of it later


def test_the_next_button_goes_round_the_failures(opened):
    page, visited = opened("failing"), []
    for _ in TOUR:
        page.locator("#page\\:next").click()
        visited.append(hash_of(page))
    assert visited == TOUR


def test_a_link_keeps_filter_and_order(opened):
    page = opened("failing", "#?q=gru&order=worst")
    page.locator("section[aria-labelledby=CRNN] .layer:visible th a").first.click()
    page.wait_for_function("location.hash.includes('CRNN')")
    assert (
        hash_of(page) == "CRNN-gru1?q=gru&order=worst"
        and page.locator(".layer:visible").count() == 6
    )
    page.reload()
    assert page.locator("#page\\:filter").input_value() == "gru" and page.evaluate(CURRENT) == [
        "CRNN-gru1"
    ]
    assert page.locator("#page\\:order").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize(
    "hash", ["CNN0-conv1?q=fail&order=worst", "CNN0-conv1?order=worst", "CNN0-conv1?q=fail"]
)
def test_place_filter_and_order_in_one_address(opened, hash):
    page = opened("failing", f"#{hash}")
    assert (
        page.locator("#page\\:filter").input_value() == ("fail" if "q=" in hash else "")
        and hash_of(page) == hash
    )
    assert page.locator("#page\\:order").get_attribute("aria-pressed") == (
        "true" if "order" in hash else "false"
    )
    top, bottom = page.locator("#CNN0-conv1").evaluate(
        "card => [card.getBoundingClientRect().top, innerHeight]"
    )
    assert 0 <= top < bottom and page.evaluate(CURRENT) == ["CNN0-conv1"]
    page.keyboard.press("n")
    assert hash_of(page) == hash.replace("CNN0-conv1", "CRNN-gru1")


def test_an_emptied_address_ends_filter_and_order(opened):
    page = opened("failing", "#?q=gru1&order=worst")
    page.evaluate("location.hash = ''")
    page.wait_for_function("document.getElementById('page:filter').value === ''")
    assert (
        page.locator(".layer:visible").count() == 18
        and page.locator("#page\\:order").get_attribute("aria-pressed") == "false"
    )


def test_the_place_is_forgotten_when_the_filter_hides_it(opened):
    page = opened("failing", "#CNN-conv1")
    page.locator("#page\\:filter").fill("gru1")
    assert hash_of(page) == "?q=gru1"
    page.locator("#page\\:filter").fill("conv")
    assert hash_of(page) == "CNN-conv1?q=conv"


def test_one_stop_alone_is_marked(opened):
    page = opened("failing", "#CRNN-gru1")
    outline = "id => getComputedStyle(document.getElementById(id)).outlineStyle"
    assert page.evaluate(outline, "CRNN-gru1") == "solid"
    page.keyboard.press("n")
    assert (
        page.evaluate(CURRENT) == ["CNN0-conv1"] and page.evaluate(outline, "CRNN-gru1") == "none"
    )
    assert page.evaluate(outline, "CNN0-conv1") == "solid"
    bare = opened("failing", "#CRNN-gru1", js=False)
    assert bare.evaluate(outline, "CRNN-gru1") == "solid"


def test_a_comparison_is_filtered(opened):
    page = opened("comparison", "#?q=fail")
    rows = page.locator("tr[data-find]:visible")
    assert rows.count() == 2 and page.locator("#page\\:said").inner_text() == "2 of 4 layers"
    for query, found in (("worse gru1", 1), ("gross", 1), ("holds", 0), ("crnn fail", 1)):
        page.locator("#page\\:filter").fill(query)
        assert (
            rows.count() == found
            and page.locator("#page\\:said").inner_text() == f"{found or 'none'} of 4 layers"
        )


def test_keys_walk_over_a_comparison(opened):
    page, visited = opened("comparison"), []
    for key in "nnnjk":
        page.keyboard.press(key)
        visited.append(hash_of(page))
    assert visited == [*TOUR, "CRNN-gru2", "CRNN-gru1"] and page.evaluate(FOCUSED).startswith(
        "CRNN gru1"
    )
    page.locator("#page\\:next").click()
    assert hash_of(page) == "CNN0-conv1" and page.evaluate(CURRENT) == ["CNN0-conv1"]
    assert not page.locator("#page\\:order").is_visible(), "its layers have an order of their own"


def test_a_comparison_is_readable_at_360_pixels(opened):
    page = opened("comparison", width=360)
    outside = (
        "part => part.getBoundingClientRect().right > innerWidth || "
        "part.getBoundingClientRect().left < 0"
    )
    parts = page.locator(":is(td, th):visible *")
    cut = parts.evaluate_all(f"parts => parts.filter({outside}).map(part => part.outerHTML)")
    wide = page.locator(".wide").evaluate_all(
        "parts => parts.filter(part => part.scrollWidth > part.clientWidth).length"
    )
    assert parts.count() > 40 and cut == [] and wide == 0


def test_only_what_scrolls_stops_the_tab_key(opened):
    scrolling = (
        "parts => parts.filter(part => part.checkVisibility()).map(part => [part.scrollWidth "
        "> part.clientWidth, part.tabIndex])"
    )
    for width in (360, 1280):
        page = opened("companioned", width=width)
        page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
        page.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        found = page.locator(".wide").evaluate_all(scrolling)
        assert {(scrolls, at) for scrolls, at in map(tuple, found)} <= {
            (True, 0),
            (False, -1),
        } and len(found) > 10
    bare = (
        opened("companioned", js=False)
        .locator(".wide")
        .evaluate_all("parts => parts.map(part => part.getAttribute('tabindex'))")
    )
    assert set(bare) == {"0"}


def test_the_download_says_what_it_saves(opened):
    assert opened("document").locator("#page\\:download").inner_text() == "save parity.json"
    assert opened("comparison").locator("#page\\:download").inner_text() == "save compared.json"

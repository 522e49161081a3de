"""How the page is read: closed it is short, a row opens its card in place, words are explained where
they stand, heads of tables stay in sight.
"""

import pytest

from parity.reports import glossary

pytestmark = pytest.mark.slow

HEIGHT = "document.documentElement.scrollHeight"
ROW = "#CNN0-gru1_9"


@pytest.mark.parametrize(("width", "most"), [(1280, 6000), (360, 20000)])
def test_closed_it_is_short(opened, width, most):
    page = opened("three_networks", width=width)
    assert page.locator(".layer").count() == 84 and page.evaluate(HEIGHT) <= most
    assert page.locator(".fold[open]").count() == 0
    assert page.locator(".fold .result").evaluate_all("all => all.every(each => each.textContent)")


def test_a_row_opens_its_card_below_it_and_closes_it(opened):
    page = opened("three_networks")
    card, link = page.locator(f"{ROW} .card"), page.locator(f"{ROW} th a")
    assert not card.is_visible()
    page.locator(f"{ROW} td").first.click()
    assert card.is_visible() and link.get_attribute("aria-expanded") == "true"
    assert page.evaluate("location.hash") == ROW
    row, below = page.locator(f"{ROW} > tr").first.bounding_box(), card.bounding_box()
    assert 0 <= below["y"] - row["y"] - row["height"] < 10
    link.focus()
    page.keyboard.press("Enter")
    assert not card.is_visible() and page.evaluate("location.hash") == ""
    assert link.get_attribute("aria-expanded") == "false"


def test_without_a_script_every_card_is_open_and_words_lead_to_the_glossary(opened):
    page = opened("three_networks", js=False)
    assert page.locator(".card:visible").count() == 84
    page.locator(".layers thead .term").first.click()
    assert page.locator("#page\\:term-isolated").is_visible()


def test_words_are_explained_by_pointer_focus_and_tap(opened):
    page = opened("three_networks")
    term = page.locator(".layers thead .term", has_text="chained").first
    tip, says = page.locator("#page\\:tip"), glossary.TERMS["chained"].meaning
    ways = {
        "pointer": (term.hover, lambda: page.mouse.move(0, 0)),
        "focus": (term.focus, lambda: page.keyboard.press("Escape")),
        "tap": (lambda: term.dispatch_event("click"), lambda: page.keyboard.press("Escape")),
    }
    for way, (arrive, leave) in ways.items():
        arrive()
        assert tip.inner_text() == says and term.get_attribute("aria-describedby"), way
        box = tip.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 1280, way
        leave()
        assert not tip.is_visible() and not term.get_attribute("aria-describedby"), way
        page.evaluate("document.activeElement.blur()")
    assert "term" not in page.evaluate("location.hash")


def test_every_word_that_is_a_link_is_in_the_glossary(opened):
    page = opened("three_networks")
    words = page.locator(".term").evaluate_all("all => [...new Set(all.map(each => each.hash))]")
    assert len(words) > 15
    assert all(page.locator(word.replace(":", "\\:")).count() == 1 for word in words)


def test_the_head_of_a_table_stays_in_sight(opened):
    page = opened("three_networks")
    page.locator("#CNN0-output_17").scroll_into_view_if_needed()
    page.evaluate("scrollBy(0, 300)")
    head, tools = (
        page.locator(each).bounding_box()
        for each in ("section[aria-labelledby=CNN0] .layers thead th >> nth=0", "#page\\:tools")
    )
    assert head["y"] == pytest.approx(tools["y"] + tools["height"], abs=1) and tools["y"] == 0


def test_a_block_of_the_strip_leads_to_its_layer(opened):
    page = opened("companioned")
    strip = page.locator(".strip").first.locator("a")
    tones = strip.evaluate_all("blocks => blocks.map(block => block.className)")
    assert tones == ["good", "good", "good", "bad", "handed", "handed"]
    strip.nth(3).click()
    assert page.locator("#CRNN-gru1 .card").is_visible()
    assert strip.nth(3).get_attribute("aria-label") == "gru1: FORMULA(reset-after)"

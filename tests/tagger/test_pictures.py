"""One drawing, two writers: where a mark stands in the PNG it stands in the SVG."""

import io

import pytest
from PIL import Image

from tagger import fonts
from tagger.pictures import (
    INK,
    PNG_MOST,
    PNG_SCALE,
    Box,
    Drawing,
    Text,
    bar_panels,
    check_height,
    matrix,
    png,
    svg,
    writer_of,
)


def pixels(drawing):
    return Image.open(io.BytesIO(png(drawing))).convert("RGB")


def dark_part(image):
    """(left, top, right, bottom) of what is not white, in pixels of the drawing."""
    return tuple(
        edge / PNG_SCALE
        for edge in image.convert("L").point(lambda value: 255 * (value < 128)).getbbox()
    )


def test_a_box_covers_its_pixels_and_no_other():
    image = pixels(Drawing(40, 30, [Box(5, 6, 10, 4)]))
    assert dark_part(image) == (5, 6, 15, 10)
    assert "#{:02x}{:02x}{:02x}".format(*image.getpixel((12, 14))) == INK
    assert (
        'x="5" y="6" width="10.0" height="4.0"' in svg(Drawing(40, 30, [Box(5, 6, 10, 4)])).decode()
    )


def test_strength_fades_to_white():
    image = pixels(
        Drawing(30, 10, [Box(0, 0, 10, 10, 0.5), Box(10, 0, 10, 10, 0.0), Box(20, 0, 0, 10)])
    )
    half, none, without_width = (image.getpixel((x * PNG_SCALE, 10)) for x in (5, 15, 25))
    assert half == tuple(round(255 - (255 - value) / 2) for value in (0x23, 0x4F, 0x8C))
    assert none == without_width == (255, 255, 255)


@pytest.mark.parametrize(
    ("anchor", "left", "right"), [("start", 100, 140), ("end", 60, 100), ("middle", 80, 120)]
)
def test_text_starts_ends_or_has_its_middle_where_it_should(anchor, left, right):
    found = dark_part(pixels(Drawing(200, 40, [Text(100, 30, "hhhhhh", anchor)])))
    assert (
        found[0] == pytest.approx(left, abs=5)
        and found[2] == pytest.approx(right, abs=5)
        and found[3] == pytest.approx(30, abs=1)
    )


def test_text_turns_upwards_about_its_own_point():
    left, top, right, bottom = dark_part(
        pixels(Drawing(200, 200, [Text(50, 150, "reggae", turned_degrees=-45)]))
    )
    assert (
        left > 45
        and bottom < 160
        and right - left == pytest.approx(bottom - top, abs=6)
        and top < 130
    )


def test_the_markup_of_names_is_text():
    drawing = bar_panels([("<b>&.wav", [('"rock"', 50.0)])], 100.0, ["title", "more"])
    assert b"&lt;b&gt;&amp;.wav" in svg(drawing) and b"&quot;rock&quot;" in svg(drawing)


def test_titles_push_the_rest_down():
    one, two = (matrix(["a"], [[1]], ["title"] * count) for count in (1, 2))
    assert two.height == one.height + 20 and len(two.marks) == len(one.marks) + 1


def test_other_kinds_are_refused():
    assert writer_of("a.PNG") is png and writer_of("b.svg") is svg
    with pytest.raises(ValueError, match="svg or png"):
        writer_of("c.gif")


@pytest.fixture
def only_pillows_font(monkeypatch):
    monkeypatch.setattr(fonts, "SYSTEM", ())
    fonts._fonts.cache_clear()
    yield
    fonts._fonts.cache_clear()


def test_characters_that_no_font_has_are_escapes_and_not_boxes(only_pillows_font):
    japanese, escaped = (
        png(Drawing(200, 40, [Text(10, 30, text)]))
        for text in ("a 音楽.wav", r"a \u97f3\u697d.wav")
    )
    assert japanese == escaped


def test_a_font_of_the_system_is_taken_where_it_has_all_characters(monkeypatch):
    class WithEverything:
        def getmask(self, character):
            return character.encode("utf-32")

    own, other = fonts._fonts(24)[0], WithEverything()
    monkeypatch.setattr(fonts, "_fonts", lambda size_px: [own, other])
    assert fonts.written("a 音楽.wav", 24) == (other, "a 音楽.wav")
    assert fonts.written("a.wav", 24) == (own, "a.wav")


@pytest.mark.parametrize("name", ["/folder" * 40 + "/song.wav", "音楽" * 80 + ".wav"])
def test_of_a_name_too_wide_the_end_is_shown(name):
    drawing = bar_panels([(name, [("rock", 50.0)])], 100.0, ["title"])
    _, _, right, _ = dark_part(pixels(drawing))
    assert 400 < right <= drawing.width - 5
    text = svg(drawing).decode()
    assert ">…" in text and f"{name[-8:]}</text>" in text and name not in text


def test_a_png_of_too_many_tracks_is_refused_and_what_is_allowed_is_no_higher():
    most = next(count for count in range(1, 1000) if refused(count + 1))
    panels = [("x.wav", [("rock", 50.0)] * 10)] * most
    height = PNG_SCALE * bar_panels(panels, 100.0, ["title"]).height
    assert height <= PNG_MOST < height + PNG_SCALE * 12 * 20
    check_height("x.svg", 10**6, 10, 1)


def refused(count):
    try:
        check_height("x.png", count, 10, 1)
    except ValueError as error:
        return "ends in .svg" in str(error)
    return False

"""Pictures of both kinds: whole files of the right kind and size, with every text in the SVG."""

import io
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from parity.fixtures.tags import GENRES
from tagger.pictures import NAME_COLUMNS, PNG_MOST, bars, check_height, check_kind, matrix
from tagger.tagging import Scored

TITLES = ["first title", "second title"]


def scored(path, best=0):
    scores = np.full((1, 10), 0.02, np.float32)
    scores[0, best] = 0.5
    return Scored(path, scores)


def texts(svg):
    root = ElementTree.fromstring(svg)
    return [
        text for node in root.iter("{http://www.w3.org/2000/svg}text") for text in node.itertext()
    ]


def drawn(path, tracks, unit="percent", top=3):
    return bars(path, GENRES, tracks, top, unit, TITLES)


def test_a_panel_per_track_with_its_best_tags_first():
    found = texts(drawn("x.svg", [scored("a.wav", 5), scored("a.wav", 9)]))
    assert set(TITLES) <= set(found) and found.count("a.wav") == 2
    shares = [text for text in found if text[0].isdigit()]
    assert sorted(shares, reverse=True) == ["73.529"] * 2 + ["2.941"] * 4
    named = [text for text in found if text in GENRES]
    assert len(named) == 6 and named[0] == "jazz" and named[3] == "rock"
    assert "0.500" in texts(drawn("x.svg", [scored("a.wav")], "score"))


def test_the_mean_is_drawn_where_there_are_frames():
    track = Scored("a.wav", np.stack([scored("", 0).scores[0], scored("", 1).scores[0]]))
    assert "0.260" in texts(drawn("x.svg", [track], "score"))


def test_bars_are_as_long_as_their_values():
    image = Image.open(io.BytesIO(drawn("x.png", [scored("a.wav")], "score"))).convert("RGB")
    ink = (np.array(image) == (0x23, 0x4F, 0x8C)).all(axis=2).sum(axis=1)
    lengths = sorted(set(ink[ink > 10]))
    assert lengths[-1] == pytest.approx(25 * lengths[0], rel=0.1)


@pytest.mark.parametrize("name", ["音楽 😀", '<b>&"x"', "two\nlines"])
def test_names_of_any_characters_are_texts(name):
    assert f"{name}.wav".replace("\n", "\\n") in texts(drawn("x.svg", [scored(f"{name}.wav")]))


@pytest.mark.parametrize("name", ["/folder" * 40 + "/song.wav", "音楽" * 80 + ".wav"])
def test_of_a_name_too_wide_the_end_is_shown(name):
    (shown,) = (text for text in texts(drawn("x.svg", [scored(name)])) if text.startswith("…"))
    assert name.endswith(shown[1:]) and NAME_COLUMNS / 2 - 3 < len(shown) <= NAME_COLUMNS + 1


def test_a_matrix_has_every_count_and_darker_cells_for_larger_shares():
    names, counts = ["blues", "jazz", "rock"], [[3, 0, 1], [0, 0, 0], [0, 12, 345]]
    found = texts(matrix("x.svg", names, counts, TITLES))
    assert [int(text) for text in found if text.isdigit()] == [3, 0, 1, 0, 0, 0, 0, 12, 345]
    assert all(found.count(name) == 2 for name in names) and set(TITLES) <= set(found)
    picture = Image.open(io.BytesIO(matrix("x.png", names, counts, TITLES))).convert("L")
    tones = [tone for count, tone in picture.getcolors(1 << 16) if count > 5000]
    ink = 0.299 * 0x23 + 0.587 * 0x4F + 0.114 * 0x8C
    shares = [345 / 357, 3 / 4, 1 / 4, 12 / 357, 0]
    assert sorted(tones) == pytest.approx([255 - share * (255 - ink) for share in shares], abs=1)


def test_a_png_has_twice_the_svgs_pixels_and_the_same_bytes_every_time():
    tracks = [scored("a.wav"), scored("b.wav", 3)]
    png, again, svg = (drawn(name, tracks) for name in ("x.png", "x.PNG", "x.svg"))
    size = ElementTree.fromstring(svg).attrib
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG" and png == again
        assert image.size == (2 * int(size["width"]), 2 * int(size["height"]))


def test_other_kinds_are_refused():
    check_kind("a.PNG")
    check_kind("b.svg")
    with pytest.raises(ValueError, match=r"svg or png; give a name that ends in \.svg or \.png"):
        check_kind("c.gif")


def test_a_png_of_too_many_tracks_is_refused_and_what_is_allowed_is_no_higher():
    most = next(count for count in range(1, 1000) if refused(count + 1))
    image = Image.open(io.BytesIO(drawn("x.png", [scored("x.wav")] * most, top=10)))
    assert 0.95 * PNG_MOST < image.height <= PNG_MOST
    check_height("x.svg", 10**6, 10)


def refused(count):
    try:
        check_height("x.png", count, 10)
    except ValueError as error:
        return "ends in .svg" in str(error)
    return False


def test_what_draws_is_imported_for_pictures_alone():
    code = (
        "import sys, tagger.commands, tagger.evaluating, tagger.pictures; "
        "sys.exit(bool({'altair', 'vl_convert'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0

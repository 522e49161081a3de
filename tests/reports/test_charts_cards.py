"""What a card shows of its layer's evidence: pictures with captions, the map as a PNG, causes in
words.
"""

import io
import re
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from parity.reports import cards, heatmap, html, message, small_charts
from tests.reports import factory

BINS = small_charts.BINS


def residuals(at=BINS // 2, beyond=3, every=1, certain=0):
    inside = [0] * BINS
    inside[at] = 997
    return {
        "inside": " ".join(map(str, inside)),
        "below": 0,
        "above": beyond,
        "certain": certain,
        "every": every,
    }


def channels(**changes):
    return {
        "axis": "channel",
        "count": 4,
        "every": 1,
        "gain_u": "0.5 -1 0 0.25",
        "gain_limit_u": "2",
        "offset": "1e-7 2e-7 0 -3e-7",
        "offset_limit": "1e-6 1e-6 1e-6 3e-7",
        **changes,
    }


def mapped(rows=("0123", "4567", "89ab", "cdef"), **changes):
    return {
        "mode": "isolated",
        "shape": [8, 16],
        "block": [2, 4],
        "least": 1e-8,
        "largest": 3e-6,
        "rows": list(rows),
        **changes,
    }


def evidence(**changes):
    return {
        "residuals": {"port": residuals(), "original": residuals(beyond=0)},
        "channels": channels(),
        "map": mapped(),
        **changes,
    }


def layer(**parts):
    return factory.layer("conv3", "Convolution2D", (2, 4, 8, 16), evidence=evidence(), **parts)


MODEL = factory.model()


def test_a_spread_stands_where_its_residuals_are():
    def peak(at):
        markup = str(small_charts.spread({"port": residuals(at), "original": None}, "spread"))
        path = re.search(r'class="spread" d="([^"]*)"', markup).group(1)
        levels = [float(y) for y in re.findall(r"V([\d.]+)", path)]
        before = float(re.search(r"H([\d.]+)V[\d.]+", path).group(1)) if at else small_charts.LEFT
        return min(levels), before

    assert peak(0)[0] == peak(20)[0] == pytest.approx(small_charts.TOP, abs=0.5)
    assert peak(0)[1] < peak(20)[1] < peak(40)[1]


def test_one_picture_serves_both_sides_where_they_are_the_same():
    alone = str(small_charts.spread({"port": None, "original": residuals()}, "spread"))
    assert 'class="original"' in alone and 'class="spread"' not in alone
    found = factory.layer(
        evidence=evidence(residuals={"port": None, "original": residuals(certain=7, every=4)})
    )
    caption = cards.spread_caption(found["evidence"]["residuals"])
    assert caption.endswith(
        "Beyond 5: port and original 3 of 1000; one element in 4 was counted; 7 more may "
        "not differ at all."
    )


def test_captions_count_what_is_outside_the_picture():
    assert "Beyond 5: port 3 of 1000, original 0 of 997." in cards.spread_caption(
        layer()["evidence"]["residuals"]
    )


def test_the_expected_spread_is_a_normal_distribution():
    shares = [small_charts.normal_share(at, BINS) for at in range(BINS)]
    assert sum(shares) == pytest.approx(1, abs=1e-6) and max(shares) == shares[
        BINS // 2
    ] == pytest.approx(0.097, abs=0.001)


def test_channels_are_shares_of_their_limits():
    assert small_charts.channel_shares(channels(), "gain") == [0.25, -0.5, 0, 0.125]
    assert small_charts.channel_shares(channels(), "offset") == pytest.approx([0.1, 0.2, 0, -1])
    assert small_charts.channel_shares(channels(gain_u="0", gain_limit_u="0"), "gain") == [
        0,
        0,
        0,
        0,
    ]


def test_what_is_far_beyond_its_limit_still_has_a_readable_scale():
    near, far = (
        str(small_charts.channels([0.5, most], 2, "channel", "gain")) for most in (2.5, 85.5)
    )
    assert ">100 %<" in near and ">−100 %<" in near and ">85.5 ×<" in far and "100 %" not in far


def test_pictures_name_the_strongest_channel():
    captions = [picture.caption for picture in cards.pictures(MODEL, layer())]
    assert (
        len(captions) == 3
        and captions[1].endswith("at most 50 %, channel 1.")
        and captions[2].endswith("at most 100 %, channel 3.")
    )
    grouped = factory.layer(
        evidence=evidence(channels=channels(count=8, every=2, axis="time frame"))
    )
    assert cards.pictures(MODEL, grouped)[1].caption.endswith(
        "time frames 2 to 3; the strongest of every 2."
    )


@pytest.mark.parametrize(
    "found", [None, {"residuals": None, "channels": None, "map": None}], ids=["none", "empty"]
)
def test_a_layer_without_evidence_has_no_pictures(found):
    without = factory.layer(evidence=found)
    assert cards.pictures(MODEL, without) == [] and heatmap.heat_map(MODEL, without) is None
    assert cards.pictures(MODEL, factory.layer()) == [], "as documents before there was any"


def pixels(found):
    source = heatmap.image(found)
    assert source.startswith("data:image/png;base64,")
    return np.asarray(
        Image.open(io.BytesIO(b64decode(source.partition(",")[2]))).convert("RGBA")
    ).astype(int)


def test_a_map_is_upright_and_as_bright_as_its_levels():
    picture = pixels(mapped())
    assert picture.shape == (4, 4, 4)
    assert picture[-1, 0, 3] == 0, "nothing differs in the first row's first block, which is below"
    assert (picture[0, 3, :3] == (253, 231, 37)).all() and (picture[-1, 1, :3] == (68, 1, 84)).all()
    brightness = picture[::-1].reshape(-1, 4)[1:, :3] @ (0.299, 0.587, 0.114)
    assert (np.diff(brightness) > 0).all()


def test_a_map_is_small_and_the_same_every_time():
    rng = np.random.default_rng(5)
    noisy = mapped(
        ["".join(heatmap.LEVELS[level] for level in row) for row in rng.integers(0, 16, (32, 64))]
    )
    assert heatmap.image(noisy) == heatmap.image(noisy) and len(heatmap.image(noisy)) < 2000
    assert heatmap.heat_map(MODEL, factory.layer(evidence={"map": noisy}))["size"] == [280, 140]


def test_a_map_says_where_it_is_largest():
    said = heatmap._alternative(layer(), mapped())
    assert "at most 3.0e-06" in said and "largest at mel band 6 to 7, time frame 12 to 15" in said
    assert "mel band 0 is at the bottom" in heatmap.heat_map(MODEL, layer())["caption"]
    uneven = mapped(["0f"], shape=[1, 5], block=[1, 3])
    assert "mel band 0, time frame 3 to 4" in heatmap._alternative(layer(), uneven)


def test_of_a_sequence_time_steps_are_upwards():
    found = factory.layer("gru1", "GRU", (2, 15, 32), evidence=evidence(map=mapped(block=[1, 1])))
    caption = heatmap.heat_map(MODEL, found)["caption"]
    assert "largest over clips at each time step and unit; time step 0 is at the bottom" in caption


CAUSE = {
    "hypothesis": "eps 2e-05",
    "survivors": [{"name": "eps 2e-05", "rho": 0.4, "q": 0.3}, "mean dropped"],
    "undecidable": [{"name": "cover_all", "D": 0.02}],
    "estimate": {"what": "eps", "value": 2.001e-5, "se": 1e-8},
    "r2": 0.999,
}


def test_causes_in_words():
    failing = layer(cause=CAUSE)
    assert cards.survivors(failing) == ["eps 2e-05 (rho 0.40, q 0.30)", "mean dropped"]
    assert (
        cards.undecidable(failing) == ["cover_all (2 % of the allowance)"]
        and cards.estimate(failing) == "eps 2.0e-05 ± 1.0e-08"
    )
    holding = layer(undecidable=[{"name": "time reversed", "D": 0.5}])
    assert (
        cards.undecidable(holding) == ["time reversed (50 % of the allowance)"]
        and cards.survivors(holding) == []
    )


def test_the_table_of_a_network_has_causes_only_where_there_are_any():
    assert cards.causes(factory.model()) == {}
    named, unnamed, _ = factory.failing()["models"]
    assert cards.causes(named) == {
        ("gru1", "isolated"): "reset gate applied after the matrix product",
        ("gru2", "chained"): "from gru1",
        ("output", "chained"): "from gru1",
    }
    assert cards.causes(unnamed) == {("conv1", "isolated"): message.UNEXPLAINED}


def page_with(found):
    model = factory.model("CNN0")
    model["layers"][1] = found
    return html.page(factory.document([model]))


def test_a_card_shows_all_of_its_evidence():
    page = page_with({**layer(cause=CAUSE), "name": "conv1"})
    card = re.search(r'<tbody class="layer" id="CNN0-conv1".*?</tbody>', page, re.DOTALL).group(0)
    assert (
        card.count('<svg class="small" role="img"') == 3
        and card.count('<img class="map" src="data:image/png;base64,') == 1
    )
    for words in (
        "every formula that explains it: eps 2e-05 (rho 0.40, q 0.30); mean dropped",
        "not decidable here: cover_all",
        "parity run --out reports/out/again --model CNN0 --layer conv1",
        "3.0e-06",
    ):
        assert words in card
    assert page.count(f'id="{small_charts.NORMAL}"') == 1

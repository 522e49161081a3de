"""Real Keras, one release at a time, on the layers of layers.py and on some that are drawn."""

import pytest

from tests.kinds.draws import drawn
from tests.kinds.layers import LAYERS
from tests.kinds.originals import FLOATS, RELEASES, run, write

DRAWN, SEED = 12, 7  # layers of each release beside those of the table


@pytest.fixture(scope="session", params=RELEASES)
def originals(request, tmp_path_factory):
    """(release, [(single, {dtype: (layer as Keras described it, its output)})]) of all LAYERS that
    the release has, and of a few drawn ones.

    A layer is described in each lane: Keras rounds an ELU's alpha to the lane's own floats.
    """
    release, folder = request.param, tmp_path_factory.mktemp("originals")
    had = [one for one in LAYERS if one.since <= release <= one.until]
    had += drawn(release, DRAWN, SEED)
    write(had, folder)
    lanes = {floatx: run(had, release, floatx, folder) for floatx in FLOATS}
    refused = [output for lane in lanes.values() for _, output in lane if isinstance(output, str)]
    assert not refused, refused
    return release, [
        (one, {floatx: lane[number] for floatx, lane in lanes.items()})
        for number, one in enumerate(had)
    ]

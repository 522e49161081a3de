"""Where there is no room for charts, that is said before V8 ends the process."""

import pytest

from parity import drawing
from parity.errors import CannotRun


@pytest.mark.parametrize("size", ["ADDRESSES_BYTES", "MEMORY_BYTES"])
def test_without_room_there_is_a_sentence(size, monkeypatch):
    drawing.check_room.cache_clear()
    monkeypatch.setattr(drawing, size, 1 << 60)
    with pytest.raises(CannotRun, match="raise `ulimit -d` and `ulimit -v`"):
        drawing.vl_convert()
    monkeypatch.undo()
    assert drawing.vl_convert().vegalite_to_svg

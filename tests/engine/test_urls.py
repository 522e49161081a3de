"""What a URL names is fetched within bounds, and gone in the end."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from parity.engine import urls
from parity.errors import CannotRun


def test_a_copy_goes_in_the_end_and_is_no_larger_than_music(monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe("/a.wav", b"12345")
    with ExitStack() as leave:
        path = Path(urls.local("memory://a.wav", leave))
        assert path.read_bytes() == b"12345" and path.suffix == ".wav"
    assert not path.exists()
    monkeypatch.setattr(urls, "LARGEST", 2)
    monkeypatch.setattr(urls, "AT_A_TIME", 3)
    with ExitStack() as leave, pytest.raises(CannotRun, match="it is larger than 0 GiB"):
        urls.local("memory://a.wav", leave)
    assert urls.local("file:///x/a.wav", leave) == "/x/a.wav"  # read as any file is

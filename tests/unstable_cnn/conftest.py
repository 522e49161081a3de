"""Small networks in the place of the originals and the port."""

import numpy as np
import pytest
from small_networks import ALLOWED, TAGS

from parity.studies.unstable_cnn import noise, originals, ports


@pytest.fixture(autouse=True)
def cache_of_its_own(monkeypatch, tmp_path):
    """What a test keeps is gone with it."""
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def play(monkeypatch):
    """play(original, port=original, allowed=ALLOWED): these networks answer from now on, {model:
    network} or one for all.
    """

    def begin(original, port=None, allowed=ALLOWED):
        def of(networks, case):
            return networks[case.model.name] if isinstance(networks, dict) else networks

        def answer(networks, case, batches, keep=None, most=None, **_):
            return of(networks, case)(batches, keep, most)

        monkeypatch.setattr(
            originals,
            "run",
            lambda wanted: {name: answer(original, **asked) for name, asked in wanted.items()},
        )
        monkeypatch.setattr(
            ports,
            "run",
            lambda case, batches, **options: answer(port or original, case, batches, **options),
        )
        monkeypatch.setattr(ports, "towards_the_second", lambda case, batch: np.ones_like(batch))
        monkeypatch.setattr(
            noise,
            "measured",
            lambda subject, name: {
                "clips": list(subject.clips)[:2],
                "allowed": [[allowed] * TAGS for _ in list(subject.clips)[:2]],
                "max_abs": 0.0,
                "logits_max_abs": 0.0,
                "ratio": 0.0,
                "holds": True,
            },
        )

    return begin

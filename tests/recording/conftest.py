"""An empty trace cache and a stand-in for the recorder."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from parity.model import MODELS, Case, Weights
from parity.recording import recorder as recorders
from parity.recording.cache import trace_cache
from parity.recording.job import Job
from parity.store import Store, key_of

FAKE = Path(__file__).with_name("fake_recorder.py")


class ShortKeys(Store):
    """A store whose keys may be short words."""

    def path(self, key):
        return super().path(full(key))

    def try_lock(self, key):
        return super().try_lock(full(key))

    def scratch(self, key):
        return super().scratch(full(key))


def full(key):
    """The key that a word stands for; a key stands for itself."""
    return key if len(key) == 64 else key_of(key)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache in a folder of its own, and no settings of the user's."""
    for variable in ("PARITY_CACHE_LIMIT_GB", "PARITY_RECORDER_TIMEOUT_S"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(recorders, "WORK", tmp_path / "tox")
    whole = trace_cache()
    settings = {"name": whole._name, "advice": whole._advice, "limit_bytes": whole._limit_bytes}
    return ShortKeys(whole.folder, whole.suffix, **settings)


@pytest.fixture
def notes(tmp_path):
    """Where the stand-ins note what they do."""
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


@pytest.fixture
def behave(monkeypatch, notes):
    """behave(mode): every recorder started from now on is the stand-in in that mode."""
    return lambda mode: monkeypatch.setattr(
        recorders, "command_of", lambda *_: [sys.executable, str(FAKE), mode, str(notes)]
    )


@pytest.fixture
def make_job(tmp_path):
    """make_job(lane, ...) -> a Job on an invented weight file and a batch of one clip."""

    def make(lane="reference", model="CNN0", stack="keras106", batch=None):
        weights = tmp_path / "weights.h5"
        if not weights.exists():
            weights.write_bytes(b"weights")
        batch = np.zeros((1, 1, 96, 1366), np.float32) if batch is None else batch
        return Job.of_case(case_of(model, stack, weights), lane, batch)

    return make


def case_of(model, stack, weights):
    """A tagger with other weights, on another release."""
    return Case(MODELS[model]._replace(stack=stack), Weights(weights), (), "seeded")


@pytest.fixture
def nobody_left(cache, notes):
    """nobody_left(): the stand-ins and their children are gone, and nothing is in the cache."""

    def check(of_the_cache=True):
        pids = [int(line) for line in (notes / "started").read_text().split()]
        assert pids, "nothing was started, so nothing was proved"
        deadline_s = time.monotonic() + 5
        while any(map(alive, pids)) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        assert not any(map(alive, pids))
        assert not of_the_cache or list(cache.folder.iterdir()) == []

    return check


def alive(pid):
    """Whether a process runs; a zombie that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z" and os.path.exists(f"/proc/{pid}")

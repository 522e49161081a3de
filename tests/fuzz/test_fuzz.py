"""Hostile files, documents, options, settings and ports: the same cases each time, 60 s in all."""

import pytest

from tests.fuzz.running import cases_of, fuzz
from tests.fuzz.surfaces import SURFACES


@pytest.mark.slow
@pytest.mark.parametrize("name", SURFACES)
def test_every_case_is_refused_in_a_sentence_or_read(name, monkeypatch):
    for variable in ("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "PARITY_DATA"):
        monkeypatch.delenv(variable, raising=False)
    surface = SURFACES[name]
    ends = fuzz(surface, cases_of(surface.examples))
    few_are_read = name in ("HDF5", "npz and npy")
    assert set(ends) == {"refused", "read"} or few_are_read, "the cases are all of one kind"

"""`parity report`: a run's page drawn anew, two runs compared, and where the page went."""

import json

import factory
import pytest
from click.testing import CliRunner

from parity.cli import main


@pytest.fixture
def report(tmp_path, monkeypatch):
    """report(words) where two runs are a.json and b.json."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(factory.document()))
    return lambda *words: CliRunner().invoke(main, ["report", *words])


def test_one_is_drawn_beside_it_and_two_are_compared(report, tmp_path):
    done = report("a.json")
    assert done.exit_code == 0 and done.stderr == "written to .: parity.html\n"
    assert "<!DOCTYPE html>" in (tmp_path / "parity.html").read_text()
    done = report("a.json", "b.json")
    assert done.exit_code == 0 and done.stderr == "written to .: compared.html\n"


def test_the_page_goes_where_it_is_asked_to(report, tmp_path):
    assert report("a.json", "-o", "there/page.html").exit_code == 0
    assert (tmp_path / "there" / "page.html").exists()


def test_three_are_too_many(report):
    done = report("a.json", "b.json", "a.json")
    assert done.exit_code == 2 and "one JSON is drawn, two are compared" in done.stderr


def test_quiet_says_nothing_of_files(report):
    assert report("-q", "a.json").stderr == ""

"""Environment variables are read in one place, and a wrong one stops the run before it begins."""

import pytest
from click.testing import CliRunner

from parity.cli import main
from parity.errors import CannotRun
from parity.settings import VARIABLES, check, setting
from parity.store import own_folder


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *[("SOURCE_DATE_EPOCH", text) for text in ("x", "-1", "1e9", "9" * 30, "253402300800")],
        *[("PARITY_CACHE_LIMIT_GB", text) for text in ("inf", "nan", "0", "-1", "x", "1e300")],
        *[("PARITY_RECORDER_TIMEOUT_S", text) for text in ("inf", "-inf", "", "soon")][:2],
        *[(name, "~nosuchuser/x") for name in ("PARITY_CACHE", "PARITY_DATA", "PARITY_FIXTURES")],
    ],
)
def test_a_wrong_variable_is_one_sentence_before_any_work(monkeypatch, name, text):
    monkeypatch.setenv(name, text)
    with pytest.raises(CannotRun, match=f"^{name} is .*; give "):
        check()
    done = CliRunner().invoke(main, ["hypotheses"])
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"parity: {name} is ")


def test_defaults_and_values(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        assert setting(name) == VARIABLES[name].default
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert setting("SOURCE_DATE_EPOCH") == 0


def test_a_user_without_a_home_is_told(monkeypatch):
    for name in ("PARITY_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda _: {}["no such user"])
    with pytest.raises(CannotRun, match="no home folder; set HOME, or PARITY_CACHE"):
        own_folder("PARITY_CACHE")

"""What every test may lean on: where the real data is, and that it is there when it was promised."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data():
    """The folder in PARITY_DATA. Without it these tests have nothing to read; .ci/run sets it, and then nothing is skipped."""
    folder = os.environ.get("PARITY_DATA")
    if not folder:
        pytest.skip("real weights and clips are not here; set PARITY_DATA (make test DATA=folder)")
    assert Path(folder).is_dir(), f"PARITY_DATA={folder} was promised and is not there"
    return Path(folder)


def pytest_sessionfinish(session):
    """Where real data is promised (PARITY_NO_SKIPS), a skipped test is a failed run."""
    skipped = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("PARITY_NO_SKIPS") and skipped and skipped.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

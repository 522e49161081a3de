"""What every test may lean on: where the real data is, and that it is there when it was
promised.
"""

import os
import signal
from pathlib import Path

import pytest

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # a shell's background job ignores Ctrl-C, and so would what the tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data():
    """The folder in PARITY_DATA. Without it these tests have nothing to read; .ci/run sets it, and
    then nothing is skipped.
    """
    folder = os.environ.get("PARITY_DATA")
    if not folder:
        pytest.skip("real weights and clips are not here; set PARITY_DATA (make test DATA=folder)")
    assert Path(folder).is_dir(), f"PARITY_DATA={folder} was promised and is not there"
    return Path(folder)


def pytest_sessionfinish(session):
    """Where real data is promised (PARITY_NO_SKIPS), a skipped test is a failed run."""
    skipped = session.config.pluginmanager.get_plugin("terminalreporter")
    count = len(skipped.stats.get("skipped", ())) if skipped else 0
    if os.environ.get("PARITY_NO_SKIPS") and count:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        skipped.write_line("")
        skipped.write_line(
            f"this run fails: {count} skipped, though PARITY_NO_SKIPS promises everything "
            "they need; their reasons follow"
        )

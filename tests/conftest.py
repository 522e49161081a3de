"""What the tests of the program share."""

import os
import socket
import subprocess
from contextlib import suppress

import pytest

from parity.ports import process


@pytest.fixture(scope="session", autouse=True)
def ports_are_counted():
    """Where coverage is measured, a port's process may end by itself and leave what it measured,
    before it is killed.
    """
    if "COVERAGE_PROCESS_CONFIG" not in os.environ:
        yield
        return
    killed = process._end

    def end(started, line, *memories):
        with suppress(OSError, subprocess.TimeoutExpired):
            line.shutdown(socket.SHUT_RDWR)
            started.wait(2)
        killed(started, line, *memories)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "_end", end)
        yield

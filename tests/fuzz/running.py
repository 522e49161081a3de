"""Runs a surface: a number of cases, each in an empty folder, none for longer than 30 s."""

import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase

from tests.fuzz.surfaces import warm_up

LONGEST_S = 30


class Hang(BaseException):
    """A case took longer than it may."""


def waited_s():
    """How long this process was ready so far, and another had the processor."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


def cases_of(count, seed=None):
    """How many cases, and which: by default always the same."""
    settings = hypothesis.settings(
        max_examples=count,
        derandomize=seed is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if seed is None else (Phase.generate,),
    )
    return lambda test: settings(test if seed is None else hypothesis.seed(seed)(test))


def fuzz(surface, chosen):
    """{how a case ended: how many did so}."""
    warm_up()
    ends = Counter()

    def stop(*_):
        taken_s = time.monotonic() - since[0] - (waited_s() - since[1])
        if taken_s > LONGEST_S - 1:
            raise Hang
        signal.alarm(max(1, round(LONGEST_S - taken_s)))

    since = [0.0, 0.0]

    @chosen
    @hypothesis.given(surface.cases())
    def one(case):
        since[:] = time.monotonic(), waited_s()
        signal.signal(signal.SIGALRM, stop)
        signal.alarm(LONGEST_S)
        try:
            with tempfile.TemporaryDirectory() as folder:
                ends[surface.check(case, Path(folder))] += 1
        finally:
            signal.alarm(0)

    one()
    return ends

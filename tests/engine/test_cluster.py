"""Partitions are worked on here, in a local cluster or in one that is there: with the same rows,
and with nothing lost where processes die.
"""

import logging
import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from parity.engine import cluster, job
from parity.engine.cluster import HERE, place
from parity.engine.parts import cut
from parity.errors import CannotRun
from tests.engine.toy import Toy

KEYS = [f"key{at}" for at in range(7)]
ROOT = Path(__file__).parents[2]


def rows_of(where, toy, keys, size=2):
    found = {}
    for rows in where.spread(toy, cut(keys, [], size)):
        found |= rows
    return {key: list(found[key]) for key in keys}


@pytest.fixture(scope="module")
def local():
    with place(workers=2) as where:
        yield where


def test_a_local_cluster_gives_the_rows_of_this_process_and_opens_a_job_once(local, tmp_path):
    log = tmp_path / "opened"
    toy = Toy(3, log=str(log))
    assert rows_of(local, toy, KEYS) == rows_of(HERE, Toy(3), KEYS)
    told = [int(line) for line in log.read_text().split()]
    opened, closed = ({abs(pid) for pid in told if (pid > 0) == first} for first in (True, False))
    assert opened == closed and len(told) == 2 * len(opened) and os.getpid() not in opened


@pytest.mark.slow
def test_a_key_that_ends_processes_is_a_row_and_the_others_are_as_without_it(local):
    found = rows_of(local, Toy(), ["one", "kill", "three", "four"], size=3)
    assert found["kill"] == [{"key": "kill", "error": f"kill: {cluster.FATAL}"}]
    alone = rows_of(HERE, Toy(), ["one", "three", "four"])
    assert {key: found[key] for key in alone} == alone


@pytest.mark.parametrize("last", [{"a": [1]}, None])
def test_a_partition_whose_workers_others_ended_is_done_again(last, monkeypatch):
    where = cluster._Cluster(None, "the cluster", 1)
    answers = iter([{"a": [1]}, None, None, last])  # alone, then three times as it was
    monkeypatch.setattr(where, "_submitted", lambda *_: None)
    monkeypatch.setattr(where, "_result", lambda _: next(answers))
    if last:
        assert where._fatal(Toy(), ["a"], (), {}) == ()
    else:
        with pytest.raises(CannotRun, match="for want of memory"):
            where._fatal(Toy(), ["a"], (), {})


def test_what_a_job_lacks_there_is_said_with_the_worker(local):
    with pytest.raises(CannotRun, match=r"^the worker tcp://.*: the weights are others there$"):
        rows_of(local, Toy(-1), KEYS)


def test_an_interrupt_waits_until_a_cluster_can_be_closed(monkeypatch):
    done = []

    def starts(**_):
        os.kill(os.getpid(), signal.SIGINT)
        done.append(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
        return SimpleNamespace(close=lambda: done.append("closed"))

    monkeypatch.setattr("distributed.LocalCluster", starts)
    with pytest.raises(KeyboardInterrupt), place(workers=2):
        pass
    assert done == [True, "closed"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_dask_says_nothing_beside_our_sentences(local):
    loud = [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    assert len(loud) > 5 and not any(
        logging.getLogger(name).isEnabledFor(logging.CRITICAL) for name in loud
    )


def test_no_scheduler_is_one_sentence(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_S", 1.0)
    with (
        pytest.raises(CannotRun, match="no Dask scheduler answers at tcp"),
        place("tcp://127.0.0.1:9"),
    ):
        pass


def test_without_dask_this_process_works_and_a_cluster_is_refused(monkeypatch):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda _: None)
    with place() as where:
        assert where is HERE and where.workers == 1
    with pytest.raises(CannotRun, match="Dask is not here"), place(workers=2):
        pass


def test_other_versions_and_other_code_are_said():
    here = job.surroundings(("numpy", "no-such-package"))
    assert here["no-such-package"] == "none"
    there = here | {"numpy": "9.9", "this project's code": "other"}
    with pytest.raises(CannotRun, match=r"who has this project's code \w+ and not other, numpy"):
        job.check(there, ("numpy",), "who")
    job.check(job.surroundings(("numpy",)), ("numpy",), "who")


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("No module named 'tagger'"), RuntimeError("Error deserializing")]
)
def test_a_cluster_without_the_code_is_one_sentence(error):
    where = cluster._Cluster(None, "the scheduler tcp://a:1", None)
    with pytest.raises(CannotRun, match="scheduler tcp://a:1 or a worker of it lacks this project"):
        where._result(SimpleNamespace(exception=lambda: error))


class Real:
    """Scheduler and workers as separate processes, by the commands of docs/scaling.md."""

    def __init__(self, leave):
        self.leave = leave
        self.scheduler, line = self.start("scheduler", "--host", "127.0.0.1", "--port", "0")
        self.address = re.search(r"tcp://[\d.:]+", line)[0]
        self.workers = [self.worker() for _ in range(3)]

    def start(self, *arguments, until="Scheduler at"):
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, "--no-dashboard"],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,  # so that it has the code
        )
        self.leave.callback(process.wait)
        self.leave.callback(process.terminate)
        return process, next(line for line in process.stderr if until in line)

    def worker(self):
        options = ("--nworkers", "1", "--nthreads", "1", "--no-nanny")
        return self.start("worker", self.address, *options, until="Registered to")[0]


@pytest.mark.slow
def test_a_real_cluster_gives_the_same_though_a_worker_dies_and_is_missed_when_it_is_gone(
    monkeypatch,
):
    monkeypatch.setattr(cluster, "ALONE_S", 3.0)
    keys = [f"wait{at}" for at in range(12)]
    with ExitStack() as leave:
        real = Real(leave)
        with place(real.address) as where:
            assert where.workers == 3
            found = {}
            for rows in where.spread(Toy(2), cut(keys, [], 1)):
                if not found:
                    real.workers[0].send_signal(signal.SIGKILL)
                found |= rows
            assert {key: list(found[key]) for key in keys} == rows_of(HERE, Toy(2), keys)
            for worker in real.workers:
                worker.send_signal(signal.SIGKILL)
            with pytest.raises(
                CannotRun, match=r"has had no worker for .* the same command goes on"
            ):
                rows_of(where, Toy(2), keys)
            real.scheduler.send_signal(signal.SIGKILL)
            with pytest.raises(CannotRun, match=r"is gone \(\w+\); start it again"):
                rows_of(where, Toy(2), keys)

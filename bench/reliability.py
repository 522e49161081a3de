"""Kills at random moments, runs side by side, full disks, closed folders, strangers' caches and odd
clocks: how often something was lost, left running, half written, or the next run wrong.

Needs root for its small file systems; without it, those rows say so. A small network is run.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from parity.fixtures.gallery import made

KILLS, TERMS = 50, 20
LEFT_S = 5  # the longest that anything may be left running
OUTPUTS = ("parity.json", "parity.csv", "junit.xml", "parity.html")
MEMORY_MB = (150, 300, 500, 800, 1200, 2000, 4000)
JUMPS = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int looks;
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += (looks++ % 3 - 1) * 1577880000L;
    return failed;
}
"""
POWERLESS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def rows():
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        longest_s = [place.seconds() for _ in range(2)][-1]  # the first records what is missing
        for what, number, count in (
            ("`kill -9`", signal.SIGKILL, KILLS),
            ("SIGTERM", signal.SIGTERM, TERMS),
        ):
            faults = [place.killed(number, random.uniform(0, longest_s)) for _ in range(count)]
            yield _row(f"{what} at a random moment, {count} times", [*chain.from_iterable(faults)])
        yield _row("the run after them", place.wrong(place.run()))
        yield _row("four runs at once on one empty cache", place.four_at_once())
        yield _row("a full disk for the outputs, at five stages", place.full_disks())
        yield _row("a full disk for the cache", place.full_cache())
        yield _row("closed folders", place.closed())
        yield _row("another user's cache", place.strangers())
        yield _row("traces from 1970 and 2100", place.clocks())
        yield _row("a clock that jumps by 50 years at every look", place.jumping_clock())
        yield _row(f"little memory, {len(MEMORY_MB)} sizes", place.little_memory())


def _row(what, faults):
    return f"{what}: faults", f"{len(faults)} {'; '.join(faults)}".strip(), "0"


class Place:
    """A cache for the traces of one network, and a folder for outputs."""

    def __init__(self, folder):
        self.folder, self.cache, self.out = folder, folder / "cache", folder / "out"
        self.token = f"reliability-{os.getpid()}-{time.time_ns()}"
        self.traces = self.cache / "music-tagger-parity" / "traces"
        files = made("lenet", folder)
        given = [word for each in files.inputs for word in ("--input", each)]
        self.network = "--original", files.definition, "--weights", files.weights, *given

    def start(self, *options, cache=None, out=None, before=(), variables=None, **settings):
        command = [*before, sys.executable, "-m", "parity", "run", *map(str, self.network)]
        return subprocess.Popen(
            [*command, "--out", str(out or self.out), *options],
            env=os.environ
            | {"PARITY_CACHE": str(cache or self.cache), "MARK": self.token}
            | (variables or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            **settings,
        )

    def run(self, *options, **settings):
        """(exit code, what it said on stderr)."""
        run = self.start(*options, **settings)
        _, said = run.communicate()
        return run.returncode, said

    def seconds(self):
        start_s = time.monotonic()
        assert self.run()[0] == 0, "the network does not hold here, so nothing can be measured"
        return time.monotonic() - start_s

    def held(self):
        return {path.name: path.stat().st_size for path in self.traces.glob("*.h5")}

    def lost(self, before):
        return [f"lost: {name}" for name in before.keys() - self.held().keys()]

    def left(self):
        """The commands of processes that a run started and that still run."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if self.token.encode() in (entry / "environ").read_bytes():
                    found.append(
                        (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:60]
                    )
            except OSError:
                continue
        return found

    def half_written(self, out=None):
        """What of the outputs does not belong to the others."""
        out = out or self.out
        there = [name for name in OUTPUTS if (out / name).exists()]
        if len(there) not in (0, len(OUTPUTS)):
            return [f"only {there}"]
        created = there and json.loads((out / "parity.json").read_text())["created"]
        texts = {name: (out / name).read_text() for name in there}
        told = [
            name
            for name in ("junit.xml", "parity.html")
            if there and not _told(created, texts[name])
        ]
        return [f"{name} is of another run" for name in told]

    def killed(self, number, after_s):
        before, run = self.held(), self.start(start_new_session=True)
        time.sleep(after_s)
        run.send_signal(number)
        run.communicate()
        faults, until_s = [], time.monotonic() + LEFT_S
        while self.left() and time.monotonic() < until_s:
            time.sleep(0.1)
        faults += [f"left running: {command}" for command in self.left()]
        return faults + self.lost(before) + self.half_written()

    def wrong(self, ended, code=0, word=""):
        """What is wrong with how a run ended."""
        found, said = ended
        faults = [] if found == code else [f"exit code {found}, expected {code}: {said[-200:]}"]
        faults += ["a traceback"] * ("Traceback" in said or "the program itself" in said)
        return faults + [f"{word!r} was not said, but {said[-200:]}"] * (word not in said)

    def four_at_once(self):
        cache = self.folder / "empty"
        runs = [self.start(cache=cache, out=self.folder / f"out{at}") for at in range(4)]
        faults = [fault for run in runs for fault in self.wrong((run.wait(), run.stderr.read()))]
        left = [path.name for path in (cache / "music-tagger-parity" / "traces").iterdir()]
        return faults + ([] if len(left) == 3 else [f"in the cache: {left}"])

    def full_disks(self):
        faults = []
        with small_disk(self.folder / "disk", "8m") as disk:
            if disk is None:
                return ["not tried: no right to mount"]
            faults += self.wrong(self.run(out=disk))
            kept = {name: (disk / name).read_bytes() for name in OUTPUTS}
            for free_bytes in (0, 4096, 1 << 16, 1 << 18, 1 << 20):
                with open(disk / "filler", "wb") as filler:
                    room = shutil.disk_usage(disk).free - free_bytes
                    filler.write(bytes(max(0, room)))
                code, said = self.run(out=disk)
                now = {name: (disk / name).read_bytes() for name in OUTPUTS}
                if code:
                    faults += self.wrong((code, said), 2, "cannot be written")
                    faults += [f"{name} changed" for name in OUTPUTS if now[name] != kept[name]]
                faults += self.half_written(disk)
                (disk / "filler").unlink()
                kept = now
            faults += [f"left: {path.name}" for path in disk.glob("*.part*")]
            return faults + self.wrong(self.run(out=disk))

    def full_cache(self):
        half_bytes = sum(self.held().values()) // 2
        with small_disk(self.folder / "small", half_bytes) as disk:
            if disk is None:
                return ["not tried: no right to mount"]
            faults = self.wrong(self.run(cache=disk), 2, "free space")
            own = disk / "music-tagger-parity" / "traces"
            left = [path.name for path in own.iterdir() if path.suffix != ".h5"]  # whole ones stay
            return faults + [f"left: {name}" for name in left]

    def closed(self):
        out, faults = self.folder / "closed", []
        out.mkdir(mode=0o500)
        faults += self.wrong(self.run(out=out, before=POWERLESS), 2, "may not be written to")
        self.traces.chmod(0o500)
        faults += self.wrong(self.run(before=POWERLESS))
        self.traces.chmod(0o700)
        return faults

    def strangers(self):
        cache = self.folder / "theirs" / "music-tagger-parity" / "traces"
        cache.mkdir(parents=True)
        for path in self.traces.glob("*.h5"):
            shutil.copy(path, cache)
        if os.geteuid():
            return ["not tried: no right to give files away"]
        for path in (cache, *cache.iterdir()):
            os.chown(path, 65534, 65534)
        faults, before = (
            self.wrong(self.run(cache=self.folder / "theirs")),
            sorted(os.listdir(cache)),
        )
        subprocess.run(
            [sys.executable, "-m", "parity", "data", "clear"],
            env=os.environ | {"PARITY_CACHE": str(self.folder / "theirs")},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return faults + ["lost"] * (sorted(os.listdir(cache)) != before)

    def clocks(self):
        for at, path in enumerate(self.traces.glob("*.h5")):
            os.utime(path, [(0, 0), (4102444800, 4102444800)][at % 2])
        before = self.held()
        return self.wrong(self.run()) + self.lost(before)

    def jumping_clock(self):
        library, before = self.folder / "jumps.so", self.held()
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", library],
            input=JUMPS,
            text=True,
            check=True,
        )
        faults = self.wrong(self.run(variables={"LD_PRELOAD": str(library)}))
        return faults + self.lost(before) + self.half_written()

    def little_memory(self):
        faults, before = [], self.held()
        for size in MEMORY_MB:
            code, said = self.run(before=["prlimit", f"--data={size << 20}"])
            expected, told = (2, "memory") if code else (0, "")
            faults += [f"{size} MB: {fault}" for fault in self.wrong((code, said), expected, told)]
            faults += [f"left running: {command}" for command in self.left()]
        return faults + self.lost(before) + self.half_written()


def _told(created, text):
    return created in text or created.rstrip("Z") in text or created.replace("T", " ")[:16] in text


@contextmanager
def small_disk(folder, size):
    """A file system of that size at `folder`, or None where there is no right to make one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)

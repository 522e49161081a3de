"""Progress of long work, on stderr: a live row per job on a terminal, a line per ended job
elsewhere, and there a line at least every half minute.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from parity.program import on_terminal, say
from parity.settings import setting

__all__ = ["Lines", "Live", "counted", "shown"]

SILENT_S = 25.0  # at most so long a log says nothing
LABEL = 32  # letters of a job's name on a terminal


class Lines:
    """Off a terminal: a job's last word, once, and what is being done where that takes long.

    A context: its lines end with it.
    """

    def __init__(self, silent_s: float = SILENT_S) -> None:
        self._silent_s = silent_s
        # job -> what, the share that is done, since when and from which share on
        self._doing: dict[str, tuple[str, float | None, float, float]] = {}
        self._said_s = time.monotonic()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._watch = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Lines":
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watch.join()

    def update(self, job: str, stage: str, share: float | None = None) -> None:
        """What `job` is at; `share` in [0, 1] where it is known."""
        with self._lock:
            first = ("", share, time.monotonic(), share or 0.0)
            self._doing[job] = stage, share, *self._doing.get(job, first)[2:]

    def done(self, job: str, text: str) -> None:
        with self._lock:
            self._doing.pop(job, None)
        self.note(f"{job}: {text}")

    def note(self, text: str) -> None:
        """Lines that stay."""
        self._said_s = time.monotonic()
        say(text, err=True)

    def _look(self) -> None:
        while not self._ended.wait(self._silent_s / 5):
            now_s = time.monotonic()
            if now_s - self._said_s < self._silent_s:
                continue
            with self._lock:
                doing = [
                    f"{job}: {what}{_left(share, first, now_s - since_s)}"
                    for job, (what, share, since_s, first) in self._doing.items()
                ]
            if doing:
                self.note("; ".join(doing))


class Silent(Lines):
    """Nothing, where that was asked for."""

    def note(self, text: str) -> None:
        """Not shown."""


class Live:
    """On a terminal: a row per job with its stage, how far it is, how long it has taken and how
    long it may take.
    """

    def __init__(self, progress: Any):
        self._progress = progress
        self._rows: dict[str, Any] = {}

    def update(self, job: str, stage: str, share: float | None = None) -> None:
        """Show that `job` is at `stage`; `share` in [0, 1] where it is known."""
        total = None if share is None else 1.0
        if job not in self._rows:
            label = job if len(job) <= LABEL else f"{job[: LABEL - 1]}…"
            self._rows[job] = self._progress.add_task(label, total=total, stage=stage)
        self._progress.update(self._rows[job], stage=stage, total=total, completed=share or 0.0)

    def done(self, job: str, text: str) -> None:
        self.update(job, text, 1.0)

    def note(self, text: str) -> None:
        """Lines that stay, above the rows."""
        self._progress.console.print(text, markup=False, highlight=False)


def _left(share: float | None, first: float, taken_s: float) -> str:
    """How far it is, how long it has taken and how long it may take; first: the share that was done
    before.
    """
    told = "" if share is None else f", {share:.0%}"
    if share and first < share:
        minutes, seconds = divmod(round(taken_s * (1 - share) / (share - first)), 60)
        told += f", {minutes // 60}:{minutes % 60:02}:{seconds:02} left"
    return f"{told}, for {taken_s:.0f} s"


@contextmanager
def counted(unit: str, many: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Progress through so many of a kind, by its rate.

    Parameters
    ----------
    unit : str
        What is counted, in the plural.
    many, done : int
        How many there are, and are done before.

    Yields
    ------
    callable
        To be told how many more are done.

    Examples
    --------
    >>> with counted("files", 2) as advance:
    ...     advance(2)
    """
    with shown(stays=False) as display:
        start_s, now = time.monotonic(), done

        def advance(count: int) -> None:
            nonlocal now
            now += count
            rate = (now - done) / max(time.monotonic() - start_s, 1e-9)
            told = f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"
            display.update(unit, f"{now} of {many}, {told}", now / many)

        display.update(unit, f"{done} of {many}", done / many)
        yield advance


@contextmanager
def shown(stays: bool = True) -> Iterator[Lines | Live]:
    """The progress display that fits where stderr goes; stays: on a terminal, when it ends."""
    if setting("PARITY_QUIET") or not on_terminal():
        with Silent() if setting("PARITY_QUIET") else Lines() as lines:
            yield lines
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=12),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[stage]}"),
    )
    with Progress(
        *columns,
        console=Console(stderr=True),
        transient=not stays,
        redirect_stdout=sys.stdout.isatty(),
        speed_estimate_period=3600,
    ) as progress:
        yield Live(progress)

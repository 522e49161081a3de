"""A whole collection: what is left of it is worked on, part by part, with the rate and the time
that is left.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from parity.engine.cluster import Place
from parity.engine.job import Job
from parity.engine.parts import Parts, cut
from parity.errors import CannotRun
from parity.program import on_terminal, say
from parity.settings import setting

__all__ = ["collect"]

EVERY_S = 30.0  # a line, where no terminal is


def collect(job: Job, keys: Sequence[str], kept: Parts, where: Place, size: int, unit: str) -> None:
    """Work on every key that is not in `kept` yet, partitions of `size` keys at a time.

    Parameters
    ----------
    job : Job
    keys : sequence of str
    kept : Parts
        What was done before, and where the rows go.
    where : Place
    size : int
        Keys in a partition.
    unit : str
        What a key is, in the plural.

    Raises
    ------
    CannotRun
        Where it stops; what was done is kept and not done again.
    """
    partitions, many = cut(keys, kept.places, size), len(set(keys))
    if not partitions:
        return
    done = many - sum(map(len, partitions))
    if done:
        say(f"{done} of {many} {unit} are done already", err=True)
    try:
        with _shown(done, many, unit) as advance:
            for rows in where.spread(job, partitions):
                kept.add(rows)
                advance(len(rows))
                done += len(rows)
    except KeyboardInterrupt as error:
        raise CannotRun(
            f"stopped; {done} of {many} {unit} are done, and the same command goes on from there"
        ) from error
    except CannotRun as error:
        raise CannotRun(
            f"{error} ({done} of {many} {unit} are done and kept in {kept.folder})"
        ) from error


@contextmanager
def _shown(done: int, many: int, unit: str) -> Iterator[Any]:
    if setting("PARITY_QUIET"):
        yield lambda _: None
        return
    if on_terminal():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (
            MofNCompleteColumn(),
            TextColumn(unit),
            BarColumn(),
            TextColumn("{task.fields[at]}"),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task, rate = bar.add_task(unit, total=many, completed=done, at=""), _Rate(many - done)
            yield lambda count: bar.update(task, advance=count, at=rate.after(count))
        return
    rate, said_s = _Rate(many - done), time.monotonic()

    def advance(count: int) -> None:
        nonlocal said_s
        words = rate.after(count)
        if time.monotonic() - said_s > EVERY_S:
            said_s = time.monotonic()
            say(f"{many - rate.left} of {many} {unit}, {words}", err=True)

    yield advance


class _Rate:
    """How fast it goes."""

    def __init__(self, left: int) -> None:
        self.left, self.done, self.start_s = left, 0, time.monotonic()

    def after(self, count: int) -> str:
        self.done, self.left = self.done + count, self.left - count
        per_s = self.done / (time.monotonic() - self.start_s)
        minutes, seconds = divmod(round(self.left / per_s), 60)
        hours, minutes = divmod(minutes, 60)
        rate = f"{per_s:.1f} a second" if per_s >= 1 else f"{60 * per_s:.1f} a minute"
        return f"{rate}, {hours}:{minutes:02}:{seconds:02} left"

"""Progress of long work, on stderr: a live row per job on a terminal, a line per ended job
elsewhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from parity.program import on_terminal, say


class Lines:
    """Off a terminal: a job's last word, once."""

    def update(self, job: str, stage: str, share: float | None = None) -> None:
        """Nothing: a log is not a screen."""

    def done(self, job: str, text: str) -> None:
        self.note(f"{job}: {text}")

    def note(self, text: str) -> None:
        """Lines that stay."""
        say(text, err=True)


class Live:
    """On a terminal: a row per job with its stage, how far it is and how long it has taken."""

    def __init__(self, progress: Any):
        self._progress = progress
        self._rows: dict[str, Any] = {}

    def update(self, job: str, stage: str, share: float | None = None) -> None:
        """Show that `job` is at `stage`; `share` in [0, 1] where it is known."""
        total = None if share is None else 1.0
        if job not in self._rows:
            self._rows[job] = self._progress.add_task(job, total=total, stage=stage)
        self._progress.update(self._rows[job], stage=stage, total=total, completed=share or 0.0)

    def done(self, job: str, text: str) -> None:
        self.update(job, text, 1.0)

    def note(self, text: str) -> None:
        """Lines that stay, above the rows."""
        self._progress.console.print(text, markup=False, highlight=False)


@contextmanager
def shown() -> Iterator[Lines | Live]:
    """The progress display that fits where stderr goes."""
    if not on_terminal():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        TextColumn("{task.fields[stage]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Live(progress)

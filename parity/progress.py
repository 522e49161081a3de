"""Progress of long work: one live line per job on a terminal, one line per finished job elsewhere.
All of it on stderr.
"""

import sys
from contextlib import contextmanager


class Lines:
    """Off a terminal: a job's last word, once."""

    def update(self, job, stage, share=None):
        """Nothing: a log is not a screen."""

    def done(self, job, text):
        print(f"{job}: {text}", file=sys.stderr, flush=True)


class Live:
    """On a terminal: a row per job with its stage, how far it is and how long it has taken."""

    def __init__(self, progress):
        self._progress, self._rows = progress, {}

    def update(self, job, stage, share=None):
        """Show that `job` is at `stage`; `share` in [0, 1] where it is known."""
        row = self._rows.get(job)
        if row is None:
            row = self._rows[job] = self._progress.add_task(
                job, total=1.0 if share is not None else None, stage=stage
            )
        self._progress.update(
            row, stage=stage, total=None if share is None else 1.0, completed=share or 0.0
        )

    def done(self, job, text):
        """Show that `job` has ended."""
        self.update(job, text, 1.0)


@contextmanager
def shown():
    """The progress display that fits where stderr goes."""
    if not sys.stderr.isatty():
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

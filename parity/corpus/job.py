"""A whole collection: proved model by model, then its rows, figures and pages."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parity.corpus.figures import Corpus, Gathered, listed
from parity.corpus.proving import COLUMNS, Proving
from parity.document import now, to_json, worst_of
from parity.engine.cluster import Place, place
from parity.engine.collection import collect
from parity.engine.job import Row, cores
from parity.engine.parts import Parts, parts
from parity.engine.tables import best_kind, write
from parity.files import check_writable, publish
from parity.model import Case
from parity.ports import of_case
from parity.probes.proof import fresh_seed
from parity.program import say
from parity.provenance import environment

JSON, PAGE, PARTS, CLIPS = "corpus.json", "corpus.html", "corpus.parts", "clips"
BATCHES = 8  # in a partition


class Collection:
    """The clips of some cases, proved.

    Parameters
    ----------
    cases : mapping
        {case: the keys of its clips}.
    port : str
        See ports.load.
    batch : int
        Clips that are proved together.
    seed : int or None
        Of the random probes; by default a fresh one.
    out : Path
        The folder of the outputs.
    command : str
        As it was typed.
    """

    def __init__(
        self,
        cases: Mapping[Case, list[str]],
        port: str,
        batch: int,
        seed: int | None,
        out: Path,
        command: str,
    ) -> None:
        self.cases, self.port, self.batch, self.out = cases, port, batch, out
        self.command, self.seed = command, fresh_seed() if seed is None else seed
        self.table = out / f"corpus{best_kind()}"
        for path in (out / JSON, out / PAGE, self.table):
            check_writable(path, make=True)

    def prove(self, scheduler: str | None, workers: int | None) -> dict[str, Any]:
        """Prove what is left, write the outputs and return corpus.json. Raises CannotRun."""
        for case in self.cases:
            _ = case.weights.params  # a broken file is said before anything is started
        with ExitStack() as leave:
            kept = {
                case: leave.enter_context(
                    parts(self.out / PARTS / case.model.name, self.out / JSON, job.setting)
                )
                for case, job in self._jobs().items()
            }
            self._collect(kept, scheduler, workers)
            document = self._written(kept)
            for each in kept.values():
                each.remove()
        with suppress(OSError):  # another model's run may go on there
            (self.out / PARTS).rmdir()
        say(summary(document), lines=True)
        return document

    def _jobs(self) -> dict[Case, Proving]:
        return {case: Proving.of(case, self.port, self.batch, self.seed) for case in self.cases}

    def _collect(
        self, kept: Mapping[Case, Parts], scheduler: str | None, workers: int | None
    ) -> None:
        if workers is None and not scheduler:
            workers = max(1, cores() // 2)  # each has three recorders of its own
        left = {case: keys for case, keys in self.cases.items() if {*keys} - {*kept[case].places}}
        if not left:
            return
        jobs = self._jobs()
        with place(scheduler, workers) as where:
            for case, keys in left.items():
                self._one(jobs[case], keys, kept[case], where)

    def _one(self, job: Proving, keys: list[str], kept: Parts, where: Place) -> None:
        unit = f"clips of {job.case.model.name}"
        # a partition no larger than each worker's part of a small collection
        size = min(BATCHES, max(1, len(keys) // (self.batch * where.workers))) * self.batch
        collect(job, keys, kept, where, size, unit)

    def _written(self, kept: Mapping[Case, Parts]) -> dict[str, Any]:
        gathered = {case: Gathered(case.model.name) for case in self.cases}

        def rows() -> Iterator[Row]:
            for case, keys in self.cases.items():
                for _, found in kept[case].rows(keys):
                    for row in found:
                        gathered[case].take(row)
                        yield row

        write(self.table, COLUMNS, rows())
        worst = [entry for each in gathered.values() for entry in each.worst]
        changes = [entry for each in gathered.values() for entry in each.changes]
        pages = self._pages(
            listed(worst, {}), {(row["model"], row["clip"]): row for _, _, row in worst}
        )
        models = [each.model() for each in gathered.values()]
        document = asdict(
            Corpus(
                1,
                worst_of(model.verdict for model in models),
                "seeded" if any(case.data == "seeded" for case in self.cases) else "real",
                now(),
                self.command,
                environment(1, {}),  # type: ignore[arg-type]
                ", ".join(dict.fromkeys(of_case(self.port, case) for case in self.cases)),
                self.table.name,
                models,
                listed(worst, pages),
                listed(changes, pages),
            )
        )
        from parity.reports import corpus

        text = to_json(document)
        publish({self.out / JSON: text, self.out / PAGE: corpus.page(text)})
        return document

    def _pages(
        self, worst: list[Any], rows: Mapping[tuple[str, str], Row]
    ) -> dict[tuple[str, str], str]:
        """Draw the layer reports of the worst clips; returns where each is."""
        from parity.reports import html
        from parity.reports.document import PARITY

        found: dict[tuple[str, str], str] = {}
        for clip in worst:
            key = clip.model, clip.clip
            text = rows[key].get("document")
            if text is None:
                continue
            name = f"{CLIPS}/{len(found) + 1}-{clip.model}.html"
            publish({self.out / name: html.page(PARITY.read(name, text))})
            found[key] = name
        return found


def summary(document: dict[str, Any]) -> str:
    """What people read of it."""
    from parity.reports import corpus

    return corpus.text(document)

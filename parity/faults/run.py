"""Every mutant on trial, in processes side by side. Each record is kept at once, so that a stopped
run goes on where it was.
"""

import difflib
import hashlib
import time
from collections.abc import Collection
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from parity import model, ports, project, room
from parity.document import now
from parity.errors import CannotRun
from parity.faults import anywhere, criteria, table
from parity.faults.table_row import Fault
from parity.faults.trial import (
    BELOW,
    NO_END,
    SEVERAL,
    UNASKED,
    Published,
    Reordering,
    Trial,
    heard,
    measured,
    sound_of,
    tried,
)
from parity.files import sha256_of
from parity.port.from_keras import VERSIONS
from parity.processes import side_by_side
from parity.provenance import environment, threads_per_worker
from parity.recording import recordings
from parity.recording.asking import asking
from parity.recording.clips import clips_of
from parity.recording.trace import open_trace
from parity.results import Data, Natural, Text, Time
from parity.schema import Later, Says
from parity.store import Store, key_of

FORMAT = 1
SLOWEST = 3  # named at the end
MUTANTS = {mutant.id: mutant for mutant in (*table.FAULTS, *table.HARMLESS, *table.PUBLISHED)}
ORDER = tuple(model.MODELS)  # the slowest model first, so that the cores end together
TOTALS = [
    *("faults", "undecidable", "decidable", "caught", "located", "named", "survivors"),
    *("attributable", "attributed", "several_layers", "no_end", "below_rounding"),
    *("harmless", "quiet"),
]
APART = {
    "several_layers": SEVERAL, "no_end": NO_END, "below_rounding": BELOW, "not_asked": UNASKED,
}  # fmt: skip


def select(models=(), layers=(), ids=()) -> list[Fault]:
    """The mutants of those models, layers and ids; an empty choice means all. Raises CannotRun,
    listing the known names.
    """
    names, layers = model.select(models, layers)
    unknown = [name for name in ids if name not in MUTANTS]
    if unknown:
        near = difflib.get_close_matches(unknown[0], MUTANTS, n=1, cutoff=0)[0]
        raise CannotRun(
            f"no fault called {unknown[0]!r}; did you mean {near}? Known: {', '.join(MUTANTS)}"
        )
    chosen = [
        mutant
        for mutant in MUTANTS.values()
        if mutant.model in names
        and (not layers or mutant.layer in layers)
        and (not ids or mutant.id in ids)
    ]
    if not chosen:
        raise CannotRun("no fault is planted there; `parity faults --list` shows where they are")
    return chosen


def run(
    chosen: Collection[Fault], *, folder: Path, workers=2, command="", progress=None, selection=None
) -> dict:
    """Try every mutant; returns the document (reports/faults.schema.json).

    folder : keeps the records until the run is whole. Raises CannotRun for what cannot be read or
    recorded, a port that does not hold, or an interruption.
    """
    models = sorted({mutant.model for mutant in chosen}, key=ORDER.index)
    there = {name: model.case_for(name) for name in models}
    traces = recordings.traces(
        {case: clips.batch for case, clips in clips_of(there.values()).items()},
        lanes=("reference",),
        workers=workers,
        progress=progress,
    )
    paths = {name: traces[case]["reference"] for name, case in there.items()}
    code, digests = code_digest(), {name: trace_digest(path) for name, path in paths.items()}
    keys = {
        mutant.id: key_of(mutant.id, code, digests[name])
        for name in models
        for mutant in sorted(chosen, key=lambda mutant: mutant.layer)  # they share questions
        if mutant.model == name
    }
    kept = Store(folder, ".json", name="kept faults", advice="choose another --out")
    arguments = {
        name: (name, there[MUTANTS[name].model], paths[MUTANTS[name].model]) for name in keys
    }
    records = _records(kept, keys, arguments, workers, progress)
    found = document(
        *(
            [records[mutant.id]["record"] for mutant in rows if mutant in chosen]
            for rows in (table.FAULTS, table.HARMLESS, table.PUBLISHED)
        ),
        data="seeded" if any(case.data == "seeded" for case in there.values()) else "real",
        selection=selection,
        command=command,
        environment=environment(threads_per_worker(workers), VERSIONS),
    )
    for key in keys.values() if selection else [entry.path.stem for entry in kept.entries()]:
        kept.discard(key)
    _remove_empty(folder)
    return found


def of_project(models=(), layers=(), ids=(), *, workers=2, command="", progress=None) -> dict:
    """The same document on the models of the project here, their ports broken by every formula that
    is known for a layer. Raises CannotRun, for a port that does not hold too.
    """
    cases = project.cases(models)
    chosen = project.layers_of(cases, layers)
    inputs = {case: clips.inputs for case, clips in clips_of(cases).items()}
    traces = recordings.traces(inputs, lanes=["reference"], workers=workers, progress=progress)
    records, known = [], set()
    versions: dict[str, str] = {}
    for case, paths in traces.items():
        port = ports.load(ports.OURS, case)
        versions |= port.versions
        with open_trace(paths["reference"]) as recorded, asking(case) as original:
            trace = recorded.grouped(case.names)
            trace.layers = original.answering(trace.layers)
            for name, found in anywhere.trials(case, trace, port, chosen, ids):
                known.add(name)
                records += [asdict(found)] if found else []
                if progress:
                    progress.update("faults", f"{len(known)} tried: {name}")
    if unknown := {*ids} - known:
        near = difflib.get_close_matches(min(unknown), known, n=1, cutoff=0)
        raise CannotRun(f"no fault called {min(unknown)!r}; did you mean {near[0]}?")
    return document(
        records,
        data="real",
        selection=[record["id"] for record in records],
        command=command,
        environment=environment(threads_per_worker(1), versions),
    )


def _records(kept, keys, arguments, workers, progress):
    """{mutant's id: of _timed}, kept from a run that was stopped or found now."""
    records = {name: found for name, key in keys.items() if (found := kept.load(key))}
    if progress and records:
        progress.done("kept", f"{len(records)} of {len(keys)} faults from a run that was stopped")
    jobs = {name: each for name, each in arguments.items() if name not in records}
    advice = "try again with WORKERS=1, it goes on from here"
    try:
        with closing(side_by_side(_timed, jobs, workers, advice)) as done:
            for count, (name, found) in enumerate(done, start=1):
                records[name] = found
                kept.keep(keys[name], found)
                if progress:
                    progress.update("faults", f"{count} of {len(jobs)}: {name}", count / len(jobs))
    except KeyboardInterrupt as error:
        raise CannotRun(
            f"stopped; what was found so far is in {kept.folder}, and the same command goes on "
            "from there"
        ) from error
    finally:
        _remove_empty(kept.folder)
    if progress:
        slow = sorted(records, key=lambda name: -records[name]["cpu_s"])[:SLOWEST]
        said = ", ".join(f"{name} {records[name]['cpu_s']:.1f} s" for name in slow)
        progress.done("slowest", f"{said} of CPU time")  # the document has no times in it
    return records


def _remove_empty(folder):
    with suppress(OSError):  # there are records in it
        folder.rmdir()


def _timed(name, case, path):
    """{record, cpu_s} of a mutant by its id: a plant is a function that cannot be sent to another
    process. What all mutants of a model share is not counted.
    """
    sound = sound_of(case, path)
    mutant, started_s = MUTANTS[name], time.process_time()
    trial = heard if mutant in table.HARMLESS else measured if mutant in table.PUBLISHED else tried
    record = asdict(trial(mutant, sound))
    return {"record": record, "cpu_s": round(time.process_time() - started_s, 2)}


def code_digest() -> str:
    """sha256, hex, of everything that makes a record but the data: harness, port, libraries."""
    folders = [room(name) for name in ("port", "tagger")] + [room("port").parent / "parity"]
    files = sorted(path for folder in folders for path in folder.rglob("*.py"))
    parts = [*map(sha256_of, files), *map(version, ("numpy", "chainer"))]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def trace_digest(path) -> list:
    """What a trace says of itself: its provenance and every layer's digest."""
    with open_trace(path) as trace:
        return [trace.provenance, {name: layer.sha256 for name, layer in trace.layers.items()}]


@dataclass
class Judged:
    """What the project promises of the mutants; holds is null where nothing it needs was tried."""

    text: Text
    holds: bool | None
    figure: float | None


@dataclass
class Faults:
    """What the harness said of each mutant, each harmless reordering, and of what the project
    improved: the published port's formulas planted into this one.
    """

    format: Annotated[int, Says(const=1)]
    data: Data
    created: Time
    command: str
    environment: dict[str, Any] | None
    selection: Annotated[list[str] | None, Says(minItems=1, description="ids asked for; null: all")]
    faults: list[Trial]
    harmless: list[Reordering]
    improved: list[Published]
    totals: Annotated[dict[str, Natural], Says(required=TOTALS)]
    promises: Later[list[Judged]]


def document(
    faults, harmless=(), improved=(), *, data, selection=None, command="", environment=None
) -> dict:
    """The records with their totals and the promises they keep."""
    found = {
        "format": FORMAT,
        "data": data,
        "created": now(),
        "command": command,
        "environment": environment,
        "selection": selection,
        "faults": list(faults),
        "harmless": list(harmless),
        "improved": list(improved),
        "totals": _totals(faults, harmless),
    }
    return {**found, "promises": criteria.measured(found)}


def _totals(faults, harmless):
    """Reorderings that change no bit prove nothing, and are not counted in `harmless`."""
    decidable = [record for record in faults if not record["undecidable"]]
    reordered = [record for record in harmless if record["changed_layers"]]
    apart = {key: sum(record["apart"] == why for record in faults) for key, why in APART.items()}
    return {
        "faults": len(faults),
        "undecidable": len(faults) - len(decidable),
        "decidable": len(decidable),
        **{key: sum(row[key] for row in decidable) for key in ("caught", "located", "named")},
        "survivors": sum(not record["located"] for record in decidable),
        "attributable": len(faults) - sum(apart.values()),
        "attributed": sum(record["attributed"] is True for record in faults),
        **apart,
        "by_probes_alone": sum(_by_probes_alone(record["ways"]) for record in faults),
        "harmless": len(reordered),
        "quiet": sum(record["quiet"] for record in reordered),
        "unchanged": len(harmless) - len(reordered),
    }


def _by_probes_alone(ways):
    """Whether clips show nothing of what probes show."""
    return bool(ways) and not {"isolated", "chained"} & set(ways)


def holds(found: dict) -> bool:
    """Whether no promise that was tried is broken."""
    return all(promise["holds"] is not False for promise in found["promises"])

"""Every fault on trial, in processes side by side; what is found is kept after each one, so that a
stopped run goes on.
"""

import difflib
import multiprocessing
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from parity import cases
from parity.document import now
from parity.errors import CannotRun
from parity.faults import promises, table
from parity.faults.blame import BELOW, NO_END, SEVERAL
from parity.faults.improved import IMPROVED, measured
from parity.faults.kept import code_digest, key_of, trace_digest
from parity.faults.trial import heard, sound, sound_chain, tried
from parity.provenance import environment, threads_per_worker
from parity.recording import stacks
from parity.recording.clips import read_clips

FORMAT = 1
SLOWEST = 3  # named at the end
WHOLE = (table.FAULTS, table.HARMLESS, IMPROVED)
ORDER = tuple(cases.MODELS)  # the slowest model first, so that the cores end together


def select(models=(), layers=(), ids=()):
    """The (faults, harmless reorderings, improvements) of those names; an empty choice means all.

    Raises CannotRun, listing the known names.
    """
    names, layers = cases.select(models, layers)
    known = {fault.id: fault for whole in WHOLE for fault in whole}
    unknown = [name for name in ids if name not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1, cutoff=0)[0]
        raise CannotRun(
            f"no fault called {unknown[0]!r}; did you mean {near}? Known: {', '.join(known)}"
        )
    chosen = [
        fault
        for fault in known.values()
        if fault.model in names
        and (not layers or fault.layer in layers)
        and (not ids or fault.id in ids)
    ]
    if not chosen:
        raise CannotRun("no fault is planted there; `parity faults --list` shows where they are")
    return tuple(tuple(fault for fault in whole if fault in chosen) for whole in WHOLE)


def run(
    faults, harmless, improved=(), *, kept, workers=2, command="", progress=None, selection=None
):
    """Try every fault, reordering and improvement; returns the document
    (reports/faults.schema.json).

    kept : a kept.Kept. Raises CannotRun for what cannot be read or recorded, a port that does not
    hold, or an interruption.
    """
    chosen = sorted((*faults, *harmless, *improved), key=lambda fault: ORDER.index(fault.model))
    there = {name: cases.case_for(name) for name in dict.fromkeys(fault.model for fault in chosen)}
    traces = stacks.traces(
        {case: read_clips(case.clips).batch for case in there.values()},
        lanes=("reference",),
        workers=workers,
        progress=progress,
    )
    paths = {name: traces[case]["reference"] for name, case in there.items()}
    keys = _keys(chosen, paths)
    records = _all_records(keys, there, paths, kept, workers, progress)
    if progress:
        progress.done("slowest", _slowest(records))
    found = document(
        *([records[fault]["record"] for fault in whole] for whole in (faults, harmless, improved)),
        data="seeded" if any(case.data == "seeded" for case in there.values()) else "real",
        selection=selection,
        command=command,
        environment=environment(threads_per_worker(workers)),
    )
    kept.forget(None if selection is None else set(keys.values()))
    return found


def _slowest(records):
    """Times stand here and not in the document, which is the same for the same input."""
    slow = sorted(records, key=lambda fault: records[fault]["cpu_s"])[: -SLOWEST - 1 : -1]
    return (
        ", ".join(f"{fault.id} {records[fault]['cpu_s']:.1f} s" for fault in slow) + " of CPU time"
    )


def _keys(chosen, paths):
    """{fault: key of its record}, in the order they are tried."""
    code, traces = code_digest(), {name: trace_digest(path) for name, path in paths.items()}
    return {fault: key_of(fault, code, traces[fault.model]) for fault in chosen}


def _all_records(keys, there, paths, kept, workers, progress):
    """{fault: {record, cpu_s}}: those kept, and the others from the processes."""
    records = {fault: kept.find(key) for fault, key in keys.items()}
    missing = [fault for fault in keys if records[fault] is None]
    if progress and len(missing) < len(keys):
        progress.done(
            "kept", f"{len(keys) - len(missing)} of {len(keys)} faults from a run that was stopped"
        )
    needed = dict.fromkeys(fault.model for fault in missing)
    with _processes(min(workers, len(missing)) or 1, kept) as pool:
        clean = (
            dict(
                zip(
                    needed,
                    pool.map(
                        sound, *zip(*((there[name], paths[name]) for name in needed), strict=True)
                    ),
                    strict=True,
                )
            )
            if needed
            else {}
        )
        jobs = {
            pool.submit(
                _try(fault), fault.id, there[fault.model], paths[fault.model], clean[fault.model]
            ): fault
            for fault in missing
        }
        for count, job in enumerate(as_completed(jobs), start=1):
            records[jobs[job]] = job.result()
            kept.add(keys[jobs[job]], job.result())
            if progress:
                progress.update(
                    "faults", f"{count} of {len(missing)}: {jobs[job].id}", count / len(missing)
                )
    return records


def _try(fault):
    return next(
        trial
        for trial, whole in (
            (_tried, table.FAULTS),
            (_heard, table.HARMLESS),
            (_measured, IMPROVED),
        )
        if fault in whole
    )


def _tried(name, *arguments):
    return _timed(tried, name, *arguments)


def _heard(name, *arguments):
    return _timed(heard, name, *arguments)


def _measured(name, *arguments):
    return _timed(measured, name, *arguments)


def _timed(trial, name, case, path, clean):
    """{record, cpu_s}; what all faults of a model share is not counted."""
    if trial is not heard:
        sound_chain(case, path)
    started_s = time.process_time()
    return {
        "record": trial(_named(name), case, path, clean),
        "cpu_s": round(time.process_time() - started_s, 2),
    }


def _named(name):
    """The fault of that id: plants are functions made on import, which no process can send to
    another.
    """
    return next(fault for whole in WHOLE for fault in whole if fault.id == name)


@contextmanager
def _processes(workers, kept):
    """Worker processes; an interruption, or a model that cannot be tried, ends them at once: what
    is finished is kept.
    """
    pool = _pool(workers)
    try:
        yield pool
    except BaseException as error:
        for child in multiprocessing.active_children():
            child.terminate()
        if isinstance(error, KeyboardInterrupt):
            raise CannotRun(
                f"stopped; what was found so far is in {kept.path}, and the same command "
                "goes on from there"
            ) from error
        if isinstance(error, BrokenProcessPool):
            raise CannotRun(
                "a process died, most likely for want of memory; try again with "
                "WORKERS=1, it goes on from here"
            ) from error
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _pool(workers):
    os.environ["OPENBLAS_NUM_THREADS"] = str(
        threads_per_worker(workers)
    )  # read by the children when they load NumPy
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        workers, mp_context=context, initializer=_leave_interrupts_to_the_parent
    )


def _leave_interrupts_to_the_parent():
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def document(faults, harmless, improved=(), *, data, selection=None, command="", environment=None):
    """The records put together with their totals, and with which promises they keep."""
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
    return {**found, "promises": promises.kept(found)}


def _totals(faults, harmless):
    """Reorderings that change no bit are no part of `harmless`: they prove nothing."""
    decidable = [record for record in faults if not record["undecidable"]]
    otherwise = [record for record in harmless if record["changed_layers"]]
    apart = {
        key: sum(record["apart"] == why for record in faults)
        for key, why in (("several_layers", SEVERAL), ("no_end", NO_END), ("below_rounding", BELOW))
    }
    return {
        "faults": len(faults),
        "undecidable": len(faults) - len(decidable),
        "decidable": len(decidable),
        **{
            word: sum(record[word] for record in decidable)
            for word in ("caught", "located", "named")
        },
        "survivors": sum(survives(record) for record in faults),
        "attributable": len(faults) - sum(apart.values()),
        "attributed": sum(record["attributed"] is True for record in faults),
        **apart,
        "harmless": len(otherwise),
        "quiet": sum(record["quiet"] for record in otherwise),
        "unchanged": len(harmless) - len(otherwise),
    }


def survives(record):
    """A fault that could have been seen and was not, or was seen at another layer."""
    return not record["undecidable"] and not record["located"]


def holds(found):
    """Whether no promise that was tried is broken."""
    return all(promise["holds"] is not False for promise in found["promises"])

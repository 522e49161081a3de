"""The originals are asked what the ports are asked, so that the formulas are proved where clips
never go.

One probe of each name a layer, the smallest. In float64 an original has to agree with the formula
to AGREEMENT; in float32 it has to pass the probe. What is kept is what came of it, by everything
that can change it: weights, recorder, stack, and the files that make probes and formulas.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from parity.errors import CannotRun
from parity.files import sha256_of
from parity.kinds import LayerCase
from parity.kinds.probing import Probe
from parity.model import Case
from parity.naming import Names
from parity.probes.judging import judged
from parity.probes.networks import asked, layers_of
from parity.progress import Lines, Live
from parity.recording.cache import default_folder, key_of
from parity.recording.job import RECORDER, Job, sources_sha256, weights_sha256
from parity.recording.scheduler import record_all
from parity.recording.stacks import LANES, SETTINGS, STACKS
from parity.results import OriginalAsked
from parity.store import Store

AGREEMENT = 1e-12  # of a value, in float64
OF_ROUNDING = 1e-6  # of float32's own room: float64 rounds 2e-9 of it
SEED = 20160618
IMAGE = 24  # rows and columns at most
SOURCES = ("kinds", "probes", "numerics")


class Question(NamedTuple):
    """A probe of a layer."""

    case: LayerCase
    probe: Probe


def ask_originals(
    cases: Sequence[Case],
    *,
    workers: int = 2,
    progress: Lines | Live | None = None,
    before: Callable[[], Any] | None = None,
) -> dict[Case, dict[str, OriginalAsked]]:
    """What every original answers, {case: {layer: ...}}: asked now, or as it was kept.

    before : called before the first is asked, if any is.
    Raises CannotRun where an original cannot be run.
    """
    kept = Store(default_folder().parent / "asked", ".json")
    outside: dict[Case, dict[str, OriginalAsked]] = {
        case: {} for case in cases if case.model.outside
    }
    cases = [case for case in cases if case not in outside]
    keys = {case: _key(case) for case in cases}
    found: dict[Case, dict[str, OriginalAsked]] = {}
    for case, key in keys.items():
        said: Any = kept.load(key)
        if said is not None:
            found[case] = {name: OriginalAsked(**each) for name, each in said.items()}
    if before and len(found) < len(cases):
        before()
    for case in cases:
        if case not in found:
            found[case] = _ask(case, workers, progress)
            with suppress(CannotRun):  # a cache that cannot be written only costs time
                text = json.dumps({name: asdict(each) for name, each in found[case].items()})
                kept.write(keys[case], text)
    return found | outside


def _key(case: Case) -> str:
    folder = Path(__file__).parents[1]
    files = [path for name in SOURCES for path in sorted((folder / name).rglob("*.py"))]
    program = sorted((RECORDER / "probes").glob("*.py"))
    return key_of(
        {
            "files": [sha256_of(path) for path in [*files, *program]],
            "recorder": sources_sha256(),
            "weights": case.weights.sha256,
            "model": case.model.name,
            "stack": STACKS[case.model.stack].packages,
        }
    )


def _questions(case: Case) -> Iterator[Question]:
    """The same each time: they are made again for judging, as they are too large to be kept."""
    case = case._replace(names=Names())  # an original has every layer by itself
    layers = layers_of(case)
    for name, layer in layers.items():
        if not layer.inbound:
            continue
        blank = _small(asked(case, layers, name))
        if blank.kind.probes is None or blank.kind.passes_on:
            continue
        seen = set()
        for probe in blank.kind.probes(blank, np.random.default_rng(SEED)):
            if (probe.name, probe.of) not in seen:
                seen.add((probe.name, probe.of))
                yield Question(blank, probe)


def _small(case: LayerCase) -> LayerCase:
    """The layer on a smaller image, where that shows the same formula."""
    axis = case.config.get("axis", 1)
    if not case.kind.any_image or case.x.ndim != 4 or axis not in (1, -3):
        return case
    clip = (1, case.x.shape[1], *(min(n, IMAGE) for n in case.x.shape[2:]))
    return case.but(x=np.broadcast_to(np.float32(0), clip))


def _ask(case: Case, workers: int, progress: Lines | Live | None) -> dict[str, OriginalAsked]:
    with tempfile.TemporaryDirectory(prefix="parity-probes-") as folder:
        path = Path(folder) / "questions.h5"
        with h5py.File(path, "w") as file:
            for number, question in enumerate(_questions(case)):
                data = file.create_dataset(str(number), data=question.probe.x)
                data.attrs["layer"] = question.case.layer.name
                data.attrs["of"] = question.probe.of
        jobs = {lane: _job(case, lane, path) for lane in ("reference", "truth")}
        keys = {lane: key_of(lane) for lane in jobs}
        store = Store(Path(folder) / "answers", ".h5")
        by_key = {keys[lane]: job for lane, job in jobs.items()}
        answers = record_all(by_key, store, workers=workers, progress=progress)
        own, wide = (h5py.File(answers[keys[lane]], "r") for lane in jobs)
        with own, wide:
            found = _judged(_questions(case), own, wide)
        for key in by_key:
            store.discard(key)
        return found


def _job(case: Case, lane: str, questions: Path) -> Job:
    stack = STACKS[case.model.stack]
    path = Path(case.weights).absolute()
    weights_sha256(path)  # CannotRun where it cannot be read
    expect = {**stack.expect(LANES[lane]), **SETTINGS}
    return Job(
        case.model.name, stack, LANES[lane], path, np.zeros(1, np.float32), expect,
        program="reference.probes", more={"questions": str(questions)}, what=", probes",
    )  # fmt: skip


def _judged(
    questions: Iterator[Question], own: Mapping[str, Any], wide: Mapping[str, Any]
) -> dict[str, OriginalAsked]:
    found: dict[str, OriginalAsked] = {}
    for number, (case, probe) in enumerate(questions):
        name = case.layer.name
        record = found.setdefault(name, OriginalAsked(0, 0, 0.0))
        record.probes += 1
        passes = judged(probe, own[str(number)][()])
        record.wrong += passes.wrong + bool(passes.fault)
        ratio = _disagreement(case, probe, wide[str(number)][()])
        record.truth = float(np.maximum(record.truth or 0.0, ratio))  # NaN stays NaN
        if passes.wrong or passes.fault:
            record.message = f"{probe.name}: {passes.fault or f'{passes.wrong:,} wrong'}"
        elif not ratio <= 1:
            record.message = f"{probe.name}: in float64 it is not the formula"
    return found


def _disagreement(case: LayerCase, probe: Probe, answer: np.ndarray) -> float:
    """Largest |original - formula| in float64, of what is allowed; NaN stays NaN."""
    there = case.but(x=probe.x)
    if probe.of == "logits":
        there = there.but(config={"activation": "linear"})
    expected = there.value()
    if answer.shape != expected.shape:
        return float("inf")
    with np.errstate(all="ignore"):
        room = probe.high.astype(np.float64) - probe.low
        expected, answer = expected[probe.at], answer[probe.at]
        allowed = AGREEMENT * np.abs(expected) + OF_ROUNDING * np.abs(room) + np.finfo("f8").tiny
        off = np.abs(expected - answer)
        return float(np.max(np.where(off == 0, 0.0, off / allowed)))

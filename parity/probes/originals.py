"""The originals are asked what the ports are asked, so that the formulas are proved where clips
never go.

One probe of each name a layer, the smallest. In float64 an original has to agree with the formula
to AGREEMENT; in float32 it has to pass the probe. What is kept is what came of it, by everything
that can change it: weights, recorder, stack, and the files that make probes and formulas.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
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
from parity.probes.networks import asked, described, layers_of
from parity.processes import scratch
from parity.progress import Lines, Live
from parity.recording.asking import asking, job_of, made_of, read, write
from parity.recording.cache import default_folder, key_of
from parity.recording.scheduler import record_all
from parity.recording.trace import Layer
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
    kept = asked_store()
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
                kept.keep(keys[case], {name: asdict(each) for name, each in found[case].items()})
    return found


def asked_store() -> Store:
    """What is known of the originals, whatever the port."""
    return Store(default_folder().parent / "asked", ".json")


@cache
def sources(*folders: str) -> list[str]:
    """The digests of what makes answers: the files of these folders of the harness."""
    home = Path(__file__).parents[1]
    files = [path for name in folders for path in sorted((home / name).rglob("*.py"))]
    return [*map(sha256_of, files)]


def _key(case: Case) -> str:
    layers = described(layers_of(_single(case)))  # their shapes vary
    return key_of({"files": sources(*SOURCES), "layers": layers, **made_of(case)})


def _single(case: Case) -> Case:
    """An original has every layer by itself."""
    return case._replace(names=Names())


def _questions(case: Case, layers: Mapping[str, Layer]) -> Iterator[Question]:
    """The same each time: they are made again for judging, as they are too large to be kept."""
    for name, layer in layers.items():
        if not layer.inbound or len({*layer.inbound}) < len(layer.inbound):
            continue  # one that reads a layer twice cannot be given two inputs
        blank = _small(asked(case, layers, name))
        if blank.kind.probes is None or blank.kind.passes_on:
            continue
        seen = set()
        with suppress(CannotRun):  # it is not asked about, and the port's own layer says why
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
    case = _single(case)
    with scratch() as folder, asking(case) as original:
        layers = original.answering(layers_of(case))
        path = folder / "questions.h5"
        with h5py.File(path, "w") as file:
            for number, (of, probe) in enumerate(_questions(case, layers)):
                write(file, number, of.layer.name, [probe.x, *probe.more], of=probe.of)
        jobs = {lane: job_of(case, lane, path) for lane in ("reference", "truth")}
        keys = {lane: key_of(lane) for lane in jobs}
        store = Store(folder / "answers", ".h5")
        by_key = {keys[lane]: job for lane, job in jobs.items()}
        answers = record_all(by_key, store, workers=workers, progress=progress)
        own, wide = (h5py.File(answers[keys[lane]], "r") for lane in jobs)
        with own, wide:
            found = _judged(_questions(case, layers), _Answers(own), _Answers(wide))
        for key in by_key:
            store.discard(key)
        return found


@dataclass
class _Answers:
    """A file's answers by number."""

    file: h5py.File

    def __getitem__(self, number: int) -> Any:
        return read(self.file, number, "value")


def _judged(
    questions: Iterator[Question],
    own: _Answers | Mapping[int, Any],
    wide: _Answers | Mapping[int, Any],
) -> dict[str, OriginalAsked]:
    found: dict[str, OriginalAsked] = {}
    for number, (case, probe) in enumerate(questions):
        name, answer, exact = case.layer.name, own[number], wide[number]
        if answer is None or exact is None:  # a batch of fixed size, say
            continue
        record = found.setdefault(name, OriginalAsked(0, 0, 0.0))
        record.probes += 1
        passes = judged(probe, answer)
        record.wrong += passes.wrong + bool(passes.fault)
        ratio = _disagreement(case, probe, exact)
        record.truth = float(np.maximum(record.truth or 0.0, ratio))  # NaN stays NaN
        if passes.wrong or passes.fault:
            record.message = f"{probe.name}: {passes.fault or f'{passes.wrong:,} wrong'}"
        elif not ratio <= 1:
            record.message = f"{probe.name}: in float64 it is not the formula"
    return found


def _disagreement(case: LayerCase, probe: Probe, answer: np.ndarray) -> float:
    """Largest |original - formula| in float64, of what is allowed; NaN stays NaN."""
    there = case.but(x=probe.x, more=probe.more)
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

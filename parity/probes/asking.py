"""Asks one layer of a port its kind's probes, and reads back what it has inside."""

import copy
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from parity.errors import CannotRun
from parity.kinds import LayerCase
from parity.kinds.probing import Probe, Reading
from parity.numerics.rounding import U
from parity.port_api import HABITS, Answer, Port, answer, ask, prepare, same_bits
from parity.probes.judging import Judged, judged
from parity.recording.trace import array_sha256
from parity.results import (
    ALLOWED,
    EXACT,
    EXCESS,
    FORMULA,
    GROSS,
    INCOMPARABLE,
    MISBEHAVES,
    NOT_COMPARED,
    NOT_PROBED,
    ROUNDING,
    Asked,
    Probed,
    Read,
)

RIGHT = frozenset({EXACT, ROUNDING, ALLOWED})
BITS_LEAST = 8.0  # as in parity.compare.verdict: fewer right bits than bfloat16 has
SIGNIFICAND = 24  # bits, of float32
BEHAVIOUR = "behaviour: "
OF_ASKED = ("wrong", "answers")
EVERYWHERE = 0.1  # of the answers are wrong at least, where a transform spreads its rounding


class Failure(NamedTuple):
    """A probe whose answer is wrong, kept for naming the cause."""

    probe: Probe
    answer: np.ndarray
    judged: Judged


class Layer(NamedTuple):
    """A probed layer: its record, the arrays read, one answer that is wrong, or None, and of each
    question its name, the clips it had, and what its answer amounts to. transform: whether
    all that is wrong may come of a convolution by way of a transform. odd: an answer that is right
    and shows a parameter as another. bits: of a significand, as many as the answers with something
    wrong use.
    """

    record: Probed
    read: dict[str, np.ndarray]
    failure: Failure | None
    history: Sequence[tuple[str, int, Judged]] = ()
    transform: bool = False
    odd: Failure | None = None
    bits: int = SIGNIFICAND


def probe_layer(port: Port, case: LayerCase, rng: np.random.Generator) -> Layer:
    """Ask everything that the layer's kind knows to ask.

    Parameters
    ----------
    port : Port
        It gets copies, and is asked again.
    case : LayerCase
        The layer with one clip of zeros.
    rng : np.random.Generator
        What the random probes are drawn from.
    """
    name = case.layer.name
    if case.kind.passes_on and case.kind.probes is None:
        return Layer(Probed(NOT_PROBED, "an input computes nothing"), {}, None)
    if case.kind.probes is None:
        return Layer(Probed(NOT_PROBED, f"no probes are known for {case.layer.kind}"), {}, None)
    try:
        case.kind.check_settings(case.layer)
        asked = _Asked(port, case)
        same = (each for each in case.kind.probes(case, copy.deepcopy(rng)) if each.of == "run")
        prepare(port, ((name, [each.x, *each.more]) for each in _first_again(same)))
        for probe in case.kind.probes(case, rng):
            asked.ask(probe)
    except CannotRun as error:
        return Layer(Probed(NOT_PROBED, str(error)), {}, None)
    asked.ask_again()
    return asked.found(moves=case.kind.move is not None)


def _first_again(probes: Iterator[Probe]) -> Iterator[Probe]:
    """The probes, then the first as often as `ask_again` does."""
    first = next(probes, None)
    if first is not None:
        yield from itertools.chain([first], probes, [first, first])


class _Asked:
    """One layer while it is asked."""

    def __init__(self, port: Port, case: LayerCase) -> None:
        self.port, self.case, self.name = port, case, case.layer.name
        self.record = Probed(EXACT, None)
        self.groups: dict[str, Asked] = {}
        self.parameters: dict[str, _Parameter] = {}
        self.failure: Failure | None = None
        self.odd: Failure | None = None
        self.used = 0  # bits of wrong answers
        self.fault: str | None = None
        self.first: tuple[Probe, np.ndarray] | None = None
        self.history: list[tuple[str, int, Judged]] = []
        self.beyond = False
        self.bits = np.inf
        self.silent = self.name != port.layers[-1]  # whether it shows no sums, as the last may

    def ask(self, probe: Probe) -> None:
        if probe.of == "logits" and self.silent:
            return
        said = self._answer(probe)
        if said.actual is None:
            self.silent |= said.fault is None  # it has no logits: nothing is wrong
            if said.fault:
                self._blame(f"{probe.name}, {len(probe.x)} at a time: {said.fault}")
            return
        actual = said.actual
        for habit in sorted(said.habits):
            if HABITS[habit].fault:
                self._blame(f"{BEHAVIOUR}it {HABITS[habit].text}")
        if self.first is None:
            self.first = probe, actual
        self._judge(probe, actual)

    def ask_again(self) -> None:
        """The first question once more, or one that was answered wrongly: the same bits; then the
        first with another number of threads: a right answer.
        """
        if self.first is None or self.fault:
            return
        wrong = [(self.failure.probe, self.failure.answer)] if self.failure else []
        for probe, before in (*wrong, self.first):
            said = self._answer(probe)
            if not same_bits(said.actual, before):
                self._blame(f"{BEHAVIOUR}it {HABITS['other-answer'].text}")
        if not self.fault and not wrong:
            with threads(self.port) as count:
                said = self._answer(probe)
            if said.actual is None or not judged(probe, said.actual).holds:
                self._blame(f"{BEHAVIOUR}a wrong answer with {count} BLAS threads")

    def _answer(self, probe: Probe) -> Answer:
        if probe.of == "logits":
            asked = f"the port's logits of {self.name}"
            return ask(asked, self.port.logits, probe.x.copy(), optional=True)
        return answer(self.port, self.name, probe.x, *probe.more)

    def _blame(self, fault: str) -> None:
        self.fault = self.fault or fault

    def _judge(self, probe: Probe, actual: np.ndarray) -> None:
        group = self.groups.setdefault(probe.name, Asked(probe.name, 0, 0, 0))
        found = judged(probe, actual)
        group.probes += 1
        group.answers += found.answers
        group.wrong += found.wrong
        group.share = max(group.share or 0.0, found.share)
        if probe.sigma is not None and found.q_share >= (group.q or 0.0):
            group.q, group.q_where = found.q, found.q_where
        if len(probe.x) not in self.record.batches:
            self.record.batches.append(len(probe.x))
        if found.fault:
            self._blame(found.fault)
            self.record.verdict = INCOMPARABLE
            return
        right = not found.wrong and found.q_share <= 1
        self.history.append((probe.name, len(probe.x), found))
        if not right:
            self.beyond = self.beyond or not by_transform(self.case, probe, actual, at_most=True)
            self._note(probe, actual, found)
        if probe.says:
            self.record.form = self.record.form or probe.says(actual)
        for reading in probe.read(actual) if probe.read else ():
            whole = self.parameters.setdefault(reading.name, _Parameter(reading.name))
            if not whole.add(reading) and right and self.odd is None:
                self.odd = Failure(probe, actual.copy(), found)

    def _note(self, probe: Probe, actual: np.ndarray, found: Judged) -> None:
        if found.wrong:
            self.used |= int(np.bitwise_or.reduce(actual.view(np.uint32), axis=None))
            with np.errstate(
                all="ignore"
            ):  # in float32, as it is much; scaled, as 2^66 has no square
                right = probe.low if probe.exact else probe.low / 2 + probe.high / 2
                largest = max(right.max(), -right.min())
                off, right = (actual[probe.at] - right) / largest, right / largest
                size = np.linalg.norm(off) / np.linalg.norm(right)
            self.bits = min(self.bits, -np.log2(size) if size > 0 else np.inf)
            self.bits = self.bits if np.isfinite(size) else -np.inf
        better = self.failure is None or probe.x.size < self.failure.probe.x.size
        if better or (found.wrong and not (self.failure and self.failure.judged.wrong)):
            self.failure = Failure(probe, actual.copy(), found)

    def found(self, moves: bool) -> Layer:
        record = self.record
        record.asked = list(self.groups.values())
        record.read = [each.record() for each in self.parameters.values()]
        record.verdict, record.message = self._verdict(moves)
        fraction = self.used & (1 << SIGNIFICAND - 1) - 1
        bits = SIGNIFICAND + 1 - (fraction & -fraction).bit_length()
        arrays = {name: each.values for name, each in self.parameters.items()}
        wrong, answers = (sum(getattr(each, of) for each in record.asked) for of in OF_ASKED)
        spread = wrong > EVERYWHERE * answers
        transform = self.failure is not None and spread and not self.beyond and not self.fault
        if transform and self.failure:  # the smallest question that shows it is looked at closely
            transform = by_transform(self.case, self.failure.probe, self.failure.answer)
        return Layer(record, arrays, self.failure, self.history, transform, self.odd, bits)

    def _verdict(self, moves: bool) -> tuple[str, str | None]:
        """The first of these that applies."""
        if self.record.verdict == INCOMPARABLE:
            return INCOMPARABLE, self.fault
        wrong = [each for each in self.record.asked if each.wrong]
        if self.fault:
            habit = self.fault.startswith(f"{BEHAVIOUR}it ") and not wrong
            word = MISBEHAVES if habit else GROSS
            return word if self.groups else NOT_COMPARED, self.fault
        if not self.groups:
            return NOT_PROBED, "nothing could be asked"
        if wrong:
            said = "; ".join(
                f"{each.name}: {each.wrong:,} of {each.answers:,} wrong" for each in wrong
            )
            return (FORMULA if self.bits >= BITS_LEAST else GROSS), said
        changed = [each for each in self.record.read if each.within < each.read]
        if changed:
            return FORMULA, "; ".join(_changed(each) for each in changed)
        failure = self.failure
        if failure:
            found = failure.judged
            return EXCESS, f"q is {found.q:.3g} in {found.q_where} of {failure.probe.name}"
        return (EXACT if moves else ROUNDING), None


def _changed(read: Read) -> str:
    place = "" if not read.at else f" {tuple(read.at)}"
    many = read.read - read.within
    return f"{read.name}{place} is off by {read.worst_u:.3g} u" + (
        f", and {many - 1:,} more" if many > 1 else ""
    )


class _Parameter:
    """What answers show of one parameter."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: Any = None

    def add(self, reading: Reading) -> bool:
        """Take it in; whether all of it is what it should be."""
        value = np.asarray(reading.value, np.float64)
        size = np.abs(reading.expected) if reading.size is None else reading.size
        expected, allowed, seen, size = (
            np.broadcast_to(each, value.shape)
            for each in (reading.expected, reading.allowed, reading.seen, size)
        )
        if self.values is None:
            shape = reading.whole or value.shape
            self.values = np.full(shape, np.nan)
            self.off, self.exact = np.zeros(shape), np.zeros(shape, bool)
            self.right, self.shows = np.ones(shape, bool), np.full(shape, np.inf)
            self.to, self.hidden = reading.to, reading.hidden
        at = reading.index
        with np.errstate(all="ignore"):
            off = np.abs(value - expected)
            relative, shows = (
                np.where(each == 0, 0.0, each / size) / U for each in (off, np.abs(allowed))
            )
        right = ~seen | (off <= allowed)
        if at is ...:
            at = (slice(None),) * value.ndim
        self.right[at] &= right
        self.off[at] = np.where(seen, np.fmax(self.off[at], relative), self.off[at])
        self.shows[at] = np.where(seen, np.fmin(self.shows[at], shows), self.shows[at])
        self.exact[at] |= seen & (allowed == 0)
        self.values[at] = np.where(seen, value, self.values[at])
        return bool(right.all())

    def record(self) -> Read:
        read = ~np.isnan(self.values)
        wrong = np.where(self.right, -1.0, self.off)
        worst = int(np.argmax(wrong if (wrong >= 0).any() else self.off))
        all_exact = bool(read.any() and (self.exact | ~read).all())
        at = [int(i) for i in np.unravel_index(worst, read.shape)]
        within, equal, close = (self.right, self.off == 0, self.off <= self.to)
        return Read(
            self.name,
            count=int(read.size),
            read=int(np.count_nonzero(read)),
            within=int(np.count_nonzero(read & within)),
            equal=int(np.count_nonzero(read & equal)),
            close=int(np.count_nonzero(read & close)),
            to_u=self.to,
            worst_u=float(self.off.flat[worst]) if read.any() else None,
            shows_u=float(np.median(self.shows[read])) if read.any() else None,
            at=at if (wrong >= 0).any() else None,
            hidden=None if read.all() else self.hidden or "no answer shows them",
            sha256=array_sha256(self.values.astype(np.float32)) if all_exact else None,
        )


def by_transform(case: LayerCase, probe: Probe, answer: np.ndarray, at_most: bool = False) -> bool:
    """Whether an answer is as near as a layer by way of a transform may come, or, at_most, may be
    so near.
    """
    if case.kind.transform is None:
        return False
    there = case.kind.transform(case.but(x=probe.x, more=probe.more), at_most)
    room = np.broadcast_to(there, answer.shape)[probe.at]
    found = answer[probe.at].astype(np.float64)
    with np.errstate(all="ignore"):
        return bool((np.maximum(probe.low - found, found - probe.high) <= room).all())


@contextmanager
def threads(port: Port) -> Iterator[int]:
    """Another number of BLAS threads than there are: one for several, two for one. A port that
    computes elsewhere has a method `threads(count)`, a context manager that sees to it.
    """
    pools = [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]
    count = 1 if max(pools, default=1) > 1 else 2
    with getattr(port, "threads", threadpool_limits)(count):
        yield count

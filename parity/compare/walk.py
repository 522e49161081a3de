"""Runs a port along a recorded original, layer by layer, on the original's own inputs (isolated)
and on its own (chained).
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from parity.port_api import Answer, Port, answer, prepare, same_bits
from parity.recording.trace import Layer, array_sha256

ISOLATED, CHAINED = MODES = ("isolated", "chained")
NOT_ASKED = Answer((), None, "this mode was not asked for")


class Recorded(Protocol):
    """What a walk needs of an original: a trace, or what stands in for one."""

    @property
    def layers(self) -> Mapping[str, Layer]: ...

    def read(self, name: str) -> np.ndarray: ...


class Step(NamedTuple):
    """One layer: the original's inputs and output, and the port's two answers.

    What belongs to a mode that was not asked for is empty, and without the isolated one expected is
    None. unchanged: the modes in which the answer is the known one, bit for bit.
    """

    layer: Layer
    inputs: tuple[np.ndarray, ...]
    expected: Any
    isolated: Answer
    chained: Answer
    unchanged: frozenset[str] = frozenset()

    @property
    def x(self) -> np.ndarray:
        """The original's only input, or its first."""
        return self.inputs[0]


def walk(
    trace: Recorded,
    port: Port,
    modes: Collection[str] = MODES,
    known: Mapping[tuple[str, str], str] | None = None,
    alike: Mapping[str, np.ndarray] | None = None,
) -> Iterator[Step]:
    """Yield a Step per layer of the trace, in its order, following the names of `inbound`.

    An array is held as long as a layer still reads it. A layer that the port lacks, runs out of
    order or fails at becomes a fault of that Step; what reads its output in the chain stays broken.
    Without the isolated mode nothing but the network's input is read from the trace. known : sha256
    of answers whose judgement is known, by (mode, layer). alike : layers that compute what those of
    the port with the known answers do, and its outputs in the chain; they are not asked again.
    """
    alike = alike or {}
    followed: set[str] = set()  # of the chain: where it is the known port's
    names = network_order(trace)
    readers = Counter(source for name in names for source in trace.layers[name].inbound)
    recorded: dict[str, Any] = {}
    own: dict[str, np.ndarray | str] = {}  # the port's outputs, or why it has none
    if ISOLATED in modes:
        inputs_of = (
            (name, [trace.read(at) for at in trace.layers[name].inbound]) for name in names
        )
        prepare(port, inputs_of)
    for name in names:
        layer = trace.layers[name]
        for source in layer.inbound:
            if source not in own:  # an input of the network
                own[source] = recorded[source] = trace.read(source)
                followed.add(source)
        inputs: tuple[np.ndarray, ...] = ()
        expected, isolated, chained = None, NOT_ASKED, NOT_ASKED
        if ISOLATED in modes:
            inputs, expected = tuple(recorded[source] for source in layer.inbound), trace.read(name)
            isolated = NOT_ASKED if name in alike else answer(port, name, *inputs)
        if CHAINED in modes:
            read: list[Any] = [own[at] for at in layer.inbound]
            if name in alike and followed.issuperset(layer.inbound):
                chained = Answer(tuple(read), alike[name])
            else:
                chained = _in_the_chain(trace, port, name, read, isolated)
        if name in alike:
            same = {ISOLATED} | ({CHAINED} if same_bits(chained.actual, alike[name]) else set())
        else:
            answers = {ISOLATED: isolated, CHAINED: chained}
            same = {
                mode for mode in answers if known and _is(answers[mode], known.get((mode, name)))
            }
        if CHAINED in same:
            followed.add(name)
        yield Step(layer, inputs, expected, isolated, chained, frozenset(same))
        for source in layer.inbound:
            readers[source] -= 1
            if not readers[source]:
                own.pop(source), recorded.pop(source, None)
        recorded[name], own[name] = expected, _handed_on(name, chained, expected)


def network_order(trace: Recorded) -> list[str]:
    """The layers of a trace that read others, in network order."""
    return [name for name, layer in trace.layers.items() if layer.inbound]


def _in_the_chain(
    trace: Recorded, port: Port, name: str, inputs: list[Any], isolated: Answer
) -> Answer:
    broken = next((each for each in inputs if isinstance(each, str)), None)
    broken = broken or _misplaced(trace, port, name)
    if broken:
        return Answer((), None, broken)
    if isolated is not NOT_ASKED and all(
        a is b for a, b in zip(inputs, isolated.inputs, strict=True)
    ):
        return isolated
    return answer(port, name, *inputs)


def _handed_on(name: str, chained: Answer, expected: Any) -> Any:
    """What the next layers read: the recorded array itself where the port gave the same bits."""
    if chained is NOT_ASKED or (expected is not None and same_bits(chained.actual, expected)):
        return expected
    if chained.actual is not None:
        return chained.actual
    return f"the chain broke at {name}: {chained.fault}" if chained.inputs else chained.fault


def _is(found: Answer, digest: str | None) -> bool:
    return found.actual is not None and array_sha256(found.actual) == digest


def _misplaced(trace: Recorded, port: Port, name: str) -> str | None:
    """Why the port cannot run `name` next, or None: along a chain the shared layers stand in one
    order.
    """
    names = network_order(trace)
    ours = [layer for layer in port.layers if layer in names]
    theirs = [layer for layer in names if layer in port.layers]
    if is_chain(trace) and name in ours and ours.index(name) != theirs.index(name):
        return f"the port runs its layers in another order ({' '.join(ours)})"
    return None


def is_chain(trace: Recorded) -> bool:
    """Whether every layer reads the one before it, and nothing else."""
    first, *others = names = network_order(trace)
    inbound = [list(trace.layers[name].inbound) for name in others]
    return len(trace.layers[first].inbound) == 1 and inbound == [[name] for name in names[:-1]]

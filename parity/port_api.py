"""What a port is to the harness, and the one place where it is asked.

Arrays go in and arrays come out, so that a port may as well live in another process.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from parity.architecture import layer_of
from parity.errors import CannotRun

__all__ = ["HABITS", "Answer", "Habit", "Port", "answer", "ask", "inside", "output", "watch"]


Question = tuple[str, Sequence[np.ndarray]]  # a layer and its inputs
NUMBERS = "?biuf"  # NumPy's kinds of real ones


class Habit(NamedTuple):
    """Something that a port does beside answering. fault : a user of the port would get other
    figures by it; the harness itself is safe, since a port gets copies and its answers are copied.
    """

    text: str
    fault: bool


OTHER = "gives another answer when it is asked the same again"
HABITS = {
    "changes-input": Habit("changes the array that it is given", True),
    "other-answer": Habit(OTHER, True),
    "keeps-state": Habit(f"{OTHER}: it keeps state from call to call", True),
    "random": Habit(f"{OTHER}: it draws random numbers", True),
    "same-buffer": Habit("returns the same buffer again: its next answer changes this one", False),
    "not-c-order": Habit("returns an array that is not in C order", False),
}


@runtime_checkable
class Port(Protocol):
    """A network in any framework, one layer at a time and as its users call it.

    Attributes
    ----------
    name : str
        What messages call it.
    versions : Mapping[str, str]
        What it computes with, `{"chainer": "7.8.1"}`, by the names of the installed distributions.
    layers : tuple of str
        Its layers as Keras names them, in the order in which it runs them.
    """

    name: str
    versions: Mapping[str, str]
    layers: tuple[str, ...]

    def run(self, layer: str, *inputs: np.ndarray) -> np.ndarray:
        """The output of one layer, of as many inputs as the original's layer has."""
        ...

    def __call__(self, *inputs: np.ndarray) -> np.ndarray | None:
        """The scores as users of the port get them, or None where there is no such call."""
        ...

    def logits(self, *inputs: np.ndarray) -> np.ndarray | None:
        """The last layer's sums before its activation, of that layer's inputs, or None."""
        ...

    def describe(self) -> Mapping[str, Mapping[str, object]] | None:
        """Each layer's settings, as JSON has them, or None."""
        ...

    def with_weights(self, layer: str, changes: Mapping[str, np.ndarray]) -> "Port":
        """The same port with some parameters of one layer replaced: {Keras's suffix: array}."""
        ...


UNSTEADY = {"other-answer", "keeps-state", "random"}
TIMES = 8


class Ended(CannotRun):
    """The port is gone, or cannot be believed any more: nothing more can be asked of it."""


class Raised(CannotRun):
    """What a port elsewhere raised or returned in place of an answer, in words; refused: they are
    its own, and no traceback is of use; where: what it did meanwhile.
    """

    def __init__(self, said: str, refused: bool = True, where: str = "") -> None:
        super().__init__(said, refused, where)
        self.said, self.refused = said, refused

    def __str__(self) -> str:
        said, _, where = self.args
        return f"{where} {said}".lstrip()


class Answer(NamedTuple):
    """What a port was given and gave; `fault` says in a sentence why it gave nothing; habits: keys
    of HABITS.
    """

    inputs: tuple[np.ndarray, ...]
    actual: np.ndarray | None
    fault: str | None = None
    habits: frozenset[str] = frozenset()

    @property
    def x(self) -> np.ndarray | None:
        """The only input, or the first; None where the chain was broken before."""
        return self.inputs[0] if self.inputs else None


def answer(port: Port, layer: str, *inputs: np.ndarray) -> Answer:
    """What a layer of `port` makes of `inputs`; whatever goes wrong becomes the answer's fault."""
    if layer not in port.layers:
        return Answer(inputs, None, lacking(port, layer))
    found: list[str] = []

    def run(*given: np.ndarray) -> Any:
        watched = getattr(port, "watched", None)  # a port elsewhere is watched where it runs
        actual, habits = watched(layer, *given) if watched else watch(port.run, layer, *given)
        found.extend(habits)
        return actual if watched or not is_array(actual) else actual.copy()

    return ask(f"the port's {layer}", run, *inputs)._replace(habits=frozenset(found))


def lacking(port: Port, layer: str) -> str:
    """That a port has no such layer, and why, where it has a mapping `lacks` that says so."""
    why = getattr(port, "lacks", {}).get(layer_of(layer))
    return f"the port has no layer {layer}{f': {why}' if why else ''}"


def prepare(port: Port, questions: Iterable[Question]) -> None:
    """Tell a port what it will be asked next, each once: a port whose every call is dear has a
    method `prepare` and answers all at one go.
    """
    ready = getattr(port, "prepare", None)
    if ready:
        ready((layer, inputs) for layer, inputs in questions if layer in port.layers)


def watch(call: Callable[..., Any], layer: str, *inputs: np.ndarray) -> tuple[Any, list[str]]:
    """(what `call` makes of copies of the inputs, the habits that it showed). An array is copied
    by whoever keeps it.
    """
    given = [np.array(x) for x in inputs]
    actual = call(layer, *given)
    habits = []
    if not all(map(same_bits, given, inputs)):
        habits.append("changes-input")
    if is_array(actual) and not actual.flags.c_contiguous:
        habits.append("not-c-order")
    return actual, habits


def is_array(value: object) -> bool:
    """Whether a value is an array of real numbers and nothing more: a masked one is none."""
    if not isinstance(value, np.ndarray):
        return False
    return type(value) in (np.ndarray, np.memmap) and value.dtype.kind in NUMBERS


def same_bits(actual: np.ndarray | None, expected: np.ndarray | None) -> bool:
    """Whether two arrays are one to the last bit; a port that gave nothing is no match."""
    if actual is None or expected is None:
        return False
    if (actual.shape, actual.dtype) != (expected.shape, expected.dtype):
        return False
    word = f"u{math.gcd(actual.nbytes, 8)}"  # wide ones: there are fewer
    return np.array_equal(actual.reshape(-1).view(word), expected.reshape(-1).view(word))


def unsteady(port: Port, layer: str, *inputs: np.ndarray) -> str:
    """Which habit lets a layer answer otherwise when asked again: new processes answer alike where
    it keeps state, and not where it draws at random. They are asked several times, since a few
    draws are equal by chance.
    """
    anew = getattr(port, "anew", None)
    if anew is None:
        return "other-answer"
    one, other = anew(), anew()
    for _ in range(TIMES):
        if not same_bits(*(answer(each, layer, *inputs).actual for each in (one, other))):
            return "random"
    return "keeps-state"


def output(port: Port, layer: str, *inputs: np.ndarray) -> np.ndarray:
    """The same for who cannot go on without it: the array, or CannotRun with the fault."""
    found = answer(port, layer, *inputs)
    if found.actual is None:
        raise CannotRun(found.fault)
    return found.actual


def inside(
    port: Port, layer: str, x: np.ndarray, **given: np.ndarray
) -> Mapping[str, np.ndarray] | None:
    """What a layer computes of x on the way and does not return, by name: the gates and states of
    a recurrent one, a batch's statistics. None where the port has no method `inside`, or that
    shows nothing here.
    """
    look = getattr(port, "inside", None)
    return look and look(layer, x, **given)


def ask(who: str, call: Callable[..., Any], *inputs: np.ndarray, optional: bool = False) -> Answer:
    """Call a part of a port. optional: it may return None, which is no fault. Raises Ended where
    the port is no more.
    """
    try:
        actual = call(*inputs)
        if not is_array(actual) and not (optional and actual is None):
            raise Raised(returned(actual))
    except Ended:
        raise
    except Raised as error:
        return Answer(inputs, None, f"{who} {error.said}")
    except Exception as error:  # whatever a port raises is its fault, and the run goes on
        return Answer(inputs, None, f"{who} {raised(error)}")
    return Answer(inputs, actual)


def raised(error: BaseException) -> str:
    """What an exception says, in one line."""
    try:
        said = " ".join(str(error).split())
    except Exception:  # even that may be broken
        said = "and cannot say what"
    return f"raised {type(error).__name__}: {said}"[:2000]


def returned(value: object) -> str:
    """What was returned in place of an array, in words."""
    kind = f" of {value.dtype}" if isinstance(value, np.ndarray) else ""
    return f"returned {type(value).__name__}{kind}, expected a NumPy array of numbers"

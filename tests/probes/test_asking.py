"""How a port behaves when it is asked, and what cannot be asked."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from parity.kinds.probing import Reading
from parity.probes.asking import _Parameter, probe_layer
from parity.results import NOT_PROBED
from tests.probes.formula_ports import case_of, computed, port_of, probed

POOL = case_of("MaxPooling2D")
COUNT = itertools.count()
RNG = np.random.default_rng(1)


def _changes_its_input(x):
    y = computed(POOL, x)
    x += 1
    return y


def _never_the_same(x):
    return computed(POOL, x) + np.float32(next(COUNT))


BEHAVIOURS = {
    "changes its input": (_changes_its_input, "MISBEHAVES", "changes"),
    "other answers": (_never_the_same, "GROSS", "another answer"),
    "float64": (lambda x: computed(POOL, x).astype(float), "INCOMPARABLE", "float64"),
    "another shape": (lambda x: computed(POOL, x)[..., :-1], "INCOMPARABLE", "in shape"),
    "fewer clips": (lambda x: computed(POOL, x)[:1], "INCOMPARABLE", "in shape"),
    "NaN": (lambda x: computed(POOL, x) * np.float32("nan"), "GROSS", "wrong"),
    "no array": (lambda x: [1.0], "NOT COMPARED", "list"),
}


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_behaviour_is_told(name):
    run, verdict, said = BEHAVIOURS[name]
    found = probed(POOL, run).record
    assert found.verdict == verdict and said in found.message


def test_an_error_at_a_batch_of_several_is_told_with_its_size():
    def run(x):
        if len(x) > 1:
            raise MemoryError("one at a time")
        return computed(POOL, x)

    found = probed(POOL, run).record
    assert found.verdict == "GROSS" and "2 at a time" in found.message
    assert "one at a time" in found.message


@pytest.mark.parametrize(("late", "said"), [(2, "asked the same again"), (1, "BLAS threads")])
def test_an_answer_that_is_another_when_asked_once_more_is_told(late, said):
    calls, total = [], np.inf

    def run(x):
        calls.append(1)
        return computed(POOL, x) * np.float32(1 if len(calls) <= total else 2)

    probed(POOL, run)
    total = len(calls) - late  # the first question again comes last but one, then other threads
    calls.clear()
    found = probed(POOL, run).record
    word = "GROSS" if "threads" in said else "MISBEHAVES"
    assert found.verdict == word and said in found.message


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (replace(POOL.kind, probes=None), "no probes are known for MaxPooling2D"),
        (replace(POOL.kind, probes=lambda case, rng: iter(())), "nothing could be asked"),
        (replace(POOL.kind, settings={}), "no such setting"),
    ],
    ids=["no probes", "nothing to ask", "unknown setting"],
)
def test_what_cannot_be_asked_is_not_probed_and_says_why(kind, said):
    case = replace(POOL, kind=kind)
    found = probe_layer(port_of(POOL), case, RNG).record
    assert found.verdict == NOT_PROBED and said in found.message


def test_a_parameter_counts_what_was_read_and_how_well():
    whole = _Parameter("W")
    own, value = np.array([1.0, 2.0, 0.5, 4.0]), np.array([1.0, 2.0 + 2**-23, 0.75, 9.0])
    seen = np.array([True, True, True, False])
    whole.add(Reading("W", ..., value, own, 2.0**-20, seen, to=8.0, hidden="too small"))
    read = whole.record()
    assert (read.count, read.read, read.within, read.equal, read.close) == (4, 3, 2, 1, 2)
    assert read.at == [2] and read.worst_u == 2**23 and read.hidden == "too small"
    assert read.shows_u == 16.0 and read.sha256 is None


def test_a_digest_is_of_what_was_read_exactly():
    own = np.array([1.0, 2.0, 3.0])
    digests = []
    for values, seen in ((own, True), (own, [True, True, False]), ([1.0, 2.0, 4.0], True)):
        whole = _Parameter("W")
        whole.add(Reading("W", ..., np.array(values), own, seen=np.array(seen)))
        digests.append(whole.record().sha256)
    assert None not in digests and len({*digests}) == 3

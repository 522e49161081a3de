"""What is wrong with a layer is named by reading: which weight, which rearrangement, which format."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.fft

from parity.compare import verdict
from parity.compare.measure import allow_transform, measure
from parity.faults.reorderings import by_winograd
from parity.kinds.convolution import convolution, transforms
from parity.kinds.convolution.transforms import TILES, _winograd
from parity.port_api import Answer
from parity.probes.naming import cause_of, place_of, settle, told_by_clips
from parity.probes.proof import Proof
from parity.results import ALLOWED, TRANSFORM, Probed
from tests.probes.formula_ports import case_of, computed, probed, without

CONVOLUTION = case_of("Convolution2D", nb_row=3, border_mode="same")
DENSE = case_of("Dense", activation="linear")


def _up(values):
    values[3, 1, 2, 0] = np.nextafter(values[3, 1, 2, 0], np.float32(np.inf))


def _levels(values):
    step = np.float32(np.abs(values).max() / 15)
    return (np.rint(values / step) * step).astype(np.float32)


CHANGES = {
    "one ulp": (_up, r"^W \(3, 1, 2, 0\) is "),
    "times": (lambda values: values * np.float32(1.25), r"^W times 1.25"),
    "float16": (lambda values: values.astype(np.float16).astype(np.float32), "float16 or TF32"),
    "levels": (_levels, r"^W stored in \d+ levels"),
    "turned": (lambda values: values[:, :, ::-1, ::-1].copy(), "flip|turn"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_weight_is_read_and_named(name):
    change, said = CHANGES[name]
    other = without(CONVOLUTION, "W", change)
    found = probed(CONVOLUTION, lambda x: computed(other, x))
    read = next(each for each in found.record.read if each.name == "W")
    assert read.equal < read.read
    assert re.search(said, str(cause_of(CONVOLUTION, found)))


def test_one_weight_off_by_one_ulp_is_found_wherever_it_is():
    rng, name = np.random.default_rng(4), "W"
    for _ in range(20):
        at = tuple(rng.integers(0, size) for size in DENSE.params[name].shape)

        def up(values, at=at):
            values[at] = np.nextafter(values[at], np.float32(np.inf))

        other = without(DENSE, name, up)
        found = probed(DENSE, lambda x, other=other: computed(other, x))
        assert cause_of(DENSE, found).startswith(f"W {tuple(map(int, at))} is ")


def test_a_row_that_is_scaled_is_placed():
    def run(x):
        y = computed(CONVOLUTION, x)
        y[:, :, 5] *= np.float32(1 + 2**-20)
        return y

    assert place_of(CONVOLUTION, probed(CONVOLUTION, run)).startswith(
        "mel band 5, times 1.00000095"
    )


def test_an_added_checkerboard_shows_where_nothing_is_asked():
    def run(x):
        y = computed(CONVOLUTION, x)
        y[:, 2, ::2, ::2] += np.float32(1.5e-5)
        return y

    found = probed(CONVOLUTION, run)
    assert next(each for each in found.record.asked if each.name == "nothing").wrong > 0
    assert place_of(CONVOLUTION, found).startswith("channel 2, mel band 0, 2, 4")


def test_the_file_itself_has_no_cause():
    assert cause_of(CONVOLUTION, probed(CONVOLUTION)) is None


def by_fft(x):
    """The convolution by float32 transforms of the padded image."""
    W, b = (np.asarray(CONVOLUTION.params[key], np.float32) for key in "Wb")
    pads = [k // 2 for k in W.shape[2:]]
    shape = [n + k - 1 for n, k in zip(x.shape[2:], W.shape[2:], strict=True)]
    image, kernels = scipy.fft.rfft2(x, shape), scipy.fft.rfft2(W, shape)
    y = scipy.fft.irfft2(np.einsum("bcij,kcij->bkij", image, kernels), shape)
    rows, columns = (slice(pad, pad + n) for pad, n in zip(pads, x.shape[2:], strict=True))
    return np.ascontiguousarray(y[:, :, rows, columns]) + b[:, None, None]


def test_a_convolution_by_a_transform_is_told_from_other_weights_and_holds_where_it_is_allowed():
    found = settle(CONVOLUTION, probed(CONVOLUTION, by_fft))
    assert (found.verdict, found.cause) == (TRANSFORM, None)
    proof = Proof("CNN", 0, {"conv1": found})
    assert proof.verdict == "DRIFTS" and not proof.proved
    found.verdict = ALLOWED
    assert proof.verdict == "HOLDS" and proof.proved == {"conv1": ALLOWED}
    other = without(CONVOLUTION, "W", lambda W: W.astype(np.float16).astype(W.dtype))
    stored = settle(CONVOLUTION, probed(CONVOLUTION, lambda x: computed(other, x)))
    assert stored.verdict == "FORMULA(W stored in float16 or TF32)"


@pytest.mark.parametrize(
    ("change", "said"), [(None, "ALLOWED TRANSFORM"), (np.float16, "EXCESS ROUNDING")]
)
def test_on_music_a_transform_has_its_own_bound(change, said):
    x = np.random.default_rng(8).standard_normal((2, *CONVOLUTION.x.shape[1:]), np.float32)
    case = CONVOLUTION.but(x=x)
    answer = by_fft(x) + np.float32(2e-5)  # more than direct sums round off
    if change:
        other = without(CONVOLUTION, "W", lambda W: W.astype(change).astype(W.dtype))
        answer = computed(other, x)
    cell = measure(answer, case.value().astype(np.float32), case.witness)
    assert not verdict.holds(verdict.judge(cell))
    allow_transform(cell, Answer((x,), answer), case)
    assert verdict.judge(cell) == said


# the port's own link has its kernels turned
KERNELS, BIAS = (np.asarray(CONVOLUTION.params[key], np.float32) for key in "Wb")
LINK = SimpleNamespace(
    W=SimpleNamespace(array=KERNELS[..., ::-1, ::-1]), b=SimpleNamespace(array=BIAS)
)


@pytest.mark.parametrize("tile", TILES)
def test_winograds_tiles_stay_within_their_bound_and_are_not_far_below(tile):
    rng = np.random.default_rng(9)
    for _ in range(5):
        x = rng.standard_normal((1, *CONVOLUTION.x.shape[1:]), np.float32)
        answer = by_winograd(tile=tile)({"it": LINK}, "it")["it"](x)
        case = CONVOLUTION.but(x=x)
        room = _winograd(convolution(case), x)
        assert 1e-3 < (np.abs(answer - case.value()) / room).max() < 1
        assert (transforms.room(case, at_most=True) >= room).all()


def test_what_a_fit_ascribes_to_a_weight_is_told_from_a_gain_of_a_unit():
    gru = case_of("GRU", output_dim=5)

    def run(x):
        y = computed(gru, x)
        y[..., 3] *= np.float32(1 + 2**-20)
        return y

    found = probed(gru, run)
    assert found.odd is not None and "is off by" in found.record.message
    said = settle(gru, found)
    assert (said.verdict, said.cause) == ("FORMULA(unnamed)", None)
    assert re.match(r"unit 3, times 1\.00000[0-9]+$", said.place)


def test_a_weight_that_is_fitted_is_named_and_no_gain():
    gru = case_of("GRU", output_dim=5)

    def change(U):
        U[1, 1] *= 1 + 2**-19

    other = without(gru, "U_h", change)
    said = settle(gru, probed(gru, lambda x: computed(other, x)))
    assert said.cause.startswith("U_h (1, 1) is off by")


def test_answers_stored_in_fewer_bits_are_told_from_weights_that_are():
    said = settle(CONVOLUTION, probed(CONVOLUTION, lambda x: _rounded(computed(CONVOLUTION, x))))
    assert said.verdict == "FORMULA(answers stored in bfloat16)"


def _rounded(y):
    """As bfloat16 stores it."""
    return ((y.view(np.uint32) + 0x8000) & 0xFFFF0000).view(np.float32)


def test_what_explains_the_clips_is_the_cause_where_values_are_others():
    for cause, told in (("9 of 9 values of W are others", "bn1 done here already"),
                        ("matrix transposed", "matrix transposed")):  # fmt: skip
        record = Probed(verdict=f"FORMULA({cause})", cause=cause)
        told_by_clips(record, None)
        assert record.cause == cause
        told_by_clips(record, "bn1 done here already")
        assert record.cause == told and record.verdict == f"FORMULA({told})"

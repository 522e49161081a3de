"""Changes of one array: what a port may do to a weight or to its input. Each takes an array and
returns one of its shape.
"""

from collections.abc import Callable

import numpy as np

Change = Callable[[np.ndarray], np.ndarray]


def scaled(factor: float) -> Change:
    return lambda array: array * array.dtype.type(factor)


def shifted(by: float) -> Change:
    return lambda array: array + array.dtype.type(by)


def rolled(by: int, axis: int = 0) -> Change:
    return lambda array: np.roll(array, by, axis)


def flipped(*axes: int) -> Change:
    return lambda array: np.flip(array, axes)


def transposed(one: int, other: int) -> Change:
    return lambda array: array.swapaxes(one, other)


def filled(value: float) -> Change:
    return lambda array: np.full_like(array, value)


def swapped(one: int, other: int, axis: int = 0) -> Change:
    """Two filters, units or clips change places."""

    def change(array):
        order = np.arange(array.shape[axis])
        order[[one, other]] = other, one
        return array.take(order, axis)

    return change


def one_element(at: tuple[int, ...], factor: float) -> Change:
    """The element at index `at` is off by a factor."""

    def change(array):
        array[at] *= array.dtype.type(factor)
        return array

    return change


def ulps(at: tuple[int, ...], count: int = 1) -> Change:
    """The element at index `at` is so many float32 numbers larger."""

    def change(array):
        for _ in range(count):
            array[at] = np.nextafter(array[at], array.dtype.type(np.inf))
        return array

    return change


def moved(at: tuple[int, ...], by: float) -> Change:
    """The element at index `at` is larger by `by`."""

    def change(array):
        array[at] += array.dtype.type(by)
        return array

    return change


def levels(bits: int) -> Change:
    """Whole numbers of so many bits times one scale."""

    def change(array):
        step = (np.abs(array).max() or 1) / (2 ** (bits - 1) - 1)
        return (np.round(array / step) * step).astype(array.dtype)

    return change


def rounded(bits: int) -> Change:
    """Significands of `bits` bits: 11 as in TF32, 8 as in bfloat16; the exponent's range stays."""

    def change(array):
        significand, exponent = np.frexp(array)
        return np.ldexp(np.round(significand * 2**bits) / 2**bits, exponent).astype(array.dtype)

    return change


def half(array: np.ndarray) -> np.ndarray:
    """Stored as float16, with its narrow range of exponents."""
    return array.astype(np.float16).astype(array.dtype)


def late(array: np.ndarray) -> np.ndarray:
    """One time frame late; zeros come in at the start."""
    return np.concatenate([np.zeros_like(array[..., :1]), array[..., :-1]], axis=-1)


def read_transposed(array: np.ndarray) -> np.ndarray:
    """The same bytes with rows read as columns."""
    return array.T.reshape(array.shape)


def to_power(decibels: np.ndarray) -> np.ndarray:
    """The logarithm left out."""
    return (10 ** (decibels / 10)).astype(decibels.dtype)

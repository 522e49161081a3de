"""Changes of one array: what a port may do to a weight or to its input. Each takes an array and
returns one of its shape.
"""

import numpy as np


def scaled(factor):
    return lambda array: array * array.dtype.type(factor)


def shifted(by):
    return lambda array: array + array.dtype.type(by)


def rolled(by, axis=0):
    return lambda array: np.roll(array, by, axis)


def flipped(*axes):
    return lambda array: np.flip(array, axes)


def swapped(one, other):
    """Two filters, units or clips change places."""

    def change(array):
        array[[one, other]] = array[[other, one]]
        return array

    return change


def filled(value):
    return lambda array: np.full_like(array, value)


def read_transposed(array):
    """The same bytes, read with rows for columns."""
    return array.T.reshape(array.shape)


def one_element(at, factor):
    """One element off by a factor; `at` is its index."""

    def change(array):
        array[at] *= array.dtype.type(factor)
        return array

    return change


def rounded(bits):
    """Mantissas of `bits` bits: 11 as TF32 has them, 8 as bfloat16. The exponent's range stays."""

    def change(array):
        mantissa, exponent = np.frexp(array)
        return np.ldexp(np.round(mantissa * 2**bits) / 2**bits, exponent).astype(array.dtype)

    return change


def half(array):
    """Stored as float16, with its few exponents too."""
    return array.astype(np.float16).astype(array.dtype)


def late(array):
    """One time frame later; zeros come in at the start."""
    return np.concatenate([np.zeros_like(array[..., :1]), array[..., :-1]], axis=-1)


def to_power(decibel):
    """Decibels taken back to power: the logarithm left out."""
    return (10 ** (decibel / 10)).astype(decibel.dtype)

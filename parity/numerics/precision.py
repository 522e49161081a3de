"""Number formats narrower than float32, as roundings of float32 arrays."""

import numpy as np

from parity.numerics.rounding import Array

_FRACTION_BITS = 23  # of float32


def to_fraction_bits(array: Array, bits: int, nearest: bool = True) -> Array:
    """float32 rounded to that many fraction bits: to nearest, ties to even, or cut off."""
    drop = _FRACTION_BITS - bits
    raw = np.ascontiguousarray(array, np.float32).view(np.uint32)
    if nearest:
        raw = raw + (((raw >> np.uint32(drop)) & np.uint32(1)) + np.uint32((1 << (drop - 1)) - 1))
    return (raw & np.uint32(0xFFFFFFFF << drop & 0xFFFFFFFF)).view(np.float32)


def to_float16(array: Array) -> Array:
    """float32 by way of float16; beyond its range infinite, as a port would have it."""
    with np.errstate(over="ignore"):
        return np.asarray(array, np.float32).astype(np.float16).astype(np.float32)


FORMATS = {
    "float16": to_float16,
    "bfloat16": lambda array: to_fraction_bits(array, 7),
    "TF32": lambda array: to_fraction_bits(array, 10),
    "TF32, cut off": lambda array: to_fraction_bits(array, 10, nearest=False),
}
STORED = ("float16", "bfloat16")

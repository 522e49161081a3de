"""Number formats narrower than float32, as roundings of float32 arrays."""

import numpy as np

from parity.numerics.rounding import Array

_FRACTION_BITS = 23  # of float32


def to_fraction_bits(array: Array, bits: int, ties: str = "even") -> Array:
    """float32 rounded to that many fraction bits: to nearest with ties to "even" or "away" from
    zero, or "cut" off.
    """
    drop = _FRACTION_BITS - bits
    raw = np.ascontiguousarray(array, np.float32).view(np.uint32)
    half = np.uint32(1 << (drop - 1))
    if ties == "even":
        raw = raw + (((raw >> np.uint32(drop)) & np.uint32(1)) + (half - np.uint32(1)))
    elif ties == "away":
        raw = raw + half
    return (raw & np.uint32(0xFFFFFFFF << drop & 0xFFFFFFFF)).view(np.float32)


def to_float16(array: Array) -> Array:
    """float32 by way of float16; beyond its range infinite, as a port would have it."""
    with np.errstate(over="ignore"):
        return np.asarray(array, np.float32).astype(np.float16).astype(np.float32)


# Of formats that round the numbers at hand alike the first is named first, the others beside it.
FORMATS = {
    "TF32": lambda array: to_fraction_bits(array, 10),
    "TF32, ties away from zero": lambda array: to_fraction_bits(array, 10, "away"),
    "TF32, cut off": lambda array: to_fraction_bits(array, 10, "cut"),
    "float16": to_float16,
    "bfloat16": lambda array: to_fraction_bits(array, 7),
}
STORED = ("float16", "bfloat16")

"""Why a layer gave nothing: formulas that cannot be computed on its shapes, each compared with what
the port said.

A kind's `refusals` name the formulas that meet two sizes here which do not go together. What is
tested is that the port's sentence sets just these two against each other, in the words of a
library; or, of an axis, that it names a shape which only that axis makes.
"""

import re

from parity.kinds.api import LayerCase

SHAPE = re.compile(r"\((\d+(?:, ?\d+)*),?\)")
# How libraries say that two sizes of a product or a convolution do not fit.
CLASHES = tuple(
    map(
        re.compile,
        (
            r"size (\d+) is different from (\d+)",  # NumPy's matmul
            r"(\d+) \(dim \d+\) != (\d+) \(dim \d+\)",  # NumPy's dot
            r"Actual: (\d+) != (\d+)",  # Chainer
            r"shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)",  # PyTorch's matmul
            # PyTorch's convolution
            r"expected input\[[^\]]*\] to have (\d+) channels, but got (\d+) channels",
            r"In\[0\]: \[\d+, ?(\d+)\], In\[1\]: \[(\d+), ?\d+\]",  # TensorFlow
        ),
    )
)


def explaining(case: LayerCase, said: str) -> tuple[list[str], int]:
    """([names of the hypotheses that explain the sentence], how many were tested)."""
    clashes = {frozenset(map(int, found)) for pattern in CLASHES for found in pattern.findall(said)}
    shapes = [tuple(map(int, re.split(", ?", inner))) for inner in SHAPE.findall(said)]
    asked = list(case.kind.refusals(case))
    return [name for name, fits in asked if fits(clashes, shapes)], len(asked)

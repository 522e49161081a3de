"""Why a layer gave nothing: formulas that cannot be computed on its shapes, each held against what
the port said of them.

Tested is that the formula meets two sizes here which do not go together, and that the port's
sentence sets just these two against each other, in the words of a library; or, of an axis, that it
names a shape which only that axis makes.
"""

import math
import re

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


def explaining(subject, said):
    """([names of the hypotheses that explain the sentence], how many were tested)."""
    told = {frozenset(map(int, found)) for pattern in CLASHES for found in pattern.findall(said)}
    shapes = [tuple(map(int, re.split(", ?", inner))) for inner in SHAPE.findall(said)]
    clashes = [clash for make in BY_KIND.get(subject.layer.kind, ()) for clash in make(subject)]
    return [name for name, fits in clashes if fits(told, shapes)], len(clashes)


def _against(one, other):
    return lambda told, shapes: frozenset((one, other)) in told


def _dense_transposed(s):
    inputs, units = s.params["W"].shape
    if inputs != units:
        yield "matrix transposed", _against(inputs, units)


def _kernels_transposed(s):
    filters, channels = s.params["W"].shape[:2]
    if filters != channels:
        yield "input and output channels of the kernels transposed", _against(filters, channels)


def _wrong_axes(s):
    """Along an axis with another size than the parameters': told by a parameter's shape, or by how
    the input was folded.
    """
    features, shape = len(s.params["gamma"]), s.x.shape
    for axis in range(1, len(shape)):
        if shape[axis] != features:
            yield (
                f"along axis {axis}",
                lambda told, shapes, axis=axis: any(
                    _along(one, shape, axis, features) for one in shapes
                ),
            )


def _along(told, shape, axis, features):
    whole = tuple(features if at == axis else 1 for at in range(len(shape)))
    inner = math.prod(shape[axis + 1 :])
    return told == whole or (len(told) == 2 and told[1] == inner > 1 and told[0] <= shape[axis])


BY_KIND = {
    "Dense": (_dense_transposed,),
    "Convolution2D": (_kernels_transposed,),
    "BatchNormalization": (_wrong_axes,),
}

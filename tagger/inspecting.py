"""What a weight file holds, in lines."""

from collections.abc import Iterator

import numpy as np

from parity.port.files import FilePath, sha256_of
from parity.port.sentences import shown
from parity.port.weights import (
    PROVENANCE,
    WeightsError,
    digest_of,
    keras_arrays,
    read_any,
    read_unnamed,
)
from tagger.provenance import STAND_INS, provenance_of

OF_ITSELF = "as the file says"
BY_DEFAULT = "that of the published weights of {}: the file names none"


def inspect(path: FilePath) -> Iterator[str]:
    """Lines: file, sha256, provenance, model, Keras release, and each parameter with dtype, shape
    and range.

    Where the file fits no model, what is in it all the same; then raises WeightsError, which says
    why it fits none.
    """
    arrays, said = read_any(path), provenance_of(path)
    yield f"file         {shown(path)}"
    yield f"sha256       {sha256_of(path)}"
    yield from (f"provenance   {shown(key)}: {shown(value)}" for key, value in said.items())
    try:
        tagger = read_unnamed(path)
    except WeightsError:
        yield from (_line(name, array) for name, array in arrays.items() if name != PROVENANCE)
        raise
    stand_ins = ": stand-ins, which mean nothing" if digest_of(tagger) in STAND_INS.values() else ""
    source = OF_ITSELF if said else BY_DEFAULT.format(tagger.model)
    yield f"model        {tagger.model}, {len(tagger.tags)} tags{stand_ins}"
    yield (
        f"Keras        {tagger.keras}: running_std holds a {tagger.bn_0_freq.dialect.stored} "
        f"(the release is {source})"
    )
    yield from (_line(name, array) for name, array in keras_arrays(tagger).items())


def _line(name, array):
    shape = "x".join(map(str, array.shape))
    numbers = (
        f"{array.min():.6g} .. {array.max():.6g}"
        if array.size and np.issubdtype(array.dtype, np.number)
        else ""
    )
    return f"{shown(name):<40} {array.dtype} {shape:<14} {numbers}".rstrip()

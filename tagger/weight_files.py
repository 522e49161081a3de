"""Weight files: where they are, where their numbers come from, converting and inspecting them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from parity import untrusted
from parity.errors import visible
from parity.files import FilePath, publish, sha256_of
from parity.fixtures import store
from parity.port.architectures import architecture_of

if TYPE_CHECKING:
    from parity.port.network import Network

# digest_of the seeded stand-ins (fixtures/seeded.py), which are known by what they hold, whatever
# file they are in.
STAND_INS = {
    "CRNN": "e70e6f5bc1640df0bdc768dc67ae8c6a83d9af4c87f305bb68dfa3af5cdbdb22",
    "CRNN50": "4dad4b95d524a02c5a701478b5e34165e88c712983c9688ea11bb5798d1025cc",
    "CNN0": "04bfd458d99b6298f2e24a5e38d105eaca06902fa3996e0527d8cac1862db8bf",
    "CNN": "dcb61cbc756a45c98938c65026e5c94accb0d235d655f8ae2971c6432529b492",
}
MEANINGLESS = "meaningless"  # key of a provenance that comes from stand-ins


class NotFound(ValueError):
    """A file that is in none of the known places: one sentence with the ways to get it."""


def weights_of(model: str, engine: str | None = None) -> Path:
    """Path of the published weights of `model`, below PARITY_DATA or in the cache.

    An npz of the same name that was converted from them comes first, also where the HDF5 is gone;
    for the engine "onnx" an ONNX file of the same name is looked for. Raises ValueError for an
    unknown model, NotFound where the weights are nowhere.
    """
    architecture_of(model)
    if engine == "onnx":
        from tagger.onnx_model import onnx_of

        return onnx_of(model)
    for folder in store.folders():
        hdf5 = folder / store.WEIGHTS[model]
        npz, there = hdf5.with_suffix(".npz"), hdf5.is_file()
        if npz.is_file() and (
            not there or provenance_of(npz).get("source_sha256") == sha256_of(hdf5)
        ):
            return npz
        if there:
            return hdf5
    raise NotFound(
        f"no weights of {model} are here; run make fixtures, set {store.DATA_VARIABLE} to a folder "
        f"with {store.WEIGHTS[model]}, give --weights FILE, or try the program on stand-ins with "
        "--seeded"
    )


def provenance_of(path: FilePath) -> dict:
    """What an npz of this port says of itself; {} for any other file."""
    from parity.port.weights import PROVENANCE

    try:
        said = untrusted.json_of(str(untrusted.npz(path)[PROVENANCE][()]))
    except (OSError, KeyError):
        return {}
    return said if isinstance(said, dict) else {}


def is_meaningless(network: "Network", path: FilePath) -> bool:
    """Whether `network`, read from `path`, holds stand-ins or was trained from them."""
    from parity.port.weights import digest_of

    return digest_of(network) in STAND_INS.values() or bool(provenance_of(path).get(MEANINGLESS))


def remarks_on(network: "Network", path: FilePath) -> tuple[str, ...]:
    """What should be known of `network`, read from `path`: a sentence each."""
    conflict = store.CONFLICTS.get(network.model)
    return (
        *network.remarks,
        *([conflict] if conflict and not is_meaningless(network, path) else ()),
    )


def inherited(network: "Network", source: FilePath) -> dict:
    """The provenance of weights made from `network`, which was read from `source`."""
    origin = {"earlier": provenance_of(source), MEANINGLESS: is_meaningless(network, source)}
    return {key: said for key, said in origin.items() if said}


def convert(
    source: FilePath, target: FilePath, model: str | None = None, keras: str | None = None
) -> "Network":
    """Keras HDF5, npz or published .model `source` -> npz `target`, which names its source.

    model : recognised where it is None. Raises parity.port.weights.WeightsError.
    """
    from parity.port.weights import load, npz_bytes

    network = load(model, source, keras)
    origin = {"source": Path(source).name, "source_sha256": sha256_of(source)}
    archive = npz_bytes(network, **origin, **inherited(network, source))
    publish({target: archive}, kind=".npz", inputs=[source])
    return network


def inspect(path: FilePath) -> Iterator[str]:
    """Lines on a weight file: provenance, model, Keras release, each parameter's shape and range.

    Where the file fits no model, its arrays; then raises WeightsError, which says why.
    """
    from parity.port.weights import (
        PROVENANCE,
        WeightsError,
        digest_of,
        keras_arrays,
        load,
        read_any,
    )

    arrays, said = read_any(path), provenance_of(path)
    yield f"file         {visible(path)}"
    yield f"sha256       {sha256_of(path)}"
    yield from (f"provenance   {visible(key)}: {visible(value)}" for key, value in said.items())
    try:
        network = load(None, path)
    except WeightsError:
        yield from (_line(name, array) for name, array in arrays.items() if name != PROVENANCE)
        raise
    arrays = keras_arrays(network)
    *_, last = arrays.values()
    stand_ins = ": stand-ins, which mean nothing" * (digest_of(network) in STAND_INS.values())
    yield f"model        {network.model}, {last.size} tags{stand_ins}"
    yield f"Keras        {network.release}: running_std holds a {network.bn_0_freq.dialect.stored}"
    yield from (f"remark       {visible(remark)}" for remark in remarks_on(network, path))
    yield from (_line(name, array) for name, array in arrays.items())


def _line(name: str, array: np.ndarray) -> str:
    has_range = array.size and np.issubdtype(array.dtype, np.number)
    numbers = f"{array.min():.6g} .. {array.max():.6g}" if has_range else ""
    shape = "x".join(map(str, array.shape))
    return f"{visible(name):<40} {array.dtype} {shape:<14} {numbers}".rstrip()

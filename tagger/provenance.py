"""Where the numbers of a weight file come from, as far as it says, and whether they mean
anything.
"""

import json
import zipfile
from pathlib import Path

import numpy as np

from parity.port.files import FilePath, sha256_of
from parity.port.models import Tagger
from parity.port.weights import PROVENANCE, digest_of, read_unnamed, save_npz

# parity.port.weights.digest_of the project's seeded stand-ins (fixtures/seeded.py): known by what
# they hold, whatever file it is in.
STAND_INS = {
    "CRNN": "e70e6f5bc1640df0bdc768dc67ae8c6a83d9af4c87f305bb68dfa3af5cdbdb22",
    "CRNN50": "4dad4b95d524a02c5a701478b5e34165e88c712983c9688ea11bb5798d1025cc",
    "CNN0": "04bfd458d99b6298f2e24a5e38d105eaca06902fa3996e0527d8cac1862db8bf",
    "CNN": "dcb61cbc756a45c98938c65026e5c94accb0d235d655f8ae2971c6432529b492",
}
MEANINGLESS = (
    "meaningless"  # the key under which a file's provenance says that it comes from stand-ins
)


def provenance_of(path: FilePath) -> dict:
    """What an npz of this port says of itself (parity.port.weights.save_npz); {} for any other
    file.
    """
    try:
        with np.load(path, allow_pickle=False) as members:
            said = json.loads(str(members[PROVENANCE][()]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
        return {}
    return said if isinstance(said, dict) else {}


def is_meaningless(tagger: Tagger, path: FilePath) -> bool:
    """Whether `tagger`, read from `path`, holds stand-ins, or was trained from them."""
    return digest_of(tagger) in STAND_INS.values() or bool(provenance_of(path).get(MEANINGLESS))


def convert(source: FilePath, target: FilePath, model: str | None = None) -> Tagger:
    """Keras HDF5, npz or published .model `source` -> npz `target`; returns the Tagger. `model` is
    recognised where it is not given.

    The provenance names the source with its sha256, and holds what the source's own said under
    `earlier`. Raises parity.port.weights.WeightsError.
    """
    tagger = read_unnamed(source, model)
    save_npz(
        target,
        tagger,
        source=Path(source).name,
        source_sha256=sha256_of(source),
        **inherited(tagger, source),
    )
    return tagger


def inherited(tagger: Tagger, source: FilePath) -> dict:
    """What the provenance of weights made from `tagger`, as it was read from `source`, has to say
    of that.
    """
    earlier, meaningless = provenance_of(source), is_meaningless(tagger, source)
    return {key: said for key, said in (("earlier", earlier), (MEANINGLESS, meaningless)) if said}

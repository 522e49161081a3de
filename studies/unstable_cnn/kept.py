"""What an investigation has already found out, kept in the cache folder by everything that it
depends on.
"""

import json

from parity.document import to_json
from parity.files import atomic_write, sha256_of
from parity.fixtures import store
from parity.model import MODELS
from parity.recording import recorder as recorders
from parity.recording.cache import default_folder, key_of
from parity.recording.trace import array_sha256
from parity.studies.unstable_cnn.calls import COLLECTIONS_MODEL
from parity.studies.unstable_cnn.sources import digests, versions


def recalled(what, depends_on, make, module, lasting=lambda found: True):
    """The JSON value kept for `what` and `depends_on` (plain values); made by `make()` where there
    is none, and kept if `lasting`.

    module: the name of the one that makes it. An edit of a file that it imports, directly or not,
    makes the value anew; an edit of any other file leaves it.
    """
    key = key_of(
        {
            "what": what,
            "depends_on": depends_on,
            "code": digests(module),
            "versions": versions(),
            "program": program(),
        }
    )
    path = default_folder() / "investigations" / f"{what}.{key}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        pass  # missing or damaged: all in it can be had again
    found = json.loads(to_json(make()))
    if lasting(found):
        atomic_write(path, to_json(found))
    return found


def program():
    """{file: sha256} of everything under reference/."""
    files = [*recorders.RECORDER.rglob("*.py"), recorders.RECORDER / "keras.json"]
    return {str(path.relative_to(recorders.RECORDER)): sha256_of(path) for path in sorted(files)}


def of_subject(subject):
    """What tells one subject from another: weights, clips and audio, by their digests and in their
    order, and what ran the original.
    """
    return {
        "models": [[name, case.weights.sha256, case.data] for name, case in subject.cases.items()],
        "clips": [[name, array_sha256(clip)] for name, clip in subject.clips.items()],
        "collection": _collection(),
        "audio": [[name, sha256_of(path)] for name, path in subject.audio.items()],
        "optimizers": sorted(subject.optimizers.items()),
    }


def _collection():
    """The digest of CRNN's weight file, which gives another collection's scale to all models, or
    None where it is not at hand.
    """
    path = store.find(MODELS[COLLECTIONS_MODEL].weights)
    return path and sha256_of(path)

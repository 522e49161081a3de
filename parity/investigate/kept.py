"""What an investigation has already found out, kept in the cache folder by everything that it depends on."""

import json

from parity import recorders
from parity.cache import default_folder, key_of
from parity.document import to_json
from parity.faults.kept import code_digest
from parity.files import atomic_write, sha256_of
from parity.trace import array_sha256


def recalled(what, depends_on, make):
    """The JSON value kept for `what` and `depends_on` (plain values); made by `make()`, and kept at once, where there is none."""
    key = key_of({"what": what, "depends_on": depends_on, "code": code_digest(), "program": program()})
    path = default_folder() / "investigations" / f"{key}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        pass  # missing or damaged: all in it can be had again
    found = to_json(make())
    atomic_write(path, found)
    return json.loads(found)


def program():
    """{file: sha256} of everything under reference/."""
    files = [*recorders.RECORDER.rglob("*.py"), recorders.RECORDER / "keras.json"]
    return {str(path.relative_to(recorders.RECORDER)): sha256_of(path) for path in sorted(files)}


def of_subject(subject):
    """What tells one subject from another: weights, clips and audio, by their digests."""
    return {"models": {name: [sha256_of(case.weights), case.data] for name, case in subject.cases.items()},
            "clips": {name: array_sha256(clip) for name, clip in subject.clips.items()},
            "audio": {name: sha256_of(path) for name, path in subject.audio.items()}}

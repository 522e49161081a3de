"""Where a file came from, by its sha256, and the command that makes each file anew."""

import json
from functools import cache

from parity import room
from parity.reports.companions import COMPANIONS
from parity.reports.document import PARITY

MANIFEST = room("fixtures") / "manifest.json"  # the published files: path, sha256, source, licence

# (what, the command that makes it)
MADE_BY = (
    ("published weights and clips", "make fixtures"),
    ("seeded stand-ins", "python -m fixtures seeded FOLDER"),
    ("recorded originals", "python -m parity record"),
    ("parity.json, parity.csv, junit.xml, parity.html", PARITY.command),
    *((kind.file, kind.command) for kind, _ in COMPANIONS.values()),
    ("this page from what lies beside it", "python -m parity report"),
)


def origin(sha256, data):
    """Where the file of that sha256 was published, under which licence; what is known of it
    otherwise. data: real or seeded.
    """
    known = _published().get(sha256)
    if not known:
        return (
            "made from a fixed seed"
            if data == "seeded"
            else "given to this run; none of the published files"
        )
    entry, source = known
    address = (
        f"{source['owner']}/{source['repo']} at {source['commit'][:12]}, {entry['source_path']}"
    )
    return f"github.com/{address}; licence: {entry['licence']}"


def clips(document):
    """(name, sha256, origin) of each clip of any model, once."""
    heard = {
        (clip["name"], clip["sha256"]): model["data"]
        for model in document["models"]
        for clip in model["clips"]
    }
    return [(name, digest, origin(digest, data)) for (name, digest), data in heard.items()]


@cache
def _published():
    """{sha256: (file's entry, its source)}; empty where the manifest is not beside this package."""
    if not MANIFEST.is_file():
        return {}
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return {
        entry["sha256"]: (entry, manifest["sources"][entry["source"]])
        for entry in manifest["files"].values()
    }

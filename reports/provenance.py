"""Where a file came from, by its sha256, and the command that makes each file anew."""

import json
from functools import cache

from parity import room
from parity.reports import Record

MANIFEST = room("fixtures") / "manifest.json"  # the published files: path, sha256, source, licence


def origin(sha256: str, data: str) -> str:
    """Where the file of that sha256 was published, and its licence; data: real or seeded."""
    made = "made from a fixed seed"
    given = "given to this run; none of the published files"
    return _published().get(sha256) or (made if data == "seeded" else given)


def clips(document: Record) -> list[tuple[str, str, str]]:
    """(name, sha256, origin) of each clip of any model, once."""
    heard = {
        (clip["name"], clip["sha256"]): model["data"]
        for model in document["models"]
        for clip in model["clips"]
    }
    return [(name, digest, origin(digest, data)) for (name, digest), data in heard.items()]


@cache
def _published() -> dict[str, str]:
    """{sha256: source and licence}; empty where the manifest is not beside this package."""
    if not MANIFEST.is_file():
        return {}
    manifest, found = json.loads(MANIFEST.read_text(encoding="utf-8")), {}
    for entry in manifest["files"].values():
        source = manifest["sources"][entry["source"]]
        address = f"github.com/{source['owner']}/{source['repo']} at {source['commit'][:12]}"
        found[entry["sha256"]] = f"{address}, {entry['source_path']}; licence: {entry['licence']}"
    return found

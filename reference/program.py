"""What every program of this folder does alike: `python -m reference.NAME JOB.json OUT`.

One JSON object per line on stdout: {"stage": ...}, or {"error": sentence}. Exit codes: 0 written, 2
refused.
"""

import hashlib
import json
import sys
from pathlib import Path

from reference.refused import Refused

SOURCES = Path(__file__).parent


def say(**line):
    print(json.dumps(line), flush=True)


def main(run, doc, arguments):
    """Call `run` with the job and the output's path, as `arguments` = [JOB.json, OUT] name them;
    returns the exit code.
    """
    if len(arguments) != 2:
        print(doc, file=sys.stderr)
        return 2
    try:
        run(json.loads(Path(arguments[0]).read_text()), arguments[1])
    except Refused as refusal:
        say(error=str(refusal))
        return 2
    return 0


def check(observed, expected):
    """Raise Refused, naming every difference, unless what runs is what was asked for."""
    wrong = [
        f"{name} is {observed.get(name)!r}, asked for {value!r}"
        for name, value in expected.items()
        if observed.get(name) != value
    ]
    if wrong:
        raise Refused(
            f"what runs is not what was asked for: {'; '.join(wrong)}; delete its environment, "
            f"{sys.prefix}, and the next run builds it again"
        )


def sources_sha256(folder=SOURCES):
    """sha256, hex, over the recorder's own files, so that a trace is never taken for one of a
    changed recorder.
    """
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.py"), folder / "keras.json"]):
        digest.update(f"{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()

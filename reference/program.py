"""What every program of this folder does alike: `python -m reference.NAME JOB.json OUT`.

One JSON object per line on stdout: {"stage": ...}, or {"error": sentence}. Exit codes: 0 written, 2
refused.
"""

import json
import sys
from pathlib import Path

from reference.refused import Refused


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

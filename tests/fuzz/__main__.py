"""`make fuzz MINUTES=30`: other cases each time, surface after surface, until the time is over.

Prints how many cases of each were refused or read, and every case that was neither; exit code 1
where there is one.
"""

import json
import random
import subprocess
import sys
import time
import traceback
from collections import Counter
from types import SimpleNamespace

from tests.fuzz.running import LONGEST_S, cases_of, fuzz
from tests.fuzz.surfaces import SURFACES

BATCH = {"ports": 20, "commands": 40}  # cases a process tries; others try 300
BATCH_S = 600
NOTHING = SimpleNamespace(stderr="")


def main(minutes):
    until_s, found, faults = time.monotonic() + 60 * minutes, {}, []
    while time.monotonic() < until_s:
        for name in SURFACES:
            seed = random.SystemRandom().randrange(2**32)
            command = [sys.executable, "-m", "tests.fuzz", "--batch", name, str(seed)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=BATCH_S)
                *said, last = done.stdout.splitlines() or [""]
                ends, code = Counter(json.loads(last or "{}")), done.returncode
            except subprocess.TimeoutExpired:
                said, ends, code, done = [f"no end within {BATCH_S} s"], Counter(), -1, NOTHING
            found.setdefault(name, Counter()).update(ends)
            if code:
                faults.append(
                    f"{name}, seed {seed}, ended with {code}\n"
                    + "\n".join(said[-40:])
                    + done.stderr[-2000:]
                )
                print(faults[-1], flush=True)
            if time.monotonic() > until_s:
                break
    for name, ends in found.items():
        print(f"{name}: {ends.total()} cases, {ends['refused']} refused, {ends['read']} read")
    total = sum(ends.total() for ends in found.values())
    print(f"{total} cases in {minutes:g} minutes, {len(faults)} faults; longest {LONGEST_S} s")
    return 1 if faults else 0


def batch(name, seed):
    """One process' share: prints what came of it, and exits with 1 where a case is a fault."""
    try:
        print(json.dumps(fuzz(SURFACES[name], cases_of(BATCH.get(name, 300), seed))))
    except BaseException:
        print(ascii(traceback.format_exc()).replace("\\n", "\n"))
        print("{}")
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "--batch":
        sys.exit(batch(sys.argv[2], int(sys.argv[3])))
    sys.exit(main(float(sys.argv[2])))

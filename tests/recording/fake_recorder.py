"""Stands in for `python -m reference.record`: writes a small trace, or misbehaves as its first
argument says.

usage: fake_recorder.py MODE NOTES JOB.json OUT.h5; every start appends its process id to
NOTES/started.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from reference.trace_file import Layer, write_trace

mode, notes, job, out = (
    sys.argv[1],
    Path(sys.argv[2]),
    json.loads(Path(sys.argv[3]).read_text()),
    sys.argv[4],
)


def note(name, text):
    with open(notes / name, "a") as stream:
        stream.write(text)


def say(**line):
    print(json.dumps(line), flush=True)


def trace(**changed):
    provenance = {
        "model": job["model"],
        "lane": job["lane"],
        "batch_size": 1,
        "theano_flags": "none",
        **job["expect"],
        **changed,
    }
    write_trace(
        out, [Layer("input_1", "InputLayer", {}, [], np.load(job["input"]), None)], provenance
    )


def compile_slowly(trace_now=True):
    """Note when this recorder compiles, so that a test can see whether two did at once."""
    say(stage="import")
    note(job["lane"] + ".compiling", "in ")
    time.sleep(0.3)
    note(job["lane"] + ".compiling", "out ")
    say(stage="run")
    if trace_now:
        trace()


def wait_for_the_next_to_compile():
    """Compile, then run only when another has begun to compile, which it cannot if this one keeps
    the lock while it runs.
    """
    compile_slowly(trace_now=False)
    deadline_s = time.monotonic() + 10
    while (notes / "noise.compiling").read_text().count("in") < 3:
        if time.monotonic() > deadline_s:
            sys.exit("the others were kept out")
        time.sleep(0.02)
    trace()


def hang_with_a_child():
    child = subprocess.Popen(["sleep", "20"])
    note("started", f"{child.pid}\n")
    time.sleep(20)


def die():
    print("first line of the log\nSegmentation fault, said Theano", file=sys.stderr, flush=True)
    sys.exit(3)


def fill_the_disk():
    Path("/dev/full").write_text("x" * 99999)


def half_a_trace():
    trace()
    Path(out).write_bytes(Path(out).read_bytes()[:-500])


def tell_the_environment():
    settings = json.loads((Path.home() / ".keras" / "keras.json").read_text())
    note(
        "environment",
        json.dumps(
            {"environ": dict(os.environ), "keras": settings, "cwd": os.getcwd(), "job": job}
        ),
    )
    trace()


def chat():
    print("Using Theano backend.\n\n[1]\n7\n{not json", flush=True)
    say(stage="run")
    trace()


def die_in_one_lane_hang_in_the_others():
    time.sleep(0.5)
    die() if job["lane"] == "noise" else hang_with_a_child()


MODES = {
    "write": trace,
    "chat": chat,
    "compile": compile_slowly,
    "overlap": wait_for_the_next_to_compile,
    "die": die,
    "full": fill_the_disk,
    "hang": hang_with_a_child,
    "crash": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "refuse": lambda: (say(error="w.h5: conv1_W holds NaN; take another"), sys.exit(2)),
    "other keras": lambda: trace(keras="1.1.0"),
    "nothing": lambda: None,
    "half": half_a_trace,
    "environment": tell_the_environment,
    "one dies": die_in_one_lane_hang_in_the_others,
    "time": lambda: say(timings={"predict": {"cpu_s": 2.0}}),
}

note("started", f"{os.getpid()}\n")
MODES[mode]()

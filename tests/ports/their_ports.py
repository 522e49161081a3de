"""Ports as people write them, and as nobody should, for `--port their_ports:NAME`."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def double(x):
    return 2 * x


def last(x):
    return 1 / (1 + np.exp(-x))


last.logits = lambda x: x


def steps(model, weights, keras):
    return {"double": double, "last": last}


def told(model, weights, keras):
    """What it is called with is in the names of its layers."""
    return {f"{model} {weights} {keras}": double}


class Own:
    """A Port of its own class."""

    name, versions, layers = "own", {"torch": "2.0"}, ("double",)

    def __init__(self, by=2):
        self.by = by

    def run(self, layer, *inputs):
        return self.by * sum(inputs)

    def __call__(self, x):
        return x + self.by

    def logits(self, x):
        return None

    def describe(self):
        return {"double": {"by": self.by, "pad": (1, 1), "np": np.float32(0.5)}}

    def inside(self, layer, x, before=None):
        return {"x": x, "before": x if before is None else before}

    def with_weights(self, layer, changes):
        return Own(changes["by"])


def own(*_):
    return Own()


class WeightsError(ValueError):
    pass


def refuses(*_):
    raise WeightsError("conv1 has 3 filters")


def broken(*_):
    return {}["conv1"]


def empty(*_):
    return {}


def nothing(*_):
    return None


def leaves(*_):
    sys.exit(0)


# --- how a layer may end its process, or try to answer in another way ---


def _exit(x):
    sys.exit(0)


def _os_exit(x):
    os._exit(0)


def _interrupt(x):
    raise KeyboardInterrupt


def _kill(x):
    os.kill(os.getpid(), signal.SIGKILL)


def _segfault(x):
    import ctypes

    ctypes.string_at(0)


def _become_its_child(x):
    if os.fork():
        os._exit(0)
    time.sleep(60)
    return 2 * x


def _hang(x):
    time.sleep(600)


def _hang_with_sigterm_ignored(x):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pass


def _close_everything(x):
    os.closerange(0, 256)
    return 2 * x


def _write_everywhere(x):
    for fd in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(fd, b"\0\0\0\2{}")
    return 2 * x


def _exit_from_a_thread(x):
    thread = threading.Thread(target=os._exit, args=(0,))
    thread.start()
    thread.join()
    return 2 * x


ENDS = {
    "exit": (_exit, "raised SystemExit: 0"),
    "os_exit": (_os_exit, r"ended its process \(exit code 0\)"),
    "interrupt": (_interrupt, "raised KeyboardInterrupt"),
    "kill": (_kill, "was killed by SIGKILL"),
    "segfault": (_segfault, "was killed by SIGSEGV"),
    "become_its_child": (_become_its_child, r"ended its process \(exit code 0\)"),
    "hang": (_hang, r"did not answer within 2 s"),
    "spin": (_hang_with_sigterm_ignored, r"did not answer within 2 s"),
    "close_everything": (_close_everything, "closed|ended its process|was killed"),
    "write_everywhere": (_write_everywhere, "wrote into the harness's own channel"),
    "thread": (_exit_from_a_thread, r"ended its process \(exit code 0\)"),
}


def ends(*_):
    return {name: step for name, (step, _) in ENDS.items()}


# --- harmless: what a layer may do beside a right answer ---


def _prints(x):
    print("layer called\x1b[31m")
    print("\n".join(["noise"] * 100), file=sys.stderr)
    os.write(1, b"straight to the descriptor\n")
    return 2 * x


def _closes_stdout(x):
    sys.stdout.close()
    os.closerange(0, 3)
    return 2 * x


def _forks(x):
    os.fork()
    return 2 * x


def _starts_a_program(x):
    subprocess.Popen(["sleep", "60"])
    return 2 * x


def _threads(x):
    threading.Thread(target=time.sleep, args=(60,)).start()
    return 2 * x


HARMLESS = {
    "prints": _prints,
    "closes_stdout": _closes_stdout,
    "forks": _forks,
    "threads": _threads,
    "starts_a_program": _starts_a_program,
}


def harmless(*_):
    return HARMLESS


# --- habits ---

BUFFER = np.empty_like(X)


def _in_place(x):
    x *= 2
    return x


def _scratch(x):
    np.multiply(x, 2, out=BUFFER)
    return BUFFER


def _scratch_view(x):
    np.multiply(x, 2, out=BUFFER)
    return BUFFER[:]


def _fortran(x):
    return np.asfortranarray(2 * x)


def _same(x):
    return x


HABITS = {
    "in_place": (_in_place, {"changes-input"}),
    "scratch": (_scratch, {"same-buffer"}),
    "scratch_view": (_scratch_view, {"same-buffer"}),
    "fortran": (_fortran, {"not-c-order"}),
    "same": (_same, set()),
    "double": (double, set()),
}


def habits(*_):
    return {name: step for name, (step, _) in HABITS.items()}


# --- no arrays ---

NO_ARRAYS = {
    "list": (lambda x: x.tolist(), "returned list, expected a NumPy array"),
    "none": (lambda x: None, "returned NoneType, expected a NumPy array"),
    "masked": (np.ma.masked_array, "returned MaskedArray of float32, expected a NumPy array"),
    "objects": (lambda x: x.astype(object), "returned ndarray of object, expected a NumPy array"),
    "scalar": (lambda x: x[0, 0], "returned float32, expected a NumPy array"),
    "more": (lambda x, training: x, "raised TypeError: .*missing 1 required positional argument"),
    "raises": (lambda x: {}["conv1"], "raised KeyError: 'conv1'"),
}


def no_arrays(*_):
    return {name: step for name, (step, _) in NO_ARRAYS.items()}


def sees(*_):
    """What it can see of the harness is in the names of its layers."""
    found = [f"fd {os.readlink(f'/proc/self/fd/{fd}')}" for fd in range(3, 64)
             if os.path.exists(f"/proc/self/fd/{fd}") or os.path.islink(f"/proc/self/fd/{fd}")]  # fmt: skip
    found += [f"env {key}" for key in os.environ if key.startswith("PARITY")]
    return dict.fromkeys(["nothing else", *found], double)

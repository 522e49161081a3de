"""A job that costs nothing, for other processes to import."""

import os
import signal
import time
from dataclasses import dataclass

from parity.errors import CannotRun


class Opened:
    """What a job opens, and closes."""

    def __init__(self, toy):
        self.toy = toy

    def __call__(self, keys):
        return self.toy.rows(keys)

    def close(self):
        if self.toy.log:
            with open(self.toy.log, "a") as stream:
                stream.write(f"{-os.getpid()}\n")


@dataclass(frozen=True)
class Toy:
    """Rows of a key: its length by `factor`, and the process. A key may kill or wait."""

    factor: int = 1
    packages: tuple = ("numpy",)
    log: str = ""

    @property
    def setting(self):
        return {"factor": self.factor}

    def open(self):
        if self.factor < 0:
            raise CannotRun("the weights are others there")
        if self.log:
            with open(self.log, "a") as stream:
                stream.write(f"{os.getpid()}\n")
        return Opened(self)

    def rows(self, keys):
        for key in keys:
            if key.startswith("kill"):
                os.kill(os.getpid(), signal.SIGKILL)
            if key.startswith("wait"):
                time.sleep(0.5)
        return {key: [{"key": key, "length": self.factor * len(key)}] for key in keys}

    def failed(self, key, why):
        return [{"key": key, "error": why}]

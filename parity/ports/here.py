"""A port that stands in this process, asked as one in a process of its own is."""

from typing import Any, NoReturn

import numpy as np

from parity.port_api import Ended, Raised, is_array
from parity.ports.child import Served


class Here:
    """Answers as a port's Process does. Its port is trusted code: it could reach what judges it."""

    who = "the port"

    def __init__(self, given: Any) -> None:
        self.served, self.forgotten = Served(), list[int]()
        self.served.make = lambda *_: given

    def ask(self, doing: str, asked: str, **arguments: Any) -> Any:
        """As Process.ask; arrays are copied, as they are on their way to another process."""
        for number in self.forgotten:
            self.served.ports[number] = None
        self.forgotten.clear()
        ((how, what),) = self.served.answer(asked, arguments).items()
        if how == "leaves":
            raise Ended(f"{self.who} ended the program while {doing} ({what})")
        if how != "gives":
            raise Raised(what, how == "refuses", f"{self.who}: while {doing}, it")
        return _copied(what)

    def damaged(self, doing: str) -> NoReturn:
        """As of Process."""
        raise Ended(f"{self.who} gave a damaged answer while {doing}")

    def said(self) -> str:
        """Nothing: what it prints stands on the screen."""
        return ""


def _copied(value: Any) -> Any:
    if is_array(value):
        return np.array(value)
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value

"""Sentences on one line, whatever the names in them hold; and the nearest of the names that there
are.
"""

import difflib
from collections.abc import Iterable


def shown(path: object) -> str:
    """A path as text without line breaks, control characters or undecodable bytes; those are
    written as escapes.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(path))


def nearest(name: object, names: Iterable[str]) -> str:
    """The one of `names` that looks most like `name`, in whatever case."""
    by_lower = {known.lower(): known for known in names}
    return by_lower[difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0)[0]]


def one_of(option: str, value: object, known: Iterable[str]) -> None:
    """Raise ValueError, in one sentence, where the `value` of an option is none of the `known`
    names.
    """
    if value not in known:
        raise ValueError(
            f"{option} is {value!r}, which there is not; did you mean "
            f"{nearest(value, known)}? There are {', '.join(known)}"
        )

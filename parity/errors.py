"""What stops a run, said in one sentence, and text that no reader obeys."""

import unicodedata

# Cc control, Cs lone surrogate, Co/Cn unassigned, Zl/Zp line separators; the bidirectional controls
# are of class Cf.
HIDDEN = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
BIDIRECTIONAL = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class CannotRun(Exception):
    """The run cannot go on; the message says what, where and what to do. The command line
    exits 2.
    """


def visible(text: object, keep: str = "") -> str:
    """`text` with control characters, lone surrogates and direction overrides as `\\x1b`."""
    return "".join(
        c
        if c in keep or not (c in BIDIRECTIONAL or unicodedata.category(c) in HIDDEN)
        else ascii(c)[1:-1]
        for c in str(text)
    )

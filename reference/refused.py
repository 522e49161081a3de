"""Why a recording cannot be made, in one sentence."""


class Refused(Exception):
    """Bad input or a wrong stack: what, where and what to do."""

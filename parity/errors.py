"""What stops a run: bad input or a missing tool, said in one sentence."""


class CannotRun(Exception):
    """The run cannot go on; the message says what, where and what to do. The command line
    exits 2.
    """

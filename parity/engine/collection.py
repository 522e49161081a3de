"""A whole collection: what is left of it is worked on, part by part, with the rate and the time
that is left.
"""

from collections.abc import Sequence

from parity.engine.cluster import Place
from parity.engine.job import Job
from parity.engine.parts import Parts, cut
from parity.errors import CannotRun
from parity.program import say
from parity.progress import counted

__all__ = ["collect"]


def collect(job: Job, keys: Sequence[str], kept: Parts, where: Place, size: int, unit: str) -> None:
    """Work on every key that is not in `kept` yet, partitions of `size` keys at a time.

    Parameters
    ----------
    job : Job
    keys : sequence of str
    kept : Parts
        What was done before, and where the rows go.
    where : Place
    size : int
        Keys in a partition.
    unit : str
        What a key is, in the plural.

    Raises
    ------
    CannotRun
        Where it stops; what was done is kept and not done again.
    """
    partitions, many = cut(keys, kept.places, size), len(set(keys))
    if not partitions:
        return
    done = many - sum(map(len, partitions))
    if done:
        say(f"{done} of {many} {unit} are done already", err=True)
    try:
        with counted(unit, many, done) as advance:
            for rows in where.spread(job, partitions):
                kept.add(rows)
                advance(len(rows))
                done += len(rows)
    except KeyboardInterrupt as error:
        raise CannotRun(
            f"stopped; {done} of {many} {unit} are done, and the same command goes on from there"
        ) from error
    except CannotRun as error:
        raise CannotRun(
            f"{error} ({done} of {many} {unit} are done and kept in {kept.folder})"
        ) from error

"""`parity hypotheses`: every named hypothesis, by layer kind; and of which kinds one of them is
asked.
"""

import difflib

import click

from parity.diagnose.listing import KINDS, found_out, names
from parity.errors import CannotRun

NEAREST = 10  # of several hundred names, one sentence holds no more


@click.command()
@click.option(
    "--layer-kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    help="Only those of this Keras class (repeatable).",
)
@click.argument("name", required=False)
def hypotheses(kinds, name):
    """List what a layer that does not hold is tested against, or say which layers are asked about
    NAME.

    Names in brackets stand for what is found out from the output itself. Exit code 2 for a kind or
    a name that is not known.
    """
    for kind in kinds:
        _known("layer kind", kind, KINDS)
    rows = [
        (kind, each)
        for kind in kinds or KINDS
        for each in (*names(kind), *(f"[{found}]" for found in found_out(kind)))
    ]
    if name:
        _known("hypothesis", name, [each for _, each in rows])
    for kind, each in rows:
        if name in (None, each):
            click.echo(f"{kind}\t{each}")


def _known(what, name, known):
    known = list(dict.fromkeys(known))
    if name not in known:
        near = difflib.get_close_matches(name, known, n=NEAREST, cutoff=0)
        listed, left = (known, 0) if len(known) <= 2 * NEAREST else (near, len(known) - NEAREST)
        rest = f"; and {left} more, which `parity hypotheses` lists" if left else ""
        raise CannotRun(
            f"no {what} called {name!r}; did you mean {near[0]}? Known: {'; '.join(listed)}{rest}"
        )

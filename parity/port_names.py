"""Takes what a user says of a port's names, and holds it against the original."""

import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parity import architecture
from parity.architecture import Node, layer_of
from parity.errors import CannotRun
from parity.kinds import GROUPS
from parity.model import Case
from parity.naming import AND, Names, nearest, parts

__all__ = ["named", "read"]

TABLES = ("names", "fused")


def read(path: Path) -> dict[str, dict[str, str]]:
    """The tables [names] and [fused] of a TOML file. Raises CannotRun."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise CannotRun(f"{path}: no names can be read ({why}); write a table [names]") from error
    if not said or not {*said} <= {*TABLES}:
        raise CannotRun(f"{path}: it has to hold a table [names], or [fused], and nothing else")
    return said


def named(case: Case, own: Mapping[str, Any], fused: Mapping[str, Any], where: object) -> Case:
    """The case of a port that calls its layers otherwise.

    Parameters
    ----------
    case : Case
    own, fused : mapping
        As in Names.
    where : object
        What said so, for messages.

    Raises
    ------
    CannotRun
        For a layer that the original has not, a name that is none, a layer that is named twice, or
        a group that cannot be judged as one.
    """
    for key, value in (*own.items(), *fused.items()):
        if not isinstance(value, str) or not all(parts(value)):
            raise CannotRun(f"{where}: {key} has to be the name of a layer of the port, as text")
    names = Names(
        tuple(own.items()),
        tuple((AND.join(parts(group)), value) for group, value in fused.items()),
        str(where),
    )
    layers, outputs = _described(case)
    known, prefix = dict.fromkeys(map(layer_of, layers)), f"{where}: "
    members = [each for group in names.groups.values() for each in group]
    for name in (*own, *members):
        nearest("layer", name, known, prefix)
    twice = [name for name, count in Counter([*own, *members]).items() if count > 1]
    if twice:
        raise CannotRun(f"{prefix}{twice[0]} is named twice; leave one of the two out")
    calls = Counter(map(layer_of, layers))
    read_by = Counter(source for layer in layers.values() for source in layer.inbound)
    for name, group in names.groups.items():
        if len(group) < 2:
            raise CannotRun(f"{prefix}{name} is one layer; give it as one of `names`")
        shared = next((each for each in group if calls[each] > 1), None)
        if shared:
            raise CannotRun(
                f"{prefix}{shared} is called {calls[shared]} times, so it is judged by itself; "
                f"leave it out of {name}"
            )
        ends = (each for each in group[:-1] if read_by[each] != 1 or each in outputs)
        seen = next(ends, None)
        if seen:
            raise CannotRun(
                f"{prefix}{seen} of {name} is also read outside of the group, so the port has to "
                "give it by itself; end the group there"
            )
    grouped = names.layers(layers)
    for name in names.groups:
        GROUPS.check(grouped[name], prefix)
    declared = tuple(name for name, layer in grouped.items() if layer.inbound)
    model = case.model._replace(layers=declared if fused else case.model.layers)
    return case._replace(model=model, names=names)


def _described(case: Case) -> tuple[dict[str, Node], tuple[str, ...]]:
    """What is known of the original's layers before it runs, and its outputs."""
    path = case.model.defined.architecture
    found = architecture.parse(architecture.read(path), path)
    return {node.name: node for node in found.nodes}, found.outputs

"""Names that differ between an original and a port, and layers that a port computes in one.

A group of fused layers is called by its layers' names, "conv1+bn1+relu1". What lies inside exists
on one side only, so the group is judged as one layer, from its first one's input to its last one's
output.
"""

import difflib
from collections.abc import Container, Iterable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

from parity.architecture import layer_of
from parity.errors import CannotRun

__all__ = ["Names", "nearest", "parts"]

AND = "+"
FUSED = "fused"  # the kind of a group, where a layer has a class of Keras
L = TypeVar("L", bound=Any)  # a layer with name, kind, config and inbound


class Names(NamedTuple):
    """What a port calls its layers.

    Attributes
    ----------
    own : tuple of (str, str)
        A layer of the original, and the port's that computes it; several with + between them run
        in a row.
    fused : tuple of (str, str)
        Layers of the original with + between them, and the port's that computes them in one.
    where : str
        What said so.
    """

    own: tuple[tuple[str, str], ...] = ()
    fused: tuple[tuple[str, str], ...] = ()
    where: str = ""

    @property
    def groups(self) -> dict[str, list[str]]:
        """{name of a group: its layers}."""
        return {group: parts(group) for group, _ in self.fused}

    def of(self, node: str, known: Container[str] = ()) -> list[str]:
        """The port's layers that compute a call of one of the original's, in the order in which
        they run. known : names that the port has, of single calls maybe.
        """
        table = dict((*self.own, *self.fused))
        return parts(table.get(layer_of(node), node if node in known else layer_of(node)))

    def layers(self, layers: Mapping[str, L]) -> dict[str, L]:
        """{name: layer} with each group as one layer in the place of its last. Raises CannotRun
        for a group that is none: a layer of it reads what no other of it gives, or is read outside.
        """
        ends = {members[-1]: name for name, members in self.groups.items()}
        inside = {layer for members in self.groups.values() for layer in members}
        found = {}
        for name, layer in layers.items():
            if name in ends:
                name = ends[name]
                layer = self._one(name, [layers[each] for each in self.groups[name]])
            elif name in inside:
                continue
            read = tuple(ends.get(source, source) for source in layer.inbound)
            found[name] = layer._replace(inbound=read)
        return found

    def _one(self, name: str, members: list[Any]) -> Any:
        first, last = members[0], members[-1]
        for before, after in pairwise(members):
            if tuple(after.inbound) != (before.name,):
                raise CannotRun(
                    f"{self.where}: {name} is no row of layers: {after.name} reads "
                    f"{', '.join(after.inbound) or 'no layer'}; name layers that follow one another"
                )
        keys = ("name", "kind", "config")
        config = {"layers": [{key: getattr(each, key) for key in keys} for each in members]}
        return last._replace(name=name, kind=FUSED, config=config, inbound=first.inbound)


def parts(name: str) -> list[str]:
    """The names of a group, or the one."""
    return [part.strip() for part in name.split(AND)]


def nearest(kind: str, name: str, names: Iterable[str], where: str = "") -> str:
    """The name, where there is one such; else CannotRun suggests another."""
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0)
        raise CannotRun(
            f"{where}no {kind} called {name!r}; did you mean {near[0]}? Known: {', '.join(names)}"
        )
    return name

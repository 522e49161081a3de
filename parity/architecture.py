"""What `model.to_json()` of Keras 1 says: the layers of any model, in a row, with what each reads.

Nested models are flattened: their layers are called `outer/inner`. A layer that is called several
times is one node for each call, `name`, `name#2`, `name#3`. Nothing of Keras is needed to read it.

Sources: keras/engine/topology.py (Container.get_config, from_config) and keras/models.py
(Sequential.get_config) of 1.0.5 to 1.2.2.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from parity import untrusted
from parity.errors import CannotRun

__all__ = ["Architecture", "Node", "layer_of", "parse", "placed", "read", "wrapped"]

INPUT = "InputLayer"
CONTAINERS = ("Model", "Sequential", "Container")
CALL = "#"
BOTH_WAYS = ("", "forward_", "backward_")  # what Keras names the two of a Bidirectional
NOT_ONE = "give what model.to_json() returned, or a file that model.save wrote"

Place = tuple[str, str]  # group and dataset of a weight file


class Node(NamedTuple):
    """One call of a layer: its name, Keras's class and configuration, the nodes that it reads."""

    name: str
    kind: str
    config: dict[str, Any]
    inbound: tuple[str, ...]


class Architecture(NamedTuple):
    """A model's nodes, each after what it reads; the names of its inputs and of its outputs."""

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def layer_of(node: str) -> str:
    """The layer that a node is a call of: "dense_1" of "dense_1#2"."""
    return node.partition(CALL)[0]


def read(path: Path) -> dict[str, Any]:
    """What a file says of a model, as `parse` takes it: JSON, or the HDF5 of model.save.

    Raises CannotRun.
    """
    try:
        with untrusted.opened(path) as stream:
            is_hdf5 = stream.read(4) == b"\x89HDF"
        if not is_hdf5:
            found = untrusted.read_json(path)
            return found if isinstance(found, dict) else json.loads(found)
        with untrusted.hdf5(path) as file:
            if "model_config" not in file.attrs:
                raise CannotRun(f"{path} holds weights and no model (no model_config); {NOT_ONE}")
            said = file.attrs["model_config"]
            return json.loads(said.decode() if isinstance(said, bytes) else str(said))
    except (OSError, ValueError, TypeError) as error:
        why = getattr(error, "strerror", None) or error
        raise CannotRun(f"{path}: no model can be read ({why}); {NOT_ONE}") from error


def parse(said: Mapping[str, Any], where: object = "the model") -> Architecture:
    """The architecture that `said`, {"class_name", "config"}, describes.

    Raises CannotRun for a description that is damaged, empty or goes in a circle.

    Examples
    --------
    >>> parse({"class_name": "Sequential", "config": [
    ...     {"class_name": "Flatten", "config": {"name": "f", "batch_input_shape": [None, 2, 3]}},
    ... ]}).nodes[1]
    Node(name='f', kind='Flatten', config={'name': 'f', 'batch_input_shape': [None, 2, 3]}, \
inbound=('f_input',))
    """
    try:
        flat = _Flat()
        outputs = flat.container(said["class_name"], said["config"], "", None)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise CannotRun(
            f"{where}: the description of the model is damaged ({type(error).__name__}: {error}); "
            f"{NOT_ONE}"
        ) from error
    except _Circle as error:
        raise CannotRun(f"{where}: {error}; {NOT_ONE}") from error
    if all(node.kind == INPUT for node in flat.nodes):
        raise CannotRun(f"{where}: the model has no layers; {NOT_ONE}")
    inputs = tuple(node.name for node in flat.nodes if not node.inbound)
    return Architecture(tuple(flat.nodes), flat.inputs or inputs, tuple(outputs))


class _Circle(Exception):
    pass


class _Flat:
    """Nodes gathered while containers are walked through."""

    def __init__(self) -> None:
        self.merged: dict[str, list[str]] = {}  # a model that is merged -> what it gives
        self.nodes: list[Node] = []
        self.inputs: tuple[str, ...] = ()
        self.calls: dict[str, int] = {}
        self.made: set[str] = set()  # prefixes of models within
        self.sequentials = 0  # that Keras has made, and numbered, when it builds the model

    def container(
        self, kind: str, config: Any, prefix: str, given: Sequence[str] | None
    ) -> list[str]:
        """Walk through a model that is given these nodes; None: it has inputs of its own."""
        if kind == "Sequential":
            return self._sequential(config, prefix, given)
        if kind in CONTAINERS:
            return self._graph(config, prefix, given)
        raise CannotRun(f"{kind} is no model of Keras 1; {NOT_ONE}")

    def _layer(
        self, kind: str, config: Any, name: str, prefix: str, inbound: Sequence[str]
    ) -> list[str]:
        if kind in CONTAINERS:
            inside, before = f"{prefix}{name}/", self.sequentials
            made = self.container(kind, config, inside, inbound)
            if inside in self.made:  # called again
                self.sequentials = before
            self.made.add(inside)
            return made
        if CALL in name:
            raise CannotRun(
                f"layer {name}: {CALL} marks the second call of a layer here; name it without, in "
                "the model and its weight file"
            )
        full = prefix + name
        self.calls[full] = self.calls.get(full, 0) + 1
        at = full if self.calls[full] == 1 else f"{full}{CALL}{self.calls[full]}"
        self.nodes.append(Node(at, kind, dict(config), tuple(inbound)))
        return [at]

    def _sequential(self, layers: Any, prefix: str, given: Sequence[str] | None) -> list[str]:
        flow = None if given is None else list(given)
        self.sequentials += 1
        for layer in layers:
            kind, config = layer["class_name"], layer["config"]
            if flow is None and kind == "Merge" and "layers" in config:
                flow = [out for each in config["layers"] for out in self._branch(each, prefix)]
            elif flow is None and kind in CONTAINERS:  # the first: Keras builds on its tensors
                flow = self.container(kind, config, prefix, None)
                continue
            elif flow is None:
                flow = [f"{prefix}{config['name']}_input"]
                self.nodes.append(Node(flow[0], INPUT, _input_of(config), ()))
                if kind == INPUT:
                    continue
            # of a Sequential Keras keeps no name, and numbers it as it builds it
            own = layer.get("name", f"sequential_{self.sequentials + 1}")
            name = config["name"] if isinstance(config, dict) else own
            flow = self._layer(kind, config, name, prefix, flow)
        return flow or []

    def _branch(self, model: Any, prefix: str) -> list[str]:
        """What a model gives that a Merge reads, written there in whole: twice where two read it,
        and names are given once.
        """
        key = json.dumps(model, sort_keys=True)
        if key not in self.merged:
            made = self.container(model["class_name"], model["config"], prefix, None)
            self.merged[key] = made
        return self.merged[key]

    def _graph(self, config: Any, prefix: str, given: Sequence[str] | None) -> list[str]:
        tensors: dict[tuple[str, int], list[str]] = {}
        entries = [name for name, *_ in config["input_layers"]]
        for at, name in enumerate(entries):
            if given is not None:
                tensors[name, 0] = [given[at]]
        waiting = list(_calls(config["layers"], tensors))
        while waiting:
            later = []
            for layer, call, sources in waiting:
                keys = [(source, int(node)) for source, node, *_ in sources]
                if any(key not in tensors for key in keys):
                    later.append((layer, call, sources))
                    continue
                inbound = [
                    _output(tensors[key], source) for key, source in zip(keys, sources, strict=True)
                ]
                kind, settings, name = layer["class_name"], layer["config"], layer["name"]
                tensors[name, call] = self._layer(kind, settings, name, prefix, inbound)
            if len(later) == len(waiting):
                stuck = ", ".join(dict.fromkeys(layer["name"] for layer, *_ in later))
                raise _Circle(f"its layers {stuck} read one another or what is not there")
            waiting = later
        if given is None and not prefix:
            self.inputs = tuple(tensors[name, 0][0] for name in entries)
        return [_output(tensors[end[0], int(end[1])], end) for end in config["output_layers"]]


def _output(made: Sequence[str], source: Sequence[Any]) -> str:
    """The node that is read of what a call made. source : [layer, call, output]."""
    name, _, at, *_ = source
    if int(at) >= len(made):
        raise CannotRun(
            f"layer {name} gives several outputs, and a layer has one here; give the model with a "
            "layer for each (for a Bidirectional whose merge_mode is None, the layer inside it, "
            "and that with go_backwards=True) and its weights to those"
        )
    return made[int(at)]


def _calls(layers: Any, given: Mapping[tuple[str, int], Any]) -> Iterator[tuple[Any, int, Any]]:
    """(layer, number of the call, what it reads) of every call; an input is one without sources."""
    for layer in layers:
        calls = layer["inbound_nodes"]
        own = layer["class_name"] in CONTAINERS  # Keras counts a model's own graph as its first
        for number, sources in enumerate(calls, int(own)):
            yield layer, number, sources
        if not calls and (layer["name"], 0) not in given:
            yield layer, 0, []


def _input_of(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: config.get(key) for key in ("batch_input_shape", "input_dtype")}


def wrapped(nodes: Iterable[Node]) -> dict[str, tuple[str, ...]]:
    """{layer: the names of what it is a layer around}, of those that are around others."""
    return {
        layer_of(node.name): tuple(_names_in(node.config["layer"]))
        for node in nodes
        if "layer" in node.config
    }


def _names_in(said: Any) -> Iterator[str]:
    parts = said if isinstance(said, list) else said.values() if isinstance(said, dict) else ()
    if isinstance(said, dict) and isinstance(said.get("name"), str):
        yield said["name"]
    for each in parts:
        yield from _names_in(each)


def placed(
    names: Mapping[str, Iterable[str]],
    layers: Iterable[str],
    around: Mapping[str, Iterable[str]] = MappingProxyType({}),
) -> dict[Place, Place]:
    """{(group, dataset) of a weight file: (layer, Keras's suffix)}.

    Keras keeps the weights of a nested model, or of a wrapped layer, in the group of the outermost;
    datasets say which layer they belong to.

    Parameters
    ----------
    names : mapping
        {group: names of its datasets}.
    layers : iterable of str
        Names of layers, nested ones as outer/inner.
    around : mapping, optional
        As `wrapped` has it; a dataset of such a layer stays under the name of what is inside.

    Examples
    --------
    >>> placed({"enc": ["dense_1_W"]}, ["enc/dense_1"])
    {('enc', 'dense_1_W'): ('enc/dense_1', 'W')}
    >>> placed({"fire/conv": ["fire/conv_W"]}, ["fire/conv"])
    {('fire/conv', 'fire/conv_W'): ('fire/conv', 'W')}
    """
    found: dict[Place, Place] = {}
    # a name may hold a "/" of its own: whatever follows one may be what its datasets begin with
    known = [
        (layer, [layer[at:] for at in range(len(layer)) if not at or layer[at - 1] == "/"])
        for layer in dict.fromkeys(map(layer_of, layers))
    ]
    for group, datasets in names.items():
        inside = [each for each in known if f"{each[0]}/".startswith(f"{group}/")]
        # JSON holds no name of a Sequential that another one, or a model, begins with or holds
        beyond = [each for each in known if group in each[1]] or known
        tiers = [inside] if group in dict(known) else [inside, beyond]
        for dataset in datasets:
            said = dataset.rsplit("/", 1)[-1]
            fits = [
                (-number, len(own), -layer.count("/"), layer, whole[len(own) + 1 :])
                for number, tier in enumerate(tiers)
                for layer, ends in tier
                for own in ends
                for whole in (dataset, said)
                if whole.startswith(f"{own}_")
            ] + [
                (-number, len(own), -layer.count("/"), layer, said)
                for number, tier in enumerate(tiers)
                for layer, _ in tier
                for own in around.get(layer, ())
                if said.startswith(tuple(f"{which}{own}_" for which in BOTH_WAYS))
            ]
            found[group, dataset] = max(fits, default=(0, 0, 0, group, said))[3:]
    return found

"""A network as paths see it: tensors as lists of channels, and which channels each channel is made of.

The description needs no torch. It is written by `Wire`s, or read from a model by `gpdeep.nn.graph_of`; it is frozen,
has its nodes in an order in which each comes after those that it is made of, and goes to JSON and back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..errors import DomainError
from ..result import SCHEMA_VERSION
from .operations import Act, Add, Concat, Copy, Dense, Index, Input, Node, Opaque, Operation, Product
from .wires import Wire, source

_KINDS: dict[str, type[Any]] = {
    "input": Input,
    "dense": Dense,
    "activation": Act,
    "copy": Copy,
    "add": Add,
    "concat": Concat,
    "index": Index,
    "product": Product,
    "opaque": Opaque,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_ARRAYS = {"active": np.float64, "slopes": np.float64, "power": np.float64, "index": np.int64}


@dataclass(frozen=True, eq=False)
class Graph:
    """Channels, and of which channels each is made; made by `Graph.of`, or by `gpdeep.nn.graph_of` from a model.

    Attributes
    ----------
    nodes : tuple of Node
        Each with a name, its operation, the numbers of the nodes it is made of (smaller than its own), its channels.
        All are needed for some output.
    outputs : mapping from str to int
        Names of the outputs and their nodes.

    Examples
    --------
    >>> x = Graph.input(3)
    >>> h = x.dense(16).relu()
    >>> graph = Graph.of((h + h.dense(16).relu().dense(16)).relu().dense(10))
    >>> print(graph)
    Graph of 9 nodes: 1 input (3 channels), 3 activations (48 channels), output of 10 channels
    >>> Graph.from_json(graph.to_json()) == graph
    True
    """

    nodes: tuple[Node, ...]
    outputs: Mapping[str, int]

    @staticmethod
    def input(channels: int, name: str | None = None) -> Wire:
        """A new input of a network; what is done to it is written by the methods of `Wire`.

        Parameters
        ----------
        channels : int
        name : str, optional

        Raises
        ------
        DomainError
            `channels` is not a positive integer.
        """
        return source(channels, name)

    @staticmethod
    def concat(*wires: Wire) -> Wire:
        """The channels of several tensors, one after the other."""
        return Wire(Concat(), wires)

    @classmethod
    def of(cls, outputs: Wire | Iterable[Wire] | Mapping[str, Wire]) -> Graph:
        """The graph of everything that the outputs depend on.

        Parameters
        ----------
        outputs : Wire, or several of them
            One output, a list, or a mapping from names to outputs.

        Returns
        -------
        Graph

        Raises
        ------
        DomainError
            There is no output, or it is no wire.
        """
        return numbered(outputs)[0]

    def wires(self) -> tuple[Wire, ...]:
        """The nodes as wires again, for a network that goes on from here; in the same order."""
        made: list[Wire] = []
        for node in self.nodes:
            made.append(Wire(node.operation, [made[k] for k in node.sources], node.name))
        return tuple(made)

    def consumers(self) -> list[list[int]]:
        """For each node the nodes made of it, once for each time; an output counts as one with the number -1."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for number, node in enumerate(self.nodes):
            for k in node.sources:
                found[k].append(number)
        for k in self.outputs.values():
            found[k].append(-1)
        return found

    def to_dict(self) -> dict[str, Any]:
        """The graph in JSON types."""
        return {
            "schema_version": SCHEMA_VERSION,
            "nodes": [_node_to_dict(node) for node in self.nodes],
            "outputs": dict(self.outputs),
        }

    def to_json(self) -> str:
        """The graph as one JSON object."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Graph:
        """The graph that `to_dict` wrote; every node is checked as if it were written anew.

        Raises
        ------
        DomainError
            It is no such dictionary, or some node does not fit those it is made of.
        """
        try:
            if not isinstance(data, Mapping):
                raise TypeError(f"it is a {type(data).__name__}")
            if data["schema_version"] != SCHEMA_VERSION:
                raise ValueError(f"schema version {data['schema_version']!r}; this version reads {SCHEMA_VERSION}")
            wires: list[Wire] = []
            for entry in data["nodes"]:
                sources = [wires[_earlier(k, len(wires))] for k in entry["from"]]
                wires.append(Wire(_operation(entry), sources, str(entry["name"])))
            outputs = {str(name): wires[_earlier(k, len(wires))] for name, k in data["outputs"].items()}
        except DomainError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DomainError(
                f"The graph cannot be read ({type(error).__name__}: {error}).",
                "It was not written by Graph.to_json, or was changed since.",
                "Each node needs name, op, from (numbers of nodes before it) and what its operation takes.",
            ) from error
        return cls.of(outputs)

    @classmethod
    def from_json(cls, text: str) -> Graph:
        """The graph that `to_json` wrote; raises as `from_dict`."""
        try:
            data = json.loads(text)
        except (ValueError, TypeError) as error:
            raise DomainError(
                f"The text is no JSON ({error}).",
                "The file was cut short, or holds something else.",
                "Give the text that Graph.to_json wrote.",
            ) from error
        return cls.from_dict(data)

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, Graph) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        inputs = [node.channels for node in self.nodes if isinstance(node.operation, Input)]
        acts = [node.channels for node in self.nodes if isinstance(node.operation, Act)]
        outputs = [self.nodes[k].channels for k in self.outputs.values()]
        return (
            f"Graph of {len(self.nodes)} nodes: {_plural(len(inputs), 'input')} ({sum(inputs)} channels), "
            f"{_plural(len(acts), 'activation')} ({sum(acts)} channels), "
            f"output{'s' if len(outputs) > 1 else ''} of {', '.join(map(str, outputs))} channels"
        )


def numbered(outputs: Wire | Iterable[Wire] | Mapping[str, Wire]) -> tuple[Graph, dict[int, int]]:
    """The graph of some outputs, and for the id of each wire that it holds the number of its node."""
    named = _named(outputs)
    order = _sources_first(list(named.values()))
    number = {id(wire): k for k, wire in enumerate(order)}
    names = _unique([wire.name or _default(wire.operation) for wire in order])
    nodes = tuple(
        Node(name, wire.operation, tuple(number[id(s)] for s in wire.sources), wire.channels)
        for name, wire in zip(names, order, strict=True)
    )
    return Graph(nodes, {name: number[id(wire)] for name, wire in named.items()}), number


def require_graph(graph: Any) -> Graph:
    """`graph`, if it is one."""
    if isinstance(graph, Graph):
        return graph
    model = any(kind.__module__.startswith("torch.nn") for kind in type(graph).__mro__)
    raise DomainError(
        f"A {type(graph).__name__} was given for the graph.",
        "Path lengths are those of a graph; a torch module is read into one first."
        if model
        else "Path lengths are those of a Graph.",
        "Write path_length(gpdeep.nn.graph_of(model, example))."
        if model
        else "Make one by Graph.of(wire), or by gpdeep.nn.graph_of(model, example).",
    )


def _named(outputs: Any) -> dict[str, Wire]:
    """Outputs with their names."""
    if isinstance(outputs, Wire):
        return {"output": outputs}
    if isinstance(outputs, Mapping):
        named = {str(name): wire for name, wire in outputs.items()}
    else:
        listed = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        named = {f"output{k}": wire for k, wire in enumerate(listed)} if len(listed) != 1 else {"output": listed[0]}
    wrong = [type(wire).__name__ for wire in named.values() if not isinstance(wire, Wire)]
    if wrong or not named:
        raise DomainError(
            f"The outputs are {wrong or 'empty'}.",
            "A graph is what some wires depend on: those that Graph.input and the methods of wires give.",
            "Give a wire, a list of them, or a mapping from names to wires.",
        )
    return named


def _sources_first(outputs: list[Wire]) -> list[Wire]:
    """Everything that the outputs depend on, sources before what is made of them, as first met from the outputs."""
    order: list[Wire] = []
    done: set[int] = set()
    stack: list[tuple[Wire, bool]] = [(wire, False) for wire in reversed(outputs)]
    while stack:
        wire, ready = stack.pop()
        if ready:
            order.append(wire)
        elif id(wire) not in done:
            done.add(id(wire))
            stack.append((wire, True))
            stack.extend((s, False) for s in reversed(wire.sources) if id(s) not in done)
    return order


def _default(operation: Operation) -> str:
    return str(getattr(operation, "kind", "")) or _NAMES[type(operation)]


def _unique(names: list[str]) -> list[str]:
    """The names, with ':2', ':3', ... where one came before."""
    taken: set[str] = set()
    times: dict[str, int] = {}
    found = []
    for name in names:
        unique = name
        while unique in taken:
            times[name] = times.get(name, 1) + 1
            unique = f"{name}:{times[name]}"
        taken.add(unique)
        found.append(unique)
    return found


def _node_to_dict(node: Node) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": node.name, "op": _NAMES[type(node.operation)], "from": list(node.sources)}
    for field in fields(node.operation):
        value = getattr(node.operation, field.name)
        entry[field.name] = value.tolist() if isinstance(value, np.ndarray) else value
    return entry


def _operation(entry: Mapping[str, Any]) -> Operation:
    """The operation of an entry."""
    kind = _KINDS[entry["op"]]
    values = {field.name: entry[field.name] for field in fields(kind) if field.name in entry}
    for name, dtype in _ARRAYS.items():
        if values.get(name) is not None:
            array = np.array(values[name])
            if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
                raise ValueError(f"{name} of node {entry['name']!r} holds something other than finite numbers")
            values[name] = array.astype(dtype)
    for name in ("size", "groups", "normalised", "value"):
        if values.get(name) is not None and (type(values[name]) is not int or values[name] < 0):
            raise ValueError(f"{name} of node {entry['name']!r} is {values[name]!r}")
    if "active" in values and not ((values["active"] >= 0) & (values["active"] <= 1)).all():
        raise ValueError(f"active of node {entry['name']!r} is outside [0, 1]")
    made: Operation = kind(**values)
    return made


def _earlier(number: Any, before: int) -> int:
    if type(number) is not int or not 0 <= number < before:
        raise ValueError(f"node number {number!r} is not one of the {before} before it")
    return number


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"

"""The chains of affine layers in a recorded graph: what can be merged is always a piece of one of them.

A chain goes on from an operation to the next if nothing else reads what lies between. A sum of two chains from one
tensor, the tensor itself being the shortest, is one layer where it is one exactly, or up to the border if that is asked
for, and costs no more; it then is a layer of the chain that led to that tensor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import fx, nn

from ..reading.activation_sites import changes_input
from ..reading.example_runs import Shapes
from .border import Fork, Step, always_commutes, entered_wrongly
from .fold_report import Unfolded
from .maps import AffineMap, identity_map
from .partition import relative_positions
from .reading import Barrier, Layer, Reading, Sum, Through, read
from .specs import AffineSpec, obstacle, parallel_obstacle, summed


@dataclass(eq=False)
class Item:
    """One layer of a chain, or the sum of two branches as one layer.

    Attributes
    ----------
    names : tuple of str
        Of the layers that it is made of.
    map : AffineMap
    like : torch.Tensor
    source, output : torch.fx.Node
        What it is given, and what gives its result.
    nodes : list of torch.fx.Node
        All that computes it.
    cost : float
        Multiplications as it is, for each position of its output.
    part : Step or Fork
        For `affected_positions`.
    """

    names: tuple[str, ...]
    map: AffineMap
    like: object
    source: fx.Node
    output: fx.Node
    nodes: list[fx.Node]
    cost: float
    part: Step | Fork

    @property
    def built(self) -> bool:
        """Whether it has to be built: it is no layer of the model."""
        return len(self.nodes) > 1

    @property
    def border(self) -> bool:
        """Whether it differs at the border already."""
        return not always_commutes(self.part)


@dataclass(eq=False)
class Chain:
    """Layers in a row from one tensor on, and all operations on the way."""

    source: fx.Node
    items: list[Item] = field(default_factory=list)
    path: list[fx.Node] = field(default_factory=list)


class ChainReader:
    """Reads a graph into chains.

    Parameters
    ----------
    owner : torch.nn.Module
    graph : torch.fx.Graph
    shapes : dict or None
        Of an example.
    exact, cheaper : bool
        What `fold` was asked for.

    Attributes
    ----------
    left : list of Unfolded
        Layers that follow one another and are not in one chain, and sums that are not one layer.
    """

    def __init__(self, owner: nn.Module, graph: fx.Graph, shapes: Shapes | None, *, exact: bool, cheaper: bool) -> None:
        self._owner, self._shapes, self._exact, self._cheaper = owner, shapes, exact, cheaper
        self._readings: dict[fx.Node, Reading] = {}
        self._ends: dict[fx.Node, Chain] = {}  # by the operation that gives a chain's result
        self.left: list[Unfolded] = []
        for node in graph.nodes:
            if node.op not in ("placeholder", "output", "get_attr"):
                self._readings[node] = read(node, owner, shapes)
                self._take(node, self._readings[node])

    def chains(self) -> Iterator[Chain]:
        """All chains that no other one goes on."""
        for chain in self._ends.values():
            if chain.items:
                yield chain

    def positions(self, node: fx.Node, spec: AffineSpec) -> float | None:
        """Positions of a tensor for one input of the example."""
        shape = None if self._shapes is None else self._shapes.get(node)
        if shape is None:
            return None
        if spec.kernel:
            return math.prod(shape[-len(spec.kernel) :])
        return math.prod(shape[1:-1])

    def sizes(self, item: Item, axes: int) -> tuple[int, ...] | None:
        """Positions along each axis of what an item is given."""
        shape = None if self._shapes is None else self._shapes.get(item.source)
        return None if shape is None or not axes else tuple(shape[-axes:])

    def _take(self, node: fx.Node, reading: Reading) -> None:
        if isinstance(reading, Layer):
            before = node.all_input_nodes[0]
            chain = self._continued(before)
            spec = reading.map.spec
            item = Item((reading.name,), reading.map, reading.like, before, node, [node], spec.weights, Step(spec))
            if not chain.items:
                self._note(item, before)
            self._ends[node] = Chain(chain.source, [*chain.items, item], [*chain.path, node])
        elif isinstance(reading, Through):
            chain = self._continued(node.all_input_nodes[0])
            self._ends[node] = Chain(chain.source, chain.items, [*chain.path, node])
        elif isinstance(reading, Sum):
            self._add(node, reading)

    def _continued(self, node: fx.Node) -> Chain:
        """The chain that ends at `node`, taken out to be gone on with; a new one if others read it, too."""
        if node in self._ends and len(node.users) == 1:
            return self._ends.pop(node)
        return Chain(node)

    def _add(self, node: fx.Node, reading: Sum) -> None:
        """Merge a sum of two chains from one tensor, if that is one layer."""
        branches = [self._branch(operand) for operand in (reading.first, reading.second)]
        source = branches[0].source
        if reading.first is reading.second or source is not branches[1].source:
            return
        if not (branches[0].items or branches[1].items):
            return
        merged = self._merged(node, branches)
        if isinstance(merged, str):
            names = [" + ".join(n for item in chain.items for n in item.names) or "identity" for chain in branches]
            self.left.append(Unfolded(names[0], names[1], merged))
            return
        for operand in (reading.first, reading.second):
            if operand is not source:
                self._ends.pop(operand)
        inside = set(merged.nodes)
        chain = Chain(source)
        if source in self._ends and inside.issuperset(source.users):
            chain = self._ends.pop(source)
        self._ends[node] = Chain(chain.source, [*chain.items, merged], [*chain.path, *merged.nodes])

    def _branch(self, operand: fx.Node) -> Chain:
        chain = self._ends.get(operand)
        return chain if chain is not None and len(operand.users) == 1 else Chain(operand)

    def _merged(self, node: fx.Node, branches: list[Chain]) -> Item | str:
        """The sum of branches as one layer, or why it is none."""
        source = branches[0].source
        if any(changes_input(user, self._owner) for user in source.users):
            return f"'{source.name}' is changed in place"
        parts, steps, cost, like = [], [], 0.0, None
        channels = next(item.map.spec.inputs for chain in branches for item in chain.items)
        for chain in branches:
            found = self._collapsed(chain, channels)
            if isinstance(found, str):
                return found
            part, branch = found
            parts.append(part)
            steps.append(branch)
            like = chain.items[-1].like if chain.items else like
        why = parallel_obstacle(parts[0].spec, parts[1].spec)
        if why:
            return why
        spec = summed(parts[0].spec, parts[1].spec)
        end = self.positions(node, spec)
        for chain in branches:
            scales = self.relative(chain.items)
            last = 1.0 if end is None else end
            cost += sum(item.cost * n for item, n in zip(chain.items, scales, strict=True)) / last
        if self._cheaper and spec.weights > cost:
            return f"as one layer it needs {spec.weights:,.0f} multiplications a position, as it is {cost:,.0f}"
        names = tuple(name for chain in branches for item in chain.items for name in item.names)
        nodes = [*branches[0].path, *branches[1].path, node]
        order = {other: k for k, other in enumerate(node.graph.nodes)}
        nodes.sort(key=order.__getitem__)
        return Item(names, parts[0].beside(parts[1]), like, source, node, nodes, cost, Fork(tuple(steps)))

    def _collapsed(self, chain: Chain, channels: int) -> tuple[AffineMap, tuple[Step | Fork, ...]] | str:
        """A branch as one layer, and its steps; or why it is none."""
        if not chain.items:
            return identity_map(channels), ()
        found, steps = chain.items[0].map, [chain.items[0].part]
        for item in chain.items[1:]:
            barrier = obstacle(found.spec, item.map.spec)
            if barrier is not None and (self._exact or not barrier.border):
                return barrier.why
            steps.append(item.part if barrier is None else entered_wrongly(item.part))
            found = item.map.after(found)
        return found, tuple(steps)

    def relative(self, items: list[Item]) -> list[float]:
        """Positions of the outputs of items in a row, for the example or for one of the last."""
        known = [self.positions(item.output, item.map.spec) for item in items]
        if any(count is None for count in known):
            return relative_positions([math.prod(item.map.spec.stride) for item in items])
        return [float(count) for count in known if count is not None]

    def _note(self, item: Item, before: fx.Node) -> None:
        """Note why `item` does not go on a chain, if a layer comes before it."""
        why, node, seen = "", before, 0
        while seen < 50:
            reading = self._readings.get(node)
            if isinstance(reading, Layer):
                reason = why or f"'{node.name}' is read by {len(node.users)} operations"
                self.left.append(Unfolded(reading.name, item.names[0], reason))
                return
            if isinstance(reading, Barrier) and not why:
                why = reading.why
            if isinstance(reading, Sum) and not why:
                why = f"the sum '{node.name}' of two branches lies between"
            inputs = node.all_input_nodes
            if not inputs:
                return
            node, seen = inputs[0], seen + 1

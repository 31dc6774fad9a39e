"""Putting merged layers into a recorded graph, chain by chain, and counting what they cost."""

from __future__ import annotations

from itertools import pairwise

from torch import fx, nn

from ..linearising.untraced_sites import put
from .border import affected_positions, entered_wrongly
from .chains import Chain, ChainReader, Item
from .fold_report import FoldedSegment, Unfolded
from .partition import Group, Link, between, partition
from .specs import obstacle


class ChainWriter:
    """Rewrites the chains of a graph.

    Parameters
    ----------
    owner : torch.nn.Module
        What the names in the graph refer to; new layers are registered in it.
    graph : torch.fx.Graph
    reader : ChainReader

    Attributes
    ----------
    segments : list of FoldedSegment
    left : list of Unfolded
        Neighbours in a chain that were not merged.
    before, after : float
        Multiplications of all chains.
    spatial : bool
        Whether there are layers with positions, whose multiplications depend on the size of images.
    """

    def __init__(self, owner: nn.Module, graph: fx.Graph, reader: ChainReader) -> None:
        self._owner, self._reader = owner, reader
        self._calls = [str(node.target) for node in graph.nodes if node.op == "call_module"]
        self._replaced: dict[fx.Node, fx.Node] = {}
        self.segments: list[FoldedSegment] = []
        self.left: list[Unfolded] = []
        self.before = self.after = 0.0
        self.spatial = False

    def rewrite(self, chain: Chain, *, exact: bool, cheaper: bool) -> None:
        """Merge what is to be merged of one chain."""
        scales = self._reader.relative(chain.items)
        links = [
            Link(item.map.spec, item.map.spec.weights, scale, self._reader.sizes(item, len(item.map.spec.kernel)))
            for item, scale in zip(chain.items, scales, strict=True)
        ]
        self.spatial = self.spatial or any(link.spec.kernel for link in links)
        groups = partition(links, exact=exact, cheaper=cheaper)
        for one, other in pairwise(groups):
            why = _why(one, other, links)
            self.left.append(Unfolded(chain.items[one.last - 1].names[-1], chain.items[other.first].names[0], why))
        for group in groups:
            items = chain.items[group.first : group.last]
            cost = sum(item.cost * n for item, n in zip(items, scales[group.first : group.last], strict=True))
            self.before, self.after = self.before + cost, self.after + group.cost
            if len(items) > 1 or items[0].built:
                self.segments.append(self._merge(chain, items, group, float(cost)))

    def _merge(self, chain: Chain, items: list[Item], group: Group, cost: float) -> FoldedSegment:
        """Put one layer in place of several."""
        merged, parts = items[0].map, [items[0].part]
        for item in items[1:]:
            commutes = obstacle(merged.spec, item.map.spec) is None
            parts.append(item.part if commutes else entered_wrongly(item.part))
            merged = item.map.after(merged)
        names = tuple(name for item in items for name in item.names)
        name = self._free(names[0])
        put(self._owner, name, merged.module(items[0].like))
        self._put_in(chain, items, name)
        exact = not (group.border or any(item.border for item in items))
        sizes = self._reader.sizes(items[0], len(merged.spec.kernel))
        affected, positions = affected_positions(parts, sizes) if sizes and not exact else (0, 0)
        return FoldedSegment(name, names, cost, float(group.cost), exact, affected, positions)

    def _free(self, name: str) -> str:
        """The name of a layer, or a new one where other calls keep the layer."""
        if self._calls.count(name) > 1:
            name = f"{name}_folded"
            while name in self._calls:
                name += "_"
            self._calls.append(name)
        return name

    def _put_in(self, chain: Chain, items: list[Item], name: str) -> None:
        """Call the new layer where the first of the old ones is called, before anything can change its input."""
        output = items[-1].output
        start, end = chain.path.index(items[0].nodes[0]), chain.path.index(output)
        with output.graph.inserting_before(chain.path[start]):
            source = self._replaced.get(items[0].source, items[0].source)
            new = output.graph.create_node("call_module", name, (source,))
        output.replace_all_uses_with(new)
        self._replaced[output] = new
        for node in reversed(chain.path[start : end + 1]):
            output.graph.erase_node(node)


def _why(one: Group, other: Group, links: list[Link]) -> str:
    """Why two neighbouring groups were not merged."""
    found, apart, together = between(one, other, links)
    if found is not None:
        return found.why
    return f"as one layer they need {together:,.0f} multiplications, apart {apart:,.0f}"

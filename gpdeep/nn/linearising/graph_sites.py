"""Exchanging activations in a recorded graph, and in the model that it was recorded from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from torch import fx, nn

from ...errors import DomainError
from ..modules.partial_relu import PartialReLU
from ..reading.activation_sites import Site, sites_in
from ..reading.example_runs import shapes_of
from ..reading.in_place import hand_on
from ..reading.partial_tracing import trace_partial
from ..reading.tracing import label_of, live_nodes
from .channel_axes import layouts
from .slope_choice import SlopeChoice, reference
from .untraced_sites import put


class GraphSites:
    """The activations of one graph, and what takes their place.

    Parameters
    ----------
    owner : torch.nn.Module
        What the names in the graph refer to. It is changed.
    graph : torch.fx.Graph
        Of its forward. It is changed where the model has to be rewritten.
    kinds : collection of types
    arguments : tuple or None
        An example.
    choice : SlopeChoice

    Attributes
    ----------
    modules : dict of str to PartialReLU
        What was put in, by name, in order of execution.
    """

    def __init__(
        self,
        owner: nn.Module,
        graph: fx.Graph,
        kinds: Collection[type[nn.Module]],
        arguments: tuple[Any, ...] | None,
        choice: SlopeChoice,
    ) -> None:
        self._owner, self._graph, self._choice = owner, graph, choice
        self._shapes = None if arguments is None else shapes_of(owner, graph, arguments)
        known = layouts(graph, owner, self._shapes)
        self._like = reference(owner)
        sites = list(sites_in(graph, owner, kinds))
        self._moved = [site for site in sites if site.in_place and hand_on(site.node, owner)]
        live = live_nodes(graph)
        self._sites = [site for site in sites if site.node in live]
        self._sources = {site: site.node.all_input_nodes[0] for site in self._sites}  # before the graph changes
        self._found = {site: known[source] for site, source in self._sources.items()}
        self.modules: dict[str, PartialReLU] = {}

    def exchange(self, *, share: bool) -> bool:
        """Put in the new activations; whether the graph was rewritten and has to take the place of the model."""
        calls = Counter(id(site.module) for site in self._sites)
        rewrite = bool(self._moved) or any(
            site.module is None or (calls[id(site.module)] > 1 and not share) for site in self._sites
        )
        if rewrite:
            _require_one_graph(self._owner)
        shared: dict[int, PartialReLU] = {}
        for site in self._sites:
            new = shared.get(id(site.module)) if share and site.module is not None else None
            if new is None:
                name = self._name(site, first=id(site.module) not in shared)
                new = self._made(site, name)
                self.modules[name] = new
                put(self._owner, name, new)
                if site.module is not None:
                    shared.setdefault(id(site.module), new)
                    self._everywhere(site.module, new)
            else:
                name = next(name for name, module in self.modules.items() if module is new)
                self._require_same(site, name, new)
            if rewrite:
                self._call(site, name)
        return rewrite

    def _made(self, site: Site, name: str) -> PartialReLU:
        shape = None if self._shapes is None else self._shapes.get(self._sources[site])
        return self._choice.make(site.label, name, self._found[site], shape, site.alpha, self._like)

    def _name(self, site: Site, *, first: bool) -> str:
        """Where the new module is registered."""
        if site.module is not None and first:
            return site.name
        prefix, _, last = (site.name if site.module is not None else f"{site.name}.relu").strip(".").rpartition(".")
        parent = self._owner.get_submodule(prefix)
        count, name = (1, last) if site.module is None else (2, f"{last}_2")
        while hasattr(parent, name):
            count += 1
            name = f"{last}_{count}"
        return f"{prefix}.{name}" if prefix else name

    def _everywhere(self, old: nn.Module, new: nn.Module) -> None:
        """Exchange a module under all names that it is registered by."""
        for name, module in list(self._owner.named_modules(remove_duplicate=False)):
            if module is old:
                put(self._owner, name, new)

    def _call(self, site: Site, name: str) -> None:
        """Let the graph call the new module in place of the activation."""
        with self._graph.inserting_after(site.node):
            call = self._graph.create_node("call_module", name, (site.node.all_input_nodes[0],))
        call.meta = dict(site.node.meta)
        site.node.replace_all_uses_with(call)
        self._graph.erase_node(site.node)

    def _require_same(self, site: Site, name: str, new: PartialReLU) -> None:
        """Refuse to share slopes between calls of different widths."""
        other = self._made(site, name)
        if (other.num_channels, other.channel_dim, other.alpha.shape) != (
            new.num_channels,
            new.channel_dim,
            new.alpha.shape,
        ):
            raise DomainError(
                f"{site.label[0].upper()}{site.label[1:]} is called with {new.num_channels} channels on axis "
                f"{new.channel_dim} and with {other.num_channels} on axis {other.channel_dim}.",
                "One module serves layers of different widths, which cannot share slopes.",
                "Use reuse='separate', which gives every call its own.",
            )


def _require_one_graph(model: nn.Module) -> None:
    """Refuse a model whose forward is another one in training."""
    flags = [(part, part.training) for part in model.modules()]
    try:
        graphs = []
        for mode in (True, False):
            model.train(mode)
            owner, graph = trace_partial(model)
            graphs.append([(node, str((node.op, node.target, node.args, node.kwargs))) for node in graph.nodes])
    finally:
        for part, flag in flags:
            part.training = flag
    training, evaluation = graphs
    for (node, one), (_, other) in zip(training, evaluation, strict=False):
        if one != other:
            _refuse_mode(label_of(node, owner))
    if len(training) != len(evaluation):
        _refuse_mode(type(model).__name__)


def _refuse_mode(label: str) -> None:
    raise DomainError(
        f"{label[0].upper()}{label[1:]} does another thing in training than in evaluation.",
        "The model has to be rewritten for its functional or repeated activations, and forward asks for self.training, "
        "which a recorded graph would keep as it is now.",
        "Use modules (nn.Dropout in place of F.dropout), or give each activation a module of its own: self.act1, ...",
    )

"""`torch.fx` graphs of models with `PartialReLU`, which is one operation in them."""

from __future__ import annotations

from typing import Any

from torch import fx, nn

from ...errors import DomainError
from .tracing import live_nodes, trace, unwrapped


def trace_partial(model: nn.Module) -> tuple[nn.Module, fx.Graph]:
    """The graph of `model` without wrappers, and the module that its names refer to, as `trace` gives them."""
    return trace(unwrapped(model), "give the part of the model that is a plain graph")


def called(model: nn.Module, kind: type[nn.Module]) -> tuple[list[tuple[str, Any]] | None, str]:
    """Modules of a kind in order of execution, as often as they are called; or None and the reason."""
    try:
        owner, graph = trace_partial(model)
    except DomainError as error:
        return None, error.found
    live = live_nodes(graph)
    nodes = [node for node in graph.nodes if node.op == "call_module" and node in live]
    named = [(str(node.target), owner.get_submodule(str(node.target))) for node in nodes]
    found = [(name, module) for name, module in named if isinstance(module, kind)]
    return (found, "") if found else (None, "its forward calls none where torch.fx sees it")

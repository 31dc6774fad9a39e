"""The operations of a module's forward, as `torch.fx` records them."""

from __future__ import annotations

import copy
import operator
from typing import Any

import torch
from torch import fx, nn

from ..errors import DomainError
from .clipped import Thresholded
from .layers import is_weight_layer
from .module_of import Elementwise


class Tracer(fx.Tracer):  # type: ignore[misc]
    """A tracer that keeps layers and activations whole, also those of the user's own classes with torch's forward."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether `m` is recorded as one operation."""
        whole = isinstance(m, (Thresholded, Elementwise)) or is_weight_layer(m)
        return whole or super().is_leaf_module(m, module_qualified_name)


def uncompiled(module: nn.Module) -> nn.Module:
    """What torch.compile wraps."""
    return getattr(module, "_orig_mod", module)


def trace(module: nn.Module) -> tuple[nn.Module, fx.Graph]:
    """The graph of `module`, which stays as it is, like the global random state; and what its names refer to.

    Raises
    ------
    DomainError
        The module cannot be traced.
    """
    if Tracer().is_leaf_module(module, ""):
        module = nn.Sequential(module)
    try:
        # The copy takes the attributes that tracing, or the module's own forward, may set on it.
        with torch.random.fork_rng(devices=[]):
            return module, Tracer().trace(copy.copy(module))
    except Exception as error:
        raise DomainError(
            f"{type(module).__name__} cannot be traced by torch.fx ({type(error).__name__}: {error}).",
            "Its forward takes decisions that depend on the input's numbers or shape, or is compiled.",
            "Write forward without such branches, or describe the network as text, such as '784,128x50,10'.",
        ) from error


def live_nodes(graph: fx.Graph) -> set[fx.Node]:
    """The nodes that the output depends on."""
    live: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        if node.op == "output" or any(user in live for user in node.users):
            live.add(node)
    return live


def argument(node: fx.Node, position: int, name: str, default: Any) -> Any:
    """An argument of a call, given by position or by name."""
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def is_sizes(node: Any) -> bool:
    """Whether a node is ``x.shape`` or ``x.size()``."""
    if not isinstance(node, fx.Node):
        return False
    if node.op == "call_method" and node.target == "size":
        return len(node.args) == 1 and not node.kwargs
    return node.op == "call_function" and node.target is getattr and node.args[1] == "shape"


def is_batch_size(node: Any) -> bool:
    """Whether a node is ``x.shape[0]``, ``x.size()[0]`` or ``x.size(0)``."""
    if not isinstance(node, fx.Node):
        return False
    if node.op == "call_method" and node.target == "size":
        return bool(argument(node, 1, "dim", None) == 0)
    return node.target is operator.getitem and is_sizes(node.args[0]) and node.args[1] == 0


def label_of(node: fx.Node, module: nn.Module) -> str:
    """How messages call the operation at `node`."""
    if node.op == "call_module":
        return f"module '{node.target}' ({type(module.get_submodule(str(node.target))).__name__})"
    if node.op == "call_function":
        return f"function '{target_name(node)}' (node '{node.name}')"
    if node.op == "call_method":
        return f"method '.{node.target}()' (node '{node.name}')"
    kind = {"get_attr": "tensor", "placeholder": "input"}.get(node.op, node.op)
    return f"{kind} '{node.target}'"


def target_name(node: fx.Node) -> str:
    """The name of the function or method that a node calls."""
    return str(getattr(node.target, "__name__", node.target))

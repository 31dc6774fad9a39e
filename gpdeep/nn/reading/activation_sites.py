"""Where a recorded graph applies an activation that is to get slopes of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from torch import fx, nn

from ...activations import TwoSlope
from .phi import phi_of_call, phi_of_module
from .tracing import argument, label_of, target_name

KINDS: tuple[type[nn.Module], ...] = (nn.ReLU, nn.LeakyReLU, nn.PReLU)
_NO_PHI = (nn.MultiheadAttention, nn.Softmax, nn.Softmax2d, nn.Softmin, nn.LogSoftmax, nn.GLU)


@dataclass(frozen=True, eq=False)
class Site:
    """One call of an activation.

    Attributes
    ----------
    node : torch.fx.Node
    label, name : str
        What messages call it, and the name of its module; for a function that of the module whose forward calls it.
    module : torch.nn.Module or None
    alpha : float or torch.Tensor
        Its slope, or slopes.
    in_place : bool
    """

    node: fx.Node
    label: str
    name: str
    module: nn.Module | None
    alpha: Any
    in_place: bool


def is_kind(module: nn.Module, kinds: Collection[type[nn.Module]]) -> bool:
    """Whether a module is of one of the kinds, also by a class of the user's own with torch's forward."""
    return any(isinstance(module, kind) and type(module).forward is kind.forward for kind in kinds)


def slope_of(module: Any) -> Any:
    """The slope, or slopes, of a module of one of `KINDS`."""
    if isinstance(module, nn.PReLU):
        return module.weight.detach() if module.weight.numel() > 1 else float(module.weight.detach())
    return float(getattr(module, "negative_slope", 0.0))


def sites_in(graph: fx.Graph, owner: nn.Module, kinds: Collection[type[nn.Module]]) -> Iterator[Site]:
    """The calls of activations of the kinds, in order of execution."""
    for node in graph.nodes:
        if node.op == "call_module":
            module: Any = owner.get_submodule(str(node.target))
            if is_kind(module, kinds):
                name, in_place = str(node.target), bool(getattr(module, "inplace", False))
                yield Site(node, label_of(node, owner), name, module, slope_of(module), in_place)
        elif node.op in ("call_function", "call_method"):
            phi = phi_of_call(node)
            if _function_kind(phi) in kinds and isinstance(phi, TwoSlope):
                yield Site(node, label_of(node, owner), _caller(node), None, phi.negative, works_in_place(node))


def others_in(graph: fx.Graph, owner: nn.Module, kinds: Collection[type[nn.Module]]) -> Iterator[tuple[str, str]]:
    """Activations of other kinds, by name and kind."""
    for node in graph.nodes:
        if node.op == "call_module":
            module = owner.get_submodule(str(node.target))
            if is_activation(module) and not is_kind(module, kinds):
                yield str(node.target), type(module).__name__
        elif node.op in ("call_function", "call_method"):
            phi = phi_of_call(node)
            if (phi is not None and _function_kind(phi) not in kinds) or target_name(node) == "prelu":
                yield label_of(node, owner), target_name(node) if phi is None else phi.name


def is_activation(module: nn.Module) -> bool:
    """Whether a module is an elementwise activation of torch's or gpdeep's."""
    if type(module).__module__ == "torch.nn.modules.activation":
        return not isinstance(module, _NO_PHI)
    return phi_of_module(module) is not None


def _function_kind(phi: Any) -> type[nn.Module] | None:
    """The module that does what a function does."""
    if not isinstance(phi, TwoSlope) or phi.positive != 1:
        return None
    return nn.ReLU if phi.name == "relu" else nn.LeakyReLU if phi.name.startswith("leaky_relu") else None


def works_in_place(node: fx.Node) -> bool:
    """Whether a call of a function or method changes what it is given."""
    name = target_name(node)
    place = {"relu": 1, "leaky_relu": 2}.get(name)
    flagged = node.op == "call_function" and place is not None and bool(argument(node, place, "inplace", False))
    return name.endswith("_") or flagged


def changes_input(node: fx.Node, owner: nn.Module) -> bool:
    """Whether an operation works in place."""
    if node.op == "call_module":
        return bool(getattr(owner.get_submodule(str(node.target)), "inplace", False))
    name = target_name(node)
    augmented = name in ("iadd", "isub", "imul", "itruediv")
    return node.op in ("call_function", "call_method") and (works_in_place(node) or augmented)


def _caller(node: fx.Node) -> str:
    """The name of the module whose forward calls a function; empty for the model itself."""
    stack = list(node.meta.get("nn_module_stack", {}))
    return str(stack[-1]).split("@")[0] if stack else ""

"""What each operation of a recorded graph is to `fold`: an affine layer, an identity, a sum, or a barrier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F
from torch.nn.parameter import is_lazy

from ..layers import is_weight_layer
from ..modules.partial_relu import PartialReLU
from ..reading.example_runs import Shapes
from ..reading.tracing import argument, label_of, target_name
from .maps import AffineMap, convolution_map, linear_map, normalisation_map

_NORMALISATIONS = {nn.BatchNorm1d: None, nn.BatchNorm2d: 2, nn.BatchNorm3d: 3}
_ADDITIONS = ("add", "add_", "iadd")


@dataclass(frozen=True)
class Barrier:
    """Why nothing is merged across an operation."""

    why: str


class Through:
    """An operation that hands on what it is given."""


@dataclass(frozen=True, eq=False)
class Sum:
    """The sum of two tensors."""

    first: fx.Node
    second: fx.Node


@dataclass(frozen=True, eq=False)
class Layer:
    """An affine layer, its name, and a tensor of its type."""

    name: str
    map: AffineMap
    like: Any


Reading = Layer | Through | Sum | Barrier


def read(node: fx.Node, owner: nn.Module, shapes: Shapes | None) -> Reading:
    """What an operation is, as the model stands: in training or in evaluation mode."""
    label = label_of(node, owner)
    if node.op == "call_module":
        return _module(node, owner.get_submodule(str(node.target)), label, shapes)
    if node.op in ("call_function", "call_method"):
        return _call(node, label)
    return Barrier(f"{label} lies between")


def is_linear_now(module: Any) -> bool:
    """Whether every channel of an activation has slope 1."""
    if isinstance(module, PartialReLU):
        return bool((module.channel_slopes() == 1).all())
    if type(module) is nn.PReLU:
        return not is_lazy(module.weight) and bool((module.weight == 1).all())
    return type(module) is nn.LeakyReLU and module.negative_slope == 1


def _module(node: fx.Node, module: Any, label: str, shapes: Shapes | None) -> Reading:
    name = str(node.target)
    if module._forward_hooks or module._forward_pre_hooks:
        return Barrier(f"{label} has hooks, which may change what it computes")
    if is_weight_layer(module):
        return _weights(name, module, label)
    if type(module) in _NORMALISATIONS:
        return _normalisation(node, module, label, shapes)
    if isinstance(module, nn.Identity) or is_linear_now(module):
        return Through()
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return Barrier(f"{label} drops units in training mode") if module.training and module.p > 0 else Through()
    if isinstance(module, PartialReLU):
        slopes = module.channel_slopes()
        return Barrier(f"{int((slopes != 1).sum())} of {slopes.numel()} channels of {label} are active")
    if "pool" in type(module).__name__.lower():
        return Barrier(f"{label} joins several positions")
    if type(module).__module__ == "torch.nn.modules.activation":
        return Barrier(f"{label} is not linear")
    return Barrier(f"{label} lies between")


def _weights(name: str, module: Any, label: str) -> Reading:
    weight = module.weight
    if is_lazy(weight) or weight.is_meta or not weight.is_floating_point() or weight.layout is not torch.strided:
        return Barrier(f"{label} has no weights of real numbers that could be multiplied")
    if isinstance(module, nn.Linear):
        return Layer(name, linear_map(module), weight)
    padding = _padding(module)
    if padding is None:
        return Barrier(f"{label} pads one side more than the other")
    return Layer(name, convolution_map(module, padding), weight)


def _padding(module: Any) -> tuple[int, ...] | None:
    """The padding of a convolution in numbers; None if it differs between the two sides."""
    if not isinstance(module.padding, str):
        return tuple(module.padding)
    if module.padding == "valid":
        return (0,) * len(module.kernel_size)
    total = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
    return None if any(t % 2 for t in total) else tuple(t // 2 for t in total)


def _normalisation(node: fx.Node, module: Any, label: str, shapes: Shapes | None) -> Reading:
    if module.training or module.running_mean is None or module.running_var is None:
        return Barrier(f"{label} normalises by the statistics of the batch; call eval() for fixed ones")
    axes: int | None = _NORMALISATIONS[type(module)]
    shape = shapes.get(node) if shapes else None
    if axes is None and shape is not None:
        axes = len(shape) - 2
    like = module.running_mean if module.weight is None else module.weight
    return Layer(str(node.target), normalisation_map(module, axes), like)


def _call(node: fx.Node, label: str) -> Reading:
    name = target_name(node)
    operands = node.all_input_nodes
    if name in _ADDITIONS and len(operands) == 2 and len(node.args) >= 2 and node.kwargs.get("alpha", 1) == 1:
        first, second = node.args[:2]
        if isinstance(first, fx.Node) and isinstance(second, fx.Node):
            return Sum(first, second)
    if node.target is F.dropout:
        still = argument(node, 1, "p", 0.5) == 0 or argument(node, 2, "training", True) is False
        return Through() if still else Barrier(f"{label} drops units in training mode")
    if "pool" in name:
        return Barrier(f"{label} joins several positions")
    return Barrier(f"{label} lies between")

"""How many channels a tensor inside a model has, and on which axis: from the weights before it, or from an example.

Weight layers, normalisations and embeddings determine their channels; operations that act on each channel alone hand
them on; what moves or mixes axes (permute, reshape, flatten) ends it. Then only a tensor of shape (batch, features) is
clear without being told.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from ..layers import is_weight_layer
from ..reading.example_runs import Shapes
from ..reading.tracing import argument, target_name

Layout = tuple[int, int]  # channels and axis

_NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_THROUGH = re.compile(
    r"i?(add|sub|mul|div|truediv)_?|relu6?_?|leaky_relu_?|prelu|gelu|silu|mish|elu_?|selu_?|celu_?|softplus|tanh_?|"
    r"sigmoid_?|hardtanh_?|hardswish|hardsigmoid|clamp(_min|_max)?_?|clip_?|abs_?|sqrt|exp|neg|square|pow|"
    r"contiguous|clone|float|double|half|bfloat16|to|type|detach|"
    r"(feature_|alpha_|feature_alpha_)?dropout[123]?d?_?|(batch|instance|layer|group)_norm"
)
_SPATIAL = re.compile(r"(adaptive_)?(avg|max)_?pool[123]d|lp_pool[123]d|interpolate|upsample(_nearest|_bilinear)?|pad")
_SPATIAL_MODULES = re.compile(
    r"(Adaptive)?(Avg|Max|LP)Pool[123]d|Upsample\w*|(Zero|Reflection|Replication|Circular|Constant)Pad[123]d"
)
_LINEAR = (F.linear, torch._C._nn.linear)
_CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d, torch.conv1d, torch.conv2d, torch.conv3d)


Layouts = dict[fx.Node, Layout | None]


def layouts(graph: fx.Graph, owner: nn.Module, shapes: Shapes | None = None) -> Layouts:
    """Channels and axis of the tensors at all nodes; None where the graph does not tell, nor their shapes."""
    known: Layouts = {}
    for node in graph.nodes:
        known[node] = checked(_read(node, owner, known), None if shapes is None else shapes.get(node))
    return known


def checked(found: Layout | None, shape: tuple[int, ...] | None) -> Layout | None:
    """What the graph tells, if it fits the shape; else what the shape tells."""
    if shape is None:
        return found
    if found is not None:
        channels, axis = found
        place = axis + len(shape) if axis < 0 else axis
        if place < len(shape) and shape[place] == channels:
            return found
        if axis == 1 and len(shape) and shape[0] == channels:  # a convolution without batch axis
            return channels, 0
    return (shape[1], 1) if len(shape) == 2 else None


def _read(node: fx.Node, owner: nn.Module, known: Layouts) -> Layout | None:
    if node.op == "call_module":
        return layout_of(owner.get_submodule(str(node.target)), _before(node, known))
    if node.op not in ("call_function", "call_method"):
        return None
    name = target_name(node)
    if node.op == "call_function" and (node.target in _LINEAR or node.target in _CONVOLUTIONS):
        weight = _tensor(argument(node, 1, "weight", None), owner)
        return None if weight is None else (weight.shape[0], -1 if node.target in _LINEAR else 1)
    if name in ("cat", "concat", "concatenate"):
        return _concatenated(node, known)
    if _THROUGH.fullmatch(name):
        return _before(node, known)
    if _SPATIAL.fullmatch(name):
        found = _before(node, known)
        return found if found and found[1] == 1 else None
    return None


def layout_of(module: Any, before: Layout | None) -> Layout | None:
    """Channels and axis of what a module gives, if it is given `before`."""
    if isinstance(module, _TRANSPOSED):
        return module.out_channels, 1
    if is_weight_layer(module):
        return (module.out_features, -1) if isinstance(module, nn.Linear) else (module.out_channels, 1)
    if isinstance(module, _NORMS):
        return module.num_features, 1
    if isinstance(module, nn.GroupNorm):
        return module.num_channels, 1
    if isinstance(module, nn.Embedding):
        return module.embedding_dim, -1
    if isinstance(module, nn.LayerNorm):
        return before or ((module.normalized_shape[0], -1) if len(module.normalized_shape) == 1 else None)
    if _SPATIAL_MODULES.fullmatch(type(module).__name__):
        return before if before and before[1] == 1 else None
    through = type(module).__module__ in ("torch.nn.modules.activation", "torch.nn.modules.dropout")
    elementwise = through and not isinstance(module, (nn.MultiheadAttention, nn.GLU))
    return before if elementwise or isinstance(module, nn.Identity) or hasattr(module, "channel_slopes") else None


def _before(node: fx.Node, known: Layouts) -> Layout | None:
    """The layout of the first operand that has one."""
    return next((found for one in node.all_input_nodes if (found := known.get(one)) is not None), None)


def _concatenated(node: fx.Node, known: Layouts) -> Layout | None:
    """Of tensors joined along their channels, or along another axis."""
    operands = argument(node, 0, "tensors", ())
    axis = argument(node, 1, "dim", 0)
    found = [known.get(one) for one in operands] if isinstance(operands, (list, tuple)) else []
    told = [one for one in found if one is not None]
    if not told or len(told) < len(found) or len({place for _, place in told}) > 1:
        return None
    channels, place = told[0]
    return (sum(count for count, _ in told), place) if axis == place else (channels, place)


def _tensor(node: Any, owner: nn.Module) -> Any:
    """The parameter or buffer that a node names."""
    if not isinstance(node, fx.Node) or node.op != "get_attr":
        return None
    prefix, _, name = str(node.target).rpartition(".")
    return getattr(owner.get_submodule(prefix), name, None)

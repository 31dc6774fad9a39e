"""Which activation of the catalogue a torch module or function is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F
from torch.nn.parameter import is_lazy

from ..activations import Activation, PiecewiseLinear, TwoSlope, activation
from ..activations.base import label
from .clipped import CST, CReLU, ReLUTau, SoftThreshold
from .module_of import Elementwise
from .tracing import argument

PLAIN_FUNCTIONS: dict[Any, str] = {
    F.relu: "relu",
    torch.relu: "relu",
    torch.relu_: "relu",
    F.relu6: "relu6",
    torch.tanh: "tanh",
    F.tanh: "tanh",
    torch.sigmoid: "sigmoid",
    F.sigmoid: "sigmoid",
    torch.erf: "erf",
    torch.sin: "sin",
    torch.cos: "cos",
    torch.exp: "exp",
    torch.abs: "abs",
    F.silu: "silu",
    F.mish: "mish",
    F.selu: "selu",
    torch.selu: "selu",
}
"""Functions without parameters, known by identity: a function of the user's own may be called relu too."""

PLAIN_METHODS = {
    "relu": "relu",
    "relu_": "relu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "erf": "erf",
    "sin": "sin",
    "cos": "cos",
    "exp": "exp",
    "abs": "abs",
}

_PLAIN_MODULES: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.Tanh: "tanh",
    nn.Sigmoid: "sigmoid",
    nn.SiLU: "silu",
    nn.Mish: "mish",
    nn.SELU: "selu",
}
_TAIL = 1e-6  # of softplus beyond its threshold, where torch goes over to x


def phi_of_module(module: nn.Module) -> Activation | None:
    """The activation that a module is, None if it is none of the catalogue, or has several or unusable slopes."""
    kind = type(module)
    if kind in _PLAIN_MODULES:
        return named(_PLAIN_MODULES[kind])
    make = _WITH_PARAMETERS.get(kind)
    return make(module) if make else None


def phi_of_call(node: fx.Node) -> Activation | None:
    """The activation that a recorded call of a function or method is, None if it is none of the catalogue."""
    method = node.op == "call_method"
    plain: dict[Any, str] = PLAIN_METHODS if method else PLAIN_FUNCTIONS
    if node.target in plain:
        return named(plain[node.target])
    if method:
        return None
    if node.target is F.gelu:
        return named("gelu" if argument(node, 1, "approximate", "none") == "none" else "gelu_tanh")
    if node.target is F.elu:
        return named(f"elu:{float(argument(node, 1, 'alpha', 1.0))!r}")
    if node.target in (F.leaky_relu, F.leaky_relu_):
        slope = argument(node, 1, "negative_slope", 0.01)
        return leaky("leaky_relu", slope) if isinstance(slope, (int, float)) and abs(slope) < math.inf else None
    return None


def same_function(one: Activation, other: Activation) -> bool:
    """Whether two activations are one function, perhaps under two names, such as leaky_relu:0.25 and prelu."""
    if isinstance(one, PiecewiseLinear) and isinstance(other, PiecewiseLinear):
        return (one.a, one.b, one.t, one.c) == (other.a, other.b, other.t, other.c)
    return one == other


def leaky(kind: str, slope: float) -> TwoSlope:
    """The activation x for x > 0, slope·x for x < 0."""
    return TwoSlope(label(kind, slope), float(slope))


def named(name: str) -> Activation:
    """The catalogue's activation."""
    found: Activation = activation(name)
    return found


def _leaky_relu(module: Any) -> Activation | None:
    slope = module.negative_slope
    return leaky("leaky_relu", slope) if isinstance(slope, (int, float)) and abs(slope) < math.inf else None


def _prelu(module: Any) -> Activation | None:
    if is_lazy(module.weight) or module.weight.is_meta:
        return None
    slopes = module.weight.detach().double().unique().tolist()
    return leaky("prelu", slopes[0]) if len(slopes) == 1 and math.isfinite(slopes[0]) else None


def _gelu(module: Any) -> Activation:
    return named("gelu" if module.approximate == "none" else "gelu_tanh")


def _softplus(module: Any) -> Activation | None:
    beta, threshold = float(module.beta), float(module.threshold)
    return named(f"softplus:{beta!r}") if beta > 0 and threshold >= 20 - _TAIL else None


def _hard_tanh(module: Any) -> Activation | None:
    low, high = float(module.min_val), float(module.max_val)
    return named(f"hard_tanh:{high!r}") if low == -high < 0 else None


_WITH_PARAMETERS: dict[type[nn.Module], Callable[[Any], Activation | None]] = {
    nn.LeakyReLU: _leaky_relu,
    nn.PReLU: _prelu,
    nn.GELU: _gelu,
    nn.ELU: lambda module: named(f"elu:{float(module.alpha)!r}"),
    nn.Softplus: _softplus,
    nn.Hardtanh: _hard_tanh,
    nn.Softshrink: lambda module: named(f"st:{float(module.lambd)!r}"),
    **dict.fromkeys((ReLUTau, SoftThreshold, CReLU, CST, Elementwise), lambda module: module.phi),
}

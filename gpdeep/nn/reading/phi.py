"""Which activation of the catalogue a torch module or function is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F
from torch.nn.parameter import is_lazy

from ...activations import Activation, PiecewiseLinear, TwoSlope, activation
from ...activations.base import label
from ..modules.clipped import CST, CReLU, ReLUTau, SoftThreshold
from ..modules.module_of import Elementwise
from .tracing import argument

_ALSO_METHODS = ("relu", "tanh", "sigmoid", "erf", "sin", "cos", "exp", "abs")
_PLAIN_METHODS = {name + end: name for name in _ALSO_METHODS for end in ("", "_")}  # also in place
# Functions without parameters, known by identity: a function of the user's own may be called relu too.
_PLAIN_FUNCTIONS: dict[Any, str] = {
    **{getattr(torch, called): name for called, name in _PLAIN_METHODS.items()},
    F.relu: "relu",
    F.relu6: "relu6",
    F.tanh: "tanh",
    F.sigmoid: "sigmoid",
    F.silu: "silu",
    F.mish: "mish",
    F.selu: "selu",
    torch.selu: "selu",
    torch.selu_: "selu",
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
    if kind is nn.PReLU:
        return _prelu(module)
    if kind in (ReLUTau, SoftThreshold, CReLU, CST, Elementwise):
        found: Activation = module.phi
        return found
    if kind not in _FAMILY_MODULES:
        return None
    make, parameters = _FAMILY_MODULES[kind]
    return make(*(getattr(module, name) for name in parameters))


def phi_of_call(node: fx.Node) -> Activation | None:
    """The activation that a recorded call of a function or method is, None if it is none of the catalogue."""
    method = node.op == "call_method"
    plain: dict[Any, str] = _PLAIN_METHODS if method else _PLAIN_FUNCTIONS
    if node.target in plain:
        return named(plain[node.target])
    families: dict[Any, _Family] = _FAMILY_METHODS if method else _FAMILY_FUNCTIONS
    if node.target not in families:
        return None
    make, parameters = families[node.target]
    return make(*(argument(node, k, name, default) for k, (name, default) in enumerate(parameters.items(), 1)))


def same_function(one: Activation, other: Activation) -> bool:
    """Whether two activations are one function, perhaps under two names, such as leaky_relu:0.25 and prelu."""
    if isinstance(one, PiecewiseLinear) and isinstance(other, PiecewiseLinear):
        return (one.a, one.b, one.t, one.c) == (other.a, other.b, other.t, other.c)
    return one == other


def leaky(kind: str, slope: float) -> TwoSlope:
    """The activation x for x > 0, slope·x for x < 0."""
    return TwoSlope(label(kind, slope), float(slope))


def phi_of_slope(slope: float) -> Activation:
    """What a channel with this slope is: relu, identity or prelu."""
    return named("relu") if slope == 0 else named("identity") if slope == 1 else leaky("prelu", slope)


def table_name(phi: Activation) -> str:
    """What tables call a function: linear where its two slopes are one, as path lengths do, else its name."""
    return "linear" if isinstance(phi, TwoSlope) and phi.negative == phi.positive else phi.name


def named(name: str) -> Activation:
    """The catalogue's activation."""
    found: Activation = activation(name)
    return found


def _prelu(module: Any) -> Activation | None:
    if is_lazy(module.weight) or module.weight.is_meta:
        return None
    slopes = module.weight.detach().double().unique().tolist()
    return leaky("prelu", slopes[0]) if len(slopes) == 1 and math.isfinite(slopes[0]) else None


def _numbers(*values: Any) -> bool:
    """Whether these are numbers: a recorded call may compute them, a module may hold tensors."""
    return all(isinstance(value, (int, float)) and not math.isnan(value) for value in values)


def _leaky_relu(slope: Any) -> Activation | None:
    return leaky("leaky_relu", slope) if _numbers(slope) and abs(slope) < math.inf else None


def _gelu(approximate: Any) -> Activation:
    return named("gelu" if approximate == "none" else "gelu_tanh")


def _elu(alpha: Any) -> Activation | None:
    return named(f"elu:{float(alpha)!r}") if _numbers(alpha) else None


def _softplus(beta: Any, threshold: Any) -> Activation | None:
    usable = _numbers(beta, threshold) and beta > 0 and threshold >= 20 - _TAIL
    return named(f"softplus:{float(beta)!r}") if usable else None


def _soft_threshold(tau: Any) -> Activation | None:
    return named(f"st:{float(tau)!r}") if _numbers(tau) else None


def _clamp(low: Any, high: Any) -> Activation | None:
    """min(max(x, low), high) where it is odd or starts at 0; None is no bound."""
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    if not _numbers(low, high):
        return None
    if low == -high and 0 < high < math.inf:
        return named(f"hard_tanh:{float(high)!r}")
    if low == 0 and high > 0:
        return named({math.inf: "relu", 6: "relu6"}.get(high, f"crelu:0,{float(high)!r}"))
    return None


# What makes the activation of its parameters, and what torch calls these, with the defaults of the function: the
# attributes of a module have the same names.
_Family = tuple[Callable[..., Activation | None], dict[str, Any]]
_LEAKY_RELU: _Family = _leaky_relu, {"negative_slope": 0.01}
_GELU: _Family = _gelu, {"approximate": "none"}
_ELU: _Family = _elu, {"alpha": 1.0}
_SOFTPLUS: _Family = _softplus, {"beta": 1.0, "threshold": 20.0}
_SOFTSHRINK: _Family = _soft_threshold, {"lambd": 0.5}
_HARDTANH: _Family = _clamp, {"min_val": -1.0, "max_val": 1.0}
_CLAMP: _Family = _clamp, {"min": None, "max": None}
_CLAMP_MIN: _Family = (lambda low: _clamp(low, None)), {"min": None}

_FAMILY_MODULES: dict[type[nn.Module], _Family] = {
    nn.LeakyReLU: _LEAKY_RELU,
    nn.GELU: _GELU,
    nn.ELU: _ELU,
    nn.Softplus: _SOFTPLUS,
    nn.Softshrink: _SOFTSHRINK,
    nn.Hardtanh: _HARDTANH,
}
_FAMILY_FUNCTIONS: dict[Any, _Family] = {
    F.leaky_relu: _LEAKY_RELU,
    F.leaky_relu_: _LEAKY_RELU,
    F.gelu: _GELU,
    F.elu: _ELU,
    F.elu_: _ELU,
    F.softplus: _SOFTPLUS,
    F.softshrink: _SOFTSHRINK,
    F.hardtanh: _HARDTANH,
    F.hardtanh_: _HARDTANH,
    torch.clamp: _CLAMP,
    torch.clamp_: _CLAMP,
    torch.clip: _CLAMP,
    torch.clip_: _CLAMP,
    torch.clamp_min: _CLAMP_MIN,
}
_FAMILY_METHODS = dict.fromkeys(("clamp", "clamp_", "clip", "clip_"), _CLAMP) | {"clamp_min": _CLAMP_MIN}

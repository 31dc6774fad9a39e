r"""Clipped ramps that keep one bit an entry for the backward pass, and what a batch of members applies.

    CReLU(x) = min((x - τ)_+, m)              slope 1 where 0 < y < m, else 0
    CST(x)   = x - clamp(x, -τ, τ), clipped to ±m      slope 1 where 0 < |y| < m, else 0

Composed of torch's operations they would keep two or more tensors of the size of x; the mask says all that the
gradient needs. Values and gradients are those of `gpdeep.nn.CReLU` and `gpdeep.nn.CST`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch

from ...activations import Activation
from .clipped import CST, CReLU
from .module_of import Elementwise, module_of


class _Ramp(torch.autograd.Function):  # type: ignore[misc]
    """y = ramp(x) whose slope is 1 where 0 < |y| < m and 0 elsewhere."""

    @staticmethod
    def forward(ctx: Any, x: Any, tau: float, m: float, odd: bool) -> Any:
        y = torch.clamp(x - torch.clamp(x, -tau, tau), -m, m) if odd else torch.clamp(x - tau, 0.0, m)
        size = y.abs() if odd else y
        ctx.save_for_backward((size > 0) & (size < m))
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> tuple[Any, None, None, None]:
        (mask,) = ctx.saved_tensors
        return gradient * mask, None, None, None


def masked(module: Any) -> Callable[[Any], Any]:
    """What `module` applies, with one mask kept where it is a clipped ramp."""
    if not isinstance(module, (CReLU, CST)) or (isinstance(module, CST) and not module.tau):  # slope 1 at 0
        function: Callable[[Any], Any] = module
        return function

    def ramp(x: Any) -> Any:
        tau, m = module.ends(x.dtype)
        return _Ramp.apply(x, tau, m, isinstance(module, CST))

    return ramp


def _fixed(phi: Activation) -> Any:
    """A module that applies φ, without parameters."""
    module = module_of(phi)
    return Elementwise(phi) if any(True for _ in module.parameters()) else module


def elementwise(phis: tuple[Activation, ...]) -> Callable[[Any], Any]:
    """The function that applies φ_m to member m of a tensor (M, ...)."""
    groups = [(len(list(same)), masked(_fixed(phi))) for phi, same in itertools.groupby(phis)]
    if len(groups) == 1:
        return groups[0][1]
    sizes = [size for size, _ in groups]

    def apply(h: Any) -> Any:
        return torch.cat([phi(part) for part, (_, phi) in zip(h.split(sizes), groups, strict=True)])

    return apply

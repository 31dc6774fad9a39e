"""Rules for modules that are read as a whole: activations with slopes of their own, and normalisations by hand."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
from torch import nn

from ...activations import Activation, Mixture, PiecewiseLinear
from ...result import FloatArray
from ..modules.clipped import Thresholded
from ..modules.module_of import Elementwise
from .call import Call
from .channel_labels import Tracked
from .rules import Rule

_NORM = re.compile(r"Norm(\dd)?$")


def rule_of_module(module: nn.Module) -> Rule | None:
    """The rule of a module that is read as a whole, None for others: what they call is seen.

    These are modules with a method `channel_slopes`, those of gpdeep that apply an activation, and modules of the
    user's own whose class is called a norm and that hold no others (RMSNorm, LayerNorm2d, FrozenBatchNorm2d).
    """
    if callable(getattr(module, "channel_slopes", None)):
        return with_slopes
    if isinstance(module, (Thresholded, Elementwise)):
        return applied
    own = not type(module).__module__.startswith("torch.")
    if own and _NORM.search(type(module).__name__) and next(module.children(), None) is None:
        return norm
    return None


def with_slopes(call: Call) -> Tracked:
    """A slope for each channel along `channel_dim`, or for each unit: it is linear iff its slope is exactly 1."""
    module: Any = call.module
    slopes = module.channel_slopes().detach().cpu().double().numpy()
    axis = int(getattr(module, "channel_dim", 1))
    active = None
    if getattr(module, "granularity", "channel") == "unit":
        units = module.slopes().detach().cpu().double()
        call.require_finite(units.numpy())
        place = axis % (units.ndim + 1) - 1
        active = (units != 1).double().movedim(place, 0).flatten(1).mean(dim=1).numpy()
        even = (units == torch.as_tensor(slopes).reshape([-1 if k == place else 1 for k in range(units.ndim)])).all()
        slopes = slopes if bool(even) else None
    kind = "relu" if slopes is not None and np.isin(slopes, (0, 1)).all() else "prelu"
    return call.activation(kind, slopes=slopes, active=active, axis=axis)


def applied(call: Call) -> Tracked:
    """An activation of gpdeep's, by its slopes where it has two."""
    module: Any = call.module
    phi: Activation = module.phi
    tracked = call.first
    if isinstance(phi, Mixture):
        width = tracked.shape[-1]
        ends = [round(width * share) for share in np.cumsum(phi.shares).tolist()]
        sizes = np.diff([0, *ends[:-1], width])
        pairs = [_slope(part) for part in phi.parts]
        active = np.repeat([1.0 if p is None else float(p[0] != 1) for p in pairs], sizes)
        slopes: FloatArray | None = None
        if all(p is not None and p[1] == 1 for p in pairs):
            slopes = np.repeat([p[0] for p in pairs if p is not None], sizes)
        return call.activation(phi.name, slopes=slopes, active=active, axis=-1)
    pair = _slope(phi)
    if pair is None:
        return call.activation(phi.name)
    made = call.activation(phi.name, slopes=pair[0])
    return made if pair[1] == 1 else call.copy("scale", power=pair[1] ** 2, of=made)


def _slope(phi: Activation) -> tuple[float, float] | None:
    """The smaller slope over the larger, and the larger, of a function with two slopes that meet in 0."""
    if not isinstance(phi, PiecewiseLinear) or any(t != 0 for t in phi.t) or phi.a != 0:
        return None
    negative, positive = phi.b, phi.b + sum(phi.c)
    large, small = sorted((negative, positive), key=abs, reverse=True)
    return (small / large, abs(large)) if large else None


def norm(call: Call) -> Tracked:
    """A normalisation of the user's own."""
    if tuple(call.result.shape) != call.first.shape:
        call.refuse("it is called a norm and changes the shape")
    return call.normalise(None if "Batch" in call.name or "Instance" in call.name else 1)

"""What an activation is to the theory, and the catalogue by name.

`activation` finds one by its name; `PiecewiseLinear` (exact), `Smooth` (analytic), `PiecewiseSmooth` and `Mixture` make
new ones, `from_callable` takes a function of your own.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import Activation, Moments
    from .catalogue import NAMES, RELU, activation, parse_activation
    from .mixture import Mixture
    from .piecewise_linear import PiecewiseLinear
    from .piecewise_smooth import PiecewiseSmooth
    from .smooth import Smooth
    from .two_slope import TwoSlope
    from .user_function import from_callable

_HOME = {
    "Activation": "base",
    "Mixture": "mixture",
    "Moments": "base",
    "NAMES": "catalogue",
    "PiecewiseLinear": "piecewise_linear",
    "PiecewiseSmooth": "piecewise_smooth",
    "RELU": "catalogue",
    "Smooth": "smooth",
    "TwoSlope": "two_slope",
    "activation": "catalogue",
    "from_callable": "user_function",
    "parse_activation": "catalogue",
}

__all__ = [
    "NAMES",
    "RELU",
    "Activation",
    "Mixture",
    "Moments",
    "PiecewiseLinear",
    "PiecewiseSmooth",
    "Smooth",
    "TwoSlope",
    "activation",
    "from_callable",
    "parse_activation",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gpdeep.activations' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)

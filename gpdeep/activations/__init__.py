"""What an activation is to the theory, and the catalogue by name.

`activation` finds one by its name; `PiecewiseLinear` (exact), `Smooth` (analytic), `PiecewiseSmooth` and `Mixture` make
new ones, `from_callable` takes a function of your own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazy_loader import attach

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
    "base": ["Activation", "Moments"],
    "catalogue": ["NAMES", "RELU", "activation", "parse_activation"],
    "mixture": ["Mixture"],
    "piecewise_linear": ["PiecewiseLinear"],
    "piecewise_smooth": ["PiecewiseSmooth"],
    "smooth": ["Smooth"],
    "two_slope": ["TwoSlope"],
    "user_function": ["from_callable"],
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

__getattr__, __dir__, _ = attach(__name__, submod_attrs=_HOME)

"""gpdeep: how deep can this network be, and why?

Theory of deep networks at initialisation and along their depth. The names below are the public page; each is
imported when it is first used, so ``import gpdeep`` is light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazy_loader import attach

if TYPE_CHECKING:
    from . import activations, agreement, data, finite, gaussian, leaky, linearize, meanfield, nn, plots, sparse
    from .activations import Mixture, PiecewiseLinear, Smooth, activation, from_callable
    from .architecture import Architecture
    from .depth import DepthPrediction, find_width, predict_depth
    from .errors import (
        ConvergenceError,
        DomainError,
        GpdeepError,
        InfeasibleError,
        MemoryBudgetError,
        MissingExtraError,
        ValidityWarning,
    )
    from .result import load

__version__ = "0.6.0"

_HOME = {
    "activations": ["Mixture", "PiecewiseLinear", "Smooth", "activation", "from_callable"],
    "architecture": ["Architecture"],
    "depth": ["DepthPrediction", "find_width", "predict_depth"],
    "errors": [
        "ConvergenceError",
        "DomainError",
        "GpdeepError",
        "InfeasibleError",
        "MemoryBudgetError",
        "MissingExtraError",
        "ValidityWarning",
    ],
    "result": ["load"],
}
_ROOMS = (
    "activations",
    "agreement",
    "data",
    "finite",
    "gaussian",
    "leaky",
    "linearize",
    "meanfield",
    "nn",
    "plots",
    "sparse",
)

__all__ = [
    "Architecture",
    "ConvergenceError",
    "DepthPrediction",
    "DomainError",
    "GpdeepError",
    "InfeasibleError",
    "MemoryBudgetError",
    "MissingExtraError",
    "Mixture",
    "PiecewiseLinear",
    "Smooth",
    "ValidityWarning",
    "activation",
    "activations",
    "agreement",
    "data",
    "find_width",
    "finite",
    "from_callable",
    "gaussian",
    "leaky",
    "linearize",
    "load",
    "meanfield",
    "nn",
    "plots",
    "predict_depth",
    "sparse",
]

__getattr__, __dir__, _ = attach(__name__, submodules=_ROOMS, submod_attrs=_HOME)

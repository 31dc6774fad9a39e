"""gpdeep: how deep can this network be, and why?

Theory of deep networks at initialisation and along their depth. The names below are the public page; each is
imported when it is first used, so ``import gpdeep`` is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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

__version__ = "0.5.0"

_HOME = {
    "Architecture": "architecture",
    "ConvergenceError": "errors",
    "DepthPrediction": "depth",
    "DomainError": "errors",
    "GpdeepError": "errors",
    "InfeasibleError": "errors",
    "MemoryBudgetError": "errors",
    "MissingExtraError": "errors",
    "Mixture": "activations",
    "PiecewiseLinear": "activations",
    "Smooth": "activations",
    "ValidityWarning": "errors",
    "activation": "activations",
    "find_width": "depth",
    "from_callable": "activations",
    "load": "result",
    "predict_depth": "depth",
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


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'gpdeep' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])

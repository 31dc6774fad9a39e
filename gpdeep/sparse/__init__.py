"""Sparsifying activations: why they are unstable, and which clip, weights and biases make them trainable.

`design` goes from a wanted sparsity to the clip level, σ_w and σ_b; `instability` says what goes wrong without the
clip; `escape_probability` how often a network of finite width loses its variance all the same, layer by layer, and
`sample_variances` shows it path by path. `largest_slope` and `smallest_width` turn that around. `clip_level`,
`threshold`, `fold`, `shares` and the estimates of `fluctuations` are the pieces; `*_curves` what pictures show.
Each is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clip_design import design
    from .clipping import clip_curvature, clip_level, clip_slope
    from .curves import ClipCurves, EscapeCurve, VarianceCurves, clip_curves, escape_curve, variance_curves
    from .design_result import Design
    from .escape import EscapeProbability, escape_probability
    from .exit_time import mean_exit_time
    from .fluctuations import gradient_spread, kramers_rate, stationary_fluctuation
    from .fold_point import Fold, fold
    from .safe_slope import largest_slope, smallest_width
    from .tangency import Instability, instability
    from .thresholds import threshold
    from .unit_shares import Shares, shares
    from .variance_chain import sample_variances

_HOME = {
    "ClipCurves": "curves",
    "Design": "design_result",
    "EscapeCurve": "curves",
    "EscapeProbability": "escape",
    "Fold": "fold_point",
    "Instability": "tangency",
    "Shares": "unit_shares",
    "VarianceCurves": "curves",
    "clip_curvature": "clipping",
    "clip_curves": "curves",
    "clip_level": "clipping",
    "clip_slope": "clipping",
    "design": "clip_design",
    "escape_curve": "curves",
    "escape_probability": "escape",
    "fold": "fold_point",
    "gradient_spread": "fluctuations",
    "instability": "tangency",
    "kramers_rate": "fluctuations",
    "largest_slope": "safe_slope",
    "mean_exit_time": "exit_time",
    "sample_variances": "variance_chain",
    "shares": "unit_shares",
    "smallest_width": "safe_slope",
    "stationary_fluctuation": "fluctuations",
    "threshold": "thresholds",
    "variance_curves": "curves",
}

__all__ = [
    "ClipCurves",
    "Design",
    "EscapeCurve",
    "EscapeProbability",
    "Fold",
    "Instability",
    "Shares",
    "VarianceCurves",
    "clip_curvature",
    "clip_curves",
    "clip_level",
    "clip_slope",
    "design",
    "escape_curve",
    "escape_probability",
    "fold",
    "gradient_spread",
    "instability",
    "kramers_rate",
    "largest_slope",
    "mean_exit_time",
    "sample_variances",
    "shares",
    "smallest_width",
    "stationary_fluctuation",
    "threshold",
    "variance_curves",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gpdeep.sparse' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)

"""Sparsifying activations: why they are unstable, and which clip, weights and biases make them trainable.

`design` goes from a wanted sparsity to the clip level, σ_w and σ_b; `instability` says what goes wrong without the
clip; `escape_probability` how often a network of finite width loses its variance all the same, layer by layer, and
`sample_variances` shows it path by path. `largest_slope` and `smallest_width` turn that around. `clip_level`,
`threshold`, `fold`, `shares` and the estimates of `fluctuations` are the pieces; `*_curves` what pictures show.
Each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazy_loader import attach

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
    "clip_design": ["design"],
    "clipping": ["clip_curvature", "clip_level", "clip_slope"],
    "curves": ["ClipCurves", "EscapeCurve", "VarianceCurves", "clip_curves", "escape_curve", "variance_curves"],
    "design_result": ["Design"],
    "escape": ["EscapeProbability", "escape_probability"],
    "exit_time": ["mean_exit_time"],
    "fluctuations": ["gradient_spread", "kramers_rate", "stationary_fluctuation"],
    "fold_point": ["Fold", "fold"],
    "safe_slope": ["largest_slope", "smallest_width"],
    "tangency": ["Instability", "instability"],
    "thresholds": ["threshold"],
    "unit_shares": ["Shares", "shares"],
    "variance_chain": ["sample_variances"],
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

__getattr__, __dir__, _ = attach(__name__, submod_attrs=_HOME)

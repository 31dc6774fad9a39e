r"""How steep the variance map may be before a second stable variance appears: the fold.

    D(q) = (V(q) - q*)/(q - q*),      fold: max over q > q* of D = 1

V is convex at q* for large slopes η and thresholds h; then it may meet the diagonal again, at an unstable q_u > q* and
a stable q_2 > q_u where gradients explode (χ₁ > 1). D starts at η < 1 and falls to 0 in the end as V is bounded; beyond
the fold it exceeds 1 in between. In units of √q* the fold depends on h alone, the same for CReLU and CST.

Found here; we do not know a published statement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..activations.piecewise_linear import crelu
from ..gaussian.arguments import real
from ..meanfield.roots import bracketed_root
from .clipping import clip_curvature, clip_level, clip_slope
from .families import edge_layer
from .thresholds import FARTHEST

_GRID = np.log(np.concatenate([1 + np.geomspace(1e-3, 1.0, 24)[:-1], np.geomspace(2.0, 1e4, 40)]))
_ZOOMS = 6  # the last grid is 1e-6 fine, so that D is known to 1e-12
_LEAST_SLOPE = 1e-3
_SMALL, _MOST = 1e-3, 30.0  # clip levels


@dataclass(frozen=True)
class Fold:
    """Where the second fixed point appears, for a threshold h; lengths in units of √q*, variances of q*.

    Attributes
    ----------
    h : float
    slope : float
        η_fold: the largest V'(q*) without a second fixed point; 1 for h ≤ 0.
    m : float
        The clip level there; infinite for h ≤ 0.
    q : float
        Where V touches the diagonal; NaN for h ≤ 0.
    flat_slope : float
        The V'(q*) at which V''(q*) = 0: V is concave at q* below it, convex above; NaN for h ≤ 0 (always concave) and
        h ≥ √3 (always convex) or within 0.001 of that.
    """

    h: float
    slope: float
    m: float
    q: float
    flat_slope: float


def fold(h: float) -> Fold:
    r"""The fold of the variance map for the threshold h = τ/√q*, η_fold(h).

    Parameters
    ----------
    h : float
        Threshold, |h| < 4.1.

    Returns
    -------
    Fold
        Slopes to 1e-9.

    Raises
    ------
    DomainError
        h is no number in range.

    Notes
    -----
    One root in the level around a maximum in q, some 30 ms, remembered. q* V'' starts as -μh(3 - h²)/4 for small μ,
    hence the √3.

    Examples
    --------
    >>> found = fold(1.2815515655446004)  # 90 % zeros, one-sided
    >>> print(f"{found.slope:.4f} {found.m:.3f} {found.q:.3f} {found.flat_slope:.4f}")
    0.8760 1.516 2.048 0.4931
    """
    return _fold(real("h", h, -FARTHEST, FARTHEST, "a threshold in units of √q*"))


@lru_cache(maxsize=256)
def _fold(h: float) -> Fold:
    if h <= 0:
        return Fold(h, 1.0, math.inf, math.nan, math.nan)
    flat = _flat_slope(h)
    low, high = math.log(clip_level(h, _LEAST_SLOPE)), math.log(_MOST)
    mu = math.exp(bracketed_root(lambda x: _steepest(h, math.exp(x))[0] - 1, low, high))
    return Fold(h, clip_slope(h, mu), mu, _steepest(h, mu)[1], flat)


def _steepest(h: float, mu: float) -> tuple[float, float]:
    """The maximum of D over q > 1 and where it is, by ever finer grids about it."""
    layer = edge_layer(crelu(h, mu), 1.0)
    x = _GRID
    for _ in range(_ZOOMS):
        q = np.exp(x)
        d = (layer(q) - 1) / (q - 1)
        k = int(np.argmax(d))
        x = np.linspace(x[max(k - 1, 0)], x[min(k + 1, len(x) - 1)], 17)
    return float(d[k]), float(q[k])


def _flat_slope(h: float) -> float:
    """V'(q*) where V''(q*) = 0; NaN where that is nowhere, or nearer to m = 0 than can be told."""
    if clip_curvature(h, _SMALL) >= 0:
        return math.nan
    root = bracketed_root(lambda x: clip_curvature(h, math.exp(x)), math.log(_SMALL), math.log(_MOST))
    return clip_slope(h, math.exp(root))

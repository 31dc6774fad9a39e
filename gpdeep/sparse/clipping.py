r"""The slope of the variance map as a function of the clip level, and the level that gives a wanted slope.

On the edge of chaos at q*, for CReLU and CST alike, with h = τ/√q*, μ = m/√q*, T = h + μ, and f and Φ the normal
density and distribution,

    V'(q*) = 1 - μ f(T)/(Φ(T) - Φ(h)) = 1 - 1/I(h, μ),      I(h, μ) = ∫₀¹ exp(h μ y + μ² (y - y²/2)) dy.

Derivation: σ_w² = 1/E φ'² with E φ'² = k (Φ(T) - Φ(h)), k = 1 or 2 sides; by Stein's lemma dE φ²/dq = E φ'² + E φφ'',
and φφ'' is -m times the delta function at the clipped knots, so k and all but the last term cancel. Substituting
z = h + μy in Φ(T) - Φ(h) gives I.

As a function of μ, I is an average of exponentials of convex functions, so it is convex; I(h, 0) = 1 and I → ∞. For
h ≥ 0 it increases throughout, for h < 0 it dips first. Either way it takes each value above 1 exactly once: **for every
slope η in (0, 1) there is one clip level, and no other.** A slope of 1 takes m = ∞.

1 - μ f/(Φ - Φ) cancels as μ → 0; the integral of expm1 does not.

Derived here; that m is to be chosen by V'(q*) and V''(q*): Price, Daultry Ball, Lam, Jones & Tanner (2024),
arXiv 2402.16184.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import InfeasibleError
from ..gaussian.arguments import real
from ..gaussian.ramp_moments import normal_density, unit_rule
from ..meanfield.roots import bracketed_root

_LEAST_SLOPE = 1e-300
_LARGEST_EXPONENT = 30.0  # Gauss-Legendre with 40 nodes is exact to rounding below
_FARTHEST = 40.0  # f(T) is 0 in float64 beyond


def clip_slope(h: float, mu: float) -> float:
    r"""The slope V'(q*) on the edge of chaos of a threshold h clipped at μ, both in units of √q*.

        V'(q*) = 1 - 1/I(h, μ)

    Parameters
    ----------
    h : float
        Threshold τ/√q*, |h| < 37.
    mu : float
        Clip level m/√q*, positive.

    Returns
    -------
    float
        Relative error below 1e-13; negative for a small μ where h < 0.

    Raises
    ------
    DomainError
        An argument is out of range.

    Examples
    --------
    Small levels: V' ≈ hμ/2 + μ²/3, to the last digit.

    >>> print(f"{clip_slope(0.0, 1e-6):.12e}")
    3.333333333333e-13
    """
    h = real("h", h, -37.0, 37.0, "a threshold in units of √q*")
    mu = real("mu", mu, 0.0, math.inf, "a clip level in units of √q*")
    gap, excess = _gap_and_excess(h, mu)
    return 1 - gap if excess is None else excess * gap


def clip_level(h: float, slope: float) -> float:
    r"""The clip level μ, in units of √q*, at which V'(q*) has the wanted slope η.

        I(h, μ) = 1/(1 - η)

    Parameters
    ----------
    h : float
        Threshold τ/√q*, |h| < 37.
    slope : float
        η in (0, 1).

    Returns
    -------
    float
        The only μ there is; relative error about 1e-15 η/(dη/d ln μ).

    Raises
    ------
    DomainError
        An argument is not a number in range.
    InfeasibleError
        The slope is 1 or more, or 0 or less.

    Examples
    --------
    85 % exact zeros in a CReLU layer, and V'(q*) = 0.7:

    >>> mu = clip_level(1.0364333894937898, 0.7)
    >>> print(f"{mu:.4f} {clip_slope(1.0364333894937898, mu):.12f}")
    1.1704 0.700000000000
    """
    h = real("h", h, -37.0, 37.0, "a threshold in units of √q*")
    slope = real("slope", slope, -math.inf, math.inf, "the slope V'(q*)")
    check_slope(slope)
    complement = 1 - slope

    def g(x: float) -> float:
        gap, excess = _gap_and_excess(h, math.exp(x))
        if slope < 0.5:
            found = 1 - gap if excess is None else excess * gap
            return found / slope - 1
        return 1 - gap / complement

    # V' is hμ/2 + μ²/3 to leading order, so below the target at its tenth of what either term asks for alone
    low = 0.1 * min(slope / max(abs(h), 1.0), math.sqrt(slope))
    return math.exp(bracketed_root(g, math.log(low), math.log(_FARTHEST + abs(h))))


def clip_curvature(h: float, mu: float) -> float:
    r"""The curvature q* V''(q*) on the edge of chaos of a threshold h clipped at μ, both in units of √q*.

        q* V''(q*) = [h f(h) - f(T) (h + μT²)] / 2(Φ(T) - Φ(h))

    Parameters and errors as `clip_slope`.

    Returns
    -------
    float
        Absolute error below 1e-14 (1 + h⁴)(1 + 1/μ) for |h| ≤ 10: terms of order 1/μ cancel for small μ, leaving
        -μh(3 - h²)/4.

    Examples
    --------
    Without a clip h λ(h)/2, λ the inverse Mills ratio:

    >>> print(f"{clip_curvature(1.0, 30.0):.9f} {1.5251352761609813 / 2:.9f}")
    0.762567638 0.762567638
    """
    h = real("h", h, -37.0, 37.0, "a threshold in units of √q*")
    mu = real("mu", mu, 0.0, math.inf, "a clip level in units of √q*")
    gap, excess = _gap_and_excess(h, mu)
    top = h + mu
    if excess is not None:  # f(h)/f(T) = exp(hμ + μ²/2)
        return (h * math.expm1(h * mu + mu * mu / 2) - mu * top * top) * gap / (2 * mu)
    return (h * float(normal_density(h)) / _inside(h, top) - gap * (h / mu + top * top)) / 2


def check_slope(slope: float) -> None:
    """Refuse a slope that no clip level gives.

    Raises
    ------
    InfeasibleError
        It is not in (0, 1), or below 1e-300.
    """
    if slope >= 1:
        raise InfeasibleError(
            f"slope = {slope:g}: no clip level gives V'(q*) = {slope:g}.",
            "V'(q*) rises from 0 to 1 with the clip level; 1 is reached without clipping alone, where variances above "
            "q* escape (gpdeep.sparse.instability).",
            "Choose a slope below 1, such as 0.7.",
        )
    if slope < _LEAST_SLOPE:
        raise InfeasibleError(
            f"slope = {slope:g}: no clip level gives V'(q*) = {slope:g}.",
            "V'(q*) rises from 0 with the clip level; 0 is reached at m = 0, where every unit is silent.",
            "Choose a slope between 0 and 1, such as 0.7.",
        )


def _gap_and_excess(h: float, mu: float) -> tuple[float, float | None]:
    """1/I, and I - 1 where it is not huge."""
    if abs(h) * mu + mu * mu / 2 <= _LARGEST_EXPONENT:
        y, w = unit_rule()
        excess = float(w @ np.expm1(h * mu * y + mu * mu * (y - y * y / 2)))
        return 1 / (1 + excess), excess
    return float(mu * normal_density(h + mu)) / _inside(h, h + mu), None


def _inside(h: float, top: float) -> float:
    """Φ(T) - Φ(h)."""
    from scipy.special import ndtr  # here: importing gpdeep stays light

    return float(ndtr(-h) - ndtr(-top) if h > 0 else ndtr(top) - ndtr(h))

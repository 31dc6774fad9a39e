r"""Smooth activations whose expectations over pairs are formulas: what such a set of formulas is, erf and GELU.

    erf:   E φ(u)φ(v) = (2/π) asin(2K/P),    E φ'(u)φ'(v) = (4/π)/√(P² - 4K²),    P² = (1 + 2q₁)(1 + 2q₂)
    GELU:  E φ(u)φ(v) = K A + [q₁q₂ + K²(1/(1+q₁) + 1/(1+q₂) - 1)]/(2π√d),
           E φ'(u)φ'(v) = A + K/(2π√d) (1/(1+q₁) + 1/(1+q₂) + 1/d),
           d = (1+q₁)(1+q₂) - K²,   A = 1/4 + asin(K/√((1+q₁)(1+q₂)))/2π

With K = √(q₁q₂) cos θ: P² - 4K² = 1 + 2q₁ + 2q₂ + 4q₁q₂ sin²θ and d = 1 + q₁ + q₂ + q₁q₂ sin²θ have no cancellation.
Reference: Williams 1997, NeurIPS 9, eq. 11 (erf).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..result import FloatArray
from .base import Moments

OfPair = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class PairFormulas:
    """Formulas for one activation; None where there is none without cancellation.

    Attributes
    ----------
    covariance, slope_covariance : callable
        (k, q1, q2, xp) for arrays of the namespace xp: E φ(u)φ(v) and E φ'(u)φ'(v) for E uv = k.
    comonotone : callable
        (q1, q2): E φ(√q₁ z)φ(√q₂ z).
    slope_product : callable
        (theta, q1, q2): E φ'(u)φ'(v).
    gap, remainder, curvature_product : callable, optional
        (theta, q1, q2), (theta, q) and (theta, q), as in `Activation`.
    moments, derivative_moment, difference_second : callable, optional
        (q), (order, q) and (factor, q1, q2), as in `Activation`.
    largest_variance : float
        Up to which q the formulas stay within float64.
    """

    covariance: Callable[..., Any]
    slope_covariance: Callable[..., Any]
    comonotone: Callable[[FloatArray, FloatArray], FloatArray]
    slope_product: OfPair
    gap: OfPair | None = None
    remainder: Callable[[FloatArray, FloatArray], FloatArray] | None = None
    curvature_product: Callable[[FloatArray, FloatArray], FloatArray] | None = None
    moments: Callable[[FloatArray], Moments] | None = None
    derivative_moment: Callable[[int, FloatArray], FloatArray] | None = None
    difference_second: OfPair | None = None
    largest_variance: float = math.inf


# ---------------------------------------------------------------------- erf


def _erf_covariance(k: Any, q1: Any, q2: Any, xp: Any) -> Any:
    # one factor a row, one a column: products of vectors are cheaper than a matrix of square roots
    x = k * (2 / xp.sqrt(1 + 2 * q1)) * (1 / xp.sqrt(1 + 2 * q2))
    return xp.asin(x) * (2 / math.pi) if xp is not np else np.arcsin(x) * (2 / math.pi)


def _erf_slope_covariance(k: Any, q1: Any, q2: Any, xp: Any) -> Any:
    return (4 / math.pi) / xp.sqrt((1 + 2 * q1) * (1 + 2 * q2) - 4 * k * k)


def _erf_denominator(theta: FloatArray, q1: FloatArray, q2: FloatArray) -> FloatArray:
    """P² - 4K²."""
    return np.asarray(1 + 2 * q1 + 2 * q2 + 4 * q1 * q2 * np.sin(theta) ** 2)


def _erf_comonotone(q1: FloatArray, q2: FloatArray) -> FloatArray:
    return np.asarray((2 / math.pi) * np.arctan2(2 * np.sqrt(q1) * np.sqrt(q2), np.sqrt(1 + 2 * q1 + 2 * q2)))


def _erf_slope_product(theta: FloatArray, q1: FloatArray, q2: FloatArray) -> FloatArray:
    return np.asarray((4 / math.pi) / np.sqrt(_erf_denominator(theta, q1, q2)))


def _erf_gap(theta: FloatArray, q1: FloatArray, q2: FloatArray) -> FloatArray:
    r"""(2/π)(α - β), sin α = x₁ = 2√(q₁q₂)/P, sin β = x₁ cos θ, from sin and cos of the difference.

    sin(α-β) = x₁(c₂ - c₁) + (x₁ - x₂)c₁ with c₂ - c₁ = x₁² sin²θ/(c₁ + c₂): no subtraction is left.
    """
    p = np.sqrt((1 + 2 * q1) * (1 + 2 * q2))
    x = 2 * np.sqrt(q1) * np.sqrt(q2) / p
    c1 = np.sqrt(1 + 2 * q1 + 2 * q2) / p
    c2 = np.sqrt(_erf_denominator(theta, q1, q2)) / p
    sine = x * ((x * np.sin(theta)) ** 2 / (c1 + c2) + 2 * np.sin(theta / 2) ** 2 * c1)
    return np.asarray((2 / math.pi) * np.arctan2(sine, c1 * c2 + x * x * np.cos(theta)))


def _erf_remainder(theta: FloatArray, q: FloatArray) -> FloatArray:
    r"""(2/π)((x/c₁)(1 - ρ) - Δ), Δ = α - β as in `_erf_gap`, ρ = cos θ, T(t) = t - atan t.

    ρ ≥ 0: tan Δ has the denominator c₁c₂ + x²ρ > 0, and (x/c₁)(1-ρ) - tan Δ is a positive fraction; add T(tan Δ).
    ρ < 0: Δ = α + β' with sin β' = xr, r = -ρ; tan α = x/c₁, and xr/c₁ - tan β' = x³ r sin²θ/((c₁+c₂)c₁c₂); add
    T(tan α) and T(tan β').
    """
    theta, q = np.broadcast_arrays(theta, q)
    p = 1 + 2 * q
    x, c1 = 2 * q / p, np.sqrt(1 + 4 * q) / p
    c2 = np.sqrt(_erf_denominator(theta, q, q)) / p
    sin2, delta, rho = np.sin(theta) ** 2, 2 * np.sin(theta / 2) ** 2, np.cos(theta)
    r, acute = np.abs(rho), theta <= math.pi / 2
    below = c1 * c2 + x * x * r
    rise = x * x * sin2 / (c1 + c2) + delta * c1  # c₂ - ρc₁
    near = x * delta / c1 * x * x * r * rise / ((c1 + c2) * below) + _minus_arctan(
        np.where(acute, x * rise / below, 0.0)
    )
    far = x**3 * r * sin2 / ((c1 + c2) * c1 * c2) + _minus_arctan(x / c1) + _minus_arctan(x * r / c2)
    return np.asarray((2 / math.pi) * np.where(acute, near, far))


def _minus_arctan(t: FloatArray) -> FloatArray:
    """T - atan t for t ≥ 0, by its series below 0.4."""
    small = np.minimum(t, 0.4)
    series = np.zeros_like(small)
    for n in range(41, 2, -2):  # 0.4^40/43 = 3e-18
        series = (1.0 if n % 4 == 3 else -1.0) / n + small**2 * series
    return np.where(t < 0.4, small**3 * series, t - np.arctan(t))


def _erf_curvature_product(theta: FloatArray, q: FloatArray) -> FloatArray:
    return np.asarray((16 / math.pi) * q * np.cos(theta) * _erf_denominator(theta, q, q) ** -1.5)


ERF_FORM = PairFormulas(
    covariance=_erf_covariance,
    slope_covariance=_erf_slope_covariance,
    comonotone=_erf_comonotone,
    slope_product=_erf_slope_product,
    gap=_erf_gap,
    remainder=_erf_remainder,
    curvature_product=_erf_curvature_product,
)


# ---------------------------------------------------------------------- GELU


def _gelu_terms(k: Any, root: Any, q1: Any, q2: Any, xp: Any) -> tuple[Any, Any]:
    """E φφ and E φ'φ' from K and √d."""
    a1, a2 = 1 / (1 + q1), 1 / (1 + q2)
    angle = 0.25 + (np.arctan2(k, root) if xp is np else xp.atan2(k, root)) / (2 * math.pi)
    scaled = 1 / (2 * math.pi * root)
    return k * angle + (q1 * q2 + k * k * (a1 + a2 - 1)) * scaled, angle + k * scaled * (a1 + a2 + 1 / root**2)


def _gelu_covariance(k: Any, q1: Any, q2: Any, xp: Any) -> Any:
    return _gelu_terms(k, xp.sqrt((1 + q1) * (1 + q2) - k * k), q1, q2, xp)[0]


def _gelu_slope_covariance(k: Any, q1: Any, q2: Any, xp: Any) -> Any:
    return _gelu_terms(k, xp.sqrt((1 + q1) * (1 + q2) - k * k), q1, q2, xp)[1]


def _gelu_root(theta: FloatArray | float, q1: FloatArray, q2: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(1 + q1 + q2 + q1 * q2 * np.sin(theta) ** 2))


def _gelu_comonotone(q1: FloatArray, q2: FloatArray) -> FloatArray:
    return np.asarray(_gelu_terms(np.sqrt(q1) * np.sqrt(q2), _gelu_root(0.0, q1, q2), q1, q2, np)[0])


def _gelu_slope_product(theta: FloatArray, q1: FloatArray, q2: FloatArray) -> FloatArray:
    k = np.sqrt(q1) * np.sqrt(q2) * np.cos(theta)
    return np.asarray(_gelu_terms(k, _gelu_root(theta, q1, q2), q1, q2, np)[1])


def _gelu_gap(theta: FloatArray, q1: FloatArray, q2: FloatArray) -> FloatArray:
    r"""(K₀ - K)A₀ + K(A₀ - A) + [N₀/r₀ - N/r]/2π, N the bracket over 2π√d in E φφ, r = √d, 0 for θ = 0, K₀ = √(q₁q₂).

    With c = 1/(1+q₁) + 1/(1+q₂) - 1 and r² - r₀² = K₀² sin²θ the last is K₀² sin²θ (c/r₀ + N/(r₀ r (r + r₀))). The
    parts have both signs for large variances; the loss is a factor √q/5.
    """
    k0 = np.sqrt(q1) * np.sqrt(q2)
    sin2, delta, cos = np.sin(theta) ** 2, 2 * np.sin(theta / 2) ** 2, np.cos(theta)
    r0, r = _gelu_root(0.0, q1, q2), _gelu_root(theta, q1, q2)
    one_plus_c = 1 / (1 + q1) + 1 / (1 + q2)
    c = (1 - q1 * q2) / ((1 + q1) * (1 + q2))
    rest = k0**2 * sin2 / (r + r0)
    apart = np.arctan2(k0 * (rest + delta * r0), r * r0 + k0**2 * cos)  # asin K₀/a - asin K/a
    n = k0**2 * (one_plus_c - c * sin2)
    first = delta * (0.25 + np.arctan2(k0, r0) / (2 * math.pi)) + cos * apart / (2 * math.pi)
    return np.asarray(k0 * first + k0**2 * sin2 / (2 * math.pi * r0) * (c + n / (r * (r + r0))))


GELU_FORM = PairFormulas(_gelu_covariance, _gelu_slope_covariance, _gelu_comonotone, _gelu_slope_product, _gelu_gap)

r"""Closed forms for sin, cos and exp, with m = (q₁ + q₂)/2, K = √(q₁q₂) cos θ, K₀ = √(q₁q₂):

    sin:  E φ(u)φ(v) = e^{-m} sinh K      cos:  e^{-m} cosh K      exp:  e^{m+K}

    gap:  sin ½e^{K₀-m}(1 + e^{-2a})(1 - e^{-2b}),  cos ½e^{K₀-m}(1 - e^{-2a})(1 - e^{-2b}),  exp e^{m+K₀}(1 - e^{-2b})

with a = (K₀ + K)/2 = K₀ cos²(θ/2) and b = (K₀ - K)/2 = K₀ sin²(θ/2); K₀ - m = -(√q₁ - √q₂)²/2, so nothing overflows for
sin and cos. They follow from E e^{u+v} = e^{m+K} at real and imaginary arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..result import FloatArray
from .base import Moments
from .closed_forms import PairFormulas


def _sinh(k: Any, q1: Any, q2: Any, xp: Any) -> Any:
    """e^{-m} sinh K."""
    size = abs(k)
    return xp.exp(size - (q1 + q2) / 2) / 2 * -xp.expm1(-2 * size) * xp.sign(k)


def _cosh(k: Any, q1: Any, q2: Any, xp: Any) -> Any:
    """e^{-m} cosh K."""
    size = abs(k)
    return xp.exp(size - (q1 + q2) / 2) / 2 * (1 + xp.exp(-2 * size))


def _exp(k: Any, q1: Any, q2: Any, xp: Any) -> Any:
    """e^{m+K}."""
    return xp.exp((q1 + q2) / 2 + k)


def _apart(q1: FloatArray, q2: FloatArray) -> FloatArray:
    """e^{K₀-m} = e^{-(√q₁-√q₂)²/2}."""
    return np.asarray(np.exp(-((np.sqrt(q1) - np.sqrt(q2)) ** 2) / 2))


def _at_zero(sign: float, q1: FloatArray, q2: FloatArray) -> FloatArray:
    """e^{-m} sinh K₀ or e^{-m} cosh K₀."""
    twice = 2 * np.sqrt(q1) * np.sqrt(q2)
    return np.asarray(_apart(q1, q2) / 2 * (-np.expm1(-twice) if sign < 0 else 1 + np.exp(-twice)))


def _at_angle(sign: float, theta: FloatArray, q1: FloatArray, q2: FloatArray) -> FloatArray:
    """e^{-m} sinh K or cosh K; |K| - m = K₀ - m - K₀(1 - |cos θ|), so that large variances keep their digits."""
    k, cos = np.sqrt(q1) * np.sqrt(q2), np.cos(theta)
    fall = 2 * k * np.minimum(np.sin(theta / 2) ** 2, np.cos(theta / 2) ** 2)
    top = _apart(q1, q2) * np.exp(-fall) / 2
    twice = 2 * k * np.abs(cos)
    return np.asarray(top * -np.expm1(-twice) * np.sign(cos) if sign < 0 else top * (1 + np.exp(-twice)))


def _wave_gap(sign: float, theta: FloatArray, q1: FloatArray, q2: FloatArray) -> FloatArray:
    k = np.sqrt(q1) * np.sqrt(q2)
    a, b = k * np.cos(theta / 2) ** 2, k * np.sin(theta / 2) ** 2
    first = 1 + np.exp(-2 * a) if sign < 0 else -np.expm1(-2 * a)
    return np.asarray(_apart(q1, q2) / 2 * first * -np.expm1(-2 * b))


def _wave_remainder(sign: float, theta: FloatArray, q: FloatArray) -> FloatArray:
    """e^{-q}(S (cosh x - 1) - C (sinh x - x)), x = q(1 - cos θ); S, C = sinh q, cosh q for sin, exchanged for cos.

    Beyond x = 1 the two parts cancel; there e^{-q}(x C - S + sinh(q - x)) does not.
    """
    theta, q = np.broadcast_arrays(theta, q)
    x = 2 * q * np.sin(theta / 2) ** 2
    sinh, cosh = -np.expm1(-2 * q) / 2, (1 + np.exp(-2 * q)) / 2
    small = np.minimum(x, 1.0)
    even, odd = 2 * np.sinh(small / 2) ** 2, _sinh_minus(small)
    if sign < 0:
        rest, near = (np.exp(-x) - np.exp(np.minimum(x - 2 * q, 0.0))) / 2, sinh * even - cosh * odd
        return np.asarray(np.where(x < 1, near, x * cosh - sinh + rest))
    rest, near = (np.exp(-x) + np.exp(np.minimum(x - 2 * q, 0.0))) / 2, cosh * even - sinh * odd
    return np.asarray(np.where(x < 1, near, x * sinh - cosh + rest))


def _sinh_minus(x: FloatArray) -> FloatArray:
    """Sinh x - x for 0 ≤ x ≤ 1."""
    series = np.ones_like(x)
    for n in range(17, 3, -2):
        series = 1 + x * x / (n * (n - 1)) * series
    return x**3 / 6 * series


def _exp_minus(x: FloatArray) -> FloatArray:
    """X - (1 - e^{-x}) for x ≥ 0."""
    small = np.minimum(x, 0.5)
    series = np.ones_like(small)
    for n in range(16, 2, -1):
        series = 1 - small / n * series
    return np.where(x < 0.5, small**2 / 2 * series, x + np.expm1(-x))


def _sin_moments(q: FloatArray) -> Moments:
    y, decay = -np.expm1(-2 * q), np.exp(-2 * q)
    return Moments(
        mean=0 * decay,
        second=y / 2,
        fourth=y * y * (6 - 4 * y + y * y) / 8,
        slope_second=(1 + decay) / 2,
        d_second=decay,
        d2_second=-2 * decay,
        d_slope_second=-decay,
    )


def _cos_moments(q: FloatArray) -> Moments:
    y, decay = -np.expm1(-2 * q), np.exp(-2 * q)
    return Moments(
        mean=np.exp(-q / 2),
        second=(1 + decay) / 2,
        fourth=(3 + 4 * decay + decay**4) / 8,
        slope_second=y / 2,
        d_second=-decay,
        d2_second=2 * decay,
        d_slope_second=+decay,
    )


def _exp_moments(q: FloatArray) -> Moments:
    with np.errstate(over="ignore"):  # infinite where it exceeds 1e308
        second, fourth = np.exp(2 * q), np.exp(8 * q)
        return Moments(np.exp(q / 2), second, fourth, second, 2 * second, 4 * second, 2 * second)


def _exp_difference(factor: FloatArray, q1: FloatArray, q2: FloatArray) -> FloatArray:
    """E (e^v - f e^u)² = (e^{q₂} - f e^{q₁})² + 2 f e^{q₁+q₂}(1 - e^{-(√q₁-√q₂)²/2})."""
    step = (q1 - q2) / (np.sqrt(q1) + np.sqrt(q2))
    apart = np.exp(q1) * (np.expm1(q2 - q1) + (1 - factor))
    return np.asarray(apart**2 - 2 * factor * np.exp(q1 + q2) * np.expm1(-(step**2) / 2))


def _exp_at_angle(theta: FloatArray, q1: FloatArray, q2: FloatArray) -> FloatArray:
    return np.asarray(np.exp((q1 + q2) / 2 + np.sqrt(q1) * np.sqrt(q2) * np.cos(theta)))


def _exp_comonotone(q1: FloatArray, q2: FloatArray) -> FloatArray:
    return np.asarray(np.exp((np.sqrt(q1) + np.sqrt(q2)) ** 2 / 2))


def _exp_gap(theta: FloatArray, q1: FloatArray, q2: FloatArray) -> FloatArray:
    return np.asarray(-_exp_comonotone(q1, q2) * np.expm1(-2 * np.sqrt(q1) * np.sqrt(q2) * np.sin(theta / 2) ** 2))


def _exp_remainder(theta: FloatArray, q: FloatArray) -> FloatArray:
    return np.asarray(np.exp(2 * q) * _exp_minus(2 * q * np.sin(theta / 2) ** 2))


def _exp_curvature(theta: FloatArray, q: FloatArray) -> FloatArray:
    return _exp_at_angle(theta, q, q)


def _exp_derivative(order: int, q: FloatArray) -> FloatArray:
    return np.asarray(np.exp(2 * q))


def _wave_curvature(sign: float, theta: FloatArray, q: FloatArray) -> FloatArray:
    return _at_angle(sign, theta, q, q)


def _wave_derivative(sign: float, order: int, q: FloatArray) -> FloatArray:
    return _at_zero(-sign if order % 2 else sign, q, q)


def _wave(sign: float, moments: Callable[[FloatArray], Moments]) -> PairFormulas:
    """The formulas of sin (sign -1) or cos (sign 1), each the derivative of the other."""
    return PairFormulas(
        covariance=_sinh if sign < 0 else _cosh,
        slope_covariance=_cosh if sign < 0 else _sinh,
        comonotone=partial(_at_zero, sign),
        slope_product=partial(_at_angle, -sign),
        gap=partial(_wave_gap, sign),
        remainder=partial(_wave_remainder, sign),
        curvature_product=partial(_wave_curvature, sign),
        moments=moments,
        derivative_moment=partial(_wave_derivative, sign),
    )


SIN_FORM = _wave(-1, _sin_moments)
COS_FORM = _wave(1, _cos_moments)
EXP_FORM = PairFormulas(
    largest_variance=80.0,  # E φ⁴ = e^{8q}
    covariance=_exp,
    slope_covariance=_exp,
    comonotone=_exp_comonotone,
    slope_product=_exp_at_angle,
    gap=_exp_gap,
    remainder=_exp_remainder,
    curvature_product=_exp_curvature,
    moments=_exp_moments,
    derivative_moment=_exp_derivative,
    difference_second=_exp_difference,
)

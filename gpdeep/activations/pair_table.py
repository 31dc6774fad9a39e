r"""Expectations over pairs as functions of the angle, tabulated once for a function φ and its variances.

    P(t) = E φ'(u)φ'(v),   gap(θ) = √(q₁q₂) ∫₀^θ P(t) sin t dt,                       u, v of correlation cos t
    S(t) = -P'(t) = q sin t Q(t) + Σ_ij c_i c_j e(h_i, h_j, t),   h = knot/√q
    remainder(θ) = q ∫₀^θ (P(0) - P(t)) sin t dt = q ∫₀^θ S(t)(cos t - cos θ) dt

Q is the part of E φ''(u)φ''(v) without products of two delta functions, c_i the jumps of φ', and

    e(h, k, t) = exp( -(h-k)²/(8 sin²(t/2)) - (h+k)²/(8 cos²(t/2)) ) / 2π

is -d/dt P(z₁ > h, z₂ > k). All of them are smooth in the angle, also where φ has kinks (not in its cosine), so panels
of Chebyshev series of degree 32 hold them; gap/sin²(θ/2) and remainder/sin^p(θ/2) are stored instead of gap and
remainder, because these ratios have digits at θ = 0. Reference: Price 1958, IRE Trans. Inf. Theory 4, 69.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.gauss_legendre import gauss_legendre
from ..gaussian.kink_split import conditional_mean, kink_split_pair
from ..gaussian.piecewise_chebyshev import PiecewiseChebyshev, fit_panels
from ..result import FloatArray

Function = Callable[[Any], Any]
_DEGREE = 32
_TOL = 1e-14
_LEAST = math.pi / 2**11
_BUDGET = 10**8  # values of φ' or φ'', some 10 s
_FEW_ANGLES = 64
_KEPT = 1e-4  # a difference smaller than this part of its terms has lost too many digits


@dataclass(frozen=True, eq=False)
class SlopeTable:
    """P and gap/(2 √(q₁q₂) sin²(θ/2)) for θ in [0, π]."""

    slope_product: PiecewiseChebyshev
    gap_ratio: PiecewiseChebyshev


@dataclass(frozen=True, eq=False)
class CurvatureTable:
    """Q and remainder/(2 sin(θ/2))^power for θ in [0, π]."""

    smooth: PiecewiseChebyshev
    remainder_ratio: PiecewiseChebyshev
    power: int


def slope_table(
    slope: Function,
    q1: float,
    q2: float,
    knots: Sequence[float],
    breaks: Sequence[float],
    reach: float,
    size: float,
    error: float,
) -> SlopeTable | None:
    """The table of P for `slope` = φ', which has a relative `error`; `size` is √(E φ'(u)² E φ'(v)²).

    None where φ' turns so fast that the table would take more than 10⁸ values of it.
    """
    slope = _Budgeted(slope)

    def product(t: FloatArray) -> FloatArray:
        return np.asarray(kink_split_pair(slope, slope, t, q1, q2, knots, breaks, reach=reach))

    try:
        p = fit_panels(product, [0, math.pi], degree=_DEGREE, tol=max(_TOL, error), floor=size, least=_LEAST)
    except _BudgetSpent:
        return None
    return SlopeTable(p, p.with_values(_running(p, np.sin) / (2 * np.sin(p.nodes() / 2) ** 2)))


def curvature_table(
    curvature: Function,
    q: float,
    knots: Sequence[float],
    jumps: Sequence[float],
    breaks: Sequence[float],
    reach: float,
    size: float,
    error: float,
) -> CurvatureTable | None:
    """The table of Q for `curvature` = φ'' between the knots; `size` is E φ''² without the delta functions.

    None where φ'' turns so fast that the table would take more than 10⁸ values of it.
    """
    tol = max(_TOL, error)
    kinks = [(t, c) for t, c in zip(knots, jumps, strict=True) if c]
    curvature = _Budgeted(curvature)

    def smooth(t: FloatArray) -> FloatArray:
        return smooth_curvature_product(curvature, t, q, knots, jumps, breaks, reach)

    def total(t: FloatArray) -> FloatArray:
        return q * np.sin(t) * table(t) + delta_part(t, q, kinks)

    try:
        table = fit_panels(smooth, [0, math.pi], degree=_DEGREE, tol=tol, floor=size, least=_LEAST)
    except _BudgetSpent:
        return None
    theta: FloatArray
    if kinks:
        scale = sum(c**2 for _, c in kinks) / (2 * math.pi)
        rate = fit_panels(total, table.edges, degree=_DEGREE, tol=tol, floor=scale, least=_LEAST)
        lost, moment, power = _running(rate, np.ones_like), _running(rate, _versine), 3
    else:
        rate, power = table, 4
        lost = q * _running(rate, np.sin)
        moment = q * _running(rate, lambda t: np.sin(t) * _versine(t))
    theta = rate.nodes()
    # ∫ S (cos t - cos θ): two thirds or half of the first term are left, so nothing cancels
    remainder = q * (_versine(theta) * lost - moment)
    return CurvatureTable(table, rate.with_values(remainder / (2 * np.sin(theta / 2)) ** power), power)


def smooth_curvature_product(
    curvature: Function,
    t: FloatArray,
    q: float,
    knots: Sequence[float],
    jumps: Sequence[float],
    breaks: Sequence[float],
    reach: float,
) -> FloatArray:
    """Q, integrated angle by angle."""
    value = np.asarray(kink_split_pair(curvature, curvature, t, q, q, knots, breaks, reach=reach))
    s, edges = math.sqrt(q), np.unique([*knots, *breaks])
    for knot, c in zip(knots, jumps, strict=True):
        if c:  # a delta function at u = knot meets φ''(v), and the other way round
            density = math.exp(-(knot**2) / (2 * q)) / math.sqrt(2 * math.pi * q)
            meets = [
                conditional_mean(curvature, np.array([knot * math.cos(a)]), s * math.sin(a), edges, reach=reach)[0]
                for a in t.ravel().tolist()
            ]
            value = value + 2 * c * density * np.array(meets).reshape(t.shape)
    return value


def angle_by_angle(
    name: str, f: Function, theta: FloatArray, integral: Callable[[Function, FloatArray], FloatArray]
) -> FloatArray:
    """`integral(f, theta)` where there is no table: for 64 different angles at most, within the same budget.

    Raises
    ------
    DomainError
        There are more angles, or they cost more than 10⁸ values of f.
    """
    distinct, which = np.unique(theta, return_inverse=True)
    if len(distinct) <= _FEW_ANGLES:
        try:
            return np.asarray(integral(_Budgeted(f), distinct))[which.reshape(theta.shape)]
        except _BudgetSpent:
            pass
    raise turns_too_fast(name, f"{len(distinct)} angles of one pair of variances would take minutes")


def difference_with_digits(name: str, whole: Any, part: Any) -> FloatArray:
    """`whole` - `part`, where at least 1e-4 of the whole is left.

    Raises
    ------
    DomainError
        Less is left: subtraction of integrals has lost the digits.
    """
    left = np.asarray(whole - part)
    if np.any((np.abs(left) < _KEPT * np.abs(whole)) & (np.asarray(whole) != 0)):
        raise turns_too_fast(name, "small differences of its expectations are lost in rounding without a table")
    return left


def turns_too_fast(name: str, found: str) -> DomainError:
    """The error for an activation that no table of reasonable cost resolves."""
    return DomainError(
        f"'{name}' turns too fast for a table of its pair expectations, and {found}.",
        "The function is very steep or oscillates many times within a standard deviation.",
        "Use the ramp that it looks like from afar (PiecewiseLinear), a smaller variance, or a slower function.",
    )


class _BudgetSpent(Exception):
    """More values were asked for than a table may cost."""


class _Budgeted:
    """A function that gives up after `_BUDGET` values."""

    def __init__(self, function: Function) -> None:
        self.function, self.left = function, _BUDGET

    def __call__(self, x: FloatArray) -> Any:
        self.left -= x.size
        if self.left < 0:
            raise _BudgetSpent
        return self.function(x)


def delta_part(t: FloatArray, q: float, kinks: Sequence[tuple[float, float]]) -> FloatArray:
    """Σ_ij c_i c_j e(h_i, h_j, t) for the pairs (knot, jump) `kinks`."""
    sin2, cos2 = 8 * q * np.sin(t / 2) ** 2, 8 * q * np.cos(t / 2) ** 2
    total = np.zeros_like(t)
    for a, c in kinks:
        for b, d in kinks:
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # 0/0 is a knot that meets itself
                near = 0.0 if a == b else (a - b) ** 2 / sin2
                far = 0.0 if a == -b else (a + b) ** 2 / cos2
            total = total + c * d * np.exp(-near - far)
    return np.asarray(total / (2 * math.pi))


def _versine(t: FloatArray) -> FloatArray:
    """1 - cos t."""
    return np.asarray(2 * np.sin(t / 2) ** 2)


def _running(f: PiecewiseChebyshev, weight: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """∫₀^θ f(t) weight(t) dt for the nodes θ of the panels of f."""
    _, from_left, w = gauss_legendre(_DEGREE)
    a, b = f.edges[:-1], f.edges[1:]

    def integral(upper: FloatArray, lower: FloatArray) -> FloatArray:
        half = (upper - lower)[..., None] / 2
        t = lower[..., None] + half * from_left
        return np.asarray(np.sum(half * w * f(t) * weight(t), axis=-1))

    before = np.cumsum(np.append(0.0, integral(b, a)))[:-1, None]
    return np.asarray(before + integral(f.nodes(), np.broadcast_to(a[:, None], f.nodes().shape)))

r"""Covariances of many pairs under a piecewise-linear activation: the kernel path, in numpy or torch.

    E φ(u)φ(v) = ½(m_0² + m_1²) K + (c²/2π) √(q₁q₂)(sin θ - θ cos θ)                            one kink, at 0, a = 0
               = E φ(u) E φ(v) + K E φ'(u) E φ'(v) + √(q₁q₂) Σ_ij c_i c_j P(h_i, k_j, ρ)        else

cos θ = ρ = K/√(q₁q₂), with P of `gaussian.ramp_excess`. The terms of one variable are formed once a row. Where all
variances are one number the covariance is a function of θ, and many entries are read off a table of it.
Cho & Saul 2009, eq. 6 (the arc-cosine kernel).
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from array_api_compat import is_torch_array

from ..gaussian.piecewise_chebyshev import PiecewiseChebyshev, fit_panels
from ..gaussian.ramp_excess import ramp_excess
from ..gaussian.ramp_moments import ramp_moment
from ..gaussian.ramp_pairs import largest
from ..result import FloatArray
from .narrow_steps import check_digits
from .variance_pairs import prepared_covariance

if TYPE_CHECKING:
    from .broken_line import PiecewiseLinear

_INV_TWO_PI = 1 / (2 * math.pi)
_WORTH_A_TABLE = 4096  # entries
_CLOSE = 1e-3  # kinks closer than this, in units of √q, cost the sums from independence more than six digits
_BLOCK = 1 << 14  # entries whose temporaries stay in the cache


def linear_covariance(phi: PiecewiseLinear, k: Any, q1: Any, q2: Any, *, slope: bool = False) -> Any:
    r"""E φ(u)φ(v) for E uv = `k`, or E φ'(u)φ'(v) with `slope`.

    Parameters
    ----------
    phi : PiecewiseLinear
    k : float, array_like or tensor
        Covariances.
    q1, q2 : float, array_like or tensor
        Variances; all three broadcast.
    slope : bool
        Whether to give E φ'φ'.

    Returns
    -------
    float64, ndarray or tensor

    Raises
    ------
    DomainError
        A variance is not positive and finite, or |k| exceeds √(q₁q₂) by more than rounding, or is NaN.

    Notes
    -----
    *Cost* an entry on one core: 40 ns for one kink at 0; 0.2 µs if all variances are one number and there are more than
    4,096 entries (numpy), 0.6 µs for each ordered pair of kinks otherwise.
    """
    first, xp, k, q1, q2 = prepared_covariance(k, q1, q2)
    tensor = first is not None
    s1, s2 = xp.sqrt(q1), xp.sqrt(q2)
    if phi.homogeneous or phi.linear:
        value = _by_rows(phi, k, s1, s2, slope) if not tensor and k.ndim else _arc_cosine(xp, phi, k, s1 * s2, slope)
    else:
        one = bool(xp.min(s1) == xp.max(s2)) and bool(xp.max(s1) == xp.min(s2)) if math.prod(k.shape) else False
        if one and not tensor and k.size > _WORTH_A_TABLE:
            q = float(q1.flat[0])
            theta = np.arccos(np.clip(k / q, -1.0, 1.0) + 0.0 * (s1 * s2))
            value = _table(phi, q, slope)(theta)
        else:
            value = _with_close_kinks(xp, phi, k, s1, s2, slope, one)
    return value if tensor else value[()]


def _with_close_kinks(xp: Any, phi: PiecewiseLinear, k: Any, s1: Any, s2: Any, slope: bool, one_scale: bool) -> Any:
    """`_from_independence` after a look at its digits; from the angle 0 where they are lost but need not be."""
    closest = min((y - x for x, y in itertools.pairwise(phi.t)), default=math.inf)
    if not math.prod(k.shape) or closest > _CLOSE * max(largest(xp, s1), largest(xp, s2)):
        return _from_independence(xp, phi, k, s1, s2, slope, one_scale)
    steps, numpy = phi.narrow_steps, not is_torch_array(k)
    if steps is not None and numpy and max(steps.width) <= _CLOSE * max(float(np.min(s1)), float(np.min(s2))):
        theta = np.arccos(np.clip(k / (s1 * s2), -1.0, 1.0))
        q1, q2 = s1 * s1, s2 * s2
        if slope:
            return np.asarray(phi.slope_product(theta, q1, q2))
        return phi.comonotone(q1, q2) - phi.gap(theta, q1, q2)
    lost = _roughness(phi, s1, slope) * _roughness(phi, s2, slope)
    check_digits(phi.name, "The covariance", np.ones(1), np.array([lost]))
    return _from_independence(xp, phi, k, s1, s2, slope, one_scale)


def _roughness(phi: PiecewiseLinear, s: Any, slope: bool) -> float:
    """The largest ratio of the terms of φ(s z), or φ'(s z), to its root mean square."""
    s = (s.detach().cpu().numpy() if is_torch_array(s) else np.asarray(s)).reshape(-1).astype(np.float64)
    moments, terms = phi.moments(s * s), abs(phi.b) * (1.0 if slope else s)
    for t, c in zip(phi.t, phi.c, strict=True):
        terms = terms + abs(c) * (1.0 if slope else s) * ramp_moment(0, t / s)
        if not slope:
            terms = terms + abs(c) * s * ramp_moment(1, t / s)
    square = moments.slope_second if slope else moments.second
    return float(np.max((terms + (0.0 if slope else abs(phi.a))) / np.sqrt(square)))


def _by_rows(phi: PiecewiseLinear, k: FloatArray, s1: FloatArray, s2: FloatArray, slope: bool) -> FloatArray:
    """`_arc_cosine` in blocks of rows, for numpy."""
    shape = np.broadcast_shapes(k.shape, s1.shape, s2.shape)
    k, s1, s2 = (np.broadcast_to(value, shape) for value in (k, s1, s2))
    out = np.empty(shape)
    rows = max(1, _BLOCK // max(1, math.prod(shape[1:])))
    for start in range(0, shape[0], rows):
        part = slice(start, start + rows)
        out[part] = _arc_cosine(np, phi, k[part], s1[part] * s2[part], slope)
    return out


def _arc_cosine(xp: Any, phi: PiecewiseLinear, k: Any, size: Any, slope: bool) -> Any:
    """Closed forms for a = 0 and a kink at 0; for a line E (a + bu)(a + bv) = a² + b² K."""
    left, right = phi.slopes[0], phi.slopes[-1]
    strength = (right - left) ** 2 * _INV_TWO_PI
    half = (left * left + right * right) / 2
    y = xp.clip(k / size, -1.0, 1.0)
    if strength == 0:
        return half + 0.0 * y if slope else phi.a**2 + half * y * size
    theta = xp.arccos(y)
    if slope:
        return half - strength * theta
    return size * (half * y + strength * (xp.sqrt((1 - y) * (1 + y)) - theta * y))


def _from_independence(xp: Any, phi: PiecewiseLinear, k: Any, s1: Any, s2: Any, slope: bool, one_scale: bool) -> Any:
    (mean1, slope1), (mean2, slope2) = _means(xp, phi, s1), _means(xp, phi, s2)
    size = s1 * s2
    rho = xp.clip(k / size, -1.0, 1.0)
    excess = 0.0 * rho
    for i, (t1, c1) in enumerate(zip(phi.t, phi.c, strict=True)):
        for j, (t2, c2) in enumerate(zip(phi.t, phi.c, strict=True)):
            if one_scale and j < i:
                continue
            times = 2 if one_scale and j > i else 1
            excess = excess + times * c1 * c2 * ramp_excess(t1 / s1, t2 / s2, rho, slope=slope)
    if slope:
        return slope1 * slope2 + excess
    return mean1 * mean2 + size * (rho * (slope1 * slope2) + excess)


def _means(xp: Any, phi: PiecewiseLinear, s: Any) -> tuple[Any, Any]:
    """E φ and E φ' with absolute accuracy."""
    mean, slope = phi.a + 0.0 * s, phi.b + 0.0 * s
    for t, c in zip(phi.t, phi.c, strict=True):
        h = xp.clip(t / s, -1e8, 1e8)
        tail = _erfc(xp, h * math.sqrt(0.5)) / 2
        mean = mean + c * s * (xp.exp(-h * h / 2) * math.sqrt(_INV_TWO_PI) - h * tail)
        slope = slope + c * tail
    return mean, slope


def _erfc(xp: Any, x: Any) -> Any:
    if is_torch_array(x):
        return xp.erfc(x)
    from scipy.special import erfc  # here: importing gpdeep stays light

    return erfc(x)


@lru_cache(maxsize=64)
def _table(phi: PiecewiseLinear, q: float, slope: bool) -> PiecewiseChebyshev:
    """The covariance, or the slopes', as a function of the angle at one variance."""
    if slope:
        return fit_panels(lambda theta: np.asarray(phi.slope_product(theta, q)), [0.0, math.pi], floor=1.0)
    second = float(phi.moments(q).second)
    return fit_panels(lambda theta: second - phi.gap(theta, q), [0.0, math.pi], floor=second)

r"""The bivariate normal distribution in closed form, as the cross-check of `ramp_pairs`:

    L(h,k,ρ) = P(X>h, Y>k) = ½[Q(h) + Q(k)] - T(h, (k-ρh)/(hr)) - T(k, (h-ρk)/(kr)) - β,      r = √(1-ρ²),
    J(h,k,ρ) = E (X-h)_+(Y-k)_+ = (ρ+hk) L - k f(h) Q((k-ρh)/r) - h f(k) Q((h-ρk)/r) + r² f₂(h,k,ρ),

with β = ½ if hk < 0, or hk = 0 and h + k > 0, else 0, T the function of Owen and f₂ the bivariate density; a T at h = 0
is -sign(k)/4. dJ/dρ = L and dL/dρ = f₂ (Price 1958). Absolute accuracy 1e-15: useless for what is left of a covariance
near ρ = 1, for which there is `ramp_overlap`. Owen 1956, Ann. Math. Stat. 27, 1075, eq. 2.1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..result import FloatArray
from .arguments import require_fitting, shown
from .ramp_moments import kinks, normal_density, ramp_moment, ramp_product


def upper_orthant(h: ArrayLike, k: ArrayLike, rho: ArrayLike) -> Any:
    r"""Probability that both variables exceed their bounds, L(h, k, ρ).

        L(h,k,ρ) = P(X > h, Y > k),   E XY = ρ

    Parameters
    ----------
    h, k : float or array_like
        Bounds, any real numbers.
    rho : float or array_like
        Correlation in [-1, 1]; all three broadcast.

    Returns
    -------
    float64 or ndarray

    Raises
    ------
    DomainError
        A correlation is outside [-1, 1], or an argument is NaN or not real.

    Notes
    -----
    Absolute error below 1e-15 for the given floats, but for |ρ| within 1e-8 of 1 with h near ±k, where r itself is
    known to 1e-8 only.

    References
    ----------
    Owen 1956, Ann. Math. Stat. 27, 1075.

    Examples
    --------
    1/4 + arcsin(ρ)/2π at h = k = 0 (Sheppard):

    >>> print(f"{upper_orthant(0.0, 0.0, 0.5):.15f}  {upper_orthant(0.5, 1.0, -1.0):.1f}")
    0.333333333333333  0.0
    """
    return _orthant(*_arguments(h, k, rho))[()]


def ramp_covariance(h: ArrayLike, k: ArrayLike, rho: ArrayLike) -> Any:
    r"""Expectation of the product of two ramps of correlated variables, J(h, k, ρ).

        J(h,k,ρ) = E (X-h)_+ (Y-k)_+,   E XY = ρ

    Parameters
    ----------
    h, k : float or array_like
        Kinks in units of the standard deviations.
    rho : float or array_like
        Correlation in [-1, 1]; all three broadcast.

    Returns
    -------
    float64 or ndarray

    Raises
    ------
    DomainError
        A correlation is outside [-1, 1], or an argument is NaN or not real.

    Notes
    -----
    Absolute error below 1e-15 (1 + h²)(1 + k²).

    Examples
    --------
    (r + (π - arccos ρ) ρ)/2π at h = k = 0, the arc-cosine kernel; here ρ = 0:

    >>> print(f"{ramp_covariance(0.0, 0.0, 0.0) * 2 * np.pi:.15f}")
    1.000000000000000
    """
    from scipy.special import ndtr  # here: importing gpdeep stays light

    h, k, rho = _arguments(h, k, rho)
    r2 = (1 - rho) * (1 + rho)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        r = np.sqrt(r2)
        density = np.exp(-((h - rho * k) ** 2) / (2 * r2) - k * k / 2) / (2 * math.pi)
        value = (
            (rho + h * k) * _orthant(h, k, rho)
            - k * normal_density(h) * ndtr((rho * h - k) / r)
            - h * normal_density(k) * ndtr((rho * k - h) / r)
            + r * density
        )
    # at the ends: (z-h)_+(z-k)_+, and (z-h)(w-(z-h)) on 0 < z-h < w = -h-k
    w = np.maximum(-h - k, 0.0)
    above, far = ramp_product(h, k), np.maximum(h, -k)
    below = w * (ramp_moment(1, h) + ramp_moment(1, far)) - (ramp_moment(2, h) - ramp_moment(2, far))
    return np.where(rho == 1, above, np.where(rho == -1, below, value))[()]


def _orthant(h: FloatArray, k: FloatArray, rho: FloatArray) -> FloatArray:
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        r = np.sqrt((1 - rho) * (1 + rho))
        product = h * k
        beta = np.where((product < 0) | ((product == 0) & (h + k > 0)), 0.5, 0.0)
        value = (ndtr(-h) + ndtr(-k)) / 2 - _owen(h, k, rho, r) - _owen(k, h, rho, r) - beta
        centre = 0.25 + np.arcsin(rho) / (2 * math.pi)
    value = np.where((h == 0) & (k == 0), centre, value)
    value = np.where(rho == 1, ndtr(-np.maximum(h, k)), value)
    value = np.where(rho == -1, np.maximum(ndtr(-k) - ndtr(h), 0.0), value)
    return np.asarray(np.maximum(value, 0.0))


def _owen(h: FloatArray, k: FloatArray, rho: FloatArray, r: FloatArray) -> FloatArray:
    """T(h, (k - ρh)/(hr)), -sign(k)/4 at h = 0."""
    from scipy.special import owens_t

    slope = np.divide(k - rho * h, h * r, out=np.zeros_like(r), where=(h != 0) & (r != 0))
    return np.where(h == 0, -np.sign(k) / 4, owens_t(h, slope))


def _arguments(h: Any, k: Any, rho: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    correlation = kinks("rho", rho)
    if not (np.abs(correlation) <= 1).all():
        raise DomainError(
            f"rho = {shown(rho)} is not in [-1, 1] everywhere.",
            "A covariance was given, or rounding took a correlation beyond 1.",
            "Divide by the standard deviations, and clip.",
        )
    first, second = kinks("h", h), kinks("k", k)
    require_fitting(h=first, k=second, rho=correlation)
    first, second, third = np.broadcast_arrays(first, second, correlation)
    return first, second, third

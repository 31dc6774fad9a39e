r"""What one infinitely wide layer with many slopes does to the angle between two inputs, with all its digits:

    cos θ' = cos θ + g h(θ),      h(θ) = (sin θ - θ cos θ)/π,      d cos θ'/d cos θ = 1 - g θ/π,

g the layer's nonlinearity (`gpdeep.linearize.slopes`). So each layer is the identity plus g times what ReLU adds, and
the map is that of a single slope with the kink g; its home is `gpdeep.gaussian.angle_map`, whose state is the angle and
never the cosine. One moment of two different channels,

    E φ_a(u) φ_b(v) = (1 + ab)/2 cos θ + (1 - a)(1 - b)/2 h(θ),      u, v ~ N(0, 1) with correlation cos θ.

*Derivation.* φ_a(x) = (1 + a)/2 x + (1 - a)/2 |x|; E uv = cos θ, E|uv| = cos θ + 2h(θ), the mixed terms vanish.

Assumptions: Gaussian pre-activations, no bias, σ_w that keeps the variance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..gaussian import angle_map, one_minus_cos_next
from ..gaussian.arguments import angles, as_array, require_fitting
from ..result import FloatArray
from .slopes import nonlinearity, slope_shares

_SMALL = 1e-4


def mixture_map(theta: float | ArrayLike, slopes: ArrayLike, fractions: ArrayLike | None = None) -> Any:
    r"""Angle between two inputs after one infinitely wide layer of channels with several slopes, θ'.

        cos θ' = cos θ + (g/π)(sin θ - θ cos θ)

    Parameters
    ----------
    theta : float or array_like, any shape
        Angle θ in [0, π], radians; 1e-150 keeps its digits.
    slopes, fractions : array_like, shape (m,)
        Slopes and the shares of channels that have them, as in `nonlinearity`.

    Returns
    -------
    float64 or ndarray, shape of theta
        θ' in [0, π], relative error below 1e-15.

    Raises
    ------
    DomainError
        An angle is outside [0, π], or slopes and shares do not fit.

    Notes
    -----
    θ' = θ - g θ²/(3π) + O(θ³), so 1/θ grows by g/(3π) a layer.

    Examples
    --------
    >>> print(f"{mixture_map(np.pi / 3, [0, 1], [0.5, 0.5]):.15f}")
    1.004710480390758
    """
    return angle_map(theta, _kink(slopes, fractions))


def mixture_gap(theta: float | ArrayLike, slopes: ArrayLike, fractions: ArrayLike | None = None) -> Any:
    r"""One minus the correlation after one infinitely wide layer of channels with several slopes, 1 - cos θ'.

        1 - cos θ' = 2 sin²(θ/2) - g h(θ)

    Parameters, errors
        As `mixture_map`; `gpdeep.gaussian.one_minus_cos_next` for the digits.

    Returns
    -------
    float64 or ndarray, shape of theta

    Examples
    --------
    1 - c falls by (2√2 g/3π)(1 - c)^{3/2}: the map has no second derivative at c = 1.

    >>> gap = 2 * np.sin(0.5e-6) ** 2
    >>> print(f"{(gap - mixture_gap(1e-6, 0.25)) / gap**1.5:.6f} {2 * 2**0.5 * nonlinearity(0.25) / (3 * np.pi):.6f}")
    0.158879 0.158879
    """
    return one_minus_cos_next(theta, _kink(slopes, fractions))


def mixture_slope(theta: float | ArrayLike, slopes: ArrayLike, fractions: ArrayLike | None = None) -> Any:
    r"""Derivative of the correlation after one layer by the correlation before it, d cos θ'/d cos θ = 1 - g θ/π.

    Parameters, errors
        As `mixture_map`.

    Returns
    -------
    float64 or ndarray, shape of theta
        1 at θ = 0 whatever the slopes: with σ_w that keeps the variance every such chain is on the edge of chaos.

    Examples
    --------
    >>> mixture_slope(np.pi / 2, [0, 1], [1, 1]) * 6  # g = 1/3
    np.float64(5.0)
    """
    return (1 - _kink(slopes, fractions) * angles(theta) / np.pi)[()]


def cross_moment(slope_u: ArrayLike, slope_v: ArrayLike, theta: ArrayLike) -> Any:
    r"""Mean product of two channels of different slopes, E φ_a(u) φ_b(v).

        E φ_a(u) φ_b(v) = (1 + ab)/2 cos θ + (1 - a)(1 - b)/2 h(θ)

    Parameters
    ----------
    slope_u, slope_v : array_like
        Slopes a and b, any shapes that broadcast with θ.
    theta : array_like
        Angle θ in [0, π] whose cosine is the correlation of u and v, both N(0, 1).

    Returns
    -------
    float64 or ndarray
        The absolute error is a few eps times (1 + |ab|)/2 |cos θ| + |(1 - a)(1 - b)|/2 h(θ).

    Raises
    ------
    DomainError
        An angle is outside [0, π], or a slope not finite.

    Examples
    --------
    A ReLU and a linear channel see half of the correlation:

    >>> print(f"{cross_moment(0, 1, np.arccos(0.4)):.15f}")
    0.200000000000000
    """
    a, b = (slope_shares(as_array(slope)[..., None])[0][..., 0] for slope in (slope_u, slope_v))
    t = angles(theta)
    require_fitting(slope_u=a, slope_v=b, theta=t)
    return ((1 + a * b) / 2 * np.cos(t) + (1 - a) * (1 - b) / 2 * kink_excess(t))[()]


def kink_excess(theta: FloatArray) -> FloatArray:
    r"""h(θ) = (sin θ - θ cos θ)/π = θ² j₁(θ)/π, full relative accuracy; j₁ the spherical Bessel function."""
    from scipy.special import spherical_jn

    small = theta**3 / (3 * np.pi) * (1 - theta**2 / 10)
    return np.where(theta < _SMALL, small, theta**2 * spherical_jn(1, theta) / np.pi)


def _kink(slopes: ArrayLike, fractions: ArrayLike | None) -> float:
    g = nonlinearity(slopes, fractions)
    if np.ndim(g):
        raise DomainError(
            f"The slopes have the shape {np.shape(slopes)}.",
            "Slopes of several layers were given to the map of one layer.",
            "Give the slopes of one layer, a one-dimensional list; `predict_angle` goes through many layers.",
        )
    return float(g)

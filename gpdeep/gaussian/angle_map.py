r"""What one infinitely wide layer does to the angle between two inputs:

    cos θ' = cos θ + (r/π)(sin θ - θ cos θ),   r = (a - b)²/(a² + b²),

for φ(x) = a min(x, 0) + b max(x, 0), Gaussian weights, no bias. r is the kink: 0 identity, 1 ReLU, 2 absolute
value (`gpdeep.activations.TwoSlope.kink`).

*Derivation.* φ(x) = (a+b)/2 x + (b-a)/2 |x|. With E[GW] = c, E[G|W|] = 0 and E|GW| = (2/π)(s + (π/2 - θ)c),

    cos θ' = E[φ(G)φ(W)]/E[φ(G)²] = [ (a+b)²/4 c + (b-a)²/4 E|GW| ] / [ (a²+b²)/2 ],

and (a+b)²/(2(a²+b²)) = 1 - r/2. Since sin θ - θ cos θ = ∫_0^θ t sin t dt =: g(θ),

    1 - cos θ' = 2 sin²(θ/2) - (r/π) g(θ) = (1 - r/2) 2 sin²(θ/2) + (r/2) A(θ),   A = 1 - cos θ' for r = 2.

*Digits.* The second form has positive terms only. The absolute value does not tell W from -W, so
A(θ) = A(π - θ), and

    A/2 = sin²(ψ/2) - g(ψ)/π,   ψ = min(θ, π - θ) ≤ π/2,

loses a factor 2.8 at worst, at ψ = π/2. g(ψ) = ψ³ (1/3 - ψ²/30 + ...) comes from its series, 11 terms for all
ψ ≤ π/2. What is carried on is sin²(θ'/2), cos²(θ'/2) and cos θ', each accurate for itself:

    sin²(θ'/2) = (1 - r/2) sin²(θ/2) + (r/2) A/2,      cos²(θ'/2) = (1 - r/2) cos²(θ/2) + (r/2)(1 - A/2),
    cos θ' = cos θ + (r/π) g(θ)  for θ ≤ π/2,          cos θ' = (r - 1) |cos θ| + (r/π) g(π - θ)  beyond.

References: Cho & Saul 2009, sec. 2 (r = 1); Jakub & Nica 2023 (arXiv 2302.09712), the angle's law at finite
width.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..result import FloatArray
from .arguments import PI_LOW, angle, angles, kink_in_range, supplement

_HALF_PI = math.pi / 2
# g(ψ)/ψ³ = Σ_k (-1)^k (2k+2)/(2k+3)! ψ^{2k}; the first term left out is below 1e-19 of the sum at ψ = π/2
_G = tuple((-1) ** k * (2 * k + 2) / math.factorial(2 * k + 3) for k in range(11))
_TINY = float(np.finfo(np.float64).tiny)


def angle_map(theta: float | ArrayLike, kink: float = 1.0) -> Any:
    r"""Angle between two inputs after one infinitely wide layer, θ'.

        cos θ' = cos θ + (r/π)(sin θ - θ cos θ)

    Parameters
    ----------
    theta : float or array_like, any shape
        Angle θ in [0, π], in radians. The float nearest to π stands for π itself.
    kink : float
        r = (a-b)²/(a²+b²) of the activation, in [0, 2]: 1 for ReLU.

    Returns
    -------
    float64 or ndarray, shape of theta
        θ' in [0, π]; relative error below 1e-15 for every θ from 1e-300 to π.

    Raises
    ------
    DomainError
        An angle is NaN or outside [0, π], or the kink outside [0, 2].

    Notes
    -----
    θ' = 2 arctan2(sin(θ'/2), cos(θ'/2)), with both halves from the formulas at the head of this module.

    *Conditioning.* dθ'/dθ = (1 - rθ/π) sin θ/sin θ', which tends to 1 at 0: θ' = θ - rθ²/(3π) + O(θ³).
    Relative errors do not grow there: 10,000 ReLU layers from π/2 end with a relative error of 6e-15.
    (Iterating cos θ loses all digits at θ ~ 1e-8.) For r ≤ 1 the map increases; for r > 1 it turns back at
    θ = π/r.

    *Cost.* 2 µs for a float; for arrays some 50 numpy calls, 50 µs + 0.3 µs an angle.

    References
    ----------
    Cho & Saul 2009, NIPS 22, sec. 2; Jakub & Nica 2023, arXiv 2302.09712.

    Examples
    --------
    A right angle becomes arccos(1/π); opposite inputs become orthogonal:

    >>> print(f"{np.cos(angle_map(np.pi / 2)) * np.pi:.12f}", angle_map(np.pi) / np.pi)
    1.000000000000 0.5

    The angle decays as 3π/depth:

    >>> theta = np.pi / 2
    >>> for layer in range(10_000):
    ...     theta = angle_map(theta)
    >>> print(f"{theta * 10_000 / (3 * np.pi):.3f}")
    0.998
    """
    r = kink if type(kink) is float and 0.0 <= kink <= 2.0 else kink_in_range(kink)
    if isinstance(theta, float):
        s, q, w, _ = _next(angle(theta), r)
        return np.float64(2 * math.atan2(s * math.sqrt(q), math.sqrt(w)))
    sines, quotients, squares, _ = _next_array(angles(theta), r)
    return (2 * np.arctan2(sines * np.sqrt(quotients), np.sqrt(squares)))[()]


def one_minus_cos_next(theta: float | ArrayLike, kink: float = 1.0) -> Any:
    r"""One minus the cosine of the angle after one infinitely wide layer, 1 - cos θ'.

        1 - cos θ' = 2 sin²(θ/2) - (r/π) ∫_0^θ t sin t dt

    Parameters
    ----------
    theta : float or array_like, any shape
        Angle θ in [0, π].
    kink : float
        r in [0, 2]: 1 for ReLU.

    Returns
    -------
    float64 or ndarray, shape of theta
        In [0, 2], with a relative error below 2e-15 wherever the value is a normal number; for θ below 1e-154
        it is subnormal, then 0, because θ²/2 is.

    Raises
    ------
    DomainError
        As `angle_map`.

    Notes
    -----
    2 sin²(θ'/2), from the positive form at the head of this module.

    References
    ----------
    Cho & Saul 2009, NIPS 22, sec. 2; Jakub & Nica 2023, arXiv 2302.09712.

    Examples
    --------
    For small θ it is θ²/2 - rθ³/(3π):

    >>> print(f"{one_minus_cos_next(1e-9) / 1e-18:.13f}  {0.5 - 1e-9 / (3 * np.pi):.13f}")
    0.4999999998939  0.4999999998939
    """
    r = kink if type(kink) is float and 0.0 <= kink <= 2.0 else kink_in_range(kink)
    if isinstance(theta, float):
        s, q, _, _ = _next(angle(theta), r)
        return np.float64(2 * s * s * q)
    sines, quotients, _, _ = _next_array(angles(theta), r)
    return (2 * sines * sines * quotients)[()]


def log_sin2_next(theta: float | ArrayLike, kink: float = 1.0) -> Any:
    r"""Log of the squared sine of the angle after one infinitely wide layer, ln sin² θ'.

        ln sin² θ' = 2 ln( 2 sin(θ'/2) cos(θ'/2) )   or   ln(1 - cos² θ')   where |cos θ'| ≤ 3/4

    Parameters
    ----------
    theta : float or array_like, any shape
        Angle θ in [0, π].
    kink : float
        r in [0, 2]: 1 for ReLU.

    Returns
    -------
    float64 or ndarray, shape of theta
        0 or negative; -inf where θ' is exactly 0 or π.

    Raises
    ------
    DomainError
        As `angle_map`.

    Notes
    -----
    The second form keeps the digits near θ' = π/2, where the logarithm is small: for ReLU and θ → π,
    cos θ' = g(π - θ)/π, so ln sin² θ' ~ -(π - θ)^6/(9π²). The relative error is below 2e-15 for r ≥ 1, and
    for θ ≤ π/2. For r < 1 and θ > π/2 there is an angle at which cos θ' = 0 changes sign; the absolute error
    stays below 1e-15 |cos θ'| there, the relative error is that of any function near a root.

    References
    ----------
    Jakub & Nica 2023, arXiv 2302.09712 (ln sin² θ as the state).

    Examples
    --------
    ln(sin² θ'/sin² θ) = -(2/3π) θ + O(θ²):

    >>> print(f"{(log_sin2_next(1e-6) - 2 * np.log(np.sin(1e-6))) / 1e-6:.4f}  {-2 / (3 * np.pi):.4f}")
    -0.2122  -0.2122
    """
    r = kink if type(kink) is float and 0.0 <= kink <= 2.0 else kink_in_range(kink)
    if isinstance(theta, float):
        return np.float64(_log_sin2(*_next(angle(theta), r)))
    return _log_sin2_array(*_next_array(angles(theta), r))[()]


def _log_sin2(s: float, q: float, w: float, c: float) -> float:
    """ln sin²θ' from what `_next` returns."""
    if abs(c) <= 0.75:
        return math.log1p(-c * c)
    sine = 2 * s * math.sqrt(q * w)
    return 2 * math.log(sine) if sine else -math.inf


def _log_sin2_array(sines: FloatArray, quotients: FloatArray, squares: FloatArray, cosines: FloatArray) -> FloatArray:
    """ln sin²θ' from what `_next_array` returns."""
    near = np.log1p(-np.minimum(cosines * cosines, 0.5625))
    with np.errstate(divide="ignore"):
        far = 2 * np.log(2 * sines * np.sqrt(quotients * squares))
    return np.where(np.abs(cosines) <= 0.75, near, far)


def _next(theta: float, r: float) -> tuple[float, float, float, float]:
    """s = sin(θ/2), sin²(θ'/2)/s², cos²(θ'/2), cos θ' for one angle; the quotient keeps θ² from underflow."""
    psi = theta
    if obtuse := theta > _HALF_PI:
        psi = math.pi - theta
        psi += PI_LOW if psi else 0.0
    small, large = math.sin(psi / 2), math.cos(psi / 2)
    x = psi * psi
    g0, g1, g2, g3, g4, g5, g6, g7, g8, g9, g10 = _G
    series = g5 + x * (g6 + x * (g7 + x * (g8 + x * (g9 + x * g10))))
    series = g0 + x * (g1 + x * (g2 + x * (g3 + x * (g4 + x * series))))
    ratio = psi / max(small, _TINY)
    a_half = 1 - psi * ratio * ratio * series / math.pi  # A/2 over sin²(ψ/2)
    linear, kinked = 1 - r / 2, r / 2
    g = psi * x * series
    if obtuse:
        tangent = small / large
        return (
            large,
            linear + kinked * a_half * tangent * tangent,
            linear * small * small + kinked * (1 - small * small * a_half),
            (r - 1) * abs(math.cos(theta)) + r / math.pi * g,
        )
    return (
        small,
        linear + kinked * a_half,
        linear * large * large + kinked * (1 - small * small * a_half),
        math.cos(theta) + r / math.pi * g,
    )


def _next_array(theta: FloatArray, r: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """What `_next` returns, for an array of angles."""
    obtuse = theta > _HALF_PI
    psi = np.where(obtuse, supplement(theta), theta)
    small, large = np.sin(psi / 2), np.cos(psi / 2)
    x = psi * psi
    series = np.full_like(psi, _G[-1])
    for coefficient in _G[-2::-1]:
        series = series * x + coefficient
    ratio = psi / np.maximum(small, _TINY)
    a_half = 1 - psi * ratio * ratio * series / np.pi
    linear, kinked = 1 - r / 2, r / 2
    s, c = np.where(obtuse, large, small), np.where(obtuse, small, large)  # sin(θ/2), cos(θ/2)
    tangent = np.where(obtuse, small / large, 1.0)
    return (
        s,
        linear + kinked * a_half * tangent * tangent,
        linear * c * c + kinked * (1 - small * small * a_half),
        np.where(obtuse, r - 1, 1.0) * np.abs(np.cos(theta)) + r / np.pi * (psi * x * series),
    )

r"""Mixed moments of two correlated Gaussians on their positive quadrant:

    J_{a,b}(θ) = E[ G^a W^b 1{G > 0, W > 0} ],   W = G cos θ + Z sin θ,   G, Z iid N(0, 1).

a, b ≥ 0 are integers, θ in [0, π] is the angle between the two inputs, c = cos θ, s = sin θ. Everything a
ReLU layer does to two inputs, at infinite width and in every order of 1/width, is made of these numbers: 2
J_{1,1} is the next cosine, 2 J_{n,n} the arc-cosine kernel of order n, J_{2,2} the fluctuation of a product.

In polar coordinates (G, Z) = R(cos φ, sin φ) the radius integrates out, and with h = (π - θ)/2

    J_{a,b}(θ) = K_{a+b} ∫_{-h}^{h} sin^a(h - u) sin^b(h + u) du,   K_N = 2^{N/2} Γ(N/2 + 1) / (2π),

an integral of something positive: no digit is lost however small J is. Jakub & Nica 2023 (arXiv 2302.09712)
introduce these moments for depth degeneracy; Cho & Saul 2009 have the case a = b.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..result import FloatArray
from .arguments import angles, exponents, shown, sine, supplement
from .gauss_legendre import gauss_legendre

MAX_ORDER = 300  # of a + b: K_301 is the first that exceeds float64
BLOCK = 1 << 16  # nodes times angles evaluated at once: temporaries of 0.5 MiB each
_K_0 = 1 / (2 * math.pi)


def relu_moment(a: int, b: int, theta: ArrayLike) -> Any:
    r"""Mixed moment of the positive parts of two Gaussians at angle θ, J_{a,b}(θ).

        J_{a,b}(θ) = E[ G^a W^b 1{G > 0, W > 0} ],   W = G cos θ + Z sin θ

    Parameters
    ----------
    a, b : int
        Exponents, 0 or more, a + b ≤ 300; J_{a,b} = J_{b,a}.
    theta : float or array_like, any shape
        Angle θ in [0, π], in radians. The float nearest to π stands for π itself.

    Returns
    -------
    float64 or ndarray, shape of theta
        The moment, in float64; exact at θ = 0 (up to rounding) and at θ = π, where it is 0.

    Raises
    ------
    DomainError
        An exponent is no integer, or negative; a + b > 300; an angle is NaN or outside [0, π].

    See Also
    --------
    gpdeep.gaussian.closed_form : the same as a formula, with exact integer coefficients.

    Notes
    -----
    *Quadrature.* The integrand f is a trigonometric polynomial of degree N = a + b with |f| ≤ 1, so its
    derivatives are bounded by Bernstein's inequality, |f^(2m)| ≤ N^{2m}, and Gauss-Legendre with m nodes has
    an error of at most about h (πm)^{1/2} (eNh/4m)^{2m} / (2m + 1). By Hölder the integral I is log-convex in
    a at fixed N, hence smallest at a = b, and sin u = t sin h turns that case into
    I ≥ sin^{N+1} h ∫(1-t²)^{N/2} dt ≥ (2h/π)^{N+1} (2π/(N+2))^{1/2}. For 2m ≥ N the ratio is largest at
    h = π/2, where the factors before the power are below 1:

        relative quadrature error ≤ (πeN / 8m)^{2m},   which is below 2^-53 for every N with m = ⌈5N/4⌉ + 14.

    *Conditioning.* The rounding error is below (2(a + b) + 8) 2^-52 at every θ (measured: 2e-15 for
    a + b ≤ 8, 6e-15 at 60). What θ itself leaves open is another matter: near π, J ~ (π - θ)^{a+b+1}, and
    π - θ is computed from the float θ (with π to 107 bits, so exactly for that float). If θ was rounded from
    a true angle δ below π, δ is known only to 2e-16/δ, and J to (a + b + 1) times that: 2e-10 of J_{0,0} at
    δ = 1e-6, however J is computed.

    *Cost.* 2m sines and powers an angle (0.4 µs for J_{2,2}); memory of the result, and blocks of 0.5 MiB.

    References
    ----------
    Jakub & Nica 2023, arXiv 2302.09712 (the moments and their recursion); Cho & Saul 2009, sec. 2 (a = b).

    Examples
    --------
    The next cosine of a ReLU layer is 2 J_{1,1} = (sin θ + (π - θ) cos θ)/π:

    >>> theta = np.array([0.0, 1.0, np.pi / 2, np.pi])
    >>> print(2 * relu_moment(1, 1, theta))
    [1.         0.63616727 0.31830989 0.        ]
    >>> print(((np.sin(theta) + (np.pi - theta) * np.cos(theta)) / np.pi).round(8))
    [1.         0.63616727 0.31830989 0.        ]

    Near π only this form has digits left. With sin x ≈ x, J_{4,4} ≈ K_8 B(5, 5) δ^9 = (384/2π)/630 δ^9:

    >>> print(f"{relu_moment(4, 4, np.pi - 1e-3):.4e}  {384 / (2 * np.pi) / 630 * 1e-27:.4e}")
    9.7009e-29  9.7009e-29
    """
    a, b = _order(a, b)
    theta = angles(theta)
    flat = theta.reshape(-1)
    moment = np.empty_like(flat)
    m = quadrature_nodes(a + b)
    block = max(1, BLOCK // m)
    for start in range(0, flat.size, block):
        moment[start : start + block] = _polar(a, b, flat[start : start + block], m)
    moment[flat == 0] = _half_moment(a + b)
    return moment.reshape(theta.shape)[()]


def quadrature_nodes(degree: int) -> int:
    """Number m of Gauss-Legendre nodes that makes (πeN/8m)^{2m} < 2^-53 for N = `degree`."""
    return -(-5 * degree // 4) + 14


def relu_moment_recursion(a: int, b: int, theta: ArrayLike) -> Any:
    r"""The same moment by Gaussian integration by parts, for cross-checks, J_{a,b}(θ).

        J_{a,b} = (a-1) J_{a-2,b} + b c J_{a-1,b-1}                       a ≥ 2, b ≥ 1
        J_{a,0} = (a-1) J_{a-2,0} + c s^{a-1} m_{a-1} / √(2π)             a ≥ 2
        J_{1,b} = s^b m_b / √(2π) + b c J_{0,b-1}                         b ≥ 1
        J_{0,0} = (π - θ)/(2π),   J_{1,0} = (1 + c)/(2√(2π)),   m_k = E[N^k 1{N > 0}]

    Parameters
    ----------
    a, b : int
        Exponents, 0 or more, a + b ≤ 300.
    theta : float or array_like, any shape
        Angle θ in [0, π].

    Returns
    -------
    float64 or ndarray, shape of theta
        The moment, with the digits that are left.

    Raises
    ------
    DomainError
        As `relu_moment`.

    Notes
    -----
    E[G f(G, W)] = E[∂f/∂G] + c E[∂f/∂W] with f = G^{a-1} W^b 1{G > 0, W > 0}; the derivative of an indicator
    is a delta at 0, which survives only where no positive power kills it.

    *Where it loses digits:* for c ≥ 0 all terms are positive and it is as accurate as `relu_moment`. For
    θ > π/2 the terms have opposite signs and cancel down to J ~ (π - θ)^{a+b+1}: the relative error is about
    2^-53 (π - θ)^{-(a+b+1)} times the size of a moment. J_{4,4} has 5 or 6 digits at π - θ = 0.1, none at
    0.01.

    References
    ----------
    Jakub & Nica 2023, arXiv 2302.09712 (recursion); Stein 1981 (integration by parts).

    Examples
    --------
    >>> print(f"{relu_moment_recursion(2, 2, np.pi / 2):.14f}  {relu_moment(2, 2, np.pi / 2):.14f}")
    0.25000000000000  0.25000000000000
    """
    a, b = _order(a, b)
    theta = angles(theta)
    c, s = np.cos(theta), sine(theta)
    root = math.sqrt(2 * math.pi)
    known: dict[tuple[int, int], FloatArray] = {
        (0, 0): supplement(theta) / (2 * np.pi),
        (1, 0): np.cos(theta / 2) ** 2 / root,
    }

    def moment(i: int, j: int) -> FloatArray:
        i, j = max(i, j), min(i, j)
        if (i, j) not in known:
            if j == 0:
                value = (i - 1) * moment(i - 2, 0) + c * s ** (i - 1) * (_half_moment(i - 1) / root)
            elif i == 1:
                value = s * (_half_moment(1) / root) + c * moment(0, 0)
            else:
                value = (i - 1) * moment(i - 2, j) + j * c * moment(i - 1, j - 1)
            known[i, j] = value
        return known[i, j]

    return moment(a, b)[()]


def relu_moment_derivative(a: int, b: int, theta: ArrayLike) -> Any:
    r"""Derivative of the moment by the angle, dJ_{a,b}/dθ.

        dJ_{a,b}/dθ = -a b s J_{a-1,b-1}(θ)        a, b ≥ 1
        dJ_{a,0}/dθ = -K_a s^a                     a ≥ 0,   K_N = 2^{N/2} Γ(N/2 + 1) / (2π)

    Parameters
    ----------
    a, b : int
        Exponents, 0 or more, a + b ≤ 300.
    theta : float or array_like, any shape
        Angle θ in [0, π].

    Returns
    -------
    float64 or ndarray, shape of theta
        The derivative: 0 or negative. At the ends it is the one-sided one.

    Raises
    ------
    DomainError
        As `relu_moment`.

    Notes
    -----
    Price's theorem says dE f(G,W)/dc = E[∂²f/∂G∂W], and dc/dθ = -s. For a, b ≥ 1 each derivative takes one
    power (the deltas at 0 meet a positive power, or measure zero), which is the first line.

    For b = 0, ∂f/∂W is a delta at W = 0. Rather than to differentiate it, substitute x = h - u in the polar
    form: J_{a,0} = K_a ∫_0^{π-θ} sin^a x dx, since h + u enters with power 0. The derivative of the upper
    limit is -1, and sin(π - θ) = s: that is the second line. It agrees with Price's delta terms: a
    G^{a-1} 1{G > 0} δ(W) has the mean a s^{a-1} m_{a-1}/√(2π) (given W = 0, G ~ N(0, s²)), and
    a m_{a-1}/√(2π) = K_a for a ≥ 1; for a = 0, δ(G)δ(W) has the mean 1/(2πs), and K_0 = 1/(2π).

    Every term has one sign: the relative accuracy is that of `relu_moment`.

    References
    ----------
    Price 1958, IRE Trans. Inf. Theory 4, 69; Jakub & Nica 2023, arXiv 2302.09712.

    Examples
    --------
    J_{0,0} = (π - θ)/(2π) has slope -1/(2π); J_{2,0} = (π - θ + sin θ cos θ)/(2π) has slope -sin²θ/π:

    >>> print(f"{2 * np.pi * relu_moment_derivative(0, 0, 1.0):.14f}")
    -1.00000000000000
    >>> print(f"{relu_moment_derivative(2, 0, np.pi / 2) * np.pi:.14f}")
    -1.00000000000000
    """
    a, b = _order(a, b)
    theta = angles(theta)
    if a and b:
        # 0.0 - x rather than -x: no -0.0 at the ends
        return 0.0 - a * b * (sine(theta) * relu_moment(a - 1, b - 1, theta))
    order = a + b
    return (0.0 - (_radial_scale(order) * sine(theta)) ** order * (1.0 if order else _K_0))[()]


def _order(a: int, b: int) -> tuple[int, int]:
    """The exponents as ints, a + b within what float64 can hold."""
    a, b = exponents(a=a, b=b)
    if a + b > MAX_ORDER:
        raise DomainError(
            f"a + b = {shown(a + b)} is above {MAX_ORDER}.",
            "The moment of that order exceeds the largest float64, 1.8e308, at θ = 0.",
            "Use a + b ≤ 300, or gpdeep.gaussian.closed_form, whose coefficients are exact integers.",
        )
    return a, b


def _polar(a: int, b: int, theta: FloatArray, m: int) -> FloatArray:
    """The polar form for a block of angles.

    K_N is spread over the N sines, K_N = ρ^N, so that neither it nor the powers leave float64 before J does.
    """
    from_right, from_left, w = gauss_legendre(m)
    h = supplement(theta) / 2
    rho = _radial_scale(a + b)
    first = (rho * np.sin(h[:, None] * from_right)) ** a
    second = (rho * np.sin(h[:, None] * from_left)) ** b
    # einsum, not @: BLAS adds in an order that depends on where in the array an angle stands
    integral: FloatArray = h * np.einsum("ij,j->i", first * second, w)
    return integral * (1.0 if a + b else _K_0)


@lru_cache(maxsize=512)
def _radial_scale(order: int) -> float:
    """ρ with ρ^N = K_N = 2^{N/2} Γ(N/2 + 1)/(2π), for N = `order` ≥ 1; 1 for N = 0."""
    if order == 0:
        return 1.0
    log_k = order / 2 * math.log(2) + math.lgamma(order / 2 + 1) - math.log(2 * math.pi)
    return math.exp(log_k / order)


@lru_cache(maxsize=512)
def _half_moment(k: int) -> float:
    """m_k = E[N^k 1{N > 0}]: (k-1)!!/2 for even k, (k-1)!!/√(2π) for odd k."""
    double_factorial = math.prod(range(k - 1, 0, -2))
    return float(double_factorial) / (math.sqrt(2 * math.pi) if k % 2 else 2)

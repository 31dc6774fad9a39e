r"""How the angle between two inputs dies out with depth at infinite width: as 1/depth, with a logarithmic correction,

    1/θ_l = a (u + (3/2) ln u) + O(ln u / u),   u = l + K(θ_0),   a = r/(3π),

for activations with two slopes a', b' and kink r = (a'-b')²/(a'²+b'²) in (0, 2] (1 for ReLU), Gaussian weights, no
bias. So θ_l ~ 3π/(r l) and ln sin² θ_l ~ 2 ln(3π/(r l)), whatever θ_0.

*Derivation.* At small angles the map is θ' = θ - aθ² - (a²/2)θ³ - (a/30)(2 + 15a²)θ⁴ + O(θ⁵), hence
1/θ' = 1/θ + a + (3/2)a²θ + O(θ²). Summing a over l layers gives 1/θ_l ~ a l; summing (3/2)a²θ_j ~ (3/2)a/j gives the
logarithm, with coefficient A = (3/2)a = r/(2π): 1/θ_l = (r/3π) l + (r/2π) ln l + const. The constant comes from Abel's
equation F(θ') = F(θ) + 1, which turns depth into a coordinate, F(θ_l) = l + F(θ_0). It is solved by

    F(θ) = 1/(aθ) + (3/2) ln(aθ) + γ_1 θ + γ_2 θ² + γ_3 θ³ + O(θ⁴),
    γ_1 = a + 1/(15a),   γ_2 = 15a²/16 - 1/20,   γ_3 = 35a³/24 - a/60 + 1/(1575a),

so K(θ_0) = F(θ_0); where θ_0 is not small, K(θ_0) = F(θ_m) - m after m layers. Up to θ = 0.05 the terms left out move
F by less than 5e-8 layers for r ≥ 1e-3 (they grow as 1/r below), so F also counts layers, without going through them.

With r = 0 the function is linear: the angle never changes and nothing of this applies.

References: Cho & Saul (2009), sec. 2, for the map; Abel's equation at a parabolic fixed point: de Bruijn (1958),
Asymptotic Methods in Analysis, ch. 8.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..gaussian import iterate_angle_map
from ..gaussian.angle_path import layer_by_layer
from ..gaussian.arguments import angle, as_float, depths, kink_in_range, shown

MOST_LAYERS = 10**12
"""Depths are counted up to here: beyond, the threshold's own rounding shifts the count."""

_SMALL = 0.05
_LEAST = 1e-300  # of an angle times a, below which 1/θ leaves float64
_MOST_STEPS = 2_000_000


def angle_path(theta0: float | ArrayLike, depth: int, kink: float = 1.0) -> Any:
    r"""Angles between two inputs after layers 1..L of infinite width, θ_l.

        cos θ_l = cos θ_{l-1} + (r/π)(sin θ_{l-1} - θ_{l-1} cos θ_{l-1})

    Parameters
    ----------
    theta0 : float or array_like, shape (P,)
        Angle θ_0 between the inputs, in [0, π].
    depth : int
        Number of layers L ≥ 1.
    kink : float
        r in [0, 2]: 1 for ReLU, `activation(name).kink` for others. With r = 0, the identity, the angle never changes.

    Returns
    -------
    ndarray, shape (L,) or (L, P)
        θ_1 .. θ_L, radians.

    Raises
    ------
    DomainError
        An angle, the depth or the kink is out of range.
    MemoryBudgetError
        The path would take more than 2 GiB.

    Notes
    -----
    Exact up to rounding: relative error 1e-14 at 10,000 layers. Cost and conditioning:
    `gpdeep.gaussian.iterate_angle_map`.

    References
    ----------
    Cho & Saul 2009, NIPS 22, sec. 2.

    Examples
    --------
    From a right angle, cos θ_1 = 1/π:

    >>> theta = angle_path(np.pi / 2, 1000)
    >>> print(f"{np.cos(theta[0]) * np.pi:.12f}  {theta[-1]:.6f}")
    1.000000000000  0.009288
    """
    return iterate_angle_map(theta0, depth, kink)[0]


def angle_asymptote(depth: float | ArrayLike, kink: float = 1.0, *, theta0: float = math.pi / 2) -> Any:
    r"""The angle after many layers of infinite width by its asymptotic law, θ_l.

        θ_l ≈ 1 / (a (u + (3/2) ln u)),   a = r/(3π),   u = l + K(θ_0)

    Assumptions: kink r > 0; depth large enough for the error below.

    Parameters
    ----------
    depth : float or array_like, any shape
        Depth l ≥ 1.
    kink : float
        r in (0, 2]: 1 for ReLU.
    theta0 : float
        Angle θ_0 between the inputs, in [0, π]; it enters through the constant K(θ_0) alone.

    Returns
    -------
    float64 or ndarray, shape of depth
        Relative error ((9/4) ln u - c)/u² to leading order, c = 1 + 1/(15a²). For ReLU c = 6.9: 7e-4 at depth 50,
        8e-6 at 1,000, 1.4e-7 at 10,000. Without K and the logarithm, 3π/(r l) is (3/2) ln l/l too high: 0.2 % at
        10,000.

    Raises
    ------
    DomainError
        The kink is 0 or so small that no small angle is reached within two million layers; an argument is out of range.

    Notes
    -----
    *Cost.* Some 190/r layers are gone through for K(θ_0): 30 µs for ReLU. Depth costs nothing.

    References
    ----------
    See the head of this module for the derivation.

    Examples
    --------
    >>> print(f"{angle_path(np.pi / 2, 10_000)[-1]:.10f}  {angle_asymptote(10_000):.10f}")
    0.0009407649  0.0009407650
    """
    layers = depths(depth)
    r, start = kink_in_range(kink), angle(theta0)
    if r == 0:
        raise DomainError(
            "kink = 0: the activation is linear and the angle never changes.",
            "The identity, or both slopes equal, was given; no decay, so no law of decay.",
            "Give the kink of a nonlinear activation, such as 1 for ReLU.",
        )
    if start == 0:
        return np.zeros_like(layers)[()]
    gone, theta = _small_angle(start, r)
    if theta == 0:  # opposite inputs of an even function coincide after one layer
        return np.zeros_like(layers)[()]
    u = layers + (_abel_coordinate(theta, r) - gone)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (3 * math.pi / r / (u + 1.5 * np.log(u)))[()]


def log_sin2_asymptote(depth: float | ArrayLike, kink: float = 1.0, *, theta0: float = math.pi / 2) -> Any:
    r"""The log of the squared sine of the angle after many layers of infinite width, x_l = ln sin² θ_l.

        x_l ≈ 2 ln sin( 1 / (a (u + (3/2) ln u)) )  ~  2 ln(3π/(r l))

    Parameters, errors and cost as `angle_asymptote`; the absolute error is twice the angle's relative error.

    Returns
    -------
    float64 or ndarray, shape of depth
        Natural logarithm (nats); -inf where the inputs coincide from the start.

    Examples
    --------
    >>> print(f"{log_sin2_asymptote(1e6):.6f}  {2 * np.log(3 * np.pi / 1e6):.6f}")
    -23.144387  -23.144337
    """
    with np.errstate(divide="ignore"):
        return 2 * np.log(np.sin(angle_asymptote(depth, kink, theta0=theta0)))


def infinite_degeneracy_depth(theta0: float = math.pi / 2, threshold: float = -4.0, kink: float = 1.0) -> int:
    r"""The largest depth at which two inputs of an infinitely wide network are still told apart, l*.

        l* = max{ l ≥ 1 : ln sin² θ_l ≥ x* },   0 if there is none

    Parameters
    ----------
    theta0 : float
        Angle θ_0 between the inputs, in [0, π].
    threshold : float
        x*, ln sin² below which they count as indistinguishable (nats).
    kink : float
        r in [0, 2]: 1 for ReLU.

    Returns
    -------
    int

    Raises
    ------
    DomainError
        l* is beyond 10^12, or there is no end to it because the kink is 0 (or below 1e-4, where it would take more than
        two million layers to get to small angles); an argument is out of range.

    Notes
    -----
    Layer by layer down to θ = 0.05, then by Abel's coordinate: l* = m + ⌊F(θ*) - F(θ_m)⌋, sin² θ* =
    e^{x*}. The two agree to 5e-8 layers, rounding to |x*| l* 1e-16, so a count could differ by one only where ln sin²
    θ_{l*} meets the threshold that closely. To leading order l* = (3π/r) e^{-x*/2}.

    *Cost.* Some 190/r layers at most, 30 µs for ReLU, whatever l* is.

    References
    ----------
    See the head of this module for the derivation.

    Examples
    --------
    >>> infinite_degeneracy_depth(np.pi / 2, -4.0), infinite_degeneracy_depth(np.pi / 2, -30.0)
    (58, 30809732)
    """
    start, r, x_star = angle(theta0), kink_in_range(kink), as_float(threshold)
    if not math.isfinite(x_star):
        raise DomainError(
            f"threshold is {shown(threshold)}.",
            "The threshold of ln sin² is NaN or infinite.",
            "Give a finite number, such as -4.",
        )
    if 0 < start <= _SMALL:
        return _jump(start, r, x_star) if 2 * math.log(math.sin(start)) >= x_star else 0
    if r > 0:
        _refuse_slow(start, max(_SMALL, math.asin(math.exp(min(x_star, 0.0) / 2))), r)
    last = 0
    for layer, (theta, x) in zip(range(1, _MOST_STEPS + 1), layer_by_layer(start, r), strict=False):
        if x >= x_star:
            last = layer
        elif theta <= math.pi / 2:  # from here on both θ and sin θ decrease
            return last
        if r == 0:
            break
        if 0 < theta <= _SMALL:
            return layer + _jump(theta, r, x_star)
    if r == 0:
        if last == 0:
            return 0
        raise _endless("kink = 0: the activation is linear, the angle never changes and no depth is the largest.")
    raise _slow(r)


def _jump(theta: float, r: float, threshold: float) -> int:
    """Number of layers from a small θ, itself above the threshold, to the last one above it."""
    if r == 0:
        raise _endless("kink = 0: the activation is linear, the angle never changes and no depth is the largest.")
    last = math.asin(math.exp(threshold / 2))
    layers = _abel_coordinate(last, r) - _abel_coordinate(theta, r) if last > 0 else math.inf
    if not layers <= MOST_LAYERS:
        raise _endless(f"The threshold {threshold} is met beyond {MOST_LAYERS:.0e} layers (kink {r}).")
    return max(math.floor(layers), 0)


def _small_angle(theta0: float, r: float) -> tuple[int, float]:
    """How many layers to go before F holds, and the angle after them."""
    if theta0 <= _SMALL:
        return 0, theta0
    _refuse_slow(theta0, _SMALL, r)
    for layer, (theta, _) in zip(range(1, _MOST_STEPS + 1), layer_by_layer(theta0, r), strict=False):
        if theta <= _SMALL:
            return layer, theta
    raise _slow(r)


def _abel_coordinate(theta: float, r: float) -> float:
    """F(θ) for θ ≤ 0.05; F(θ') = F(θ) + 1; infinite where 1/θ leaves float64."""
    a = r / (3 * math.pi)
    if a * theta < _LEAST:
        return math.inf
    gamma_1 = a + 1 / (15 * a)
    gamma_2 = 15 * a**2 / 16 - 1 / 20
    gamma_3 = 35 * a**3 / 24 - a / 60 + 1 / (1575 * a)
    return 1 / (a * theta) + 1.5 * math.log(a * theta) + theta * (gamma_1 + theta * (gamma_2 + theta * gamma_3))


def _endless(found: str) -> DomainError:
    return DomainError(
        found,
        "The threshold is far below what a network can be deep, or the activation is (nearly) linear.",
        "Raise the threshold, give the kink of the activation, or use log_sin2_asymptote at the depth in question.",
    )


def _refuse_slow(theta0: float, theta: float, r: float) -> None:
    """Refuse at once what is slow: a layer adds r (sin θ - θ cos θ)/π ≤ r to the cosine."""
    if math.cos(theta) - math.cos(theta0) > r * _MOST_STEPS:
        raise _slow(r)


def _slow(r: float) -> DomainError:
    return DomainError(
        f"kink = {shown(r)}: after {_MOST_STEPS} layers the angle is still above {_SMALL}.",
        "The two slopes are nearly equal, so that angles hardly change.",
        "Use angle_path at the depth in question, or a kink of 1e-4 or more.",
    )

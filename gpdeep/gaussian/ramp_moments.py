r"""Moments of a ramp under a Gaussian variable, at full relative accuracy for near and far kinks:

    R_p(h) = E (z - h)_+^p = f(h) ∫_0^∞ x^p exp(-h x - x²/2) dx,        z ~ N(0, 1),  p = 0, ..., 4

f(h) is the normal density, Q(h) = R_0(h) the upper tail. The repeated integrals i_p = R_p / p! obey

    i_{p-2} = h i_{p-1} + p i_p,        i_{-1} = f,  i_0 = Q.

For h ≤ 0 all terms of p i_p = i_{p-2} + |h| i_{p-1} are positive, upwards. For h > 0 upwards cancels (the closed forms,
R_2 = (1 + h²) Q - h f for one, lose a factor h^4); the integral gives p = 4 and 3, and the recursion goes down, where
again all terms are positive. Abramowitz & Stegun 1964, 7.2.5 (recursion).
"""

from __future__ import annotations

import math
import operator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..result import FloatArray
from .arguments import as_floats, require_fitting, shown
from .gauss_legendre import gauss_legendre

MAX_POWER = 4
SPAN = 45.0
"""Tails are cut where the Gaussian has fallen by e^-45 from the inner end: 3e-20."""
NODES = 40
_FARTHEST = 1e8  # f(h) underflows from 38.6 on
_BLOCK = 1 << 14


def ramp_moment(p: int, h: ArrayLike) -> Any:
    r"""Expectation of a power of a ramp, R_p(h).

        R_p(h) = E (z - h)_+^p,   z ~ N(0, 1)

    Parameters
    ----------
    p : int
        The power, 0 to 4; p = 0 is the probability Q(h) that z exceeds h.
    h : float or array_like, any shape
        The kink in units of the standard deviation, any real number.

    Returns
    -------
    float64 or ndarray, shape of h
        R_p(h).

    Raises
    ------
    DomainError
        p is not an integer from 0 to 4; h is NaN or not a real number.

    Notes
    -----
    *Accuracy.* Relative error below 2e-15 for |h| ≤ 38; beyond 37.5 the value leaves the range of normal floats and
    then is 0.

    *Conditioning.* h d ln R_p/dh ≈ -h² for large h: a kink that is itself rounded costs h² units of rounding.

    *Cost.* About 0.3 µs an entry.

    References
    ----------
    Abramowitz & Stegun 1964, 7.2 (repeated integrals of the error function).

    Examples
    --------
    R_1(h) = f(h) - h Q(h) and R_2(0) = 1/2:

    >>> print(f"{ramp_moment(1, 1.0):.15f} {ramp_moment(2, 0.0):.15f} {ramp_moment(4, 30.0):.8e}")
    0.083315470587686 0.500000000000000 1.43156659e-202
    """
    return _ladder(h)[_power(p) + 1][()]


def ramp_product(h: ArrayLike, k: ArrayLike) -> Any:
    r"""Expectation of the product of two ramps of the same variable, E (z - h)_+ (z - k)_+.

        E (z - h)_+ (z - k)_+ = R_2(M) + |h - k| R_1(M),   M = max(h, k)

    Parameters
    ----------
    h, k : float or array_like
        The kinks, of shapes that broadcast.

    Returns
    -------
    float64 or ndarray

    Raises
    ------
    DomainError
        A kink is NaN or not a real number.

    Notes
    -----
    Both terms are positive: the relative error is below 4e-15.

    Examples
    --------
    >>> print(f"{ramp_product(0.0, 1.0):.15f} {ramp_product(1.0, 1.0) - ramp_moment(2, 1.0):.1f}")
    0.158655253931457 0.0
    """
    first, second = kinks("h", h), kinks("k", k)
    require_fitting(h=first, k=second)
    ladder = _ladder(np.maximum(first, second))
    return (ladder[3] + np.abs(first - second) * ladder[2])[()]


def normal_density(x: ArrayLike) -> Any:
    r"""Standard normal density f(x) = exp(-x²/2)/√(2π), without the rounding of x².

    Parameters
    ----------
    x : float or array_like, any shape
        Real numbers.

    Returns
    -------
    float64 or ndarray, shape of x
        f(x), relative error below 1e-15: x = c + r with c a multiple of 1/16, so that c² is exact.

    Raises
    ------
    DomainError
        x is NaN or not a real number.

    Examples
    --------
    >>> print(f"{normal_density(0.0):.15f} {normal_density(30.0):.8e}")
    0.398942280401433 1.47364613e-196
    """
    size = np.minimum(np.abs(kinks("x", x)), 40.0)  # f(40) is 0 in float64
    coarse = np.round(size * 16) / 16
    scale = 1 / math.sqrt(2 * math.pi)
    with np.errstate(under="ignore"):
        return (scale * np.exp(-coarse * coarse / 2) * np.exp(-(size - coarse) * (size + coarse) / 2))[()]


def reach(h: FloatArray) -> FloatArray:
    """The x > 0 at which the density at h + x, h ≥ 0, is e^-45 times that at h."""
    return np.asarray(2 * SPAN / (h + np.sqrt(h * h + 2 * SPAN)))


@lru_cache(maxsize=4)
def unit_rule(nodes: int = NODES) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on (0, 1), read-only."""
    _, from_left, w = gauss_legendre(nodes)
    x, w = from_left / 2, w / 2
    x.flags.writeable = w.flags.writeable = False
    return x, w


def kinks(name: str, value: ArrayLike) -> FloatArray:
    """`value` as float64, cut to ±1e8, where all densities are 0.

    Raises
    ------
    DomainError
        It is NaN or not real.
    """
    given = as_floats(value)
    if given is None or np.isnan(given).any():
        raise DomainError(
            f"{name} is {shown(value)}.",
            "A kink is a real number; text, a truth value, a complex number or NaN was given.",
            f"Give {name} as a float or an array of floats.",
        )
    return np.clip(given, -_FARTHEST, _FARTHEST)


def _ladder(h: ArrayLike) -> tuple[FloatArray, ...]:
    """f, R_0, R_1, R_2, R_3, R_4 at h."""
    x = kinks("h", h)
    out = np.empty((MAX_POWER + 2, x.size))
    flat = x.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        part = flat[start : start + _BLOCK]
        far = part > 0
        block = out[:, start : start + _BLOCK]
        with np.errstate(under="ignore"):
            block[:, far] = _downwards(part[far])
            block[:, ~far] = _upwards(part[~far])
    out[4] *= 6
    out[3] *= 2
    out[5] *= 24
    return tuple(row.reshape(x.shape) for row in out)


def _upwards(h: FloatArray) -> list[FloatArray]:
    """i_{-1}, ..., i_4 for h ≤ 0."""
    from scipy.special import ndtr  # here: importing gpdeep stays light

    ladder = [np.asarray(normal_density(h)), np.asarray(ndtr(-h))]
    for p in range(1, MAX_POWER + 1):
        ladder.append((ladder[-2] - h * ladder[-1]) / p)
    return ladder


def _downwards(h: FloatArray) -> list[FloatArray]:
    """i_{-1}, ..., i_4 for h > 0."""
    x, w = unit_rule()
    length = reach(h)
    step = length[:, None] * x
    falling = w * np.exp(-step * (h[:, None] + step / 2)) * step**3
    scale = normal_density(h) * length
    above, below = scale * np.sum(falling * step, axis=1) / 24, scale * np.sum(falling, axis=1) / 6
    ladder = [above, below]
    for p in range(MAX_POWER, 1, -1):
        ladder.append(h * ladder[-1] + p * ladder[-2])
    ladder.append(np.asarray(normal_density(h)))
    return ladder[::-1]


def _power(p: Any) -> int:
    try:
        number = -1 if isinstance(p, (bool, np.bool_)) else operator.index(p)
    except TypeError:
        number = -1
    if not 0 <= number <= MAX_POWER:
        raise DomainError(
            f"p = {shown(p)} is not an integer from 0 to {MAX_POWER}.",
            "Moments of a ramp are given up to the fourth.",
            f"Give p as an int from 0 to {MAX_POWER}.",
        )
    return number

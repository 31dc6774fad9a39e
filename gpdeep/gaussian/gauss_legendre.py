r"""Gauss-Legendre nodes on (-1, 1) in the coordinate that keeps the digits of both ends:

    ∫_{-1}^{1} f(x) dx ≈ Σ_k w_k f(x_k),   x_k = cos t_k,   P_m(cos t_k) = 0,   w_k = 2 / (dP_m/dt)².

The zeros are found in t with the recurrence of P_{k+1} - P_k, which never forms 1 - x by subtraction:

    D_{k+1} = [ k D_k - (2k + 1)(1 - x) P_k ] / (k + 1),   P_{k+1} = P_k + D_{k+1},   1 - x = 2 sin²(t/2).

So 1 - x, 1 + x and w each have a relative error of a few units of rounding, for the outermost nodes too. (The
weights of `numpy.polynomial.legendre.leggauss` are off by 2e-12 there for 100 nodes, and an integrand like
(1 + x)^60 lives on just these.) Reference: Swarztrauber 2002, SIAM J. Sci. Comput. 24, 945 (zeros in t).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..result import FloatArray


@lru_cache(maxsize=64)
def gauss_legendre(m: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """1 - x, 1 + x and the weights w of the m-point rule, which integrates polynomials of degree 2m - 1.

    Parameters
    ----------
    m : int
        Number of nodes, 1 or more.

    Returns
    -------
    tuple of ndarray
        Three read-only arrays of shape (m,), x decreasing from near 1 to near -1.

    Examples
    --------
    >>> from_right, from_left, w = gauss_legendre(2)
    >>> print((from_left - 1) ** 2, w)
    [0.33333333 0.33333333] [1. 1.]
    """
    t: FloatArray = np.pi * (np.arange((m + 1) // 2, dtype=np.float64) + 0.75) / (m + 0.5)
    for _ in range(4):  # Newton; the start is within 2% even for m = 1
        value, slope = _legendre(m, t)
        t = t - value / slope
    if m % 2:
        t[-1] = np.pi / 2
    _, slope = _legendre(m, t)
    near, far, w = 2 * np.sin(t / 2) ** 2, 2 * np.cos(t / 2) ** 2, 2 / slope**2
    if m % 2:
        near[-1] = far[-1] = 1.0
    inner = slice(-2 if m % 2 else -1, None, -1) if m > 1 else slice(0, 0)
    rule = tuple(np.concatenate([half, mirrored[inner]]) for half, mirrored in ((near, far), (far, near), (w, w)))
    for array in rule:
        array.flags.writeable = False
    return rule[0], rule[1], rule[2]


def _legendre(m: int, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    """P_m(cos t) and its derivative by t."""
    y = 2 * np.sin(t / 2) ** 2
    p, d = np.ones_like(t), np.zeros_like(t)
    for k in range(m):
        d = (k * d - (2 * k + 1) * y * p) / (k + 1)
        p = p + d
    return p, m * (d - y * p) / np.sin(t)

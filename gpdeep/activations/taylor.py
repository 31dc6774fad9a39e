r"""Expectations at tiny variances by the Taylor series of φ at 0, where quadrature would divide rounding errors by q.

    φ(x) = Σ_n c_n x^n,   E φ² = Σ_n p_{2n} (2n-1)!! q^n,  p = c * c,   a_k(q) = Σ_{n=k+2j} c_n n! q^{n/2}/(2^j j! √k!)

a_k are the Hermite coefficients of `gaussian.mehler`. For a singularity at distance S the series are asymptotic; their
smallest term is about e^{-S²/2q}. With 48 coefficients and q ≤ S²/160 they are exact to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..result import FloatArray

Series = Sequence[float] | FloatArray
TERMS = 48
_SHARE = 160.0
_ENTIRE = 2.0  # stands for S where there is no singularity: erf and GELU turn within it


def largest_variance(strip: float) -> float:
    """The largest q at which series of `TERMS` coefficients are exact to rounding."""
    return min(strip, _ENTIRE) ** 2 / _SHARE


def moment_polynomials(taylor: Series) -> FloatArray:
    """Coefficients of 1, q, q², ... in the seven `Moments`, shape (7, TERMS/2); for q ≤ `largest_variance`."""
    c = np.asarray(taylor, dtype=np.float64)
    size = len(c)
    square = np.convolve(c, c)[:size]
    fourth = np.convolve(square, square)[:size]
    slope = c[1:] * np.arange(1, size)
    slope2 = np.append(np.convolve(slope, slope)[: size - 1], 0.0)
    n = np.arange(size // 2)
    odd_factorial = np.cumprod(np.maximum(2.0 * n - 1, 1.0))
    mean, second, power, slopes = (each[0 : 2 * len(n) : 2] * odd_factorial for each in (c, square, fourth, slope2))

    def derived(p: FloatArray) -> FloatArray:
        return np.append(p[1:] * n[1:], 0.0)

    return np.stack([mean, second, power, slopes, derived(second), derived(derived(second)), derived(slopes)])


def hermite_from_taylor(taylor: Series, q: FloatArray) -> FloatArray:
    """a_k(q) = E φ(√q z) He_k(z)/√k!, shape (len(q), TERMS), each with relative accuracy."""
    c, s = np.asarray(taylor, dtype=np.float64), np.sqrt(q)
    size = len(c)
    log_factorial = np.array([math.lgamma(n + 1) for n in range(size)])
    out = np.zeros((len(s), size))
    for k in range(size):
        n = np.arange(k, size, 2)
        j = (n - k) // 2
        log = log_factorial[n] - j * math.log(2) - log_factorial[j] - log_factorial[k] / 2
        out[:, k] = s[:, None] ** n @ (c[n] * np.exp(log))
    return out


# ---------------------------------------------------------------------- series of the functions in the catalogue


def tanh_of(p: Series) -> FloatArray:
    """The series of t = tanh p(x), from t' = (1 - t²) p'."""
    given = np.asarray(p, dtype=np.float64)[:TERMS]
    dp = np.zeros(TERMS)
    dp[: len(given) - 1] = given[1:] * np.arange(1, len(given))
    t, slope = np.zeros(TERMS), np.zeros(TERMS)  # slope: 1 - t²
    t[0] = math.tanh(given[0])
    for n in range(TERMS - 1):
        slope[n] = float(n == 0) - t[: n + 1] @ t[n::-1]
        t[n + 1] = slope[: n + 1] @ dp[n::-1] / (n + 1)
    return t


def sigmoid_of(p: Series) -> FloatArray:
    """The series of 1/(1 + e^{-p(x)}) = (1 + tanh(p/2))/2."""
    series = tanh_of(np.asarray(p, dtype=np.float64) / 2) / 2
    series[0] += 0.5
    return series


def integral(c: FloatArray, start: float) -> FloatArray:
    """The series whose derivative is c and which begins with `start`."""
    return np.append([start], c[:-1] / np.arange(1, len(c)))


def times_x(c: FloatArray) -> FloatArray:
    """x c(x)."""
    return np.append([0.0], c[:-1])


def identity() -> FloatArray:
    """X itself."""
    out = np.zeros(TERMS)
    out[1] = 1.0
    return out


def gaussian(scale: float, rate: float) -> FloatArray:
    """The series of scale·e^{-rate x²}."""
    out = np.zeros(TERMS)
    out[0::2] = scale * np.cumprod([1.0] + [-rate / n for n in range(1, TERMS // 2)])
    return out

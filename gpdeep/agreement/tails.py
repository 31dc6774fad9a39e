r"""Tails of the standardised error: normal, Student, and a normal with skewness.

Let x̄ be the mean of R independent normal replicates with mean μ and standard deviation σ.

    (x̄ - μ)/(σ/√R) ~ N(0, 1)      with σ known, as where theory gives it,
    (x̄ - μ)/(s/√R) ~ t_ν, ν = R-1  with s estimated from the same replicates (Student 1908): exact at every R ≥ 2.

If an independent error s_p with ν_p = ∞ is added (a prediction that was itself sampled), the ratio is no longer a
Student t; with ν = (R-1)(1 + s_p²/s²)² it has the right first two moments of the denominator (Welch 1947).

If σ is known, and also the skewness γ of one replicate, the mean has skewness g = γ/√R. The Pearson III law, a shifted
gamma variable of shape 4/g², has the same three cumulants, so what is left is O(1/R) in the tail's exponent.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammainc, gammaincc, ndtr, stdtr, stdtrit

from ..result import FloatArray

RATIO = 1e50
"""Ratios beyond it count as it: their fourth powers stay within float64."""

_ALMOST_SYMMETRIC = 2e-3
"""Below it the gamma function's lower tail loses digits, and one Edgeworth term is good to 0.3 % at 6 sigma."""


def upper_tail(x: float, degrees_of_freedom: float) -> float:
    """P(T > x) for Student's t; degrees of freedom ∞ is the normal law."""
    return float(stdtr(degrees_of_freedom, -x))


def upper_quantile(p: float, degrees_of_freedom: float) -> float:
    """The x with P(T > x) = p."""
    return -float(stdtrit(degrees_of_freedom, p))


def welch_degrees_of_freedom(standard_error: float, prediction_error: float, replicates: int) -> float:
    """ν of √(s² + s_p²), s from `replicates` and s_p known."""
    if prediction_error == 0:
        return replicates - 1.0
    if standard_error == 0:
        return math.inf
    return (replicates - 1.0) * (1 + min(prediction_error / standard_error, RATIO) ** 2) ** 2


def skewed_tails(z: FloatArray, skewness: FloatArray) -> tuple[FloatArray, FloatArray]:
    """P(Z < z) and P(Z > z) of the Pearson III law with mean 0, variance 1 and the given skewness."""
    z, g = np.broadcast_arrays(np.clip(z, -RATIO, RATIO), skewness)
    size = np.abs(g)
    mirrored = np.where(g < 0, -z, z)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        shape = np.where(size < _ALMOST_SYMMETRIC, 1.0, 4 / size**2)
        x = np.where(size < _ALMOST_SYMMETRIC, 1.0, np.maximum(shape + 2 * mirrored / size, 0.0))
    edgeworth = size * (mirrored**2 - 1) * np.exp(-(mirrored**2) / 2) / math.sqrt(72 * math.pi)
    near = [np.clip(ndtr(mirrored) - edgeworth, 0.0, 1.0), np.clip(ndtr(-mirrored) + edgeworth, 0.0, 1.0)]
    lower = np.where(size < _ALMOST_SYMMETRIC, near[0], gammainc(shape, x))
    upper = np.where(size < _ALMOST_SYMMETRIC, near[1], gammaincc(shape, x))
    return np.where(g < 0, upper, lower), np.where(g < 0, lower, upper)

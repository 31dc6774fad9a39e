r"""The exact law of one layer as θ → 0:   sin²θ'/sin²θ = χ²_{k-1}/χ²_k,   k ~ Bin(n, 1/2), k ≥ 2.

For a vanishing angle both inputs have the same k active neurons. On these the difference of the inputs is a Gaussian
vector in R^k; its part along the base input is a change of length, what is left has k - 1 degrees of freedom, and the
denominator is the base's own squared length, independent of it. So R = ln(sin²θ'/sin²θ) is a mixture of logarithms of
ratios of independent chi-squares (a log-F law, not a log-Beta). Layers with k ≤ 1 kill or collapse the pair
and are excluded. With digamma ψ and its derivatives,

    κ₁ = E d(k),                         d(k) = ψ((k-1)/2) - ψ(k/2)
    κ₂ = E[ψ'((k-1)/2) + ψ'(k/2)] + Var d(k)
    κ₃ = E[ψ''((k-1)/2) - ψ''(k/2)] + 3 Cov(d(k), ψ'((k-1)/2) + ψ'(k/2)) + κ₃(d(k)).

Used at θ > 0 it is off by about nθ/π in total variation at most, the probability that a neuron lies in one of the two
wedges of angle θ where exactly one input is active, and by O(θ²) because the two lengths differ.

Assumptions: ReLU, no bias, Gaussian weights. Derived here; the drift is -2/n (1 + 4/n + 20/n² + ...).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, psi, zeta

from ..errors import DomainError
from ..gaussian.arguments import as_floats, shown
from ..result import FloatArray
from .binomial import active_counts
from .checks import check_width

# ψ(z + 1/2) - ψ(z) = Σ_j _HALF_STEP[j] z^-(j+1): the duplication formula with the Bernoulli series of ψ.
_HALF_STEP = (1 / 2, 1 / 8, 0.0, -1 / 64, 0.0, 1 / 128, 0.0, -17 / 2048, 0.0, 31 / 2048)
_SERIES_FROM = 40.0  # the first omitted term, 0.05 z^-12, is below 1e-20 there


def digamma_half_step(z: FloatArray) -> FloatArray:
    """ψ(z + 1/2) - ψ(z) for z ≥ 1/2, without cancellation."""
    powers = np.arange(1, len(_HALF_STEP) + 1)
    series = (np.array(_HALF_STEP) * z[..., None] ** -powers).sum(-1)
    return np.asarray(np.where(z > _SERIES_FROM, series, psi(z + 0.5) - psi(z)))


def tetragamma_half_step(z: FloatArray) -> FloatArray:
    """ψ''(z + 1/2) - ψ''(z) for z ≥ 1/2, without cancellation: the second derivative of the series."""
    powers = np.arange(1, len(_HALF_STEP) + 1)
    series = (np.array(_HALF_STEP) * powers * (powers + 1) * z[..., None] ** -(powers + 2.0)).sum(-1)
    return np.asarray(np.where(z > _SERIES_FROM, series, -2 * (zeta(3, z + 0.5) - zeta(3, z))))


def small_angle_cumulants(n: int) -> FloatArray:
    """The first three cumulants of ln(sin²θ'/sin²θ) as θ → 0, given that the pair survives: (κ₁, κ₂, κ₃).

    Parameters
    ----------
    n : int
        Width, n ≥ 2 (with one neuron no pair survives).

    Returns
    -------
    ndarray, shape (3,)

    Raises
    ------
    DomainError
        n is not an integer from 2 to 10^6.

    Notes
    -----
    Relative error 1e-13 in κ₁ and κ₂ for all n. κ₃ ≈ -112/n³ is a difference of terms of size 1/n², relative
    error about n·1e-16 + 1e-13.

    Examples
    --------
    For two neurons k = 2, so R = ln(χ²₁/χ²₂): mean ψ(1/2) - ψ(1) = -2 ln 2, variance π²/2 + π²/6.

    >>> import numpy as np
    >>> np.allclose(small_angle_cumulants(2)[:2], [-2 * np.log(2), 2 * np.pi**2 / 3], rtol=1e-14, atol=0)
    True
    """
    k, weight, _ = active_counts(check_width(n, minimum=2), 2)
    mean = -digamma_half_step((k - 1) / 2)
    var = zeta(2, (k - 1) / 2) + zeta(2, k / 2)
    third = -tetragamma_half_step((k - 1) / 2)
    drift = weight @ mean
    d = mean - drift
    return np.array([drift, weight @ var + weight @ d**2, weight @ third + 3 * (weight @ (d * var)) + weight @ d**3])


def small_angle_cdf(n: int, r: ArrayLike) -> FloatArray:
    """P(sin²θ'/sin²θ ≤ e^r) as θ → 0, given that the pair survives.

    Parameters
    ----------
    n : int
        Width, n ≥ 2.
    r : array_like
        Logarithm of the ratio, any shape.

    Returns
    -------
    ndarray, the shape of `r`

    Raises
    ------
    DomainError
        n is not an integer from 2 to 10^6.

    Examples
    --------
    >>> round(float(small_angle_cdf(2, 0.0)), 12)  # P(χ²₁ < χ²₂) = 1/√2
    0.707106781187
    """
    k, weight, _ = active_counts(check_width(n, minimum=2), 2)
    given = as_floats(r)
    if given is None or np.isnan(given).any():
        raise DomainError(
            f"r is {shown(r)}.",
            "It is no logarithm of a ratio: NaN, text, a truth value or a ragged list.",
            "Give real numbers; infinities are allowed.",
        )
    r = given[..., None]
    ratio = np.exp(-np.logaddexp(0.0, -r))
    return np.asarray(betainc((k - 1) / 2, k / 2, ratio) @ weight)


def mean_inverse_stretch(n: int) -> float:
    """E[sin θ/sin θ'] as θ → 0 given k ≥ 3: E_k (k-1)/(k-2) = 1 + 2/n + ... (it is infinite at k = 2).

    The stretch itself has mean one for every k: sin θ is a martingale in this limit, although its typical value decays
    like exp(-Σ1/n).

    Parameters
    ----------
    n : int
        Width, n ≥ 3.

    Returns
    -------
    float

    Raises
    ------
    DomainError
        n is not an integer from 3 to 10^6.

    Examples
    --------
    Three neurons, all active: χ²₃ and χ²₂ give (3-1)/(3-2).

    >>> mean_inverse_stretch(3)
    2.0
    """
    k, weight, _ = active_counts(check_width(n, minimum=3), 3)
    return float(weight @ ((k - 1) / (k - 2)))

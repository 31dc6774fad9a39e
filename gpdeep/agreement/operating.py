r"""How often each verdict is given: the operating characteristics of `gpdeep.agreement.compare`.

Let the true error be D, the true standard error σ, the declared truncation t, and c = min(t/q, t/2) the largest
standard error with which AGREE is given, q the 95 % point of t_ν. The observed error d ~ N(D, σ²) is independent of
s ~ σ χ_ν/√ν, so with Q the point of α/2F,

    P(AGREE)    = E[ 1{s ≤ c} ( Φ((t - qs - D)/σ) - Φ((-t + qs - D)/σ) ) ]
    P(DISAGREE) = E[ Φ((D - t - Qs)/σ) + Φ((-D - t - Qs)/σ) ]

(the second is a pair of noncentral t tails). With ν = ∞ the expectations drop out. Owen (1965), Biometrika 52, 437.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtri, loggamma, ndtr

from ..errors import DomainError
from ..gaussian.arguments import as_float, shown
from .checks import count, finite, level, positive
from .tails import upper_quantile
from .verdicts import EQUIVALENCE_ALPHA, FAMILY_ALPHA

COARSE = 2.0
"""AGREE is refused where the standard error exceeds truncation/COARSE: even an exact prediction would mostly fail."""

_FINE_ENOUGH = 1e6  # degrees of freedom from which s is taken for σ: tails differ by z³/4ν of themselves
_LEFT_OUT = 1e-14  # probability of s outside the range of integration, on either side
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_STEPS = np.arange(-8.0, 9.0, 2.0)  # pieces two standard deviations long, to where a normal tail is 1e-15


@dataclass(frozen=True)
class VerdictProbabilities:
    """P(AGREE), P(DISAGREE) and P(INCONCLUSIVE); they sum to one."""

    agree: float
    disagree: float
    inconclusive: float


def verdict_probabilities(
    error: float,
    standard_error: float,
    truncation: float,
    *,
    family: int = 1,
    alpha: float = FAMILY_ALPHA,
    degrees_of_freedom: float = math.inf,
) -> VerdictProbabilities:
    r"""How often `compare` says AGREE, DISAGREE and INCONCLUSIVE where the true error is D.

    Parameters
    ----------
    error : float
        D, true value minus prediction; its sign does not matter.
    standard_error : float, positive
        σ, the true standard deviation of the estimate.
    truncation : float, positive
        t.
    family : int, from 1
        F, claims in the family.
    alpha : float, in (0, 1)
        α, the family's error rate.
    degrees_of_freedom : float, from 1
        ν = R - 1 where the standard error is estimated from R replicates; ∞ where it is known.

    Returns
    -------
    VerdictProbabilities

    Raises
    ------
    DomainError
        An argument is out of range.

    Notes
    -----
    Assumes normal replicates. Closed forms at ν = ∞; else one Gauss-Legendre rule, absolute error below 1e-9.

    Examples
    --------
    Forty claims, standard error a quarter of the truncation: an exact prediction, and one that is off by 2t.

    >>> exact = verdict_probabilities(0.0, 0.25, 1.0, family=40)
    >>> wrong = verdict_probabilities(2.0, 0.25, 1.0, family=40)
    >>> round(exact.agree, 2), round(wrong.disagree, 2)
    (0.98, 0.41)
    """
    D = abs(finite("error", error, "a true difference"))
    sigma = positive("standard_error", standard_error, "a standard deviation")
    t = positive("truncation", truncation, "the declared bound of the prediction's error")
    share = level("alpha", alpha) / count("family", family)
    nu = _degrees(degrees_of_freedom)
    q, Q = upper_quantile(EQUIVALENCE_ALPHA, nu), upper_quantile(share / 2, nu)
    D, t = D / sigma, t / sigma
    most = min(t / q, t / COARSE)

    def agree(s: Any) -> Any:
        return ndtr(t - q * s - D) - ndtr(-t + q * s - D)

    def disagree(s: Any) -> Any:
        return ndtr(D - t - Q * s) + ndtr(-D - t - Q * s)

    if nu >= _FINE_ENOUGH:
        agrees, disagrees = (float(agree(1.0)) if most >= 1 else 0.0), float(disagree(1.0))
    else:
        agrees = _mean_over_s(agree, nu, most, (t - D) / q, 1 / q)
        disagrees = _mean_over_s(disagree, nu, math.inf, (D - t) / Q, 1 / Q)
    return VerdictProbabilities(agrees, disagrees, max(1 - agrees - disagrees, 0.0))


def _mean_over_s(function: Callable[[Any], Any], nu: float, most: float, bend: float, width: float) -> float:
    """E[function(s); s ≤ most] for s ~ χ_ν/√ν; `function` goes from one value to another within `width` of `bend`."""
    low, high = (math.sqrt(chdtri(nu, p) / nu) for p in (1 - _LEFT_OUT, _LEFT_OUT))
    high = min(high, most)
    if not low < high:
        return 0.0
    spread, mode = 1 / math.sqrt(2 * nu), math.sqrt(1 - 1 / nu)
    marks = np.concatenate([mode + spread * _STEPS, bend + width * _STEPS, high * 10.0 ** np.arange(-6, 0)])
    edges = np.concatenate([[low], np.sort(marks[(marks > low) & (marks < high)]), [high]])
    half = np.diff(edges)[:, None] / 2
    s = (edges[:-1, None] + half) + half * _NODES
    log_norm = math.log(2) + nu / 2 * math.log(nu / 2) - float(loggamma(nu / 2))
    density = np.exp(log_norm + (nu - 1) * np.log(s) - nu * s * s / 2)
    return float(np.clip((half * _WEIGHTS * function(s) * density).sum(), 0.0, 1.0))


def _degrees(value: Any) -> float:
    number = as_float(value)
    if number >= 1:
        return number
    raise DomainError(
        f"degrees_of_freedom = {shown(value)}.",
        "A standard error from R replicates has R - 1 degrees of freedom, so 1 or more; a known one has infinity.",
        "Give R - 1, or math.inf.",
    )

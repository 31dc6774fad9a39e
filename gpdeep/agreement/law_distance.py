r"""An approximate law against replicates: is the true law within a declared distance of it?

Let F be the true distribution function, G the approximate one, D = sup|F - G|, and D_R the distance of the empirical
function of R replicates from G. At the point where |F - G| = D the empirical function errs to one side with
probability e^{-2Rε²} at most by ε (Hoeffding 1963); nowhere by more than k/√R except with probability P(K > k)
(Kolmogorov). Hence for a declared distance t

    AGREE         D_R + √(ln 20/2R) ≤ t     P(AGREE) ≤ 5 % if D ≥ t
    DISAGREE      D_R - k(α/F)/√R > t       P(DISAGREE) ≤ α/F if D ≤ t
    INCONCLUSIVE  otherwise

With many replicates every approximation is rejected by a test of exactness; this asks how good it is. G may be fitted
to the replicates (the normal law with their mean and variance): AGREE then says that this very G lies within t of F;
DISAGREE says nothing about other parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from scipy.special import kolmogi

from ..gaussian.arguments import real, text
from .checks import count, level, sample
from .comparison import Agreement, verdict_of
from .law_tests import checked
from .operating import COARSE
from .planning import replicates_to_place
from .verdicts import EQUIVALENCE_ALPHA, FAMILY_ALPHA, Verdict


def compare_law(
    samples: Any,
    cdf: Callable[[Any], Any],
    distance: float,
    *,
    family: int = 1,
    alpha: float = FAMILY_ALPHA,
    rival: Callable[[Any], Any] | None = None,
    rival_name: str = "the rival law",
    claim: str = "",
) -> Agreement:
    r"""Whether the law of replicates lies within a declared Kolmogorov distance of an approximate one.

    Parameters
    ----------
    samples : array_like, shape (R,)
    cdf : callable
        Distribution function G.
    distance : float, in (0, 1)
        t.
    family, alpha
        As in `compare`.
    rival : callable, optional
        Distribution function of the rival theory.
    rival_name, claim : str

    Returns
    -------
    Agreement
        With the observed distance as estimate and error, 0 as prediction, and 1/(2√R) as standard error.

    Raises
    ------
    DomainError
        Samples are not finite, a distribution function leaves [0, 1], or an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.special import ndtr
    >>> x = np.random.default_rng(0).standard_t(10, 4000)
    >>> compare_law(x, lambda y: ndtr(y / np.sqrt(1.25)), 0.05).verdict.value
    'AGREE'
    """
    from scipy.stats import kstest, kstwo

    x = sample("samples", samples, 1)
    t = real("distance", distance, 1e-100, 1.0, "a distance of distribution functions")
    comparisons, rate = count("family", family), level("alpha", alpha)
    D = float(kstest(x, checked(cdf)).statistic)
    s = 1 / (2 * math.sqrt(x.size))
    p_agree = math.exp(-2 * x.size * (t - D) ** 2) if t > D else 1.0
    p_disagree = float(kstwo.sf(max(D - t, 0.0), x.size))
    p_adjusted = min(1.0, comparisons * p_disagree)
    verdict = verdict_of(p_agree, s > t / COARSE, p_adjusted, rate)
    rival_distance = None if rival is None else float(kstest(x, checked(rival)).statistic)
    needed = None if verdict is not Verdict.INCONCLUSIVE else replicates_to_place(t, rate / comparisons)
    return Agreement(
        verdict=verdict,
        claim=text(claim),
        estimate=D,
        standard_error=s,
        prediction=0.0,
        truncation=t,
        error=D,
        rival=None if rival is None else 0.0,
        rival_error=rival_distance,
        rival_name=text(rival_name),
        p_agree=p_agree,
        p_disagree=p_disagree,
        p_adjusted=p_adjusted,
        family=comparisons,
        alpha=rate,
        replicates=x.size,
        degrees_of_freedom=math.inf,
        basis="kolmogorov",
        replicates_to_decide=needed,
        reason=_in_words(verdict, D, t, x.size, rate / comparisons, needed),
    )


def _in_words(verdict: Verdict, D: float, t: float, replicates: int, share: float, needed: int | None) -> str:
    upper = D + math.sqrt(-math.log(EQUIVALENCE_ALPHA) / (2 * replicates))
    lower = max(D - float(kolmogi(share)) / math.sqrt(replicates), 0.0)
    where = {
        Verdict.AGREE: f"The true distance is below {upper:.3g} (95 %).",
        Verdict.DISAGREE: f"The true distance is above {lower:.3g}.",
    }
    if verdict in where:
        return where[verdict]
    return (
        f"The true distance lies between {lower:.3g} and {upper:.3g}, on both sides of the declared one; {needed} "
        "replicates would tell an exact law from one at twice that distance."
    )

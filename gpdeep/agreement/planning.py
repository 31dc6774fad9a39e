r"""How many replicates a question needs, before anything is run.

With σ the standard deviation of one replicate, which theory often gives (ln sin²θ: about √(8L/n)), F claims in the
family, and known σ, an error δ of an exact prediction is found with probability 1 - β from

    R = (z(α/2F) + z(β))² σ²/δ²

replicates on; with an estimated σ from somewhat more (noncentral t). For a whole law: if two distribution functions
differ by D at some point, the empirical one misses the wrong law there by D up to an error of at most 1/(2√R), so

    R = (k(α/F, R) + z(β)/2)²/D²

detects *every* alternative at that distance; k/√R is the critical value of Kolmogorov's statistic.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.special import kolmogi, ndtri

from ..errors import InfeasibleError
from ..gaussian.arguments import flag, real
from .checks import MOST, count, finite, level, not_negative, positive
from .operating import COARSE, verdict_probabilities
from .tails import RATIO, upper_quantile
from .verdicts import EQUIVALENCE_ALPHA, FAMILY_ALPHA, POWER

SEEN_ERROR = 2.0
"""A number of replicates decides if an exact prediction would AGREE and one off by SEEN_ERROR·t would DISAGREE."""


def replicates_for_mean(
    std: float,
    difference: float,
    *,
    family: int = 1,
    alpha: float = FAMILY_ALPHA,
    power: float = POWER,
    known_std: bool = True,
) -> int:
    """Replicates R from which a difference of means δ from an exact prediction is REJECTED.

    Parameters
    ----------
    std : float, positive
        σ of one replicate.
    difference : float, not 0
        δ.
    family : int, from 1
        Claims F in the family.
    alpha, power : float, in (0, 1)
        Error rate of the family; probability of finding δ.
    known_std : bool
        Whether the test uses σ itself, or an estimate of it from the same replicates.

    Returns
    -------
    int
        1 or more, with an estimated σ 2 or more.

    Raises
    ------
    DomainError
        An argument is out of range.
    InfeasibleError
        More than 10^12 replicates would be needed.

    Examples
    --------
    >>> replicates_for_mean(1.0, 0.5), replicates_for_mean(1.0, 0.5, known_std=False)
    (69, 74)
    """
    ratio = positive("std", std, "a standard deviation") / positive(
        "difference", abs(finite("difference", difference, "a difference")), "a difference, not 0"
    )
    share = level("alpha", alpha) / count("family", family)
    wanted = level("power", power)
    if flag("known_std", known_std):
        return _at_most(math.ceil(_normal(share, wanted, ratio)))

    def enough(replicates: int) -> bool:
        return detection(1 / ratio, 1 / math.sqrt(replicates), share, replicates - 1.0) >= wanted

    return smallest(enough, 2, _normal(share, wanted, ratio))


def replicates_for_law(distance: float, *, family: int = 1, alpha: float = FAMILY_ALPHA, power: float = POWER) -> int:
    """Replicates R from which a law at Kolmogorov distance D from the predicted one is REJECTED.

    Parameters
    ----------
    distance : float, in (0, 1)
        D, the largest difference of the two distribution functions.
    family, alpha, power
        As in `replicates_for_mean`.

    Returns
    -------
    int

    Raises
    ------
    DomainError
        An argument is out of range.

    Notes
    -----
    Sufficient for all alternatives at that distance; particular ones are found with fewer. The asymptotic critical
    value is used, which is larger than the exact one.

    Examples
    --------
    >>> replicates_for_law(0.05)
    2248
    """
    D = real("distance", distance, 1e-100, 1.0, "a distance of distribution functions")
    share = level("alpha", alpha) / count("family", family)
    critical = float(kolmogi(share)) - float(ndtri(1 - level("power", power))) / 2
    return _at_most(math.ceil((critical / D) ** 2))


def replicates_to_decide(
    std: float,
    truncation: float,
    *,
    family: int = 1,
    alpha: float = FAMILY_ALPHA,
    power: float = POWER,
    known_std: bool = False,
    prediction_error: float = 0.0,
) -> int | None:
    """Replicates R from which `compare` decides between an exact prediction and one that is off by 2t.

    Parameters
    ----------
    std : float, not negative
        σ of one replicate.
    truncation : float, positive
        t, the declared bound.
    family, alpha, power, known_std
        As in `replicates_for_mean`.
    prediction_error : float, not negative
        Standard error of the prediction, where it was itself sampled; more replicates do not reduce it.

    Returns
    -------
    int or None
        The smallest R with P(AGREE | D = 0) and P(DISAGREE | |D| = 2t) both at least `power`; None where no number is
        enough, because of `prediction_error`.

    Raises
    ------
    DomainError
        An argument is out of range.

    Examples
    --------
    >>> replicates_to_decide(1.0, 0.25, family=40, known_std=True)  # standard error t/5.06
    410
    """
    sigma = not_negative("std", std, "a standard deviation")
    t = positive("truncation", truncation, "the declared bound of the prediction's error")
    s_p = not_negative("prediction_error", prediction_error, "a standard error")
    comparisons, rate = count("family", family), level("alpha", alpha)
    wanted = level("power", power)
    known_std = flag("known_std", known_std)

    def enough(replicates: int) -> bool:
        own = sigma / math.sqrt(replicates)
        total = math.hypot(own, s_p)
        if total == 0:
            return True
        nu = math.inf if known_std or own == 0 else (replicates - 1.0) * (1 + min(s_p / own, RATIO) ** 2) ** 2
        at = [
            verdict_probabilities(D, total, t, family=comparisons, alpha=rate, degrees_of_freedom=nu)
            for D in (0.0, SEEN_ERROR * t)
        ]
        return at[0].agree >= wanted and at[1].disagree >= wanted

    if not enough(MOST):
        return None
    return smallest(enough, 1 if known_std else 2, _normal(rate / comparisons, wanted, sigma / (t * (SEEN_ERROR - 1))))


def detection(difference: float, standard_error: float, share: float, degrees_of_freedom: float) -> float:
    """P(two-sided test at level `share` rejects) for a true difference: DISAGREE with truncation 0."""
    tiny = 1e-12 * standard_error
    return verdict_probabilities(
        difference, standard_error, tiny, alpha=share, degrees_of_freedom=degrees_of_freedom
    ).disagree


def smallest(enough: Callable[[int], bool], least: int, guess: float) -> int:
    """The smallest integer from `least` on that is enough, searched from a guess; `enough` turns true once.

    Raises
    ------
    InfeasibleError
        10^12 is not enough.
    """
    high = max(least, math.ceil(min(guess, MOST)))
    step = max(1, high // 64)
    if enough(high):
        low = max(least, high - step)
        while low > least and enough(low):
            step *= 2
            high, low = low, max(least, low - step)
    else:
        low = high + 1
        while not enough(high := high + step):
            _at_most(high)
            step *= 2
            low = high + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def _normal(share: float, power: float, ratio: float) -> float:
    """Replicates with known σ at level `share`, σ/δ = `ratio`, not rounded."""
    return (upper_quantile(share / 2, math.inf) - float(ndtri(1 - power))) ** 2 * min(ratio, RATIO) ** 2


def _at_most(replicates: int) -> int:
    if replicates > MOST:
        raise InfeasibleError(
            f"{replicates:.3g} replicates would be needed.",
            "The difference to be found is tiny beside the standard deviation of one replicate.",
            "Ask for a larger difference, or compare something that fluctuates less.",
        )
    return replicates


def replicates_to_place(distance_bound: float, share: float) -> int:
    """Replicates from which a law is placed inside a distance bound if exact, and outside at twice the bound."""
    inside = float(kolmogi(1 - POWER)) + math.sqrt(-math.log(EQUIVALENCE_ALPHA) / 2)
    outside = float(kolmogi(share)) - float(ndtri(1 - POWER)) / 2
    fine = COARSE / 2
    return math.ceil((max(inside, outside / (SEEN_ERROR - 1), fine) / distance_bound) ** 2)

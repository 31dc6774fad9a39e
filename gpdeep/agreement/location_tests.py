"""Exact tests of a mean over replicates and of the probability of an event."""

from __future__ import annotations

import math
from typing import Any

from ..errors import DomainError
from .checks import count, finite, probabilities, sample
from .exact_results import ExactTest, TestKind
from .seeds import seed_scores


def mean_test(
    samples: Any, mean: float, *, std: float | None = None, skewness: float = 0.0, rival: float | None = None
) -> ExactTest:
    r"""Test that replicates have the mean that an exact law gives: z, or Student's t.

    Parameters
    ----------
    samples : array_like, shape (R,)
        One finite number a replicate; R ≥ 2, or 1 where `std` is given.
    mean : float
        Predicted mean.
    std : float, positive, optional
        Theory's standard deviation of one replicate. None: estimated, which assumes normal replicates.
    skewness : float
        Theory's skewness of one replicate; only with `std`.
    rival : float, optional
        Mean that the rival theory predicts.

    Returns
    -------
    ExactTest

    Raises
    ------
    DomainError
        Too few samples, samples that are not finite, or parameters out of range.

    Examples
    --------
    >>> mean_test([0.2, -0.1, 0.3, 0.0], 0.0, std=0.2)  # doctest: +ELLIPSIS
    ExactTest(status=..., p_value=0.317..., statistic=1.0, ...
    """
    x = sample("samples", samples, 1 if std is not None else 2)
    p = finite("mean", mean, "what theory predicts")
    scores = seed_scores(x, p, std=std, skewness=skewness, rival=rival)
    return ExactTest(
        kind=TestKind.MEAN,
        p_value=float(scores.p_value),
        statistic=float(scores.statistic),
        estimate=float(scores.estimate),
        prediction=p,
        standard_error=float(scores.standard_error),
        rival_error=None if scores.rival_error is None else float(scores.rival_error),
        replicates=x.size,
        degrees_of_freedom=float(scores.degrees_of_freedom),
    )


def count_test(events: int, trials: int, probability: float, *, rival: float | None = None) -> ExactTest:
    """Test that an event has the probability that theory gives: networks that died, single units that are zero.

    Parameters
    ----------
    events, trials : int
        0 ≤ events ≤ trials, trials ≥ 1; the trials are independent.
    probability : float, in [0, 1]
    rival : float, optional
        Probability that the rival theory predicts.

    Returns
    -------
    ExactTest
        Its p-value is twice the smaller binomial tail, at most 1: valid, and conservative because counts are discrete.

    Raises
    ------
    DomainError
        An argument is out of range.

    Examples
    --------
    >>> count_test(0, 10, 0.5).p_value  # 2/2^10
    0.001953125
    """
    from scipy.stats import binomtest

    n, k = count("trials", trials), count("events", events, 0)
    p = float(probabilities("probability", finite("probability", probability, "a probability")))
    if k > n:
        raise DomainError(
            f"{k} events in {n} trials.",
            "The two numbers are exchanged, or events were counted over several samples of one network.",
            "Give the events first; a trial is an independent network.",
        )
    tails = [float(binomtest(k, n, p, alternative=side).pvalue) for side in ("less", "greater")]
    return ExactTest(
        kind=TestKind.COUNT,
        p_value=min(1.0, 2 * min(tails)),
        statistic=float(k),
        estimate=k / n,
        prediction=p,
        standard_error=math.sqrt(p * (1 - p) / n),
        rival_error=None if rival is None else k / n - finite("rival", rival, "a probability"),
        replicates=n,
        degrees_of_freedom=math.inf,
    )


def bare_p_value(p_value: Any) -> ExactTest:
    """A p-value from elsewhere, of whose power nothing is known."""
    p = float(probabilities("p_value", finite("p_value", p_value, "a probability")))
    return ExactTest(
        kind=TestKind.BARE,
        p_value=p,
        statistic=math.nan,
        estimate=math.nan,
        prediction=math.nan,
        standard_error=math.nan,
        rival_error=None,
        replicates=1,
        degrees_of_freedom=math.inf,
    )

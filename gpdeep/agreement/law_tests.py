"""Exact tests of a whole law: against a distribution function, of two samples, of frequencies."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import callback
from ..result import FloatArray
from .checks import probabilities, sample
from .exact_results import ExactTest, TestKind

LEAST_EXPECTED = 5.0
"""Expected count in every category from which Pearson's statistic has its χ² law (Cochran 1954, Biometrics 10, 417)."""


def law_test(samples: Any, cdf: Callable[[Any], Any], *, rival: Callable[[Any], Any] | None = None) -> ExactTest:
    r"""Test that replicates have a given continuous law (Kolmogorov's statistic, its exact law).

    Parameters
    ----------
    samples : array_like, shape (R,)
        One finite number a replicate.
    cdf : callable
        Distribution function of an array. Nothing in it may be fitted to the same samples.
    rival : callable, optional
        Distribution function of the rival theory.

    Returns
    -------
    ExactTest

    Raises
    ------
    DomainError
        Samples are not finite, or a distribution function does not return numbers in [0, 1].

    Examples
    --------
    >>> from scipy.special import ndtr
    >>> normal = np.random.default_rng(0).standard_normal(1000)
    >>> test = law_test(normal, ndtr, rival=lambda x: ndtr(x / 2))
    >>> bool(test.p_value > 0.01), bool(test.rival_error > test.error)
    (True, True)
    """
    from scipy.stats import kstest

    x = sample("samples", samples, 1)
    outcome = kstest(x, checked(cdf))
    return _distance(
        TestKind.LAW,
        outcome,
        None if rival is None else float(kstest(x, checked(rival)).statistic),
        x.size,
        float(x.size),
    )


def same_law_test(one: Any, two: Any, *, rival: Any = None) -> ExactTest:
    """Test that two samples of independent replicates have the same continuous law (Smirnov).

    Parameters
    ----------
    one, two : array_like, shapes (R,) and (R',)
        For instance networks with full weights, and a chain that is claimed to have their law.
    rival : array_like, optional
        A sample of the rival theory; its distance from `one` is reported.

    Returns
    -------
    ExactTest
        With the effective number of replicates, RR'/(R + R').

    Raises
    ------
    DomainError
        Samples are not finite.

    Examples
    --------
    >>> round(same_law_test([0.0, 1.0, 2.0], [3.0, 4.0, 5.0]).p_value, 12)  # 2/(6 choose 3)
    0.1
    """
    from scipy.stats import ks_2samp

    x, y = sample("one", one, 1), sample("two", two, 1)
    effective = x.size * y.size / (x.size + y.size)
    return _distance(
        TestKind.TWO_LAWS,
        ks_2samp(x, y),
        None if rival is None else float(ks_2samp(x, sample("rival", rival, 1)).statistic),
        max(1, int(effective)),
        effective,
    )


def frequency_test(observed: Any, expected: Any, *, rival: Any = None) -> ExactTest:
    """Test that categories have given probabilities (Pearson's χ²).

    Parameters
    ----------
    observed : array_like of int, shape (k,), k ≥ 2
        How many independent replicates fell into each.
    expected : array_like, shape (k,), positive
        Their probabilities, or anything proportional to them.
    rival : array_like, shape (k,), optional
        The same of the rival theory.

    Returns
    -------
    ExactTest

    Raises
    ------
    DomainError
        Shapes differ, a count is negative or no integer, a probability is 0, or an expected count is below 5.

    Examples
    --------
    >>> frequency_test([60, 40], [0.5, 0.5]).statistic
    4.0
    """
    from scipy.stats import chisquare

    counts = sample("observed", observed, 2)
    wanted = _expected_counts("expected", expected, counts)
    outcome = chisquare(counts, wanted)
    total, nu = float(counts.sum()), counts.size - 1.0
    rival_effect = None
    if rival is not None:
        others = _expected_counts("rival", rival, counts)
        rival_effect = math.sqrt(float(((counts - others) ** 2 / others).sum()) / total)
    return ExactTest(
        kind=TestKind.FREQUENCIES,
        p_value=float(outcome.pvalue),
        statistic=float(outcome.statistic),
        estimate=math.sqrt(float(outcome.statistic) / total),
        prediction=0.0,
        standard_error=math.sqrt(nu / total),
        rival_error=rival_effect,
        replicates=int(total),
        degrees_of_freedom=nu,
    )


def checked(cdf: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`cdf`, refusing what is not in [0, 1]."""
    callback("The distribution function", cdf, np.zeros(2))

    def function(x: Any) -> Any:
        values = probabilities("The distribution function", cdf(x))
        if values.shape != np.shape(x):
            raise DomainError(
                f"The distribution function returned shape {values.shape} for {np.shape(x)}.",
                "It does not act on each entry by itself.",
                "Give a function of an array, such as scipy.special.ndtr.",
            )
        return values

    return function


def _distance(kind: TestKind, outcome: Any, rival: float | None, replicates: int, effective: float) -> ExactTest:
    return ExactTest(
        kind=kind,
        p_value=float(outcome.pvalue),
        statistic=float(outcome.statistic),
        estimate=float(outcome.statistic),
        prediction=0.0,
        standard_error=1 / (2 * math.sqrt(effective)),
        rival_error=rival,
        replicates=replicates,
        degrees_of_freedom=math.inf,
    )


def _expected_counts(name: str, shares: Any, counts: FloatArray) -> FloatArray:
    weights = sample(name, shares, 2)
    if weights.shape != counts.shape or (weights <= 0).any() or (counts < 0).any() or (counts % 1 != 0).any():
        raise DomainError(
            f"observed has {counts.size} categories, {name} has {weights.size}.",
            "They differ in length, or hold a negative number, a fraction of a count, or a probability of 0.",
            "Give one count and one positive probability a category; impossible ones belong into count_test.",
        )
    wanted = counts.sum() * weights / weights.sum()
    if wanted.min() < LEAST_EXPECTED:
        raise DomainError(
            f"The smallest expected count of {name} is {wanted.min():.3g}.",
            "With so few the statistic does not have the χ² law.",
            f"Merge neighbouring categories until {LEAST_EXPECTED:g} are expected in each, or run more replicates.",
        )
    return np.asarray(wanted)

"""Limits for statistical comparisons: a false-alarm rate of a whole test, shared among its comparisons (Bonferroni)."""

import numpy as np
from scipy.special import ndtri

FALSE_ALARM = 1e-3
"""Probability that correct code fails one test, all its parametrised cases together, had its seeds not been fixed."""


def p_limit(comparisons, rate=FALSE_ALARM):
    """Smallest p-value to accept."""
    return rate / comparisons


def z_limit(comparisons, rate=FALSE_ALARM):
    """Largest |z| to accept, two-sided."""
    return float(-ndtri(rate / comparisons / 2))


def z_of_fractions(one, two, samples_one, samples_two):
    """z-score of the difference of two observed fractions; the floor is one event more in either sample."""
    pooled = (one * samples_one + two * samples_two) / (samples_one + samples_two)
    variance = pooled * (1 - pooled) * (1 / samples_one + 1 / samples_two)
    return (one - two) / np.sqrt(variance + 1 / samples_one**2 + 1 / samples_two**2)


def z_of_probability(fraction, probability, samples):
    """z-score of an observed fraction against its probability; the floor is one event."""
    return (fraction - probability) / np.sqrt(probability * (1 - probability) / samples + 1 / samples**2)


def moments(x):
    """Mean, standard deviation and their standard errors, the second by the fourth moment."""
    deviation = x - x.mean()
    var = np.mean(deviation**2)
    se_var = np.sqrt((np.mean(deviation**4) - var**2) / x.size)
    return x.mean(), np.sqrt(var), np.sqrt(var / x.size), se_var / (2 * np.sqrt(var))

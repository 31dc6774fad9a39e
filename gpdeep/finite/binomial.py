"""Averages over the number of active neurons, k ~ Binomial(n, 1/2), conditioned on k ≥ k_min."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import gammaln

from ..result import FloatArray

_STANDARD_DEVIATIONS = 20.0
"""Half-width of the kept range in standard deviations √n/2: what is left out weighs less than e^-200."""


@lru_cache(maxsize=256)
def active_counts(n: int, k_min: int) -> tuple[FloatArray, FloatArray, float]:
    r"""Values of k, their conditional probabilities, and P(k < k_min), for k ~ Bin(n, 1/2).

    Parameters
    ----------
    n : int
        Number of neurons, n ≥ k_min.
    k_min : int
        Smallest admitted number of active neurons.

    Returns
    -------
    k, weight : ndarray, shape (K,)
        The admitted values near n/2 and P(k | k ≥ k_min); read-only, since they are cached.
    lost : float
        P(k < k_min).
    """
    spread = _STANDARD_DEVIATIONS * np.sqrt(n) / 2
    k = np.arange(max(k_min, int(n / 2 - spread)), min(n, int(n / 2 + spread) + 1) + 1, dtype=float)
    log_weight = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) - n * np.log(2)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    small = np.arange(k_min, dtype=float)
    lost = np.exp(gammaln(n + 1) - gammaln(small + 1) - gammaln(n - small + 1) - n * np.log(2)).sum()
    k.setflags(write=False)
    weight.setflags(write=False)
    return k, weight, float(lost)

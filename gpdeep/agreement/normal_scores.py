r"""Seeds among networks that theory has drawn, by their ranks: a z-score that holds whatever the law is.

    a(r) = Φ⁻¹(r/(n+1)),      z = Σ_seeds (a(r_s) - ā)/√(S N/(n(n-1)) Σ (a - ā)²),      n = S + N

r_s is the rank of a seed among all n = S + N numbers, S measured and N drawn. If both are of one law, every S ranks are
equally likely, so z has mean 0 and variance 1 exactly, at every S and N, and as scores are normal quantiles it is close
to normal already for S = 1. No moment of the law enters: heavy tails, as of the angle in narrow networks, are no
reason for a false alarm. Against a shift of normal data nothing is lost (van der Waerden 1952; Lehmann 1975, ch. 2).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.special import ndtri

from ..errors import DomainError
from ..gaussian.arguments import as_floats, shown
from ..result import FloatArray


def van_der_waerden(samples: Any, drawn: Any) -> FloatArray:
    """z-scores of measured seeds among drawn networks, one for each column.

    Parameters
    ----------
    samples : array_like, shape (S, ...)
        Measured, one row a network. NaN and infinities are left out of their column.
    drawn : array_like, shape (N, ...)
        The same of networks that theory has drawn.

    Returns
    -------
    ndarray, shape (...)
        Standard normal where both are of one law; positive where seeds are larger. NaN where a column has no seed or no
        drawn network, 0 where all its numbers are equal.

    Raises
    ------
    DomainError
        Columns do not fit, or there are no numbers. Their size does not matter: ranks have no squares to overflow.

    Notes
    -----
    Ties share their mean rank. At most about √S Φ⁻¹(1 - 1/(S+N)): with N = 2000 and eight seeds |z| ≤ 9.7.

    References
    ----------
    van der Waerden (1952), Indagationes Mathematicae 14, 453. Lehmann (1975), Nonparametrics, ch. 2.

    Examples
    --------
    >>> import numpy as np
    >>> drawn = np.random.default_rng(0).standard_t(1.5, size=(2000, 2))  # no variance
    >>> print(van_der_waerden([[0.0, 9.0], [0.1, 11.0]], drawn).round(1))
    [0.1 3.1]
    """
    x, y = as_floats(samples), as_floats(drawn)
    if x is None or y is None or not x.size or not y.size:
        raise DomainError(
            f"samples are {shown(samples, 80)}, drawn {shown(drawn, 80)}.",
            "One of them is empty, ragged, or holds no real numbers.",
            "Give arrays of floats, one row a network.",
        )
    if x.ndim == 0 or x.shape[1:] != y.shape[1:]:
        raise DomainError(
            f"samples have the shape {x.shape}, drawn {y.shape}.",
            "Rows are networks, and columns have to be the same quantities in both.",
            "Give arrays of shape (S, ...) and (N, ...).",
        )
    from scipy.stats import rankdata

    pooled = np.concatenate([x, y])
    pooled[~np.isfinite(pooled)] = np.nan
    there = ~np.isnan(pooled)
    S, n = there[: len(x)].sum(axis=0), there.sum(axis=0)
    a = ndtri(rankdata(pooled, axis=0, nan_policy="omit") / (n + 1))
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns without a number
        centred = np.where(there, a - np.nanmean(a, axis=0), 0.0)
        variance = S * (n - S) / (n * (n - 1.0)) * (centred**2).sum(axis=0)
        z = centred[: len(x)].sum(axis=0) / np.sqrt(variance)
    return np.asarray(np.where((S == 0) | (n == S), np.nan, np.where(variance > 0, z, 0.0)))

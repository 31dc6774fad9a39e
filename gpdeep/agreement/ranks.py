r"""How well a predictor orders architectures: rank correlation, its difference to a rival's, concordance within strata.

Scores are of shape (..., A, S): A architectures, S seeds; ranked are the means over seeds. Leading axes are resamples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import as_array
from ..result import FloatArray, IntArray
from .checks import array_of_reals


def spearman(predictor: Any, scores: Any) -> Any:
    r"""Spearman's rank correlation of a predictor with the scores' means over seeds.

    Parameters
    ----------
    predictor : array_like, shape (..., A)
    scores : array_like, shape (..., A, S)

    Returns
    -------
    float or ndarray, shape (...)
        Ties share their ranks; NaN where all values tie.

    Raises
    ------
    DomainError
        The numbers of architectures differ, or are below 2.

    Examples
    --------
    >>> spearman([1.0, 2.0, 3.0], [[0.1, 0.3], [0.9, 0.9], [0.5, 0.4]])
    0.5
    """
    x, y = _fitting(predictor, scores)
    return _plain(_rank_correlation(x, y.mean(axis=-1)))


def spearman_difference(predictor: Any, rival: Any, scores: Any) -> Any:
    """Spearman's correlation of a predictor with the scores, minus that of a rival predictor.

    Parameters
    ----------
    predictor, rival : array_like, shape (..., A)
    scores : array_like, shape (..., A, S)

    Returns
    -------
    float or ndarray, shape (...)

    Raises
    ------
    DomainError
        The numbers of architectures differ, or are below 2.

    Examples
    --------
    >>> spearman_difference([1, 2, 3], [3, 2, 1], [[0.1], [0.5], [0.9]])
    2.0
    """
    x, y = _fitting(predictor, scores)
    z, _ = _fitting(rival, scores)
    means = y.mean(axis=-1)
    return _plain(_rank_correlation(x, means) - _rank_correlation(z, means))


def concordance(predictor: Any, scores: Any, strata: Any) -> Any:
    r"""Share of pairs within strata that the predictor orders as the scores' means do; a tie of either counts half.

    Parameters
    ----------
    predictor : array_like, shape (..., A)
        Large where a large score is predicted.
    scores : array_like, shape (..., A, S)
    strata : sequence, shape (A,)
        Pairs are formed within equal entries (for instance of equal depth), for which rival theories predict nothing.

    Returns
    -------
    float or ndarray, shape (...)
        1/2 is chance.

    Raises
    ------
    DomainError
        Shapes do not fit, or no two architectures share a stratum.

    Examples
    --------
    Four architectures of two depths; one of the two pairs is in order:

    >>> concordance([1.0, 2.0, 1.0, 2.0], [[0.1], [0.2], [0.9], [0.8]], [30, 30, 60, 60])
    0.5
    """
    x, y = _fitting(predictor, scores)
    means = y.mean(axis=-1)
    one, two = pairs_within(strata, x.shape[-1])
    agreement = np.sign(x[..., one] - x[..., two]) * np.sign(means[..., one] - means[..., two])
    return _plain((1 + agreement.mean(axis=-1)) / 2)


def pairs_within(strata: Any, architectures: int) -> tuple[IntArray, IntArray]:
    """Indices of all pairs i < j in one stratum."""
    labels = strata_of(strata, architectures)
    one, two = np.triu_indices(architectures, 1)
    together = labels[one] == labels[two]
    if not together.any():
        raise DomainError(
            f"{architectures} architectures in {architectures} strata.",
            "No two share a stratum, so there is no pair to order.",
            "Use coarser strata, or architectures that share a depth.",
        )
    return one[together], two[together]


def strata_of(strata: Any, architectures: int) -> IntArray:
    """Labels 0, 1, ... of the strata, shape (A,)."""
    array = as_array(strata)
    if array.shape != (architectures,) or array.dtype.kind not in "iufUSb":
        raise DomainError(
            f"strata has shape {array.shape}; there are {architectures} architectures.",
            "A label is missing, or whole architectures were given instead of, say, their depths.",
            "Give one number or text an architecture.",
        )
    return np.unique(array, return_inverse=True)[1].astype(np.int64)


def _fitting(predictor: Any, scores: Any) -> tuple[FloatArray, FloatArray]:
    x, y = array_of_reals("predictor", predictor), array_of_reals("scores", scores)
    if x.ndim < 1 or y.ndim < 2 or x.shape[-1] != y.shape[-2] or x.shape[-1] < 2:
        raise DomainError(
            f"A predictor of shape {x.shape} for scores of shape {y.shape}.",
            "Scores have one row an architecture and one column a seed; the predictor one number an architecture.",
            "Give shapes (A,) and (A, S), A ≥ 2; scores of a single seed have shape (A, 1).",
        )
    return x, y


def _rank_correlation(x: FloatArray, y: FloatArray) -> FloatArray:
    from scipy.stats import rankdata

    a, b = (rankdata(v, axis=-1) - (v.shape[-1] + 1) / 2 for v in (x, y))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1)))


def _plain(value: FloatArray) -> Any:
    return float(value) if value.ndim == 0 else value

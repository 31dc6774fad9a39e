r"""How well one number predicts another if only their order is assumed: leave-one-out isotonic R², partial ranks."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpdeep.result import FloatArray


def isotonic_r2(predictor: FloatArray, accuracy: FloatArray) -> float:
    """1 - Σ(y - ŷ)²/Σ(y - ȳ)², ŷ_i from the best increasing function of the predictor without network i.

    A constant predictor scores below 0. scikit-learn's isotonic regression: straight between neighbours, level at its
    ends.

    >>> print(f"{isotonic_r2(np.arange(20.0), np.arange(20.0) ** 2):.3f}")
    0.995
    """
    from sklearn.isotonic import IsotonicRegression

    left_out = []
    for i in range(len(predictor)):
        others = np.arange(len(predictor)) != i
        fit = IsotonicRegression(out_of_bounds="clip").fit(predictor[others], accuracy[others])
        left_out.append(float(fit.predict([predictor[i]])[0]))
    return float(1 - ((accuracy - left_out) ** 2).sum() / ((accuracy - accuracy.mean()) ** 2).sum())


def clear_pairs(predictor: FloatArray, scores: FloatArray, strata: Any) -> tuple[int, int]:
    """Pairs in a stratum whose mean scores differ by more than two standard errors, and how many are as predicted.

    `scores` has shape (A, S). Pairs that differ by less say little about the prediction: their order is noise.

    >>> clear_pairs(np.array([1.0, 2, 3]), np.array([[0.1, 0.1], [0.5, 0.5], [0.0, 1.0]]), [30, 30, 30])
    (1, 1)
    """
    from gpdeep.agreement.ranks import pairs_within

    one, two = pairs_within(strata, len(predictor))
    mean, error = scores.mean(axis=1), scores.std(axis=1, ddof=1) / np.sqrt(scores.shape[1])
    difference = mean[one] - mean[two]
    clear = np.abs(difference) > 2 * np.hypot(error[one], error[two])
    right = clear & (np.sign(difference) == np.sign(predictor[one] - predictor[two]))
    return int(clear.sum()), int(right.sum())


def partial_rank(predictor: FloatArray, given: FloatArray, accuracy: FloatArray) -> float:
    """Spearman's correlation of predictor and accuracy once both have lost what is linear in the ranks of `given`.

    >>> partial_rank(np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 4, 3]), np.array([1.0, 2, 3, 4]))
    1.0
    """
    from scipy.stats import rankdata

    x, z, y = (rankdata(v) for v in (predictor, given, accuracy))
    r = np.corrcoef([x, z, y])
    rest = float(np.sqrt((1 - r[0, 1] ** 2) * (1 - r[1, 2] ** 2)))
    return round(float(r[0, 2] - r[0, 1] * r[1, 2]) / rest, 12) if rest > 0 else float("nan")

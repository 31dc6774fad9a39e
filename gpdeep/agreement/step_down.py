r"""Holm's step-down correction: p-values of a family, adjusted so that its error rate is the family's.

    p̃_(i) = max_{j ≤ i} min(1, (m - j + 1) p_(j)),      p_(1) ≤ ... ≤ p_(k),   m ≥ k the declared size

Rejecting where p̃ ≤ α keeps P(any true claim is rejected) ≤ α under any dependence between the claims, and rejects at
least what Bonferroni's correction does. Claims that were declared and not reported count as p = 1. Holm (1979),
Scand. J. Statist. 6, 65.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..result import FloatArray
from .checks import count, probabilities


def holm(p_values: Any, size: int | None = None) -> FloatArray:
    """Holm's adjusted p-values along the last axis.

    Parameters
    ----------
    p_values : array_like, shape (..., k), in [0, 1]
    size : int, from k, optional
        Number m of comparisons that were declared; k by default.

    Returns
    -------
    ndarray, shape (..., k)
        In the order of `p_values`; it does not depend on that order.

    Raises
    ------
    DomainError
        A number is no probability, or `size` is below k.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    >>> holm([0.01, 0.04, 0.03], size=5).tolist()
    [0.05, 0.12, 0.12]
    """
    p = np.atleast_1d(probabilities("p_values", p_values))
    m = count("size", p.shape[-1] if size is None else size, least=p.shape[-1])
    order = np.argsort(p, axis=-1)
    steps = np.take_along_axis(p, order, -1) * (m - np.arange(p.shape[-1]))
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(np.maximum.accumulate(steps, axis=-1), 1.0), -1)
    return adjusted

"""Block-tridiagonal symmetric systems as bands, by LAPACK."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.linalg.lapack import dgbtrf, dgbtrs, dpbtrf, dpbtrs

from ..result import FloatArray, IntArray


def definite(diagonal: FloatArray, below: FloatArray) -> Callable[[FloatArray], FloatArray] | None:
    """Solves with a block-tridiagonal matrix; None if it is not positive definite."""
    banded, info = dpbtrf(_band(diagonal, below), lower=1, overwrite_ab=1)
    return None if info else lambda g: dpbtrs(banded, g, lower=1)[0]


def indefinite(diagonal: FloatArray, below: FloatArray) -> Callable[[FloatArray], FloatArray] | None:
    """The same for a matrix that may be indefinite; None if it is singular."""
    lower = _band(diagonal, below)
    bands, n = lower.shape[0] - 1, lower.shape[1]
    full = np.zeros((3 * bands + 1, n), order="F")
    full[2 * bands :] = lower
    for k in range(1, bands + 1):
        full[2 * bands - k, k:] = lower[k, : n - k]
    factors, pivots, info = dgbtrf(full, bands, bands, overwrite_ab=1)
    return None if info else lambda g: dgbtrs(factors, bands, bands, g, pivots)[0]


def _band(diagonal: FloatArray, below: FloatArray) -> FloatArray:
    """LAPACK's lower band storage of a block-tridiagonal symmetric matrix."""
    L1, d = diagonal.shape[:2]
    i, j, k, m = _entries(d)
    band = np.zeros((2 * d, L1 * d), order="F")
    column = np.arange(L1)[:, None] * d
    band[i - j, column + j] = diagonal[:, i, j]
    band[d + k - m, column[:-1] + m] = below[:, k, m]
    return band


@lru_cache(maxsize=8)
def _entries(d: int) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    i, j = np.tril_indices(d)
    k, m = (index.ravel() for index in np.indices((d, d)))
    return i, j, k, m

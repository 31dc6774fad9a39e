"""Coordinates of vectors in an orthonormal basis of their own span, by modified Gram-Schmidt, for many samples at once.

The coefficients are as accurate as those of a Householder QR factorisation (Björck 1967): errors are of the order of
the rounding unit times the vectors' lengths, whatever the angles between them.
"""

from __future__ import annotations

from typing import Any


def coordinates(xp: Any, vectors: Any) -> Any:
    """Lower-triangular coordinates C with C_j · C_i = v_j · v_i.

    Parameters
    ----------
    xp : module
        Array namespace.
    vectors : array, shape (N, k, n)
        k vectors in n dimensions for each of N samples.

    Returns
    -------
    array, shape (N, k, k)
        Row j holds vector j: the first in direction 1, the second in directions 1 and 2, and so on.
    """
    return gram_schmidt(xp, vectors)[0]


def haar_frame(xp: Any, gaussian: Any) -> Any:
    """k orthonormal vectors, uniform among all such sets, from iid N(0, 1) numbers, both of shape (N, k, n), k ≤ n.

    The triangular factor has a positive diagonal, which makes the orthogonal one uniform (Mezzadri 2007).
    """
    return xp.stack(gram_schmidt(xp, gaussian)[1], axis=1)


def gram_schmidt(xp: Any, vectors: Any) -> tuple[Any, list[Any]]:
    """`coordinates`, and the orthonormal basis to which they belong: k arrays of shape (N, n)."""
    count = vectors.shape[1]
    result = xp.zeros_like(vectors[:, :, :1]) * xp.zeros_like(vectors[:, None, :, 0])
    basis: list[Any] = []
    for j in range(count):
        rest = vectors[:, j, :]
        for i, unit in enumerate(basis):
            along = xp.vecdot(unit, rest)
            result[:, j, i] = along
            rest = rest - along[:, None] * unit
        norm = xp.sqrt(xp.vecdot(rest, rest))
        result[:, j, j] = norm
        basis.append(rest / xp.where(norm > 0, norm, xp.ones_like(norm))[:, None])
    return result, basis

r"""The norm |M|²_{K_γ} = tr[M K_γ⁻¹ Mᵀ] of matrices, from the singular values of the features.

With Sg = U diag(σ) V, right singular vectors v_i as rows of V,

    tr[M K_γ⁻¹ Mᵀ] = Σ_i |M v_iᵀ|²/(σ_i² + γ) + |M - M VᵀV|²/γ

is the least |W|² + |E|²/γ with W Sg + E = M; at γ = 0 the least |W|² with W Sg = M, infinite where rows of M are not
in the row space of Sg. σ carries twice the digits of the eigenvalues σ² of K, and one decomposition serves every γ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..result import FloatArray
from .geometry import inner, transposed

OUTSIDE = 1e-10  # more of a norm than this outside the row space is outside

BoolArray = np.ndarray[tuple[Any, ...], np.dtype[np.bool_]]


def frobenius(M: FloatArray) -> FloatArray:
    """|M| for a batch of matrices, shape (...)."""
    return np.asarray(np.linalg.norm(M, axis=(-2, -1)))


@dataclass(frozen=True)
class RowSpace:
    """The row space of features, for batches.

    Attributes
    ----------
    singular_values : ndarray, shape (..., r)
        σ; those below max(w + 1, N) machine epsilons of the largest are 0.
    vectors : ndarray, shape (..., r, N)
        V, r = min(rows of Sg, N).
    """

    singular_values: FloatArray
    vectors: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> RowSpace:
        """The row space of features (..., rows, N)."""
        _, sigma, V = np.linalg.svd(features, full_matrices=False)
        noise = max(features.shape[-2:]) * np.finfo(np.float64).eps * sigma[..., :1]
        return cls(np.where(sigma > noise, sigma, 0.0), V)

    @property
    def top(self) -> FloatArray:
        """The largest eigenvalue of K, shape (...)."""
        top: FloatArray = self.singular_values[..., 0] ** 2
        return top

    def contains(self, M: FloatArray, size: FloatArray | None = None) -> BoolArray:
        """Whether the rows of M lie in the row space, to 1e-10 of `size` (the Frobenius norm of M); shape (...)."""
        P = M @ transposed(self.vectors) * (self.singular_values > 0)[..., None, :]
        allowed = OUTSIDE * (frobenius(M) if size is None else size)
        return np.asarray(frobenius(M - P @ self.vectors) <= allowed)

    def squared_norm(self, M: FloatArray, gamma: float | FloatArray) -> FloatArray:
        """|M|²_{K_γ}, shape (...); at γ = 0 that of the part of M in the row space."""
        g = np.asarray(gamma, dtype=np.float64)
        P, R = self._split(M)
        W = P * self._inverse_root(g)[..., None, :]
        total = inner(W, W)
        if R is not None:
            total = total + inner(R, R) * np.divide(1.0, g, out=np.zeros_like(g), where=g > 0)
        return total

    def solve(self, M: FloatArray, gamma: float) -> FloatArray:
        """M K_γ⁻¹; at γ = 0 the shortest B with B K = M, where M is in the row space."""
        P, R = self._split(M)
        root = self._inverse_root(np.asarray(gamma))[..., None, :]
        B: FloatArray = (P * root * root) @ self.vectors
        return B if R is None or gamma == 0 else B + R / gamma

    def _inverse_root(self, gamma: FloatArray) -> FloatArray:
        """1/√(σ² + γ), and 0 for σ² + γ = 0."""
        root = np.hypot(self.singular_values, np.sqrt(gamma)[..., None])
        return np.divide(1.0, root, out=np.zeros_like(root), where=root > 0)

    def _split(self, M: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """M Vᵀ, and M - M VᵀV unless V is square."""
        P = M @ transposed(self.vectors)
        square = self.vectors.shape[-2] == self.vectors.shape[-1]
        return P, None if square else M - P @ self.vectors

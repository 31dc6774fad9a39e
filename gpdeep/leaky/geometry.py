r"""Kernel, Lagrangian, Hamiltonian and flow of leaky ResNet paths in natural time t = L̃p, for batches of matrices.

    dA/dt = -A + w Sg(A),   Sg = [s(A); β 1ᵀ],   K = Sgᵀ Sg = s(A)ᵀs(A) + β² 1 1ᵀ,   K_γ = K + γ I

    ℓ(A, V) = ½ tr[(V + A) K_γ⁻¹ (V + A)ᵀ],      B = ∂ℓ/∂V = (V + A) K_γ⁻¹,      w = B Sgᵀ
    h(A, B) = ½|B Sgᵀ|² + ½γ|B|² - tr(B Aᵀ)
    dA/dt = ∂h/∂B = -A + B K_γ,      dB/dt = -∂h/∂A = B - s'∘(s BᵀB)

In natural time the effective depth L̃ is only the length of the interval; in p-time rates are L̃ times these, H = L̃h,
W = L̃w, and B is the same. Arrays are (..., w, N): rows are neurons, columns samples.

A. Jacot and A. Kaiser (2024), arXiv:2405.17573, sections 1 and 2; bias and γ derived here by the same steps: γ > 0 is
the price |E|²/γ of a private feature E of each sample, min over w Sg + E = M of |w|² + |E|²/γ = tr[M K_γ⁻¹ Mᵀ].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..result import FloatArray
from .nonlinearity import Nonlinearity


def transposed(M: FloatArray) -> FloatArray:
    """The transposes of a batch of matrices."""
    return np.swapaxes(M, -1, -2)


def inner(X: FloatArray, Y: FloatArray) -> FloatArray:
    """Tr X Yᵀ for a batch of matrices."""
    product: FloatArray = np.einsum("...ai,...ai->...", X, Y)
    return product


@dataclass(frozen=True)
class Geometry:
    """What φ, β and γ make of a representation."""

    phi: Nonlinearity
    bias: float = 1.0
    gamma: float = 0.0

    def kernel(self, s: FloatArray, extra: float = 0.0) -> FloatArray:
        """K_γ + extra I from s = φ(A), shape (..., N, N)."""
        K = transposed(s) @ s + self.bias**2
        K[..., np.arange(K.shape[-1]), np.arange(K.shape[-1])] += self.gamma + extra
        return K

    def features(self, A: FloatArray) -> FloatArray:
        """Sg(A) = [s(A); β 1ᵀ], without the last row if β = 0."""
        s = self.phi.value(A)
        if not self.bias:
            return s
        return np.concatenate([s, np.full_like(s[..., :1, :], self.bias)], axis=-2)

    def weights(self, A: FloatArray, B: FloatArray) -> FloatArray:
        """W = B Sg(A)ᵀ, shape (..., w, w + 1), without the last column if β = 0; W in p-time is L̃ times this."""
        return B @ transposed(self.features(A))

    def hamiltonian(self, A: FloatArray, B: FloatArray) -> FloatArray:
        """h(A, B), shape (...)."""
        w = self.weights(A, B)
        return 0.5 * inner(w, w) + 0.5 * self.gamma * inner(B, B) - inner(A, B)

    def flow(self, A: FloatArray, B: FloatArray) -> tuple[FloatArray, FloatArray]:
        """DA/dt and dB/dt."""
        s = self.phi.value(A)
        return B @ self.kernel(s) - A, B - self.phi.slope(A) * (s @ transposed(B) @ B)

    def flow_jacobian(self, A: FloatArray, B: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        r"""∂Ȧ/∂A, ∂Ȧ/∂B and ∂Ḃ/∂A, each (..., wN, wN) with rows and columns numbered aN + i; ∂Ḃ/∂B = -(∂Ȧ/∂A)ᵀ.

        ∂Ȧ_ai/∂A_cj = -δ_ac δ_ij + (B_aj s_ci + (B sᵀ)_ac δ_ij) s'_cj,       ∂Ȧ_ai/∂B_cj = δ_ac (K_γ)_ij
        ∂Ḃ_ai/∂A_cj = -δ_ac s'_ai G_ij s'_cj - δ_ac δ_ij s''_ai (sG)_ai,     G = BᵀB
        """
        w, n = A.shape[-2:]
        batch = np.broadcast_shapes(A.shape[:-2], B.shape[:-2])
        s, d, curvature = self.phi.value(A), self.phi.slope(A), self.phi.curvature(A)
        G = transposed(B) @ B
        of_a = np.einsum("...aj,...ci,...cj->...aicj", B, s, d)
        samples, rows = np.arange(n), np.arange(w)
        of_a[..., samples, :, samples] += np.moveaxis((B @ transposed(s))[..., None] * d[..., None, :, :], -1, 0)
        of_a = of_a.reshape(*batch, w * n, w * n)
        diagonal = np.arange(w * n)
        of_a[..., diagonal, diagonal] -= 1.0
        of_b = np.zeros((*batch, w, n, w, n))
        of_b[..., rows, :, rows, :] = self.kernel(s)
        turned = np.zeros((*batch, w, n, w, n))
        turned[..., rows, :, rows, :] = np.moveaxis(
            -d[..., :, :, None] * G[..., None, :, :] * d[..., :, None, :], -3, 0
        )
        turned = turned.reshape(*batch, w * n, w * n)
        turned[..., diagonal, diagonal] -= (curvature * (s @ G)).reshape(*batch, -1)
        return of_a, of_b.reshape(*batch, w * n, w * n), turned

r"""The action of one point, its gradient and Hessian, with a proximal term that keeps singular kernels solvable.

    Φ(A, V) = min over E of ½|w|² + |E|²/2γ ... = ½ tr[(M + δB_e)(K_γ + δI)⁻¹(M + δB_e)ᵀ] - ½δ|B_e|²,     M = V + A

For δ = 0 this is ℓ(A, V). For δ > 0 it is ℓ's augmented Lagrangian: the constraint w Sg = M is met through the
multiplier B_e and the penalty |w Sg - M|²/2δ. Its minimiser over w has the momentum

    B = B_e + (M - B_e K_γ)(K_γ + δI)⁻¹,

and a stationary path with B = B_e is stationary for ℓ itself, whatever δ: K may then be singular, as it must be where
there are more samples than neurons (N > w + 1) and inside a bottleneck.

    ∂Φ/∂V = B,   ∂Φ/∂A = B - s'∘(s BᵀB) = Ḃ(A, B)
    ∂²Φ = Cᵀ (I ⊗ (K_γ + δI)⁻¹) C + [∂Ḃ/∂A on dA, dA],      C(dA, dV) = dV - (∂Ȧ/∂A) dA

with the flow's Jacobian of `geometry`. Dropping the last term and the dependence of K on A (C = dV + dA) leaves the
Hessian of the frozen metric, which is positive definite where an end is held.

Bertsekas 1982, Constrained Optimization and Lagrange Multiplier Methods, chapter 2, for the augmented Lagrangian.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..result import FloatArray
from .geometry import Geometry, inner, transposed

MASS = 0.01


@dataclass(frozen=True, eq=False)
class Point:
    """Φ and its first derivatives at a batch of points, with what the second derivatives need.

    Attributes
    ----------
    value : array (...)
    B : array (..., w, N)
        ∂Φ/∂V.
    dA : array (..., w, N)
        ∂Φ/∂A.
    inverse_root : array (..., N, N)
        R with RᵀR = (K_γ + δI)⁻¹.
    """

    value: FloatArray
    B: FloatArray
    dA: FloatArray
    inverse_root: FloatArray
    s: FloatArray
    slope: FloatArray


def local_action(
    geometry: Geometry,
    A: FloatArray,
    V: FloatArray,
    B_e: FloatArray,
    delta: float,
    side: FloatArray | None = None,
) -> Point:
    """Φ at a batch of points (..., w, N); `side` says which slope counts exactly at a kink.

    Raises
    ------
    numpy.linalg.LinAlgError
        δ = 0 and a kernel is singular.
    """
    phi = geometry.phi
    s, slope = phi.value(A), phi.slope(A, side)
    K = geometry.kernel(s)
    M = V + A
    diagonal = np.arange(K.shape[-1])
    defect = M - B_e @ K if delta else M
    K[..., diagonal, diagonal] += delta
    R = np.linalg.inv(np.linalg.cholesky(K))
    B = (defect @ transposed(R)) @ R
    if delta:
        value = 0.5 * inner(M, B_e + B) + 0.5 * delta * inner(B_e, B)
        B = B_e + B
    else:
        value = 0.5 * inner(M, B)
    dA = B - slope * (s @ (transposed(B) @ B))
    return Point(value, B, dA, R, s, slope)


def local_hessian(
    geometry: Geometry, A: FloatArray, point: Point, values: FloatArray, slopes: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Hessians of Σ_i weights_i Φ(A_i, V_i) in the unknowns x_p with A_i = Σ_p values_ip x_p, V_i = Σ_p slopes_ip x_p.

    Parameters
    ----------
    A, point : arrays (L, n, w, N) and `Point` of the same batch
        n points in each of L elements.
    values : array (n, u)
    slopes : array (L, n, u)
    weights : array (L, n)
        Positive.

    Returns
    -------
    convex : array (L, uwN, uwN)
        Cᵀ K⁻¹ C, positive semidefinite; rows and columns numbered (p, a, i).
    rest : array (L, u, u, w, N, N)
        The part from ∂Ḃ/∂A, which couples entries of one row a only.
    """
    L, n, w, N = A.shape
    u, rows, samples = values.shape[-1], np.arange(w), np.arange(N)
    s, slope, B, R = point.s, point.slope, point.B, point.inverse_root
    G = transposed(B) @ B
    # C(dA, dV) = dV + dA - B dsᵀ s - B sᵀ ds, ds = s'∘dA; its rows multiplied by R, so that CᵀK⁻¹C = ZᵀZ
    from_kernel = np.einsum("lnaj,lnck->lnakcj", B, s @ transposed(R))
    from_kernel += np.einsum("lnac,lnkj->lnakcj", B @ transposed(s), R)
    from_kernel *= -slope[:, :, None, None]
    root = np.sqrt(weights)[..., None]
    Z = np.empty((L, n, w, N, u, w, N))
    np.multiply((root * values)[:, :, None, None, :, None, None], from_kernel[:, :, :, :, None], out=Z)
    Z[:, :, rows, :, :, rows, :] += (root * (slopes + values))[:, :, None, :, None] * R[:, :, :, None, :]
    rooted: FloatArray = Z.reshape(L, n * w * N, u * w * N)
    convex: FloatArray = transposed(rooted) @ rooted
    turned = -slope[..., :, None] * G[:, :, None] * slope[..., None, :]
    turned[..., samples, samples] -= geometry.phi.curvature(A) * (s @ G)
    pairs = np.einsum("ln,np,nq->lpqn", weights, values, values).reshape(L, u * u, n)
    return convex, (pairs @ turned.reshape(L, n, -1)).reshape(L, u, u, w, N, N)


def frozen_hessian(point: Point, values: FloatArray, slopes: FloatArray, weights: FloatArray) -> FloatArray:
    """The same with C = dV + dA and without ∂Ḃ/∂A: one block for all rows, shape (L, u, u, 1, N, N).

    Paths of which both ends are free may move along dV = -dA at no cost; MASS times |dA|² in the same metric is one.
    """
    L, n, u = slopes.shape
    N = point.inverse_root.shape[-1]
    moving = slopes + values
    pairs = np.einsum("ln,lnp,lnq->lpqn", weights, moving, moving)
    pairs = (pairs + MASS * np.einsum("ln,np,nq->lpqn", weights, values, values)).reshape(L, u * u, n)
    inverse = (transposed(point.inverse_root) @ point.inverse_root).reshape(L, n, -1)
    frozen: FloatArray = (pairs @ inverse).reshape(L, u, u, 1, N, N)
    return frozen


def with_rows(H: FloatArray, by_row: FloatArray) -> FloatArray:
    """H plus a Hessian that couples entries of one row only, given as (L, u, u, w or 1, N, N)."""
    L, u, _, _, N, _ = by_row.shape
    w = H.shape[-1] // (u * N)
    total = H.copy().reshape(L, u, w, N, u, w, N)
    rows = np.arange(w)
    total[:, :, rows, :, :, rows, :] += np.einsum("lpqaij->alpiqj", by_row)
    return total.reshape(H.shape)

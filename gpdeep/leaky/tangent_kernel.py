r"""The Gauss-Newton matrix of a network's training, inverted through its tangent kernel.

    M = D + Jᵀ S Sᵀ J,      M⁻¹ = D⁻¹ - D⁻¹ Jᵀ S (I + Sᵀ Θ S)⁻¹ Sᵀ J D⁻¹,      Θ = J D⁻¹ Jᵀ

J is ∂Z/∂(w, E, R), D the Hessian of all but the cost, and S_i S_iᵀ that of C/λ in the output z_i of sample i. Unlike M,
Θ has only N d rows, and it is a sum of products of small kernels:

    Θ[ik, jm] = Σ_l h_l K_{l-1}[i,j] (Φ_l^i Φ_l^jᵀ)_km + (XᵀX)[i,j] (Φ_0^i Φ_0^jᵀ)_km/c_in + (A_LᵀA_L)[i,j] δ_km/c_out
    Φ_L^i = R,      Φ_{l-1}^i = Φ_l^i ((1 - h_l) I + h_l w_l[:, :w] diag s'(a_{l-1,i})),      Φ_l^i = ∂z_i/∂a_{l,i}

The last two terms are there where E and R are learned. Θ is the neural tangent kernel (Jacot, Gabriel & Hongler 2018)
in the metric D; the inverse is Woodbury's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ..result import FloatArray
from .geometry import transposed
from .network_objective import Point


def tangent_kernel(point: Point) -> FloatArray:
    """Θ, shape (N d, N d): rows run over samples, and within them over outputs."""
    o = point.objective
    width, n = point.A.shape[1:]
    d = len(point.Z)
    phi = np.broadcast_to(np.eye(width) if point.read_out is None else point.read_out, (n, d, width))
    kernels = transposed(point.features) @ point.features
    theta = np.zeros((n, d, n, d))
    for layer in range(len(o.h) - 1, -1, -1):
        theta += _spread(o.h[layer] * kernels[layer], phi)
        through = (phi.reshape(n * d, width) @ point.square[layer]).reshape(n, d, width)
        phi = (1 - o.h[layer]) * phi + o.h[layer] * through * point.slope[layer].T[:, None, :]
    if o.in_penalty is not None:
        theta += _spread(o.X.T @ o.X / o.in_penalty, phi)
    if o.out_penalty is not None:
        outputs = np.arange(d)
        theta[:, outputs, :, outputs] += point.A[-1].T @ point.A[-1] / o.out_penalty
    return theta.reshape(n * d, n * d)


def _spread(kernel: FloatArray, phi: FloatArray) -> FloatArray:
    """Kernel[i,j] (Φ^i Φ^jᵀ), shape (N, d, N, d)."""
    n, d, width = phi.shape
    rows = phi.reshape(n * d, width)
    product: FloatArray = (rows @ rows.T).reshape(n, d, n, d)
    product *= kernel[:, None, :, None]
    return product


@dataclass(frozen=True)
class GaussNewton:
    """M around one point."""

    point: Point

    @cached_property
    def roots(self) -> FloatArray:
        """S_i, shape (N, d, d)."""
        return self.point.objective.cost.root(self.point.Z) / math.sqrt(self.point.objective.terminal_weight)

    @cached_property
    def factor(self) -> tuple[FloatArray, bool]:
        """Cholesky factor of I + Sᵀ Θ S."""
        n, d = self.roots.shape[:2]
        half = (tangent_kernel(self.point).reshape(n * d, n, d).transpose(1, 0, 2) @ self.roots).transpose(1, 0, 2)
        whole = transposed(self.roots) @ half.reshape(n, d, n * d)
        inner = whole.reshape(n * d, n * d)
        diagonal = np.arange(n * d)
        inner[diagonal, diagonal] += 1.0
        try:
            return cho_factor(inner, lower=True, check_finite=False)  # type: ignore[no-any-return]
        except np.linalg.LinAlgError:  # the 1 is lost in the rounding of a huge kernel; M is a metric with more, too
            inner[diagonal, diagonal] += n * d * np.finfo(float).eps * np.trace(inner)
            return cho_factor(inner, lower=True, check_finite=False)  # type: ignore[no-any-return]

    def solve(self, vector: FloatArray) -> FloatArray:
        """M⁻¹ times a flat vector."""
        point = self.point
        scaled = vector / point.diagonal
        _, dZ = point.tangent(point.objective.unflat(scaled, point.parameters))
        seen = self._root_times(dZ, adjoint=True)
        inner = cho_solve(self.factor, seen.T.ravel(), check_finite=False).reshape(seen.T.shape).T
        return scaled - point.cotangent(self._root_times(inner)) / point.diagonal

    def times(self, vector: FloatArray) -> FloatArray:
        """M times a flat vector."""
        point = self.point
        _, dZ = point.tangent(point.objective.unflat(vector, point.parameters))
        return point.diagonal * vector + self.pulled_back(dZ)

    def pulled_back(self, dZ: FloatArray) -> FloatArray:
        """Jᵀ S Sᵀ dZ, flat: the gradient that a displacement of the outputs makes."""
        o = self.point.objective
        return self.point.cotangent(o.cost.curvature_times(self.point.Z, dZ) / o.terminal_weight)

    def length_of(self, gradient: FloatArray) -> float:
        """√(gᵀ M⁻¹ g): how long, in |s|_M, the Gauss-Newton step is."""
        return math.sqrt(max(float(gradient @ self.solve(gradient)), 0.0))

    def _root_times(self, Z: FloatArray, adjoint: bool = False) -> FloatArray:
        """S or Sᵀ times outputs of shape (d, N)."""
        roots = transposed(self.roots) if adjoint else self.roots
        product: FloatArray = np.einsum("ikm,mi->ki", roots, Z)
        return product

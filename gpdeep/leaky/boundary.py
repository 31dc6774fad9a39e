r"""How a path begins and ends: held fast, or with a price.

    minimise  S + C(A_1)/λ + ½ c_in |E|²          over paths with A_0 = X, or A_0 = E X with E free

A boundary is a function of one end's representation with gradient and Hessian, and says in which directions that end
may move (all, none, or the row space of X). Transversality, B_1 = -∇C/λ and B_0 = ∇(½c_in|E|²), is stationarity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..result import FloatArray
from .network_cost import Cost


def _array(value: Any) -> FloatArray:
    return np.asarray(value, dtype=np.float64)


class Boundary:
    """An end of the path; the base is an end that may move freely at no price."""

    fixed: bool = False

    def value(self, A: FloatArray) -> float:
        """The price of this end."""
        return 0.0

    def gradient(self, A: FloatArray) -> FloatArray:
        """Its gradient, (w, N)."""
        return np.zeros_like(A)

    def hessian(self, A: FloatArray) -> FloatArray:
        """Its Hessian, (wN, wN)."""
        return np.zeros((A.size, A.size))

    def convex_hessian(self, A: FloatArray) -> FloatArray:
        """The Hessian without its negative part."""
        value, vector = np.linalg.eigh(self.hessian(A))
        return _array((vector * value.clip(0)) @ vector.T)

    def projection(self, A: FloatArray) -> FloatArray | None:
        """The projector (N, N) on the sample space in which rows of A may move; None for all of it."""
        return None

    def map_of(self, A: FloatArray) -> FloatArray | None:
        """The linear map at this end, where there is one: E with A = E X, or R."""
        return None


@dataclass(frozen=True, eq=False)
class Fixed(Boundary):
    """A = `target`."""

    target: FloatArray
    fixed = True


@dataclass(frozen=True, eq=False)
class ReadOut(Boundary):
    """C(R A)/λ of what a given linear map R reads, `readout` of shape (d, w)."""

    cost: Cost
    terminal_weight: float
    readout: FloatArray

    def value(self, A: FloatArray) -> float:
        """C(R A)/λ."""
        return self.cost.value(self.readout @ A) / self.terminal_weight

    def gradient(self, A: FloatArray) -> FloatArray:
        """Rᵀ ∂C/∂Z/λ."""
        return _array(self.readout.T @ self.cost.gradient(self.readout @ A) / self.terminal_weight)

    def hessian(self, A: FloatArray) -> FloatArray:
        """Rᵀ S_i S_iᵀ R/λ for each sample, which touches no other."""
        w, N = A.shape
        root = self.readout.T @ self.cost.root(self.readout @ A)
        H = np.zeros((w, N, w, N))
        i = np.arange(N)
        H[:, i, :, i] = root @ root.swapaxes(1, 2) / self.terminal_weight
        return H.reshape(w * N, w * N)

    def map_of(self, A: FloatArray) -> FloatArray | None:
        """R."""
        return self.readout


@dataclass(frozen=True, eq=False)
class LearnedReadout(Boundary):
    """Min over R of |Y - R A|²/(N λ) + ½ c_out |R|²: R = Y Aᵀ(A Aᵀ + ½ c_out N λ I)⁻¹."""

    Y: FloatArray
    terminal_weight: float
    price: float

    @cached_property
    def _factor(self) -> float:
        return float(2 / (self.terminal_weight * self.Y.shape[1]))

    def readout(self, A: FloatArray) -> FloatArray:
        """The best R, (d_out, w)."""
        gram = A @ A.T
        gram[np.arange(len(A)), np.arange(len(A))] += self.price / self._factor
        return _array(np.linalg.solve(gram, A @ self.Y.T).T)

    def value(self, A: FloatArray) -> float:
        """The minimum over R."""
        return 0.5 * self._factor * float(((self.Y - self.readout(A) @ A) * self.Y).sum())

    def gradient(self, A: FloatArray) -> FloatArray:
        """(2/(N λ)) Rᵀ(R A - Y) at the best R."""
        R = self.readout(A)
        return _array(self._factor * R.T @ (R @ A - self.Y))

    def hessian(self, A: FloatArray) -> FloatArray:
        """(2/(N λ)) (RᵀR ⊗ I - FᵀG⁻¹F): the part at fixed R less what moving R gains; F = ∂(∇_R)/∂A, G = AAᵀ + ..."""
        w, N = A.shape
        R = self.readout(A)
        residual = R @ A - self.Y
        gram = A @ A.T
        gram[np.arange(w), np.arange(w)] += self.price / self._factor
        # ∇_R = residual Aᵀ + (c_out/factor) R; moving A by dA changes it by R dA Aᵀ + residual dAᵀ
        F = np.einsum("oc,bj->obcj", R, A) + np.einsum("oj,bc->obcj", residual, np.eye(w))
        flat = F.reshape(len(R) * w, w * N)
        inner = np.kron(np.eye(len(R)), gram)
        return _array(self._factor * (np.kron(R.T @ R, np.eye(N)) - flat.T @ np.linalg.solve(inner, flat)))

    def map_of(self, A: FloatArray) -> FloatArray | None:
        """The best R."""
        return self.readout(A)


@dataclass(frozen=True, eq=False)
class LearnedReadIn(Boundary):
    """A = E X at the price ½ c_in |E|² = ½ c_in tr[A (XᵀX)⁺ Aᵀ]; rows of A stay in the row space of X."""

    X: FloatArray
    price: float

    @cached_property
    def _pseudo_inverse(self) -> FloatArray:
        return _array(np.linalg.pinv(self.X))

    @cached_property
    def _gram_inverse(self) -> FloatArray:
        return self._pseudo_inverse @ self._pseudo_inverse.T

    def read_in(self, A: FloatArray) -> FloatArray:
        """The smallest E with E X = A, (w, d_in)."""
        return A @ self._pseudo_inverse

    def value(self, A: FloatArray) -> float:
        """½ c_in |E|²."""
        return 0.5 * self.price * float((self.read_in(A) ** 2).sum())

    def gradient(self, A: FloatArray) -> FloatArray:
        """c_in A (XᵀX)⁺."""
        return _array(self.price * A @ self._gram_inverse)

    def hessian(self, A: FloatArray) -> FloatArray:
        """c_in I ⊗ (XᵀX)⁺."""
        return _array(self.price * np.kron(np.eye(len(A)), self._gram_inverse))

    def projection(self, A: FloatArray) -> FloatArray | None:
        """X⁺X."""
        return self._pseudo_inverse @ self.X

    def map_of(self, A: FloatArray) -> FloatArray | None:
        """E."""
        return self.read_in(A)

r"""Discrete actions: piecewise polynomial paths and a quadrature, from the network's own sum to order 8.

    S_h = Σ_l h_l Σ_i b_i ℓ(A_li, V_li),      A_l(τ) = (1-τ) A_{l-1} + τ A_l + Σ_k β_k(τ) Q_lk,   0 ≤ τ ≤ 1
    A_li = A_l(c_i),   V_li = A_l'(c_i)/h_l,      β_k(τ) = ∫₀^τ P_k(2x - 1) dx,  k = 1..m-1

with Legendre's P_k, so that the bubbles β_k vanish at both ends and belong to one element each. A scheme is the degree
m with the points c and weights b of a quadrature:

    euler       m = 1, c = 0                the least parameter norm of a network: order 1
    trapezoid   m = 1, c = 0, 1             values at nodes only, where kinks can be held: order 2
    midpoint    m = 1, c = 1/2              order 2
    gauss(m)    degree m, m Gauss points    order 2m

The stationary paths of gauss(m) are those of Gauss collocation with m stages on the Hamiltonian flow: Galerkin
variational integrators with as many Gauss points as the degree are the Gauss methods (Hairer, Lubich & Wanner 2006,
Geometric Numerical Integration, section VI.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.polynomial import legendre

from ..result import FloatArray


@dataclass(frozen=True, eq=False)
class Scheme:
    """Degree m, points c and weights b on [0, 1], and the order of S_h.

    Attributes
    ----------
    values : array (n, m + 1)
        A_li from (A_{l-1}, A_l, Q_l1, ..).
    slopes : array (n, m + 1)
        h_l V_li from the same.
    """

    name: str
    degree: int
    points: FloatArray
    weights: FloatArray
    order: int

    @cached_property
    def values(self) -> FloatArray:
        """A at the points from the element's unknowns."""
        c = self.points
        return np.concatenate([(1 - c)[:, None], c[:, None], bubble_values(self.degree, c)], axis=1)

    @cached_property
    def slopes(self) -> FloatArray:
        """hV at the points from the element's unknowns."""
        c = self.points
        one = np.ones_like(c)[:, None]
        return np.concatenate([-one, one, legendre.legvander(2 * c - 1, self.degree - 1)[:, 1:]], axis=1)


def bubble_values(degree: int, tau: FloatArray) -> FloatArray:
    """β_k(τ) = [P_{k+1}(2τ-1) - P_{k-1}(2τ-1)]/(4k + 2) for k = 1..m-1, shape (len(τ), m - 1)."""
    P = legendre.legvander(2 * tau - 1, degree)
    k = np.arange(1, degree)
    return (P[:, 2:] - P[:, :-2]) / (4 * k + 2)


EULER = Scheme("euler", 1, np.array([0.0]), np.array([1.0]), 1)
TRAPEZOID = Scheme("trapezoid", 1, np.array([0.0, 1.0]), np.array([0.5, 0.5]), 2)


@lru_cache
def gauss(stages: int) -> Scheme:
    """Degree and number of Gauss points `stages` ≥ 1; 1 is the midpoint rule."""
    x, b = legendre.leggauss(stages)
    return Scheme("midpoint" if stages == 1 else f"gauss-{stages}", stages, (x + 1) / 2, b / 2, 2 * stages)


@dataclass(frozen=True, eq=False)
class Path:
    """A discrete path: step lengths in natural time, nodes, bubbles, and the momenta B at the points.

    Attributes
    ----------
    h : array (L,)
    A : array (L + 1, w, N)
    Q : array (L, m - 1, w, N)
    B : array (L, n, w, N)
    """

    h: FloatArray
    A: FloatArray
    Q: FloatArray
    B: FloatArray

    @property
    def dofs(self) -> FloatArray:
        """(A_{l-1}, A_l, Q_l1, ..) of each element, shape (L, m + 1, w, N)."""
        return np.concatenate([self.A[:-1, None], self.A[1:, None], self.Q], axis=1)

    def moved(self, dA: FloatArray, dQ: FloatArray) -> Path:
        """The path with nodes and bubbles moved."""
        return Path(self.h, self.A + dA, self.Q + dQ, self.B)


def at_points(scheme: Scheme, path: Path) -> tuple[FloatArray, FloatArray]:
    """A and V at the points of all elements, each (L, n, w, N)."""
    dofs = path.dofs
    shape = (len(path.h), len(scheme.points), *path.A.shape[1:])
    flat = dofs.reshape(*dofs.shape[:2], -1)
    A = (scheme.values @ flat).reshape(shape)
    V = (scheme.slopes @ flat).reshape(shape) / path.h[:, None, None, None]
    return A, V


def interpolated(scheme: Scheme, path: Path, t: FloatArray) -> FloatArray:
    """A(t) at times in [0, Σh], shape (len(t), w, N)."""
    ends = np.concatenate([[0.0], np.cumsum(path.h)])
    element = np.clip(np.searchsorted(ends, t, side="right") - 1, 0, len(path.h) - 1)
    tau = np.clip((t - ends[element]) / path.h[element], 0.0, 1.0)
    basis = np.concatenate([(1 - tau)[:, None], tau[:, None], bubble_values(scheme.degree, tau)], axis=1)
    A: FloatArray = np.einsum("tk,tkai->tai", basis, path.dofs[element])
    return A

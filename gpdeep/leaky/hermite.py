r"""A path between its nodes: cubic Hermite interpolation of A and B with the slopes of the flow, error O(h⁴)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicHermiteSpline, PPoly

from ..result import FloatArray
from .elements import Path, Scheme, bubble_values
from .geometry import Geometry
from .mesh import times


@dataclass(frozen=True, eq=False)
class HermitePath:
    """A(t), B(t) through nodes in natural time."""

    geometry: Geometry
    t: FloatArray
    A: PPoly
    B: PPoly

    @classmethod
    def of(cls, geometry: Geometry, t: FloatArray, A: FloatArray, B: FloatArray) -> HermitePath:
        """Through nodes (P, w, N) at times t."""
        dA, dB = geometry.flow(A, B)
        return cls(geometry, t, CubicHermiteSpline(t, A, dA), CubicHermiteSpline(t, B, dB))

    @classmethod
    def straight(cls, geometry: Geometry, t: FloatArray, A: FloatArray, B: FloatArray | None = None) -> HermitePath:
        """Piecewise straight through nodes (P, w, N), so that entries rest where both ends do; B None for 0."""

        def pieces(nodes: FloatArray) -> PPoly:
            return PPoly(np.stack([np.diff(nodes, axis=0) / np.diff(t)[:, None, None], nodes[:-1]]), t)

        return cls(geometry, t, pieces(A), pieces(np.zeros_like(A) if B is None else B))

    def at(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A and B at times t."""
        return self.A(t), self.B(t)

    def weights(self, t: FloatArray) -> FloatArray:
        """B Sg(A)ᵀ at times t, in natural time."""
        return self.geometry.weights(*self.at(t))

    def path(self, scheme: Scheme, h: FloatArray) -> Path:
        """The discrete path of a scheme through it."""
        t = times(h) * (self.t[-1] / h.sum())
        nodes, L = self.A(t), len(h)
        Q = np.zeros((L, scheme.degree - 1, *nodes.shape[1:]))
        if scheme.degree > 1:
            tau = np.arange(1, scheme.degree) / scheme.degree
            inside = self.A(t[:-1, None] + h[:, None] * tau)
            straight = (1 - tau)[:, None, None] * nodes[:-1, None] + tau[:, None, None] * nodes[1:, None]
            rest = (inside - straight).reshape(L, len(tau), -1)
            Q = np.linalg.solve(bubble_values(scheme.degree, tau), rest).reshape(Q.shape)
        return Path(h, nodes, Q, self.B(t[:-1, None] + h[:, None] * scheme.points))

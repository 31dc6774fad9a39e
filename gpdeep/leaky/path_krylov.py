r"""Newton's equations of a path without their matrix: conjugate gradients, preconditioned by the frozen metric.

    H x by one pass over the points:   C = dV + dA - B dsᵀs - B sᵀds,   ds = s'∘dA
    Hx = C*(K⁻¹ C x) - s'∘(ds G) - s''∘(sG)∘dA,                        C*_A Y = Y - s'∘(s YᵀB + s BᵀY),   C*_V Y = Y

The preconditioner P, the Hessian of the frozen metric, has blocks N x N that are the same for all w rows, so that it is
factorised once for all of them at O(L N³). For wN in the hundreds and beyond, where blocks wN x wN do not fit or take
too long. A direction of negative curvature ends the iteration as a failed factorisation does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..result import FloatArray
from .bands import definite
from .geometry import transposed
from .local_action import MASS, frozen_hessian

if TYPE_CHECKING:
    from .path_system import Held, PathAction, State, Step

_MOST = 400  # products a solve
_LOOSEST, _TIGHTEST = 0.1, 1e-6
_SOFTEST_TOL = 1e-3


@dataclass(frozen=True, eq=False)
class KrylovNewton:
    """Newton's equations at a state; the interface is that of `path_system.Newton`."""

    action: PathAction
    state: State
    held: Held | None

    @cached_property
    def _masks(self) -> tuple[FloatArray, FloatArray | None]:
        path = self.state.path
        free = self.action.free(path, self.held)
        bubbles = None if self.held is None else self.held.of_bubbles(path.Q.shape[1])
        return free, bubbles

    @cached_property
    def _weights(self) -> FloatArray:
        weights: FloatArray = self.state.path.h[:, None] * self.action.scheme.weights
        return weights

    @cached_property
    def _metric(self) -> tuple[Callable[[FloatArray], FloatArray], FloatArray, FloatArray]:
        """Solves with P at the nodes (with its bubbles eliminated), and what the elimination needs."""
        scheme, path = self.action.scheme, self.state.path
        blocks = frozen_hessian(self.state.point, scheme.values, scheme.slopes / path.h[:, None, None], self._weights)[
            :, :, :, 0
        ]
        L, u, _, N, _ = blocks.shape
        P = blocks.transpose(0, 1, 3, 2, 4).reshape(L, u * N, u * N)
        nodes, root, lifted = P[:, : 2 * N, : 2 * N], np.empty((L, 0, 0)), np.empty((L, 0, 2 * N))
        if u > 2:
            root = np.linalg.inv(np.linalg.cholesky(P[:, 2 * N :, 2 * N :]))
            lifted = root @ P[:, 2 * N :, : 2 * N]
            nodes = nodes - transposed(lifted) @ lifted
        diagonal = np.zeros((L + 1, N, N))
        diagonal[:-1] += nodes[:, :N, :N]
        diagonal[1:] += nodes[:, N:, N:]
        below = nodes[:, N:, :N].copy()
        for node, end in ((0, self.action.start), (-1, self.action.end)):
            if end.fixed:
                diagonal[node] = np.eye(N)
                below[node] = 0.0
        solve = definite(diagonal, below)
        if solve is None:
            raise np.linalg.LinAlgError("the frozen metric is not positive definite")
        return solve, root, lifted

    def factor(self, metric: float = 0.0, share: float = 1.0) -> KrylovFactor | None:
        """The equations with `metric` times the frozen metric, and a share of the part that is not convex."""
        solver = KrylovFactor(self, metric, share)
        return solver if solver.first is not None else None

    def product(self, x: Vector, metric: float, share: float) -> Vector:
        """(H + μP) x."""
        action, state = self.action, self.state
        scheme, path, point = action.scheme, state.path, state.point
        L, n = self._weights.shape
        shape = (L, n, *path.A.shape[1:])
        dofs = x.dofs
        dA = (scheme.values @ dofs).reshape(shape)
        dV = (scheme.slopes @ dofs).reshape(shape) / path.h[:, None, None, None]
        s, slope, B, R = point.s, point.slope, point.B, point.inverse_root
        ds = slope * dA
        BsT = B @ transposed(s)
        C = dV + dA - B @ (transposed(ds) @ s) - BsT @ ds
        Y = (C @ transposed(R)) @ R
        of_A = Y - slope * (s @ (transposed(Y) @ B) + transposed(BsT) @ Y)
        if share:
            of_A = of_A + share * self._turned(dA, ds)
        of_V = Y
        if metric:
            frozen = metric * (((dV + dA) @ transposed(R)) @ R)
            of_A = of_A + frozen + metric * MASS * ((dA @ transposed(R)) @ R)
            of_V = of_V + frozen
        by_element = scheme.slopes.T @ (of_V * scheme.weights[:, None, None]).reshape(L, n, -1)
        by_element = by_element + scheme.values.T @ (of_A * self._weights[..., None, None]).reshape(L, n, -1)
        nodes = np.zeros((L + 1, by_element.shape[-1]))
        nodes[:-1] += by_element[:, 0]
        nodes[1:] += by_element[:, 1]
        for node, end in ((0, action.start), (-1, action.end)):
            if not end.fixed:
                nodes[node] += self._at_end(node, share) @ x.nodes[node].ravel()
        return self.restricted(Vector(nodes.reshape(path.A.shape), by_element[:, 2:].reshape(path.Q.shape)))

    def _at_end(self, node: int, share: float) -> FloatArray:
        """The Hessian of an end's price, or its convex part, formed once."""
        key = (node, share == 1)
        if key not in self._ends:
            end, A = (self.action.start if node == 0 else self.action.end), self.state.path.A[node]
            self._ends[key] = end.hessian(A) if share == 1 else end.convex_hessian(A)
        return self._ends[key]

    @cached_property
    def _ends(self) -> dict[tuple[int, bool], FloatArray]:
        return {}

    def _turned(self, dA: FloatArray, ds: FloatArray) -> FloatArray:
        point = self.state.point
        G = transposed(point.B) @ point.B
        curvature = self.action.geometry.phi.curvature(self.state.A)
        return -point.slope * (ds @ G) - curvature * (point.s @ G) * dA

    def restricted(self, x: Vector) -> Vector:
        """A gradient in the free directions."""
        path = self.state.path
        free, bubbles = self._masks
        nodes = self.action.restricted(path, self.held, x.nodes.reshape(free.shape).copy())
        inside = x.bubbles if bubbles is None else x.bubbles * bubbles.reshape(path.Q.shape)
        return Vector(nodes.reshape(path.A.shape), inside)

    def preconditioned(self, r: Vector) -> Vector:
        """P⁻¹ r in the free directions."""
        solve, root, lifted = self._metric
        w, N = self.state.path.A.shape[1:]
        L = len(self.state.path.h)
        nodes = r.nodes.transpose(0, 2, 1).copy()  # (L + 1, N, w): the same blocks for all rows
        inside = np.empty((L, 0, w))
        if root.size:
            inside = root @ r.bubbles.transpose(0, 1, 3, 2).reshape(L, -1, w)
            down = transposed(lifted) @ inside
            nodes[:-1] -= down[:, :N]
            nodes[1:] -= down[:, N:]
        for node, end in ((0, self.action.start), (-1, self.action.end)):
            if end.fixed:
                nodes[node] = 0.0
        x = solve(nodes.reshape((L + 1) * N, w)).reshape(L + 1, N, w)
        bubbles = np.zeros_like(self.state.path.Q)
        if root.size:
            beside = np.concatenate([x[:-1], x[1:]], axis=1)
            up = transposed(root) @ (inside - lifted @ beside)
            bubbles = up.reshape(L, -1, N, w).transpose(0, 1, 3, 2)
        return self.restricted(Vector(x.transpose(0, 2, 1), bubbles))

    def softest(self) -> float:
        """The least eigenvalue of H x = λ P x, by Lanczos."""
        from scipy.sparse.linalg import LinearOperator, eigsh

        path = self.state.path
        size = path.A.size + path.Q.size

        def of(function: Callable[[Vector], Vector]) -> LinearOperator:
            return LinearOperator(
                (size, size), matvec=lambda x: function(Vector.of(x, path.A.shape, path.Q.shape)).flat()
            )

        value = eigsh(
            of(lambda x: self.product(self.restricted(x), 0.0, 1.0)),
            k=1,
            M=of(lambda x: self.product_of_metric(self.restricted(x))),
            Minv=of(lambda x: self.preconditioned(self.restricted(x))),
            which="SA",
            tol=_SOFTEST_TOL,
            v0=self.preconditioned(self.restricted(Vector(np.ones_like(path.A), np.ones_like(path.Q)))).flat(),
            return_eigenvectors=False,
        )
        return float(value[0])

    def product_of_metric(self, x: Vector) -> Vector:
        """P x."""
        scheme, path, R = self.action.scheme, self.state.path, self.state.point.inverse_root
        L, n = self._weights.shape
        moving = scheme.values + scheme.slopes / path.h[:, None, None]

        def term(rates: FloatArray) -> FloatArray:
            at_points = (rates @ x.dofs).reshape(L, n, *path.A.shape[1:])
            weighted = ((at_points @ transposed(R)) @ R) * self._weights[..., None, None]
            product: FloatArray = np.swapaxes(rates, -1, -2) @ weighted.reshape(L, n, -1)
            return product

        by_element = term(moving) + MASS * term(scheme.values)
        nodes = np.zeros((L + 1, by_element.shape[-1]))
        nodes[:-1] += by_element[:, 0]
        nodes[1:] += by_element[:, 1]
        return self.restricted(Vector(nodes.reshape(path.A.shape), by_element[:, 2:].reshape(path.Q.shape)))

    def remainder(self, step: Step, new: State) -> tuple[FloatArray, FloatArray]:
        """Nothing: second-order corrections need as many products as a step."""
        return np.zeros_like(self.state.gradient), np.zeros((2, self.state.gradient.shape[-1]))


@dataclass(frozen=True, eq=False)
class Vector:
    """Changes of, or gradients in, nodes (L + 1, w, N) and bubbles (L, m - 1, w, N)."""

    nodes: FloatArray
    bubbles: FloatArray

    @classmethod
    def of(cls, flat: FloatArray, nodes: tuple[int, ...], bubbles: tuple[int, ...]) -> Vector:
        """From one array."""
        cut = int(np.prod(nodes))
        return cls(flat[:cut].reshape(nodes), flat[cut:].reshape(bubbles))

    @property
    def dofs(self) -> FloatArray:
        """By elements, (L, m + 1, wN)."""
        by_element = np.concatenate([self.nodes[:-1, None], self.nodes[1:, None], self.bubbles], axis=1)
        return by_element.reshape(*by_element.shape[:2], -1)

    def flat(self) -> FloatArray:
        """As one array."""
        return np.concatenate([self.nodes.ravel(), self.bubbles.ravel()])

    def dot(self, other: Vector) -> float:
        """Inner product."""
        return float((self.nodes * other.nodes).sum() + (self.bubbles * other.bubbles).sum())

    def plus(self, other: Vector, factor: float = 1.0) -> Vector:
        """This plus a multiple of another."""
        return Vector(self.nodes + factor * other.nodes, self.bubbles + factor * other.bubbles)


@dataclass(frozen=True, eq=False)
class KrylovFactor:
    """Solutions of Newton's equations by conjugate gradients."""

    newton: KrylovNewton
    metric: float
    share: float

    @cached_property
    def first(self) -> tuple[Vector, float] | None:
        """Newton's step and the promise ½ gᵀH⁻¹g; None where the curvature is not positive."""
        action, state = self.newton.action, self.newton.state
        L, _, d = state.gradient.shape
        nodes = np.zeros((L + 1, d))
        nodes[:-1] += state.gradient[:, 0]
        nodes[1:] += state.gradient[:, 1]
        for node, end in ((0, action.start), (-1, action.end)):
            if not end.fixed:
                nodes[node] += end.gradient(state.path.A[node]).ravel()
        g = self.newton.restricted(
            Vector(nodes.reshape(state.path.A.shape), state.gradient[:, 2:].reshape(state.path.Q.shape))
        )
        x = self._conjugate_gradients(g)
        return None if x is None else (x, -0.5 * g.dot(x))

    def step(self) -> tuple[Step, float]:
        """Newton's step, and what the quadratic model promises of it."""
        from .path_system import Step

        x, promise = self.first  # type: ignore[misc]
        return Step(x.nodes, x.bubbles), promise

    def solve(self, by_element: FloatArray, at_ends: FloatArray) -> Step:
        """No correction."""
        from .path_system import Step

        path = self.newton.state.path
        return Step(np.zeros_like(path.A), np.zeros_like(path.Q))

    def _conjugate_gradients(self, g: Vector) -> Vector | None:
        newton = self.newton
        x = Vector(np.zeros_like(g.nodes), np.zeros_like(g.bubbles))
        r = Vector(-g.nodes, -g.bubbles)
        z = newton.preconditioned(r)
        rho = r.dot(z)
        if rho <= 0:
            return x
        p, target = z, rho * max(_TIGHTEST, min(_LOOSEST, rho**0.5)) ** 2
        for _ in range(_MOST):
            q = newton.product(p, self.metric, self.share)
            curvature = p.dot(q)
            if curvature <= 0:
                return None
            alpha = rho / curvature
            x, r = x.plus(p, alpha), r.plus(q, -alpha)
            z = newton.preconditioned(r)
            rho, before = r.dot(z), rho
            if rho <= target:
                break
            p = z.plus(p, rho / before)
        return x

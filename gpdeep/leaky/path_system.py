r"""The discrete action of a whole path: value, gradient, and Newton's equations as one banded system.

    S_h(A, Q) + price of the two ends,        H d = -g

Bubbles Q belong to one element and are eliminated there; what is left couples neighbouring nodes only and is a band of
2wN - 1 lower diagonals, factorised by LAPACK's banded Cholesky. The factorisation succeeds if and only if the Hessian
is positive definite in the directions that are free, so that it is the test for a minimum as well: with the proximal
term of `local_action` this is the Hessian reduced to the paths that weights can produce, as δ → 0 (Debreu 1952,
Econometrica 20; Bertsekas 1982, section 2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..result import BoolArray, FloatArray
from . import bands
from .boundary import Boundary
from .elements import Path, Scheme, at_points
from .geometry import Geometry
from .local_action import Point, frozen_hessian, local_action, local_hessian, with_rows
from .path_krylov import KrylovNewton

LARGEST_BLOCK = 80  # wN up to which blocks wN x wN are formed; their cost grows like the cube


@dataclass(frozen=True, eq=False)
class State:
    """A path with its objective and what its derivatives need.

    Attributes
    ----------
    value : float
        S_h plus the price of the ends (with the proximal terms if δ > 0).
    gradient : array (L, m + 1, wN)
        Of S_h, element by element, in (A_{l-1}, A_l, Q_l).
    """

    path: Path
    value: float
    A: FloatArray
    point: Point
    gradient: FloatArray

    @property
    def defect(self) -> float:
        """Largest change of the multipliers, 0 on a stationary path."""
        return float(np.abs(self.point.B - self.path.B).max())

    @property
    def momenta(self) -> FloatArray:
        """B at the nodes, (L + 1, w, N): -∂S/∂A at the start of an element, ∂S/∂A at its end, their mean between."""
        starts, ends = -self.gradient[:, 0], self.gradient[:, 1]
        B = np.concatenate([starts[:1], 0.5 * (starts[1:] + ends[:-1]), ends[-1:]])
        return B.reshape(self.path.A.shape)


@dataclass(frozen=True, eq=False)
class Step:
    """A step of nodes and bubbles."""

    dA: FloatArray
    dQ: FloatArray

    def __add__(self, other: Step) -> Step:
        return Step(self.dA + other.dA, self.dQ + other.dQ)

    def __mul__(self, factor: float) -> Step:
        return Step(factor * self.dA, factor * self.dQ)

    @property
    def dofs(self) -> FloatArray:
        """The change of (A_{l-1}, A_l, Q_l), shape (L, m + 1, wN)."""
        dofs = np.concatenate([self.dA[:-1, None], self.dA[1:, None], self.dQ], axis=1)
        return dofs.reshape(*dofs.shape[:2], -1)


@dataclass(frozen=True, eq=False)
class Held:
    """Entries that do not move: of nodes, (L + 1, w, N), and of whole elements with their bubbles, (L, w, N)."""

    nodes: BoolArray
    elements: BoolArray | None = None

    def of_bubbles(self, count: int) -> FloatArray | None:
        """1 where a bubble may move, else 0, (L, count wN)."""
        if self.elements is None or not count:
            return None
        L = len(self.elements)
        free = np.broadcast_to(~self.elements.reshape(L, 1, -1), (L, count, self.elements[0].size))
        return free.reshape(L, -1).astype(np.float64)


@dataclass(frozen=True, eq=False)
class PathAction:
    """S_h of a scheme with its two ends, and δ."""

    geometry: Geometry
    scheme: Scheme
    start: Boundary
    end: Boundary
    delta: float = 0.0

    def state(self, path: Path, side: FloatArray | None = None) -> State:
        """Value and gradient at a path; `side` is for values exactly at kinks, (L, n, w, N).

        Raises
        ------
        numpy.linalg.LinAlgError
            δ = 0 and a kernel is singular.
        """
        A, V = at_points(self.scheme, path)
        point = local_action(self.geometry, A, V, path.B, self.delta, side)
        weights = path.h[:, None] * self.scheme.weights
        value = float((weights * point.value).sum()) + self.start.value(path.A[0]) + self.end.value(path.A[-1])
        L, n = weights.shape
        of_V = (point.B * self.scheme.weights[:, None, None]).reshape(L, n, -1)
        of_A = (point.dA * weights[..., None, None]).reshape(L, n, -1)
        gradient = self.scheme.slopes.T @ of_V + self.scheme.values.T @ of_A
        return State(path, value, A, point, gradient)

    def free(self, path: Path, held: Held | None = None) -> FloatArray:
        """1 where a node's entry may move, else 0, (L + 1, wN)."""
        free = np.ones((len(path.A), path.A[0].size))
        if held is not None:
            free[held.nodes.reshape(free.shape)] = 0.0
        if self.start.fixed:
            free[0] = 0.0
        if self.end.fixed:
            free[-1] = 0.0
        return free

    def newton(self, state: State, held: Held | None = None) -> Newton | KrylovNewton:
        """Newton's equations at a state, with their matrix where that is small."""
        if state.path.A[0].size > LARGEST_BLOCK:
            return KrylovNewton(self, state, held)
        return self.newton_matrix(state, held)

    def newton_matrix(self, state: State, held: Held | None = None) -> Newton:
        """Newton's equations with their matrix."""
        scheme = self.scheme
        slopes = scheme.slopes / state.path.h[:, None, None]
        weights = state.path.h[:, None] * scheme.weights
        convex, rest = local_hessian(self.geometry, state.A, state.point, scheme.values, slopes, weights)
        return Newton(self, state, held, convex, rest)

    def node_gradient(self, state: State, held: Held | None = None) -> FloatArray:
        """Gradient in the free directions of the nodes, (L + 1, wN), and the bubbles' part is in `state.gradient`."""
        L, _, d = state.gradient.shape
        g = np.zeros((L + 1, d))
        g[:-1] += state.gradient[:, 0]
        g[1:] += state.gradient[:, 1]
        for node, end in ((0, self.start), (-1, self.end)):
            if not end.fixed:
                g[node] += end.gradient(state.path.A[node]).ravel()
        return self.restricted(state.path, held, g)

    def bubble_gradient(self, state: State, held: Held | None = None) -> FloatArray:
        """Gradient in the free directions of the bubbles, (L, (m - 1)wN)."""
        inside = state.gradient[:, 2:].reshape(len(state.gradient), -1)
        free = None if held is None else held.of_bubbles(state.gradient.shape[1] - 2)
        return inside if free is None else inside * free

    def residual(self, state: State, held: Held | None = None) -> float:
        """Largest of the gradients in the free directions and of |M - B K_γ| at the points."""
        of_nodes = np.abs(self.node_gradient(state, held)).max()
        of_bubbles = np.abs(self.bubble_gradient(state, held)).max(initial=0.0)
        V = at_points(self.scheme, state.path)[1]
        unmet = V + state.A - state.point.B @ self.geometry.kernel(state.point.s)
        return float(max(of_nodes, of_bubbles, np.abs(unmet).max()))

    def restricted(self, path: Path, held: Held | None, g: FloatArray) -> FloatArray:
        """A gradient at the nodes, (L + 1, wN), in the free directions."""
        for node, P in self._projections(path):
            g[node] = P @ g[node]
        return g * self.free(path, held)

    def restricted_matrix(
        self, path: Path, held: Held | None, diagonal: FloatArray, below: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """A Hessian at the nodes in the free directions, with ones on the diagonal for those held."""
        for node, P in self._projections(path):
            diagonal[node] = P @ diagonal[node] @ P + np.eye(len(P)) - P
            below[node] = below[node] @ P if node == 0 else P @ below[node]
        free = self.free(path, held)
        entries = np.arange(free.shape[1])
        diagonal = diagonal * (free[:, :, None] * free[:, None, :])
        diagonal[:, entries, entries] += 1 - free
        return diagonal, below * (free[1:, :, None] * free[:-1, None, :])

    def _projections(self, path: Path) -> Iterator[tuple[int, FloatArray]]:
        """Ends that may move in some directions only, with the projectors (wN, wN)."""
        for node, end in ((0, self.start), (-1, self.end)):
            P = None if end.fixed else end.projection(path.A[node])
            if P is not None:
                yield node, np.asarray(np.kron(np.eye(len(path.A[node])), P), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Newton:
    """Newton's equations at a state, with both parts of the elements' Hessians (`local_action.local_hessian`)."""

    action: PathAction
    state: State
    held: Held | None
    convex: FloatArray
    rest: FloatArray

    @cached_property
    def local(self) -> FloatArray:
        """The elements' Hessians, (L, (m+1)wN, (m+1)wN)."""
        return with_rows(self.convex, self.rest)

    @cached_property
    def _frozen(self) -> FloatArray:
        scheme, h = self.action.scheme, self.state.path.h
        return frozen_hessian(
            self.state.point, scheme.values, scheme.slopes / h[:, None, None], h[:, None] * scheme.weights
        )

    @property
    def metric(self) -> FloatArray:
        """The elements' Hessians with the metric frozen, (L, (m+1)wN, (m+1)wN)."""
        return with_rows(np.zeros_like(self.convex), np.broadcast_to(self._frozen, self.rest.shape))

    def factor(self, metric: float = 0.0, share: float = 1.0, *, indefinite: bool = False) -> Factor | None:
        """The equations with `metric` times the frozen-metric Hessian and a share of the part that is not convex.

        None if that is not positive definite, unless an `indefinite` one is asked for.
        """
        state, action = self.state, self.action
        path = state.path
        L, m1, d = state.gradient.shape
        if share == 1 and not metric:
            H = self.local
        else:
            H = with_rows(self.convex, share * self.rest + metric * self._frozen)
        ends = 2 * d
        H_nodes, lifted = H[:, :ends, :ends], None
        free = None if self.held is None else self.held.of_bubbles(m1 - 2)
        if free is not None:
            H = H.copy()
            H[:, ends:] *= free[:, :, None]
            H[:, :, ends:] *= free[:, None, :]
            inner = np.arange(ends, m1 * d)
            H[:, inner, inner] += 1 - free
        if m1 > 2:
            try:
                root = np.linalg.inv(np.linalg.cholesky(H[:, ends:, ends:]))
            except np.linalg.LinAlgError:
                return None
            lifted = root @ H[:, ends:, :ends]
            H_nodes = H_nodes - np.swapaxes(lifted, 1, 2) @ lifted
        diagonal = np.zeros((L + 1, d, d))
        diagonal[:-1] += H_nodes[:, :d, :d]
        diagonal[1:] += H_nodes[:, d:, d:]
        below = H_nodes[:, d:, :d]
        for node, end in ((0, action.start), (-1, action.end)):
            if not end.fixed:
                at_end = path.A[node]
                diagonal[node] += end.hessian(at_end) if share == 1 else end.convex_hessian(at_end)
        diagonal, below = action.restricted_matrix(path, self.held, diagonal, below)
        nodes = bands.indefinite(diagonal, below) if indefinite else bands.definite(diagonal, below)
        return None if nodes is None else Factor(self, nodes, root if m1 > 2 else None, lifted)

    def remainder(self, step: Step, new: State) -> tuple[FloatArray, FloatArray]:
        """What the gradient at the end of a step has that the linear model has not: by elements, and at both ends."""
        by_element = new.gradient - self.state.gradient
        by_element = by_element - (self.local @ step.dofs.reshape(len(step.dofs), -1, 1)).reshape(by_element.shape)
        at_ends = np.zeros((2, by_element.shape[-1]))
        for node, end in ((0, self.action.start), (-1, self.action.end)):
            if not end.fixed:
                A = self.state.path.A[node]
                change = end.gradient(new.path.A[node]) - end.gradient(A)
                at_ends[node] = change.ravel() - end.hessian(A) @ step.dA[node].ravel()
        return by_element, at_ends


@dataclass(frozen=True, eq=False)
class Factor:
    """A factorisation of Newton's equations, for several right-hand sides."""

    newton: Newton
    nodes: Callable[[FloatArray], FloatArray]
    root: FloatArray | None
    lifted: FloatArray | None

    def step(self) -> tuple[Step, float]:
        """Newton's step, and what the quadratic model promises of it, ½ gᵀH⁻¹g (without the bubbles' own share)."""
        action, state = self.newton.action, self.newton.state
        at_ends = np.zeros((2, state.gradient.shape[-1]))
        for node, end in ((0, action.start), (-1, action.end)):
            if not end.fixed:
                at_ends[node] = end.gradient(state.path.A[node]).ravel()
        step = self.solve(state.gradient, at_ends)
        slope = float((state.gradient * step.dofs).sum())
        slope += float((at_ends[0] * step.dA[0].ravel()).sum() + (at_ends[1] * step.dA[-1].ravel()).sum())
        return step, -0.5 * slope

    def solve(self, by_element: FloatArray, at_ends: FloatArray) -> Step:
        """-H⁻¹g for a gradient given by elements, (L, m + 1, wN), and at both ends, (2, wN)."""
        path = self.newton.state.path
        L, _, d = by_element.shape
        g_nodes, inside = by_element[:, :2].reshape(L, 2 * d), None
        if self.root is not None and self.lifted is not None:
            of_bubbles = by_element[:, 2:].reshape(L, -1, 1)
            free = None if self.newton.held is None else self.newton.held.of_bubbles(by_element.shape[1] - 2)
            inside = self.root @ (of_bubbles if free is None else of_bubbles * free[..., None])
            g_nodes = g_nodes - (np.swapaxes(self.lifted, 1, 2) @ inside)[..., 0]
        g = np.zeros((L + 1, d))
        g[:-1] += g_nodes[:, :d]
        g[1:] += g_nodes[:, d:]
        g[0] += at_ends[0]
        g[-1] += at_ends[1]
        g = self.newton.action.restricted(path, self.newton.held, g)
        x = self.newton.action.restricted(path, self.newton.held, self.nodes(-g.ravel()).reshape(L + 1, d))
        dQ = np.zeros_like(path.Q)
        if self.root is not None and self.lifted is not None:
            beside = np.concatenate([x[:-1], x[1:]], axis=1)[..., None]
            dQ = -(np.swapaxes(self.root, 1, 2) @ (self.lifted @ beside + inside)).reshape(path.Q.shape)
        return Step(x.reshape(path.A.shape), dQ)

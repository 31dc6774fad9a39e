r"""Paths with kinks to high order: smooth phases between events whose times are unknowns.

Between two events every entry stays on one straight piece of φ or rests at a kink, so that Gauss elements reach their
full order there. The path for given event times is a smooth variational problem; the times are then the roots of

    crossing        B_ij is continuous                                (one condition a time)
    coming to rest  (B K_γ)_ij = t just before,   leaving:  just after,      which is dA_ij/dt = 0

and momenta of resting entries are those that keep them there, (B K_γ)_ij = t. An arc is real where the slope that it
needs lies between both slopes of φ,

    θ = (B - dB/dt)_ij/(s BᵀB)_ij ∈ [φ'(t-), φ'(t+)].

The initial value problem with kinks is not well posed (an entry may leave an arc at any time); this boundary value
problem is. Filippov 1988, Differential Equations with Discontinuous Righthand Sides, for such solutions.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import root

from ..activations.piecewise_linear import PiecewiseLinear
from ..result import FloatArray, IntArray
from .elements import Path, Scheme, at_points, gauss
from .geometry import Geometry, transposed
from .hermite import HermitePath
from .kink_arcs import SlidingArc
from .kink_events import CROSS, IN, Event
from .mesh import equidistributed, raised, times, transferred
from .path_newton import Descent, with_multipliers
from .path_system import Held, PathAction, State
from .problem import PathProblem

_TOL = 1e-11
_CLOSEST = 1e-7  # events nearer to each other than this part of T are not told apart
_SLACK = 1e-6  # of θ and of signs
_LARGEST_DEGREE = 4


@dataclass(frozen=True, eq=False)
class Pattern:
    """φ with every entry on its piece, as one straight line for each element and entry.

    Attributes
    ----------
    code : int array (L, w, N)
        As `kink_events.codes`.
    """

    phi: PiecewiseLinear
    code: IntArray

    @cached_property
    def lines(self) -> tuple[FloatArray, FloatArray]:
        """Slope and value at 0 of each entry's line, (L, 1, w, N); on a kink the mean slope, with φ(t) at t."""
        pieces = self.phi.pieces
        m = np.asarray(pieces.slopes)
        v = np.asarray(pieces.values) - m * np.asarray(pieces.points)
        knots = np.append(np.asarray(pieces.knots, dtype=np.float64), 0.0)
        piece, resting = self.code // 2, self.code % 2 == 1
        after = np.minimum(piece + 1, len(m) - 1)
        slope = np.where(resting, 0.5 * (m[piece] + m[after]), m[piece])
        at_kink = m[piece] * knots[piece] + v[piece]
        offset = np.where(resting, at_kink - slope * knots[piece], v[piece])
        return slope[:, None], offset[:, None]

    def value(self, x: FloatArray) -> FloatArray:
        """φ, each entry on its line."""
        return self.lines[1] + self.lines[0] * x

    def slope(self, x: FloatArray, side: FloatArray | None = None) -> FloatArray:
        """Slopes of the lines."""
        return np.broadcast_to(self.lines[0], x.shape)

    def curvature(self, x: FloatArray) -> FloatArray:
        """None."""
        return np.zeros_like(x)


@dataclass(frozen=True, eq=False)
class Phases:
    """A path in smooth phases.

    Attributes
    ----------
    events : tuple of Event
        In order of time; their times are a first guess.
    initial : int array (w, N)
        Codes at the start.
    shares : tuple of arrays
        Lengths of the elements of each of the E + 1 phases, in shares of the phase.
    """

    problem: PathProblem
    events: tuple[Event, ...]
    initial: IntArray
    shares: tuple[FloatArray, ...]

    @property
    def counts(self) -> list[int]:
        """Elements in each phase."""
        return [len(share) for share in self.shares]

    @cached_property
    def codes(self) -> IntArray:
        """Codes in each phase, (E + 1, w, N)."""
        found = [self.initial]
        for event in self.events:
            found.append(found[-1].copy())
            found[-1][event.neuron, event.sample] = event.after
        return np.array(found)

    @cached_property
    def nodes(self) -> IntArray:
        """The node of each event."""
        return np.cumsum(self.counts)[:-1]

    @cached_property
    def held(self) -> Held:
        """Entries at rest: in whole elements, at the nodes of these, and where they cross."""
        resting = np.repeat(self.codes % 2 == 1, self.counts, axis=0)
        at_nodes = np.zeros((len(resting) + 1, *resting.shape[1:]), dtype=bool)
        at_nodes[:-1] |= resting
        at_nodes[1:] |= resting
        for node, event in zip(self.nodes, self.events, strict=True):
            at_nodes[node, event.neuron, event.sample] = True
        return Held(at_nodes, resting)

    def mesh(self, tau: FloatArray) -> FloatArray:
        """Element lengths when events are at the times `tau`."""
        lengths = np.diff(np.concatenate([[0.0], tau, [self.problem.T]]))
        return np.concatenate([length * share for length, share in zip(lengths, self.shares, strict=True)])

    def action(self, scheme: Scheme, delta: float) -> PathAction:
        """S_h with every entry on its piece."""
        phi: Any = Pattern(self.problem.geometry.phi.phi, np.repeat(self.codes, self.counts, axis=0))  # type: ignore[arg-type]
        geometry = replace(self.problem.geometry, phi=phi)
        return PathAction(geometry, scheme, self.problem.start, self.problem.end, delta)

    def pinned(self, path: Path) -> Path:
        """The path with its resting and crossing entries exactly on their kinks."""
        A = path.A.copy()
        Q = np.where(self.held.elements[:, None], 0.0, path.Q)  # type: ignore[index]
        kinks = _kinks(self.problem)
        codes = np.repeat(self.codes, self.counts, axis=0)
        for at, code in ((A[:-1], codes), (A[1:], codes)):
            np.copyto(at, kinks[np.minimum(code // 2, len(kinks) - 1)], where=code % 2 == 1)
        for node, event in zip(self.nodes, self.events, strict=True):
            A[node, event.neuron, event.sample] = kinks[event.kink]
        if self.problem.start.fixed:
            A[0] = self.problem.first
        if self.problem.end.fixed:
            A[-1] = self.problem.last
        return Path(path.h, A, Q, path.B)

    def solve(self, tau: FloatArray, scheme: Scheme, path: Path, delta: float) -> Descent:
        """The stationary path for given event times, from a near one."""
        start = replace(path, h=self.mesh(tau))
        least = min(delta, 1e-6 * self.problem.kernel_scale())
        return with_multipliers(
            self.action(scheme, delta), start, least=least, tol=_TOL, first=1e-6, most=60, held=self.held
        )

    def momenta(self, state: State) -> tuple[FloatArray, FloatArray]:
        """B at each element's start and end, (L, w, N), resting entries included."""
        geometry, kinks = self.problem.geometry, _kinks(self.problem)
        codes = np.repeat(self.codes, self.counts, axis=0)
        shape = (len(state.path.h), *state.path.A.shape[1:])
        starts, ends = -state.gradient[:, 0].reshape(shape).copy(), state.gradient[:, 1].reshape(shape).copy()
        for B, A in ((starts, state.path.A[:-1]), (ends, state.path.A[1:])):
            K = geometry.kernel(geometry.phi.value(A))
            for element, neuron in np.argwhere((codes % 2 == 1).any(axis=2)):
                Z = codes[element, neuron] % 2 == 1
                there = kinks[codes[element, neuron, Z] // 2]
                k = K[element]
                missing = there - B[element, neuron, ~Z] @ k[np.ix_(~Z, Z)]
                B[element, neuron, Z] = np.linalg.solve(k[np.ix_(Z, Z)], missing)
        return starts, ends

    def conditions(self, state: State) -> FloatArray:
        """What must vanish for the events to be where they are, (E,)."""
        geometry, kinks = self.problem.geometry, _kinks(self.problem)
        starts, ends = self.momenta(state)
        found = np.empty(len(self.events))
        for number, (node, event) in enumerate(zip(self.nodes, self.events, strict=True)):
            before, after = ends[node - 1, event.neuron], starts[node, event.neuron]
            if event.kind == CROSS:
                found[number] = after[event.sample] - before[event.sample]
            else:
                s = geometry.phi.value(state.path.A[node])
                column = geometry.kernel(s)[:, event.sample]
                found[number] = (before if event.kind == IN else after) @ column - kinks[event.kink]
        return found


@dataclass(frozen=True, eq=False)
class Spacing:
    """How many elements a path wants up to each time."""

    t: FloatArray
    elements: FloatArray

    @classmethod
    def of(cls, path: HermitePath, elements: int) -> Spacing:
        """Equidistributed for a path given at its nodes."""
        h = equidistributed(np.diff(path.t), path.A(path.t), path.B(path.t), elements)
        return cls(times(h), np.arange(elements + 1.0))

    def shares(self, start: float, end: float) -> FloatArray:
        """Lengths of elements between two times, in shares of the whole."""
        first, last = np.interp([start, end], self.t, self.elements)
        count = max(1, round(last - first))
        nodes = np.interp(np.linspace(first, last, count + 1), self.elements, self.t)
        lengths = np.diff(nodes)
        return lengths / lengths.sum() if (lengths > 0).all() else np.full(count, 1 / count)


@dataclass(frozen=True, eq=False)
class PhasedPath:
    """A path in phases whose event times are right.

    Attributes
    ----------
    error : float
        Difference of the action to that of the next lower degree.
    mismatch : float
        Largest of the event conditions.
    problem_found : str
        Why the path is not to be believed; empty if it is.
    """

    phases: Phases
    tau: FloatArray
    near: Descent
    error: float
    mismatch: float
    problem_found: str

    @property
    def state(self) -> State:
        """The path with its derivatives."""
        return self.near.state

    @property
    def momenta(self) -> FloatArray:
        """B at the nodes."""
        starts, ends = self.phases.momenta(self.state)
        return np.concatenate([starts[:1], 0.5 * (starts[1:] + ends[:-1]), ends[-1:]])

    def arcs(self) -> tuple[SlidingArc, ...]:
        """Where entries rest, in p."""
        kinks, T = _kinks(self.phases.problem), self.phases.problem.T
        ends = np.concatenate([[0.0], self.tau, [T]]) / T
        codes, found = self.phases.codes, []
        for neuron, sample in np.ndindex(*codes.shape[1:]):
            resting = codes[:, neuron, sample] % 2 == 1
            edges = np.flatnonzero(np.diff(np.concatenate([[False], resting, [False]]).astype(int)))
            for first, after in zip(edges[::2], edges[1::2], strict=True):
                kink = float(kinks[codes[first, neuron, sample] // 2])
                found.append(SlidingArc(neuron, sample, kink, float(ends[first]), float(ends[after])))
        return tuple(sorted(found, key=lambda arc: arc.start))


def phased(
    problem: PathProblem, events: list[Event], initial: IntArray, path: HermitePath, elements: int, rtol: float
) -> PhasedPath | None:
    """The path with these events, to high order, from a near one; None where the times cannot be solved for."""
    scheme, error = gauss(2), np.inf
    spacing = Spacing.of(path, elements)
    placed = _ordered(problem, tuple(events), initial, np.array([event.t for event in events]), spacing)
    if placed is None:
        return None
    phases, tau = placed
    start = phases.pinned(path.path(scheme, phases.mesh(tau)))
    found = _times(phases, spacing, start, scheme, 1e-4 * problem.kernel_scale())
    for degree in range(3, _LARGEST_DEGREE + 1):
        if found is None:
            return None
        phases, _, low = found
        higher = gauss(degree)
        found = _times(phases, spacing, raised(low.state.path, scheme, higher), higher, low.action.delta)
        if found is None:
            return None
        scheme, error = higher, abs(found[2].state.value - low.state.value)
        if error <= rtol * abs(low.state.value):
            break
    phases, tau, low = found  # type: ignore[misc]
    mismatch = float(np.abs(phases.conditions(low.state)).max(initial=0.0))
    settled = PhasedPath(phases, tau, low, error, mismatch, "")
    return replace(settled, problem_found=_unbelievable(settled))


def _ordered(
    problem: PathProblem, events: tuple[Event, ...], initial: IntArray, tau: FloatArray, spacing: Spacing
) -> tuple[Phases, FloatArray] | None:
    """The phases of events at times `tau`, in their order; None where two are too close or one entry's swap."""
    order = np.argsort(tau, kind="stable")
    placed = tuple(replace(events[k], t=float(tau[k])) for k in order)
    lengths = np.diff(np.concatenate([[0.0], tau[order], [problem.T]]))
    if lengths.min() < _CLOSEST * problem.T:
        return None
    for place in {(event.neuron, event.sample) for event in events}:
        before, now = ([e.after for e in some if (e.neuron, e.sample) == place] for some in (events, placed))
        if before != now:
            return None
    ends = np.concatenate([[0.0], tau[order], [problem.T]])
    shares = tuple(spacing.shares(a, b) for a, b in itertools.pairwise(ends.tolist()))
    return Phases(problem, placed, initial, shares), tau[order]


def _times(
    phases: Phases, spacing: Spacing, path: Path, scheme: Scheme, delta: float
) -> tuple[Phases, FloatArray, Descent] | None:
    """Phases, event times and path that fit each other; events of different entries may change their order."""
    problem, given = phases.problem, phases.events
    tau = np.array([event.t for event in given])
    best = phases.solve(tau, scheme, path, delta)
    if not best.converged:
        return None
    if not given:
        return phases, tau, best
    momenta = best.state.momenta

    def at(trial: FloatArray) -> tuple[Phases, FloatArray, Descent] | None:
        placed = _ordered(problem, given, phases.initial, trial, spacing)
        if placed is None:
            return None
        now, times_of = placed
        near = best.state.path
        if _same_order(now.events, given):
            now = replace(now, shares=phases.shares)
        else:
            near = now.pinned(transferred(near, momenta, scheme, scheme, now.mesh(times_of)))
        found = now.solve(times_of, scheme, near, best.action.delta)
        return (now, times_of, found) if found.converged else None

    def conditions(trial: FloatArray) -> FloatArray:
        solved = at(trial)
        if solved is None:
            return np.full(len(trial), 1e3)
        back = np.argsort(np.argsort(trial, kind="stable"), kind="stable")
        return solved[0].conditions(solved[2].state)[back]

    answer = root(conditions, tau, method="hybr", options={"xtol": 1e-12, "eps": 1e-6, "factor": 1.0})
    solved = at(answer.x)
    if solved is None or np.abs(solved[0].conditions(solved[2].state)).max() > 1e-7:
        return None
    return solved


def _same_order(one: tuple[Event, ...], other: tuple[Event, ...]) -> bool:
    return all((a.neuron, a.sample, a.after) == (b.neuron, b.sample, b.after) for a, b in zip(one, other, strict=True))


def _unbelievable(found: PhasedPath) -> str:
    """Which entry leaves its piece, or which arc needs a slope that φ does not have; empty where all is well."""
    phases, state = found.phases, found.state
    kinks = np.concatenate([[-np.inf], _kinks(phases.problem), [np.inf]])
    codes = np.repeat(phases.codes, phases.counts, axis=0)[:, None]
    A = state.A
    size = float(np.abs(A).max())
    piece = codes // 2
    outside = (codes % 2 == 0) & ((kinks[piece] - _SLACK * size > A) | (kinks[piece + 1] + _SLACK * size < A))
    if outside.any():
        _, _, neuron, sample = np.argwhere(outside)[0]
        return f"entry ({neuron}, {sample}) leaves its piece of the activation"
    theta, low, high = _needed_slopes(found)
    wrong = np.isfinite(theta) & ((theta < low - _SLACK) | (theta > high + _SLACK))
    if wrong.any():
        _, _, neuron, sample = np.argwhere(wrong)[0]
        return f"entry ({neuron}, {sample}) rests at a kink by a slope of {theta[wrong][0]:.3g}, beyond both sides"
    return ""


def _needed_slopes(found: PhasedPath) -> tuple[FloatArray, FloatArray, FloatArray]:
    """θ at the points of all elements (NaN where an entry is free), with the slopes left and right of the kink."""
    phases, state = found.phases, found.state
    geometry: Geometry = found.near.action.geometry
    pieces = phases.problem.geometry.phi.phi.pieces  # type: ignore[attr-defined]
    m = np.asarray(pieces.slopes)
    A, V = at_points(found.near.action.scheme, state.path)
    B, s = state.point.B, state.point.s
    G = transposed(B) @ B
    codes = np.broadcast_to(np.repeat(phases.codes, phases.counts, axis=0)[:, None], A.shape)
    slope = np.where(codes % 2 == 1, 0.0, geometry.phi.slope(A))
    moving = slope * V
    Kd = transposed(moving) @ s
    Kd = Kd + transposed(Kd)
    K = geometry.kernel(s)
    Bd = B - slope * (s @ G)
    theta = np.full(A.shape, np.nan)
    for element, point, neuron in np.argwhere((codes % 2 == 1).any(axis=3)):
        at = (element, point, neuron)
        Z = codes[at] % 2 == 1
        k = K[element, point]
        turning = -(B[at] @ Kd[element, point])[Z] - Bd[at][~Z] @ k[np.ix_(~Z, Z)]
        rate = np.linalg.solve(k[np.ix_(Z, Z)], turning)
        with np.errstate(divide="ignore", invalid="ignore"):
            theta[at][Z] = 0
            theta[element, point, neuron, Z] = (B[at][Z] - rate) / (s[element, point] @ G[element, point])[neuron, Z]
    kink = np.minimum(codes // 2, len(m) - 2)
    low, high = np.minimum(m[kink], m[kink + 1]), np.maximum(m[kink], m[kink + 1])
    return theta, low, high


def _kinks(problem: PathProblem) -> FloatArray:
    return np.array([t for t, _ in problem.geometry.phi.kinks])

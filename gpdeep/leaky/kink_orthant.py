r"""Newton's method where the activation has kinks: entries of a node may rest exactly at a kink.

With the trapezoidal rule the action of a path depends on φ at nodes only, so that its kinks lie on planes A_ij = t of
the unknowns. For an entry at a kink both one-sided derivatives count,

    g₋ = ∂S/∂A_ij with the slope left of t,      g₊ = g₋ - c Σ b h (s BᵀB)_ij,      c = φ'(t+) - φ'(t-)

It rests where g₋ ≤ 0 ≤ g₊; else it is set free towards the steeper descent, with that side's slope. Newton's step on
the free entries is projected: an entry that would pass a kink is put on it (orthant-wise Newton; Andrew & Gao 2007,
ICML, for the idea with |x|). The error of the action is O(h²).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..result import BoolArray, FloatArray
from .elements import Path
from .path_system import Held, PathAction, State

_TOL = 1e-9
_NEAR = 1e-12  # to a kink, in units of the largest entry: what interpolation leaves
_FIRST_METRIC, _UP, _DOWN, _MOST_METRIC = 1e-3, 5.0, 5.0, 1e9
_HALVINGS = 6


@dataclass(frozen=True, eq=False)
class Resting:
    """A stationary path with entries at kinks.

    Attributes
    ----------
    held : bool array (L + 1, w, N)
        Entries that rest.
    positive : bool
        Whether the Hessian in the free entries is positive definite.
    """

    action: PathAction
    state: State
    held: BoolArray
    iterations: int
    converged: bool
    positive: bool


def rest(action: PathAction, path: Path, *, least: float, tol: float = _TOL, most: int = 150) -> Resting:
    """A local minimum of the trapezoidal action near `path`, with multipliers while δ > 0 falls to `least`."""
    path = _snapped(action, path)
    used, before, inner = 0, np.inf, 1e-4
    while True:
        found = _minimise(action, path, max(tol, inner), min(60, most - used))
        used += found.iterations
        violation = found.state.defect * action.delta
        path = replace(found.state.path, B=found.state.point.B)
        done = found.converged and violation <= tol and inner <= tol
        if done or used >= most:
            return replace(found, state=action.state(path), iterations=used, converged=done)
        if violation > 0.1 * before and action.delta > least:
            action = replace(action, delta=max(0.2 * action.delta, least))
        before, inner = violation, max(tol, min(0.1 * inner, 0.1 * violation))


def _minimise(action: PathAction, path: Path, tol: float, most: int) -> Resting:
    """The same at fixed multipliers and δ."""
    kinks = np.array([t for t, _ in action.geometry.phi.kinks])
    ends = np.zeros(path.A.shape, dtype=bool)
    ends[[0, -1]] = [[[action.start.fixed]], [[action.end.fixed]]]
    metric, positive = 0.0, False
    for iteration in range(1, most + 1):
        at = np.isin(path.A, kinks)
        left, right = (
            action.node_gradient(_sided(action, path, np.where(at, side, 0.0))).reshape(path.A.shape)
            for side in (-1.0, 1.0)
        )
        held = at & ~ends & (left <= tol) & (right >= -tol)
        side = np.where(at, np.where(-right > left, 1.0, -1.0), 0.0)
        state = _sided(action, path, side)
        blocked = held | ends
        gradient = np.where(blocked, 0.0, action.node_gradient(state).reshape(path.A.shape))
        if np.abs(gradient).max(initial=0.0) <= tol:
            factor = action.newton(state, Held(blocked)).factor()
            return Resting(action, state, held, iteration, True, factor is not None)
        newton = action.newton(state, Held(blocked))
        moved = None
        while metric < _MOST_METRIC and moved is None:
            factor = newton.factor(metric)
            if factor is None and metric:
                factor = newton.factor(metric, 0.0)
            if factor is not None:
                step, promise = factor.step()
                back = (side != 0) & ~blocked & (side * step.dA < 0)
                if back.any() and (np.abs(np.where(back, 0.0, gradient)) > tol).any():
                    blocked = blocked | back  # the model takes them to the side that they were not to go to
                    newton = action.newton(state, Held(blocked))
                    continue
                positive = metric == 0.0
                moved = _projected(action, state, kinks, side, step.dA, blocked, promise)
            if moved is None:
                metric = max(_UP * metric, _FIRST_METRIC)
        if moved is None:
            return Resting(action, state, held, iteration, False, False)
        metric = metric / _DOWN if metric > _FIRST_METRIC else 0.0
        path = moved
    return Resting(action, state, held, most, False, positive)


def _snapped(action: PathAction, path: Path) -> Path:
    """The path with entries that are on a kink but for rounding put on it; ends that are held stay."""
    A = path.A.copy()
    inner = slice(1 if action.start.fixed else 0, -1 if action.end.fixed else None)
    for t, _ in action.geometry.phi.kinks:
        near = np.abs(A[inner] - t) <= _NEAR * np.abs(A).max()
        A[inner][near] = t
    return replace(path, A=A)


def _sided(action: PathAction, path: Path, side: FloatArray) -> State:
    """The state with the slopes at kinks that `side`, by nodes, asks for."""
    at = [side[:-1] if c == 0 else side[1:] for c in action.scheme.points]  # points of these schemes are nodes
    return action.state(path, np.stack(at, axis=1))


def _projected(
    action: PathAction,
    state: State,
    kinks: FloatArray,
    side: FloatArray,
    step: FloatArray,
    blocked: BoolArray,
    promise: float,
) -> Path | None:
    """The path after the longest fraction of a step, projected at kinks, that lowers the action; None if none does."""
    A = state.path.A
    below = np.searchsorted(
        kinks, np.where(side > 0, np.nextafter(A, np.inf), np.where(side < 0, np.nextafter(A, -np.inf), A))
    )
    walls = np.concatenate([[-np.inf], kinks, [np.inf]])
    low, high = walls[below], walls[below + 1]
    fraction = 1.0
    for _ in range(_HALVINGS):
        new = np.where(blocked, A, np.clip(A + fraction * step, low, high))
        path = replace(state.path, A=new)
        try:
            value = action.state(path).value
        except np.linalg.LinAlgError:
            value = np.inf
        if value <= state.value - 1e-4 * fraction * promise + 1e-14 * abs(state.value):
            return path
        fraction *= 0.5
    return None

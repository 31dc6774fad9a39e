r"""Minimising the discrete action: Newton's method whose step is bounded by the frozen metric, and multipliers.

    (H + μP) d = -g,      P the Hessian of the frozen metric, positive definite

μ falls to 0 while steps keep their promise and rises where the action does not fall (Levenberg's rule in the metric of
the problem, so that μ does not depend on the mesh). Where H + μP is not positive definite, the part of H that is convex
by construction stands in. With δ > 0 an outer loop updates the multipliers, B_e ← B, once the inner problem is solved
well enough, and reduces δ where the constraint |M - B K_γ| does not fall fast enough: the method of multipliers,
superlinear as δ → 0 (Bertsekas 1982, chapter 2). Small δ makes the action a narrow bent valley; a step that falls short
of its promise is therefore bent by what the gradient at its end has beyond the linear model, solved with the same
factor (a second-order correction).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .elements import Path
from .path_system import Held, PathAction, State, Step

_FIRST_METRIC, _UP, _DOWN = 1e-3, 5.0, 5.0
_MOST_METRIC = 1e9
_LONGEST = 16.0
_CORRECTIONS = 2  # of second order, with the same factor
_ROUNDING = 1e-13  # relative changes of the action below this say nothing
_FALL = 0.1  # by which the constraint should fall with each update of the multipliers
_INNER = 60  # Newton steps of one inner problem
_LOOSE = 1e-2  # gradient to which the first inner problem is solved


@dataclass(frozen=True, eq=False)
class Descent:
    """Where Newton's method ended.

    Attributes
    ----------
    iterations : int
        Newton steps, all inner problems together.
    converged : bool
        Whether gradient and constraint are below the tolerance, or at their rounding errors.
    positive : bool
        Whether the last Hessian was positive definite without help.
    """

    action: PathAction
    state: State
    iterations: int
    converged: bool
    positive: bool


def minimise(
    action: PathAction, path: Path, *, tol: float = 1e-10, most: int = 60, held: Held | None = None
) -> Descent:
    """A local minimum of the action at the multipliers of `path`; `tol` is the largest gradient."""
    state = action.state(path)
    metric, positive = 0.0, False
    for iteration in range(1, most + 1):
        found = _descending_step(action, state, metric, held)
        if found is None:
            return Descent(action, state, iteration, False, False)
        state, metric, ratio, promise = found
        positive = metric == 0.0
        metric = _relaxed(metric, ratio)
        at_rounding = positive and promise <= 1e-16 * abs(state.value)
        if at_rounding or _largest_gradient(action, state, held) <= tol:
            return Descent(action, state, iteration, True, positive)
    return Descent(action, state, most, False, positive)


def with_multipliers(
    action: PathAction,
    path: Path,
    *,
    least: float,
    tol: float = 1e-10,
    most: int = 80,
    first: float = _LOOSE,
    held: Held | None = None,
) -> Descent:
    """A stationary path of the action itself, δ falling from `action.delta` to `least` as needed.

    Parameters
    ----------
    tol : float
        Largest gradient, and largest violation |B - B_e|δ of the constraint.
    most : int
        Newton steps altogether.
    first : float
        Gradient to which the first inner problem is solved.
    """
    inner, used, before = first, 0, np.inf
    while True:
        found = minimise(action, path, tol=inner, most=min(_INNER, most - used), held=held)
        used += found.iterations
        violation = found.state.defect * action.delta
        path = replace(found.state.path, B=found.state.point.B)
        stuck = not found.converged and found.iterations < min(_INNER, most - used + found.iterations)
        if stuck and not violation <= 1e3 * tol:
            return replace(found, state=action.state(path), iterations=used)
        settled = (found.converged or stuck) and violation <= tol
        if (settled and inner <= tol) or used >= most or not np.isfinite(found.state.value):
            return replace(found, state=action.state(path), iterations=used, converged=settled and inner <= tol)
        if violation > _FALL * before and action.delta > least:
            action = replace(action, delta=max(0.2 * action.delta, least))
        elif violation > 0.7 * before and found.converged and inner <= tol:  # at the rounding errors
            return replace(found, state=action.state(path), iterations=used, converged=violation <= 1e3 * tol)
        before = violation
        inner = max(tol, min(0.1 * inner, 0.1 * violation))


def _largest_gradient(action: PathAction, state: State, held: Held | None) -> float:
    of_bubbles = np.abs(action.bubble_gradient(state, held)).max(initial=0.0)
    return float(max(np.abs(action.node_gradient(state, held)).max(), of_bubbles))


def _descending_step(
    action: PathAction, state: State, metric: float, held: Held | None
) -> tuple[State, float, float, float] | None:
    """The next state, with the μ it took, the ratio of gain and promise, and the promise; None if stuck."""
    newton = action.newton(state, held)
    rounding = _ROUNDING * abs(state.value)
    while metric < _MOST_METRIC:
        factor = newton.factor(metric)
        if factor is None:
            factor = newton.factor(metric, 0.0)
        if factor is not None:
            step, promise = factor.step()
            new = _state_after(action, state, step)
            for _ in range(_CORRECTIONS):
                if new is None or state.value - new.value >= 0.75 * promise:
                    break
                better = step + factor.solve(*newton.remainder(step, new))
                bent = _state_after(action, state, better)
                if bent is None or bent.value >= new.value:
                    break
                step, new = better, bent
            if new is not None and state.value - new.value >= 1e-4 * promise - rounding:
                ratio = (state.value - new.value) / promise if promise > 10 * rounding else 1.0
                if metric and ratio > 1:
                    new = _longer(action, state, step, new)
                return new, metric, ratio, promise
        metric = max(_UP * metric, _FIRST_METRIC)
    return None


def _state_after(action: PathAction, state: State, step: Step) -> State | None:
    """The state at the end of a step; None where the action is not finite."""
    try:
        new = action.state(state.path.moved(step.dA, step.dQ))
    except np.linalg.LinAlgError:
        return None
    return new if np.isfinite(new.value) else None


def _longer(action: PathAction, state: State, step: Step, best: State) -> State:
    """The state at 2, 4, .. times a step that μ made shorter than the action would have it."""
    factor = 2.0
    while factor <= _LONGEST:
        new = _state_after(action, state, step * factor)
        if new is None or not new.value < best.value:
            break
        best, factor = new, 2 * factor
    return best


def _relaxed(metric: float, ratio: float) -> float:
    if ratio > 0.75:
        return metric / _DOWN if metric > _FIRST_METRIC else 0.0
    return metric if ratio > 0.25 else max(_UP * metric, _FIRST_METRIC)

r"""Critical paths of activations with kinks: rounded, then with entries at rest, then in smooth phases.

    search with φ_k, k = 5  →  k = 160  →  trapezoidal rule with entries at kinks  →  phases between events

The last step has the accuracy of smooth paths; it is possible where φ is piecewise linear and the events that were read
from the step before are those of the path. Else two nested meshes are extrapolated, S ≈ (4 S_{h/2} - S_h)/3, and their
difference to the finer one is the error. Other minima than the lowest are left at the trapezoidal rule.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..activations.piecewise_linear import PiecewiseLinear
from ..result import FloatArray
from .descent import CriticalPath, elements_for, polish
from .elements import TRAPEZOID, Path
from .hermite import HermitePath
from .kink_arcs import SlidingArc
from .kink_events import codes, events, untouched
from .kink_orthant import Resting, rest
from .kink_phases import PhasedPath, phased
from .kink_rounding import sharpened
from .mesh import equidistributed, times, transferred
from .path_newton import Descent
from .path_system import Held
from .problem import PathProblem

_COARSER = 2  # a first mesh has that many times the elements of a smooth path
_DELTA, _LEAST = 1e-3, 1e-6
_PHASE_ELEMENTS = 1.0


def at_kinks(problem: PathProblem, near: Descent) -> Resting | None:
    """The path with entries at rest near one of the rounded problem; None where none is found."""
    found, _ = sharpened(problem, near)
    path, momenta = found.state.path, found.state.momenta
    h = equidistributed(path.h, path.A, momenta, _COARSER * elements_for(problem.T))
    resting = _rest(problem, transferred(path, momenta, found.action.scheme, TRAPEZOID, h))
    return resting if resting.converged else None


def from_nodes(problem: PathProblem, path: HermitePath, delta: float = _DELTA) -> Resting | None:
    """The path with entries at rest near one given by its nodes, which is followed with δ in units of the kernel."""
    h = equidistributed(np.diff(path.t), path.A(path.t), path.B(path.t), _COARSER * elements_for(problem.T))
    resting = _rest(problem, path.path(TRAPEZOID, h), delta)
    return resting if resting.converged else None


def crude(problem: PathProblem, resting: Resting) -> CriticalPath:
    """What the trapezoidal rule says, its error left open."""
    path = resting.state.path
    near = Descent(resting.action, resting.state, resting.iterations, resting.converged, resting.positive)
    return CriticalPath(
        problem,
        path.h,
        path.A,
        resting.state.momenta,
        resting.state.value,
        np.inf,
        _left(resting),
        resting.converged,
        (resting.positive,),
        near,
        sliding=_arcs(problem, resting),
    )


def finished(problem: PathProblem, resting: Resting, rtol: float) -> CriticalPath:
    """The path to the accuracy that can be had."""
    smooth = _untouched(problem, resting, rtol)
    if smooth is not None:
        return smooth
    finer = _rest(problem, _halved(resting.state.path))
    positive = (resting.positive, finer.positive) if finer.converged else (resting.positive,)
    best = finer if finer.converged else resting
    in_phases = _in_phases(problem, best, rtol)
    if in_phases is not None and not in_phases.problem_found:
        path, action = in_phases.state.path, in_phases.near.action
        return CriticalPath(
            problem,
            path.h,
            path.A,
            in_phases.momenta,
            in_phases.state.value,
            in_phases.error,
            max(action.residual(in_phases.state, in_phases.phases.held), in_phases.mismatch),
            True,
            positive,
            in_phases.near,
            sliding=in_phases.arcs(),
        )
    reason = "" if in_phases is None or not in_phases.problem_found else f" ({in_phases.problem_found})"
    note = f"The events at kinks could not be solved for{reason}; the action is extrapolated from two meshes."
    rough = crude(problem, best)
    if not finer.converged:
        return replace(rough, notes=(note,), positive=positive)
    value = (4 * finer.state.value - resting.state.value) / 3
    return replace(
        rough,
        value=value,
        error=abs(value - finer.state.value),
        notes=(note,),
        positive=positive,
    )


def _untouched(problem: PathProblem, resting: Resting, rtol: float) -> CriticalPath | None:
    """A path that stays away from all kinks, as the smooth path it is; None where it does not."""
    if not untouched(resting.state.path.A, problem.geometry.phi):
        return None
    near = Descent(resting.action, resting.state, resting.iterations, True, resting.positive)
    found = polish(problem, near, rtol=rtol)
    return found if found is not None and untouched(found.A, problem.geometry.phi) else None


def _left(resting: Resting) -> float:
    """The gradient in the free entries."""
    return float(np.abs(resting.action.node_gradient(resting.state, Held(resting.held))).max())


def _rest(problem: PathProblem, path: Path, delta: float = _DELTA) -> Resting:
    scale = problem.kernel_scale()
    return rest(problem.action(TRAPEZOID, delta * scale), path, least=min(delta, _LEAST) * scale)


def _halved(path: Path) -> Path:
    """Every element in two."""
    A = np.empty((2 * len(path.h) + 1, *path.A.shape[1:]))
    A[::2] = path.A
    A[1::2] = 0.5 * (path.A[1:] + path.A[:-1])
    middle = path.B.mean(axis=1)
    first = np.stack([path.B[:, 0], middle], axis=1)
    second = np.stack([middle, path.B[:, 1]], axis=1)
    B = np.stack([first, second], axis=1).reshape(-1, *path.B.shape[1:])
    return Path(np.repeat(path.h / 2, 2), A, np.zeros((2 * len(path.h), 0, *path.A.shape[1:])), B)


def _in_phases(problem: PathProblem, resting: Resting, rtol: float) -> PhasedPath | None:
    phi = problem.geometry.phi.phi
    if not isinstance(phi, PiecewiseLinear) or not problem.start.fixed:
        return None
    path = resting.state.path
    t = times(path.h)
    found, initial = events(t, path.A, _kinks(problem))
    smooth = HermitePath.of(problem.geometry, t, path.A, resting.state.momenta)
    elements = max(40, int(_PHASE_ELEMENTS * elements_for(problem.T)))
    try:
        return phased(problem, found, initial, smooth, elements, rtol)
    except np.linalg.LinAlgError:
        return None


def _arcs(problem: PathProblem, resting: Resting) -> tuple[SlidingArc, ...]:
    """Arcs to the accuracy of the mesh."""
    A, kinks = resting.state.path.A, _kinks(problem)
    p = times(resting.state.path.h) / problem.T
    resting_code = codes(A, kinks) % 2 == 1
    found = []
    for neuron, sample in np.ndindex(*A.shape[1:]):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], resting_code[:, neuron, sample], [0]])))
        for first, after in zip(edges[::2], edges[1::2], strict=True):
            if after - first > 1:
                found.append(
                    SlidingArc(neuron, sample, float(A[first, neuron, sample]), float(p[first]), float(p[after - 1]))
                )
    return tuple(sorted(found, key=lambda arc: arc.start))


def _kinks(problem: PathProblem) -> FloatArray:
    return np.array([t for t, _ in problem.geometry.phi.kinks])

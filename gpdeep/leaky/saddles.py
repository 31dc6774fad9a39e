r"""Saddles between two minima: the highest place of a lowest way from one to the other.

A way is a chord of paths, A(σ) = (1-σ) A₁ + σ A₂. From its highest point the search climbs along the softest mode v of
the Hessian, H v = λ P v with the frozen metric P, and descends in all others (eigenvector following; Cerjan & Miller
1981, J. Chem. Phys. 75): Newton's step with its component along v turned uphill while λ > 0. What it finds is polished
by Newton's method without a demand on signs. Full matrices are used, so only small problems are searched.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import eigh

from ..result import FloatArray, IntArray
from .descent import CriticalPath, elements_for
from .elements import Path, Scheme, gauss
from .hermite import HermitePath
from .mesh import equidistributed, raised, times, transferred
from .path_newton import Descent
from .path_system import PathAction, State
from .problem import PathProblem

_LARGEST = 600  # unknowns of the full matrices
_POINTS = 21
_STEPS, _POLISHING = 60, 30
_LONGEST = 0.3  # step, in units of the data
_TOL = 1e-10


def saddle_between(one: CriticalPath, other: CriticalPath, rtol: float) -> CriticalPath | None:
    """The saddle that a climb from the chord between two minima leads to; None where it leads to none."""
    problem = one.problem
    w, N = problem.shape
    L = elements_for(problem.T)
    if not problem.riemannian or L * w * N > _LARGEST or not _on_one_side(one, other):
        return None
    h = _common_mesh(one, other, L)
    action, scheme = problem.action(gauss(1)), gauss(1)
    first, last = (_nodes(path, h) for path in (one, other))
    try:
        chord = [
            action.state(problem.path_of((1 - x) * first + x * last, h, scheme)) for x in np.linspace(0, 1, _POINTS)
        ]
        near = _climbed(problem, action, max(chord, key=lambda state: state.value))
        return None if near is None else _polished(problem, near, rtol)
    except np.linalg.LinAlgError:
        return None


def _on_one_side(one: CriticalPath, other: CriticalPath) -> bool:
    """Whether no entry of the two paths meets a kink, so that the action between them is smooth."""
    A = np.concatenate([one.A, other.A])
    return not any(((A.min(axis=0) <= t) & (t <= A.max(axis=0))).any() for t, _ in one.problem.geometry.phi.kinks)


def _common_mesh(one: CriticalPath, other: CriticalPath, L: int) -> FloatArray:
    """Elements that suit both."""
    nodes = [times(equidistributed(path.h, path.A, path.B, L)) for path in (one, other)]
    return np.diff(0.5 * (nodes[0] + nodes[1]))


def _nodes(path: CriticalPath, h: FloatArray) -> FloatArray:
    smooth = HermitePath.of(path.problem.geometry, times(path.h), path.A, path.B)
    nodes: FloatArray = smooth.A(times(h) * (path.h.sum() / h.sum()))
    return nodes


def _climbed(problem: PathProblem, action: PathAction, state: State) -> State | None:
    """A state near a saddle of index 1."""
    size = float(np.abs(state.path.A).max())
    for _ in range(_STEPS):
        g, H, P, free = _full(action, state)
        value, mode = eigh(H, P, subset_by_index=[0, 0])
        softest, v = float(value[0]), mode[:, 0]
        d = np.linalg.solve(H, -g)
        if softest > 0:
            d += 2 * (v @ g) / softest * v
        longest = float(np.abs(d).max())
        step = np.zeros(state.path.A.size)
        step[free] = d * min(1.0, _LONGEST * size / longest)
        state = action.state(state.path.moved(step.reshape(state.path.A.shape), np.zeros_like(state.path.Q)))
        if longest < 1e-6 * size:
            return state if softest < 0 else None
    return None


def _full(action: PathAction, state: State) -> tuple[FloatArray, FloatArray, FloatArray, IntArray]:
    """Gradient, Hessian and frozen metric in the free entries of the nodes, and which these are."""
    L, _, d = state.gradient.shape
    free = np.flatnonzero(action.free(state.path).ravel())
    newton = action.newton_matrix(state)
    matrices: list[FloatArray] = []
    for local in (newton.local, newton.metric):
        full = np.zeros(((L + 1) * d, (L + 1) * d))
        for element in range(L):
            at = slice(element * d, (element + 2) * d)
            full[at, at] += local[element]
        matrices.append(full[np.ix_(free, free)])
    return action.node_gradient(state).ravel()[free], matrices[0], matrices[1], free


def _polished(problem: PathProblem, state: State, rtol: float) -> CriticalPath | None:
    """The saddle to high order."""
    h = equidistributed(state.path.h, state.path.A, state.momenta, len(state.path.h))
    found = _stationary(problem, gauss(2), transferred(state.path, state.momenta, gauss(1), gauss(2), h))
    error = np.inf
    for degree in (3, 4):
        if found is None:
            return None
        path, before = replace(found.state.path, B=found.state.point.B), found.state.value
        found = _stationary(problem, gauss(degree), raised(path, gauss(degree - 1), gauss(degree)))
        if found is None:
            return None
        error = abs(found.state.value - before)
        if error <= rtol * abs(before):
            break
    if found is None:
        return None
    definite = found.action.newton_matrix(found.state).factor() is not None
    return None if definite else CriticalPath.of(problem, found, error, (False, False))


def _stationary(problem: PathProblem, scheme: Scheme, path: Path) -> Descent | None:
    """Newton's method for a stationary path, whatever its kind."""
    action = problem.action(scheme)
    state = action.state(path)
    before = np.inf
    for iteration in range(1, _POLISHING + 1):
        factor = action.newton_matrix(state).factor(indefinite=True)
        if factor is None:
            return None
        step, _ = factor.step()
        state = action.state(state.path.moved(step.dA, step.dQ))
        largest = float(np.abs(action.node_gradient(state)).max())
        if largest <= _TOL or (iteration > 3 and largest > 0.5 * before and largest < 1e3 * _TOL):
            return Descent(action, state, iteration, True, False)
        before = largest
    return None

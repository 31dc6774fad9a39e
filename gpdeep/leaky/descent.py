r"""From a start to a polished critical point of one problem.

    cold      midpoint rule, δ = 0 where kernels are invertible, else δ = 1, 1/5, .. with multipliers
    polish    equidistributed mesh, degree 2, 3, 4: each solution starts the next, and their difference is the error
    climb     the same critical point at other depths, from its stretched path

δ is measured in the kernel's top eigenvalue. Final values do not depend on it (`local_action`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..result import FloatArray
from .elements import Path, Scheme, gauss
from .kink_arcs import SlidingArc
from .mesh import equidistributed, lengthened, raised, transferred
from .path_krylov import KrylovNewton
from .path_newton import Descent, minimise, with_multipliers
from .problem import PathProblem

_COLD, _WARM, _LEAST = 1.0, 1e-3, 1e-6  # δ to begin with, and the least
_TEST = (1e-4, 1e-5, 1e-6, 1e-7)
_INVERTIBLE = 1e-3  # ratio of extreme eigenvalues of K from which on δ = 0 is tried
_TOL = 1e-10
_LARGER = (100.0, 10.0)  # δ, once a path is settled
_GROWTH, _REFINEMENTS, _MOST_ELEMENTS = 1.5, 5, 400
_LEAST_FACTOR = 1.03
_JUMP = 1e-4  # of the action: what the trapezoidal rule in depth may miss
_LARGEST_DEGREE = 4


@dataclass(frozen=True, eq=False)
class CriticalPath:
    """A stationary path with what was found about it.

    Attributes
    ----------
    h : array (L,)
        Lengths between the nodes in natural time.
    A, B : arrays (L + 1, w, N)
        At the nodes.
    value : float
        S plus the price of the ends.
    error : float
        Estimated error of the action, from another order or mesh.
    residual : float
        Largest violation of the stationarity equations.
    positive : tuple of bool
        Whether the second variation is positive definite, in two discretisations, the finer one last.
    near : Descent
        The path as a place to go on from.
    """

    problem: PathProblem
    h: FloatArray
    A: FloatArray
    B: FloatArray
    value: float
    error: float
    residual: float
    converged: bool
    positive: tuple[bool, ...]
    near: Descent
    notes: tuple[str, ...] = ()
    sliding: tuple[SlidingArc, ...] = ()

    @classmethod
    def of(cls, problem: PathProblem, found: Descent, error: float, positive: tuple[bool, ...]) -> CriticalPath:
        """From where Newton's method ended."""
        state = found.state
        residual = found.action.residual(state)
        path = state.path
        return cls(
            problem, path.h, path.A, state.momenta, state.value, error, residual, found.converged, positive, found
        )

    @property
    def relative_residual(self) -> float:
        """The residual in units of the largest entry of A and B."""
        return self.residual / max(float(np.abs(self.A).max()), float(np.abs(self.B).max()), 1e-300)

    @property
    def minimum(self) -> bool:
        """Whether the finer discretisation says so."""
        return self.positive[-1]

    def energies(self) -> FloatArray:
        """h at the nodes, (L + 1,)."""
        return self.problem.geometry.hamiltonian(self.A, self.B)


def elements_for(T: float) -> int:
    """How many elements a first mesh has."""
    return int(np.clip(np.ceil(36 + 2.5 * T), 40, 160))


def settle(
    problem: PathProblem,
    scheme: Scheme,
    path: Path,
    *,
    delta: float | None = None,
    tol: float = _TOL,
    most: int = 80,
    first: float = 1e-3,
) -> Descent:
    """A stationary path near `path` by the method of multipliers, beginning with `delta` (10⁻³ of the kernel)."""
    scale = problem.kernel_scale()
    if delta is None:  # beside a γ of the problem's own δ must be small, or it blurs what γ makes
        gamma = problem.geometry.gamma
        delta = min(_WARM * scale, 0.1 * gamma) if gamma else _WARM * scale
    action = problem.action(scheme, delta)
    return with_multipliers(action, path, least=min(_LEAST * scale, action.delta), tol=tol, most=most, first=first)


def cold(problem: PathProblem, nodes: FloatArray, h: FloatArray, delta: float | None = None) -> Descent:
    """A path of least action with the midpoint rule from a start without momenta, δ from `delta` times the kernel."""
    scheme = gauss(1)
    path = problem.path_of(nodes, h, scheme)
    if problem.riemannian and _invertible(problem, path):
        found = minimise(problem.action(scheme), path, tol=1e-5, most=80)
        if found.converged:
            return found
    delta = (_COLD if delta is None else delta) * problem.kernel_scale()
    return settle(problem, scheme, path, delta=delta, tol=1e-5, most=200, first=1e-2)


def _invertible(problem: PathProblem, path: Path) -> bool:
    middle = 0.5 * (path.A[:-1] + path.A[1:])
    eigenvalues = np.linalg.eigvalsh(problem.geometry.kernel(problem.geometry.phi.value(middle)))
    return bool((eigenvalues[:, 0] > _INVERTIBLE * eigenvalues[:, -1]).all())


def polish(
    problem: PathProblem, near: Descent, *, rtol: float = 1e-9, elements: int | None = None
) -> CriticalPath | None:
    """The critical point near a state, to a relative error `rtol` of the action where that can be had."""
    elements = elements or len(near.state.path.h)
    state, scheme, best = near.state, near.action.scheme, None
    for _ in range(_REFINEMENTS):
        h = equidistributed(state.path.h, state.path.A, state.momenta, elements)
        path = transferred(state.path, state.momenta, scheme, gauss(2), h)
        found = _raised(problem, path, rtol, near.action.delta or None)
        if found is None or (best is not None and found.error >= best.error):
            return best
        best = found
        if best.error <= rtol * abs(best.value) or elements * _GROWTH > _MOST_ELEMENTS:
            return best
        scheme, state, elements = best.near.action.scheme, best.near.state, int(_GROWTH * elements)
    return best


def _raised(problem: PathProblem, path: Path, rtol: float, delta: float | None) -> CriticalPath | None:
    """Degree 2, 3, 4 on one mesh."""
    found = settle(problem, gauss(2), path, delta=delta)
    positive, error = [is_minimum(problem, found)], np.inf
    for degree in range(3, _LARGEST_DEGREE + 1):
        if not found.converged:
            return None
        higher, old = gauss(degree), found.state.value
        found = settle(problem, higher, raised(found.state.path, found.action.scheme, higher), delta=found.action.delta)
        error = abs(found.state.value - old)
        positive.append(is_minimum(problem, found))
        if error <= rtol * abs(found.state.value):
            break
    return CriticalPath.of(problem, _steadied(found), error, tuple(positive[-2:]))


def _steadied(found: Descent) -> Descent:
    """The same path with less rounding error, which is that of M - B K_γ over δ: with the largest δ that keeps it."""
    least = found.action.residual(found.state)
    for larger in _LARGER:
        action = replace(found.action, delta=larger * found.action.delta)
        if least <= _TOL or not action.delta:
            break
        near = action.state(found.state.path)
        if action.newton(near).factor() is None:
            continue
        again = with_multipliers(action, found.state.path, least=action.delta, tol=_TOL, most=20, first=_TOL)
        residual = again.action.residual(again.state)
        if residual < least and abs(again.state.value - found.state.value) <= 1e-8 * abs(found.state.value):
            return replace(again, converged=True)
    return found


def is_minimum(problem: PathProblem, found: Descent) -> bool:
    """Whether the Hessian is positive definite on the paths that weights can produce; one δ that says so is a proof."""
    scale = problem.kernel_scale()
    for delta in _TEST:
        trial = replace(found.action, delta=delta * scale)
        newton = trial.newton(trial.state(found.state.path))
        if newton.softest() > 0 if isinstance(newton, KrylovNewton) else newton.factor() is not None:
            return True
    return False


def stretched(near: Descent, problem: PathProblem) -> Descent:
    """The stationary path of degree 2 at the depth of `problem` that continues `near`, which has another depth.

    What is added to the length goes to the slow part of the path, whose share is all that grows with the depth.
    """
    path, momenta = near.state.path, near.state.momenta
    T = problem.T
    h = lengthened(path.h, path.A, momenta, T)
    longer = Path(h, path.A, path.Q, path.B)
    mesh = equidistributed(h, path.A, momenta, max(elements_for(T), len(h)))
    moved = transferred(longer, momenta, near.action.scheme, gauss(2), mesh)
    return settle(problem, gauss(2), moved, tol=1e-6, most=50, delta=near.action.delta or None)


def _jumped(near: Descent, found: Descent, step: float) -> bool:
    """Whether the action after a step in depth is not where the slopes at both ends lead to."""
    h = [
        float(np.median(path.action.geometry.hamiltonian(path.state.path.A, path.state.momenta)))
        for path in (near, found)
    ]
    expected = near.state.value - 0.5 * step * (h[0] + h[1])
    return abs(found.state.value - expected) > _JUMP * (1 + abs(expected))


def remeshed(near: Descent, T: float) -> Path:
    """The path of a descent with degree 2 on a mesh that suits it."""
    path = near.state.path
    h = equidistributed(path.h, path.A, near.state.momenta, max(elements_for(T), len(path.h)))
    return transferred(path, near.state.momenta, near.action.scheme, gauss(2), h)


def climb(
    near: Descent, problem: PathProblem, T: float, *, factor: float = 1.3, strict: bool = False
) -> tuple[Descent, float]:
    """Follow a stationary path to depth T in steps that shrink where it is lost; where it ended, and at which depth.

    With `strict`, a step must stay on its branch, whose slope dS/dt = -h tells where it leads.
    """
    at = float(near.state.path.h.sum())
    while at != T:
        wanted = min(T, at * factor) if at < T else max(T, at / factor)
        found = stretched(near, problem.with_depth(wanted))
        if found.converged and not (strict and _jumped(near, found, wanted - at)):
            near, at, factor = found, wanted, min(1.5, 1 + 1.3 * (factor - 1))
            continue
        factor = 1 + (factor - 1) / 2
        if factor < _LEAST_FACTOR:
            break
    return near, at

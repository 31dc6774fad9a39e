r"""From a rounded activation to one with kinks: φ_k with k = 5, 10, .., 160 in units of the data, each from the last.

A kink of jump c contributes |c| ln 2/k at its place, so actions converge like 1/k, S ≈ 2 S_k - S_{k/2}; the last one
starts the exact treatment of `kink_orthant`.
"""

from __future__ import annotations

from dataclasses import replace

from .descent import CriticalPath, polish, remeshed, settle
from .elements import gauss
from .path_newton import Descent
from .problem import PathProblem
from .starts import size_of

FIRST_SHARPNESS, _DOUBLINGS = 5.0, 5


def rounded(problem: PathProblem, doublings: int = 0) -> PathProblem:
    """The problem with its kinks rounded at k = 5·2^doublings, in units of the data."""
    k = FIRST_SHARPNESS * 2.0**doublings / max(size_of(problem), 1e-12)
    return problem.with_phi(problem.geometry.phi.with_sharpness(k))


def sharpened(problem: PathProblem, near: Descent) -> tuple[Descent, float]:
    """A path of the problem rounded at k = 5 followed to k = 160, or as far as it goes, and the action before that."""
    before = near.state.value
    for doubling in range(1, _DOUBLINGS + 1):
        path, delta = remeshed(near, problem.T), near.action.delta or None
        found = settle(rounded(problem, doubling), gauss(2), path, tol=1e-7, delta=delta)
        if not found.converged:
            break
        near, before = found, near.state.value
    return near, before


def extrapolated(problem: PathProblem, near: Descent) -> CriticalPath | None:
    """What rounding alone says of a path whose kinks could not be treated exactly."""
    found, before = sharpened(problem, near)
    phi = found.action.geometry.phi
    path = polish(problem.with_phi(phi), found, rtol=1e-4)
    if path is None:
        return None
    note = f"Entries at kinks could not be solved for; kinks are rounded with sharpness {phi.sharpness:.3g}."
    error = abs(path.value - before)
    return replace(path, value=2 * path.value - before, error=error, converged=False, notes=(note,))

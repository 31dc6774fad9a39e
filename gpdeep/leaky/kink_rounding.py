r"""From a rounded activation to one with kinks: φ_k with k = 5, 10, .., 160 in units of the data, each from the last.

A kink of jump c contributes |c| ln 2/k at its place, so actions converge like 1/k; the last one starts the exact
treatment of `kink_orthant`.
"""

from __future__ import annotations

from .descent import remeshed, settle
from .elements import gauss
from .path_newton import Descent
from .problem import PathProblem
from .starts import size_of

FIRST_SHARPNESS, _DOUBLINGS = 5.0, 5


def rounded(problem: PathProblem, doublings: int = 0) -> PathProblem:
    """The problem with its kinks rounded at k = 5·2^doublings, in units of the data."""
    k = FIRST_SHARPNESS * 2.0**doublings / max(size_of(problem), 1e-12)
    return problem.with_phi(problem.geometry.phi.with_sharpness(k))


def sharpened(problem: PathProblem, found: Descent) -> Descent:
    """A path of the problem rounded at k = 5 followed to k = 160, or as far as it goes."""
    for doubling in range(1, _DOUBLINGS + 1):
        near = settle(
            rounded(problem, doubling), gauss(2), remeshed(found, problem.T), tol=1e-7, delta=found.action.delta or None
        )
        if not near.converged:
            break
        found = near
    return found

r"""From a rounded activation to one with kinks: φ_k with k = 5, 10, .., 160 in units of the data, each from the last.

A kink of jump c contributes |c| ln 2/k at its place, so actions converge like 1/k, S ≈ 2 S_k - S_{k/2}; the last one
starts the exact treatment of `kink_orthant`. Without bias and γ the rounding's own ln 2/k can become the only feature,
of a path that no kinked activation allows; the action of the same nodes with the kinks tells.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .descent import CriticalPath, polish, remeshed, settle
from .elements import TRAPEZOID, gauss
from .path_newton import Descent
from .problem import PathProblem
from .starts import size_of

FIRST_SHARPNESS, _DOUBLINGS = 5.0, 5
_FAR = 10.0  # times the rounded action: a path of another kind


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
    above = _with_the_kinks(problem, path)
    if above is None:
        return None
    note = f"Entries at kinks could not be solved for; kinks are rounded with sharpness {phi.sharpness:.3g}."
    value = 2 * path.value - before
    error = max(abs(path.value - before), above - value)
    return replace(path, value=value, error=error, converged=False, notes=(note,))


def _with_the_kinks(problem: PathProblem, path: CriticalPath) -> float | None:
    """The action of the same nodes with the kinks, by the trapezoidal rule, which bounds the least one from above.

    None where it is infinite: where the rounding itself is the feature that carries the path.
    """
    nodes = problem.path_of(path.A, path.h, TRAPEZOID)
    try:
        above = problem.action(TRAPEZOID).state(nodes).value
    except np.linalg.LinAlgError:
        return None
    return above if above < _FAR * max(abs(path.value), 1.0) else None

"""From the rounded problem's paths to those with kinks: which to treat exactly, and what to say where that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .descent import CriticalPath, cold, polish
from .guarded import guarded
from .hermite import HermitePath
from .kink_events import untouched
from .kink_orthant import Resting
from .kink_rounding import extrapolated
from .kinked_paths import at_kinks, finished, from_nodes
from .ladder import MOST_KEPT, alike
from .mesh import times
from .path_newton import Descent
from .problem import PathProblem
from .starts import Start, detour, line

_ROUGHLY = 2e-3  # what the trapezoidal rule can tell
_TRIES = 3  # of one path, from different starts


def with_kinks(problem: PathProblem, pool: Sequence[Descent], seed: Any, rtol: float) -> Iterator[CriticalPath | None]:
    """Critical paths near those of the rounded problem, distinct ones brought to full accuracy."""
    starts = (line(problem), detour(problem, 0, 0, seed))
    yield _beside_kinks(problem, starts[0], rtol)
    resting = [found for start in starts if (found := _from_start(problem, start)) is not None]
    missed: list[Descent] = []
    for near in pool:
        found = guarded(at_kinks)(problem, near)
        if found is not None:
            resting.append(found)
        elif len(missed) < _TRIES:
            missed.append(near)
    groups: list[list[Resting]] = []
    for found in sorted(resting, key=lambda found: found.state.value):
        group = next((group for group in groups if _close(found, group[0], problem)), None)
        if group is None:
            groups.append([found])
        else:
            group.append(found)
    for group in groups[:MOST_KEPT]:
        yield _best_of(problem, group[:_TRIES], rtol)
    for near in missed:
        yield guarded(extrapolated)(problem, near)


def _best_of(problem: PathProblem, group: Sequence[Resting], rtol: float) -> CriticalPath | None:
    """The most accurate of what are one path."""
    best: CriticalPath | None = None
    for found in group:
        path = guarded(finished)(problem, found, rtol)
        if path is not None and (best is None or path.error < best.error):
            best = path
        if best is not None and best.error <= max(rtol * abs(best.value), 1e-12):
            break
    return best


@guarded
def _beside_kinks(problem: PathProblem, start: Start, rtol: float) -> CriticalPath | None:
    """A path that meets no kink, as the smooth path it is; None where it does."""
    near = cold(problem, start.nodes, start.h, start.delta)
    if not near.converged or not untouched(near.state.path.A, problem.geometry.phi):
        return None
    found = polish(problem, near, rtol=rtol)
    return found if found is not None and untouched(found.A, problem.geometry.phi) else None


@guarded
def _from_start(problem: PathProblem, start: Start) -> Resting | None:
    """A path with entries at rest, without rounding, which would act as a bias on what stays on a kink."""
    return from_nodes(problem, HermitePath.straight(problem.geometry, times(start.h), start.nodes))


def _close(one: Resting, other: Resting, problem: PathProblem) -> bool:
    """Whether two paths on different meshes are one, as far as the trapezoidal rule can tell."""
    h = [np.median(problem.geometry.hamiltonian(path.state.path.A, path.state.momenta)) for path in (one, other)]
    near = abs(h[0] - h[1]) <= 20 * _ROUGHLY * (1 + abs(h[0]))
    return bool(near) and alike(one.state.value, other.state.value, _ROUGHLY)

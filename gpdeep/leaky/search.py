"""All the critical paths that several starts lead to, the lowest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .descent import CriticalPath, polish, settle
from .elements import gauss
from .guarded import guarded
from .hermite import HermitePath
from .kink_rounding import rounded
from .kinked_paths import finished, from_nodes
from .kinked_search import with_kinks
from .ladder import MOST_KEPT, Ladder, alike, follow
from .path_newton import Descent
from .problem import PathProblem
from .saddles import saddle_between

_SAME = 1e-6  # actions of one critical point agree to this, relatively
_LEAST_ELEMENTS = 40
NEAR_DELTAS = (1e-5, 1e-4, 1e-3)
_PAIRS = 4  # minima between the lowest and which saddles are looked for


@dataclass(frozen=True, eq=False)
class Found:
    """Critical paths, the lowest first, how many starts there were, and whether the search was interrupted."""

    paths: tuple[CriticalPath, ...]
    attempts: int
    interrupted: bool = False


def search(
    problem: PathProblem,
    *,
    starts: int | None = None,
    seed: Any = 0,
    rtol: float = 1e-9,
    workers: int = 1,
    report: Callable[[int, int], None] | None = None,
) -> Found:
    """Critical paths from `starts` starts (None: as many as suit the depth), the lowest first.

    A KeyboardInterrupt ends the search; the most promising path so far is then brought to its end.
    """
    kinked = not problem.geometry.phi.smooth
    solved = rounded(problem) if kinked else problem
    ladder = Ladder.of(solved, starts, seed)
    attempts = sum(map(len, ladder.starts))
    total = attempts + (ladder.shakes + MOST_KEPT) * len(ladder.rungs)
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if report is not None:
            report(min(done, total), total)

    pool, interrupted = ladder.climbed(tick, workers)
    if interrupted and pool and pool[0].state.path.h.sum() < problem.T * (1 - 1e-9):
        pool = [found for found in (follow((solved, pool[0])),) if found is not None]
    chosen = pool[: 1 if interrupted else 2 * MOST_KEPT]
    paths: list[CriticalPath] = []
    try:
        for found in with_kinks(problem, chosen, seed, rtol) if kinked else _smooth(problem, chosen, rtol):
            if found is not None and not any(alike(found.value, other.value, _SAME) for other in paths):
                paths.append(found)
            tick()
    except KeyboardInterrupt:
        interrupted = True
        if not paths:
            raise
    paths.sort(key=_bound)
    if starts != 1 and not interrupted:
        try:
            paths = sorted([*paths, *_saddles(paths, rtol)], key=_bound)
        except KeyboardInterrupt:
            interrupted = True
    return Found(tuple(paths), attempts, interrupted)


def from_path(problem: PathProblem, first: HermitePath, *, rtol: float = 1e-9) -> Found:
    """The critical path near a given one."""
    for delta in NEAR_DELTAS:  # small ones first, so that the path stays where it is
        found = _near(problem, first, delta, rtol)
        if found is not None:
            return Found((found,), 1)
    return Found((), 1)


def _bound(path: CriticalPath) -> float:
    """What the action is at most, as far as its error tells: a rough path does not come before an accurate one."""
    return path.value + path.error


@guarded
def _near(problem: PathProblem, first: HermitePath, delta: float, rtol: float) -> CriticalPath | None:
    """The critical path that Newton's method leads to with δ in units of the kernel."""
    if not problem.geometry.phi.smooth:
        resting = from_nodes(problem, first, delta)
        return None if resting is None else finished(problem, resting, rtol)
    h = np.diff(first.t)
    while len(h) < _LEAST_ELEMENTS:
        h = np.repeat(h / 2, 2)
    near = settle(problem, gauss(2), first.path(gauss(2), h), delta=delta * problem.kernel_scale(), most=200)
    return polish(problem, near, rtol=rtol) if near.converged else None


def _saddles(minima: Sequence[CriticalPath], rtol: float) -> list[CriticalPath]:
    """Saddles between the lowest minimum and others."""
    found: list[CriticalPath] = []
    for other in minima[1:_PAIRS]:
        saddle = guarded(saddle_between)(minima[0], other, rtol)
        if saddle is not None and not any(alike(saddle.value, known.value, _SAME) for known in [*minima, *found]):
            found.append(saddle)
    return found


def _smooth(problem: PathProblem, pool: Sequence[Descent], rtol: float) -> Iterator[CriticalPath | None]:
    """The paths of a pool to full accuracy."""
    for near in pool:
        yield guarded(polish)(problem, near, rtol=rtol)

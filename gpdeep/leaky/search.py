r"""All the critical paths that several starts lead to, by the method that suits the depth.

Up to L̃ = 9 every start is solved at the depth that was asked for. Beyond, collapses and rough minima lie in the way (a
path that vanishes and is generated anew costs ln(1 + a²/δ), whatever the depth), so the search climbs a ladder, L̃ = 7,
13 and the full depth. On each rung the paths of the rung below are followed up, new starts are solved, and the most
promising path is shaken a few times. What promises most is the lowest action extrapolated to the full depth,

    S(T) ≈ S(t) - h (T - t),      dS*/dt = -h.

A path that is lost on the way up, at a fold, is let go to what Newton's method finds from there.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from .descent import CriticalPath, climb, cold, elements_for, polish, settle
from .elements import gauss
from .hermite import HermitePath
from .kink_orthant import Resting
from .kink_rounding import extrapolated, rounded
from .kinked_paths import at_kinks, finished, from_nodes
from .mesh import equidistributed, times, transferred
from .path_newton import Descent
from .problem import PathProblem
from .saddles import saddle_between
from .starts import Start, bend, detour, line, size_of, stream

_RUNGS, _AHEAD = (7.0, 13.0), 1.3  # a rung is used where the full depth lies ahead by that factor
_MANY = 3.0  # depth from which on there are many minima, and three times the starts
_BENDS, _DETOURS, _SHAKES = 4, 2, 12
_SHAKEN_BY = (0.1, 0.3, 0.6)
_SAME = 1e-6  # actions of one critical point agree to this, relatively; midpoint values to 100 times that
_ROUGHLY = 2e-3  # the same before kinks are treated to full accuracy
_MOST_KEPT = 8
_TRIES = 3  # of one path with kinks, from different starts
_LEAST_ELEMENTS = 40
NEAR_DELTAS = (1e-5, 1e-4, 1e-3)
_PAIRS = 4  # minima between the lowest and which saddles are looked for
_RANKS = 4  # detours of ranks below this


@dataclass(frozen=True, eq=False)
class Found:
    """Critical paths, the lowest first, how many starts there were, and whether the search was interrupted."""

    paths: tuple[CriticalPath, ...]
    attempts: int
    interrupted: bool = False


@dataclass(frozen=True, eq=False)
class Ladder:
    """What a search does: rungs of depth, the starts on each, and how often the most promising path is shaken."""

    problem: PathProblem
    rungs: tuple[float, ...]
    starts: tuple[tuple[Start, ...], ...]
    shakes: int
    seed: Any

    @classmethod
    def of(cls, problem: PathProblem, starts: int | None, seed: Any) -> Ladder:
        """The ladder that suits a depth, with `starts` starts on each rung, or as many as suit (None)."""
        if starts == 1:
            return cls(problem, (problem.T,), ((line(problem),),), 0, seed)
        others = tuple(T for T in _RUNGS if T * _AHEAD <= problem.T)
        deep = bool(others)
        chosen = [_chosen(problem.with_depth(T), starts, seed) for T in others]
        vanishing = (detour(problem, 0, 0, seed),) if _may_vanish(problem) else ()
        chosen.append((line(problem), *vanishing) if deep else _chosen(problem, starts, seed, more=problem.T >= _MANY))
        shakes = 0 if starts is not None else _SHAKES if deep else _SHAKES // 2
        return cls(problem, (*others, problem.T), tuple(chosen), shakes, seed)

    def climbed(self, tick: Callable[[], None], workers: int) -> tuple[list[Descent], bool]:
        """Stationary paths on the last rung that was reached, the most promising first; whether it was interrupted."""
        pool: list[Descent] = []
        for T, starts in zip(self.rungs, self.starts, strict=True):
            here, below, pool = self.problem.with_depth(T), pool[:_MOST_KEPT], list[Descent]()
            try:
                jobs = [(_follow, (here, found)) for found in below] + [(_attempt, (here, start)) for start in starts]
                for found in _each(_call, jobs, workers):
                    self._join(pool, found)
                    tick()
                for number in range(self.shakes if pool else 0):
                    self._join(pool, _shaken(here, pool[0], number, self.seed))
                    tick()
            except KeyboardInterrupt:
                return pool or below, True
        return pool, False

    def _join(self, pool: list[Descent], found: Descent | None) -> None:
        """Put a path into the pool, the most promising first, unless it is there."""
        if found is not None and not any(_alike(found.state.value, other.state.value, 100 * _SAME) for other in pool):
            pool.append(found)
            pool.sort(key=self._promise)

    def _promise(self, found: Descent) -> float:
        """The action extrapolated to the full depth."""
        missing = self.problem.T - float(found.state.path.h.sum())
        if abs(missing) <= 1e-9 * self.problem.T:
            return found.state.value
        h = np.median(self.problem.geometry.hamiltonian(found.state.path.A, found.state.momenta))
        return found.state.value - float(h) * missing


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
    total = attempts + (ladder.shakes + _MOST_KEPT) * len(ladder.rungs)
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if report is not None:
            report(min(done, total), total)

    pool, interrupted = ladder.climbed(tick, workers)
    if interrupted and pool and pool[0].state.path.h.sum() < problem.T * (1 - 1e-9):
        pool = [found for found in (_follow((solved, pool[0])),) if found is not None]
    chosen = pool[: 1 if interrupted else 2 * _MOST_KEPT]
    paths: list[CriticalPath] = []
    try:
        for found in _with_kinks(problem, chosen, seed, rtol) if kinked else _smooth(problem, chosen, rtol):
            if found is not None and not any(_alike(found.value, other.value, _SAME) for other in paths):
                paths.append(found)
            tick()
    except KeyboardInterrupt:
        interrupted = True
        if not paths:
            raise
    paths.sort(key=lambda path: path.value)
    if starts != 1 and not interrupted:
        try:
            paths = sorted([*paths, *_saddles(paths, rtol)], key=lambda path: path.value)
        except KeyboardInterrupt:
            interrupted = True
    return Found(tuple(paths), attempts, interrupted)


def from_path(problem: PathProblem, first: HermitePath, *, rtol: float = 1e-9) -> Found:
    """The critical path near a given one."""
    with threadpool_limits(1), np.errstate(all="ignore"):
        if not problem.geometry.phi.smooth:
            resting = from_nodes(problem, first)
            return Found(() if resting is None else (finished(problem, resting, rtol),), 1)
        h = np.diff(first.t)
        while len(h) < _LEAST_ELEMENTS:
            h = np.repeat(h / 2, 2)
        for delta in NEAR_DELTAS:  # small, so that the path stays where it is
            near = settle(problem, gauss(2), first.path(gauss(2), h), delta=delta * problem.kernel_scale(), most=200)
            found = polish(problem, near, rtol=rtol) if near.converged else None
            if found is not None:
                return Found((found,), 1)
    return Found((), 1)


def _unrounded(problem: PathProblem, seed: Any) -> Iterator[Resting | None]:
    """Paths from the straight line and from one that vanishes in between, without rounding.

    They find what stays on one side of the kinks, or on them, where rounding would act as a bias.
    """
    for start in (line(problem), detour(problem, 0, 0, seed)):
        nodes = HermitePath.straight(problem.geometry, times(start.h), start.nodes)
        with threadpool_limits(1), np.errstate(all="ignore"):
            yield from_nodes(problem, nodes)


def _with_kinks(problem: PathProblem, pool: Sequence[Descent], seed: Any, rtol: float) -> Iterator[CriticalPath | None]:
    """Paths with entries at rest at kinks, distinct ones brought to full accuracy, the lowest first."""
    resting = [found for found in _unrounded(problem, seed) if found is not None]
    missed: list[Descent] = []
    for near in pool:
        with threadpool_limits(1), np.errstate(all="ignore"):
            found = at_kinks(problem, near)
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
    for group in groups[:_MOST_KEPT]:
        best: CriticalPath | None = None
        for found in group[:_TRIES]:
            with threadpool_limits(1), np.errstate(all="ignore"):
                path = finished(problem, found, rtol)
            if best is None or path.error < best.error:
                best = path
            if best.error <= max(rtol * abs(best.value), 1e-12):
                break
        yield best
    for near in missed:
        with threadpool_limits(1), np.errstate(all="ignore"):
            yield extrapolated(problem, near)


def _close(one: Resting, other: Resting, problem: PathProblem) -> bool:
    """Whether two paths on different meshes are one, as far as the trapezoidal rule can tell."""
    h = [np.median(problem.geometry.hamiltonian(path.state.path.A, path.state.momenta)) for path in (one, other)]
    near = abs(h[0] - h[1]) <= 20 * _ROUGHLY * (1 + abs(h[0]))
    return bool(near) and _alike(one.state.value, other.state.value, _ROUGHLY)


def _saddles(minima: Sequence[CriticalPath], rtol: float) -> list[CriticalPath]:
    """Saddles between the lowest minimum and others."""
    found: list[CriticalPath] = []
    with threadpool_limits(1), np.errstate(all="ignore"):
        for other in minima[1:_PAIRS]:
            saddle = saddle_between(minima[0], other, rtol)
            if saddle is not None and not any(_alike(saddle.value, known.value, _SAME) for known in [*minima, *found]):
                found.append(saddle)
    return found


def _smooth(problem: PathProblem, pool: Sequence[Descent], rtol: float) -> Iterator[CriticalPath | None]:
    for near in pool:
        yield _polished(problem, near, rtol)


def _polished(problem: PathProblem, near: Descent, rtol: float) -> CriticalPath | None:
    with threadpool_limits(1), np.errstate(all="ignore"):
        return polish(problem, near, rtol=rtol)


def _chosen(problem: PathProblem, starts: int | None, seed: Any, more: bool = False) -> tuple[Start, ...]:
    """The straight line, then bends and detours."""
    lowest = 0 if _may_vanish(problem) else 1
    if starts is None:
        times_more = 3 if more else 1
        bends = [bend(problem, number, seed) for number in range(times_more * _BENDS)]
        ranks = range(lowest, min(*problem.shape, _RANKS))
        detours = [
            detour(problem, k, number, seed) for k in ranks for number in range(times_more * _DETOURS if k else 1)
        ]
        return (line(problem), *bends, *detours)
    chosen = [line(problem)]
    ranks = range(lowest, max(min(problem.shape), lowest + 1))
    for number in range(starts - 1):
        turn, odd = divmod(number, 2)
        again, k = divmod(turn, len(ranks))
        chosen.append(bend(problem, turn, seed) if odd else detour(problem, ranks[k], again, seed))
    return tuple(chosen)


def _may_vanish(problem: PathProblem) -> bool:
    """Whether a representation can be 0 and grow again: from the bias or from private features."""
    return bool(problem.geometry.gamma or problem.geometry.bias)


def _call(job: tuple[Callable[[Any], Any], Any]) -> Any:
    function, argument = job
    return function(argument)


def _attempt(job: tuple[PathProblem, Start]) -> Descent | None:
    problem, start = job
    with threadpool_limits(1), np.errstate(all="ignore"):
        found = cold(problem, start.nodes, start.h, start.delta)
        return found if found.converged else None


def _follow(way: tuple[PathProblem, Descent]) -> Descent | None:
    problem, found = way
    with threadpool_limits(1), np.errstate(all="ignore"):
        near, at = climb(found, problem, problem.T)
        return near if at == problem.T else let_go(near, problem)


def let_go(near: Descent, problem: PathProblem) -> Descent | None:
    """What Newton's method finds at the full depth from a path that could be followed only part of the way."""
    path = near.state.path
    h = path.h * (problem.T / path.h.sum())
    found = cold(problem, path.A, h, 1e-3)
    return found if found.converged else None


def _shaken(problem: PathProblem, found: Descent, number: int, seed: Any) -> Descent | None:
    """A critical path near another after a blow: a random wave, or another order of the neurons between the ends."""
    rng = stream(seed, "shake", number)
    midpoint, old = gauss(1), found.state.path
    h = equidistributed(old.h, old.A, found.state.momenta, elements_for(problem.T))
    path = transferred(old, found.state.momenta, found.action.scheme, midpoint, h)
    t = times(h)[:, None, None]
    if number % 2:
        inside = (1 - np.exp(-t)) * (1 - np.exp(t - problem.T))
        A = (1 - inside) * path.A + inside * path.A[:, rng.permutation(problem.shape[0])]
        delta = found.action.delta or None
    else:
        p = t / problem.T
        wave = sum(np.sin(k * np.pi * p) * rng.normal(size=problem.shape) / k for k in range(1, 5))
        A = path.A + _SHAKEN_BY[number // 2 % len(_SHAKEN_BY)] * size_of(problem) * wave
        delta = None
    with threadpool_limits(1), np.errstate(all="ignore"):
        moved = settle(problem, midpoint, replace(path, A=A), delta=delta, tol=1e-5, most=150, first=1e-2)
    return moved if moved.converged else None


def _each(function: Callable[[Any], Any], items: Sequence[Any], workers: int) -> Iterable[Any]:
    """The function of each item, in order; in `workers` processes where more than one is asked for."""
    if workers <= 1 or len(items) < 2:
        yield from map(function, items)
        return
    import multiprocessing

    with ProcessPoolExecutor(
        min(workers, len(items)), mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread
    ) as pool:
        yield from pool.map(function, items)


def _one_thread() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asked
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def _alike(value: float, other: float, rtol: float) -> bool:
    return abs(value - other) <= rtol * max(abs(value), abs(other), 1e-12)

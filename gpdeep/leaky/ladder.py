r"""Stationary paths from many starts, on a ladder of depths.

Up to L̃ = 9 every start is solved at the depth that was asked for. Beyond, collapses and rough minima lie in the way (a
path that vanishes and is generated anew costs ln(1 + a²/δ), whatever the depth), so the search climbs a ladder, L̃ = 7,
13 and the full depth. On each rung the paths of the rung below are followed up, new starts are solved, and the most
promising path is shaken a few times. What promises most is the lowest action extrapolated to the full depth,

    S(T) ≈ S(t) - h (T - t),      dS*/dt = -h.

A path that is lost on the way up, at a fold, is let go to what Newton's method finds from there.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from .descent import climb, cold, elements_for, settle
from .elements import gauss
from .guarded import guarded
from .mesh import equidistributed, times, transferred
from .path_newton import Descent
from .problem import PathProblem
from .starts import Start, bend, detour, line, size_of, stream

_RUNGS, _AHEAD = (7.0, 13.0), 1.3  # a rung is used where the full depth lies ahead by that factor
_MANY = 3.0  # depth from which on there are many minima, and three times the starts
_BENDS, _DETOURS, _SHAKES = 4, 2, 12
_SHAKEN_BY = (0.1, 0.3, 0.6)
_SAME_AT_MIDPOINT = 1e-4  # actions of one path on the meshes of different starts agree to this, relatively
MOST_KEPT = 8
_RANKS = 4  # detours of ranks below this


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
        vanishing = (detour(problem, 0, 0, seed),) if may_vanish(problem) else ()
        chosen.append((line(problem), *vanishing) if deep else _chosen(problem, starts, seed, more=problem.T >= _MANY))
        shakes = 0 if starts is not None else _SHAKES if deep else _SHAKES // 2
        return cls(problem, (*others, problem.T), tuple(chosen), shakes, seed)

    def climbed(self, tick: Callable[[], None], workers: int) -> tuple[list[Descent], bool]:
        """Stationary paths on the last rung that was reached, the most promising first; whether it was interrupted."""
        pool: list[Descent] = []
        for T, starts in zip(self.rungs, self.starts, strict=True):
            here, below, pool = self.problem.with_depth(T), pool[:MOST_KEPT], list[Descent]()
            try:
                jobs = [(follow, (here, found)) for found in below] + [(attempt, (here, start)) for start in starts]
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
        if found is not None and not any(
            alike(found.state.value, other.state.value, _SAME_AT_MIDPOINT) for other in pool
        ):
            pool.append(found)
            pool.sort(key=self._promise)

    def _promise(self, found: Descent) -> float:
        """The action extrapolated to the full depth."""
        missing = self.problem.T - float(found.state.path.h.sum())
        if abs(missing) <= 1e-9 * self.problem.T:
            return found.state.value
        h = np.median(self.problem.geometry.hamiltonian(found.state.path.A, found.state.momenta))
        return found.state.value - float(h) * missing


def _chosen(problem: PathProblem, starts: int | None, seed: Any, more: bool = False) -> tuple[Start, ...]:
    """The straight line, then bends and detours."""
    lowest = 0 if may_vanish(problem) else 1
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


def may_vanish(problem: PathProblem) -> bool:
    """Whether a representation can be 0 and grow again: from the bias or from private features."""
    return bool(problem.geometry.gamma or problem.geometry.bias)


def _call(job: tuple[Callable[[Any], Any], Any]) -> Any:
    function, argument = job
    return function(argument)


@guarded
def attempt(job: tuple[PathProblem, Start]) -> Descent | None:
    """The stationary path that a start leads to."""
    problem, start = job
    found = cold(problem, start.nodes, start.h, start.delta)
    return found if found.converged else None


@guarded
def follow(way: tuple[PathProblem, Descent]) -> Descent | None:
    """A path at another depth, or what is found where it was lost."""
    problem, found = way
    near, at = climb(found, problem, problem.T)
    return near if at == problem.T else let_go(near, problem)


def let_go(near: Descent, problem: PathProblem) -> Descent | None:
    """What Newton's method finds at the full depth from a path that could be followed only part of the way."""
    path = near.state.path
    h = path.h * (problem.T / path.h.sum())
    found = cold(problem, path.A, h, 1e-3)
    return found if found.converged else None


@guarded
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
    moved = settle(problem, midpoint, replace(path, A=A), delta=delta, tol=1e-5, most=150, first=1e-2)
    return moved if moved.converged else None


def _each(function: Callable[[Any], Any], items: Sequence[Any], workers: int) -> Iterable[Any]:
    """The function of each item, in order; in `workers` processes where more than one is asked for."""
    if workers <= 1 or len(items) < 2:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(
        min(workers, len(items)), mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread
    ) as pool:
        yield from pool.map(function, items)


def _one_thread() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asked
    threadpool_limits(1)  # of BLAS, which is loaded by now


def alike(value: float, other: float, rtol: float) -> bool:
    """Whether two actions agree relatively."""
    return abs(value - other) <= rtol * max(abs(value), abs(other), 1e-12)

r"""Where searches for geodesics begin: the straight line, bent lines, and detours through few dimensions.

    line      (1 - p) X + p Y
    bend      line + Σ_k sin(kπp) R_k/k,                            R_k Gaussian of the size of the data
    detour    e^{-t} X + e^{-(T-t)} Y + (1 - e^{-t} - e^{-(T-t)}) Z,   Z ≥ 0 random of rank k, or 0

Deep paths rest where the cost of identity is least, at non-negative matrices of low rank, and a straight line finds
that only from nearby (Jacot & Kaiser 2024, arXiv:2405.17573, for the resting places). Each start has its own random
stream, keyed by its kind and number, so that adding starts changes none of the others.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..result import FloatArray
from .descent import elements_for
from .mesh import by_cumulated_density, times
from .problem import PathProblem

_LAYER = 3.0  # width of the fast layers at both ends, in natural time
_DENSER = 3.0  # elements lie that much denser in them
_WAVES = 2
_DELTAS = (1e-3, 1e-4)  # of detours in turn: a larger δ makes it cheap to vanish and to come back


@dataclass(frozen=True, eq=False)
class Start:
    """Nodes of a first path in elements of lengths h, and δ in units of the kernel (None: the usual)."""

    name: str
    nodes: FloatArray
    h: FloatArray
    delta: float | None = None


def line(problem: PathProblem) -> Start:
    """The straight line."""
    h = np.full(elements_for(problem.T), problem.T / elements_for(problem.T))
    return Start("straight line", _line(problem, h), h)


def bend(problem: PathProblem, number: int, seed: Any) -> Start:
    """A straight line with a random sine wave."""
    straight, rng = line(problem), stream(seed, "bend", number)
    p = (times(straight.h) / problem.T)[:, None, None]
    waves = sum(np.sin(k * np.pi * p) * rng.normal(size=problem.shape) / k for k in range(1, _WAVES + 1))
    return Start(f"bend {number}", straight.nodes + size_of(problem) * waves, straight.h)


def detour(problem: PathProblem, rank: int, number: int, seed: Any) -> Start:
    """A path that rests at a random non-negative matrix of a rank."""
    h, T = _graded(problem.T), problem.T
    t = times(h)[:, None, None]
    rng = stream(seed, f"detour of rank {rank}", number)
    w, N = problem.shape
    Z = rng.uniform(size=(w, rank)) @ rng.uniform(size=(rank, N))
    if rank:
        Z *= size_of(problem) * np.sqrt(w * N) / np.linalg.norm(Z)
    first, last = np.exp(-t), np.exp(t - T)
    nodes = first * problem.first + last * problem.last + (1 - first - last) * Z
    nodes[0], nodes[-1] = problem.first, problem.last
    return Start(f"rank-{rank} detour {number}", nodes, h, _DELTAS[number % len(_DELTAS)])


def _line(problem: PathProblem, h: FloatArray) -> FloatArray:
    p = (times(h) / problem.T)[:, None, None]
    return (1 - p) * problem.first + p * problem.last


def _graded(T: float) -> FloatArray:
    """Elements that lie denser in the fast layers at both ends."""
    L = elements_for(T)
    fine = np.full(8 * L, T / (8 * L))
    middle = times(fine)[:-1] + 0.5 * fine
    in_layers = np.minimum(middle, T - middle) < min(_LAYER, T / 4)
    return by_cumulated_density(fine, np.where(in_layers, _DENSER, 1.0), L)


def size_of(problem: PathProblem) -> float:
    """Root mean square of an entry of both ends."""
    return float(np.sqrt(0.5 * ((problem.first**2).mean() + (problem.last**2).mean())))


def stream(seed: Any, kind: str, number: int) -> np.random.Generator:
    """The random numbers of one start, keyed by what it is."""
    keyed = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    return np.random.default_rng([*keyed.generate_state(4), zlib.crc32(kind.encode()), number])

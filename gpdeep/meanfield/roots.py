r"""All roots of a smooth function of a variance, on a range of many decades.

Between two neighbours of a grid in x = ln q a function F has a root if its sign changes; and if it does not, F can
still touch or cross zero twice where its slope changes sign towards zero. Both are searched for, so that pairs of
roots closer to each other than the grid, and double roots, are found.

A bracketed root is refined by Chandrupatla's method, inverse quadratic interpolation where it can be trusted and
bisection elsewhere. It stands here in 25 lines because the library that has it takes a hundred times longer to import
than a search takes. Chandrupatla 1997, Adv. Eng. Softw. 28, 145.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..result import FloatArray

Function = Callable[[Any], tuple[Any, Any]]
"""q -> (F(q), dF/d ln q), for a number or an array."""

_MOST_STEPS = 400  # bisection alone goes through all floats in less than a hundred
_RESOLUTION = np.finfo(np.float64).eps

TOUCH = 64 * np.finfo(np.float64).eps
"""F at its extremum below this counts as a double root."""


def all_roots(f: Function, grid: FloatArray) -> list[float]:
    """The roots of F between the first and the last of the increasing `grid`, ascending.

    Examples
    --------
    Two roots closer together than the grid:

    >>> grid = np.geomspace(0.1, 10, 5)
    >>> [round(q, 12) for q in all_roots(lambda q: ((q - 1.2) * (q - 1.3), (2 * q - 2.5) * q), grid)]
    [1.2, 1.3]
    """
    value, slope = (np.asarray(column) for column in f(grid))
    roots = [float(q) for q in grid[value == 0]]
    for left in range(len(grid) - 1):
        low, high = float(grid[left]), float(grid[left + 1])
        a, b = value[left], value[left + 1]
        if a == 0 or b == 0:
            continue
        if a * b < 0:
            roots += _between(f, 0, low, high)
        elif slope[left] * a < 0 < slope[left + 1] * a:  # falls towards zero, then rises
            for turn in _between(f, 1, low, high):
                depth = float(f(turn)[0])
                if abs(depth) <= TOUCH:
                    roots.append(turn)
                elif depth * a < 0:
                    roots += [*_between(f, 0, low, turn), *_between(f, 0, turn, high)]
    return sorted(roots)


def _between(f: Function, which: int, low: float, high: float) -> list[float]:
    """The root of F (0) or of its slope (1) between two points of opposite sign; none if that was rounding."""
    ends = np.log(low), np.log(high)

    def g(x: float) -> float:
        return float(f(float(np.exp(x)))[which])

    left, right = g(ends[0]), g(ends[1])
    if left * right >= 0:
        return [low if abs(left) <= abs(right) else high] if min(abs(left), abs(right)) <= TOUCH else []
    return [math.exp(bracketed_root(g, *ends))]


def bracketed_root(g: Callable[[float], float], low: float, high: float) -> float:
    """A root of a continuous g between points of opposite sign, to 2e-16 absolute, or relative beyond 1.

    Examples
    --------
    >>> print(f"{bracketed_root(lambda x: x**3 - 2, 0.0, 2.0):.15f} {2 ** (1 / 3):.15f}")
    1.259921049894873 1.259921049894873
    """
    a, b, fa, fb = high, low, g(high), g(low)
    share = 0.5
    for _ in range(_MOST_STEPS):
        x = a + share * (b - a)
        fx = g(x)
        if (fx > 0) == (fa > 0):
            c, fc = a, fa
        else:
            c, fc, b, fb = b, fb, a, fa
        a, fa = x, fx
        nearest, residual = (a, fa) if abs(fa) < abs(fb) else (b, fb)
        least = _RESOLUTION * max(abs(nearest), 1.0) / abs(b - a) if b != a else 1.0
        if least > 0.5 or residual == 0:
            return nearest
        share = 0.5
        if fc == fb:  # g is flat there: no parabola
            continue
        xi, psi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        if psi**2 < xi and (1 - psi) ** 2 < 1 - xi:  # the inverse parabola is monotone between the points
            share = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        share = min(max(share, least), 1 - least)
    return nearest

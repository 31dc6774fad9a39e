r"""All roots of a smooth function of a variance, on a range of many decades.

Between two neighbours of a grid in x = ln q a function F has a root if its sign changes; and if it does not, F can
still touch or cross zero twice where its slope changes sign towards zero. Both are searched for, so that pairs of
roots closer to each other than the grid, and double roots, are found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import brentq

from ..result import FloatArray

Function = Callable[[Any], tuple[Any, Any]]
"""q -> (F(q), dF/d ln q), for a number or an array."""

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
    return [float(np.exp(brentq(g, *ends, xtol=1e-300, rtol=4 * np.finfo(np.float64).eps)))]

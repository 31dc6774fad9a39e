r"""A map of the angle as a table: many layers at 11 ns each.

On the edge of chaos and off it,

    θ' = θ - θ² g(θ)      or      θ' = θ m(θ),

with g = (θ - θ')/θ² or m = θ'/θ smooth on [0, π] for every activation: |θ|^3-terms of kinks are smooth on one side. The
interval is cut into N equal panels with a cubic each, through Chebyshev points; N is doubled until the table agrees
with the map between its points. (The points are read off a Chebyshev series of the map, a few hundred evaluations.) On
the edge an error of g enters multiplied by θ, so that the slope at θ = 0 is 1 by construction and thousands of layers
keep their digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import ConvergenceError, MemoryBudgetError
from ..gaussian.arguments import angles, layer_count
from ..gaussian.piecewise_chebyshev import fit_panels
from ..result import FloatArray

_MOST_LAYERS = 10**7  # a minute
_DEGREE = 3
_FEWEST, _MOST = 1024, 2**15
_FIT, _NARROWEST = 1e-15, math.pi / 512  # of the series that the table is read off
_TOLERANCE = 1e-15
_ROUNDING = 1e-12  # below this an error that no longer falls is rounding of the map itself
_CHECKED = 257  # points between the table's own, spread over all panels
_CHUNK = 4096  # angles at a time: their coefficients stay in the cache
_BUDGET = 2**31


@dataclass(frozen=True)
class CompiledMap:
    """The angle of two inputs through many equal layers.

    Attributes
    ----------
    table : ndarray, shape (N + 1, 4)
        Coefficients of the panels, from the constant up; the last row is the value at π.
    on_edge : bool
        Whether the slope C'(1) is 1 and g is tabulated, else m.
    error : float
        Largest relative difference of sin(θ'/2) from the map itself, over the points checked; twice that for 1 - c.
        Where θ' is below θ/20 it is relative to that: opposite inputs that a layer makes nearly equal.
    """

    table: FloatArray = field(repr=False)
    on_edge: bool
    error: float

    def iterate(self, theta: Any, depth: int) -> Any:
        """Angles after `depth` ≥ 0 layers, of the shape of `theta`, radians in [0, π]."""
        result: FloatArray = np.array(angles(theta), dtype=np.float64, copy=True, order="C")
        flat = result.reshape(-1)
        for first in range(0, flat.size, _CHUNK):
            part = flat[first : first + _CHUNK]
            for _ in self._layers(part, layer_count(depth, most=_MOST_LAYERS)):
                pass
        return result[()]

    def path(self, theta: Any, depth: int) -> Any:
        """Angles after layers 1 .. `depth`, shape (depth, *theta.shape).

        Raises
        ------
        MemoryBudgetError
            They take more than 2 GiB.
        """
        start, layers = angles(theta), layer_count(depth, most=_MOST_LAYERS)
        if start.size * layers * 8 > _BUDGET:
            raise MemoryBudgetError(
                f"{layers} layers of {start.size} angles take {start.size * layers * 8} bytes; the limit is {_BUDGET}.",
                "Every layer of every pair was asked for.",
                f"Use iterate for the last layer alone, or at most {_BUDGET // (8 * start.size)} layers.",
            )
        result = np.empty((layers, start.size))
        for first in range(0, start.size, _CHUNK):
            part = np.array(start.reshape(-1)[first : first + _CHUNK])
            for layer, now in enumerate(self._layers(part, layers)):
                result[layer, first : first + _CHUNK] = now
        return result.reshape(layers, *start.shape)

    def _layers(self, theta: FloatArray, depth: int) -> Iterator[FloatArray]:
        """`theta`, shape (M,), overwritten by one layer after the other."""
        rows_there, columns = self.table.shape
        scale = (rows_there - 1) / math.pi
        x, value, square = np.empty_like(theta), np.empty_like(theta), np.empty_like(theta)
        index = np.empty(theta.shape, dtype=np.intp)
        rows = np.empty((theta.size, columns))
        powers = [rows[:, k] for k in range(columns)]
        for _ in range(depth):
            np.multiply(theta, scale, out=x)
            np.floor(x, out=value)
            index[:] = value
            np.subtract(x, value, out=x)
            np.take(self.table, index, axis=0, out=rows, mode="clip")
            np.multiply(powers[-1], x, out=value)
            for column in powers[-2:0:-1]:
                np.add(value, column, out=value)
                np.multiply(value, x, out=value)
            np.add(value, powers[0], out=value)
            if self.on_edge:
                np.multiply(theta, theta, out=square)
                np.multiply(value, square, out=value)
                np.subtract(theta, value, out=theta)
            else:
                np.multiply(theta, value, out=theta)
                np.minimum(theta, math.pi, out=theta)
            yield theta


def compile_panels(smooth: Callable[[FloatArray], FloatArray], slope: float) -> CompiledMap:
    """The table of `smooth` for angles in (0, π]: g if C'(1) = `slope` is 1, m else, and then m(0) is its root.

    Raises
    ------
    ConvergenceError
        The finest table is still not right to 1e-12; `best` holds it.
    """
    on_edge = slope == 1.0
    # points between the table's nodes: nearly evenly spread, dense at both ends
    check = math.pi * (1 - np.cos(math.pi * (np.arange(_CHECKED) + 0.37) / _CHECKED)) / 2
    exact = smooth(check)
    after = check - check**2 * exact if on_edge else check * exact
    scale = 2 * np.tan(np.minimum(np.maximum(after, check / 20), 3.0) / 2)
    series = fit_panels(smooth, [0.0, math.pi / 2, math.pi], tol=_FIT, least=_NARROWEST)
    best = CompiledMap(np.empty((1, _DEGREE + 1)), on_edge, math.inf)
    panels = _FEWEST
    while panels <= _MOST and best.error > _TOLERANCE:
        table = _table(series, panels)
        if not on_edge:
            table[0, 0] = math.sqrt(slope)  # an error here would be multiplied by the number of layers
        draft = CompiledMap(table, on_edge, math.nan)
        error = float(np.max(np.abs(draft.iterate(check, 1) - after) / scale))
        if error > best.error / 2 and best.error <= _ROUNDING:
            break
        best, panels = replace(draft, error=error), 2 * panels
    best.table.flags.writeable = False
    if not best.error <= 1e-12:
        failure = ConvergenceError(
            f"The map of the angle is resolved to {best.error:.1e} by {len(best.table) - 1} panels.",
            "Two kinks lie extremely close together for this variance, or the activation is so nearly linear there "
            "that what a layer does to an angle is rounding.",
            "Use CorrelationMap.angle layer by layer, or another variance.",
        )
        failure.best = best
        raise failure
    return best


def _table(smooth: Callable[[FloatArray], FloatArray], panels: int) -> FloatArray:
    """Coefficients of the panels, shape (N + 1, 4), in powers of the position within the panel, from 0 to 1."""
    nodes = (1 - np.cos(math.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))) / 2
    theta = (np.arange(panels)[:, None] + nodes) * (math.pi / panels)
    values = smooth(theta.reshape(-1)).reshape(panels, -1)
    table = np.zeros((panels + 1, _DEGREE + 1))
    table[:-1] = np.linalg.solve(np.vander(nodes, increasing=True), values.T).T
    table[-1, 0] = table[-2].sum()
    return table

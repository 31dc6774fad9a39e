"""A uniform grid in y = ln tan²θ, how a point is shared among its nodes, and functionals of a law given on it.

Sharing is Lagrange interpolation with six points: the weights of a point sum to one and keep its first five moments.
The same weights interpolate a function given on the nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..result import FloatArray, IntArray

_OFFSETS = np.arange(-2, 4)
_LAGRANGE = np.array([np.prod([o - p for p in _OFFSETS if p != o]) for o in _OFFSETS], dtype=float)


def lagrange(u: FloatArray) -> FloatArray:
    """Lagrange's weights of the nodes -2..3 at points u, shape (6, *u.shape)."""
    factors = [u - offset for offset in _OFFSETS]
    weights = np.empty((6, *u.shape))
    for i in range(6):
        product = np.full(u.shape, 1 / _LAGRANGE[i])
        for j in range(6):
            if j != i:
                product *= factors[j]
        weights[i] = product
    return weights


@dataclass(frozen=True)
class Grid:
    """A uniform grid y_j = start + j·spacing, j < size."""

    start: float
    spacing: float
    size: int

    @property
    def y(self) -> FloatArray:
        """The nodes."""
        return self.start + self.spacing * np.arange(self.size, dtype=float)

    def share(self, y: FloatArray) -> tuple[IntArray, FloatArray]:
        """Indices and Lagrange weights, both of shape (6, *y.shape), of the grid points that stand for y."""
        position = np.clip((y - self.start) / self.spacing, 0.0, self.size - 1.0)
        index = np.clip(np.floor(position).astype(np.int64), 2, self.size - 4)
        return index + _OFFSETS.reshape(6, *[1] * y.ndim), lagrange(position - index)


def log_tan2(x: FloatArray) -> FloatArray:
    """y = ln tan²θ from x = ln sin²θ ≤ 0; +inf at 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(x - np.log(-np.expm1(np.minimum(x, 0.0))))


def log_sin2_of(y: FloatArray) -> FloatArray:
    """x = ln sin²θ from y = ln tan²θ."""
    return np.asarray(-np.logaddexp(0.0, -y))


def step_functional(grid: Grid, y: float) -> FloatArray:
    """Weights w, shape (J + 1,), with P(ln tan²θ ≤ y) = Σ w_j p_j.

    The distribution function at the cell edges is the running sum of the p_j, corrected for the density's slope
    by (p_{j+1} - p_j)/24; between edges it is interpolated by Lagrange's formula with six points.
    """
    if y <= grid.start:
        return np.zeros(grid.size + 1)
    if y >= grid.start + (grid.size - 1) * grid.spacing:
        return np.append(np.ones(grid.size), 1.0 if y == np.inf else 0.0)
    edges, weights = Grid(grid.start + grid.spacing / 2, grid.spacing, grid.size - 1).share(np.array(y))
    functional = np.zeros(grid.size + 1)
    for edge, weight in zip(edges.ravel(), weights.ravel(), strict=True):
        functional[: edge + 1] += weight
        functional[edge + 1] += weight / 24
        functional[edge] -= weight / 24
    return functional


def quantile(grid: Grid, law: FloatArray, probability: float) -> FloatArray:
    """The quantile of ln tan²θ of each row of `law`, shape (C, J + 1); +inf where it falls on exact orthogonality."""
    running = np.cumsum(law[:, :-1], axis=1)
    edges = running[:, :-1] + np.diff(law[:, :-1], axis=1) / 24
    reached = running[:, -1] >= probability
    cell = np.clip((edges < probability).sum(axis=1), 3, grid.size - 4)  # the edge before is cell - 1
    local = edges[np.arange(len(law))[:, None], cell[:, None] - 1 + _OFFSETS]
    fine = np.linspace(0.0, 1.0, 33)
    values = np.maximum.accumulate(local @ lagrange(fine), axis=1)
    k = np.clip((values < probability).sum(axis=1), 1, len(fine) - 1)
    row = np.arange(len(law))
    low, high = values[row, k - 1], values[row, k]
    fraction = np.clip((probability - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    position = (cell - 1) + fine[k - 1] + fraction * (fine[1] - fine[0])
    return np.where(reached, grid.start + grid.spacing * (position + 0.5), np.inf)

r"""Functions of one variable as polynomials on panels, the panels halved until each polynomial resolves its piece:

    f(x) ≈ Σ_{j=0}^{n} c_{pj} T_j(y),   y = (2x - a_p - b_p)/(b_p - a_p),   a_p ≤ x < b_p,

interpolated at the zeros of T_{n+1}; a panel is resolved when its last three coefficients are below `tol` times the
size of f on it. Analytic f converges like R^-n, R set by the distance of its nearest singularity in units of the panel,
so the number of panels grows with the logarithm of that distance only. Reference: Trefethen 2013, Approximation
Theory and Approximation Practice, ch. 8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from ..result import FloatArray

_AT_ONCE = 2**13  # what is worked on stays in the cache


@dataclass(frozen=True, eq=False)
class PiecewiseChebyshev:
    """Chebyshev series on panels.

    Attributes
    ----------
    edges : ndarray, shape (P + 1,)
        Ends of the panels, increasing.
    coefficients : ndarray, shape (P, n + 1)
    resolved : ndarray of bool, shape (P,)
        Whether the last coefficients of the panel are below the tolerance.
    """

    edges: FloatArray
    coefficients: FloatArray
    resolved: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

    def __call__(self, x: ArrayLike) -> FloatArray:
        """The value at `x`; the outermost polynomials are continued beyond the edges."""
        at = np.asarray(x, dtype=np.float64)
        flat, out, rows = at.ravel(), np.empty(at.size), np.ascontiguousarray(self.coefficients.T)
        a, b = self.edges[:-1], self.edges[1:]
        for start in range(0, at.size, _AT_ONCE):
            part = flat[start : start + _AT_ONCE]
            panel = np.searchsorted(self.edges[1:-1], part, side="right")
            y = ((part - a[panel]) + (part - b[panel])) / (b - a)[panel]
            out[start : start + _AT_ONCE] = _clenshaw(rows, panel, y)
        return out.reshape(at.shape)

    def derivative(self) -> PiecewiseChebyshev:
        """The derivative, panel by panel; jumps at the edges leave no trace in it."""
        c = np.polynomial.chebyshev.chebder(self.coefficients, axis=1)
        scaled = c * (2 / np.diff(self.edges))[:, None]
        return PiecewiseChebyshev(self.edges, scaled, self.resolved)

    def nodes(self) -> FloatArray:
        """The points of interpolation of every panel, shape (P, n + 1)."""
        return panel_nodes(self.edges[:-1], self.edges[1:], self.coefficients.shape[1] - 1)

    def with_values(self, values: FloatArray) -> PiecewiseChebyshev:
        """The function on the same panels that takes `values` at `nodes()`."""
        return PiecewiseChebyshev(self.edges, values @ _transform(values.shape[1] - 1).T, self.resolved)


def fit_panels(
    f: Callable[[FloatArray], FloatArray],
    edges: ArrayLike,
    *,
    degree: int = 20,
    tol: float = 1e-14,
    floor: float = 0.0,
    least: float = 0.0,
    most: int = 2**14,
) -> PiecewiseChebyshev:
    """`f` as Chebyshev series on panels, halved until they resolve it.

    Parameters
    ----------
    f : callable
        Takes and returns arrays of one shape.
    edges : array_like, shape (P + 1,)
        Panels to start from, increasing.
    degree : int
        n, 4 or more.
    tol : float
        Bound of the last three coefficients, relative to the larger of max |f| on the panel and `floor`.
    floor : float
        Size of f below which nothing counts.
    least : float
        Panels of this width or less are not halved; they stay unresolved and say so.
    most : int
        Once more panels than this wait to be halved, none are.

    Examples
    --------
    >>> f = fit_panels(np.tanh, [-8.0, 8.0])
    >>> bool(abs(f(1.25) - np.tanh(1.25)) < 1e-14), bool(f.resolved.all())
    (True, True)
    """
    start = np.asarray(edges, dtype=np.float64)
    a, b = start[:-1], start[1:]
    parts: list[tuple[FloatArray, FloatArray, FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]] = []
    while a.size:
        x = panel_nodes(a, b, degree)
        values = f(x)
        c = values @ _transform(degree).T
        size = np.maximum(np.abs(values).max(axis=1), floor)
        steepest = np.abs(np.diff(values, axis=1) / np.diff(x, axis=1)).max(axis=1)
        rounding = 4 * np.finfo(np.float64).eps * np.abs(x).max(axis=1) * steepest  # x itself is rounded
        resolved = np.abs(c[:, -3:]).max(axis=1) <= tol * size + rounding
        stop = resolved | (b - a <= least) | (a.size > most)
        parts.append((a[stop], b[stop], c[stop], resolved[stop]))
        a, b = a[~stop], b[~stop]
        middle = (a + b) / 2
        a, b = np.concatenate([a, middle]), np.concatenate([middle, b])
    left, right, coefficients, resolved = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(left)
    return PiecewiseChebyshev(np.append(left[order], right.max()), coefficients[order], resolved[order])


def panel_nodes(a: FloatArray, b: FloatArray, degree: int) -> FloatArray:
    """The zeros of T_{n+1} on the panels [a, b], shape (P, n + 1), from left to right."""
    half = np.pi * (2 * np.arange(degree + 1) + 1) / (4 * (degree + 1))
    part: FloatArray = np.sin(half) ** 2
    return a[:, None] + (b - a)[:, None] * part  # from a: the first nodes keep their digits


@lru_cache(maxsize=16)
def _transform(degree: int) -> FloatArray:
    """The matrix that takes values at the nodes to coefficients."""
    n = degree + 1
    angle = np.pi * (2 * np.arange(n) + 1) / (2 * n)
    matrix: FloatArray = 2 / n * np.cos(np.arange(n)[:, None] * (np.pi - angle))
    matrix[0] /= 2
    matrix.flags.writeable = False
    return matrix


def _clenshaw(c: FloatArray, panel: np.ndarray[tuple[int, ...], np.dtype[np.intp]], y: FloatArray) -> FloatArray:
    """Σ_j c[j, panel] T_j(y)."""
    if c.shape[1] == 1:  # one panel: no gathering
        return np.asarray(np.polynomial.chebyshev.chebval(y, c[:, 0]))
    later, last, twice = np.zeros_like(y), np.zeros_like(y), 2 * y
    for row in c[:0:-1]:
        np.subtract(np.take(row, panel), last, out=last)  # in place: half the time goes into memory
        last += twice * later
        later, last = last, later
    return np.asarray(c[0][panel] + y * later - last)

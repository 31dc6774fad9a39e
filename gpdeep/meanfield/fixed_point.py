r"""Which lengths a deep network can have: all fixed points of the variance map, with their basins.

    V(q*) = q*;      |V'(q*)| < 1 attracts, > 1 repels, V'(q*) = 1 is decided by V''

All of them matter: an unstable one above a stable one is the wall of its basin, and a finite network that fluctuates
over it is lost. They are searched for on a logarithmic grid from 1e-12 to 1e4 times the square of the activation's own
scale (further where V - q has not changed its sign there), with the slope as a guide to pairs closer than the grid.

Poole et al. (2016), §3; Murray, Abrol & Tanner (2021) for the role of V''.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation, activation
from ..gaussian.arguments import real
from ..result import FloatArray, Result, render_table
from .roots import all_roots
from .variance import VarianceMap

_LOW, _HIGH, _HIGHEST = 1e-12, 1e4, 1e24
_PER_DECADE = 12
_ROUNDING = 32 * np.finfo(np.float64).eps
_NEURONS = 1024  # of a layer, so that every part of a mixture has some
_TINY = 1e-20  # of the lowest q searched: stands for q = 0 in slopes there


@dataclass(frozen=True)
class FixedPoint:
    """A fixed point of the variance map.

    Attributes
    ----------
    q : float
        q*; 0 where a network without bias lets lengths vanish.
    slope : float
        V'(q*).
    chi_1 : float
        χ₁(q*): the factor of squared gradients, one layer down.
    stable : bool
        Whether nearby variances on both sides converge to it (at q = 0: from above).
    basin : tuple of float
        The variances that converge to it are those between the two numbers: one-sided for a half-stable point, none,
        (q*, q*), for an unstable one.
    """

    q: float
    slope: float
    chi_1: float
    stable: bool
    basin: tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedPoints(Result):
    """What `fixed_points` answers.

    Attributes
    ----------
    points : tuple of FixedPoint
        Ascending in q.
    marginal : bool
        Whether every q is a fixed point (ReLU with He's weights and no bias); `points` is empty then.
    grows : bool
        Whether V(q) > q above the last point, as far up as φ is known (1e24 times its scale squared at most).

    Notes
    -----
    Basins assume that V increases between neighbouring fixed points, as it does for every activation of the catalogue
    but cos; where V' < 0 they say in which direction one layer moves q.
    """

    points: tuple[FixedPoint, ...]
    marginal: bool
    grows: bool

    def attractor(self, q: float) -> FixedPoint | None:
        """The point that q converges to; None where q stays as it is (`marginal`) or grows without bound.

        Raises
        ------
        DomainError
            q is not a number of 0 or more.
        """
        q = real("q", q, -math.ulp(0.0), math.inf, "a variance, 0 or more")
        for point in self.points:
            low, high = point.basin
            if q == point.q or low < q < high:
                return point
        return None

    def __str__(self) -> str:
        if self.marginal:
            return "every variance is a fixed point (V(q) = q)"
        rows = [
            [f"{p.q:.10g}", f"{p.slope:.8g}", f"{p.chi_1:.8g}", "yes" if p.stable else "no", _interval(p)]
            for p in self.points
        ]
        notes = ["above the last fixed point the variance grows"] if self.grows else []
        return render_table("fixed points of V", ["q*", "V'", "χ₁", "stable", "basin"], rows, notes)


def fixed_points(
    phi: str | Activation,
    *,
    sigma_w: float,
    sigma_b: float = 0.0,
    alpha: float = 0.0,
    beta: float = 1.0,
    layer_norm: bool = False,
) -> FixedPoints:
    r"""All fixed points of the variance map, V(q*) = q*.

    Parameters
    ----------
    phi, sigma_w, sigma_b, alpha, beta, layer_norm
        As `VarianceMap`.

    Returns
    -------
    FixedPoints

    Raises
    ------
    DomainError
        A parameter is out of range.

    Notes
    -----
    Relative error of q*: about 1e-16/|1 - V'(q*)|. The scale of an activation is its outermost kink, or 1. Homogeneous
    φ and normalised layers have a closed form.

    References
    ----------
    Poole et al. 2016, NIPS 29, §3.

    Examples
    --------
    A shifted ReLU: above the second point lengths explode.

    >>> edge = fixed_points("relu_tau:1", sigma_w=2.0, sigma_b=0.3)
    >>> [(round(p.q, 6), p.stable) for p in edge.points], edge.grows
    ([(0.09002, True), (5.842654, False)], True)
    """
    return points_of(VarianceMap(activation(phi), sigma_w, sigma_b, alpha, beta, layer_norm))


def points_of(layer: VarianceMap) -> FixedPoints:
    """The fixed points of a layer."""
    if layer.layer_norm or layer.phi.homogeneous:
        return _of_affine(layer)
    grid, excess = _searched(layer)
    if (np.abs(excess) <= _ROUNDING).all():
        return FixedPoints(points=(), marginal=True, grows=False)
    if vanishes_at_zero(layer):  # where φ is linear to rounding, V(q) = q may hold up to here: no root stands out
        first = int(np.argmax(np.abs(excess) > _ROUNDING))
        grid, excess = grid[first:], excess[first:]
    roots = all_roots(lambda q: _excess(layer, q), grid)
    walls = [float(grid[0]), *roots, float(grid[-1])]
    between = [math.sqrt(a * b) for a, b in itertools.pairwise(walls)]
    grows_between = [bool(_excess(layer, q)[0] > 0) for q in between]  # on the left of each root, and after the last
    points = []
    for k, q in enumerate(roots):
        lower = roots[k - 1] if k else 0.0
        upper = roots[k + 1] if k + 1 < len(roots) else math.inf
        points.append(_point(layer, q, q, grows_between[k], grows_between[k + 1], lower, upper))
    if vanishes_at_zero(layer):
        upper = roots[0] if roots else math.inf
        points.insert(0, _point(layer, 0.0, float(grid[0]) * _TINY, True, grows_between[0], 0.0, upper))
    return FixedPoints(points=tuple(points), marginal=False, grows=grows_between[-1])


def vanishes_at_zero(layer: VarianceMap) -> bool:
    """Whether V(0) = 0: no bias, and φ(0) = 0."""
    return layer.sigma_b == 0 and not layer.layer_norm and not np.any(layer.phi(np.zeros(_NEURONS)))


def scale2(phi: Activation) -> float:
    """The square of the scale on which φ bends: of its outermost kink, or 1."""
    return max([t**2 for t, _ in phi.kinks if t], default=1.0)


def search_grid(low: float, high: float, per_decade: int) -> FloatArray:
    """Variances from `low` to `high`, evenly spaced in their logarithm."""
    return np.geomspace(low, high, math.ceil(per_decade * math.log10(high / low)) + 1)


def _point(
    layer: VarianceMap, q: float, at: float, rises: bool, rises_above: bool, lower: float, upper: float
) -> FixedPoint:
    """The fixed point q from the signs of V - q on both sides; `at` stands for q where q is 0."""
    slope = float(layer.slope(at))
    stable = rises and not rises_above and slope > -1
    basin = (lower if rises else q, q if rises_above else upper)
    return FixedPoint(q, slope, float(layer.chi_1(at)), stable, basin)


def _of_affine(layer: VarianceMap) -> FixedPoints:
    """V(q) = s q + const: with layer normalisation, s = α², and for homogeneous φ, s = α² + β² σ_w² E φ(z)²."""
    slope = float(layer.slope(1.0))
    constant = float(layer(1.0)) - slope if layer.layer_norm else layer.beta**2 * layer.sigma_b**2
    if abs(slope - 1) <= _ROUNDING:
        return FixedPoints(points=(), marginal=constant == 0, grows=constant > 0)
    q, stable = constant / (1 - slope), slope < 1
    if q < 0:  # s > 1 with a bias
        return FixedPoints(points=(), marginal=False, grows=True)
    point = FixedPoint(q, slope, float(layer.chi_1(q or 1.0)), stable, (0.0, math.inf) if stable else (q, q))
    return FixedPoints(points=(point,), marginal=False, grows=not stable)


def _searched(layer: VarianceMap) -> tuple[FloatArray, FloatArray]:
    """A grid wide enough to hold all fixed points, as far as the search goes, and (V - q)/q on it."""
    scale, limit = scale2(layer.phi), layer.phi.largest_variance
    grid = search_grid(_LOW * scale, min(_HIGH * scale, limit), _PER_DECADE)
    excess = _excess(layer, grid)[0]
    while excess[-1] > 0 and grid[-1] < 0.99 * min(_HIGHEST * scale, limit):
        more = search_grid(float(grid[-1]), min(100 * float(grid[-1]), limit), _PER_DECADE)[1:]
        grid, excess = np.concatenate([grid, more]), np.concatenate([excess, _excess(layer, more)[0]])
    if excess[0] < 0 and not vanishes_at_zero(layer):  # a tiny bias: the first fixed point lies still lower
        lowest = max(float(layer(grid[0] * _TINY)) / 4, 1e-290)
        more = np.geomspace(lowest, grid[0], 4 * _PER_DECADE)[:-1]
        grid, excess = np.concatenate([more, grid]), np.concatenate([_excess(layer, more)[0], excess])
    return grid, excess


def _excess(layer: VarianceMap, q: Any) -> tuple[Any, Any]:
    """V/q - 1 and its derivative by ln q."""
    m = layer.moments(q)
    constant = layer.beta**2 * layer.sigma_b**2
    weight = layer.beta**2 * layer.sigma_w**2
    ratio = (weight * m.second + constant) / q
    return layer.alpha**2 + ratio - 1, weight * m.d_second - ratio


def _interval(point: FixedPoint) -> str:
    low, high = point.basin
    return "-" if low == high else f"({low:.6g}, {'∞' if math.isinf(high) else f'{high:.6g}'})"

r"""E φ(u)φ(v) as one table in both variances and the angle, for φ whose every pair of variances costs a millisecond:

    E φ(u)φ(v) / √(q₁q₂)  or  E φ'(u)φ'(v)  ≈  Σ_m T_m(2θ/π - 1) w(s₁)ᵀ G_m w(s₂),      s = ln q,   w(s) = Uᵀ T(s)

T(s) are Chebyshev polynomials on the range of ln q that the inputs have, U the few combinations of them that matter.
This converges geometrically where φ is analytic on both sides of 0, as ELU is: rotating √q in the complex plane, both
integrals stay for |arg q| < π/2. A knot t ≠ 0 does not allow it, since t/√q₁ = t/√q₂ is then a singular line at θ = 0.

The values at the nodes come from polar coordinates, in which the lines u = 0 and v = 0 are rays,

    E φ(u)φ(v) = (1/2π) ∫ r e^{-r²/2} dr ∫ dα φ(√q₁ r cos α) φ(√q₂ r cos(α - θ)),

by Gauss-Legendre nodes on the four sectors: for one θ, all pairs of variances together are one matrix product.
Reference: Trefethen 2013, Approximation Theory and Approximation Practice, ch. 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np

from ..activations.base import Activation
from ..activations.piecewise_smooth import PiecewiseSmooth
from ..errors import DomainError
from ..gaussian.gauss_legendre import gauss_legendre
from ..result import FloatArray

TOLERANCE = 1e-12
"""A table that is worse than this at random pairs, relative to √(E φ(u)² E φ(v)²), is not used."""

WORTH_A_TABLE = 512
"""Pairs of variances, at a millisecond each, that cost as much as a table."""

TABLE_BYTES = 2**25
"""Bytes that making a table takes at most."""

_NARROWEST = 1e-3
_MOST_NODES = 72  # of ln q: a range of three decades
_ANGLES = (32, 64, 96)
_SECTOR_NODES, _RADIAL_NODES = 40, 16
_RADII = (0.0, 0.3, 0.7, 1.5, 3.0, 5.0, 7.0, 9.0)  # e^{-r²/2} = 3e-18 at the last; finer where √q r is moderate
_ROUNDING = 1e-15  # of the values at the nodes
_CHECKS = 24


@dataclass(frozen=True, eq=False)
class VarianceTable:
    """The table of one function for a range of variances; see the module.

    Attributes
    ----------
    low, high : float
        Ends of the range of ln q.
    basis : ndarray, shape (R, M)
        Uᵀ.
    cores : tuple of ndarray, shape (R_m, R_m)
        G_m, without the rows and columns that are rounding.
    """

    low: float
    high: float
    basis: FloatArray
    cores: tuple[FloatArray, ...]

    def __call__(self, xp: ModuleType, theta: Any, q1: Any, q2: Any) -> Any:
        """The value at the angles `theta`, shape (n, m), for a column `q1` and a row `q2`; numpy or torch."""

        def place(values: FloatArray) -> Any:
            return values if isinstance(theta, np.ndarray) else xp.asarray(values, device=theta.device)

        basis = place(self.basis)
        left = self._weights(xp, basis, q1[..., 0]).T
        right = self._weights(xp, basis, q2)
        twice = theta * (4 / math.pi) - 2
        later, last = xp.zeros_like(theta), xp.zeros_like(theta)
        for core in self.cores[:0:-1]:  # Clenshaw's recurrence
            rank = core.shape[0]
            last *= -1.0
            last += twice * later
            last += (left[:, :rank] @ place(core)) @ right[:rank]
            later, last = last, later
        rank = self.cores[0].shape[0]
        twice *= 0.5
        twice *= later
        twice -= last
        twice += (left[:, :rank] @ place(self.cores[0])) @ right[:rank]
        return twice

    def _weights(self, xp: ModuleType, basis: Any, q: Any) -> Any:
        """w(ln q), shape (R, n)."""
        x = (2 * xp.log(q) - (self.low + self.high)) / (self.high - self.low)
        rows = [xp.ones_like(x), x]
        while len(rows) < basis.shape[1]:
            rows.append(2 * x * rows[-1] - rows[-2])
        return basis @ xp.stack(rows[: basis.shape[1]])


def variance_table(phi: Activation, q1: FloatArray, q2: FloatArray, *, slope: bool = False) -> VarianceTable | None:
    """E φφ/√(q₁q₂), or E φ'φ' with `slope`, for all pairs of the variances `q1` and `q2`; None where it does not pay.

    Notes
    -----
    *Accuracy.* `TOLERANCE` of √(E φ(u)² E φ(v)²) at random pairs, or there is no table; usual errors are 1e-15.

    *Cost.* 0.1 to 2 s, whatever the number of variances; an entry then takes 0.05 to 0.11 µs on one core.
    """
    if np.unique(q1).size * np.unique(q2).size < 2 * WORTH_A_TABLE or not has_tables(phi):
        return None
    low, high = math.log(min(q1.min(), q2.min())), math.log(max(q1.max(), q2.max()))
    if high - low < _NARROWEST:  # rounding of ln q would count
        low, high = low - _NARROWEST / 2, high + _NARROWEST / 2
    reach = math.pi / (high - low)  # of arg q, in units of half the range
    nodes = math.ceil(32 / math.asinh(reach)) + 2
    if nodes > _MOST_NODES:
        return None
    try:
        for angles in _ANGLES:
            table, resolved = _fitted(phi, low, high, nodes, angles, slope)
            if resolved:
                return table if _error(phi, table, slope) <= TOLERANCE else None
    except DomainError:  # an end of the range is beyond what φ is known for
        return None
    return None


def has_tables(phi: Activation) -> bool:
    """Whether a part of φ is costly, and no part has a knot but at 0."""
    parts = _parts(phi)
    knots = [t for _, part in parts for t in (*(t for t, _ in part.kinks), *getattr(part, "knots", ()))]
    return any(isinstance(part, PiecewiseSmooth) for _, part in parts) and not any(knots)


def _parts(phi: Activation) -> list[tuple[float, Activation]]:
    """Shares and activations, mixtures of mixtures taken apart."""
    parts = phi.parts_with_shares
    if len(parts) == 1 and parts[0][1] is phi:
        return [(1.0, phi)]
    return [(share * inner, one) for share, part in parts for inner, one in _parts(part)]


def _fitted(
    phi: Activation, low: float, high: float, nodes: int, angles: int, slope: bool
) -> tuple[VarianceTable, bool]:
    """The table with so many nodes and angles, and whether the angles resolve it."""
    half = np.pi * (np.arange(nodes) + 0.5) / nodes
    root = np.exp((low + high + (high - low) * np.cos(half)) / 4)
    turn = np.pi * (np.arange(angles) + 0.5) / angles
    values = np.zeros((angles, nodes, nodes))
    for share, part in _parts(phi):
        for m, theta in enumerate(np.pi * (1 + np.cos(turn)) / 2):
            values[m] += share * _products(_function(part, slope), root, theta)
    if not slope:
        values /= np.outer(root, root)
    in_theta, in_s = _transform(turn), _transform(half)
    series = in_s @ np.tensordot(in_theta, values, 1) @ in_s.T
    size = float(np.abs(values).max())
    resolved = bool(np.abs(series[-3:]).max() <= 20 * _ROUNDING * size)
    vectors, strength, _ = np.linalg.svd(series.transpose(1, 0, 2).reshape(nodes, -1), full_matrices=False)
    basis = vectors[:, strength > _ROUNDING * strength[0]].T
    cores = basis @ series @ basis.T
    counts = np.flatnonzero(np.abs(cores).max(axis=(1, 2)) > _ROUNDING * size)
    trimmed = [_trimmed(core, _ROUNDING * size) for core in cores[: counts.max(initial=0) + 1]]
    return VarianceTable(low, high, basis, tuple(trimmed)), resolved


def _products(f: Callable[[FloatArray], FloatArray], root: FloatArray, theta: float) -> FloatArray:
    """E f(u)f(v) for all pairs of the standard deviations `root`, at one angle."""
    _, from_left, weight = gauss_legendre(_SECTOR_NODES)
    ends = (-math.pi / 2, theta - math.pi / 2, math.pi / 2, theta + math.pi / 2, 1.5 * math.pi)
    _, from_zero, w_r = gauss_legendre(_RADIAL_NODES)
    half = np.diff(_RADII)[:, None] / 2
    r, w_r = (np.array(_RADII)[:-1, None] + half * from_zero).ravel(), (half * w_r).ravel()
    w_r = w_r * r * np.exp(-(r**2) / 2) / (2 * np.pi)
    total = np.zeros((len(root), len(root)))
    for left, right in pairwise(ends):  # a sector at a time: the values take a few MB
        alpha = left + (right - left) / 2 * from_left
        w = np.outer((right - left) / 2 * weight, w_r).ravel()
        u, v = (f(root[:, None] * np.outer(c, r).ravel()) for c in (np.cos(alpha), np.cos(alpha - theta)))
        total += (u * w) @ v.T
    return total


def _function(part: Activation, slope: bool) -> Callable[[FloatArray], FloatArray]:
    """φ or φ', asked for only where it is known."""
    f = part.derivative if slope else part
    low, high = getattr(part, "span", (-math.inf, math.inf))
    return lambda x: np.asarray(f(np.clip(x, low, high)), dtype=np.float64)


def _transform(turn: FloatArray) -> FloatArray:
    """The matrix that takes values at the Chebyshev points cos `turn` to coefficients."""
    matrix = 2 / len(turn) * np.cos(np.arange(len(turn))[:, None] * turn)
    matrix[0] /= 2
    return np.asarray(matrix)


def _trimmed(core: FloatArray, rounding: float) -> FloatArray:
    """`core` without its last rows and columns as long as they are `rounding`; one stays."""
    rank = len(core)
    while rank > 1 and max(np.abs(core[rank - 1]).max(), np.abs(core[:, rank - 1]).max()) <= rounding:
        rank -= 1
        core = core[:rank, :rank]
    return np.ascontiguousarray(core)


def _error(phi: Activation, table: VarianceTable, slope: bool) -> float:
    """The largest error at random pairs, relative to the root of both second moments."""
    rng = np.random.default_rng(0)
    q1, q2 = np.exp(rng.uniform(table.low, table.high, (2, _CHECKS)))
    theta = rng.uniform(0.02, np.pi, _CHECKS)  # nearer to 0 the covariance does not tell the angle
    k = np.sqrt(q1) * np.sqrt(q2) * np.cos(theta)
    exact = np.asarray((phi.slope_covariance if slope else phi.covariance)(k, q1, q2))
    moments1, moments2 = phi.moments(q1), phi.moments(q2)
    one, two = (moments1.slope_second, moments2.slope_second) if slope else (moments1.second, moments2.second)
    turn = np.broadcast_to(theta, (_CHECKS, _CHECKS))
    found = np.diagonal(table(np, turn, q1[:, None], q2)).copy()
    if not slope:
        found *= np.sqrt(q1 * q2)
    return float(np.max(np.abs(found - exact) / np.sqrt(one * two)))

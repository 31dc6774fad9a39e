r"""Expectations of piecewise-linear functions of one Gaussian variable, by panels between their knots.

    E F(z) = Σ_p f(e_p) ∫₀^{ℓ_p} F(e_p + σ_p y) exp(-|e_p| y - y²/2) dy

A panel lies on one side of 0: e is its end next to 0, σ = ±1 points outwards, ℓ is its length, cut where the Gaussian
has fallen by e^-45. On a panel a piecewise-linear φ(s z) is v + m s (e + σ y - x/s), (x, v) being a point of the piece
that has been chosen so that nothing cancels: a zero of φ where there is one. So a moment of φ has the relative accuracy
of a sum of positive terms, for kinks at any distance; sums of the closed forms of the ramps do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..gaussian.ramp_moments import NODES, normal_density, reach, unit_rule
from ..result import FloatArray

_AT_ONCE = 1 << 17
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Pieces:
    """The pieces of φ between the knots t_1 < ... < t_K: on piece j, φ(x) = v_j + m_j (x - x_j), j = 0..K."""

    knots: FloatArray
    slopes: FloatArray
    points: FloatArray
    values: FloatArray

    @classmethod
    def of(cls, a: float, b: float, t: Sequence[float], c: Sequence[float], at_knots: Sequence[float] | None) -> Pieces:
        """From φ(x) = a + b x + Σ c_j (x - t_j)_+; sums that vanish up to rounding are 0."""
        slopes = [_sum([b, *c[:j]]) for j in range(len(t) + 1)]
        if at_knots is None:
            at_knots = [
                _sum([a, b * x, *(c[i] * x for i in range(j)), *(-c[i] * t[i] for i in range(j))])
                for j, x in enumerate(t)
            ]
        points, values = [], []
        for j, slope in enumerate(slopes):
            ends = [(t[i], at_knots[i]) for i in (j - 1, j) if 0 <= i < len(t)] or [(0.0, a)]
            x, v = min(ends, key=lambda end: abs(end[1]))
            if v != 0 and _sum([v, -slope * x]) == 0:
                x, v = 0.0, 0.0
            points.append(x)
            values.append(v)
        return cls(*(np.array(column, dtype=np.float64) for column in (t, slopes, points, values)))


@dataclass(frozen=True)
class Panels:
    """Panels at some scales: ends, offsets and weights, and on each panel the piece of φ that every scale sees.

    Attributes
    ----------
    inner, sign : arrays of shape (S, P, 1)
        e and σ.
    offset, weight : arrays of shape (S, P, N)
        Nodes y, and weights with the normal density.
    """

    pieces: Pieces
    inner: FloatArray
    sign: FloatArray
    offset: FloatArray
    weight: FloatArray
    middle: FloatArray

    @property
    def z(self) -> FloatArray:
        """The nodes."""
        return self.inner + self.sign * self.offset

    def index(self, s: FloatArray) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
        """Which piece φ(s z) is on, shape (S, P, 1)."""
        return np.asarray(np.sum(self.middle > self.pieces.knots / s[:, None, None], axis=-1, keepdims=True))

    def value(self, s: FloatArray) -> FloatArray:
        """φ(s z) at the nodes."""
        j, s = self.index(s), s[:, None, None]
        from_point = (self.inner - self.pieces.points[j] / s) + self.sign * self.offset
        return np.asarray(self.pieces.values[j] + self.pieces.slopes[j] * s * from_point)

    def slope(self, s: FloatArray) -> FloatArray:
        """φ'(s z), shape (S, P, 1)."""
        return np.asarray(self.pieces.slopes[self.index(s)])

    def mean(self, values: FloatArray) -> FloatArray:
        """E of what has `values` at the nodes, shape (S,)."""
        return np.asarray(np.sum(self.weight * values, axis=(1, 2)))


def expectations(
    pieces: Pieces,
    scales: Sequence[FloatArray],
    columns: Callable[..., Sequence[FloatArray]],
    further: Sequence[FloatArray] = (),
) -> list[FloatArray]:
    """What `columns` makes of the panels at the scales, each of shape (S,), in blocks of bounded memory.

    Parameters
    ----------
    pieces : Pieces
        φ.
    scales : sequence of ndarray, shape (S,)
        s for each variable φ(s z) that enters.
    columns : callable
        Called with `Panels` and the block of `scales` and of `further`; returns arrays of its length.
    further : sequence of ndarray, shape (S,)
        What else `columns` takes.
    """
    edges = 1 + len(scales) * len(pieces.knots)
    block = max(1, _AT_ONCE // ((edges + 1) * NODES))
    parts = [
        columns(_panels(pieces, [s[part] for s in scales]), *(s[part] for s in (*scales, *further)))
        for part in (slice(start, start + block) for start in range(0, max(1, len(scales[0])), block))
    ]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _panels(pieces: Pieces, scales: Sequence[FloatArray]) -> Panels:
    zero = np.zeros((len(scales[0]), 1))
    edges = np.sort(np.concatenate([zero, *(pieces.knots / s[:, None] for s in scales)], axis=1), axis=1)
    low = np.concatenate([zero - math.inf, edges], axis=1)
    high = np.concatenate([edges, zero + math.inf], axis=1)
    right = low >= 0
    inner, sign = np.where(right, low, high), np.where(right, 1.0, -1.0)
    length = np.minimum(high - low, reach(np.abs(inner)))
    x, w = unit_rule()
    offset = length[..., None] * x
    with np.errstate(under="ignore"):
        falling = np.exp(-offset * (np.abs(inner)[..., None] + offset / 2))
        weight = (normal_density(inner) * length)[..., None] * falling * w
    middle = inner + sign * length / 2
    return Panels(pieces, inner[..., None], sign[..., None], offset, weight, middle[..., None])


def _sum(terms: Sequence[float]) -> float:
    """The sum; 0 if it is no more than the rounding of its terms."""
    total = math.fsum(terms)
    return 0.0 if abs(total) <= 4 * _EPS * math.fsum(map(abs, terms)) else total

r"""What one layer does to two inputs of equal length, as a function of their angle and variance, for many layers:

    r(θ, q) = [E φ² - E φ(u)φ(v)] / (1 - cos θ),      M(q) = E φ²,      u, v ~ N(0, q) with correlation cos θ

Where the variance stands still, r is tabulated in θ. Where it drifts, as in residual networks, it stays for many layers
within a band of ln q, b ≤ (ln q)/w < b + 1; both are polynomials in ln q there, through Chebyshev points: expectations
under N(0, q) are analytic for |arg q| < π/2, so 14 points of a band of w = 1/2 are right to 12^-14 = 1e-15.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import numpy as np

from ..activations import Activation
from ..errors import DomainError
from ..gaussian.piecewise_chebyshev import PiecewiseChebyshev, fit_panels
from ..result import FloatArray

_SMALLEST = 1e-100  # below it r(θ) is r(0) to 1e-100, and 1 - cos θ still a normal number
_TABLE_FROM = 64  # values of r at one variance from which a table costs less than r itself
_WIDTH, _POINTS = 0.5, 14  # of a band of ln q
_BAND_FROM = 16  # variances in one band from which its table costs less
_TOLERANCE = 1e-12
_FINEST = math.pi / 2**12


@dataclass(frozen=True, eq=False)
class _Band:
    """M and the values of r at the nodes of `table`, for the variances e^s, s the Chebyshev points of the band."""

    s: FloatArray
    second: FloatArray
    values: FloatArray
    table: PiecewiseChebyshev

    def at(self, q: float) -> tuple[float, PiecewiseChebyshev]:
        """M and the table of r at a variance of the band."""
        off = math.log(q) - self.s
        exact = np.flatnonzero(off == 0)
        if exact.size:
            share = np.where(np.arange(len(self.s)) == exact[0], 1.0, 0.0)
        else:  # barycentric formula; weights of Chebyshev points of the first kind
            angle = math.pi * (np.arange(len(self.s)) + 0.5) / len(self.s)
            share = (-1.0) ** np.arange(len(self.s)) * np.sin(angle) / off
            share /= share.sum()
        return float(share @ self.second), self.table.with_values(np.tensordot(share, self.values, 1))


class GapRatio:
    """M(q) and r(θ, q) for `count` angles a layer, layer after layer; tables are made where they pay.

    Examples
    --------
    Odd functions of independent variables are uncorrelated, so that r(π/2) = E φ²:

    >>> from gpdeep.activations import activation
    >>> second, r = GapRatio(activation("erf"), 1)(np.array([np.pi / 2]), 1.0)
    >>> print(f"{second:.12f} {r[0]:.12f}")
    0.464559054398 0.464559054398
    """

    def __init__(self, phi: Activation, count: int) -> None:
        self._phi, self._count = phi, count
        self._q = self._second = math.nan
        self._table: PiecewiseChebyshev | None = None
        self._uses = 0
        self._place: int | None = None
        self._band: _Band | None = None
        self._visits = 0

    def __call__(self, theta: FloatArray, q: float) -> tuple[float, FloatArray]:
        """M and r at the angles `theta`, shape (count,), for the variance `q`."""
        scale = 1.0
        if self._phi.homogeneous:
            scale, q = q, 1.0
        if q != self._q:
            self._move(q)
        if not theta.any():  # what r multiplies is 0
            return scale * self._second, np.ones_like(theta)
        self._uses += self._count
        if self._table is None and self._uses > _TABLE_FROM:
            self._table = _tabulated(self._phi, q)
            self._uses = -(10**9) if self._table is None else 0  # not again at this variance
        r = _ratio(self._phi, theta, q) if self._table is None else self._table(theta)
        return scale * self._second, scale * r

    def _move(self, q: float) -> None:
        """Go to another variance."""
        self._q, self._table, self._uses = q, None, 0
        place = math.floor(math.log(q) / _WIDTH)
        if place != self._place:
            self._place, self._band, self._visits = place, None, 0
        self._visits += 1
        if self._visits == _BAND_FROM:
            with contextlib.suppress(DomainError):  # its far end may be beyond what φ is known for
                self._band = _band(self._phi, place)
        if self._band is None:
            self._second = float(self._phi.moments(q).second)
        else:
            self._second, self._table = self._band.at(q)


def _ratio(phi: Activation, theta: FloatArray, q: float) -> FloatArray:
    theta = np.maximum(theta, _SMALLEST)
    return np.asarray(phi.gap(theta, q) / (2 * np.sin(theta / 2) ** 2))


def _tabulated(phi: Activation, q: float) -> PiecewiseChebyshev | None:
    """r as a table, if panels resolve it."""
    table = fit_panels(lambda theta: _ratio(phi, theta, q), [0.0, math.pi], least=_FINEST)
    return table if bool(table.resolved.all()) else None


def _band(phi: Activation, place: int) -> _Band | None:
    """The table of a band, if it agrees with φ between its points."""
    angle = math.pi * (np.arange(_POINTS) + 0.5) / _POINTS
    s = _WIDTH * (place + (1 - np.cos(angle)) / 2)
    table = _tabulated(phi, math.exp(s[0]))  # the smallest variance has the most structure
    if table is None:
        return None
    nodes = table.nodes()
    values = np.array([_ratio(phi, nodes.ravel(), x).reshape(nodes.shape) for x in np.exp(s).tolist()])
    second = np.array([float(phi.moments(x).second) for x in np.exp(s).tolist()])
    band = _Band(s, second, values, table)
    theta = np.pi * (np.arange(40) + 0.37) / 40
    for share in (0.004, 0.47, 0.996):  # between the points, and beyond the last ones
        q = math.exp(_WIDTH * (place + share))
        found, ratio = band.at(q)
        expected, exact = float(phi.moments(q).second), _ratio(phi, theta, q)
        if not (abs(found - expected) <= _TOLERANCE * expected and np.allclose(ratio(theta), exact, _TOLERANCE, 0.0)):
            return None
    return band

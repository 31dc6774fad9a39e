r"""Kernel entries of smooth activations by the Hermite series, in which the two inputs separate:

    E φ(u)φ(v) = Σ_k a_k(q₁) a_k(q₂) ρ^k,      E φ'(u)φ'(v) = Σ_k k a_k(q₁) a_k(q₂) ρ^{k-1} / √(q₁q₂),

a_k(q) = E φ(√q z) h_k(z), h_k the Hermite polynomials of norm 1 under N(0, 1) (Mehler). The coefficients are integrals
of one variable, one set for each input, by the trapezoidal rule; an entry costs a multiplication and two additions a
term. Σ a_k² = E φ² and Σ k a_k² = q E φ'² say how much a finite series leaves out: of tanh at q = 1, 60 odd terms leave
1e-14. With kinks, or at a large variance, the series is too long and the plain `Profile` is used instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np

from ..activations.base import Activation
from ..result import FloatArray
from .kernel_profiles import Profile, clip

MAX_TERMS = 160
"""Terms of the longest series; of an even or odd φ every other one counts."""

_STEP, _REACH = 1 / 16, 13.0  # the density squared is 1e-37 there; frequencies up to 50 are integrated to rounding
_LEFT_OUT = 2e-14  # of E φ², and with k as a weight 5e-13 of q E φ'²
_INPUTS_AT_ONCE = 1024


class SeriesTooLong(ArithmeticError):
    """The series of this activation does not end soon enough at these variances."""


@dataclass(frozen=True)
class SeriesProfile(Profile):
    """A smooth φ: y is the correlation; `first` and `stride` say which k there are."""

    threaded: bool = False
    first: int = 0
    stride: int = 1

    @classmethod
    def of(cls, phi: Activation) -> SeriesProfile:
        """With the parity of φ found at a few points."""
        x = np.array([0.3, 0.7, 1.1, 2.3])
        plus, minus = np.asarray(phi(x)), np.asarray(phi(-x))
        if (plus == -minus).all():
            return cls(phi, first=1, stride=2)
        return cls(phi, stride=2) if (plus == minus).all() else cls(phi)

    def coordinate(self, q: FloatArray) -> FloatArray:
        """√q."""
        return np.asarray(np.sqrt(q))

    def read(self, q: FloatArray) -> FloatArray:
        """a_k(q) for the k there are, and in the last row √q; shape (terms + 1, inputs).

        Raises
        ------
        SeriesTooLong
            More than `MAX_TERMS` would be needed.
        """
        if (q == q[0]).all():
            q = q[:1]
        z, density, hermite = _rule(self.first + self.stride * MAX_TERMS)
        a = np.empty((MAX_TERMS, q.size))
        for start in range(0, q.size, _INPUTS_AT_ONCE):
            part = slice(start, start + _INPUTS_AT_ONCE)
            values = np.asarray(self.phi(np.sqrt(q[part])[:, None] * z)) * density
            a[:, part] = hermite[self.first :: self.stride][:MAX_TERMS] @ values.T
        moments = self.phi.moments(q)
        k = self._orders[:, None]
        left_out = moments.second - np.cumsum(a**2, axis=0)
        slopes_left_out = q * moments.slope_second - np.cumsum(k * a**2, axis=0)
        enough = np.abs(left_out) <= _LEFT_OUT * moments.second
        enough &= np.abs(slopes_left_out) <= 25 * _LEFT_OUT * q * moments.slope_second
        reached = enough.all(axis=1)
        if not reached.any():
            raise SeriesTooLong(self.phi.name)
        terms = int(np.argmax(reached)) + 1
        return np.concatenate([a[:terms], np.sqrt(q)[None]])

    @property
    def _orders(self) -> FloatArray:
        return self.first + self.stride * np.arange(MAX_TERMS, dtype=np.float64)

    def covariance(self, xp: ModuleType, y: Any, q1: Any, q2: Any, out: Any, spare: Any) -> None:
        """As `Profile.covariance`, with what `read` gave in the place of variances."""
        clip(y)
        terms = min(q1.shape[0], q2.shape[0]) - 1
        _horner(xp, y, q1[:terms], q2[:terms], None, self.stride, out, spare)
        if self.first:
            out *= y

    def slope_covariance(self, xp: ModuleType, y: Any, q1: Any, q2: Any) -> Any:
        """As `Profile.slope_covariance`."""
        clip(y)
        terms = min(q1.shape[0], q2.shape[0]) - 1
        begin = 0 if self.first else 1  # the constant has no derivative
        weights = self._orders[begin:terms].tolist()
        out = xp.empty_like(y)
        _horner(xp, y, q1[begin:terms], q2[begin:terms], weights, self.stride, out, xp.empty_like(y))
        if not self.first and self.stride == 2:
            out *= y
        out /= q1[-1]
        out /= q2[-1]
        return out


def _horner(xp: ModuleType, y: Any, a: Any, b: Any, weights: Any, stride: int, out: Any, spare: Any) -> None:
    """Σ_j w_j a_j b_j y^{stride·j} into `out`; `a` holds columns, `b` rows."""
    power = y * y if stride == 2 else y
    shared = a.shape[1] == 1 and b.shape[-1] == 1
    out[...] = 0.0
    for j in range(a.shape[0] - 1, -1, -1):
        out *= power
        weight = 1.0 if weights is None else weights[j]
        if shared:
            out += weight * float(a[j, 0, 0]) * float(b[j, 0])
        else:
            spare[...] = b[j]
            spare *= a[j] if weight == 1.0 else weight * a[j]
            out += spare


@lru_cache(maxsize=4)
def _rule(count: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Nodes z, √density times step, and √density h_k(z) for k < `count`, shape (count, nodes)."""
    count_z = round(_REACH / _STEP)
    z = np.asarray(np.arange(-count_z, count_z + 1) * _STEP, dtype=np.float64)
    root = np.asarray(np.exp(-(z**2) / 4) / (2 * math.pi) ** 0.25, dtype=np.float64)
    hermite: FloatArray = np.empty((count, z.size))
    hermite[0], hermite[1] = root, z * root
    for k in range(1, count - 1):
        hermite[k + 1] = (z * hermite[k] - math.sqrt(k) * hermite[k - 1]) / math.sqrt(k + 1)
    density: FloatArray = root * _STEP
    for array in (z, density, hermite):
        array.flags.writeable = False
    return z, density, hermite

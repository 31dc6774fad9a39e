r"""Kernel entries in coordinates in which one layer is a function of one variable.

For some activations the covariance of two neurons is, up to a factor for each input, a function of one number y:

    E φ(u)φ(v) = e(q₁) e(q₂) f(y),      y = K/(d(q₁) d(q₂)),      K = E uv

* φ(x) = a min(x, 0) + b max(x, 0): d = e = √q, y = cos θ, f = (a²+b²)/2 · y + (a-b)²/(2π) · (sin θ - θ y).
* erf: d = √(½ + q), e = 1, f = (2/π) arcsin y.

With y as the state, a layer is f and a few products with vectors, all in the cache; constants of f go into e. Other
activations have d = e = 1 and f = their `covariance`, a function of K and both variances.

Cho & Saul (2009), eq. 6; Williams (1997), eq. 11; slopes by Price's theorem.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ..activations.base import Activation
from ..errors import ValidityWarning
from ..result import FloatArray

EXCESS = 1e-9
"""A correlation beyond 1 by more than this is no rounding, and is reported."""

BLOCK = 2**15
"""Entries treated at a time: their layers stay in the L2 cache, and calls are long enough for a second thread."""


@dataclass(frozen=True)
class Profile:
    """Any activation: y = K, f = E φ(u)φ(v).

    Attributes
    ----------
    phi : Activation
    threaded : bool
        Whether blocks may run beside each other: a user's function may not.
    """

    phi: Activation
    threaded: bool = False

    def coordinate(self, q: FloatArray) -> FloatArray:
        """d(q): an entry's coordinate is y = K/(d₁ d₂)."""
        return np.ones_like(q)

    def factor(self, q: FloatArray) -> FloatArray:
        """e(q): E φ(u)φ(v) = e₁ e₂ f(y)."""
        return np.ones_like(q)

    def read(self, q: FloatArray) -> FloatArray:
        """What `covariance` needs of inputs of variance `q`, the inputs along the last axis: the variances."""
        return q

    def covariance(self, xp: ModuleType, y: Any, q1: Any, q2: Any, out: Any, spare: Any) -> None:
        """f(y) into `out`, of the shape of `y`, which may be clipped; `q1` is a column, `q2` a row, `spare` lost."""
        out[...] = self.phi.covariance(self._bounded(xp, y, q1, q2), q1, q2)

    def slope_covariance(self, xp: ModuleType, y: Any, q1: Any, q2: Any) -> Any:
        """E φ'(u)φ'(v), new."""
        return self.phi.slope_covariance(self._bounded(xp, y, q1, q2), q1, q2)

    def of_layer(self, layer: int) -> Profile:
        """What is used in the layer `layer`, 0 the first."""
        return self

    def _bounded(self, xp: ModuleType, y: Any, q1: Any, q2: Any) -> Any:
        """`y` with |y| ≤ √(q₁q₂)."""
        bound = xp.sqrt(q1) * xp.sqrt(q2)
        worst = float(xp.max(xp.abs(y) / bound))
        if worst <= 1:
            return y
        if worst > 1 + EXCESS:
            warnings.warn(
                f"A correlation of 1 + {worst - 1:.1e} was taken as 1.\n"
                f"  likely cause: The covariance of '{self.phi.name}' is less accurate than float64.\n"
                "  to change:    Check the activation, or use one from the catalogue.",
                ValidityWarning,
                stacklevel=2,
            )
        return xp.minimum(xp.maximum(y, -bound), bound)


@dataclass(frozen=True)
class HomogeneousProfile(Profile):
    """φ(x) = a min(x, 0) + b max(x, 0), or a mixture of such: y is the correlation; without kink, a = b, f = y."""

    threaded: bool = True

    def coordinate(self, q: FloatArray) -> FloatArray:
        """√q."""
        return np.asarray(np.sqrt(q))

    def factor(self, q: FloatArray) -> FloatArray:
        """√q |a-b|/√(2π); without kink |a| √q."""
        linear, kink = self._parts
        return np.asarray(np.sqrt((kink or linear) * q))

    @property
    def _parts(self) -> tuple[float, float]:
        """(a² + b²)/2 and (a-b)²/(2π), in a mixture their averages: E φ'² and the squared jump of φ' over 2π."""
        return float(self.phi.moments(1.0).slope_second), sum(c2 for _, c2 in self.phi.kinks) / (2 * math.pi)

    def covariance(self, xp: ModuleType, y: Any, q1: Any, q2: Any, out: Any, spare: Any) -> None:
        """As `Profile.covariance`; sin θ comes from (1-y)(1+y), where 1-y is exact, and not from 1-y²."""
        linear, kink = self._parts
        if not kink:
            out[...] = y
            return
        clip(y)
        xp.subtract(1.0, y, out=out)
        xp.add(y, 1.0, out=spare)
        out *= spare
        xp.sqrt(out, out=out)
        xp.acos(y, out=spare)
        xp.subtract(linear / kink, spare, out=spare)
        spare *= y
        out += spare

    def slope_covariance(self, xp: ModuleType, y: Any, q1: Any, q2: Any) -> Any:
        """As `Profile.slope_covariance`: (a²+b²)/2 - (a-b)² θ/(2π)."""
        linear, kink = self._parts
        clip(y)
        slope = xp.acos(y)
        slope *= -kink
        slope += linear
        return slope


@dataclass(frozen=True)
class ErfProfile(Profile):
    """erf: f = arcsin y."""

    threaded: bool = True

    def coordinate(self, q: FloatArray) -> FloatArray:
        """√(½ + q)."""
        return np.asarray(np.sqrt(0.5 + q))

    def factor(self, q: FloatArray) -> FloatArray:
        """√(2/π)."""
        return np.full_like(q, math.sqrt(2 / math.pi))

    def covariance(self, xp: ModuleType, y: Any, q1: Any, q2: Any, out: Any, spare: Any) -> None:
        """As `Profile.covariance`."""
        clip(y)
        xp.asin(y, out=out)

    def slope_covariance(self, xp: ModuleType, y: Any, q1: Any, q2: Any) -> Any:
        """As `Profile.slope_covariance`: (2/π)/√(d₁²d₂²(1-y²)), and 1-y ≥ 1/(2d²) at equal variances."""
        clip(y)
        slope = 1 - y
        slope *= 1 + y
        slope *= 0.5 + q1
        slope *= 0.5 + q2
        return (2 / math.pi) / xp.sqrt(slope)


def clip(y: Any) -> None:
    """`y` into [-1, 1], in place."""
    if isinstance(y, np.ndarray):
        np.clip(y, -1.0, 1.0, out=y)
    else:
        y.clamp_(-1.0, 1.0)

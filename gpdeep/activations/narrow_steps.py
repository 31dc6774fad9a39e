r"""A line with narrow steps, whose expectations as sums over pairs of kinks would cancel:

    φ(x) = line of slope b + Σ_j r_j ψ_j(x),        ψ_j rises by 1 from t_j to t_j + w_j

    gap    = s₁s₂ b² V + b V Σ_j r_j [s₁ f̄_j(s₂) + s₂ f̄_j(s₁)] + Σ_jk r_j r_k D_jk(θ),           V = 1 - cos θ
    E φ'φ' = b² + b Σ_j r_j [f̄_j(s₁)/s₁ + f̄_j(s₂)/s₂] + Σ_jk r_j r_k E ψ_j'ψ_k'/(s₁s₂)

with D and the mean density f̄ of `gaussian.ramp_steps`, s = √q. The terms are positive where b and all r_j have one
sign. Every other φ keeps its sums over pairs, and `check_digits` says what they have lost.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConvergenceError, ValidityWarning
from ..gaussian.arguments import supplement
from ..gaussian.ramp_steps import step_deficit, step_density, step_slopes
from ..result import FloatArray
from .linear_panels import Pieces

NARROW = 0.03
"""Steps are narrow below this fraction of √q; wider ones cost their pairs of kinks less than three digits."""
DOUBTFUL, WORTHLESS = 1e-9, 1e-3
_EPS = float(np.finfo(np.float64).eps)
_CALLED = {"gap": "The gap", "remainder": "The remainder", "slopes": "The product of slopes"}
_AT_ONCE = 1024  # angles


@dataclass(frozen=True)
class NarrowSteps:
    """b, and t_j, w_j and r_j of the steps."""

    b: float
    low: tuple[float, ...]
    width: tuple[float, ...]
    rise: tuple[float, ...]

    @classmethod
    def of(cls, pieces: Pieces, levels: tuple[float, ...] | None) -> NarrowSteps | None:
        """The steps of φ; None if φ is no line outside of bounded pieces."""
        t, m = pieces.knots.tolist(), pieces.slopes.tolist()
        if len(t) < 2 or m[0] != m[-1]:
            return None
        b = m[0]
        found = [j for j in range(1, len(t)) if m[j] != b]
        width = [t[j] - t[j - 1] for j in found]
        # levels are met to the last bit, differences of knots are not
        rise = [
            (m[j] - b) * w if levels is None else levels[j] - levels[j - 1] - b * w
            for j, w in zip(found, width, strict=True)
        ]
        return cls(b, tuple(t[j - 1] for j in found), tuple(width), tuple(rise))

    def apply(self, theta: FloatArray, s1: FloatArray, s2: FloatArray) -> Any:
        """Where the steps are narrow against the angle and 1/|h|."""
        s = np.minimum(s1, s2)
        widest = max(self.width) / s
        farthest = max(abs(x) + w for x, w in zip(self.low, self.width, strict=True)) / s
        return (widest <= NARROW) & (widest * np.minimum(farthest, 40.0) <= 0.5) & (theta >= widest)

    def gap(self, theta: FloatArray, s1: FloatArray, s2: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The gap, and the sum of the sizes of its terms; arrays of shape (n,)."""
        versine = 2 * np.sin(theta / 2) ** 2
        out, size = self._pairs(theta, s1, s2, slope=False)
        out, size = out + self.b**2 * s1 * s2 * versine, size + self.b**2 * s1 * s2 * versine
        for x, w, r in zip(self.low, self.width, self.rise, strict=True):
            if self.b:
                cross = r * self.b * versine * (s1 * step_density(x / s2, w / s2) + s2 * step_density(x / s1, w / s1))
                out, size = out + cross, size + np.abs(cross)
        return out, size

    def remainder(self, theta: FloatArray, s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """q E φ'² (1 - cos θ) - gap, and the sum of the sizes of its terms; arrays of shape (n,)."""
        versine = 2 * np.sin(theta / 2) ** 2
        pairs, size = self._pairs(theta, s, s, slope=False)
        linear = sum(
            r * r / w * s * versine * step_density(x / s, w / s)
            for x, w, r in zip(self.low, self.width, self.rise, strict=True)
        )
        return np.asarray(linear - pairs), np.asarray(linear + size)

    def slopes(self, theta: FloatArray, s1: FloatArray, s2: FloatArray) -> tuple[FloatArray, FloatArray]:
        """E φ'φ', and the sum of the sizes of its terms; arrays of shape (n,)."""
        out, size = self._pairs(theta, s1, s2, slope=True)
        out, size = out / (s1 * s2) + self.b**2, size / (s1 * s2) + self.b**2
        for x, w, r in zip(self.low, self.width, self.rise, strict=True):
            if self.b:
                cross = r * self.b * (step_density(x / s1, w / s1) / s1 + step_density(x / s2, w / s2) / s2)
                out, size = out + cross, size + np.abs(cross)
        return out, size

    def _pairs(
        self, theta: FloatArray, s1: FloatArray, s2: FloatArray, *, slope: bool
    ) -> tuple[FloatArray, FloatArray]:
        """Σ_jk r_j r_k D_jk or E ψ_j'ψ_k', and the same with |r|."""
        out, size = np.zeros_like(theta), np.zeros_like(theta)
        function = step_slopes if slope else step_deficit
        steps = list(zip(self.low, self.width, self.rise, strict=True))
        for start in range(0, len(theta), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            t, one, two = theta[part], s1[part], s2[part]
            same = np.array_equal(one, two)
            for x, wx, rx in steps:
                for y, wy, ry in steps:
                    if same and y < x:
                        continue
                    times = 2 if same and y > x else 1
                    value = times * rx * ry * function(x / one, wx / one, y / two, wy / two, t)
                    out[part] += value
                    size[part] += np.abs(value)
        return out, size


def by_steps(
    name: str, steps: NarrowSteps | None, what: str, t: FloatArray, s1: FloatArray, s2: FloatArray
) -> tuple[FloatArray, Any]:
    """The gap, remainder or slopes where φ is a line with narrow steps, and where that is; None for nowhere."""
    out = np.zeros(t.shape)
    if steps is None:
        return out, None
    where = np.asarray(steps.apply(t, s1, s2))
    if what == "slopes":
        where = where & steps.apply(supplement(t), s1, s2)
    if not where.any():
        return out, None
    t, s1, s2 = t[where], s1[where], s2[where]
    value, size = steps.remainder(t, s1) if what == "remainder" else getattr(steps, what)(t, s1, s2)
    check_digits(name, _CALLED[what], value, size)
    out[where] = value
    return out, where


def with_rest(name: str, what: str, out: Any, narrow: Any, value: Any, size: Any, scale: Any = None) -> FloatArray:
    """`value` where the steps are not narrow, after a look at its digits relative to `scale`; `out` elsewhere."""
    value, size, scale = np.broadcast_arrays(value, size, value if scale is None else scale)
    rest = np.ones(value.shape, dtype=bool) if narrow is None else ~narrow
    check_digits(name, _CALLED[what], scale[rest], size[rest])
    return np.asarray(np.where(rest, value, out))


def check_digits(name: str, what: str, value: FloatArray, size: FloatArray) -> None:
    """Warn if a sum whose terms are of `size` has lost all but nine digits, refuse it if all but three.

    Raises
    ------
    ConvergenceError
        Rounding of the terms exceeds 1e-3 of the sum.

    Warns
    -----
    ValidityWarning
        Rounding of the terms exceeds 1e-9 of the sum.
    """
    lost = _EPS * size
    scale = np.abs(value)
    doubtful = (lost > DOUBTFUL * scale) & (lost > 1e-290)
    if not doubtful.any():
        return
    with np.errstate(divide="ignore"):
        worst = float(np.max(np.divide(lost, scale, out=np.full_like(lost, math.inf), where=scale > 0)[doubtful]))
    found = f"{what} of activation '{name}' has a relative rounding error of about {worst:.0e}."
    cause = "Its kinks are so close, or its slopes so large and opposite, that their contributions cancel."
    if worst > WORTHLESS:
        raise ConvergenceError(found, cause, "Move the kinks apart (1e-3 √q is enough), or replace them by one.")
    warnings.warn(f"{found} {cause}", ValidityWarning, stacklevel=4)

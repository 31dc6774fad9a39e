r"""Families of activations with one free clip level m, on the edge of chaos at a variance q*.

    crelu   min(max(x - τ, 0), m)              unclipped: relu_tau
    cst     sign(x) min(max(|x| - τ, 0), m)    unclipped: st

All of them are positively homogeneous together with their parameters, φ_{λτ,λm}(λx) = λ φ_{τ,m}(x), so a network at
(τ, m, q*, σ_b²) is one at (τ/√q*, m/√q*, 1, σ_b²/q*) with all pre-activations multiplied by √q* and the same weights:
q* is a scale. What does not follow by itself is the input, which has to be rescaled too (`Design.input_second_moment`).

A family of one's own is any function m ↦ `PiecewiseLinear`; its levels are searched for, as there may be several.

On the edge σ_w² = 1/E φ'², σ_b² = q* - σ_w² E φ². For slopes 0 and 1 Stein's lemma, √q E[zφ] = q E φ', gives

    σ_b² = σ_w² E φ(√q z)(√q z - φ(√q z)),

a sum of positive terms whenever 0 ≤ φ(x)/x ≤ 1: so the bias is never what stands in the way for τ ≥ 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import PiecewiseLinear
from ..activations.linear_panels import Panels, expectations
from ..activations.piecewise_linear import crelu, cst, hard_tanh, relu_tau, soft_threshold
from ..errors import DomainError, InfeasibleError
from ..gaussian.arguments import real, shown
from ..meanfield.roots import all_roots, bracketed_root
from ..meanfield.variance import VarianceMap
from ..result import FloatArray
from .clipping import check_slope, clip_level, clip_slope

KINDS = {"crelu": 1, "cst": 2}
"""The families by name, and on how many sides they are active."""

_UNCLIPPED = {"crelu": "relu_tau", "cst": "st"}
_LEVELS = np.geomspace(1e-3, 30.0, 120)  # searched for a family of one's own, in units of √q*


@dataclass(frozen=True)
class Family:
    """Activations φ_m with one free clip level m > 0.

    Attributes
    ----------
    name : str
    make : callable
        m ↦ PiecewiseLinear.
    """

    name: str
    make: Callable[[float], PiecewiseLinear]

    tau: float | None = None

    def slope(self, m: float, q: float) -> float:
        """V'(q*) on the edge of chaos at q* = `q`, whether or not the bias it needs exists; NaN if no unit responds."""
        moments = self.make(m).moments(q)
        responds = moments.slope_second > 0
        return float(moments.d_second / moments.slope_second) if responds else math.nan

    def levels(self, slope: float, q: float) -> list[float]:
        """All clip levels between 0.001 and 30 √q* with V'(q*) = `slope`, ascending.

        Raises
        ------
        InfeasibleError
            There is none.
        """
        check_slope(slope)
        step = 1e-5

        def f(m: Any) -> tuple[Any, Any]:
            points = np.atleast_1d(np.asarray(m, dtype=np.float64))
            around = [self.slope(x * math.exp(d), q) for x in points.tolist() for d in (-step, 0.0, step)]
            value = np.array(around).reshape(-1, 3)
            value = np.where(np.isnan(value), 1.0, value)  # where no unit responds there is no level
            excess, rate = value[:, 1] - slope, (value[:, 2] - value[:, 0]) / (2 * step)
            return (excess, rate) if np.ndim(m) else (excess[0], rate[0])

        found = all_roots(f, _LEVELS * math.sqrt(q))
        if not found:
            seen = f(_LEVELS * math.sqrt(q))[0] + slope
            raise InfeasibleError(
                f"{self.name} has no clip level with V'(q*) = {slope:g} at q* = {q:g}.",
                f"For levels from 0.001 to 30 √q* the slope goes from {seen.min():.4g} to {seen.max():.4g}.",
                "Choose a slope in that range, or another family.",
            )
        return found

    def largest_feasible(self, q: float) -> float:
        """The largest clip level, searched between 0.001 and 30 √q*, with σ_b² ≥ 0; 0 where there is none."""

        def g(x: float) -> float:
            return bias_variance(self.make(math.exp(x)), q)

        grid = np.log(_LEVELS * math.sqrt(q)).tolist()
        signs = [g(x) >= 0 for x in grid]
        if all(signs):
            return math.inf
        if not any(signs):
            return 0.0
        last = max(k for k, sign in enumerate(signs) if sign)
        return math.exp(grid[last] if last + 1 == len(grid) else bracketed_root(g, grid[last], grid[last + 1]))


@dataclass(frozen=True)
class ThresholdFamily(Family):
    """CReLU or CST with the threshold τ: the level for a slope is one, and known in closed form."""

    def slope(self, m: float, q: float) -> float:
        """V'(q*) on the edge of chaos at q* = `q`."""
        return clip_slope(self._h(q), m / math.sqrt(q))

    def levels(self, slope: float, q: float) -> list[float]:
        """The one clip level with V'(q*) = `slope`."""
        return [clip_level(self._h(q), slope) * math.sqrt(q)]

    def _h(self, q: float) -> float:
        return (self.tau or 0.0) / math.sqrt(q)

    @property
    def unclipped(self) -> PiecewiseLinear:
        """The activation without the clip: m = ∞."""
        tau = self.tau or 0.0
        return relu_tau(tau) if self.name == "crelu" else soft_threshold(tau)


def family(kind: str | Callable[[float], PiecewiseLinear], tau: float = 0.0) -> Family:
    """The family called `kind` with the threshold τ, or one's own function of m.

    Raises
    ------
    DomainError
        There is no family of that name, or the function does not give piecewise-linear activations.
    """
    if isinstance(kind, str):
        if kind not in KINDS:
            hint = next((clipped for clipped, name in _UNCLIPPED.items() if name == kind), None)
            raise DomainError(
                f"There is no clipped family '{kind}'.",
                f"It has no clip level; its clipped relative is {hint}." if hint else "The name is misspelt.",
                f"Use {' or '.join(KINDS)} (hard_tanh is cst at sparsity 0), or a function m -> PiecewiseLinear.",
            )
        return ThresholdFamily(kind, _maker(kind, tau), tau)
    name = str(getattr(kind, "__name__", "family")).replace("<lambda>", "own family")
    own = Family(name, _checked(kind))
    own.make(1.0)
    return own


def _checked(make: Any) -> Callable[[float], PiecewiseLinear]:
    """A function of m of the user's, whose results are looked at."""

    def checked(m: float) -> PiecewiseLinear:
        problem: Exception | None = None
        found = None
        try:
            found = make(m)
        except Exception as error:
            problem = error
        if isinstance(found, PiecewiseLinear):
            return found
        raise DomainError(
            f"The family is {shown(make, 200)}, which for m = {m:g} "
            + (f"raises {type(problem).__name__}: {problem}." if problem else f"gives {shown(found, 200)}."),
            "A family is a name, or a function that makes a PiecewiseLinear of every clip level m > 0.",
            "Write for instance lambda m: PiecewiseLinear('mine', t=(0.5, 0.5 + m), c=(1.0, -1.0)).",
        ) from problem

    return checked


def _maker(kind: str, tau: float) -> Callable[[float], PiecewiseLinear]:
    tau = real("tau", tau, -math.inf, math.inf, "a threshold on the axis of the pre-activations")

    def clipped(m: float) -> PiecewiseLinear:
        if kind == "crelu":
            return crelu(tau, m)
        return hard_tanh(m) if tau == 0 else cst(tau, m)

    return clipped


def bias_variance(phi: PiecewiseLinear, q: float) -> float:
    """σ_b² on the edge of chaos at `q`, negative where there is none; relative accuracy where slopes are 0 and 1."""
    moments = phi.moments(q)
    if not set(phi.slopes) <= {0.0, 1.0} or phi.linear:
        return float(q - moments.second / moments.slope_second)

    def columns(panels: Panels, s: FloatArray) -> list[FloatArray]:
        value, index = panels.value(s), panels.index(s)
        offset = panels.pieces.points[index] - panels.pieces.values[index]  # x - φ(x) where the slope is 1
        rest = np.where(panels.pieces.slopes[index] == 1, offset, s[:, None, None] * panels.z - value)
        return [panels.mean(value * rest)]

    (product,) = expectations(phi.pieces, [np.sqrt(np.array([q]))], columns)
    return float(product[0] / moments.slope_second)


def edge_layer(phi: PiecewiseLinear, q: float) -> VarianceMap:
    """The layer on the edge of chaos at q* = `q`.

    Raises
    ------
    InfeasibleError
        σ_b² would be negative, or no unit responds.
    """
    slope_second = float(phi.moments(q).slope_second)
    if not slope_second >= 1e-8:
        raise InfeasibleError(
            f"{phi.name} has E φ'² = {slope_second:.3g} at q* = {q:g}: σ_w would be "
            f"{1 / math.sqrt(max(slope_second, 1e-300)):.3g}.",
            "Hardly a unit responds: the sparsity is too near 1, or the clip level too near 0.",
            "Choose a lower sparsity or a larger slope.",
        )
    bias_var = bias_variance(phi, q)
    if bias_var < 0:
        raise InfeasibleError(
            f"{phi.name} has no edge of chaos at q* = {q:g}: σ_b² would be {bias_var:.6g}.",
            "Its mean square is too large for its mean squared slope.",
            "Choose another clip level or threshold.",
        )
    return VarianceMap(phi, 1 / math.sqrt(slope_second), math.sqrt(bias_var))

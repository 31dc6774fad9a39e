"""What `gpdeep.sparse.design` answers, and how it is shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..activations import PiecewiseLinear
from ..meanfield.fixed_point import FixedPoint, FixedPoints
from ..meanfield.variance import VarianceMap
from ..result import SCHEMA_VERSION, Result
from .escape import EscapeProbability
from .fluctuations import gradient_spread, stationary_fluctuation


@dataclass(frozen=True, kw_only=True, eq=False)
class Design(Result):
    r"""A clipped activation with the weights and biases that make it trainable.

    Attributes
    ----------
    options : dict
        What was asked for, every number resolved.
    phi : PiecewiseLinear
        The activation φ.
    activation : str
        Its name, as the catalogue reads it back.
    tau, m : float
        Threshold (None for a family of one's own) and clip level, in units of the pre-activations.
    sigma_w, sigma_b : float
        W ~ N(0, σ_w²/fan-in), b ~ N(0, σ_b²).
    q_star : float
        The variance of pre-activations that stays.
    chi_1, slope, curvature, d_chi_1 : float
        χ₁ = 1, V', V'' and dχ₁/dq at q*.
    kappa : float
        1 - c of two inputs falls as 4/(κ l)².
    noise : float
        c: one layer's fluctuation of the variance is c/√n.
    c_zero : float
        C(0): the correlation of two uncorrelated inputs after one layer.
    sparsity, linear, clipped : float
        Fractions of units that are exactly 0, pass a gradient, are at the clip level.
    fixed_points : tuple of FixedPoint
        All fixed points of V.
    basin : tuple of float
        Variances between the two converge to q*; the second is infinite where there is no wall.
    fold_slope : float
        The largest slope without a second stable variance (NaN for a family of one's own).
    other_levels : tuple of float
        Further clip levels with the same slope (families of one's own).
    input_second_moment : float
        The E x² of inputs that puts the first layer at q*: (q* - σ_b²)/σ_w² = E φ². Like all variances it is
        proportional to q*; but the inputs of a data set do not change by themselves when q* does.
    escape_threshold : float
        min(2q*, q_u).
    escape_probability, escape_error : float or None
        P(variance > threshold within the depth) at the width, and its estimated error; None without width and depth.
    escape : EscapeProbability or None
        The same layer by layer, with means and standard deviations of variance and sparsity.
    """

    options: dict[str, Any]
    phi: PiecewiseLinear
    activation: str
    tau: float | None
    m: float
    sigma_w: float
    sigma_b: float
    q_star: float
    chi_1: float
    slope: float
    curvature: float
    d_chi_1: float
    kappa: float
    noise: float
    c_zero: float
    sparsity: float
    linear: float
    clipped: float
    fixed_points: tuple[FixedPoint, ...]
    basin: tuple[float, float]
    fold_slope: float
    other_levels: tuple[float, ...]
    input_second_moment: float
    escape_threshold: float
    escape_probability: float | None
    escape_error: float | None
    escape: EscapeProbability | None

    @property
    def layer(self) -> VarianceMap:
        """One layer of infinite width: V, χ₁ and their derivatives."""
        return VarianceMap(self.phi, self.sigma_w, self.sigma_b)

    @property
    def unstable_q(self) -> float | None:
        """q_u: the wall of the basin above q*, if there is one."""
        return self.basin[1] if self.q_star < self.basin[1] < math.inf else None

    def margin(self, width: int) -> float:
        """How many standard deviations of the stationary fluctuation at width n lie between q* and the threshold."""
        return (self.escape_threshold - self.q_star) / stationary_fluctuation(self.layer, self.q_star, width)[1]

    def gradient_spread(self, width: int, depth: int) -> float:
        """Standard deviation of the log squared gradient over L layers of width n, to leading order."""
        return gradient_spread(self.layer, self.q_star, width, depth)

    def to_dict(self) -> dict[str, Any]:
        """The object that ``gpdeep clip --json`` prints."""
        plain = super().to_dict()
        for name in ("phi", "escape"):
            plain.pop(name)
        n, depth = self.options["width"], self.options["depth"]
        stable = self.basin[0] < self.q_star < self.basin[1]
        plain["log_gradient_std"] = self.gradient_spread(n, depth) if n is not None and stable else None
        return {"schema_version": SCHEMA_VERSION, "command": "clip", "inputs": plain.pop("options"), **plain}

    def __str__(self) -> str:
        o = self.options
        tau = "" if self.tau is None else f"τ = {self.tau:.12g}, "
        lines = [
            f"{o['family']}: {100 * self.sparsity:.4g} % zeros, {100 * self.linear:.4g} % linear, "
            f"{100 * self.clipped:.4g} % clipped",
            f"  {tau}m = {self.m:.12g}   ({self.activation})",
            f"  σ_w = {self.sigma_w:.12g}   (σ_w² = {self.sigma_w**2:.12g})",
            f"  σ_b = {self.sigma_b:.12g}   (σ_b² = {self.sigma_b**2:.12g})",
            f"  q*  = {self.q_star:.12g}; inputs with E x² = {self.input_second_moment:.12g} start there",
            f"  V'(q*) = {self.slope:.9g}, V''(q*) = {self.curvature:.6g}, χ₁ = 1, χ₁' = {self.d_chi_1:.6g}",
            f"  correlations near 1 as 4/(κ l)², κ = {self.kappa:.6g}; C(0) = {self.c_zero:.4g}",
            f"  at width n one layer's variance fluctuates by {self.noise:.5g}/√n",
        ]
        if math.isfinite(self.fold_slope):
            lines.append(f"  slopes up to {self.fold_slope:.4g} have no second stable variance")
        if self.escape_probability is not None:
            n, depth = o["width"], o["depth"]
            chance = f"P(variance > {self.escape_threshold:.4g}) = {self.escape_probability:.3g}"
            lines.append(f"  width {n}, {depth} layers: {chance}")
            if self.basin[0] < self.q_star:
                lines.append(
                    f"  log squared gradients of random networks spread by ±{self.gradient_spread(n, depth):.3g}"
                )
        table = str(FixedPoints(points=self.fixed_points, marginal=False, grows=False))
        return "\n".join([*lines, "", table, *self.status.messages])

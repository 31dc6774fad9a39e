r"""Why shifted ReLU and soft threshold cannot keep their variance: V touches the diagonal from above.

A piecewise-linear φ that vanishes at its kinks has φφ'' = 0, so by Stein's lemma **V'(q) = χ₁(q) for every q**. On the
edge of chaos therefore V'(q*) = 1 exactly, and with

    V''(q) = σ_w² Σ_j (m_j² - m_{j-1}²) t_j p_j(t_j)/2q > 0      (p_j the density of N(0, q) at the knot t_j)

V is strictly convex: V(q) ≥ q, with equality at q* alone. Below q* variances rise to it as q* - q_l ~ 2/(V'' l); above,
an excess ε grows without bound, in about 2/(V'' ε) layers, and then by a factor σ_w² (m_0² + m_K²)/2 a layer. A network
of finite width is pushed over q* by its own fluctuations, c/√n a layer.

The edge of chaos is a fold: lowering σ_w² by the fraction e opens a stable and an unstable point at q* ∓ √(2e(q* -
σ_b²)/V''), at the price of χ₁ < 1 at the stable one. A basin and χ₁ = 1 cannot both be had; clipping gives both.

That ReLU_τ and ST_τ are unstable by V' and V'': Price, Daultry Ball, Lam, Jones & Tanner (2024), arXiv 2402.16184; the
statement for all q and the times are derived here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation, PiecewiseLinear, activation
from ..activations.piecewise_linear import relu_tau, soft_threshold
from ..errors import DomainError
from ..finite.checks import check_width
from ..gaussian.arguments import real, shown, variance
from ..result import Result, Status
from .exit_time import mean_exit_time
from .families import edge_layer
from .thresholds import threshold
from .unit_shares import shares

_MAKERS = {"relu_tau": relu_tau, "st": soft_threshold}


@dataclass(frozen=True, kw_only=True, eq=False)
class Instability(Result):
    """What `instability` answers.

    Attributes
    ----------
    options : dict
        The activation and q*.
    phi : PiecewiseLinear
        The activation φ.
    sigma_w, sigma_b : float
        Standard deviations on the edge of chaos at q*.
    q_star : float
        The variance that V touches the diagonal at.
    slope, chi_1 : float
        V'(q*) and χ₁(q*): the same number, 1.
    slope_excess : float
        The largest |V' - χ₁|/χ₁ for q from q*/100 to 100 q*: 0, or their rounding.
    curvature : float
        V''(q*) > 0.
    growth : float
        The factor g by which a large variance grows in one layer.
    noise : float
        c: one layer's fluctuation of the variance is c/√n at width n.
    sparsity, linear : float
        Fractions of exact zeros and of units that pass a gradient, at q*.
    input_second_moment : float
        The E x² of inputs that puts the first layer at q*.
    """

    options: dict[str, Any]
    phi: PiecewiseLinear
    sigma_w: float
    sigma_b: float
    q_star: float
    slope: float
    chi_1: float
    slope_excess: float
    curvature: float
    growth: float
    noise: float
    sparsity: float
    linear: float
    input_second_moment: float

    def layers_to_escape(self, excess: float) -> float:
        """About how many layers an excess q - q* = `excess` > 0 takes to grow without bound, at infinite width."""
        return 2 / (self.curvature * real("excess", excess, 1e-300, math.inf, "a variance above q*"))

    def escape_time(self, width: int, q: float | None = None, threshold: float = math.inf) -> float:
        r"""Mean number of layers until a network of width n has a variance above `threshold`, from q (default q*).

            (n/a²c²)^{1/3} [T(X) - T(X_end)],   a = V''/2,   X = (q - q*)(a n/c²)^{1/3}

        The leading order for large n (`exit_time.mean_exit_time`); right to some 40 % at widths of hundreds.
        `escape_probability` has no such limit.

        Examples
        --------
        >>> print(f"{instability('relu_tau', 0.85).escape_time(300):.0f}")
        30
        """
        n = check_width(width)
        a = self.curvature / 2
        unit = (a * n / self.noise**2) ** (1 / 3)
        start = self.q_star if q is None else variance("q", q)
        unbounded = isinstance(threshold, float) and math.isinf(threshold)
        end = math.inf if unbounded else real("threshold", threshold, 0.0, math.inf, "a variance")
        layers = (n / (a * self.noise) ** 2) ** (1 / 3)
        return float(layers * mean_exit_time((start - self.q_star) * unit, (end - self.q_star) * unit))

    def basin_for(self, weight_loss: float) -> tuple[float, float, float]:
        """The stable and the unstable variance that lowering σ_w² by the fraction `weight_loss` opens, and χ₁ at the
        stable one; to leading order in √weight_loss."""
        e = real("weight_loss", weight_loss, 0.0, 1.0, "a fraction of σ_w²")
        d = math.sqrt(2 * e * (self.q_star - self.sigma_b**2) / self.curvature)
        return self.q_star - d, self.q_star + d, self.chi_1 - self.curvature * d

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.options['activation']} on the edge of chaos at q* = {self.q_star:g}: V is convex and touches "
                "the diagonal",
                f"  σ_w = {self.sigma_w:.9g}, σ_b = {self.sigma_b:.9g}, {100 * self.sparsity:.4g} % zeros",
                f"  V'(q) = χ₁(q) for every q (largest difference {self.slope_excess:.1g}), V'(q*) = 1",
                f"  V''(q*) = {self.curvature:.9g} > 0: an excess ε above q* escapes in about "
                f"{2 / self.curvature:.3g}/ε layers",
                f"  then the variance grows by {self.growth:.4g} a layer",
                f"  noise c = {self.noise:.5g}: width 300 escapes after about {self.escape_time(300):.0f} layers",
            ]
        )


def instability(
    kind: str | Activation, sparsity: float | None = None, *, tau: float | None = None, q: float = 1.0
) -> Instability:
    r"""Why a sparsifying activation without a clip is unstable on the edge of chaos, as numbers: V', χ₁, V''.

        V'(q) ≡ χ₁(q),   V''(q*) > 0

    Parameters
    ----------
    kind : str or Activation
        ``relu_tau`` or ``st`` with `sparsity` or `tau`; or a piecewise-linear activation that vanishes at its kinks,
        such as ``relu_tau:1.0``, without either.
    sparsity, tau : float, optional
        Exactly one of them for a kind by name: the fraction of exact zeros, or the threshold τ > 0.
    q : float
        q*.

    Returns
    -------
    Instability

    Raises
    ------
    DomainError
        φ does not vanish at its kinks, or has none away from 0: then V'(q) ≡ χ₁(q) or V'' > 0 does not hold; or an
        argument is out of range.
    InfeasibleError
        There is no edge of chaos at q.

    References
    ----------
    Price, Daultry Ball, Lam, Jones & Tanner 2024, arXiv 2402.16184.

    Examples
    --------
    V''(q*) = hλ(h)/2q*, with λ the inverse Mills ratio f/(1 - Φ):

    >>> found = instability("st", 0.6826894921370859)  # h = 1
    >>> print(f"{found.slope:.12f} {found.chi_1:.12f} {found.curvature:.6f} {1.5251352761609813 / 2:.6f}")
    1.000000000000 1.000000000000 0.762568 0.762568
    """
    at = variance("q", q)
    phi = _unclipped(kind, sparsity, tau, at)
    layer = edge_layer(phi, at)
    curvature = float(layer.curvature(at))
    if not curvature > 0:
        raise DomainError(
            f"{phi.name} has V''(q*) = {curvature:.3g} on its edge of chaos.",
            "Its threshold is at 0 (every variance is then marginal), or negative, so that it is not unstable upwards.",
            "Use a threshold above 0: a sparsity above 1/2 for relu_tau, above 0 for st.",
        )
    around = at * np.geomspace(0.01, 100.0, 81)
    chi = layer.chi_1(around)
    here = shares(phi, at)
    return Instability(
        status=Status(messages=(f"V''(q*) = {curvature:.6g} > 0: variances above q* escape at every width",)),
        options={"activation": phi.name, "q": at},
        phi=phi,
        sigma_w=layer.sigma_w,
        sigma_b=layer.sigma_b,
        q_star=at,
        slope=float(layer.slope(at)),
        chi_1=float(layer.chi_1(at)),
        slope_excess=float(np.max(np.abs(layer.slope(around) - chi)[chi > 0] / chi[chi > 0])),
        curvature=curvature,
        growth=layer.sigma_w**2 * (phi.slopes[0] ** 2 + phi.slopes[-1] ** 2) / 2,
        noise=float(layer.noise(at)),
        sparsity=float(here.zero),
        linear=float(here.linear),
        input_second_moment=float(phi.moments(at).second),
    )


def _unclipped(kind: str | Activation, sparsity: float | None, tau: float | None, q: float) -> PiecewiseLinear:
    """The activation meant, if it vanishes at its kinks."""
    by_name = isinstance(kind, str) and kind in _MAKERS
    if by_name != ((sparsity is None) != (tau is None)):
        raise DomainError(
            f"instability of {shown(kind)} with sparsity = {shown(sparsity)} and tau = {shown(tau)}.",
            "A kind by name needs exactly one of the two; an activation has its threshold already.",
            "Write instability('relu_tau', 0.85), instability('st', tau=1.0) or instability('relu_tau:1.0').",
        )
    if isinstance(kind, str) and by_name:
        h = threshold(kind, sparsity) * math.sqrt(q) if sparsity is not None else tau
        return _MAKERS[kind](h)  # type: ignore[arg-type]
    phi = activation(kind)
    if not isinstance(phi, PiecewiseLinear) or phi.linear or any(phi(np.array(phi.t))):
        raise DomainError(
            f"{phi.name} does not vanish at its kinks, or is not piecewise linear with kinks.",
            "The statement V' = χ₁ for every q rests on φφ'' = 0.",
            "Use relu_tau or st, or see gpdeep.meanfield.fixed_points for other activations.",
        )
    return phi

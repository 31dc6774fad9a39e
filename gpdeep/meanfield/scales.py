r"""How deep signals and gradients reach at infinite width: the depth scales of lengths, correlations and gradients.

    ξ_q = -1/ln|V'(q*)|,   ξ_c = -1/ln χ_{c*},   ξ_grad = 1/|ln χ₁|,   χ_{c*} = C'(c*)

c* is the correlation that all pairs of inputs approach: 1 where χ₁ ≤ 1 (ordered phase: inputs become indistinguishable,
gradients vanish; χ_{c*} = χ₁), and the fixed point c* < 1 of C where χ₁ > 1 (chaotic: inputs become unrelated,
gradients explode). On the edge between the two the approach is algebraic (`edge_law`) and ξ_c is infinite.

The trainable depth is a rule of thumb, L ≤ 6 ξ_c (Schoenholz et al. 2017, §5): what is left of a difference of
correlations after 6 ξ_c layers is e^-6 = 0.25 %. The factor is an argument.

Assumptions: infinite width, initialisation, inputs of variance q* (or after a few ξ_q layers).
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any

from ..activations import Activation, activation
from ..gaussian.arguments import real, variance
from ..result import SCHEMA_VERSION, Result, Status, StatusCode, render_table
from .correlation import CorrelationMap
from .fixed_point import FixedPoint, FixedPoints, points_of, scale2
from .roots import bracketed_root
from .variance import VarianceMap

EDGE_WIDTH = 1e-9
"""|χ₁ - 1| up to here counts as the edge of chaos."""

_LEAST_ANGLE = 1e-12


class Phase(enum.StrEnum):
    """On which side of the edge of chaos."""

    ORDERED = "ordered"
    CHAOTIC = "chaotic"
    EDGE = "edge"


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthScales(Result):
    """What `depth_scales` answers; infinite scales are inf, what does not exist is NaN.

    Attributes
    ----------
    options : dict
        The activation and every parameter.
    q_star : float
        The variance that q converges to: inf where it grows without bound.
    fixed_points : tuple of FixedPoint
        All fixed points of V.
    chi_1 : float
        χ₁(q*).
    c_star, one_minus_c_star : float
        The limit of correlations, and 1 minus it with its own digits.
    xi_q, xi_c, xi_grad : float
        Depth scales in layers.
    phase : Phase
    trainable_depth : float
        factor · ξ_c.
    marginal : bool
        Whether every q is a fixed point.
    grows : bool
        Whether variances above the last fixed point grow without bound.
    """

    options: dict[str, Any]
    q_star: float
    fixed_points: tuple[FixedPoint, ...]
    chi_1: float
    c_star: float
    one_minus_c_star: float
    xi_q: float
    xi_c: float
    xi_grad: float
    phase: Phase
    trainable_depth: float
    marginal: bool
    grows: bool

    def to_dict(self) -> dict[str, Any]:
        """The object that ``gpdeep maps --json`` prints."""
        plain = super().to_dict()
        return {"schema_version": SCHEMA_VERSION, "command": "maps", "inputs": plain.pop("options"), **plain}

    def __str__(self) -> str:
        o = self.options
        title = f"{o['activation']}  σ_w = {o['sigma_w']:.9g}, σ_b = {o['sigma_b']:.9g}, q = {o['q']:g}: {self.phase}"
        rows = [
            ["q*", _shown(self.q_star), "variance that stays" + (" (every variance does)" if self.marginal else "")],
            ["χ₁", _shown(self.chi_1), "factor of squared gradients per layer"],
            ["1 - c*", _shown(self.one_minus_c_star), "of the limit of correlations"],
            ["ξ_q", _shown(self.xi_q), "layers, lengths"],
            ["ξ_c", _shown(self.xi_c), "layers, correlations"],
            ["ξ_grad", _shown(self.xi_grad), "layers, gradients"],
            ["depth", _shown(self.trainable_depth), f"trainable, {o['factor']:g} ξ_c"],
        ]
        table = render_table(title, ["", "value", "of"], rows)
        points = str(FixedPoints(points=self.fixed_points, marginal=self.marginal, grows=self.grows))
        return "\n".join([table, "", points, *self.status.messages])


def depth_scales(
    phi: str | Activation,
    *,
    sigma_w: float,
    sigma_b: float = 0.0,
    q: float = 1.0,
    factor: float = 6.0,
    alpha: float = 0.0,
    beta: float = 1.0,
    layer_norm: bool = False,
) -> DepthScales:
    r"""Phase, limits and depth scales of a network of equal layers, ξ.

        ξ_q = -1/ln|V'(q*)|,   ξ_c = -1/ln χ_{c*},   ξ_grad = 1/|ln χ₁|

    Parameters
    ----------
    phi, sigma_w, sigma_b, alpha, beta, layer_norm
        As `VarianceMap`.
    q : float
        Variance of the first pre-activations, q > 0: which fixed point it converges to is found by its basin.
    factor : float
        Trainable depth in units of ξ_c, > 0.

    Returns
    -------
    DepthScales
        Its status is `outside_validity` where q grows without bound or vanishes: correlations then have no depth scale
        of this kind.

    Raises
    ------
    DomainError
        A parameter is out of range.

    Notes
    -----
    c* solves (χ₁ - 1) δ = χ₁ δ - (1 - C), both sides without cancellation: near the edge δ* = 1 - c* keeps its digits
    (relative error about 1e-15 χ₁/(χ₁ - 1)).

    References
    ----------
    Schoenholz et al. 2017, arXiv 1611.01232, eq. 7, 9 and 14.

    Examples
    --------
    >>> scales = depth_scales("tanh", sigma_w=3**0.5, sigma_b=0.05**0.5)
    >>> print(scales.phase, f"{scales.c_star:.6f} {scales.xi_c:.4f}")
    chaotic 0.299318 9.0515
    """
    layer = VarianceMap(activation(phi), sigma_w, sigma_b, alpha, beta, layer_norm)
    start = variance("q", q)
    factor = real("factor", factor, 0.0, math.inf, "the trainable depth in units of ξ_c")
    found = points_of(layer)
    point = found.attractor(start)
    options = {**layer.options, "q": start, "factor": factor}
    q_star = start if found.marginal else point.q if point else math.inf
    far = min(1e8 * scale2(layer.phi), 0.5 * layer.phi.largest_variance)
    at = start * 1e-20 if q_star == 0 else min(q_star, max(start, far))
    chi_1, slope = (float(point.chi_1), float(point.slope)) if point else _growing(layer, at)
    phase = Phase.EDGE if abs(chi_1 - 1) <= EDGE_WIDTH else Phase.CHAOTIC if chi_1 > 1 else Phase.ORDERED
    if not 0 < q_star < math.inf:
        limit, chi_c, status = math.nan, math.nan, _unbounded(layer, q_star, at, chi_1)
    else:
        limit, chi_c, status = *_limit(CorrelationMap(layer, q_star)), Status()
        if point and not point.stable and not found.marginal:
            status = Status(StatusCode.OK, (f"q* = {q_star:.9g} is not stable: V'(q*) = {slope:.6g}",))
    xi_c = math.inf if phase is Phase.EDGE and not math.isnan(chi_c) else scale(chi_c)
    return DepthScales(
        status=status,
        options=options,
        q_star=q_star,
        fixed_points=found.points,
        chi_1=chi_1,
        c_star=1 - limit,
        one_minus_c_star=limit,
        xi_q=scale(slope),
        xi_c=xi_c,
        xi_grad=math.inf if phase is Phase.EDGE else abs(1 / math.log(chi_1)) if chi_1 > 0 else 0.0,
        phase=phase,
        trainable_depth=float(factor) * xi_c,
        marginal=found.marginal,
        grows=found.grows,
    )


def scale(multiplier: float) -> float:
    """-1/ln|x|: the number of layers in which |x|^l falls by e; inf for |x| ≥ 1 up to rounding, 0 for x = 0."""
    size = abs(multiplier)
    if size == 0:
        return 0.0
    return -1 / math.log(size) if size < 1 else math.nan if math.isnan(size) else math.inf


def _limit(correlations: CorrelationMap) -> tuple[float, float]:
    """1 - c* and χ_{c*}."""
    slope = correlations.slope_at_one
    if float(correlations.excess(math.pi / 2)) <= 1e-15:  # φ is linear: c stays as it is
        return math.nan, math.nan
    if slope <= 1:
        return 0.0, slope

    def excess(x: float) -> float:
        return float(correlations.excess(math.exp(x))) - (slope - 1)

    # C is convex on [0, 1] with C(0) ≥ 0, so c* is the one fixed point there below 1; odd maps have it at 0
    low, high = math.log(_LEAST_ANGLE), math.log(math.pi / 2)
    if excess(low) >= 0:
        return 0.0, slope
    if correlations.odd or excess(high) <= 0:
        return 1.0, float(correlations.slope(math.pi / 2))
    theta = math.exp(bracketed_root(excess, low, high))
    return 2 * math.sin(theta / 2) ** 2, float(correlations.slope(theta))


def _growing(layer: VarianceMap, q: float) -> tuple[float, float]:
    """χ₁ and V' at a variance far out."""
    return float(layer.chi_1(q)), float(layer.slope(q))


def _unbounded(layer: VarianceMap, q_star: float, at: float, chi_1: float) -> Status:
    grows = q_star > 0
    what = f"grows beyond {at:.3g}, as far as was searched" if grows else "falls to 0"
    where = "below that" if grows else "0 < q* < ∞"
    advice = " or add a bias" if q_star == 0 and layer.sigma_b == 0 else ""
    return Status(
        StatusCode.OUTSIDE_VALIDITY,
        (
            f"The variance {what}: there is no fixed point {where}, χ₁ = {chi_1:.6g} there, and correlations do "
            f"not approach a limit exponentially. Choose σ_w, σ_b on the edge of chaos{advice}.",
        ),
    )


def _shown(value: float) -> str:
    return "∞" if math.isinf(value) else "-" if math.isnan(value) else f"{value:.9g}"

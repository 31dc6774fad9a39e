r"""The edge of chaos: weights and biases with which neither angles nor gradients grow or shrink exponentially.

    V(q*) = q*  and  χ₁(q*) = 1:      σ_w² = r q*/(q_φ E φ'²),      σ_b² = r q* - σ_w² E φ²,      r = (1 - α²)/β²

with expectations at the variance q_φ that φ sees: q* itself (1 with layer normalisation); for dense layers r = 1 and
σ_w² = 1/E φ'². There is one solution for each q* for which σ_b² ≥ 0 comes out. So the edge is solved for in the
direction from q*; a given σ_b is a root search in the one unknown q*, which may have several solutions or none.

Poole et al. (2016), §4; Schoenholz et al. (2017), §3; Hayou, Doucet & Rousseau (2019), §3 for the parametrisation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..activations import Activation, activation
from ..errors import DomainError, InfeasibleError
from ..gaussian.arguments import variance
from ..result import SCHEMA_VERSION, FloatArray, Result, Status
from .fixed_point import scale2, search_grid, vanishes_at_zero
from .roots import all_roots
from .variance import VarianceMap

_LOW, _HIGH, _PER_DECADE = 1e-6, 1e4, 6
_ROUNDING = 16 * np.finfo(np.float64).eps
_TINY = 1e-20  # stands for q* = 0
_FLAT = 1e-6  # |V''(0)| below this is 0
LEAST_RESPONSE = 1e-8
"""Points of the edge with E φ'² below this, σ_w above 10,000, are left out: hardly a neuron responds there."""


@dataclass(frozen=True)
class EdgePoint:
    """One point of the edge of chaos: standard deviations and the variance that stays."""

    sigma_w: float
    sigma_b: float
    q_star: float


@dataclass(frozen=True, kw_only=True, eq=False)
class EdgeOfChaos(Result):
    """What `edge_of_chaos` answers.

    Attributes
    ----------
    options : dict
        The activation and what was asked for.
    sigma_w, sigma_b : float
        Standard deviations of weights (times √fan-in) and biases.
    q_star : float
        The variance q* of pre-activations that stays; 0 for the critical point without bias of tanh and the like.
    chi_1 : float
        χ₁(q*) of these standard deviations: 1 to rounding.
    slope, curvature : float
        V'(q*) and V''(q*): the variance itself is stable if V' < 1; if V' = 1, V'' > 0, it escapes upwards.
    chi_2 : float
        C''(1): correlations approach 1 as 2/(C''(1) l). Infinite if φ has kinks, NaN where it is out of reach.
    kappa : float
        Coefficient of the power 3/2 for φ with kinks: 1 - c falls as 4/(κ l)². 0 if φ is smooth.
    marginal : bool
        Whether every q is a fixed point (homogeneous φ without bias).
    other_solutions : tuple of EdgePoint
        Further q* with the same σ_b.
    """

    options: dict[str, Any]
    sigma_w: float
    sigma_b: float
    q_star: float
    chi_1: float
    slope: float
    curvature: float
    chi_2: float
    kappa: float
    marginal: bool
    other_solutions: tuple[EdgePoint, ...]

    def to_dict(self) -> dict[str, Any]:
        """The object that ``gpdeep eoc --json`` prints."""
        plain = super().to_dict()
        return {"schema_version": SCHEMA_VERSION, "command": "eoc", "inputs": plain.pop("options"), **plain}

    def __str__(self) -> str:
        lines = [
            f"edge of chaos of {self.options['activation']}",
            f"  σ_w = {self.sigma_w:.12g}   (σ_w² = {self.sigma_w**2:.12g})",
            f"  σ_b = {self.sigma_b:.12g}   (σ_b² = {self.sigma_b**2:.12g})",
            f"  q*  = {self.q_star:.12g}" + ("   (every variance stays as it is)" if self.marginal else ""),
            f"  V'(q*) = {self.slope:.9g}, V''(q*) = {self.curvature:.9g}, χ₁ = 1",
        ]
        if self.kappa > 0:
            lines.append(f"  kinked: 1-c falls as 4/(κ l)², κ = {self.kappa:.9g}")
        elif self.chi_2 > 0:
            lines.append(f"  smooth: 1-c falls as 2/(C'' l), C''(1) = {self.chi_2:.9g}")
        lines += [
            f"  also: σ_w = {p.sigma_w:.9g}, σ_b = {p.sigma_b:.9g}, q* = {p.q_star:.9g}" for p in self.other_solutions
        ]
        return "\n".join([*lines, *(f"  {message}" for message in self.status.messages)])


def edge_of_chaos(
    phi: str | Activation,
    *,
    q: float | None = None,
    sigma_b: float | None = None,
    alpha: float = 0.0,
    beta: float = 1.0,
    layer_norm: bool = False,
) -> EdgeOfChaos:
    r"""The weight variance on the edge of chaos, σ_w.

        χ₁ = 1,  V(q*) = q*

    Parameters
    ----------
    phi : str or Activation
    q, sigma_b : float
        Exactly one of them: the variance q* > 0 to stay, or the biases' standard deviation σ_b ≥ 0.
    alpha, beta, layer_norm
        As `VarianceMap`; |α| < 1.

    Returns
    -------
    EdgeOfChaos
        With the smallest q* where σ_b leaves several.

    Raises
    ------
    DomainError
        Not exactly one of `q` and `sigma_b` is given, or a parameter is out of range.
    InfeasibleError
        There is no such point; the message gives the range of those that exist.

    Notes
    -----
    Given q*, two expectations. Given σ_b, q* is searched between 1e-6 and 1e4 times the activation's scale squared;
    rounding of q* is about 1e-16 q*²/(dσ_b²/d ln q*), so a σ_b near 0 fixes q* less well than σ_w. Points where hardly
    a neuron responds, E φ'² < 1e-8, are left out. A few milliseconds.

    References
    ----------
    Schoenholz et al. 2017, arXiv 1611.01232, §3.

    Examples
    --------
    >>> edge = edge_of_chaos("tanh", sigma_b=0.05**0.5)
    >>> print(f"{edge.sigma_w**2:.12f} {edge.q_star:.12f} {edge.slope:.9f}")
    1.760954639607 0.570047881641 0.518186484
    """
    function = activation(phi)
    if (q is None) == (sigma_b is None):
        raise DomainError(
            "Both q and sigma_b were given." if q is not None else "Neither q nor sigma_b was given.",
            "The edge of chaos is a curve; one number picks a point of it.",
            "Give exactly one of q (the variance to stay) and sigma_b (the biases' standard deviation).",
        )
    layer = VarianceMap(function, 1.0, 0.0 if sigma_b is None else sigma_b, alpha, beta, layer_norm)
    options = {key: value for key, value in layer.options.items() if key != "sigma_w"}
    options |= {"q": None if q is None else variance("q", q), "sigma_b": None if sigma_b is None else layer.sigma_b}
    if abs(layer.alpha) >= 1:
        raise InfeasibleError(
            f"alpha = {layer.alpha:g}: χ₁ = α² + β² σ_w² E φ'² is above 1 for all weights.",
            "A residual layer that keeps its input in full lets lengths and gradients grow.",
            "Use |alpha| < 1, for instance alpha² + beta² = 1.",
        )
    points = [_at(layer, variance("q", q))] if q is not None else _with_bias(layer)
    first, others = points[0], tuple(points[1:])
    return _answer(layer, first, others, options)


def _bias_var(layer: VarianceMap, q: Any) -> tuple[Any, Any, Any]:
    """σ_b² on the edge as a function of q*, its derivative, and E φ'²."""
    m, seen = layer.moments(q), layer.seen(q)
    share = (1 - layer.alpha**2) / layer.beta**2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = m.second / m.slope_second
        if layer.layer_norm:
            return share * (1 - ratio) * q, share * (1 - ratio), m.slope_second
        value = share * (seen - ratio)
        slope = share * (1 - (m.d_second - ratio * m.d_slope_second) / m.slope_second)
    return np.where(np.abs(value) <= _ROUNDING * q, 0.0, value)[()], slope, m.slope_second


def _at(layer: VarianceMap, q: float) -> EdgePoint:
    """The point of the edge at q*."""
    value, _, slope = _bias_var(layer, q)
    bias_var, slope_second = float(value), float(slope)
    if not slope_second >= LEAST_RESPONSE:
        raise InfeasibleError(
            f"{layer.phi.name} has no usable edge of chaos at q = {q:g}: E φ'² = {slope_second:.3g}, so σ_w would be "
            f"{1 / math.sqrt(max(slope_second, 1e-300)):.3g}.",
            "Hardly a neuron responds at this variance: a threshold is many standard deviations away, or a slope tiny.",
            "Choose a larger q.",
        )
    if not bias_var >= 0:
        low, high = _feasible(layer)
        raise InfeasibleError(
            f"{layer.phi.name} has no edge of chaos at q = {q:g}: it would need σ_b² = {bias_var:.6g}.",
            "There the activation's mean square is too large for its mean squared slope."
            + (
                f" It exists for q from about {low:.4g} to {high:.4g}."
                if low <= high
                else " No q was found to have one."
            ),
            "Choose q in that range." if low <= high else "Use another activation, or layer normalisation.",
        )
    share = (1 - layer.alpha**2) / layer.beta**2
    sigma_w = math.sqrt(share * q / (float(layer.seen(np.float64(q))) * slope_second))
    return EdgePoint(sigma_w, math.sqrt(bias_var), q)


def _with_bias(layer: VarianceMap) -> list[EdgePoint]:
    """All points of the edge with the layer's σ_b."""
    target = layer.sigma_b**2
    if layer.layer_norm:
        per_q = float(_bias_var(layer, 1.0)[1])
        if per_q > 0 < target or (per_q == 0 == target):
            return [_at(layer, target / per_q if target else 1.0)]
        raise InfeasibleError(
            f"{layer.phi.name} with layer normalisation has no edge of chaos with sigma_b = {layer.sigma_b:g}.",
            f"There σ_b² = {per_q:.6g} q*: " + ("any σ_b > 0 has one." if per_q > 0 else "σ_b² would be negative."),
            "Give sigma_b > 0, or q." if per_q > 0 else "Use another activation.",
        )
    grid = _grid(layer.phi)
    bias_var, _ = _searched(layer, grid)
    if target == 0 and (bias_var[np.isfinite(bias_var)] == 0).all():  # homogeneous: the whole curve lies there
        return [_at(layer, 1.0)]

    def f(q: Any) -> tuple[Any, Any]:
        value, slope = _searched(layer, q)
        excess = (value - target) / q
        return excess, slope - excess

    usable = np.isfinite(bias_var)
    if target == 0:
        usable &= bias_var != 0  # where it is 0 to rounding, as in the linear part of hard_tanh, no q* stands out
    found = [_at(layer, q) for q in all_roots(f, grid[usable])] if usable.sum() > 1 else []
    if target == 0:
        found = [*_critical_at_zero(layer), *found]
    if not found:
        there = bias_var[usable & (bias_var >= 0)]
        raise _no_bias(layer, float(there.min(initial=math.inf)), float(there.max(initial=0.0)))
    return [replace(point, sigma_b=layer.sigma_b) for point in found]


def _critical_at_zero(layer: VarianceMap) -> list[EdgePoint]:
    """The critical point q* = 0 of a smooth φ with φ(0) = 0 ≠ φ'(0): σ_w φ'(0) = √r."""
    if layer.phi.homogeneous or not vanishes_at_zero(layer) or any(t == 0 for t, _ in layer.phi.kinks):
        return []
    slope = math.sqrt(float(layer.moments(_TINY * scale2(layer.phi)).slope_second))
    if slope == 0:
        return []
    return [EdgePoint(math.sqrt(1 - layer.alpha**2) / (abs(layer.beta) * slope), 0.0, 0.0)]


def _searched(layer: VarianceMap, q: Any) -> tuple[Any, Any]:
    """`_bias_var` and its derivative, NaN where φ hardly responds."""
    value, slope, slope_second = _bias_var(layer, q)
    return np.where(slope_second >= LEAST_RESPONSE, value, np.nan)[()], slope


def _grid(phi: Activation) -> FloatArray:
    return search_grid(_LOW * scale2(phi), min(_HIGH * scale2(phi), phi.largest_variance), _PER_DECADE)


def _feasible(layer: VarianceMap) -> tuple[float, float]:
    """The smallest and the largest q* searched at which the edge exists."""
    grid = _grid(layer.phi)
    with_edge = grid[_searched(layer, grid)[0] >= 0]
    return (float(with_edge[0]), float(with_edge[-1])) if with_edge.size else (math.inf, 0.0)


def _no_bias(layer: VarianceMap, low: float, high: float) -> InfeasibleError:
    return InfeasibleError(
        f"{layer.phi.name} has no edge of chaos with sigma_b = {layer.sigma_b:g}.",
        "Its edge lies at sigma_b = 0 alone."
        if low == high == 0
        else f"Along its edge σ_b goes from about {math.sqrt(low):.4g} to {math.sqrt(high):.4g} in the range searched."
        if low <= high
        else "It has no edge of chaos at all in the range searched.",
        "Use sigma_b = 0."
        if low == high == 0
        else "Choose sigma_b in that range, or give q instead."
        if low <= high
        else "Use another activation, or layer normalisation.",
    )


def _answer(
    layer: VarianceMap, point: EdgePoint, others: tuple[EdgePoint, ...], options: dict[str, Any]
) -> EdgeOfChaos:
    """The point with what can be said about it."""
    edge = replace(layer, sigma_w=point.sigma_w, sigma_b=point.sigma_b)
    marginal = layer.phi.homogeneous and point.sigma_b == 0 and not layer.layer_norm
    at = point.q_star if point.q_star > 0 else _TINY * scale2(layer.phi)
    slope = float(edge.slope(at))
    messages: list[str] = []
    if point.q_star == 0:
        curvature = float(curvature_at_zero(edge))
        messages.append(f"q* = 0: {_near_zero(curvature)}")
    else:
        curvature = float(edge.curvature(at))
        if marginal:
            messages.append("every variance is a fixed point: V(q) = q")
        elif slope > 1 + _ROUNDING:
            messages.append(f"V'(q*) = {slope:.6g} > 1: the variance leaves q*; the edge is not stable here")
        elif slope >= 1 - _ROUNDING and curvature > 0:
            messages.append("V'(q*) = 1 and V''(q*) > 0: variances above q* escape, in finite networks all do")
    try:
        chi_2 = 0.0 if point.q_star == 0 else float(edge.chi(2, at))
    except DomainError as error:  # the series for E φ''² is too long at this variance
        chi_2 = math.nan
        messages.append(f"C''(1) is not given: {error.found}")
    return EdgeOfChaos(
        status=Status(messages=tuple(messages)),
        options=options,
        sigma_w=point.sigma_w,
        sigma_b=point.sigma_b,
        q_star=point.q_star,
        chi_1=float(edge.chi_1(at)),
        slope=slope,
        curvature=curvature,
        chi_2=chi_2,
        kappa=float(edge.kappa(at)),
        marginal=marginal,
        other_solutions=others,
    )


def _near_zero(curvature: float) -> str:
    """What variances do near the critical point q* = 0."""
    if curvature > _FLAT:
        return "V'' > 0, so every variance grows away from it; choose sigma_b > 0 or another q"
    if curvature < -_FLAT:
        return "variances fall as 1/l and angles keep a limit that is not 0 (meanfield.critical_law)"
    return "φ is linear near 0 to all orders, variances fall slower than any power"


def curvature_at_zero(layer: VarianceMap) -> float:
    """V''(0): as the limit where φ knows its Taylor series, else extrapolated from q = 1e-3, 2e-3, 4e-3 (scaled)."""
    if getattr(layer.phi, "taylor", None) or getattr(layer.phi, "closed_moments", None):
        return float(layer.curvature(_TINY))
    h = 1e-3 * scale2(layer.phi)
    one, two, four = (float(layer.curvature(k * h)) for k in (1, 2, 4))
    return (8 * one - 6 * two + four) / 3

r"""From a wanted sparsity to a clip level, weight and bias variances: `design`, the main job of `gpdeep.sparse`.

    sparsity s → h = τ/√q* → m with V'(q*) = η → σ_w² = 1/E φ'²,  σ_b² = q* - σ_w² E φ²

The edge of chaos, χ₁ = 1, keeps angles and gradients from growing or shrinking exponentially; V'(q*) = η < 1 keeps the
variance. Both together take a clip, and every η in (0, 1) has exactly one level (`clipping`). A smaller η pulls
variances back faster and fluctuates less, but merges correlations sooner (κ) and leaves fewer units linear; a larger
one has the opposite price, and beyond the `fold` a second stable variance in which gradients explode. Gradients are
noisy at both ends: of few linear units, or of variances that are long remembered (`fluctuations`).

Which η? Given width n and depth L, the largest on a grid of 0.05 whose probability of escape is below p_fail, and below
the fold (`safe_slope`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np

from ..activations import PiecewiseLinear
from ..errors import DomainError, InfeasibleError
from ..gaussian.arguments import real, shown, variance
from ..meanfield.fixed_point import FixedPoint, FixedPoints, points_of
from ..meanfield.variance import VarianceMap
from .design_result import Design
from .design_status import status_of
from .escape import check_law, escape_probability
from .families import Family, ThresholdFamily, edge_layer, family
from .fold_point import fold
from .safe_slope import check_shape, largest_slope_of
from .thresholds import FARTHEST, threshold
from .unit_shares import shares

_SAME = 1e-6
_STEEPEST = 1 - 1e-7  # beyond, the unstable fixed point cannot be told from q*

Kind = str | Callable[[float], PiecewiseLinear]


def design(
    kind: Kind,
    sparsity: float | None = None,
    *,
    tau: float | None = None,
    slope: float | None = None,
    m: float | None = None,
    width: int | None = None,
    depth: int | None = None,
    q: float = 1.0,
    p_fail: float = 0.01,
    law: str = "exact",
) -> Design:
    r"""The clip level and the initialisation of a sparsifying activation: m, σ_w, σ_b.

        χ₁(q*) = 1,   V(q*) = q*,   V'(q*) = η

    Parameters
    ----------
    kind : str or callable
        ``crelu``, ``cst``, ``hard_tanh`` (cst at sparsity 0), or a function m ↦ PiecewiseLinear of the free clip level
        m > 0, in units of the pre-activations.
    sparsity, tau : float
        Exactly one of them for a kind by name: the fraction of exact zeros, or the threshold τ. None for ``hard_tanh``
        and for a function.
    slope, m : float, optional
        At most one: η in (0, 1), or the clip level itself. Without, width and depth choose the largest safe slope.
    width, depth : int, optional
        n and L hidden layers, both or none: adds the probability of escape.
    q : float
        q*, the variance of pre-activations: a scale. τ, m and σ_b go with √q*, σ_w stays as it is; inputs are to have
        a mean square proportional to q* (`Design.input_second_moment`).
    p_fail : float
        The probability of escape that is tolerated, in (0, 1).
    law : str
        ``exact`` or ``gamma``, as `escape_probability`.

    Returns
    -------
    Design
        Its status is `outside_validity` where a second stable variance exists or escapes are likelier than p_fail.

    Raises
    ------
    DomainError
        An argument is out of range, or too few or too many were given.
    InfeasibleError
        No such design exists; the message says what binds and by how much.

    Notes
    -----
    *Which slope?* With width and depth, leave it out; else 0.7 is a good start. *Convolutions*: the number of channels
    is the width, on the safe side; of several widths take the smallest. *A network* is made by `gpdeep.nn.module_of`,
    `initialize` and `scale_inputs`, and looked at by `probe`. Much deeper than n (1 - s) layers it does not train in
    reach of a CPU, whatever its variance (measured, not derived).

    m, σ_w and σ_b to a relative 1e-13 for slopes above 0.001 (for the hard tanh with η near 1 too, where σ_b² is a
    difference of nearly equal numbers); below, the rounding of τ + m shows. For a function, all levels between 0.001
    and 30 √q* are found; the smallest is taken, and the others are in `other_levels`. 10 to 50 ms with `slope`, some
    0.2 s to choose one.

    References
    ----------
    Price, Daultry Ball, Lam, Jones & Tanner 2024, arXiv 2402.16184: clipped activations, m chosen by V'(q*), V''(q*).

    Examples
    --------
    >>> one = design("crelu", 0.85, slope=0.7)
    >>> print(f"tau {one.tau:.4f}, m {one.m:.4f}, sigma_w {one.sigma_w:.4f}, sigma_b {one.sigma_b:.4f}")
    tau 1.0364, m 1.1704, sigma_w 2.7083, sigma_b 0.7716
    >>> print(f"V' = {one.slope:.12f}, chi_1 = {one.chi_1:.12f}, unstable: {one.unstable_q}")
    V' = 0.700000000000, chi_1 = 1.000000000000, unstable: None
    >>> design("cst", 0.85, width=300, depth=100).slope
    0.75
    """
    at = variance("q", q)
    tolerance = real("p_fail", p_fail, 0.0, 1.0, "the probability of escape that is tolerated")
    shape = check_shape(width, depth)
    check_law(law)
    members = _family(kind, sparsity, tau, at)
    if slope is not None and m is not None:
        raise DomainError(
            f"Both slope = {shown(slope)} and m = {shown(m)} were given.",
            "Either of them fixes the clip level.",
            "Give one of them.",
        )
    if slope is None and m is None:
        if shape is None:
            raise DomainError(
                "Neither slope nor m was given, nor width and depth.",
                "A clip level follows from one of these.",
                "Give slope (0.7 is a good start), or width and depth for the largest safe slope.",
            )
        slope = largest_slope_of(members, at, *shape, tolerance, law)
    if m is not None:
        levels = [real("m", m, 0.0, math.inf, "a clip level on the axis of the activations")]
    else:
        slope = real("slope", slope, -math.inf, math.inf, "the slope V'(q*)")
        levels = members.levels(slope, at)
    layer = _feasible(members, levels[0], at, slope)
    return _answer(members, layer, levels, at, shape, tolerance, law, sparsity, slope)


def _family(kind: Kind, sparsity: float | None, tau: float | None, q: float) -> Family:
    """The family meant, with its threshold."""
    if not isinstance(kind, str) or kind == "hard_tanh":
        if tau is not None or not (sparsity is None or (np.ndim(sparsity) == 0 and sparsity == 0)):
            raise DomainError(
                f"{shown(kind)} was given with sparsity = {shown(sparsity)} and tau = {shown(tau)}.",
                "The hard tanh, and a function of m, have the threshold they have.",
                "Leave both out, or use crelu or cst.",
            )
        return family("cst", 0.0) if isinstance(kind, str) else family(kind)
    family(kind)  # an unknown name is refused as such
    if (sparsity is None) == (tau is None):
        raise DomainError(
            f"sparsity = {shown(sparsity)} and tau = {shown(tau)}.",
            "The threshold follows from exactly one of them.",
            f"Give one, as in design({shown(kind)}, sparsity=0.85, slope=0.7).",
        )
    if sparsity is not None:
        return family(kind, threshold(kind, sparsity) * math.sqrt(q))
    found = family(kind, 0.0 if tau is None else tau)
    if not abs(found.tau or 0.0) < FARTHEST * math.sqrt(q):
        raise InfeasibleError(
            f"tau = {tau:g} is {abs(found.tau or 0.0) / math.sqrt(q):.3g} standard deviations at q* = {q:g}.",
            "So far out hardly a unit responds, or hardly one does not.",
            f"Use a threshold below {FARTHEST * math.sqrt(q):.3g}, or a larger q.",
        )
    return found


def _feasible(members: Family, m: float, q: float, slope: float | None) -> VarianceMap:
    """The layer at the clip level m, or what stands in its way."""
    phi = members.make(m)
    try:
        steep = members.slope(m, q)
        if isinstance(members, ThresholdFamily) and steep > _STEEPEST:
            raise InfeasibleError(
                f"{phi.name} has V'(q*) = 1 - {1 - steep:.2g} at q* = {q:g}.",
                "The clip is so far out that hardly a unit reaches it: the variance is as unstable as without.",
                f"Use a clip level below {members.levels(_STEEPEST, q)[0]:.4g}, or a smaller slope.",
            )
        return edge_layer(phi, q)
    except InfeasibleError as error:
        most = members.largest_feasible(q)
        if most in (0.0, math.inf) or m <= most:
            raise
        asked = f"slope {slope:g} takes m = {m:.6g}" if slope is not None else f"m = {m:.6g}"
        steepest = members.slope(most, q)
        choice = f"m up to {most:.4g}, a slope up to {steepest:.3g}, or " if steepest > 0 else ""
        raise InfeasibleError(
            f"{error.found} ({asked}.)",
            "σ_b² ≥ 0 binds: a variance cannot be negative. For τ < 0 the clip level is limited: here m ≤ "
            f"{most:.6g}, where V'(q*) = {steepest:.4g}.",
            f"Choose {choice}a threshold of 0 or more (crelu: a sparsity of at least 0.5), where σ_b² ≥ 0 never binds.",
        ) from error


def _answer(
    members: Family,
    layer: VarianceMap,
    levels: list[float],
    q: float,
    shape: tuple[int, int] | None,
    p_fail: float,
    law: str,
    sparsity: float | None,
    slope: float | None,
) -> Design:
    """The design with everything that is known about it."""
    phi = cast(PiecewiseLinear, layer.phi)  # families make nothing else
    points = _with_q_star(points_of(layer), layer, q)
    stays = next((point for point in points if point.q == q), None)
    above = [point for point in points if point.q > q]
    basin = stays.basin if stays else (q, q)
    unstable = basin[1] if q < basin[1] < math.inf else None
    moments, here = phi.moments(q), shares(phi, q)
    escape = None
    if shape is not None:
        escape = escape_probability(
            phi,
            sigma_w=layer.sigma_w,
            sigma_b=layer.sigma_b,
            width=shape[0],
            depth=shape[1],
            threshold=min(2 * q, unstable or math.inf),
            q=q,
            law=law,
        )
    found = Design(
        options={
            "family": members.name,
            "sparsity": float(here.zero) if sparsity is None else float(sparsity),
            "tau": members.tau,
            "slope": float(members.slope(levels[0], q)) if slope is None else float(slope),
            "m": levels[0],
            "width": shape[0] if shape else None,
            "depth": shape[1] if shape else None,
            "q": q,
            "p_fail": p_fail,
            "law": law,
        },
        phi=phi,
        activation=phi.name,
        tau=members.tau,
        m=levels[0],
        sigma_w=layer.sigma_w,
        sigma_b=layer.sigma_b,
        q_star=q,
        chi_1=float(layer.chi_1(q)),
        slope=float(members.slope(levels[0], q)),
        curvature=float(layer.curvature(q)),
        d_chi_1=float(layer.d_chi_1(q)),
        kappa=float(layer.kappa(q)),
        noise=float(layer.noise(q)),
        c_zero=float((layer.sigma_w * moments.mean) ** 2 + layer.sigma_b**2) / q,
        sparsity=float(here.zero),
        linear=float(here.linear),
        clipped=float(here.clipped),
        fixed_points=points,
        basin=basin,
        fold_slope=_fold_slope(members, q),
        other_levels=tuple(levels[1:]),
        input_second_moment=float(moments.second),
        escape_threshold=min(2 * q, unstable or math.inf),
        escape_probability=None if escape is None else float(escape.probability[-1]),
        escape_error=None if escape is None else escape.error,
        escape=escape,
    )
    return replace(found, status=status_of(found, above, p_fail))


def _fold_slope(members: Family, q: float) -> float:
    """The largest slope without a second stable variance, where it is known."""
    h = members.tau / math.sqrt(q) if members.tau is not None else math.inf
    return fold(h).slope if abs(h) < FARTHEST else math.nan


def _with_q_star(found: FixedPoints, layer: VarianceMap, q: float) -> tuple[FixedPoint, ...]:
    """The fixed points, with q* itself in place of the root that the search found."""
    nearest = min((abs(point.q - q), k) for k, point in enumerate(found.points))[1] if found.points else -1
    return tuple(
        replace(point, q=q, slope=float(layer.slope(q)), chi_1=float(layer.chi_1(q)), basin=_moved(point, q))
        if k == nearest and abs(point.q - q) < _SAME * q
        else point
        for k, point in enumerate(found.points)
    )


def _moved(point: FixedPoint, q: float) -> tuple[float, float]:
    """The basin, with q* itself where the root is one of its ends."""
    low, high = (q if end == point.q else end for end in point.basin)
    return low, high

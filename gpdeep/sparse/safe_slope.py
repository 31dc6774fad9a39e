"""The largest slope of the variance map that a network of given width and depth can afford, and the width for a slope.

    largest η in {0.05, 0.10, ..., 0.95}:   P(variance escapes within L layers at width n) < p_fail,   η < η_fold

The probability rises with the slope and, beyond a few units, falls with the width; so both are found by bisection, some
six evaluations of `escape_probability`. Without the bound by the fold wide networks are given slopes just beyond it,
whose second stable variance noise hardly reaches, but training does.
"""

from __future__ import annotations

import math
from typing import Any

from ..errors import DomainError, InfeasibleError
from ..finite.checks import MAX_DEPTH, MAX_WIDTH
from ..gaussian.arguments import real, shown, variance, whole
from ..meanfield.fixed_point import points_of
from .escape import escape_probability
from .families import Family, edge_layer, family
from .thresholds import threshold

SLOPES = tuple(round(0.05 * k, 2) for k in range(1, 20))


def largest_slope(
    kind: str,
    sparsity: float,
    *,
    width: int,
    depth: int,
    q: float = 1.0,
    p_fail: float = 0.01,
    law: str = "exact",
    below_fold: bool = True,
) -> float:
    """The largest slope V'(q*), in steps of 0.05, at which a random network keeps its variance.

    Parameters
    ----------
    kind, sparsity, q, p_fail, law
        As `design`.
    width, depth : int
        n and L.
    below_fold : bool
        Whether slopes with a second stable variance are left out.

    Returns
    -------
    float

    Raises
    ------
    DomainError
        An argument is out of range.
    InfeasibleError
        Even a slope of 0.05 escapes too often; the message says how often.

    Examples
    --------
    >>> largest_slope("crelu", 0.85, width=300, depth=100), largest_slope("crelu", 0.85, width=1000, depth=100)
    (0.8, 0.85)
    """
    at = variance("q", q)
    members = family(kind, threshold(kind, sparsity) * math.sqrt(at))
    shape = check_shape(width, depth)
    if shape is None:
        raise DomainError("width and depth are None.", "Both are needed.", "Give two integers.")
    return largest_slope_of(members, at, *shape, p_fail, law, below_fold=below_fold)


def largest_slope_of(
    members: Family, q: float, width: int, depth: int, p_fail: float, law: str, *, below_fold: bool = True
) -> float:
    """The largest safe slope of a family."""
    real("p_fail", p_fail, 0.0, 1.0, "the probability of escape that is tolerated")
    seen: dict[float, float] = {}

    def safe(slope: float) -> bool:
        seen[slope] = _escape(members, slope, q, width, depth, law, below_fold)
        return seen[slope] < p_fail

    low, high = -1, len(SLOPES)  # the last safe and the first unsafe index
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if safe(SLOPES[middle]) else (low, middle)
    if low < 0:
        first = seen[SLOPES[0]]
        raise InfeasibleError(
            f"No slope from 0.05 up keeps the variance of {members.name} at width {width} for {depth} layers.",
            "σ_b² ≥ 0 binds for every clip level that gives such a slope."
            if math.isinf(first)
            else f"Already at slope 0.05 {100 * first:.3g} % of networks escape; {100 * p_fail:g} % are tolerated.",
            "Use a lower sparsity, a larger width, fewer layers or a larger p_fail.",
        )
    return SLOPES[low]


def smallest_width(
    kind: str,
    sparsity: float,
    *,
    slope: float,
    depth: int,
    q: float = 1.0,
    p_fail: float = 0.01,
    law: str = "exact",
) -> int:
    """The smallest width at which the variance escapes with a probability below p_fail within L layers.

    Parameters and errors as `largest_slope`; `slope` is V'(q*).

    Returns
    -------
    int

    Examples
    --------
    >>> smallest_width("crelu", 0.85, slope=0.8, depth=100)
    279
    """
    at = variance("q", q)
    whole("depth", depth, 1, MAX_DEPTH)
    real("p_fail", p_fail, 0.0, 1.0, "the probability of escape that is tolerated")
    members = family(kind, threshold(kind, sparsity) * math.sqrt(at))

    def safe(width: int) -> bool:
        return _escape(members, slope, at, width, depth, law, False) < p_fail

    low, high = 0, 64
    while not safe(high):
        low, high = high, 2 * high
        if high > MAX_WIDTH:
            raise InfeasibleError(
                f"{kind} at slope {slope:g} escapes within {depth} layers at every width up to {low}.",
                "An unstable variance lies close above q*.",
                "Use a smaller slope.",
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if safe(middle) else (middle, high)
    return high


def check_shape(width: Any, depth: Any) -> tuple[int, int] | None:
    """n and L, both or none.

    Raises
    ------
    DomainError
        One of them is missing or out of range.
    """
    if (width is None) != (depth is None):
        raise DomainError(
            f"width = {shown(width)} and depth = {shown(depth)}.",
            "A probability of escape needs both.",
            "Give both, or neither.",
        )
    if width is None:
        return None
    return whole("width", width, 1, MAX_WIDTH), whole("depth", depth, 1, MAX_DEPTH)


def _escape(members: Family, slope: float, q: float, width: int, depth: int, law: str, below_fold: bool) -> float:
    """The probability of escape; infinite where there is no such design, or it lies beyond the fold."""
    try:
        layer = edge_layer(members.make(members.levels(slope, q)[0]), q)
    except InfeasibleError:
        return math.inf
    above = [point.q for point in points_of(layer).points if point.q > q * (1 + 1e-6)]
    if above and below_fold:
        return math.inf
    found = escape_probability(
        layer.phi,
        sigma_w=layer.sigma_w,
        sigma_b=layer.sigma_b,
        width=width,
        depth=depth,
        threshold=min([2 * q, *above]),
        q=q,
        law=law,
    )
    return float(found.probability[-1])

r"""Gaussian expectations of functions that are smooth between knots: every panel of quadrature ends at a knot.

    one variable    E f(√q z)    = Σ_p ∫_{z_p}^{z_{p+1}} f(√q z) e^{-z²/2} dz / √(2π)
    two variables   E g₁(u)g₂(v) = E[ g₁(√q₁ z) F(z) ],   F(z) = E g₂(√q₂ (z cos θ + y sin θ))

z, y standard normal and independent. With 20 Gauss-Legendre nodes a panel may be 4.3 wide: e^{-z²/2} is entire and the
error is e^-50. F is analytic, but it turns at the knots t of g₂ within a layer of width tan θ about z = t/(√q₂ cos θ);
the panels of z follow it, so that no angle is too small: as θ → 0 the value tends to that of one variable, E g₁g₂.
A rule across a knot instead errs by the jump over the number of nodes: 10% with 40 nodes is common.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..result import FloatArray
from .arguments import angles, as_floats, callback, real, shown, sine, variances, whole
from .gauss_legendre import gauss_legendre

REACH = 8.6  # P(|z| > 8.6) = 8e-18
NODES = 20
_PAIR_NODES = 16  # 256 instead of 400 a pair of panels; the error in one variable is still e^-39
_MOST_NODES = 1000
_FARTHEST = 1e6  # standard deviations: some 500,000 panels
_WIDTH = 4.3  # of a panel, in standard deviations
_SAME = 1e-15  # angles below are 0: the layer is narrower than the spacing of floats

Function = Callable[[Any], Any]


def kink_split_rule(
    q: ArrayLike, knots: Sequence[float] = (), *, reach: float = REACH, nodes: int = NODES
) -> tuple[FloatArray, FloatArray]:
    r"""Nodes z and weights w of a rule for one Gaussian variable that is split at knots, E f(√q z) ≈ Σ_k w_k f(√q z_k).

    Parameters
    ----------
    q : float or array_like, any shape S
        Variances, positive.
    knots : sequence of float
        Points x = √q z between which f is smooth, and resolved by a polynomial of degree 20 or so.
    reach : float
        The rule covers |z| ≤ reach; more than 8.6 where f grows like an exponential.
    nodes : int
        Gauss-Legendre nodes a panel.

    Returns
    -------
    z, w : ndarray, shape (*S, n)
        The Gaussian density is in the weights.

    Notes
    -----
    All q share one number of panels; knots beyond the reach give panels of width 0, with weight 0.

    Examples
    --------
    E (√q z - 1)_+ = 0.083315470588 at q = 1, the density at 1 less P(z > 1):

    >>> z, w = kink_split_rule(1.0, [1.0])
    >>> print(f"{np.sum(w * np.maximum(z - 1, 0)):.12f}")
    0.083315470588
    """
    nodes = whole("nodes", nodes, 1, _MOST_NODES)
    reach = real("reach", reach, 0.0, _FARTHEST, "standard deviations that the rule covers")
    s = np.sqrt(variances("q", q))[..., None]
    if not s.size:
        raise DomainError("There is no variance.", "q is an empty list.", "Give one variance or more.")
    points = _places("knots", knots, s.shape[:-1])
    fixed = np.broadcast_to(_blocks(reach), (*s.shape[:-1], len(_blocks(reach))))
    inner = np.clip(points / s, -reach, reach)
    return _panel_rule(np.sort(np.concatenate([fixed, inner], axis=-1), axis=-1), nodes)


def kink_split_pair(
    g1: Function,
    g2: Function,
    theta: ArrayLike,
    q1: float,
    q2: float,
    knots: Sequence[float] = (),
    breaks: Sequence[float] = (),
    *,
    reach: float = REACH,
) -> Any:
    r"""Expectation of a product of two functions with jumps at knots, E g₁(u)g₂(v).

    u = √q₁ z₁ and v = √q₂ z₂ with z₁, z₂ standard normal of correlation cos θ.

    Parameters
    ----------
    g1, g2 : callable
        Take and return float64 arrays; smooth between `knots`, with jumps (or kinks) there.
    theta : float or array_like
        Angles in [0, π].
    q1, q2 : float
        Variances, positive.
    knots : sequence of float
        Where g₁ or g₂ jumps or has a kink.
    breaks : sequence of float
        Further points that end a panel; between neighbours both functions are resolved by polynomials of degree 20.
    reach : float
        Both variables cover that many standard deviations.

    Returns
    -------
    numpy scalar or ndarray of the shape of theta

    Raises
    ------
    DomainError
        An angle, a variance or the reach is out of range, a knot is no finite number, or a function does not make an
        array of an array.

    Notes
    -----
    *Error.* At most 1e-14 of √(E g₁² E g₂²), at any angle. *Cost.* 16 nodes on each of 5 to 15 panels in either
    variable: 0.2 ms an angle for a function of one knot.

    Examples
    --------
    P(u > 0, v > 0) = (π - θ)/2π:

    >>> step = lambda x: (x > 0) * 1.0
    >>> print(f"{kink_split_pair(step, step, np.pi / 3, 1.0, 2.0, [0.0]):.14f}")
    0.33333333333333
    """
    at = angles(theta)
    for name, function in (("g1", g1), ("g2", g2)):
        callback(name, function, at)
    first, second = (real(name, q, 0.0, math.inf, "a variance") for name, q in (("q1", q1), ("q2", q2)))
    reach = real("reach", reach, 0.0, _FARTHEST, "standard deviations that both variables cover")
    jumps = _places("knots", knots)
    edges = np.unique(np.concatenate([jumps, _places("breaks", breaks)]))
    values = [_one_angle(g1, g2, t, first, second, jumps, edges, reach) for t in at.ravel().tolist()]
    return np.array(values).reshape(at.shape)[()]


def _places(name: str, values: Any, rows: tuple[int, ...] = ()) -> FloatArray:
    """Where functions bend, as a vector of finite numbers, or one for each entry of an array of shape `rows`."""
    places = as_floats(list(values) if isinstance(values, (list, tuple)) else values)
    if places is None or places.shape[:-1] not in ((), rows) or not places.ndim or not np.isfinite(places).all():
        raise DomainError(
            f"{name} is {shown(values)}.",
            "Knots are places on the real line; NaN, text, a single number or a table was given.",
            f"Give {name} as a list of numbers, such as [0.0].",
        )
    return places


def _of(g: Function, x: FloatArray) -> FloatArray:
    """g(x), which must have the shape of x."""
    value = as_floats(g(x))
    if value is None or value.shape not in ((), x.shape):
        raise DomainError(
            f"A function makes no array of real numbers of shape {x.shape} of one of that shape.",
            "It returns nothing, or acts on something else than each entry by itself.",
            "Give a function of an array, such as numpy.tanh.",
        )
    return value


def conditional_mean(
    g: Function, mean: FloatArray, std: float, edges: FloatArray, *, reach: float = REACH
) -> FloatArray:
    """E g(m + σ y), y ~ N(0, 1), for every m of the vector `mean`, with panels that end at the sorted `edges` of g."""
    block = _blocks(reach)
    low = np.broadcast_to(block[:-1], (len(mean), len(block) - 1)).ravel()
    high = np.broadcast_to(block[1:], (len(mean), len(block) - 1)).ravel()
    m = np.repeat(mean, len(block) - 1)
    first = np.searchsorted(edges, m + std * low, side="right")
    last = np.searchsorted(edges, m + std * high, side="left")
    # rows have different numbers of edges inside: one flat list of panels, `row` says whose they are
    count = np.maximum(last - first, 0) + 1
    row = np.repeat(np.arange(len(m)), count)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    a, b = low[row], high[row]
    if len(edges):
        scaled = np.append(edges, 0.0)  # the last one is never used, it keeps the index in range
        inside = place > 0
        index = first[row] + place
        a = np.where(inside, (scaled[index - 1] - m[row]) / std, a)
        b = np.where(place < count[row] - 1, (scaled[np.minimum(index, len(edges))] - m[row]) / std, b)
    y, w = _panels(a, b, _PAIR_NODES)
    panel = np.sum(w * _of(g, m[row][:, None] + std * y), axis=-1)
    return np.asarray(np.bincount(row // (len(block) - 1), weights=panel, minlength=len(mean)), dtype=np.float64)


def _one_angle(
    g1: Function, g2: Function, theta: float, q1: float, q2: float, jumps: FloatArray, edges: FloatArray, reach: float
) -> float:
    s1, s2 = math.sqrt(q1), math.sqrt(q2)
    sin, cos = float(sine(np.asarray(theta))), math.cos(theta)
    panels = [_blocks(reach), edges / s1]
    if sin < _SAME:
        z, w = _panel_rule(_merge([*panels, np.sign(cos) * edges / s2], reach), NODES)
        return float(np.sum(w * _of(g1, s1 * z) * _of(g2, np.sign(cos) * s2 * z)))
    layer = abs(sin / cos)
    if layer < 1:
        centre = jumps / (s2 * cos)
        panels.append((centre[:, None] + layer * _blocks(REACH)).ravel())
        if s1 != s2 or cos < 0:  # otherwise the panels of g₁ serve F as well
            panels.append(edges / (s2 * cos))
    z, w = _panel_rule(_merge(panels, reach), _PAIR_NODES)
    outer = w * _of(g1, s1 * z)
    kept = np.abs(outer) > 1e-18 * np.abs(outer).max()  # where g₁ has decayed, F need not be known
    z, outer = z[kept], outer[kept]
    return float(np.sum(outer * conditional_mean(g2, s2 * cos * z, s2 * sin, edges, reach=reach)))


def _merge(panels: list[FloatArray], reach: float) -> FloatArray:
    """All ends within the reach, each once."""
    return np.unique(np.clip(np.concatenate(panels), -reach, reach))


def _blocks(reach: float) -> FloatArray:
    """Ends of panels of equal width, at most 4.3, on [-reach, reach]."""
    return np.linspace(-reach, reach, math.ceil(2 * reach / _WIDTH - 1e-9) + 1)


def _panel_rule(edges: FloatArray, nodes: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and Gaussian weights on the panels between `edges` (last axis)."""
    z, w = _panels(edges[..., :-1], edges[..., 1:], nodes)
    return z.reshape(*edges.shape[:-1], -1), w.reshape(*edges.shape[:-1], -1)


def _panels(a: FloatArray, b: FloatArray, nodes: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and Gaussian weights on [a, b]; one more axis."""
    _, from_left, weight = gauss_legendre(nodes)
    half = (b - a)[..., None] / 2
    z = a[..., None] + half * from_left
    return z, half * weight * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


def differentiated(value: FloatArray, x: FloatArray, times: int) -> FloatArray:
    """Derivatives of the polynomials through the values at the Gauss-Legendre nodes x of each panel."""
    near, far, _ = gauss_legendre(NODES)
    node = (far - near) / 2
    difference = node[:, None] - node
    np.fill_diagonal(difference, 1.0)
    scale = np.prod(difference, axis=1)
    matrix = scale[:, None] / scale / difference
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    panels, at = value.reshape(*value.shape[:-1], -1, NODES), x.reshape(*x.shape[:-1], -1, NODES)
    half = (at[..., -1:] - at[..., :1]) / (node[-1] - node[0])
    safe = np.where(half == 0, 1.0, half)
    for _ in range(times):
        panels = np.where(half == 0, 0.0, panels @ matrix.T / safe)
    return np.asarray(panels.reshape(value.shape))

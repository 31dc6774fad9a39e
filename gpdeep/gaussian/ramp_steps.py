r"""Two narrow ramps that saturate, under two correlated Gaussian variables; sums over their kinks would cancel:

With ψ_a a function that rises by 1 from x = a to a + w and is constant elsewhere, Price's theorem gives

    E ψ_a(z)ψ_b(z) - E ψ_a(X)ψ_b(Y) = mean of S(x, y, θ)  over  a < x < a + w_a,  b < y < b + w_b,
    E ψ_a'(X)ψ_b'(Y)                = mean of e(x, y, θ)/sin θ  over the same,

with S and e of `ramp_pairs`: both are positive. S has a cusp on x = y, and one on x = -y at θ = π, a layer of width
π - θ near it; the rectangle is cut there, and Gauss-Legendre has what it needs on each part while w ≤ θ. Price 1958
(derivative in the correlation).
"""

from __future__ import annotations

import math

import numpy as np

from ..result import FloatArray
from .ramp_moments import normal_density, unit_rule
from .ramp_pairs import angle_density, ramp_slope_overlap

_LAYER = (-9.0, -3.0, 3.0, 9.0)  # extra cuts about x = -y, in units of π - θ, where this is below 10 w
_WIDE, _NODES, _FEW = 0.1, 12, 6  # nodes for steps wider than a tenth of the angle, and for others


def step_deficit(a: FloatArray, wa: FloatArray, b: FloatArray, wb: FloatArray, theta: FloatArray) -> FloatArray:
    """What the covariance of two steps lacks to its value at angle 0; arrays of shape (n,).

    Examples
    --------
    Two sharp steps at 0: E differs by θ/2π.

    >>> import numpy as np
    >>> a, w = np.array([-5e-13]), np.array([1e-12])
    >>> print(step_deficit(a, w, a, w, np.array([1.0]))[0].round(11) == np.round(0.5 / np.pi, 11))
    True
    """
    widest, left = np.maximum(wa, wb), math.pi - theta
    layered = (left > 0) & (_WIDE * left < widest) & (a + wa + b + wb + 10 * left > 0) & (a + b - 10 * left < 0)
    wide = (widest > _WIDE * theta) & ~layered
    total = np.zeros_like(theta)
    for part, nodes, layer in ((wide, _NODES, ()), (layered, _NODES, _LAYER), (~wide & ~layered, _FEW, ())):
        if part.any():
            total[part] = _deficit(a[part], wa[part], b[part], wb[part], theta[part], nodes, layer)
    return total


def _deficit(
    a: FloatArray,
    wa: FloatArray,
    b: FloatArray,
    wb: FloatArray,
    theta: FloatArray,
    nodes: int,
    layer: tuple[float, ...],
) -> FloatArray:
    g, v = unit_rule(nodes)
    total = np.zeros_like(theta)
    column, ends = [value[:, None] for value in (a, b, wa, wb)], np.array([0.0, 1.0])
    first, second, width, height = column
    cuts = [second - first, (second - first) + height, -second - first, (-second - first) - height, -first]
    depth = [d * (math.pi - theta[:, None]) for d in layer]
    cuts += [cut + d for cut in cuts[2:4] for d in depth]
    edges = _edges(np.concatenate(cuts, axis=1) / width, ends)
    for low, long in zip(np.moveaxis(edges, -1, 0), np.moveaxis(np.diff(edges), -1, 0), strict=False):
        if not long.any():
            continue
        part = width * (low[:, None] + long[:, None] * g)
        # from a and b, so that close steps far from 0 keep their digits
        opposite = (-first - second) - part
        across = [(first - second) + part, opposite, *(opposite + d for d in depth)]
        inner = _edges(np.stack(across, axis=-1) / height[..., None], ends)
        x = np.broadcast_to(first + part, part.shape)
        angle = np.broadcast_to(theta[:, None], part.shape)
        for r in range(inner.shape[-1] - 1):
            tall = (inner[..., r + 1] - inner[..., r]) * long[:, None]
            there = tall > 0
            if not there.any():
                continue
            span = inner[..., r + 1][there] - inner[..., r][there]
            offset = inner[..., r][there][:, None] + span[:, None] * g
            base, size = (np.broadcast_to(value, part.shape)[there][:, None] for value in (second, height))
            values = np.zeros_like(part)
            values[there] = ramp_slope_overlap(x[there][:, None], base + size * offset, angle[there][:, None]) @ v
            total += (tall * values) @ v
    return total


def step_slopes(a: FloatArray, wa: FloatArray, b: FloatArray, wb: FloatArray, theta: FloatArray) -> FloatArray:
    """E of the product of the derivatives of two steps, w ≤ sin θ; arrays of shape (n,)."""
    g, v = unit_rule(_NODES)
    x = (a[:, None] + wa[:, None] * g)[:, :, None]
    y = (b[:, None] + wb[:, None] * g)[:, None, :]
    density = angle_density(x, y, theta[:, None, None])
    return np.asarray((density @ v) @ v / np.sin(theta))


def step_density(a: FloatArray, w: FloatArray) -> FloatArray:
    """E ψ_a'(z): the mean of the normal density from a to a + w; arrays of shape (n,)."""
    g, v = unit_rule(_NODES)
    return np.asarray(normal_density(a[:, None] + w[:, None] * g) @ v)


def _edges(cuts: FloatArray, ends: FloatArray) -> FloatArray:
    """The cuts within (0, 1), and both ends, sorted along the last axis."""
    both = np.broadcast_to(ends, (*cuts.shape[:-1], 2))
    return np.sort(np.concatenate([np.clip(cuts, 0.0, 1.0), both], axis=-1), axis=-1)

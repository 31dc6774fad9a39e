r"""The law of the variance through depth at finite width, by iterating its transition probabilities.

The variances K_1, K_2, ... of the pre-activations of a random network are a Markov chain (`one_step_law`). With q_l the
density of K_l on paths that have stayed below the threshold B,

    q_{l+1}(x) = ∫ p(x | y) q_l(y) dy,       P(escape in layer l + 1) = ∫ P(K' > B | y) q_l(y) dy.

The integrals are Gauss-Legendre sums in ln K over the variances that noise can reach; a layer whose units are all
silent, K' = σ_b², is a state of its own. The kernel p is smooth, so the sums converge exponentially in the number of
nodes. A hundred layers take tens of milliseconds.
"""

from __future__ import annotations

import math

import numpy as np

from ..activations import Activation
from ..errors import DomainError
from ..gaussian.gauss_legendre import gauss_legendre
from ..meanfield.variance import VarianceMap
from ..result import FloatArray
from .one_step_law import ABOVE, BELOW, ExactLaw, GammaLaw, StepLaw, one_step_moments
from .unit_shares import shares

LAWS: dict[str, type[ExactLaw] | type[GammaLaw]] = {"exact": ExactLaw, "gamma": GammaLaw}
MOST_NODES = 2000

_LOWEST = 1e-6  # of the start: below, without bias, a variance counts as one that stays
_DENSITY = 2.2  # nodes for each standard deviation of the narrowest step
_EXTRA = 24
_RARE = 1e-9

Law = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
"""Escaped probability, mean and standard deviation of K and of the sparsity, each of shape (L,)."""


def _reach(layer: VarianceMap, width: int, start: float, limit: float) -> tuple[float, float]:
    """The variances between which all paths from `start` stay, up to `limit`: one wild step after the other."""
    low = high = start
    floor = max(layer.sigma_b**2, _LOWEST * start)
    for _ in range(400):
        mean, std = one_step_moments(layer, width, np.array([low, high]))
        down, up = max(floor, min(low, float(mean[0] - BELOW * std[0]))), max(high, float(mean[1] + ABOVE * std[1]))
        if up >= limit and down >= low * (1 - 1e-9):
            return down, limit
        if down >= low * (1 - 1e-9) and up <= high * (1 + 1e-9):
            return down, up
        low, high = down, min(up, limit)
    return low, high


def node_count(layer: VarianceMap, widths: tuple[int, ...], start: float, limit: float) -> int:
    """Enough nodes to resolve the narrowest one-step law."""
    if start > limit or limit <= layer.sigma_b**2 or len(widths) == 1:
        return 16
    low, high = _reach(layer, min(widths), start, limit)
    grid = np.geomspace(low * (1 + 1e-9), high, 33)
    mean, std = one_step_moments(layer, max(widths), grid)
    above = mean - layer.sigma_b**2
    alive = np.maximum(1 - np.nan_to_num(_zeros(layer.phi, grid)) ** max(widths), _RARE)  # a unit responds
    spread = np.sqrt(np.maximum((std**2 + above**2) / alive - (above / alive) ** 2, std**2))  # given that
    inside = (mean > low) & (alive > _RARE)  # others fall below, or fall silent
    needed = math.ceil(_DENSITY * math.log(high / low) / float(np.min(spread[inside] / mean[inside], initial=1.0)))
    needed += _EXTRA
    if needed > MOST_NODES:
        raise DomainError(
            f"Width {max(widths)} needs {needed} nodes for variances from {low:.3g} to {high:.3g}; the limit is "
            f"{MOST_NODES}.",
            "The noise of one layer is so small against the range that it hardly matters.",
            "Use meanfield.variance_map (infinite width), a threshold nearer to q, or give nodes.",
        )
    return needed


def propagate(
    layer: VarianceMap,
    widths: tuple[int, ...],
    start: float,
    limit: float,
    law: str,
    count: int,
    *,
    rough: bool = False,
) -> Law:
    """The law of K_1, ..., K_L from `start`, stopped beyond `limit`, with `count` nodes."""
    depth = len(widths)
    if start > limit or limit <= layer.sigma_b**2:  # all K' are above σ_b²
        nothing, escaped = np.full(depth, np.nan), np.ones(depth)
        escaped[0] = float(start > limit)
        return escaped, nothing, nothing, nothing, nothing
    low, high = _reach(layer, min(widths), start, limit) if depth > 1 else (start / 2, start)
    near, _, weight = gauss_legendre(count)
    span = math.log(high / low)
    nodes = high * np.exp(-span * near / 2)
    states = np.concatenate([[start, layer.sigma_b**2], nodes])  # the start, all units silent, and what lies between
    zeros = _zeros(layer.phi, states)
    steps: dict[int, tuple[FloatArray, FloatArray]] = {}
    mass = np.zeros(len(states))
    mass[0] = 1.0
    gone, rows = [0.0], [_summary(mass, states, zeros)]
    for width in widths[:-1]:
        if width not in steps:
            steps[width] = _transition(
                layer, width, states, weight * span / 2 * nodes, high if high >= limit else None, law, rough
            )
        kernel, leaving = steps[width]
        gone.append(min(gone[-1] + max(float(mass @ leaving), 0.0), 1.0))
        mass = mass @ kernel
        rows.append(_summary(mass, states, zeros))
    q_mean, q_var, s_mean, s_var = np.array(rows).T
    s_var = s_var + s_mean * (1 - s_mean) / np.array(widths)  # units are independent given K
    return np.array(gone), q_mean, np.sqrt(np.maximum(q_var, 0)), s_mean, np.sqrt(np.maximum(s_var, 0))


def difference(one: Law, other: Law) -> float:
    """Of the last escape probabilities."""
    return abs(float(one[0][-1] - other[0][-1]))


def _transition(
    layer: VarianceMap, width: int, states: FloatArray, weight: FloatArray, limit: float | None, law: str, rough: bool
) -> tuple[FloatArray, FloatArray]:
    """Probabilities to go from each state to each (start, silent, nodes), and to escape."""
    step: StepLaw = LAWS[law].of(layer, width, np.where(states > 0, states, states[0]), rough=rough)
    kernel = np.concatenate([np.zeros((len(states), 1)), step.atom[:, None], step.density(states[2:]) * weight], axis=1)
    leaving = np.zeros(len(states)) if limit is None else step.above(limit)
    if states[1] == 0:  # without bias a silent layer is followed by silent ones
        kernel[1], leaving[1] = 0.0, 0.0
        kernel[1, 1] = 1.0
    return kernel, leaving


def _summary(mass: FloatArray, x: FloatArray, zeros: FloatArray) -> tuple[float, float, float, float]:
    """Mean and variance of K and of P(zero | K), given survival; NaN where all paths have left the nodes."""
    total = mass.sum()
    p = mass / total if total > 0 else np.full(len(mass), np.nan)
    q, s = float(p @ x), float(p @ zeros)
    return q, float(p @ (x - q) ** 2), s, float(p @ (zeros - s) ** 2)


def _zeros(phi: Activation, q: FloatArray) -> FloatArray:
    """P(φ = 0) at the variances q, 1 at 0; NaN where it is not known."""
    try:
        return np.where(q > 0, shares(phi, np.where(q > 0, q, 1.0)).zero, 1.0)
    except DomainError:
        return np.full(len(q), np.nan)

r"""Propagate the whole law of the angle through depth on a uniform grid in y = ln tan²θ.

y runs over the real line, so θ = π/2 is no boundary; pairs that become exactly orthogonal (y = ∞) are one extra state.
One layer is a linear map of the probabilities p_j at the nodes y_j: from each node the mass goes to the nodes of the
layer's quadrature rule (`gpdeep.finite.one_layer`), and each of these is shared among the six nearest grid points with
Lagrange's weights, so every moment of y' up to the fifth is kept exactly, whether the layer's law is wider or narrower
than the cells. Where it is wider than 1.4 cells the p_j/h are the density itself, to spectral accuracy. Dead and
collapsed mass leaves the grid; what stays is the survival probability. One matrix for each distinct width, then one
product a layer.

Cost: O(J · band) a layer, J the number of nodes; memory O(J · band + chunk).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from ..result import FloatArray, IntArray
from .one_layer import Angles, Layer, Rule
from .small_angle import small_angle_cumulants
from .uniform import Grid, log_sin2_of, log_tan2, quantile, step_functional

CELLS_PER_SIGMA = 1.4
"""A narrowest kernel of standard deviation √(8/n) spans this many cells."""

_COARSEST = 0.4
_MAX_NODES = 4096
TOP = 12.0
"""Pairs closer to orthogonal than ln tan²θ = 12 count as ln tan²θ = 12: |Δ ln sin²| < e^-12 = 6e-6."""

_DENSE_NODES = 700
_CHUNK_ELEMENTS = 2**20
_STARTS_AT_ONCE = 4096


@dataclass(frozen=True)
class LayerSummary:
    """What is kept of each layer l = 1..L; arrays of shape (L,). Moments and median are conditional on survival.

    `mean_error`, `var_error`: the expected errors of all layers so far, added up as if each reached the end in full.
    `at_bottom`: the share of the law on the lowest nodes, which should have fallen further.
    """

    mean: FloatArray
    std: FloatArray
    median: FloatArray
    survival: FloatArray
    above: FloatArray
    dead: FloatArray
    collapsed: FloatArray
    orthogonal: FloatArray
    mean_error: FloatArray
    var_error: FloatArray
    at_bottom: FloatArray


def fitting_grid(start: Angles, widths: IntArray) -> Grid:
    """The grid that holds the law from layer 1 to layer L.

    Its lower end is below the infinite-width path, by the drift of finite width, largest as θ → 0 where its cumulants
    are known, and by eight standard deviations; all but the standard deviations with 5 % to spare. An obtuse angle is
    nearly right after one layer, and counts as right.
    """
    obtuse = start.theta > np.pi / 2
    log_sin2 = np.where(obtuse & np.isfinite(start.log_sin2), 0.0, start.log_sin2)
    sin = np.where(obtuse, 1.0, np.sin(start.theta))
    drift = var = 0.0
    for n, count in zip(*np.unique(widths, return_counts=True), strict=True):
        if n > 1:
            kappa = small_angle_cumulants(int(n))
            drift, var = drift - 1.05 * count * kappa[0], var + 1.05 * count * kappa[1]
    reach = 8 * np.sqrt(var) + 3
    finite = np.isfinite(log_sin2)
    path = 2.1 * np.log1p(len(widths) * sin[finite] / (3 * np.pi))
    lowest = np.min(log_sin2[finite] - path, initial=0.0)
    highest = float(np.max(log_sin2[finite], initial=-np.inf))
    top = min(TOP, highest + reach + 2) if -np.inf < highest < -reach else TOP
    bottom = lowest - drift - reach
    finest = np.sqrt(8 / float(widths.max())) / CELLS_PER_SIGMA
    spacing = max(min(finest, _COARSEST), (top - bottom) / _MAX_NODES)
    return Grid(bottom, spacing, max(8, int(np.ceil((top - bottom) / spacing)) + 1))


def angles_on(grid: Grid) -> Angles:
    """The angles at the nodes, and π/2 after them for the orthogonal pairs."""
    y = grid.y
    theta = np.where(y > 0, np.pi / 2 - np.arctan(np.exp(-np.abs(y) / 2)), np.arctan(np.exp(-np.abs(y) / 2)))
    return Angles(np.append(theta, np.pi / 2), np.append(-np.logaddexp(0.0, -y), 0.0))


def propagate(
    start: Angles,
    weight: FloatArray,
    widths: IntArray,
    layer: Layer,
    threshold: float,
    first_layer: Layer | None = None,
) -> tuple[Grid, FloatArray, LayerSummary]:
    """Take a mixture of starting angles through all layers.

    Parameters
    ----------
    start : Angles, shape (P,)
        Starting angles; ln sin² = -inf marks pairs that are parallel from the start.
    weight : ndarray, shape (P,)
        Their probabilities.
    widths : ndarray of int, shape (L,)
        Hidden widths.
    layer : Layer
        The one-layer law.
    threshold : float
        Where P(ln sin² ≥ threshold, alive) is recorded.
    first_layer : Layer, optional
        Another law for the first layer.

    Returns
    -------
    grid, state, summary
        The grid; the probabilities of its nodes and of exact orthogonality after the last layer, shape (J + 1,);
        the summary of each layer.
    """
    apart = np.isfinite(start.log_sin2)
    lost = float(weight[~apart].sum())
    start, weight = Angles(start.theta[apart], start.log_sin2[apart]), weight[apart]
    grid = fitting_grid(start, widths)
    nodes = angles_on(grid)
    report = _reporter(grid, nodes, threshold)
    operators: dict[int, tuple[Any, FloatArray]] = {}
    state = np.zeros(grid.size + 1)
    running = np.array([0.0, lost, 0.0, 0.0])  # dead, collapsed, error of the mean and of the variance so far
    parts = []
    for first, last in _chunks(len(widths), grid.size):
        states = np.empty((last - first, grid.size + 1))
        sums = np.empty((last - first, 4))
        for i, n in enumerate(widths[first:last].tolist()):
            if first + i == 0:
                state, added = _first_state(grid, start, weight, n, first_layer or layer)
                running = running + added
            else:
                if n not in operators:
                    if len(operators) * grid.size**2 > 2**26:
                        operators.clear()
                    rule = layer(nodes, n, grid.spacing)
                    operators[n] = _operator(grid, rule), _per_source(rule)
                matrix, per_source = operators[n]
                running = running + per_source @ state
                state = matrix @ state
            states[i], sums[i] = state, running
        parts.append(report(states, sums))
    return grid, state, LayerSummary(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _chunks(depth: int, size: int) -> Iterator[tuple[int, int]]:
    """Ranges of layers whose states fit the chunk budget."""
    step = max(1, _CHUNK_ELEMENTS // size)
    for first in range(0, depth, step):
        yield first, min(depth, first + step)


def _per_source(rule: Rule) -> FloatArray:
    """What one layer adds to the running sums for each source, shape (4, sources)."""
    return np.stack([rule.event.dead, rule.event.collapsed, *rule.errors])


def _first_state(grid: Grid, start: Angles, weight: FloatArray, n: int, layer: Layer) -> tuple[FloatArray, FloatArray]:
    """The probabilities after the first layer, shape (J + 1,), and what it adds to the running sums, shape (4,)."""
    state, added = np.zeros(grid.size + 1), np.zeros(4)
    for first in range(0, len(weight), _STARTS_AT_ONCE):
        block = slice(first, first + _STARTS_AT_ONCE)
        rule = layer(Angles(start.theta[block], start.log_sin2[block]), n, grid.spacing)
        index, shares = grid.share(rule.y)
        shares *= rule.weight * (rule.event.proper * weight[block])[:, None]
        state += np.bincount(index.ravel(), shares.ravel(), minlength=grid.size + 1)
        state[-1] += rule.event.orthogonal @ weight[block]
        added += _per_source(rule) @ weight[block]
    return state, added


def _operator(grid: Grid, rule: Rule) -> Any:
    """The matrix, shape (J + 1, sources), from source probabilities to those of the nodes and of orthogonality."""
    index, weights = grid.share(rule.y)
    weights *= rule.weight * rule.event.proper[:, None]
    sources = rule.y.shape[0]
    column = np.broadcast_to(np.arange(sources)[:, None], rule.y.shape)
    orthogonal = rule.event.orthogonal
    if sources <= _DENSE_NODES:
        flat = np.bincount((index * sources + column).ravel(), weights.ravel(), minlength=(grid.size + 1) * sources)
        matrix = flat.reshape(grid.size + 1, sources)
        matrix[-1] = orthogonal
        return matrix
    from scipy.sparse import coo_array

    low = index.min(axis=(0, 2))  # sum duplicates in a band of each column first: far fewer entries to sort
    band = int((index.max(axis=(0, 2)) - low).max()) + 1
    flat = np.bincount(((index - low[:, None]) + band * column).ravel(), weights.ravel(), minlength=sources * band)
    values = flat.reshape(sources, band)
    source, offset = np.nonzero(np.abs(values) > 1e-18)
    rows = np.concatenate([low[source] + offset, np.full(sources, grid.size)])
    columns = np.concatenate([source, np.arange(sources)])
    entries = np.concatenate([values[source, offset], orthogonal])
    return coo_array((entries, (rows, columns)), shape=(grid.size + 1, sources)).tocsr()


def _reporter(
    grid: Grid, nodes: Angles, threshold: float
) -> Callable[[FloatArray, FloatArray], tuple[FloatArray, ...]]:
    """A function from states, shape (C, J + 1), and running sums, shape (C, 4), to the columns of `LayerSummary`."""
    x = nodes.log_sin2
    above_weight = 1 - step_functional(grid, float(log_tan2(np.array(threshold))))

    def report(states: FloatArray, sums: FloatArray) -> tuple[FloatArray, ...]:
        survival = np.minimum(states.sum(axis=1), 1.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            law = states / np.where(survival > 0, survival, np.nan)[:, None]
            mean = law @ x
            deviation = x - mean[:, None]
            square = deviation * deviation  # deviation**3 would call pow for each element
            var = np.einsum("cj,cj->c", law, square)
            std = np.sqrt(np.maximum(var, 0.0))
            third = np.einsum("cj,cj->c", law, square * deviation)
            skew = third / np.where(std > 0, std, 1.0) ** 3
            median = log_sin2_of(quantile(grid, law, 0.5))
            above = np.clip(states @ above_weight, 0.0, survival)
            slope = -np.expm1(np.minimum(mean, -1e-300))
            narrow = std < CELLS_PER_SIGMA * grid.spacing * slope  # the cells do not resolve the law
            if narrow.any():
                skew = np.clip(skew, -1.0, 1.0)
                corrected = mean + std * _cornish_fisher(0.5, skew)
                median = np.where(narrow, np.minimum(corrected, 0.0), median)
                score = np.clip((mean - threshold) / np.where(std > 0, std, 1e-300), -40.0, 40.0)
                near = np.clip(score, -3.0, 3.0)  # further out the correction would outgrow the score
                tail = ndtr(score - skew * (near**2 - 1) / 6)
                above = np.where(narrow, survival * tail, above)
        median = np.where(survival > 0, median, np.nan)
        bottom = np.abs(law[:, :3].sum(axis=1))
        return mean, std, median, survival, above, sums[:, 0], sums[:, 1], states[:, -1], sums[:, 2], sums[:, 3], bottom

    return report


def _cornish_fisher(probability: float, skew: FloatArray) -> FloatArray:
    """The standardised quantile of a nearly normal law with the given skewness."""
    z = float(ndtri(probability))
    return np.asarray(z + skew * (z**2 - 1) / 6)

r"""Propagate the whole law of the angle through a chain of different layers on a uniform grid in z = artanh cos θ.

One layer is a linear map of the probabilities at the nodes: from each node the mass goes to the nodes of a rule with
the layer's mean, variance and third cumulant (`gpdeep.linearize.layer_cumulants`), that of

    z' = μ + σ (ξ + b (ξ² - 1))/√(1 + 2b²),      ξ ~ N(0, 1),      (6b + 8b³)/(1 + 2b²)^{3/2} = skewness,

and each of these is shared among the six nearest grid points, which keeps its moments up to the fifth
(`gpdeep.finite.uniform`). ln sin² θ = -2 ln cosh z.

What is left of the exact law is its shape beyond the third cumulant. Sums over layers soon forget it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..finite.uniform import Grid
from ..gaussian import angle_map
from ..result import FloatArray
from .layer_cumulants import LayerCumulants, layer_cumulants
from .slopes import nonlinearity

_CELLS_PER_SIGMA = 1.4
_COARSEST = 0.4
_SHAPE = 1.0
"""What the unknown fourth cumulant of z' does to the spread of ln sin² of the same layer, relatively, is at most this
over n (seen: 0.9, at a right angle, where ln sin² is quadratic in z); to its mean a tenth of that."""

_MAX_NODES = 4096
_DENSE_NODES = 700
_KEPT_ELEMENTS = 2**24  # of operators that will be used again
_XI = np.linspace(-8.0, 8.0, 65)
_NORMAL = np.exp(-(_XI**2) / 2) / np.exp(-(_XI**2) / 2).sum()
_MOST_SKEW = 2.7  # the family ends at 2√2 = 2.83
_PARALLEL = 36.0  # beyond this z the infinite-width map moves z by less than rounding

Layer = tuple[int, tuple[float, ...], tuple[int, ...]]
"""Width, slopes, and how many channels have each."""


@dataclass(frozen=True)
class GridLaw:
    """Mean and standard deviation of ln sin² after each layer, shape (L,), and what they may be off by at the end."""

    mean: FloatArray
    std: FloatArray
    mean_error: float
    std_error: float


def propagate(theta0: float, layers: Sequence[Layer]) -> GridLaw:
    """Take two inputs at the angle θ_0 through all layers."""
    cumulants = {layer: layer_cumulants(*layer) for layer in set(layers)}
    z0 = np.array([fisher(theta0)])
    z1 = _at_infinite_width(z0, layers[0])
    grid = _fitting_grid(z1[0], layers, cumulants)
    z, x = grid.y, log_sin2_of(grid.y)
    uses = Counter(layers[1:])
    operators: dict[Layer, tuple[Any, FloatArray]] = {}
    first = cumulants[layers[0]].at(z0)
    state = _spread(grid, z1, first)[:, 0]
    errors = np.array([first.mean_error[0], first.var_error[0]])
    mean, std = np.empty(len(layers)), np.empty(len(layers))
    for step, layer in enumerate(layers):
        if step:
            if layer not in operators:
                if (len(operators) + 1) * grid.size * min(grid.size, _DENSE_NODES) > _KEPT_ELEMENTS:
                    operators.clear()
                own = cumulants[layer].at(z)
                matrix = _spread(grid, _at_infinite_width(z, layer), own)
                operators[layer] = matrix, np.stack([own.mean_error, own.var_error])
            matrix, added = operators[layer]
            errors = errors + added @ np.abs(state)
            state = matrix @ state
            uses[layer] -= 1
            if not uses[layer]:
                del operators[layer]
        mean[step] = state @ x
        std[step] = np.sqrt(max(state @ (x - mean[step]) ** 2, 0.0))
    spread = max(float(state @ (z - state @ z) ** 2), 1e-300)
    fresh = min(float(cumulants[layers[-1]].var[-1]) / spread, 1.0)
    shape = _SHAPE / layers[-1][0] * float(std[-1])
    narrow = grid.spacing**2 / 8 if spread < grid.spacing**2 else 0.0  # the law is there by its first moments only
    return GridLaw(mean, std, *_law_errors(float(std[-1]), errors, shape * fresh + narrow, shape * fresh**0.5 / 10))


def fisher(theta: float) -> float:
    """z = -ln tan(θ/2); -∞ at π."""
    return float(-np.log(np.tan(theta / 2))) if theta < np.pi else -np.inf


def log_sin2_of(z: FloatArray) -> FloatArray:
    """ln sin² θ = -2 ln cosh z."""
    return np.asarray(2 * (np.log(2) - np.logaddexp(z, -z)))


def _at_infinite_width(z: FloatArray, layer: Layer) -> FloatArray:
    """z' of an infinitely wide layer with the same shares."""
    _, slopes, counts = layer
    theta = 2 * np.arctan(np.exp(-np.minimum(z, _PARALLEL)))
    with np.errstate(divide="ignore"):
        after = -np.log(np.tan(angle_map(theta, float(nonlinearity(slopes, counts))) / 2))
    return np.where(z > _PARALLEL, z, after)


def _fitting_grid(z1: float, layers: Sequence[Layer], cumulants: dict[Layer, LayerCumulants]) -> Grid:
    """The grid that holds the law from layer 1 to layer L.

    From the infinite-width path it leaves room for the drift of finite width, largest as z → ∞, and for eight standard
    deviations, both with a margin.
    """
    drift = sum(float(cumulants[layer].mean[-1]) for layer in layers)
    variances = [float(cumulants[layer].var[-1]) for layer in layers]
    reach = 8 * np.sqrt(1.2 * sum(variances)) + 1
    path = highest = np.array([z1])
    for layer in layers[1:]:
        path = _at_infinite_width(path, layer)
        highest = np.maximum(highest, path)
    top = float(highest[0]) + 1.1 * drift + reach
    bottom = z1 - reach
    if bottom < 0:
        bottom -= 1.1 * drift
    finest = np.sqrt(min(variances)) / _CELLS_PER_SIGMA
    spacing = max(min(finest, _COARSEST), (top - bottom) / _MAX_NODES)
    return Grid(bottom, spacing, max(8, int(np.ceil((top - bottom) / spacing)) + 1))


def _spread(grid: Grid, mean: FloatArray, own: LayerCumulants) -> Any:
    """The matrix, shape (J, sources), from the probabilities of the sources to those of the nodes."""
    sigma = np.sqrt(own.var)
    b = _bend(np.clip(own.third / sigma**3, -_MOST_SKEW, _MOST_SKEW))[:, None]
    nodes = (sigma / np.sqrt(1 + 2 * b[:, 0] ** 2))[:, None] * (_XI + b * (_XI**2 - 1))
    index, weight = grid.share((mean + own.mean)[:, None] + nodes)
    weight *= _NORMAL
    sources = len(mean)
    column = np.broadcast_to(np.arange(sources)[:, None], nodes.shape)
    if grid.size <= _DENSE_NODES or sources == 1:
        flat = np.bincount((index * sources + column).ravel(), weight.ravel(), minlength=grid.size * sources)
        return flat.reshape(grid.size, sources)
    from scipy.sparse import coo_array

    rows, columns = index.ravel(), np.broadcast_to(column, index.shape).ravel()
    return coo_array((weight.ravel(), (rows, columns)), shape=(grid.size, sources)).tocsr()


def _bend(skew: FloatArray) -> FloatArray:
    """b with (6b + 8b³)/(1 + 2b²)^{3/2} = `skew`: with v = 1/(1 + 2b²) a cubic, v³ + 3v² = 4 - skew²/2."""
    angle = np.arcsin(skew / 8**0.5) * 2 / 3
    return np.asarray(2**0.5 * np.sin(angle / 2) / np.sqrt(2 * np.cos(angle) - 1))


def _law_errors(std: float, layers: FloatArray, in_spread: float, in_mean: float) -> tuple[float, float]:
    """Errors of mean and standard deviation of ln sin², which moves at most twice as fast as z.

    Those of the layers, in mean and variance, are added up as if each reached the end in full; those of the mean may
    line up with the angle and move the spread as well. `in_spread` and `in_mean` are what the unknown shape of the
    layers' laws may do: an excess counts as much as that layer's variance in all, and the mean adds it up over layers.
    """
    mean = 2 * float(layers[0])
    return mean + in_mean, mean + in_spread + (2 * float(layers[1]) / std if std > 0 else 0.0)

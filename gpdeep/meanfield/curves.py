r"""The two maps of a layer as curves: V with its fixed points, C with the way of one pair of inputs through the layers.

    q ↦ V(q),      θ ↦ θ' = arccos C(cos θ)  at q = q*

What a picture of them needs, and nothing that is not in `variance_map`, `correlation_map` and `depth_scales`. The
state of C is the angle; its cosine is for the eye.

Poole et al. (2016), fig. 1 and 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation
from ..errors import DomainError
from ..gaussian.arguments import angles, layer_count, shown, variance
from ..result import FloatArray, Result, render_table, shown_layers
from .correlation import CorrelationMap
from .scales import DepthScales, depth_scales
from .variance import variance_map

_POINTS = 241
_SPREAD = 30.0  # fixed points further apart than this are shown on logarithmic axes
_FARTHEST = 1e3  # a variance that grows is followed up to here, in units of the largest that matters
_MOST_LAYERS = 10_000


@dataclass(frozen=True, kw_only=True, eq=False)
class MapCurves(Result):
    """What `map_curves` answers.

    Attributes
    ----------
    scales : DepthScales
        Fixed points, phase and depth scales of the same layer.
    q, v : ndarray, shape (M,)
        Variances and V(q).
    logarithmic : bool
        Whether q is spaced logarithmically, as where fixed points are far apart, or evenly.
    q_path : ndarray, shape (up to layers + 1,)
        q₀, q₁ = V(q₀), ...; ends where it has grown out of the picture.
    at : float
        The variance at which C is taken: q*, or q₀ where q* is 0 or infinite.
    theta, next_theta : ndarray, shape (M,)
        Angles from 0 to π, and after one layer.
    theta_path : ndarray, shape (layers + 1,)
        θ₀, θ₁, ... at q*; θ₀ alone where there is no 0 < q* < ∞.
    """

    scales: DepthScales
    q: FloatArray
    v: FloatArray
    logarithmic: bool
    q_path: FloatArray
    at: float
    theta: FloatArray
    next_theta: FloatArray
    theta_path: FloatArray

    def __str__(self) -> str:
        """The ways of q and θ through the layers, as a table."""
        last = max(len(self.q_path), len(self.theta_path)) - 1
        rows = [
            [
                str(layer),
                _entry(self.q_path, layer, ".6g"),
                _entry(self.theta_path, layer, ".6g"),
                _entry(np.cos(self.theta_path), layer, ".6f"),
            ]
            for layer in sorted({0, *shown_layers(last)})
        ]
        o = self.scales.options
        title = f"{o['activation']}  σ_w = {o['sigma_w']:.9g}, σ_b = {o['sigma_b']:.9g}: {self.scales.phase}"
        notes = [f"θ at q = {self.at:.6g}; q* = {self.scales.q_star:.6g}", *self.status.messages]
        return render_table(title, ["layer", "q", "θ", "cos θ"], rows, notes)


def map_curves(
    phi: str | Activation,
    *,
    sigma_w: float,
    sigma_b: float = 0.0,
    q: float = 1.0,
    factor: float = 6.0,
    alpha: float = 0.0,
    beta: float = 1.0,
    layer_norm: bool = False,
    theta: float = math.pi / 2,
    layers: int = 20,
) -> MapCurves:
    r"""The maps V and C as curves, with the ways of q and of θ.

        q_{l+1} = V(q_l),   θ_{l+1} = arccos C(cos θ_l)

    Parameters
    ----------
    phi, sigma_w, sigma_b, q, factor, alpha, beta, layer_norm
        As `depth_scales`.
    theta : float
        Angle θ₀ between the first pre-activations of two inputs, in [0, π].
    layers : int
        How many layers to follow, 0 to 10,000.

    Returns
    -------
    MapCurves

    Raises
    ------
    DomainError
        A parameter is out of range.

    References
    ----------
    Poole et al. 2016, NIPS 29, fig. 1 and 2.

    Examples
    --------
    One ReLU layer takes orthogonal inputs to cos θ = 1/π:

    >>> curves = map_curves("relu", sigma_w=2**0.5)
    >>> print(f"{np.cos(curves.theta_path[1]):.12f} {1 / np.pi:.12f}")
    0.318309886184 0.318309886184
    """
    layer = variance_map(phi, sigma_w=sigma_w, sigma_b=sigma_b, alpha=alpha, beta=beta, layer_norm=layer_norm)
    first, start, count = variance("q", q), _one_angle(theta), layer_count(layers, most=_MOST_LAYERS)
    wiring = {key: value for key, value in layer.options.items() if key != "activation"}
    scales = depth_scales(layer.phi, q=first, factor=factor, **wiring)
    shown, top, logarithmic = _variances_to_show(scales)
    followed = [first]
    while len(followed) <= count and 0 < followed[-1] <= _FARTHEST * top:
        followed.append(float(layer(followed[-1])))
    stays = 0 < scales.q_star < math.inf
    at = scales.q_star if stays else first
    correlations = CorrelationMap(layer, at)
    thetas = np.linspace(0.0, math.pi, _POINTS)
    path = [start]
    for _ in range(count if stays else 0):
        path.append(float(correlations.angle(path[-1])))
    return MapCurves(
        status=scales.status,
        scales=scales,
        q=shown,
        v=np.asarray(layer(shown)),
        logarithmic=logarithmic,
        q_path=np.array(followed),
        at=at,
        theta=thetas,
        next_theta=np.asarray(correlations.angle(thetas)),
        theta_path=np.array(path),
    )


def _one_angle(theta: Any) -> float:
    """`theta` as one angle in [0, π]."""
    found = angles(theta)
    if found.ndim:
        raise DomainError(
            f"theta = {shown(theta)} is an array of {found.size} angles.",
            "One pair of inputs is followed.",
            "Give theta as a single number; `compile_map` follows many.",
        )
    return float(found)


def _entry(path: FloatArray, layer: int, digits: str) -> str:
    """The path at a layer, if it reaches that far."""
    return f"{path[layer]:{digits}}" if layer < len(path) else ""


def _variances_to_show(scales: DepthScales) -> tuple[FloatArray, float, bool]:
    """Variances that show the start and every fixed point, the largest of those, and whether spaced by their ratios."""
    marks = [scales.options["q"], *(point.q for point in scales.fixed_points if point.q > 0)]
    low, top = min(marks), max(marks)
    if top > _SPREAD * low:
        return np.geomspace(low / 4, top * 4, _POINTS), top, True
    return np.linspace(top / 1000, 1.5 * top, _POINTS), top, False

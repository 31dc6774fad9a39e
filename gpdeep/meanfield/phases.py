r"""The plane of (σ_w, σ_b): where the edge of chaos runs, and how deep signals reach on either side of it.

    V(q*) = q*:       σ_b² = r q* - σ_w² E φ²,       r = (1 - α²)/β²
    edge:             χ₁ = α² + β² σ_w² q_φ E φ'²/q* = 1
    chaotic phase:    C(c*) = c*:   σ_w² = r q* (1 - c*)/gap(θ*),   ξ_c = -1/ln C'(c*)

The plane is not searched point by point. Every network with a fixed point q* is written down from q* and σ_w, every
chaotic one from q* and the angle θ* that its inputs approach: all formulas are explicit, and one pass over q* gives the
diagram. Where σ_b² < 0 comes out there is no such network. θ* never exceeds π/2: C(c) = Σ a_k c^k with a_k ≥ 0 and
Σ a_k = 1, so that C(c) > c for c < 0 unless φ is linear.

Poole et al. (2016), fig. 1; Schoenholz et al. (2017), fig. 5; Hayou, Doucet & Rousseau (2019), §3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation, activation
from ..errors import DomainError, InfeasibleError
from ..gaussian.arguments import as_array, as_float, flag, shown
from ..result import FloatArray, Result, render_table
from .fixed_point import scale2
from .variance import VarianceMap

_ROUNDING = 16 * np.finfo(np.float64).eps
_LOW, _HIGH, _ROWS = 1e-6, 1e3, 181
_SLIVER = 0.98  # V' on the edge above it leaves chaotic networks 1 % of σ_w before V' is 1
_COLUMNS = 21  # on either side of the edge
_FAR_LOW, _FAR_ROWS = 1e-3, 32  # of the chaotic sheet: its pair expectations cost most
_ANGLES = 22
_ROWS_SHOWN = 13
_LARGEST_AXIS = 1e50  # of σ_w: its square stays within float64


@dataclass(frozen=True)
class NetworkSheet:
    """All networks with a fixed point, by q* (rows) and σ_w (columns): from no weights to no bias, or to a largest σ_w.

    Where there is an edge of chaos it is the middle column.

    Attributes
    ----------
    sigma_w, bias_var : ndarray, shape (Q, S)
        σ_w and σ_b².
    chi_1, slope : ndarray, shape (Q, S)
        χ₁(q*) and V'(q*).
    """

    sigma_w: FloatArray
    bias_var: FloatArray
    chi_1: FloatArray
    slope: FloatArray


@dataclass(frozen=True)
class ChaoticSheet:
    """Chaotic networks, by q* (rows) and θ* = arccos c* (columns).

    Attributes
    ----------
    q_star : ndarray, shape (P,)
        Those of the diagram's variances about which there are stable chaotic networks, thinned out.
    theta : ndarray, shape (T,)
        θ*, up to π/2.
    sigma_w, bias_var : ndarray, shape (P, T)
        σ_w and σ_b²; negative where no network has this q* and θ*, NaN where φ turns too often within √q* for
        its pair expectations to be computed.
    slope : ndarray, shape (P, T)
        V'(q*).
    slope_at_limit : ndarray, shape (P, T)
        χ_{c*} = C'(c*) = e^{-1/ξ_c}.
    """

    q_star: FloatArray
    theta: FloatArray
    sigma_w: FloatArray
    bias_var: FloatArray
    slope: FloatArray
    slope_at_limit: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class PhaseDiagram(Result):
    """What `phase_diagram` answers.

    Attributes
    ----------
    options : dict
        The activation and the wiring.
    q_star : ndarray, shape (Q,)
        Variances along the edge of chaos.
    sigma_w, sigma_b : ndarray, shape (Q,)
        The edge of chaos; NaN at those q* that have none.
    slope : ndarray, shape (Q,)
        V'(q*) along the edge: above 1 the variance leaves q*.
    networks : NetworkSheet
    chaotic : ChaoticSheet or None
        None if it was not asked for.
    """

    options: dict[str, Any]
    q_star: FloatArray
    sigma_w: FloatArray
    sigma_b: FloatArray
    slope: FloatArray
    networks: NetworkSheet
    chaotic: ChaoticSheet | None

    def __str__(self) -> str:
        """The edge at some of its variances, as a table."""
        exists = np.flatnonzero(np.isfinite(self.sigma_w))
        rows = [
            [f"{column[k]:.6g}" for column in (self.q_star, self.sigma_w, self.sigma_b, self.slope)]
            for k in thinned(exists, _ROWS_SHOWN)
        ]
        title = f"edge of chaos of {self.options['activation']}"
        note = f"an edge at {exists.size} of {self.q_star.size} variances from {self.q_star[0]:.3g} to "
        return render_table(title, ["q*", "σ_w", "σ_b", "V'(q*)"], rows, [f"{note}{self.q_star[-1]:.3g}"])


def phase_diagram(
    phi: str | Activation,
    *,
    q: Any = None,
    sigma_w_max: float = 0.0,
    chaotic: bool = True,
    alpha: float = 0.0,
    beta: float = 1.0,
    layer_norm: bool = False,
) -> PhaseDiagram:
    r"""The edge of chaos as a curve in the plane of (σ_w, σ_b), and the depth scales about it, ξ_c.

        σ_w²(q*) = r q*/(q_φ E φ'²),   σ_b²(q*) = r q* - σ_w² E φ²

    Parameters
    ----------
    phi : str or Activation
    q : array_like, optional
        Increasing variances q* > 0 to go through, two or more; default 181 from 1e-6 to 1e3 times the activation's
        scale squared.
    sigma_w_max : float
        The σ_w up to which the sheets reach, if it is more than three times the smallest on the edge.
    chaotic : bool
        Whether to compute depth scales in the chaotic phase, the only costly part.
    alpha, beta, layer_norm
        As `VarianceMap`; |α| < 1.

    Returns
    -------
    PhaseDiagram

    Raises
    ------
    DomainError
        A parameter is out of range.
    InfeasibleError
        |α| ≥ 1: no network has a fixed point.

    Notes
    -----
    Exact as the moments are. One vectorised pass over q*; pair expectations at up to 32 q* and 22 angles.

    References
    ----------
    Schoenholz et al. 2017, arXiv 1611.01232, fig. 5.

    Examples
    --------
    >>> diagram = phase_diagram("erf", q=[0.5, 1.0], chaotic=False)
    >>> print(f"{diagram.sigma_w[1] ** 2:.12f} {np.pi / 4 * 5**0.5:.12f}")
    1.756203682760 1.756203682760
    """
    layer = VarianceMap(activation(phi), 1.0, 0.0, alpha, beta, layer_norm)
    if abs(layer.alpha) >= 1:
        raise InfeasibleError(
            f"alpha = {layer.alpha:g}: no network has a fixed point of the variance.",
            "A residual layer that keeps its input in full lets lengths grow.",
            "Use |alpha| < 1, for instance alpha² + beta² = 1.",
        )
    chaotic = flag("chaotic", chaotic)
    scale = scale2(layer.phi)
    points = increasing("q", scale * np.geomspace(_LOW, _HIGH, _ROWS) if q is None else q)
    options = {key: value for key, value in layer.options.items() if key not in ("sigma_w", "sigma_b")}
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        m = layer.moments(points)
        room = _room(layer, points)
        edge_var = room / (layer.seen(points) * m.slope_second)
        bias_var = room - edge_var * m.second
        bias_var = np.where(np.abs(bias_var) <= _ROUNDING * room, 0.0, bias_var)
        exists = (bias_var >= 0) & np.isfinite(edge_var)
        slope = layer.alpha**2 + layer.beta**2 * edge_var * (0.0 if layer_norm else m.d_second)
        own = edge_var[exists & (points >= scale)] if layer_norm else edge_var[exists]  # a ray, or a curve
        top = max(_top(own), _not_negative(sigma_w_max))
        steady = slope - layer.alpha**2 < _SLIVER * (1 - layer.alpha**2)  # V' grows with σ_w: where it is 1, no more
        far = np.flatnonzero(exists & (edge_var < top**2) & steady & (points >= _FAR_LOW * scale))
        far = far[:: -(-far.size // _FAR_ROWS) or 1]
        return PhaseDiagram(
            options=options,
            q_star=points,
            sigma_w=np.where(exists, np.sqrt(edge_var), np.nan),
            sigma_b=np.where(exists, np.sqrt(np.maximum(bias_var, 0.0)), np.nan),
            slope=slope,
            networks=_networks(layer, points, edge_var, top),
            chaotic=_chaotic(layer, points[far], m.second[far], m.d_second[far]) if chaotic else None,
        )


def _room(layer: VarianceMap, q: FloatArray) -> FloatArray:
    """r q* = σ_w² E φ² + σ_b²: what weights and biases have to supply."""
    return (1 - layer.alpha**2) / layer.beta**2 * q


def _top(edge_var: FloatArray) -> float:
    """The largest σ_w of interest."""
    return 3 * math.sqrt(float(edge_var.min())) if edge_var.size else 4.0


def _networks(layer: VarianceMap, q: FloatArray, edge_var: FloatArray, top: float) -> NetworkSheet:
    """Every network with these fixed points, up to σ_w = `top`."""
    m, room = layer.moments(q), _room(layer, q)
    full_var = np.fmin(room / m.second, top**2)  # all of the variance from the weights; φ may be 0 to underflow
    middle = np.where(edge_var < (1 - 1e-9) * full_var, edge_var, full_var / 2)[:, None]
    steps = np.linspace(0.0, 1.0, _COLUMNS)
    weight_var = np.hstack([middle * steps**2, middle + (full_var[:, None] - middle) * steps[1:]])
    reach = layer.beta**2 * (m.slope_second * layer.seen(q) / q)[:, None]
    own = 0.0 if layer.layer_norm else layer.beta**2 * np.asarray(m.d_second)[:, None]
    return NetworkSheet(
        sigma_w=np.sqrt(weight_var),
        bias_var=np.maximum(room[:, None] - weight_var * m.second[:, None], 0.0),
        chi_1=layer.alpha**2 + weight_var * reach,
        slope=layer.alpha**2 + weight_var * own,
    )


def _chaotic(layer: VarianceMap, q: FloatArray, second: FloatArray, d_second: FloatArray) -> ChaoticSheet:
    """Every chaotic network with these fixed points, from E φ² and its derivative there."""
    theta = math.pi / 2 * np.linspace(0.0, 1.0, _ANGLES + 1)[1:] ** 1.5
    shape = (len(q), len(theta))
    gap, product = np.empty(shape), np.empty(shape)
    seen = np.broadcast_to(layer.seen(q), q.shape)
    for row, variance in enumerate(seen):
        try:
            gap[row] = layer.phi.gap(theta, float(variance))
            product[row] = layer.phi.slope_product(theta, float(variance))
        except DomainError:  # φ turns many times within a standard deviation: no pair expectations there
            gap[row], product[row] = np.nan, np.nan
    room = _room(layer, q)
    weight_var = room[:, None] * 2 * np.sin(theta / 2) ** 2 / gap
    gain = layer.beta**2 * weight_var
    own = 0.0 if layer.layer_norm else d_second[:, None]
    return ChaoticSheet(
        q_star=q,
        theta=theta,
        sigma_w=np.sqrt(weight_var),
        bias_var=room[:, None] - weight_var * second[:, None],
        slope=layer.alpha**2 + gain * own,
        slope_at_limit=layer.alpha**2 + gain * (seen / q)[:, None] * product,
    )


def _not_negative(value: Any) -> float:
    """`value` as a finite number that is not negative.

    Raises
    ------
    DomainError
        It is none.
    """
    number = as_float(value)
    if not 0 <= number < _LARGEST_AXIS:
        raise DomainError(
            f"sigma_w_max is {shown(value)}.",
            "It is the end of an axis of standard deviations: one number, finite and not negative.",
            "Give a number such as 4, or leave it out.",
        )
    return number


def increasing(name: str, values: Any, least: int = 2) -> FloatArray:
    """`values`, of the argument `name`, as an increasing array of positive numbers.

    Raises
    ------
    DomainError
        They are not.
    """
    points = np.atleast_1d(as_array(values))
    if points.dtype.kind not in "iuf" or not ((points > 0) & np.isfinite(points)).all():
        raise DomainError(
            f"{name} = {shown(values)} is no list of positive numbers.",
            "A number in it is zero, negative, infinite or NaN; or it holds text, None or rows of unequal length.",
            "Use for instance numpy.geomspace(0.01, 10, 100).",
        )
    if points.ndim != 1 or points.size < least or not (np.diff(points) > 0).all():
        raise DomainError(
            f"{name} has {points.size} values of shape {points.shape}.",
            f"They must be {least} or more in increasing order; they are sorted otherwise, or repeat.",
            "Use for instance numpy.geomspace(0.01, 10, 100).",
        )
    return points.astype(np.float64)


def thinned(places: Any, most: int) -> Any:
    """At most `most` of `places`, evenly spread, with the first and the last."""
    return places[np.unique(np.linspace(0, len(places) - 1, most).round().astype(int))] if len(places) else places

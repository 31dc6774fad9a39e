r"""The correlation of two inputs from layer to layer at infinite width, with the digits of inputs that nearly agree.

    1 - C = [α² q δ + β² σ_w² gap(θ)] / V(q),      δ = 1 - c = 2 sin²(θ/2),      C'(1) = [α² q + β² σ_w² q E φ'²] / V(q)

for two inputs of equal variance q; gap(θ) is what E φ(u)φ(v) lacks to E φ², formed without cancellation. The state is
δ or the angle θ, never c itself: at 1 - c = 1e-12 a map of c has lost its twelve leading digits before it begins.

On the edge of chaos the linear term is δ itself, and the map is taken as δ - β² σ_w² remainder(θ)/V(q) instead, so
that C'(1) = 1 holds by construction; a slope that is off by one unit of rounding would shift δ by the depth times as
much.

Poole et al. (2016), eq. 5; Price's theorem for the derivatives: Schoenholz et al. (2017), §3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..activations import Activation, activation
from ..errors import DomainError
from ..gaussian.arguments import angles, as_floats, shown, supplement, variance
from ..result import FloatArray
from .compiled_map import CompiledMap, compile_panels
from .variance import VarianceMap

EDGE_ROUNDING = 16 * np.finfo(np.float64).eps
"""A slope C'(1) this close to 1 is taken as 1: σ_w from `edge_of_chaos` is right to a few units of rounding."""


@dataclass(frozen=True)
class CorrelationMap:
    """C at the variance q of both inputs.

    Parameters
    ----------
    layer : VarianceMap
        The layer.
    q : float
        Variance q > 0 of the pre-activations that enter; a fixed point of the layer, unless one step is all you want.

    Examples
    --------
    >>> C = correlation_map("relu", q=1.0, sigma_w=2**0.5)
    >>> print(f"{1 - C.one_minus_c(1.0):.12f} {1 / np.pi:.12f}")
    0.318309886184 0.318309886184
    """

    layer: VarianceMap
    q: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "q", variance("q", self.q))

    # -------------------------------------------------------------- the map in its coordinates

    def one_minus_c(self, delta: Any) -> Any:
        """1 - C for 1 - c = `delta` in [0, 2], relative accuracy."""
        given = deficits(delta)
        return self._step(2 * np.arcsin(np.sqrt(given / 2)), given)[()]

    def angle(self, theta: Any) -> Any:
        """The next angle for `theta` in [0, π]; both are the arccosines of correlations."""
        given = angles(theta)
        mirrored = self.odd or self.even
        near = np.minimum(given, supplement(given)) if mirrored else given
        after = near - self._fall(near) if self.on_edge else self._angle(near)
        if self.odd:  # C(-c) = -C(c)
            after = np.where(given > np.pi / 2, np.pi - after, after)
        return after[()]

    def slope(self, theta: Any) -> Any:
        """dC/dc at the angle `theta`: [α² q + β² σ_w² q E φ'(u)φ'(v)]/V(q)."""
        layer, seen = self.layer, self._seen
        product = layer.phi.slope_product(angles(theta), seen)
        return (layer.alpha**2 * self.q + layer.beta**2 * layer.sigma_w**2 * seen * product) / self._next

    def curvature(self, theta: Any) -> Any:
        """d²C/dc² at the angle `theta`; infinite at 0 if φ has kinks."""
        layer, seen = self.layer, self._seen
        product = layer.phi.curvature_product(angles(theta), seen)
        return layer.beta**2 * layer.sigma_w**2 * seen**2 * product / self._next

    @cached_property
    def even(self) -> bool:
        """Whether C(-c) = C(c): φ is even and nothing is carried past it."""
        return self.layer.alpha == 0 and self.layer.phi.even

    @cached_property
    def odd(self) -> bool:
        """Whether C(-c) = -C(c): φ is odd and there is no bias."""
        return self.layer.sigma_b == 0 and self.layer.phi.odd

    # -------------------------------------------------------------- at c = 1

    @cached_property
    def slope_at_one(self) -> float:
        """C'(1), exactly 1 on the edge; at a fixed point it is χ₁."""
        layer, seen = self.layer, self._seen
        own = layer.beta**2 * layer.sigma_w**2 * seen * float(layer.moments(self.q).slope_second)
        slope = (layer.alpha**2 * self.q + own) / self._next
        return 1.0 if abs(slope - 1) <= EDGE_ROUNDING else slope

    @property
    def on_edge(self) -> bool:
        """Whether C'(1) = 1 to rounding."""
        return self.slope_at_one == 1.0

    def excess(self, theta: Any) -> Any:
        """(C'(1) δ - (1 - C))/δ at `theta` > 0: how far C lies above its tangent at c = 1; grows with the angle."""
        given = angles(theta)
        delta = _deficit(given)
        return np.where(delta > 0, self._remainder(given) / np.where(delta > 0, delta, 1.0), 0.0)[()]

    @cached_property
    def compiled(self) -> CompiledMap:
        """The map of the angle as a table, for many layers: 11 ns a step."""
        return compile_panels(self._fall_over_square if self.on_edge else self._ratio, self.slope_at_one)

    # -------------------------------------------------------------- how it is made

    @cached_property
    def _next(self) -> float:
        """V(q)."""
        value = float(self.layer(self.q))
        if not 0 < value < np.inf:
            raise DomainError(
                f"V({self.q:g}) = {value:g} for '{self.layer.phi.name}'.",
                "The activation does not respond at this variance (a threshold is many standard deviations away), or "
                "overflows.",
                "Use a variance at which E φ² is a positive number, or a bias.",
            )
        return value

    @cached_property
    def _seen(self) -> float:
        return float(self.layer.seen(np.float64(self.q)))

    def _angle(self, theta: FloatArray) -> FloatArray:
        """θ' from δ', which loses digits as θ' → π."""
        return np.asarray(2 * np.arcsin(np.sqrt(np.minimum(self._step(theta, _deficit(theta)) / 2, 1.0))))

    def _step(self, theta: FloatArray, delta: FloatArray) -> FloatArray:
        """δ' from θ and its δ."""
        if self.on_edge:
            return delta - self._remainder(theta)
        layer = self.layer
        gap = layer.phi.gap(theta, self._seen)
        step = (layer.alpha**2 * self.q * delta + layer.beta**2 * layer.sigma_w**2 * gap) / self._next
        return np.asarray(np.minimum(step, 2.0))

    def _remainder(self, theta: FloatArray) -> FloatArray:
        """C'(1) δ - (1 - C)."""
        layer = self.layer
        rest = layer.phi.remainder(theta, self._seen)
        return np.asarray(layer.beta**2 * layer.sigma_w**2 * rest / self._next)

    def _fall(self, theta: FloatArray) -> FloatArray:
        """θ - θ' on the edge: with y = sin(θ/2), y'² = y² - R/2, sin((θ - θ')/2) = (R/2)/(y cos' + y' cos)."""
        y, half = np.sin(theta / 2), self._remainder(theta) / 2
        after = np.sqrt(np.maximum(y**2 - half, 0.0))
        scale = y * np.sqrt(1 - np.minimum(after, 1.0) ** 2) + after * np.cos(theta / 2)
        return np.asarray(2 * np.arcsin(np.minimum(half / np.where(scale > 0, scale, 1.0), 1.0)))

    def _fall_over_square(self, theta: FloatArray) -> FloatArray:
        if self.odd or self.even:
            far = theta > np.pi / 2
            return np.where(far, theta - np.asarray(self.angle(theta)), self._fall(theta)) / theta**2
        return self._fall(theta) / theta**2

    def _ratio(self, theta: FloatArray) -> FloatArray:
        return np.asarray(self.angle(theta)) / theta


def correlation_map(
    phi: str | Activation,
    *,
    q: float,
    sigma_w: float,
    sigma_b: float = 0.0,
    alpha: float = 0.0,
    beta: float = 1.0,
    layer_norm: bool = False,
) -> CorrelationMap:
    r"""The correlation map C of two inputs of variance q.

        1 - C = [α² q δ + β² σ_w² (E φ² - E φ(u)φ(v))] / V(q)

    Parameters
    ----------
    phi : str or Activation
    q : float
        Variance of the pre-activations of both inputs, q > 0; usually a fixed point.
    sigma_w, sigma_b, alpha, beta, layer_norm
        As `VarianceMap`.

    Returns
    -------
    CorrelationMap
        With methods `one_minus_c` and `angle` (the map), `slope`, `curvature` (its derivatives by c),
        `iterate` through `compiled`.

    Raises
    ------
    DomainError
        A parameter is out of range.

    Notes
    -----
    Exact up to rounding: relative error about 1e-15 for erf, GELU and piecewise-linear φ without close kinks, 1e-13
    for all others, at every angle.

    References
    ----------
    Poole et al. 2016, NIPS 29, eq. 5.

    Examples
    --------
    Two inputs with 1 - c = 1e-12 after one ReLU layer, and the leading law δ - (2√2/3π) δ^{3/2}:

    >>> delta = 1e-12
    >>> step = correlation_map("relu", q=1.0, sigma_w=2**0.5).one_minus_c(delta)
    >>> print(f"{(delta - step) / delta**1.5:.9f} {2 * 2**0.5 / (3 * np.pi):.9f}")
    0.300105439 0.300105439
    """
    return CorrelationMap(VarianceMap(activation(phi), sigma_w, sigma_b, alpha, beta, layer_norm), q)


def compile_map(phi: str | Activation, *, q: float, sigma_w: float, sigma_b: float = 0.0, **wiring: Any) -> CompiledMap:
    """The map of the angle at variance q as a table, for many layers: `correlation_map(...).compiled`.

    Examples
    --------
    >>> theta = compile_map("relu", q=1.0, sigma_w=2**0.5).iterate(np.pi / 2, 1000)
    >>> print(f"{theta:.12f}")
    0.009287630762
    """
    return correlation_map(phi, q=q, sigma_w=sigma_w, sigma_b=sigma_b, **wiring).compiled


def deficits(delta: Any) -> FloatArray:
    """`delta` = 1 - c in float64, each in [0, 2].

    Raises
    ------
    DomainError
        An entry is NaN or outside.
    """
    values = as_floats(delta)
    if values is None or not ((values >= 0) & (values <= 2)).all():
        raise DomainError(
            f"delta is {shown(delta)}.",
            "1 - c of a correlation c lies in [0, 2]; NaN, text, an angle, or c itself may have been given.",
            "Give 1 - c; from unit vectors x, y it is |x - y|²/2, which keeps its digits.",
        )
    return values


def _deficit(theta: FloatArray) -> FloatArray:
    return np.asarray(2 * np.sin(theta / 2) ** 2)

r"""How correlations approach 1 on the edge of chaos: algebraically, in two universality classes.

    smooth φ:   1/δ_l = β l + ((β² - γ)/β) ln l + O(1),        δ = 1 - c,  β = C''(1)/2,  γ = C'''(1)/6
    φ'' jumps:  1/δ_l = β l - 2 ρ √(l/β) + O(ln l),            ρ = σ_w² q (2√2/15π) Σ_j J_j² e^{-t_j²/2q}
    kinked φ:   δ_l = 4 / (κ (l + (3/2) ln l + O(1)))²

*Derivation.* For smooth φ the map is δ' = δ - β δ² + γ δ³ + ..., so 1/δ' = 1/δ + β + (β² - γ) δ + O(δ²), and summing
with δ ≈ 1/(β l) gives the logarithm. For φ with kinks it is δ' = δ - κ δ^{3/2} + O(δ^{5/2}), so that y = δ^{-1/2}
grows by κ/2 + (3/8) κ²/y + O(1/y²), and with y ≈ κ l/2 the second term sums to (3/4) κ ln l. Where φ'' jumps by J_j
(ELU), C''' diverges as C'' does at a kink, and three integrations leave δ' = δ - β δ² + ρ δ^{5/2}, so that 1/δ grows by
β - ρ √δ. The constant of each law depends on the start; it comes from Abel's equation F(δ') = F(δ) + 1, whose
solution begins

    F = 1/(βδ) - ((β² - γ)/β²) ln(1/δ),   F = 1/(βδ) + (2ρ/β²)/√δ,   F = (2/κ) y - (3/2) ln y,

after as many layers of the map itself as it takes to reach small δ: then δ_l = F^{-1}(F(δ_m) + l - m).

Hayou, Doucet & Rousseau (2019), prop. 2 and 3, for the leading terms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation, activation
from ..errors import DomainError
from ..gaussian.arguments import depths
from ..result import FloatArray
from .correlation import CorrelationMap, deficits
from .edge import edge_of_chaos
from .variance import VarianceMap

_SMALL_SMOOTH, _SMALL_JUMPING, _SMALL_KINKED = 1e-3, 2e-4, 1e-5
_MOST_STEPS = 100_000


@dataclass(frozen=True)
class EdgeLaw:
    """The decay of 1 - c on the edge of chaos.

    Attributes
    ----------
    correlations : CorrelationMap
        The map at the fixed point, with C'(1) = 1.
    kappa : float
        κ; 0 for smooth φ.
    beta, gamma : float
        C''(1)/2 and C'''(1)/6; infinite for kinked φ, γ also where φ'' jumps.
    rho : float
        Coefficient of δ^{5/2} where φ'' jumps and φ' does not.
    """

    correlations: CorrelationMap
    kappa: float
    beta: float
    gamma: float
    rho: float

    @property
    def power(self) -> int:
        """1 - c falls as depth to the power -1 (smooth φ) or -2 (kinked φ)."""
        return 2 if self.kappa > 0 else 1

    def leading(self, depth: Any) -> Any:
        """4/(κ l)² or 1/(β l) = 2/(C''(1) l), whatever the start."""
        layers = depths(depth)
        with np.errstate(over="ignore"):  # to 1 - c = 0
            return (4 / (self.kappa * layers) ** 2 if self.kappa > 0 else 1 / (self.beta * layers))[()]

    def one_minus_c(self, depth: Any, delta0: float) -> Any:
        """δ_l after `depth` l ≥ 1 layers from δ_0 = `delta0` in (0, 2], from the law with its constant.

        Relative error about 1e-5 where φ is smooth or kinked, 1e-3 where φ'' jumps; largest soon after the law takes
        over from the map itself, and falling as ln l/l beyond.
        """
        layers = depths(depth)
        given = deficits(delta0)
        if given.ndim:
            raise DomainError(
                f"delta0 has the shape {given.shape}.", "One start is asked for.", "Call once for each 1 - c_0."
            )
        start = float(given)
        if start == 0:
            return np.zeros_like(layers)[()]
        small = _SMALL_KINKED if self.kappa > 0 else _SMALL_JUMPING if self.rho > 0 else _SMALL_SMOOTH
        path = self._until(start, small)
        reached = len(path) - 1
        beyond = self._inverse(self._abel(path[-1]) + np.maximum(layers - reached, 0.0))
        known = path[np.minimum(layers, reached).astype(int)]
        return np.where(layers <= reached, known, beyond)[()]

    def _until(self, start: float, small: float) -> FloatArray:
        """δ_0, δ_1, ... by the map itself until `small` is reached."""
        path = [start]
        theta = 2 * math.asin(math.sqrt(start / 2))
        compiled = self.correlations.compiled
        while path[-1] > small:
            thetas = compiled.path(theta, 1000)
            path += (2 * np.sin(thetas / 2) ** 2).tolist()
            theta = float(thetas[-1])
            if len(path) > _MOST_STEPS:
                raise DomainError(
                    f"After {_MOST_STEPS} layers 1 - c is still {path[-1]:.3g}.",
                    "The activation is nearly linear at this variance, or opposite inputs stay opposite.",
                    "Use CorrelationMap.compiled at the depth in question.",
                )
        values = np.array(path)
        return values[: int(np.argmax(values <= small)) + 1]

    def _abel(self, delta: Any) -> Any:
        """F(δ)."""
        if self.kappa > 0:
            y = delta**-0.5
            return 2 * y / self.kappa - 1.5 * np.log(y)
        return 1 / (self.beta * delta) + self._log * np.log(delta) + self._root / np.sqrt(delta)

    @property
    def _log(self) -> float:
        """(β² - γ)/β²; 0 where φ'' jumps and γ is infinite."""
        return (self.beta**2 - self.gamma) / self.beta**2 if math.isfinite(self.gamma) else 0.0

    @property
    def _root(self) -> float:
        """2ρ/β²."""
        return 2 * self.rho / self.beta**2

    def _inverse(self, layers: FloatArray) -> FloatArray:
        """δ with F(δ) = `layers`, by Newton's method in y or 1/δ; F is nearly linear there."""
        if self.kappa > 0:
            y = layers * self.kappa / 2
            for _ in range(8):
                y = y - (2 * y / self.kappa - 1.5 * np.log(y) - layers) / (2 / self.kappa - 1.5 / y)
            return np.asarray(y**-2)
        u = layers * self.beta
        for _ in range(8):
            value = u / self.beta - self._log * np.log(u) + self._root * np.sqrt(u) - layers
            u = u - value / (1 / self.beta - self._log / u + self._root / (2 * np.sqrt(u)))
        return np.asarray(1 / u)


def edge_law(
    phi: str | Activation,
    *,
    q: float | None = None,
    sigma_b: float | None = None,
    alpha: float = 0.0,
    beta: float = 1.0,
    layer_norm: bool = False,
) -> EdgeLaw:
    r"""The law of 1 - c_l on the edge of chaos, with its constants.

        δ_l ~ 2/(C''(1) l)   (smooth φ),      δ_l ~ 4/(κ l)²   (φ with kinks)

    Parameters and errors as `edge_of_chaos`.

    Returns
    -------
    EdgeLaw

    Raises
    ------
    DomainError
        The edge is at q* = 0, or φ is linear: correlations then do not approach 1.

    References
    ----------
    Hayou, Doucet & Rousseau 2019, arXiv 1902.06853, prop. 2 and 3; see the head of this module for the next order.

    Examples
    --------
    ReLU: δ_l ~ (9π²/2)/l²:

    >>> law = edge_law("relu", q=1.0)
    >>> print(f"{law.leading(1000) * 1000**2:.9f} {4.5 * np.pi**2:.9f}")
    44.413219805 44.413219805
    """
    edge = edge_of_chaos(phi, q=q, sigma_b=sigma_b, alpha=alpha, beta=beta, layer_norm=layer_norm)
    layer = VarianceMap(activation(phi), edge.sigma_w, edge.sigma_b, alpha, beta, layer_norm)
    if edge.q_star == 0 or not (edge.kappa > 0 or edge.chi_2 > 0):
        raise DomainError(
            f"{edge.options['activation']}: "
            + ("the edge of chaos without bias is at q* = 0." if edge.q_star == 0 else "φ is linear."),
            "Angles then converge to a limit that is not 0: 1 - c does not decay.",
            "Give q > 0 or sigma_b > 0, and a nonlinear activation.",
        )
    third = float(layer.chi(3, edge.q_star)) / 6 if edge.kappa == 0 else math.inf
    seen = float(layer.seen(np.float64(edge.q_star)))
    squares = sum(j2 * math.exp(-(t**2) / (2 * seen)) for t, j2 in layer.phi.curvature_jumps)
    rho = layer.beta**2 * layer.sigma_w**2 * seen**2 / edge.q_star * 2 * math.sqrt(2) / (15 * math.pi) * squares
    return EdgeLaw(CorrelationMap(layer, edge.q_star), edge.kappa, edge.chi_2 / 2, third, rho)

r"""The critical point without bias, q* = 0: tanh, erf and other odd φ with σ_w φ'(0) = 1.

    q_l ~ 1/(B l),      cot θ_∞ = cot θ_m exp(-q_m B/6 + O(q_m²)),      B = -V''(0)/2 > 0

Lengths vanish slowly, as 1/l, and angles with them ever more slowly: they converge to a limit that depends on the
start. Neither is the 1/l decay of angles that the edge of chaos with bias has.

*Derivation.* With φ = a x + b x³ + O(x⁵), σ_w a = 1, and moments of normal variables, E uv³ = 3q²ρ and
E u³v³ = q³(9ρ + 6ρ³),

    q' = q + 6 (b/a) q² + O(q³),      ρ' = ρ - 6 (b/a)² q² ρ(1 - ρ²) + O(q³).

So B = -6b/a; for B > 0, 1/q' = 1/q + B + O(q). In the sum over layers, Σ_{l≥m} q_l² = q_m/B + O(q_m²) is finite, and
d cot θ/dl = -(B²/6) q² cot θ with cos θ = ρ gives the limit. Terms of order q³ add O(q_m²). (For B < 0 lengths grow,
and there is no such point; for φ that is not odd a term in q ρ² changes the law of angles.)

Roberts, Yaida & Hanin (2022), §5.3, for the classes of criticality.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation, activation
from ..errors import DomainError
from ..gaussian.arguments import angles, depths, variance
from ..result import FloatArray
from .correlation import CorrelationMap
from .edge import curvature_at_zero, edge_of_chaos
from .variance import VarianceMap

_SMALL = 5e-3  # of q B: where the limit is read off; its error is estimated from twice that
_MOST_STEPS = 20_000


@dataclass(frozen=True)
class CriticalLaw:
    """Lengths and angles at the critical point q* = 0.

    Attributes
    ----------
    layer : VarianceMap
        The layer: φ odd, σ_w = 1/φ'(0), no bias.
    rate : float
        B = -V''(0)/2 > 0.
    """

    layer: VarianceMap
    rate: float

    def variance(self, depth: Any) -> Any:
        """1/(B l): the variance after many layers l ≥ 1, whatever the start; relative error O(ln l/l)."""
        return (1 / (self.rate * depths(depth)))[()]

    def angle_limit(self, theta: Any, q: float) -> tuple[Any, Any]:
        """θ_∞ for angles `theta` in [0, π] between inputs of variance q > 0, and an estimate of its error.

        The map is iterated until q B is below 5e-3 (some 200 layers), and the rest summed by the law above; the error
        is a third of the difference to the same from q B = 1e-2, the terms left out being of order q².
        """
        now, size = np.array(angles(theta)), variance("q", q)
        estimates: list[FloatArray] = []  # from q B = 1e-2, then from half of it
        for _ in range(_MOST_STEPS):
            if size * self.rate <= (_SMALL if estimates else 2 * _SMALL):
                estimates.append(self._rest(now, size))
            if len(estimates) == 2:
                return estimates[1][()], (np.abs(estimates[1] - estimates[0]) / 3)[()]
            now = np.asarray(CorrelationMap(self.layer, size).angle(now))
            size = float(self.layer(size))
        raise DomainError(
            f"After {_MOST_STEPS} layers the variance is still {size:.3g}.",
            "The start is extremely large, or the activation is nearly linear.",
            "Start from a variance near 1.",
        )

    def _rest(self, theta: FloatArray, q: float) -> FloatArray:
        """arccot(cot θ exp(-qB/6))."""
        return np.asarray(np.arctan2(np.sin(theta), np.cos(theta) * math.exp(-q * self.rate / 6)))


def critical_law(phi: str | Activation) -> CriticalLaw:
    r"""The law of lengths and angles at the critical point without bias, q* = 0.

        q_l ~ 1/(B l),   B = -V''(0)/2,   σ_w = 1/φ'(0)

    Parameters
    ----------
    phi : str or Activation
        An odd activation, smooth at 0, whose slope falls away from 0: tanh, erf, sin.

    Returns
    -------
    CriticalLaw

    Raises
    ------
    DomainError
        φ is not odd, has no such point, or lengths grow there.

    References
    ----------
    Roberts, Yaida & Hanin 2022, The Principles of Deep Learning Theory, §5.3; derivation at the head of this module.

    Examples
    --------
    >>> law = critical_law("tanh")
    >>> law.rate, float(law.variance(1000))
    (2.0, 0.0005)
    >>> limit, error = law.angle_limit(np.pi / 4, 1.0)
    >>> print(f"{limit:.3f}, error {error:.0e}")
    0.868, error 2e-06
    """
    function = activation(phi)
    edge = edge_of_chaos(function, sigma_b=0.0)
    layer = VarianceMap(function, edge.sigma_w)
    rate = -curvature_at_zero(layer) / 2 if edge.q_star == 0 else math.nan
    if edge.q_star != 0 or not function.odd or not rate > 1e-6:
        raise DomainError(
            f"'{function.name}' has no critical point q* = 0 at which lengths fall as 1/l.",
            "It is not odd, not smooth at 0, exactly linear near 0, or its slope grows away from 0.",
            "Use an odd activation such as tanh, erf or sin.",
        )
    return CriticalLaw(layer, rate)

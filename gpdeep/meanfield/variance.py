r"""The variance of pre-activations from layer to layer at infinite width, and what goes with it.

    V(q) = α² q + β² (σ_w² E φ(√q z)² + σ_b²),      z ~ N(0, 1)

Dense layers have α = 0, β = 1; residual ones, h ← α h + β (W φ(h) + b), any α and β. With layer normalisation before φ
the variance that φ sees is 1: q on the right, inside φ, is replaced by 1.

V alone decides which lengths a deep network can have: its fixed points V(q*) = q* with |V'(q*)| < 1. Beside it stands
the factor by which a squared gradient, or a small angle squared, is multiplied in one layer,

    χ₁(q) = α² + β² σ_w² E φ'(√q z)²,

with layer normalisation α² + β² σ_w² E φ'(z)²/q: the gradient passes the division by √q.

Poole et al. (2016), eq. 3; Schoenholz et al. (2017), eq. 3 and 9; residual: Yang & Schoenholz (2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation, activation
from ..activations.base import Moments
from ..errors import DomainError
from ..gaussian.arguments import as_float, shown, variances, whole

_HIGHEST_ORDER = 100
_LARGEST = 1e50  # squares of sigmas and slopes stay within float64


@dataclass(frozen=True)
class VarianceMap:
    r"""One layer of infinite width: V, its derivatives, χ₁ and the coefficients of the correlation map at c = 1.

    Parameters
    ----------
    phi : Activation
    sigma_w, sigma_b : float
        Standard deviations of weights (times √fan-in) and biases, σ_w > 0, σ_b ≥ 0.
    alpha, beta : float
        Residual coefficients α, β ≠ 0; a dense layer has 0 and 1.
    layer_norm : bool
        Whether pre-activations are normalised before φ.

    Raises
    ------
    DomainError
        A parameter is out of range.

    Examples
    --------
    He's weights keep every variance of a ReLU network:

    >>> V = variance_map("relu", sigma_w=2**0.5)
    >>> print(f"{V(3.0):.12f} {V.slope(3.0):.12f} {V.chi_1(3.0):.12f}")
    3.000000000000 1.000000000000 1.000000000000
    """

    phi: Activation
    sigma_w: float
    sigma_b: float = 0.0
    alpha: float = 0.0
    beta: float = 1.0
    layer_norm: bool = False

    def __post_init__(self) -> None:
        for name, zero in (("sigma_w", False), ("sigma_b", True), ("alpha", True), ("beta", False)):
            value = getattr(self, name)
            number = as_float(value)
            negative = number < 0 and name.startswith("sigma")
            if not abs(number) <= _LARGEST or negative or (not zero and abs(number) < 1 / _LARGEST):
                raise DomainError(
                    f"{name} is {shown(value)}.",
                    "Standard deviations are finite and not negative, that of the weights and beta not zero; a "
                    "variance, NaN or text may have been given.",
                    f"Give {name} as a number such as 1.0.",
                )
            object.__setattr__(self, name, number)
        if not isinstance(self.layer_norm, (bool, np.bool_)):
            raise DomainError(
                f"layer_norm is {shown(self.layer_norm)}.", "It says yes or no.", "Give True or False, without quotes."
            )

    @property
    def options(self) -> dict[str, Any]:
        """The parameters as results record them."""
        return {
            "activation": self.phi.name,
            "sigma_w": self.sigma_w,
            "sigma_b": self.sigma_b,
            "alpha": self.alpha,
            "beta": self.beta,
            "layer_norm": bool(self.layer_norm),
        }

    # -------------------------------------------------------------- the map

    def __call__(self, q: Any) -> Any:
        """V(q), of the shape of q ≥ 0."""
        q = variances("q", q)
        return self._of(q, self.moments(q).second)

    def slope(self, q: Any) -> Any:
        """V'(q)."""
        q = variances("q", q)
        own = 0.0 if self.layer_norm else self.moments(q).d_second
        return self.alpha**2 + self._weight * own + 0 * q

    def curvature(self, q: Any) -> Any:
        """V''(q)."""
        q = variances("q", q)
        return self._weight * (0.0 if self.layer_norm else self.moments(q).d2_second) + 0 * q

    def chi_1(self, q: Any) -> Any:
        """χ₁(q): the factor of a squared gradient, from the layer's output to its input."""
        q = variances("q", q)
        return self.alpha**2 + self._weight * self.moments(q).slope_second * self.seen(q) / q

    def d_chi_1(self, q: Any) -> Any:
        """dχ₁/dq."""
        q, m = variances("q", q), self.moments(q)
        return self._weight * (-m.slope_second / q**2 if self.layer_norm else m.d_slope_second)

    def noise(self, q: Any) -> Any:
        """c(q): a dense layer's variance fluctuates by c(q)/√n at width n, c = σ_w² √(E φ⁴ - (E φ²)²)."""
        q, m = variances("q", q), self.moments(q)
        return self._weight * np.sqrt(np.maximum(m.fourth - m.second**2, 0.0)) + 0 * q

    # -------------------------------------------------------------- the correlation map at c = 1

    def chi(self, order: int, q: Any) -> Any:
        """χ_k = C^(k)(1) at a fixed point q for k = `order` ≥ 1: q_φ^k σ_w² E[(φ^(k))²]/q, β² included."""
        q, seen = variances("q", q), self.seen(q)
        order = whole("order", order, 1, _HIGHEST_ORDER)
        if order == 1:
            return self.chi_1(q)
        moment = self.phi.derivative_moment(order, seen)
        with np.errstate(invalid="ignore"):
            return np.where(np.isinf(moment), np.inf, self._weight * seen**order * moment / q)[()]

    def kappa(self, q: Any) -> Any:
        r"""κ = σ_w² (√2/3π) Σ_j c_j² e^{-t_j²/2q}: at a fixed point 1 - C = χ₁(1-c) - κ(1-c)^{3/2} + ..."""
        q, seen = variances("q", q), self.seen(variances("q", q))
        squares = sum(jump2 * np.exp(-(t**2) / (2 * seen)) for t, jump2 in self.phi.kinks)
        return self._weight * math.sqrt(2) / (3 * math.pi) * squares * seen / q + 0 * q

    # -------------------------------------------------------------- what both maps are made of

    @property
    def _weight(self) -> float:
        """β² σ_w²."""
        return self.beta**2 * self.sigma_w**2

    def seen(self, q: Any) -> Any:
        """The variance that φ sees: q, or 1 with layer normalisation."""
        return np.ones_like(q) if self.layer_norm else q

    def moments(self, q: Any) -> Moments:
        """Moments of φ at the variance that it sees."""
        return self.phi.moments(self.seen(q))

    def _of(self, q: Any, second: Any) -> Any:
        return self.alpha**2 * q + self._weight * second + self.beta**2 * self.sigma_b**2


def variance_map(
    phi: str | Activation,
    *,
    sigma_w: float,
    sigma_b: float = 0.0,
    alpha: float = 0.0,
    beta: float = 1.0,
    layer_norm: bool = False,
) -> VarianceMap:
    r"""The variance map V of a layer with activation φ.

        V(q) = α² q + β² (σ_w² E φ(√q z)² + σ_b²)

    Parameters and errors as `VarianceMap`; `phi` may be a name of the catalogue.

    Returns
    -------
    VarianceMap
        A function of q, with methods `slope`, `curvature`, `chi_1`, `d_chi_1`, `chi`, `kappa` and `noise`.

    References
    ----------
    Poole et al. 2016, NIPS 29, eq. 3.

    Examples
    --------
    >>> V = variance_map("erf", sigma_w=1.0)
    >>> print(f"{V(1.0) * np.pi / 2:.12f} {np.arcsin(2 / 3):.12f}")
    0.729727656227 0.729727656227
    """
    return VarianceMap(activation(phi), sigma_w, sigma_b, alpha, beta, layer_norm)

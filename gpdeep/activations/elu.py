r"""The exponential linear units:  φ(x) = λ x for x > 0,  λ α (e^x - 1) for x ≤ 0.

φ' jumps by λ(1 - α) at 0, and φ'' by -λα. ELU: λ = 1; SELU: the λ and α for which mean 0 and variance 1 are kept
(Klambauer et al. 2017, eq. 14), in PyTorch's digits. References: Clevert et al. 2016, ICLR, eq. 15; Klambauer,
Unterthiner, Mayr & Hochreiter 2017, NeurIPS 30.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from ..errors import DomainError
from ..gaussian.arguments import shown
from .piecewise_smooth import PiecewiseSmooth

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
_BREAKS = (-40.0, -20.0, -8.0)  # e^x is 4e-18 at the first


@dataclass(frozen=True)
class _Exponential:
    """λ x or λ d/dx of it for x > 0, λ α e^x (- 1 if order 0) for x ≤ 0; x is clipped, so e^x never overflows."""

    order: int
    alpha: float
    scale: float

    def __call__(self, x: Any) -> Any:
        xp = array_namespace(x)
        below = x.clip(None, 0)
        if self.order == 0:
            return self.scale * (x.clip(0, None) + self.alpha * xp.expm1(below))
        return self.scale * xp.where(
            x > 0, xp.ones_like(x) * (1.0 if self.order == 1 else 0.0), self.alpha * xp.exp(below)
        )


def elu(alpha: float = 1.0) -> PiecewiseSmooth:
    """The exponential linear unit, φ(x) = x for x > 0 and α(e^x - 1) for x ≤ 0.

    Parameters
    ----------
    alpha : float
        α, finite; 1 makes φ' continuous.

    Raises
    ------
    DomainError
        `alpha` is not a finite number.

    References
    ----------
    Clevert, Unterthiner & Hochreiter 2016, ICLR, eq. 15.

    Examples
    --------
    >>> elu().kinks, elu(0.5).kinks
    ((), ((0.0, 0.25),))
    """
    return _exponential_linear("elu" if alpha == 1 else f"elu:{alpha}", alpha, 1.0)


def selu() -> PiecewiseSmooth:
    """The scaled exponential linear unit, λ elu_α with λ = 1.0507..., α = 1.6732...

    References
    ----------
    Klambauer, Unterthiner, Mayr & Hochreiter 2017, NeurIPS 30, eq. 2 and 14.

    Examples
    --------
    Mean 0 and variance 1 are kept:

    >>> m = selu().moments(1.0)
    >>> print(f"{abs(m.mean):.6f} {m.second:.6f}")
    0.000000 1.000000
    """
    return _exponential_linear("selu", SELU_ALPHA, SELU_SCALE)


def _exponential_linear(name: str, alpha: float, scale: float) -> PiecewiseSmooth:
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not math.isfinite(alpha):
        raise DomainError(
            f"alpha = {shown(alpha)} of an ELU is not a finite number.",
            "It is NaN, infinite, or not a number.",
            "Use a finite alpha such as 1.0.",
        )
    function, slope, curvature = (_Exponential(order, float(alpha), scale) for order in range(3))
    jump = scale * (1 - alpha)
    return PiecewiseSmooth(name, function, slope, curvature, (0.0,), (jump,), _BREAKS)

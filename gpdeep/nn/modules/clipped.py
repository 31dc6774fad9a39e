r"""Sparsifying activations as torch modules: shifted, soft-thresholded, and both of them clipped.

    ReLUTau(τ)         max(x - τ, 0)                      CReLU(τ, m)   min(max(x - τ, 0), m)
    SoftThreshold(τ)   sign(x) max(|x| - τ, 0)            CST(τ, m)     sign(x) min(max(|x| - τ, 0), m)

Every one is a ramp, or two ramps that are never both off 0: CST(x) = CReLU(x) - CReLU(-x). The subtraction comes first
and the primitive after it has slope 0 at its own ends (`relu`, `hardtanh`; `clamp` has slope 1 there), so that x = τ
and x = τ + m give a zero gradient, x ≤ τ an exact 0, and NaN stays NaN. There are no parameters and no state.

In float32, float16 and bfloat16 the module is the activation of the rounded τ̂ and m̂: what is 0 is exactly what
``x <= tau`` calls so there, on every device, whichever precision a kernel computes in between.
Price, Daultry Ball, Lam, Jones & Tanner 2024, arXiv:2402.16184.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ...activations import PiecewiseLinear
from ...activations.piecewise_linear import crelu, cst, relu_tau, soft_threshold

_DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


class Thresholded(nn.Module):  # type: ignore[misc]
    """What the four share: the activation they apply, its threshold τ and its level m, rounded to each dtype."""

    def __init__(self, phi: PiecewiseLinear, tau: float, m: float = math.inf) -> None:
        super().__init__()
        self._phi, self._tau, self._m = phi, float(tau), float(m)
        self._rounded = {dtype: _round(self._tau, self._m, dtype) for dtype in _DTYPES}

    @property
    def phi(self) -> PiecewiseLinear:
        """The activation as theory sees it."""
        return self._phi

    @property
    def tau(self) -> float:
        """Threshold τ."""
        return self._tau

    def ends(self, dtype: Any) -> tuple[float, float]:
        """τ̂ and the height m̂ of the ramp in `dtype`; integers are computed in torch's default dtype."""
        return self._rounded.get(dtype) or self._rounded[torch.float64]

    def extra_repr(self) -> str:
        """Parameters, to full precision."""
        return f"tau={self._tau!r}" if self._m == math.inf else f"tau={self._tau!r}, m={self._m!r}"


class ReLUTau(Thresholded):
    """Shifted ReLU, max(x - τ, 0).

    Parameters
    ----------
    tau : float
        Threshold τ, any finite number.

    Raises
    ------
    DomainError
        τ is not finite.

    Examples
    --------
    >>> ReLUTau(1.0)(torch.tensor([-3.0, 1.0, 3.0]))
    tensor([0., 0., 2.])
    """

    def __init__(self, tau: float) -> None:
        super().__init__(relu_tau(tau), tau)

    def forward(self, x: Any) -> Any:
        """φ(x), elementwise."""
        return F.relu(x - self.ends(x.dtype)[0])


class SoftThreshold(Thresholded):
    """Soft threshold, sign(x) max(|x| - τ, 0).

    Parameters
    ----------
    tau : float
        Threshold τ ≥ 0; 0 gives the identity.

    Raises
    ------
    DomainError
        τ is negative or not finite.

    Examples
    --------
    >>> SoftThreshold(1.0)(torch.tensor([-3.0, 1.0, 3.0]))
    tensor([-2.,  0.,  2.])
    """

    def __init__(self, tau: float) -> None:
        super().__init__(soft_threshold(tau), tau)

    def forward(self, x: Any) -> Any:
        """φ(x), elementwise."""
        tau, _ = self.ends(x.dtype)
        return F.relu(x - tau) - F.relu(-x - tau) if self._tau else x.clone()


class CReLU(Thresholded):
    """Shifted ReLU clipped at m, min(max(x - τ, 0), m).

    Parameters
    ----------
    tau : float
        Threshold τ, any finite number.
    m : float
        Largest value m > 0.

    Raises
    ------
    DomainError
        τ is not finite, or m is not positive.

    Examples
    --------
    >>> CReLU(1.0, 0.5)(torch.tensor([-3.0, 1.25, 3.0]))
    tensor([0.0000, 0.2500, 0.5000])
    """

    def __init__(self, tau: float, m: float) -> None:
        super().__init__(crelu(tau, m), tau, m)

    @property
    def m(self) -> float:
        """Largest value m."""
        return self._m

    def forward(self, x: Any) -> Any:
        """φ(x), elementwise."""
        tau, m = self.ends(x.dtype)
        return F.hardtanh(x - tau, 0.0, m)


class CST(Thresholded):
    """Soft threshold clipped at ±m, sign(x) min(max(|x| - τ, 0), m).

    Parameters
    ----------
    tau : float
        Threshold τ ≥ 0; 0 gives the hard tanh.
    m : float
        Largest value m > 0.

    Raises
    ------
    DomainError
        τ is negative or not finite, or m is not positive.

    Examples
    --------
    >>> CST(1.0, 0.5)(torch.tensor([-3.0, 1.25, 3.0]))
    tensor([-0.5000,  0.2500,  0.5000])
    """

    def __init__(self, tau: float, m: float) -> None:
        super().__init__(cst(tau, m), tau, m)

    @property
    def m(self) -> float:
        """Largest absolute value m."""
        return self._m

    def forward(self, x: Any) -> Any:
        """φ(x), elementwise."""
        tau, m = self.ends(x.dtype)
        return F.hardtanh(x - tau, 0.0, m) + F.hardtanh(x + tau, -m, 0.0) if self._tau else F.hardtanh(x, -m, m)


def _round(tau: float, m: float, dtype: Any) -> tuple[float, float]:
    """τ and m in `dtype`; m not above what is left of τ + m, rounded, so that the ramp ends where x = τ + m says."""

    def rounded(value: float) -> float:
        return float(torch.tensor(value, dtype=torch.float64, device="cpu").to(dtype))

    tau, m = rounded(tau), rounded(m)
    # Where dtype does not tell τ + m from τ the ramp keeps its height; NaN (τ = ∞) leaves m, too.
    return tau, min(m, rounded(rounded(tau + m) - tau) or m)

r"""Smooth activations, their slopes and curvatures, stable for every argument, on float64 arrays and on torch tensors.

    σ(x) = 1/(1 + e^{-x}),   Φ(x) = erfc(-x/√2)/2,   softplus = max(x, 0) + log(1 + e^{-|x|})
    tanh(softplus) = (1 + 2n)/(1 + 2n + 2n²), x ≥ 0;   (2n + n²)/(2 + 2n + n²), x < 0;     n = e^{-|x|}

Exponentials are taken of negative numbers only, so nothing overflows. Tensors bring σ, erf and erfc as methods; arrays
take them from scipy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from scipy import special

GELU_CUBE = 0.044715
GELU_RATE = math.sqrt(2 / math.pi)
_ROOT_2PI = math.sqrt(2 * math.pi)
_NUMPY = (np.ndarray, np.generic)  # arrays without axes become scalars on the way


def _xp(x: Any) -> Any:
    return np if isinstance(x, _NUMPY) else array_namespace(x)


def tanh(x: Any) -> Any:
    """Tanh x."""
    return _xp(x).tanh(x)


def tanh_slope(x: Any) -> Any:
    """1 - tanh² x."""
    t = _xp(x).tanh(x)
    return 1 - t * t


def tanh_curvature(x: Any) -> Any:
    """-2 tanh x (1 - tanh² x)."""
    t = _xp(x).tanh(x)
    return -2 * t * (1 - t * t)


def erf(x: Any) -> Any:
    """(2/√π) ∫₀ˣ e^{-t²} dt."""
    return special.erf(x) if isinstance(x, _NUMPY) else x.erf()


def gaussian_slope(x: Any) -> Any:
    """(2/√π) e^{-x²}."""
    return (2 / math.sqrt(math.pi)) * _xp(x).exp(-x * x)


def gaussian_curvature(x: Any) -> Any:
    """-(4x/√π) e^{-x²}."""
    return -2 * x * gaussian_slope(x)


def sigmoid(x: Any) -> Any:
    """1/(1 + e^{-x})."""
    return special.expit(x) if isinstance(x, _NUMPY) else x.sigmoid()


def sigmoid_slope(x: Any) -> Any:
    """σ(x) σ(-x)."""
    return sigmoid(x) * sigmoid(-x)


def sigmoid_curvature(x: Any) -> Any:
    """σ(x) σ(-x) (σ(-x) - σ(x))."""
    right, left = sigmoid(x), sigmoid(-x)
    return right * left * (left - right)


def normal_cdf(x: Any) -> Any:
    """Φ(x)."""
    return special.ndtr(x) if isinstance(x, _NUMPY) else 0.5 * (x * -math.sqrt(0.5)).erfc()


def gelu(x: Any) -> Any:
    """X Φ(x)."""
    return x * normal_cdf(x)


def gelu_slope(x: Any) -> Any:
    """Φ(x) + x f(x)."""
    return normal_cdf(x) + x * _xp(x).exp(-0.5 * x * x) / _ROOT_2PI


def gelu_curvature(x: Any) -> Any:
    """(2 - x²) f(x), f the normal density."""
    return (2 - x * x) * _xp(x).exp(-0.5 * x * x) / _ROOT_2PI


def gelu_tanh(x: Any) -> Any:
    """X (1 + tanh p)/2 = x σ(2p), p = √(2/π)(x + 0.044715 x³)."""
    return x * sigmoid(2 * GELU_RATE * x * (1 + GELU_CUBE * x * x))


def gelu_tanh_slope(x: Any) -> Any:
    """σ(2p) + 2x p' σ(2p)σ(-2p)."""
    p2 = 2 * GELU_RATE * x * (1 + GELU_CUBE * x * x)
    right = sigmoid(p2)
    return right + 2 * GELU_RATE * x * (1 + 3 * GELU_CUBE * x * x) * right * sigmoid(-p2)


def gelu_tanh_curvature(x: Any) -> Any:
    """2g' + x g'', g = σ(2p)."""
    p2 = 2 * GELU_RATE * x * (1 + GELU_CUBE * x * x)
    d1, d2 = 2 * GELU_RATE * (1 + 3 * GELU_CUBE * x * x), 12 * GELU_RATE * GELU_CUBE * x
    g1, g2 = sigmoid_slope(p2), sigmoid_curvature(p2)
    return 2 * g1 * d1 + x * (g2 * d1 * d1 + g1 * d2)


def silu(x: Any) -> Any:
    """X σ(x)."""
    return x * sigmoid(x)


def silu_slope(x: Any) -> Any:
    """σ(x)(1 + x σ(-x))."""
    return sigmoid(x) * (1 + x * sigmoid(-x))


def silu_curvature(x: Any) -> Any:
    """2σ'(x) + x σ''(x)."""
    return 2 * sigmoid_slope(x) + x * sigmoid_curvature(x)


def mish(x: Any) -> Any:
    """X tanh(log(1 + e^x))."""
    return x * _mish_gate(x)


def mish_slope(x: Any) -> Any:
    """T + x (1 - T²) σ(x), T = tanh(log(1 + e^x))."""
    return _mish_gate(x) + 4 * x * _mish_ratio(x) * sigmoid(x)


def mish_curvature(x: Any) -> Any:
    """2(1 - T²)σ + x (1 - T²)(σ' - 2T σ²)."""
    right, gate = sigmoid(x), _mish_gate(x)
    slope = 4 * _mish_ratio(x)  # 1 - T²
    return 2 * slope * right + x * slope * (sigmoid_slope(x) - 2 * gate * right * right)


def _mish_gate(x: Any) -> Any:
    xp = _xp(x)
    n = xp.exp(-abs(x))
    return xp.where(x >= 0, (1 + 2 * n) / (1 + 2 * n + 2 * n * n), n * (2 + n) / (2 + n * (2 + n)))


def _mish_ratio(x: Any) -> Any:
    """(1 - T²)/4."""
    xp = _xp(x)
    n = xp.exp(-abs(x))
    w = (1 + n) ** 2
    return xp.where(x >= 0, w * n * n / (w + n * n) ** 2, w / (1 + w) ** 2)


def sin(x: Any) -> Any:
    """Sin x."""
    return _xp(x).sin(x)


def cos(x: Any) -> Any:
    """Cos x."""
    return _xp(x).cos(x)


def minus_sin(x: Any) -> Any:
    """-sin x."""
    return -_xp(x).sin(x)


def minus_cos(x: Any) -> Any:
    """-cos x."""
    return -_xp(x).cos(x)


def exp(x: Any) -> Any:
    """e^x."""
    return _xp(x).exp(x)


@dataclass(frozen=True)
class Softplus:
    """log(1 + e^{βx})/β."""

    beta: float

    def __call__(self, x: Any) -> Any:
        """max(x, 0) + log(1 + e^{-β|x|})/β."""
        xp = _xp(x)
        return x.clip(0, None) + xp.log1p(xp.exp(-self.beta * abs(x))) / self.beta


@dataclass(frozen=True)
class SoftplusSlope:
    """σ(βx)."""

    beta: float

    def __call__(self, x: Any) -> Any:
        """1/(1 + e^{-βx})."""
        return sigmoid(self.beta * x)


@dataclass(frozen=True)
class SoftplusCurvature:
    """β σ'(βx)."""

    beta: float

    def __call__(self, x: Any) -> Any:
        """β σ(βx) σ(-βx)."""
        return self.beta * sigmoid_slope(self.beta * x)

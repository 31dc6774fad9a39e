r"""The smooth activations of the catalogue, each with the distance S of its nearest singularity from the real axis.

    tanh  π/2        sigmoid, SiLU  π        softplus  π/β        mish  3π/4        erf, GELU, sin, cos, exp  ∞

GELU by tanh: poles at the roots of √(2/π)(x + 0.044715x³) = ±iπ/2, S = 2.7547706. mish: e^x = -1 ± i.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import shown
from . import smooth_functions as functions
from . import taylor
from .base import label
from .closed_forms import ERF_FORM, GELU_FORM
from .closed_waves import COS_FORM, EXP_FORM, SIN_FORM
from .smooth import Smooth

_CUBIC_POLE = 2.754770601637983
_BETAS = (1e-4, 100.0)  # outside, powers of β in the Taylor series leave float64, or nodes run out at q = 1
_X = taylor.identity()
_SIGMOID = taylor.sigmoid_of(_X)
_ERF_SLOPE = taylor.gaussian(2 / math.sqrt(math.pi), 1.0)
_NORMAL_CDF = taylor.integral(taylor.gaussian(1 / math.sqrt(2 * math.pi), 0.5), 0.5)
_SOFTPLUS = taylor.integral(_SIGMOID, math.log(2))
_GELU_GATE = taylor.sigmoid_of([0.0, 2 * functions.GELU_RATE, 0.0, 2 * functions.GELU_RATE * functions.GELU_CUBE])

TANH = Smooth(
    "tanh", functions.tanh, functions.tanh_slope, math.pi / 2, None, tuple(taylor.tanh_of(_X)), functions.tanh_curvature
)
ERF = Smooth(
    "erf",
    functions.erf,
    functions.gaussian_slope,
    math.inf,
    ERF_FORM,
    tuple(taylor.integral(_ERF_SLOPE, 0.0)),
    functions.gaussian_curvature,
)
SIGMOID = Smooth(
    "sigmoid", functions.sigmoid, functions.sigmoid_slope, math.pi, None, tuple(_SIGMOID), functions.sigmoid_curvature
)
GELU = Smooth(
    "gelu",
    functions.gelu,
    functions.gelu_slope,
    math.inf,
    GELU_FORM,
    tuple(taylor.times_x(_NORMAL_CDF)),
    functions.gelu_curvature,
)
GELU_TANH = Smooth(
    "gelu_tanh",
    functions.gelu_tanh,
    functions.gelu_tanh_slope,
    _CUBIC_POLE,
    None,
    tuple(taylor.times_x(_GELU_GATE)),
    functions.gelu_tanh_curvature,
)
SILU = Smooth(
    "silu",
    functions.silu,
    functions.silu_slope,
    math.pi,
    None,
    tuple(taylor.times_x(_SIGMOID)),
    functions.silu_curvature,
)
MISH = Smooth(
    "mish",
    functions.mish,
    functions.mish_slope,
    3 * math.pi / 4,
    None,
    tuple(taylor.times_x(taylor.tanh_of(_SOFTPLUS.tolist()))),
    functions.mish_curvature,
)
SIN = Smooth("sin", functions.sin, functions.cos, math.inf, SIN_FORM, curvature=functions.minus_sin)
COS = Smooth("cos", functions.cos, functions.minus_sin, math.inf, COS_FORM, curvature=functions.minus_cos)
EXP = Smooth("exp", functions.exp, functions.exp, math.inf, EXP_FORM, curvature=functions.exp)


def softplus(beta: float = 1.0) -> Smooth:
    r"""The softplus, φ(x) = log(1 + e^{βx})/β.

    Parameters
    ----------
    beta : float
        β, between 1e-4 and 100.

    Raises
    ------
    DomainError
        `beta` is not a number between 1e-4 and 100.

    Examples
    --------
    >>> print(f"{softplus(5.0).derivative(0.0):.1f}")
    0.5
    """
    if isinstance(beta, bool) or not isinstance(beta, (int, float, np.floating)) or not 0 < beta < math.inf:
        raise DomainError(
            f"beta = {shown(beta)} of a softplus is not a positive finite number.",
            "It is zero, negative, NaN or infinite; for β → ∞ the softplus becomes ReLU.",
            "Use a positive beta such as 1.0.",
        )
    if not _BETAS[0] <= beta <= _BETAS[1]:
        raise DomainError(
            f"beta = {beta:.6g} of a softplus is outside [{_BETAS[0]:g}, {_BETAS[1]:g}].",
            "At so large a beta the softplus is ReLU to three digits, at so small a one a straight line.",
            f"Use a beta between {_BETAS[0]:g} and {_BETAS[1]:g}, or 'relu' instead of a large one.",
        )
    return _softplus(float(beta))


@lru_cache(maxsize=64)
def _softplus(beta: float) -> Smooth:
    name = "softplus" if beta == 1 else label("softplus", beta)
    coefficients = _SOFTPLUS * beta ** (np.arange(taylor.TERMS) - 1.0)
    function, slope = functions.Softplus(beta), functions.SoftplusSlope(beta)
    curvature = functions.SoftplusCurvature(beta)
    return Smooth(name, function, slope, math.pi / beta, None, tuple(coefficients.tolist()), curvature)

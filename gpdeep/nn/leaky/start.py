r"""What a leaky ResNet begins with: weights under which no layer changes a mean square of 1, and the module of φ.

    a_l = (1 - h) a_{l-1} + h w φ(a_{l-1}),     w ~ N(0, σ²/width):     E a_l² = (1 - h)² + h² σ² E φ² = 1
    σ² = (2 - h)/(h E φ(z)²),   z standard normal

Weights of different layers are independent, so that a_l is the Ornstein-Uhlenbeck process with the steps h.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import nn

from ...activations import Activation
from ...errors import DomainError
from ...result import FloatArray
from ..memory_budget import require_memory
from ..modules.module_of import Elementwise, module_of

_BYTES = 24  # a weight, while it is drawn and converted
_SILENT = 1e-12  # of E φ²: weights would be a million times as large as for other activations


def level_sigma(phi: Activation, h: FloatArray) -> FloatArray:
    """The σ_l of the layers, for steps h_l = ρ_l L̃.

    Raises
    ------
    DomainError
        φ is 0 wherever numbers of order 1 are.

    Examples
    --------
    >>> from gpdeep.activations import activation
    >>> level_sigma(activation("relu"), np.array([0.5])) ** 2
    array([6.])
    """
    second = float(phi.moments(1.0).second)
    if not second > _SILENT:
        raise DomainError(
            f"E φ(z)² of {phi.name} is {second:.2g} for standard normal z.",
            "No weights of a reasonable size keep the mean square: φ is 0 wherever numbers of order 1 are.",
            "Give sigma_w, or an activation with a smaller threshold.",
        )
    sigma: FloatArray = np.sqrt((2 - h) / (h * second))
    return sigma


def first_weights(draw: np.random.Generator, width: int, sigma: FloatArray, *, bias: bool) -> FloatArray:
    """Independent N(0, σ_l²/width), shape (L, w, w), and zeros in the column of the bias where there is one."""
    require_memory(_BYTES * len(sigma) * width * (width + bias), "cpu", "layers or neurons")
    W = draw.standard_normal((len(sigma), width, width)) * (sigma / math.sqrt(width))[:, None, None]
    return np.concatenate([W, np.zeros((len(sigma), width, int(bias)))], axis=2)


def exact_module(phi: Activation) -> Any:
    """The module of φ, exact to rounding and without parameters."""
    found = module_of(phi)
    if isinstance(found, nn.Softplus):  # torch's own drops log(1 + e^-20); log(1 + e^-40) is below float64's rounding
        return nn.Softplus(found.beta, threshold=40)
    return Elementwise(phi) if isinstance(found, nn.PReLU) else found

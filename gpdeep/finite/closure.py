r"""Gaussian closure: carry the mean and variance of x = ln sin²θ as if x were normal.

    m' = E κ₁(X),    v' = E κ₂(X) + Var κ₁(X),    X ~ N(m, v),

with the one-layer cumulants κ of `gpdeep.finite.cumulants` and a Gauss-Hermite rule of nine points. Two numbers a
layer; no distribution. Against the exact chain: the mean within 0.03 for n ≥ 64 (0.05 at n = 32), the standard
deviation 2 to 7 % low, since x is skewed. `method="grid"` costs about the same and has neither error; this one shows
which part of the answer is first- and second-moment.
"""

from __future__ import annotations

import numpy as np

from ..result import FloatArray, IntArray
from .cumulants import survivor_cumulants
from .events import event_probabilities
from .one_layer import Angles

_NODE, _WEIGHT = np.polynomial.hermite_e.hermegauss(9)
_WEIGHT = _WEIGHT / _WEIGHT.sum()


def closure_path(start: Angles, weight: FloatArray, widths: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean, standard deviation and survival after each layer, each of shape (L,)."""
    mean, std, survival = (np.empty(len(widths)) for _ in range(3))
    angles, alive = start, 1.0
    for i, n in enumerate(widths.tolist()):
        event = event_probabilities(angles.theta, n)
        kept = weight * (event.proper + event.orthogonal)
        kappa = survivor_cumulants(np.maximum(angles.theta, 1e-300), angles.log_sin2, n)
        alive *= float(kept.sum())
        kept = kept / kept.sum()
        x = angles.log_sin2 + kappa[0]
        mean[i] = kept @ x
        std[i] = np.sqrt(kept @ np.maximum(kappa[1], 0.0) + kept @ (x - mean[i]) ** 2)
        survival[i] = alive
        x = np.minimum(mean[i] + std[i] * _NODE, -1e-12)
        angles, weight = Angles(np.arcsin(np.exp(x / 2)), x), _WEIGHT
    return mean, std, survival

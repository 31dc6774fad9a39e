"""Simple rules for the mean of ln sin²θ, layer by layer, beside which the theory stands."""

from __future__ import annotations

import math

import numpy as np

from gpdeep.finite import small_angle_cumulants
from gpdeep.finite.jakub_nica import rho
from gpdeep.gaussian import log_sin2_next
from gpdeep.result import FloatArray


def map_and_drift(width: int, depth: int, theta: float) -> FloatArray:
    """The infinite-width map of the angle, and after each layer the exact drift of vanishing angles; shape (depth,).

    >>> map_and_drift(64, 2, 0.5).round(3).tolist()
    [-1.609, -1.74]
    """
    drift = float(small_angle_cumulants(width)[0])
    path = []
    for _ in range(depth):
        x = min(float(log_sin2_next(theta)) + drift, 0.0)
        path.append(x)
        theta = math.asin(math.exp(x / 2))
    return np.array(path)


def small_step_and_rho(width: int, depth: int, theta: float) -> FloatArray:
    """The small-angle step with the papers' closed drift, x' = x - 2θ/(3π) - ρ(n); shape (depth,)."""
    x, path = 2 * math.log(math.sin(theta)), []
    for _ in range(depth):
        x -= 2 / (3 * math.pi) * math.asin(math.exp(x / 2)) + rho(width)
        path.append(x)
    return np.array(path)

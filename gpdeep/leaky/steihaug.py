r"""Trust-region steps by preconditioned conjugate gradients (Steihaug 1983; Toint 1981).

    minimise  m(s) = gᵀs + ½ sᵀHs     over     |s|_M = √(sᵀMs) ≤ radius,      M positive definite

Conjugate gradients on Hs = -g with preconditioner M follow a path along which |s|_M grows and m falls; the step is
where it meets the boundary, where H has negative curvature the boundary in that direction, and else where the residual
is small. Lengths come from recurrences (Conn, Gould & Toint 2000): M itself is never applied.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..result import FloatArray

Operator = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Step:
    """S, how much m falls, whether s ends on the boundary, whether negative curvature was met, and products with H."""

    step: FloatArray
    predicted: float
    on_boundary: bool
    negative: bool
    products: int


def steihaug(
    hessian_times: Operator, solve: Operator, gradient: FloatArray, radius: float, tolerance: float, most: int
) -> Step:
    """An approximate minimiser of m within the trust region.

    Parameters
    ----------
    hessian_times, solve : callable
        H times a vector, and M⁻¹ times a vector.
    gradient : ndarray, shape (n,)
    radius : float
    tolerance : float
        Stop where √(rᵀM⁻¹r) of the residual r has fallen by this factor.
    most : int
        Products with H.
    """
    s, r = np.zeros_like(gradient), gradient.copy()
    y = solve(r)
    rho = goal = float(r @ y)
    goal *= tolerance**2
    p = -y
    length2, along, p2 = 0.0, 0.0, rho  # sᵀMs, sᵀMp, pᵀMp
    for count in range(1, most + 1):
        Hp = hessian_times(p)
        curvature = float(p @ Hp)
        alpha = rho / curvature if curvature > 0 else math.inf
        if not length2 + 2 * alpha * along + alpha**2 * p2 < radius**2:
            tau = (math.sqrt(along**2 + p2 * (radius**2 - length2)) - along) / p2
            s = s + tau * p
            return Step(s, -0.5 * float(s @ (gradient + r + tau * Hp)), True, not curvature > 0, count)
        length2 += 2 * alpha * along + alpha**2 * p2
        s, r = s + alpha * p, r + alpha * Hp
        y = solve(r)
        before, rho = rho, float(r @ y)
        if rho <= goal:
            break
        beta = rho / before
        p = beta * p - y
        along = beta * (along + alpha * p2)
        p2 = rho + beta**2 * p2
    return Step(s, -0.5 * float(s @ (gradient + r)), False, False, count)

r"""Lyapunov exponents: how a cloud of nearby inputs flattens, and what a linear readout adds.

As all angles vanish, the m directions from a base input to its neighbours go through T' = T R/|h| with RᵀR ~
Wishart_m(k-1) and
|h|² ~ χ²_k, k ~ Bin(n, 1/2) active neurons. The i-th exponent, of ln(size²) a layer, is

    λ_i = E_k[ ψ((k-i)/2) - ψ(k/2) ] ≈ -2i/n :

a cloud of inputs first flattens to a curve (gap 2/n), then shrinks to a point (rate 2/n).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import psi, zeta

from ..errors import DomainError
from ..gaussian.arguments import whole
from ..result import FloatArray
from .binomial import active_counts
from .checks import check_width


def lyapunov(n: int, m: int = 1) -> FloatArray:
    """The first m Lyapunov exponents λ_i of a ReLU layer of n neurons, per layer, of ln(size²).

    Parameters
    ----------
    n : int
        Width, n ≥ m + 1.
    m : int
        Number of directions.

    Returns
    -------
    ndarray, shape (m,)
        Decreasing. Averages over layers with k ≥ m + 1 active neurons, without which m directions collapse.

    Raises
    ------
    DomainError
        n < m + 1.

    Examples
    --------
    >>> [round(float(x), 4) for x in lyapunov(20, 3)]
    [-0.1269, -0.2751, -0.4564]
    """
    m = whole("The number of directions", m, 1, 10**6 - 1)
    n = check_width(n)
    if n < m + 1:
        raise DomainError(
            f"{m} directions do not fit a layer of {n} neurons.",
            "Every layer flattens the inputs to at most one direction less than it has active neurons.",
            f"Ask for at most {n - 1} exponents, or use a width of {m + 1} or more.",
        )
    k, weight, _ = active_counts(n, m + 1)
    return np.array([weight @ (psi((k - i) / 2) - psi(k / 2)) for i in range(1, m + 1)])


def readout_cumulants(m: Any) -> tuple[float, float]:
    """Mean, and variance at small angles, of what a linear readout of m outputs adds to ln sin²θ.

    Mean ψ((m-1)/2) - ψ(m/2), exact for every angle; variance ψ'((m-1)/2) + ψ'(m/2) as θ → 0 (smaller at larger angles).

    Parameters
    ----------
    m : int
        Number of outputs, m ≥ 2 (one output makes all inputs parallel).

    Returns
    -------
    mean, var : float

    Raises
    ------
    DomainError
        m is not an integer from 2 to 10^6.

    Examples
    --------
    >>> mean, var = readout_cumulants(10)
    >>> print(f"{mean:.4f} {var:.4f}")
    -0.1172 0.4700
    """
    outputs = check_width(m, minimum=2)
    return (
        float(psi((outputs - 1) / 2) - psi(outputs / 2)),
        float(zeta(2, (outputs - 1) / 2) + zeta(2, outputs / 2)),
    )

r"""Families of piecewise-linear activations: shifted, thresholded, clipped.

    relu_tau        max(x - τ, 0)
    soft_threshold  sign(x) max(|x| - τ, 0)
    crelu           min(max(x - τ, 0), m)
    cst             sign(x) min(max(|x| - τ, 0), m)
    hard_tanh       min(max(x, -m), m),        relu6  min(max(x, 0), 6)

Clipping keeps the variance map bounded, so the sparse ones (τ > 0) can stay on the edge of chaos (Price, Daultry Ball,
Lam, Jones & Tanner 2024, arXiv:2402.16184). What they share is `PiecewiseLinear`, any knots and slopes.
"""

from __future__ import annotations

import math

from ..errors import DomainError
from ..gaussian.arguments import real, shown
from .base import label
from .broken_line import PiecewiseLinear

__all__ = ["PiecewiseLinear", "crelu", "cst", "hard_tanh", "relu6", "relu_tau", "soft_threshold"]


def relu_tau(tau: float) -> PiecewiseLinear:
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
    >>> float(relu_tau(1.0)(3.0))
    2.0
    """
    tau = real("tau", tau, -math.inf, math.inf, "a threshold on the axis of the pre-activations")
    return PiecewiseLinear(label("relu_tau", tau), 0.0, 0.0, (tau,), (1.0,), (0.0,))


def soft_threshold(tau: float) -> PiecewiseLinear:
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
    >>> float(soft_threshold(1.0)(-3.0))
    -2.0
    """
    tau = _check("tau", tau, zero=True)
    if tau == 0:
        return PiecewiseLinear("st:0", 0.0, 1.0)
    return PiecewiseLinear(label("st", tau), tau, 1.0, (-tau, tau), (-1.0, 1.0), (0.0, 0.0))


def crelu(tau: float, m: float) -> PiecewiseLinear:
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
    >>> import numpy as np
    >>> print(crelu(1.0, 0.5)(np.array([0.9, 1.25, 7.0])))
    [0.   0.25 0.5 ]
    """
    tau = real("tau", tau, -math.inf, math.inf, "a threshold on the axis of the pre-activations")
    m = _check("m", m)
    _apart("crelu", tau, m)
    return PiecewiseLinear(label("crelu", tau, m), 0.0, 0.0, (tau, tau + m), (1.0, -1.0), (0.0, m))


def cst(tau: float, m: float) -> PiecewiseLinear:
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
    >>> import numpy as np
    >>> print(cst(1.0, 0.5)(np.array([-7.0, -1.25, 0.9])))
    [-0.5  -0.25  0.  ]
    """
    tau, m = _check("tau", tau, zero=True), _check("m", m)
    _apart("cst", tau, m)
    name = label("cst", tau, m)
    if tau == 0:
        return PiecewiseLinear(name, -m, 0.0, (-m, m), (1.0, -1.0), (-m, m))
    knots = (-tau - m, -tau, tau, tau + m)
    return PiecewiseLinear(name, -m, 0.0, knots, (1.0, -1.0, 1.0, -1.0), (-m, 0.0, 0.0, m))


def hard_tanh(m: float = 1.0) -> PiecewiseLinear:
    """Hard tanh, min(max(x, -m), m).

    Parameters
    ----------
    m : float
        Largest value m > 0.

    Raises
    ------
    DomainError
        m is not positive.

    Examples
    --------
    >>> float(hard_tanh()(-3.0))
    -1.0
    """
    m = _check("m", m)
    name = "hard_tanh" if m == 1 else label("hard_tanh", m)
    return PiecewiseLinear(name, -m, 0.0, (-m, m), (1.0, -1.0), (-m, m))


def relu6() -> PiecewiseLinear:
    """ReLU clipped at 6, min(max(x, 0), 6).

    Examples
    --------
    >>> float(relu6()(7.0))
    6.0
    """
    return PiecewiseLinear("relu6", 0.0, 0.0, (0.0, 6.0), (1.0, -1.0), (0.0, 6.0))


def _check(name: str, value: float, *, zero: bool = False) -> float:
    number = real(name, value, -math.inf, math.inf, "a length on the axis of the pre-activations")
    if not (0 < number < math.inf or (zero and number == 0)):
        raise DomainError(
            f"{name} = {shown(value)} is not a {'number of 0 or more' if zero else 'positive number'}.",
            "A threshold and a level are lengths on the axis of the pre-activations.",
            f"Give a finite {name} " + ("of 0 or more." if zero else "above 0."),
        )
    return number


def _apart(name: str, tau: float, m: float) -> None:
    if tau + m == tau:
        raise DomainError(
            f"{name} has tau = {shown(tau)} and m = {shown(m)}: tau + m equals tau.",
            "m is below the spacing of floats at tau, so nothing is left of the ramp.",
            "Use a larger m or a smaller tau.",
        )

r"""Exact events in one ReLU layer, and their probabilities at angle θ and width n.

A neuron is active for both inputs with probability p = (π-θ)/(2π), inactive for both with the same probability, active
for exactly one with probability θ/π. Hence, for n independent neurons,

    dead:        some input has no active neuron                        2·2⁻ⁿ - pⁿ
    collapsed:   one neuron is active at all, and for both inputs       n pⁿ
    orthogonal:  both inputs alive, no common active neuron             (1-p)ⁿ - 2·2⁻ⁿ + pⁿ

Dead and collapsed pairs stay so in all later layers; an orthogonal pair has ln sin²θ' = 0 exactly and goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..gaussian.arguments import angles
from ..result import FloatArray
from .checks import check_width


@dataclass(frozen=True)
class EventProbabilities:
    """Probabilities of the exclusive events of one layer, each with the shape of θ."""

    dead: FloatArray
    collapsed: FloatArray
    orthogonal: FloatArray

    @property
    def proper(self) -> FloatArray:
        """Probability that nothing special happens: the angle has a density there."""
        return np.clip(1 - self.dead - self.collapsed - self.orthogonal, 0.0, 1.0)


def event_probabilities(theta: ArrayLike, n: int) -> EventProbabilities:
    """The probabilities of *dead*, *collapsed* and *orthogonal* in a ReLU layer of n neurons.

    Parameters
    ----------
    theta : array_like
        Angles in [0, π], any shape.
    n : int
        Width, from 1 to 10^6.

    Returns
    -------
    EventProbabilities
        Arrays of the shape of `theta`.

    Raises
    ------
    DomainError
        An angle is outside [0, π], or n is not a width.

    Notes
    -----
    With ε = θ/π, 2p = 1-ε and 2(1-p) = 1+ε, so each probability is 2⁻ⁿ times differences from 1 of (1±ε)ⁿ, formed with
    expm1. The orthogonal one, n(n-1)ε² at small angles, as 2eᵐ(cosh d - 1) + 2(eᵐ - 1), m = (n/2) ln(1-ε²), d = n
    artanh ε.

    Examples
    --------
    >>> import numpy as np
    >>> event = event_probabilities(np.pi / 2, 10)
    >>> print(f"{event.orthogonal:.4f} {event.dead:.6f} {event.collapsed:.3e}")
    0.0544 0.001952 9.537e-06
    """
    n = check_width(n)
    eps = np.asarray(angles(theta)) / np.pi
    scale = 2.0**-n
    with np.errstate(divide="ignore"):
        log_less = n * np.log1p(-eps)  # ln (2p)^n
    less = np.expm1(log_less)
    small = (n * np.log1p(eps) < 1) & (eps < 0.5)
    near = np.where(small, eps, 0.0)
    m, d = n / 2 * np.log1p(-(near**2)), n * np.arctanh(near)
    by_parts = 2 * scale * (2 * np.exp(m) * np.sinh(d / 2) ** 2 + np.expm1(m))
    direct = np.exp(n * np.log1p(eps) - n * np.log(2)) - scale * (1 - less)
    orthogonal = np.maximum(np.where(small, by_parts, direct), 0.0)
    if n == 1:  # dead or collapsed, without a rest
        return EventProbabilities((1 + eps) / 2, 1 - (1 + eps) / 2, np.zeros_like(eps))
    return EventProbabilities(scale * (1 - less), scale * n * np.exp(log_less), orthogonal)

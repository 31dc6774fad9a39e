r"""Two inputs of different lengths through layers of infinite width.

    q_i' = V(q_i),      δ' = [ √(q₁'q₂') - K' + α² √(q₁q₂) δ + β² σ_w² gap(θ; q₁, q₂) ] / √(q₁'q₂')

with δ = 1 - c and K' = α² √(q₁q₂) + β² (σ_w² E φ(√q₁ z)φ(√q₂ z) + σ_b²), the covariance that the two would have at
angle 0. The first bracket is the gap in the Cauchy-Schwarz inequality for f_i = (α √q_i, β σ_w φ(√q_i z), β σ_b), as
functions of z; it is formed as

    √(q₁'q₂') - K' = q₁' |f₂ - a f₁|² / (√(q₁'q₂') + K'),      a = K'/q₁',

from the expectation of a square, so that δ keeps its digits as both lengths and angles come to agree.

Poole et al. (2016), eq. 5, for the recursion in q₁₁, q₂₂, q₁₂.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation, activation
from ..errors import DomainError, MemoryBudgetError
from ..gaussian.arguments import instance, layer_count, require_fitting, shown, variances
from ..result import FloatArray
from .correlation import deficits
from .variance import VarianceMap

_BUDGET = 2**31


@dataclass(frozen=True)
class PairHistory:
    """Two inputs layer by layer; arrays of shape (L + 1, ...), the start included.

    Attributes
    ----------
    q1, q2 : ndarray
        Variances of the pre-activations.
    one_minus_c : ndarray
        1 minus their correlation.
    """

    q1: FloatArray
    q2: FloatArray
    one_minus_c: FloatArray


def pair_step(layer: VarianceMap, q1: Any, q2: Any, delta: Any) -> tuple[Any, Any, Any]:
    """The next (q₁, q₂, δ) of pre-activations with variances q₁, q₂ and 1 - c = `delta`; all broadcast.

    Examples
    --------
    A ReLU network without bias forgets lengths: δ' does not depend on them.

    >>> from gpdeep.meanfield import variance_map
    >>> he = variance_map("relu", sigma_w=2**0.5)
    >>> [f"{pair_step(he, 1.0, q2, 0.5)[2]:.12f}" for q2 in (1.0, 9.0)]
    ['0.391002218956', '0.391002218956']
    """
    instance("layer", layer, VarianceMap, "gpdeep.meanfield.variance_map")
    phi, weight = layer.phi, layer.beta**2 * layer.sigma_w**2
    bias = layer.beta**2 * layer.sigma_b**2
    q1, q2, delta = variances("q1", q1), variances("q2", q2), deficits(delta)
    require_fitting(q1=q1, q2=q2, delta=delta)
    seen1, seen2 = layer.seen(q1), layer.seen(q2)
    theta = 2 * np.arcsin(np.sqrt(delta / 2))
    next1, next2 = layer(q1), layer(q2)
    _require_finite(next1, next2)
    root = np.sqrt(q1) * np.sqrt(q2)
    aligned = layer.alpha**2 * root + weight * phi.comonotone(seen1, seen2) + bias
    a = aligned / next1
    square = (
        layer.alpha**2 * (np.sqrt(q2) - a * np.sqrt(q1)) ** 2
        + weight * phi.difference_second(a, seen1, seen2)
        + bias * (1 - a) ** 2
    )
    square = np.where(seen1 == seen2, 0.0, square)  # q1 = q2: a is 1 but for rounding
    scale = np.sqrt(next1) * np.sqrt(next2)
    apart = next1 * square / (scale + aligned)
    step = (apart + layer.alpha**2 * root * delta + weight * phi.gap(theta, seen1, seen2)) / scale
    return next1, next2, np.clip(step, 0.0, 2.0)[()]


def propagate_pair(
    phi: str | Activation,
    q1: Any,
    q2: Any,
    delta: Any,
    depth: int,
    *,
    sigma_w: float,
    sigma_b: float = 0.0,
    alpha: float = 0.0,
    beta: float = 1.0,
    layer_norm: bool = False,
) -> PairHistory:
    r"""Variances and correlation of two inputs after each of `depth` layers, (q₁, q₂, 1 - c).

    Parameters
    ----------
    phi, sigma_w, sigma_b, alpha, beta, layer_norm
        As `VarianceMap`.
    q1, q2 : float or array_like
        Variances of the first pre-activations, > 0.
    delta : float or array_like
        1 minus their correlation, in [0, 2].
    depth : int
        Number of layers L ≥ 0.

    Returns
    -------
    PairHistory

    Raises
    ------
    DomainError
        A parameter is out of range, or a variance leaves float64 on the way.

    Notes
    -----
    One layer costs some 50 kernel evaluations a pair. For many layers at equal variances that stay,
    `CorrelationMap.compiled` is a thousand times faster.

    References
    ----------
    Poole et al. 2016, NIPS 29, eq. 5.

    Examples
    --------
    >>> path = propagate_pair("erf", 0.5, 2.0, 0.1, 200, sigma_w=1.0, sigma_b=0.3)
    >>> bool(abs(path.q1[-1] - path.q2[-1]) < 1e-12), bool(path.one_minus_c[-1] < 1e-9)
    (True, True)
    """
    layer = VarianceMap(activation(phi), sigma_w, sigma_b, alpha, beta, layer_norm)
    layers = layer_count(depth)
    q1, q2, delta = variances("q1", q1), variances("q2", q2), deficits(delta)
    require_fitting(q1=q1, q2=q2, delta=delta)
    q1, q2, delta = np.broadcast_arrays(q1, q2, delta)
    needed = 24 * (layers + 1) * q1.size
    if needed > _BUDGET:
        raise MemoryBudgetError(
            f"{shown(layers)} layers of {q1.size} pairs take more than the limit of {_BUDGET} bytes.",
            "Every layer of every pair is kept.",
            f"Use at most {_BUDGET // (24 * q1.size) - 1} layers.",
        )
    shape = (layers + 1, *q1.shape)
    first, second, apart = np.empty(shape), np.empty(shape), np.empty(shape)
    first[0], second[0], apart[0] = q1, q2, delta
    for level in range(layers):
        first[level + 1], second[level + 1], apart[level + 1] = pair_step(
            layer, first[level], second[level], apart[level]
        )
    return PairHistory(first, second, apart)


def _require_finite(*after: FloatArray) -> None:
    """Refuse variances that vanish or overflow."""
    for q in after:
        if not ((q > 1e-140) & (q < 1e140)).all():
            raise DomainError(
                f"A variance becomes {float(np.ravel(q)[0]):.3g}.",
                "sigma_w makes it grow or shrink in each layer, or the activation does not respond.",
                "Use sigma_w near the edge of chaos, a bias, or fewer layers.",
            )

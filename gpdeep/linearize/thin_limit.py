r"""How much nonlinearity a chain may have before the angle between two inputs falls below a target, at infinite width.

A layer of nonlinearity g moves cos θ to cos θ + g h(θ) (`gpdeep.linearize.mixture_angles`). As the layers get thinner,
g → 0 at fixed G = Σ g, their steps become the flow d cos θ/dG = h(θ), whose clock is

    T(θ) = ∫_θ^{θ_0} π/(1 - t cot t) dt = 3π (1/θ - 1/θ_0) + O(1).

*No chain outlasts the flow.* h increases with θ, so over a stretch g of the clock the flow from θ moves cos θ by at
most g h(θ), a step by all of it: T(θ') ≥ T(θ) + g, and after L layers G ≤ T(θ_L), whatever the profile. Chains of
thicker layers get less far: 1/θ_L = 1/θ_0 + G/(3π) + (3/2) Σ (g_l/3π)² θ_l + ....

Assumptions: plain chain, no bias, variance kept. Infinite width: at width n the typical angle falls further, by
e^{-Σ r_l/2n_l} at small angles, which no linearisation removes (`predict_angle`).
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import angle, real, shown
from ..meanfield import infinite_degeneracy_depth
from .mixture_angles import kink_excess

_LEAST = 1e-4
_NODE, _WEIGHT = np.polynomial.legendre.leggauss(40)


def depth_budget(theta_target: float, theta0: float = math.pi / 2, *, layer_nonlinearity: float = 0.0) -> float:
    r"""The largest degeneracy depth of a chain whose angle at infinite width is still at or above a target, G.

        thin layers:   G = ∫_{θ*}^{θ_0} π/(1 - t cot t) dt
        equal layers:  G = g max{ L : θ_L ≥ θ* }

    Parameters
    ----------
    theta_target : float
        The target θ*, in (0, π/2], radians, below θ_0.
    theta0 : float
        Angle θ_0 between the inputs, in (0, π].
    layer_nonlinearity : float
        g of every layer, in [1e-4, 2], for a chain of equal layers (1 for ReLU); 0 for the limit of thin layers.

    Returns
    -------
    float
        With g = 0 the bound that no chain of any profile exceeds; it is approached by spreading the nonlinearity over
        many layers. With g > 0 what whole layers of that g reach, a multiple of g. Relative error below 1e-14.

    Raises
    ------
    DomainError
        The target is not in (0, π/2] or not below θ_0; g is outside; the chain is longer than 10^12 layers.

    Notes
    -----
    To leading order 3π (1/θ* - 1/θ_0), O(1) above the integral. The integrand less 3π/t² is smooth and is
    summed by 40 Gauss points. Cost: 20 µs; with g > 0 some 190/g layers of the map (`gpdeep.meanfield.angle_decay`).

    Examples
    --------
    From a right angle to 0.2, spread out and in ReLU layers:

    >>> print(f"{depth_budget(0.2):.3f} {depth_budget(0.2, layer_nonlinearity=1.0)}")
    40.238 37.0
    """
    start, target = angle(theta0), real("theta_target", theta_target, 0.0, math.pi, "an angle in radians")
    if not 0 < target <= math.pi / 2 or not target < start:
        raise DomainError(
            f"theta_target = {shown(theta_target)} from theta0 = {shown(theta0)}.",
            "Angles fall with depth: the target lies below the angle of the inputs, and up to a right angle; degrees "
            "may have been given.",
            "Give the target in radians, in (0, π/2] and below theta0.",
        )
    g = real("layer_nonlinearity", layer_nonlinearity, -1e-300, 2.0 + 1e-12, "g of a layer, 0 for thin layers")
    if 0 < g < _LEAST:
        raise DomainError(
            f"layer_nonlinearity = {shown(g)}.",
            f"Below {_LEAST:g} a chain of equal layers takes millions of them to reach small angles.",
            "Use 0, the limit of thin layers: what equal layers reach is some ten g less.",
        )
    if g <= 0:
        half = (start - target) / 2
        t = target + half * (1 + _NODE)
        smooth = np.pi * np.sin(t) / (np.pi * kink_excess(t)) - 3 * np.pi / t**2
        return float(3 * math.pi * (start - target) / (start * target) + half * (smooth @ _WEIGHT))
    return g * infinite_degeneracy_depth(start, 2 * math.log(math.sin(target)), min(g, 2.0))

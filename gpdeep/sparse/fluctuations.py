r"""What finite width does near a stable variance: fluctuations, a quick estimate of escapes, the spread of gradients.

Near q* with V' = η < 1, V'' and noise c/√n a layer, x = K - q* follows x' = ηx + V''x²/2 + (c/√n) ξ, so that

    stationary std   c/√(n(1 - η²)),        mean shift   V'' c² / (2n(1 - η)(1 - η²)),

both to leading order in 1/n. If V is convex there, x_u = 2(1 - η)/V'' is the unstable point of this parabola, a barrier
of height ∝ (1 - η)³, and Kramers' rate of passing it (Kramers 1940, for the gradient flow of -(1 - η)x + ax²,
a = V''/2, temperature c²/2n) is, in escapes a layer,

    (1 - η)/2π · exp(-n (1 - η)³/(3a²c²)).

A squared gradient is multiplied layer by layer by G_l = σ_w² mean(φ'(h_i)² ζ_i²), with independent standard normal ζ of
the backward weights, so ln G_l = ln χ₁(K_l) + u_l, var u_l = (3 E φ'⁴/(E φ'²)² - 1)/n, which is (3/p - 1)/n for slopes
0 and 1 with p the linear fraction. The variances K_l fluctuate too, are remembered by η from layer to layer, and the
same h_i make both u_l and the next K: with α = χ₁'/χ₁ and g_k = α (1 - η^k)/(1 - η), k layers before the last,

    var Σ_l ln G_l = (1/n) Σ_{k<L} [ 3 E φ'⁴/(E φ'²)² - 1 + 2 g_k σ_w² (E φ'²φ²/E φ'² - E φ²) + g_k² c² ].

For η near 1 and α > 0 the last two terms are most of it.

All are estimates to leading order in 1/n; `escape_probability` is the number to trust for escapes. The gradient's
spread takes backward weights as independent of forward ones.
"""

from __future__ import annotations

import math

import numpy as np

from ..activations import PiecewiseLinear
from ..activations.linear_panels import Panels, expectations
from ..errors import DomainError
from ..finite.checks import check_width
from ..gaussian.arguments import shown, variance, whole
from ..meanfield.variance import VarianceMap
from ..result import FloatArray

_FIXED = 1e-6


def stationary_fluctuation(layer: VarianceMap, q: float, width: int) -> tuple[float, float]:
    r"""Shift of the mean and standard deviation of the variance about its stable fixed point, at width n.

    Parameters
    ----------
    layer : VarianceMap
    q : float
        A fixed point q* of the layer with |V'(q*)| < 1.
    width : int
        n.

    Returns
    -------
    tuple of float
        V''c²/(2n(1 - η)(1 - η²)) and c/√(n(1 - η²)), to leading order in 1/n.

    Raises
    ------
    DomainError
        The layer is not dense, q no stable fixed point of it, or an argument out of range.

    Examples
    --------
    >>> from gpdeep.sparse import design
    >>> one = design("crelu", 0.85, slope=0.5)
    >>> print(f"{stationary_fluctuation(one.layer, 1.0, 300)[1]:.4f}")
    0.0778
    """
    if not isinstance(layer, VarianceMap) or layer.layer_norm or (layer.alpha, layer.beta) != (0.0, 1.0):
        raise DomainError(
            f"The layer is {shown(layer, 200)}.",
            "A dense layer is needed; a design, a residual layer or one with layer normalisation was given.",
            "Give design.layer, or variance_map(phi, sigma_w=..., sigma_b=...).",
        )
    n, at = check_width(width), variance("q", q)
    slope, noise = float(layer.slope(at)), float(layer.noise(at))
    if not abs(float(layer(at)) - at) <= _FIXED * at or not abs(slope) < 1 - _FIXED:
        raise DomainError(
            f"V({at:g}) = {float(layer(at)):g} and V' = {slope:g} there.",
            "Fluctuations are stationary about a fixed point V(q*) = q* with |V'| below 1 alone.",
            "Give a stable fixed point, such as the q* of a design.",
        )
    var = noise**2 / (n * (1 - slope**2))
    return float(layer.curvature(at)) * var / (2 * (1 - slope)), math.sqrt(var)


def kramers_rate(layer: VarianceMap, q: float, width: int) -> float:
    r"""A quick estimate of escapes a layer from a stable variance, (1 - η)/2π exp(-n(1 - η)³/(3a²c²)).

    Parameters and errors as `stationary_fluctuation`.

    Returns
    -------
    float
        0 where V'' ≤ 0: there is no barrier nearby. Within a factor of 3 of `escape_probability` where the unstable
        point is near 2(1 - η)/V'' above q*, not where it is far or missing.

    References
    ----------
    Kramers 1940, Physica 7, 284.

    Examples
    --------
    >>> from gpdeep.sparse import design
    >>> one = design("cst", 0.85, slope=0.9)  # q_u = 1.26
    >>> print(f"{kramers_rate(one.layer, 1.0, 1000):.1e}")
    8.1e-03
    """
    n = check_width(width)
    stationary_fluctuation(layer, q, n)
    slope, a, c = float(layer.slope(q)), float(layer.curvature(q)) / 2, float(layer.noise(q))
    if a <= 0:
        return 0.0
    return (1 - slope) / (2 * math.pi) * math.exp(-n * (1 - slope) ** 3 / (3 * a * a * c * c))


def gradient_spread(layer: VarianceMap, q: float, width: int, depth: int) -> float:
    r"""The standard deviation of the log squared gradient over L layers of width n.

        var = (1/n) Σ_{k<L} [ 3 Eφ'⁴/(Eφ'²)² - 1 + 2 g_k σ_w² (Eφ'²φ²/Eφ'² - Eφ²) + g_k² c² ],
        g_k = (χ₁'/χ₁)(1 - η^k)/(1 - η)

    Parameters
    ----------
    layer, q, width
        As `stationary_fluctuation`, of a piecewise-linear activation.
    depth : int
        L: factors of the product, one a layer.

    Returns
    -------
    float

    Raises
    ------
    DomainError
        As `stationary_fluctuation`; or φ is not piecewise linear, or no unit responds.

    Notes
    -----
    Within two standard errors (5 %) of 240 networks each of width 300 and depth 100, for six stable designs with η from
    0.5 to 0.9. Not for designs with an unstable variance nearby: networks that escape have gradients of other sizes.

    Examples
    --------
    CReLU, 85 % zeros, V' = 0.7: 3.48 ± 0.16 was measured in such networks.

    >>> from gpdeep.sparse import design
    >>> print(f"{gradient_spread(design('crelu', 0.85, slope=0.7).layer, 1.0, 300, 99):.2f}")
    3.48
    """
    n, layers = check_width(width), whole("depth", depth, 0, 10**5)
    stationary_fluctuation(layer, q, n)
    phi = layer.phi
    moments = phi.moments(q)
    second = float(moments.slope_second)
    if not isinstance(phi, PiecewiseLinear) or not second > 1e-100:
        raise DomainError(
            f"{phi.name} has E φ'² = {second:.3g} at q = {q:g}.",
            "It is not piecewise linear, or no unit responds.",
            "Use a piecewise-linear activation at a larger variance.",
        )

    def columns(panels: Panels, s: FloatArray) -> list[FloatArray]:
        slope2 = panels.slope(s) ** 2
        return [panels.mean(slope2**2 + 0 * panels.z), panels.mean(slope2 * panels.value(s) ** 2)]

    fourth, mixed = (float(part[0]) for part in expectations(phi.pieces, [np.sqrt(np.array([float(q)]))], columns))
    slope = float(layer.slope(q))
    memory = float(layer.d_chi_1(q) / layer.chi_1(q)) * (1 - slope ** np.arange(layers)) / (1 - slope)
    own, shared = 3 * fourth / second**2 - 1, layer.sigma_w**2 * (mixed / second - float(moments.second))
    return math.sqrt(float(np.sum(own + 2 * memory * shared + (memory * float(layer.noise(q))) ** 2)) / n)

r"""How long a spatial pattern lasts in a deep convolutional network: every frequency has its own depth scale.

    ξ(ω) = -1/ln|α² + (χ - α²) Â(ω)|,      Â(ω) = (1/k) Σ_β e^{iωβ}

for a circular image about its uniform fixed point; without skip, α = 0, the factor of a layer is χ Â(ω).

*Derivation.* At the fixed point all variances, Σ_xx[a, a], are q*, and all other entries q* c*. Perturb one of the
latter diagonals, of positions a distance d apart in inputs x, x', by Σ_{xx'}[a, a+d] = q* c* + ε_d[a]. The activation
acts on each entry alone and multiplies ε_d[a] by E φ'(u)φ'(v) at c* (Price's theorem); with the weights that is
β² σ_w² E φ'(u)φ'(v) = χ - α², where χ = χ_{c*} = C'(c*) is the slope of the dense correlation map. The average shifts
both positions, so d stays: (A ε)_d[a] = (1/k) Σ_β ε_d[a+β] is a convolution along a, which on a circle has the modes
e^{iωa} and the factors Â(ω), for every d, x, x' alike. The skip is not averaged: α² + (χ - α²) Â(ω).

Variances pass with the slope χ = V'(q*) of the variance map in the same way. They also move other entries, but no other
entry moves them: the linear map is triangular, and its factors are those of both kinds.

*What c* is.* 1 in the ordered phase and on the edge of chaos, with χ = χ₁; less than 1 in the chaotic phase. On the
edge χ = 1: the mean, ω = 0, dies out as 1/l or 1/l² (`edge_law`), but every other frequency exponentially, in
-1/ln|Â(ω)| layers. Depth makes correlations uniform over the image long before it makes inputs alike. Weights at the
centre tap alone have Â = 1: nothing is lost that a dense layer keeps.

*Where it ends.* These are factors of small perturbations. To second order two waves make a third, of the sum of their
frequencies; where that would decay faster by itself, it follows their product. About c* = 1 a wave cannot come alone,
as 1 - c ≥ 0: the mean carries it, and the factor is that of the wave's amplitude. With kinks the map there is χ δ -
κ δ^{3/2} in δ = 1 - c, so the linear factor is approached as √δ only.

Xiao et al. (2018), §2.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import choice
from ..result import FloatArray
from .correlation import CorrelationMap
from .scales import Phase, depth_scales
from .variance import VarianceMap


def frequency_response(taps: int, size: int) -> FloatArray:
    r"""What an average of `taps` neighbours multiplies the frequencies of a circle of `size` positions by, Â.

        Â(ω) = (1/k) Σ_β e^{iωβ} = sin(kω/2)/(k sin(ω/2)),      ω = 2πj/N,  j = 0..N-1

    Zeros are exact: they are where N divides kj, which integers decide.

    Examples
    --------
    >>> frequency_response(3, 6).round(12)
    array([ 1.        ,  0.66666667,  0.        , -0.33333333,  0.        ,
            0.66666667])
    """
    j = np.arange(1, size)
    folded = taps * j % (2 * size)
    wave = np.where(folded % size, np.sin(np.pi * folded / size), 0.0)
    return np.append(1.0, wave / (taps * np.sin(np.pi * j / size)))


def mode_scales(layer: VarianceMap, response: FloatArray, q: float, of: str) -> FloatArray:
    """ξ for frequencies with the factors Â = `response`, about the fixed point that the variance `q` converges to.

    Raises
    ------
    DomainError
        There is no such point, or `of` is neither "correlations" nor "lengths".
    """
    choice("of", of, ("correlations", "lengths"))
    skip = layer.alpha**2
    size = np.abs(skip + (_uniform_factor(layer, q, of) - skip) * response)
    with np.errstate(divide="ignore"):
        return np.where(size < 1, -1 / np.log(np.minimum(size, 1 - 2.0**-53)), np.inf)


def _uniform_factor(layer: VarianceMap, q: float, of: str) -> float:
    """χ: what multiplies a perturbation that is the same at all positions."""
    limits = depth_scales(
        layer.phi, sigma_w=layer.sigma_w, sigma_b=layer.sigma_b, q=q, alpha=layer.alpha, beta=layer.beta
    )
    if not 0 < limits.q_star < math.inf:
        raise DomainError(
            f"From q = {q:g} the variance goes to {limits.q_star:g}.",
            "There is no uniform fixed point, so there are no perturbations of one.",
            "Choose sigma_w and sigma_b on the edge of chaos (edge_of_chaos), or another q.",
        )
    if of == "lengths":
        return 1.0 if limits.marginal else float(layer.slope(limits.q_star))
    if limits.phase is Phase.EDGE:
        return 1.0
    correlations = CorrelationMap(layer, limits.q_star)
    if limits.one_minus_c_star == 0:
        return correlations.slope_at_one
    return float(correlations.slope(2 * math.asin(math.sqrt(limits.one_minus_c_star / 2))))

r"""Expectations of analytic functions under a Gaussian by the trapezoidal rule, which converges exponentially there:

    E g(√q z) ≈ h Σ_i f(z_i) g(√q z_i),   z_i = i h, |z_i| ≤ 9.4,   f(z) = e^{-z²/2}/√(2π)

A function analytic for |Im x| < S leaves an error below e^{a²/2 - 2πa/h} for every a < S/√q (the sum is a contour
integral that may be moved by ±ia), so a tolerance ε asks for

    h = 2πa/(ln(1/ε) + a²/2),   a = min(S/√q, 6);      entire g ≲ e^{4y²} at x ± iy:   h = π/√(ln(1/ε)(4q + 1/2)).

ε = 1e-22: the 1e-6 beyond rounding pays for poles of high order in φ⁴ and φ'² and for their powers of z. Gauss-Hermite
rules, made for polynomials, need many times the nodes. Reference: Trefethen & Weideman 2014, SIAM Rev. 56, 385, § 5.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ..errors import DomainError
from ..result import FloatArray
from .arguments import as_float, shown

_LEAST_STRIP = 1e-100
REACH = 9.4
"""Standard deviations: z⁴ f(z) is 2e-16 of its integral beyond, and f itself 1e-20."""
MAX_NODES = 200_000
_LOG_TOL = 22 * math.log(10)
_FARTHEST = 6.0
_PER_OCTAVE = 4


def spacing(q: float, strip: float) -> float:
    """The step h that makes the rule exact to 1e-16 for functions of √q z analytic in the strip.

    Parameters
    ----------
    q : float
        Variance.
    strip : float
        Distance S of the nearest singularity from the real axis; infinite for entire functions that grow no faster
        than e^{4y²} in the imaginary direction (fourth powers of erf do).

    Examples
    --------
    >>> import math
    >>> print(f"{spacing(1.0, math.pi / 2):.6f}")
    0.190200
    """
    if math.isinf(strip):
        return math.pi / (2 * math.sqrt(_LOG_TOL) * math.sqrt(q + 0.125))  # 4q may overflow
    a = min(strip / math.sqrt(q), _FARTHEST)
    return 2 * math.pi * a / (_LOG_TOL + a**2 / 2)


def largest_variance(strip: float) -> float:
    """The largest variance for which `MAX_NODES` nodes are enough, less a margin for the octave above it.

    Examples
    --------
    >>> import math
    >>> print(f"{largest_variance(math.pi / 2):.2e}")
    2.86e+06
    """
    step = 2 * REACH / MAX_NODES
    if math.isinf(strip):
        return ((math.pi / step) ** 2 / _LOG_TOL - 0.5) / 6
    return (2 * math.pi * strip / (step * _LOG_TOL)) ** 2 / 1.5


def octave(q: float) -> int:
    """The number of the quarter octave of √q: variances that share it share a rule."""
    return math.ceil(_PER_OCTAVE * math.log2(q) / 2)


def variance_of_octave(number: int) -> float:
    """The largest variance of the quarter octave `number`, see `octave`."""
    return float(2.0 ** min(2 * number / _PER_OCTAVE, 1023.99))


def trapezoidal_rule(q: float, strip: float) -> tuple[FloatArray, FloatArray]:
    """Nodes z and weights w of E g(√q z) ≈ Σ w g(√q z) for g analytic in |Im x| < S.

    Parameters
    ----------
    q : float
        Variance, positive. The rule serves smaller ones too.
    strip : float
        S, positive; infinite for entire functions (see `spacing`).

    Returns
    -------
    tuple of ndarray
        Read-only, symmetric about 0; the rule of the next quarter octave of √q, kept once made.

    Raises
    ------
    DomainError
        More than 200,000 nodes would be needed, or an argument is not positive.

    Notes
    -----
    About 100 √q/S nodes where S < √q, 40 where S is large. Errors are 1e-16 of E |g| (and of E |z|⁴|g|).

    Examples
    --------
    E 1/(1 + z²) = √(π/2) e^{1/2} erfc(1/√2):

    >>> z, w = trapezoidal_rule(1.0, 1.0)
    >>> print(f"{w @ (1 / (1 + z**2)):.12f}")
    0.655679542419
    """
    variance, distance = as_float(q), as_float(strip)
    if not (0 < variance < math.inf and distance > _LEAST_STRIP):
        raise DomainError(
            f"q = {shown(q)} and strip = {shown(strip)}.",
            "A variance or the width of the strip is zero, negative, infinite (the variance) or NaN.",
            "Give a positive variance and a positive distance of the nearest singularity from the real axis.",
        )
    return rule_of_octave(octave(variance), distance)


@lru_cache(maxsize=256)
def rule_of_octave(number: int, strip: float) -> tuple[FloatArray, FloatArray]:
    """`trapezoidal_rule` for the quarter octave `number`, see `octave`."""
    q = variance_of_octave(number)
    h = spacing(q, strip)
    count = math.ceil(REACH / h)
    if 2 * count + 1 > MAX_NODES:
        raise DomainError(
            f"A variance of {q:.3g} needs {2.0 * count:.3g} nodes; the limit is {MAX_NODES:,}.",
            f"The function turns within {min(strip, 1.0):.3g}; its argument has standard deviation {math.sqrt(q):.3g}.",
            "Use smaller variances; where they are meant, take the step or the ramp that the function looks like.",
        )
    z: FloatArray = h * np.arange(-count, count + 1, dtype=np.float64)
    w: FloatArray = h / math.sqrt(2 * math.pi) * np.exp(-(z**2) / 2)
    for array in (z, w):
        array.flags.writeable = False
    return z, w

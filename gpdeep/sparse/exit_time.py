r"""How long a variance stays near a fixed point that attracts from below and repels from above: a mean exit time.

Near q* with V' = 1, V'' = 2a > 0, and noise c/√n a layer, the variance follows the diffusion dq = a (q - q*)² dl +
(c/√n) dB. In the units X = (q - q*)(a n/c²)^{1/3}, s = l (a²c²/n)^{1/3} it has no parameters left:

    dX = X² ds + dB,      T(x) = E[time to +∞ | X_0 = x] = √(2π) ∫₀^∞ exp(-w⁶/6) erfc(√2 w (x - w²/2)) dw

Derivation: ½T'' + x²T' = -1, T(∞) = 0 gives T(x) = 2∫_x^∞ dy ∫_{-∞}^y dz exp(-⅔(y³ - z³)). With u = y - z the exponent
is -2u(y - u/2)² - u³/6, so the integral over y is a complementary error function; u = w². From -∞ it is 2, and
T(-∞) = √(2π) 6^{1/6} Γ(1/6)/3 = 6.2694. Sigeti & Horsthemke (1989) have this value for the pure noise-driven passage.

Assumption: width n → ∞ with a²c²/n → 0; for ReLU_τ at widths of hundreds the time is right to some 40 %.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..gaussian.arguments import as_floats, shown
from ..gaussian.ramp_moments import unit_rule
from ..result import FloatArray

FROM_FAR_BELOW = math.sqrt(2 * math.pi) * 6 ** (1 / 6) * math.gamma(1 / 6) / 3
"""T(-∞)."""

_END = 3.0  # exp(-w⁶/6) is 2e-53
_NODES = 64
_FARTHEST = 1e100  # beyond it T has its limit
_LAYER = 6.0  # erfc has fallen to 1e-17 of its range within this many of its own widths


def mean_exit_time(x: ArrayLike, end: float = math.inf) -> FloatArray:
    r"""Mean time until dX = X² ds + dB first reaches `end` from X = x, T(x) - T(end).

        T(x) = √(2π) ∫₀^∞ exp(-w⁶/6) erfc(√2 w (x - w²/2)) dw

    Parameters
    ----------
    x : float or array_like, any shape
        Start; -inf too.
    end : float
        Where the time stops; +∞ is reached in finite time. Paths are continuous, so times along a path add up.

    Returns
    -------
    float64 or ndarray, shape of x
        0 where x is at or beyond the end. T has a relative error below 1e-13, and is 1/x for large x, when the noise
        has no time to matter.

    Raises
    ------
    DomainError
        x or `end` is NaN or not a real number.

    References
    ----------
    Sigeti & Horsthemke 1989, J. Stat. Phys. 54, 1217.

    Examples
    --------
    >>> print(f"{mean_exit_time(0.0):.6f} {mean_exit_time(-np.inf) - FROM_FAR_BELOW:.1f}")
    4.179623 0.0
    """
    start, last = _real("x", x), _real("end", end)
    if last.ndim:
        raise DomainError(f"end = {shown(end)} has {last.size} entries.", "There is one end.", "Call once for each.")
    flat = start.reshape(-1)
    times = np.array([_time(v) for v in flat.tolist()]) - _time(float(last))
    return np.where(flat < last, times, 0.0).reshape(start.shape)[()]


def _real(name: str, value: ArrayLike) -> FloatArray:
    given = as_floats(value)
    if given is None or np.isnan(given).any():
        raise DomainError(
            f"{name} = {shown(value)}.",
            "NaN, text or a complex number was given.",
            "Give a float.",
        )
    return given


def _time(x: float) -> float:
    """T(x), split where erfc changes: within 1/|x| of w = 0, and for x > 0 about w = √(2x)."""
    if abs(x) > _FARTHEST:
        return 0.0 if x > 0 else FROM_FAR_BELOW
    from scipy.special import erfc  # here: importing gpdeep stays light

    layer = _LAYER / max(abs(x), 1.0)
    cuts = [0.0, min(layer / 4, _END), min(layer, _END), _END]
    if 0 < x < _END**2 / 2:
        cuts.append(math.sqrt(2 * x))
    edges = sorted(set(cuts))
    y, v = unit_rule(_NODES)
    total = 0.0
    for low, high in itertools.pairwise(edges):
        w = low + (high - low) * y
        total += (high - low) * float(v @ (np.exp(-(w**6) / 6) * erfc(math.sqrt(2) * w * (x - w * w / 2))))
    return math.sqrt(2 * math.pi) * total

r"""The exact law of one layer as θ → 0 where k of n channels are ReLU and the rest linear:

    sin²θ'/sin²θ = χ²_{m-1}/χ²_m,      m = n - k + B,  B ~ Bin(k, 1/2),  given m ≥ 2.

For a vanishing angle both inputs have the same m live channels, the linear ones and the active ReLUs. On these the
difference of the inputs is a Gaussian vector of R^m independent of the base input, and only its part across the base
counts: m - 1 degrees of freedom over the base's own m. With digammas ψ and R = ln(sin²θ'/sin²θ),

    κ₁ = -c(n, k),   c(n, k) = E_m[ψ(m/2) - ψ((m-1)/2)] = r/n + O(n⁻²),   r = 2/(2 - k/n),
    κ₂ = E_m[ψ'((m-1)/2) + ψ'(m/2)] + Var d(m),   d(m) = ψ((m-1)/2) - ψ(m/2),   and κ₃ likewise.

k = n is `gpdeep.finite.small_angle_cumulants`, ReLU; k = 0 a deep linear network. Derived here.
"""

from __future__ import annotations

from functools import lru_cache

from scipy.special import zeta

from ..errors import DomainError
from ..finite.binomial import active_counts
from ..finite.checks import check_width
from ..finite.small_angle import digamma_half_step, tetragamma_half_step
from ..gaussian.arguments import whole


def small_angle_constant(width: int, active: int) -> float:
    r"""By how much one layer lowers ln sin² of a vanishing angle on average, c(n, k).

        c(n, k) = E_B[ψ(m/2) - ψ((m - 1)/2)],   m = n - k + B,   B ~ Bin(k, 1/2),   given m ≥ 2

    Parameters
    ----------
    width : int
        Channels n of the layer, from 2 to 10^6.
    active : int
        ReLU channels k among them, from 0 to n; the others are linear.

    Returns
    -------
    float
        Positive; relative error 1e-13.

    Raises
    ------
    DomainError
        An argument is out of range.

    Notes
    -----
    Independent of the scale of the weights. Leading law r/n with r = 2/(2 - k/n), `gate_kurtosis`. The condition m ≥ 2
    leaves out layers that kill the pair or make it parallel; it is void with two linear channels or more.

    Examples
    --------
    Two linear channels, m = 2: ψ(1) - ψ(1/2) = 2 ln 2.

    >>> import math
    >>> print(f"{small_angle_constant(2, 0):.14f} {2 * math.log(2):.14f}")
    1.38629436111989 1.38629436111989
    >>> print(f"{64 * small_angle_constant(64, 32):.4f}")  # r = 4/3 to leading order
    1.3813
    """
    n = check_width(width, minimum=2)
    k = whole("active", active, 0, n)
    return -float(live_cumulants(n, k)[0])


@lru_cache(maxsize=1024)
def live_cumulants(n: int, k: int) -> tuple[float, float, float]:
    """κ₁, κ₂, κ₃ of ln(sin²θ'/sin²θ) as θ → 0 for k ReLUs among n channels, given that the pair survives."""
    if n < 2:
        raise DomainError(
            f"A layer of {n} channel.",
            "On one channel all inputs lie on one line.",
            "Use two channels or more.",
        )
    count, weight, _ = active_counts(k, max(0, 2 - (n - k)))
    m = n - k + count
    mean = -digamma_half_step((m - 1) / 2)
    var = zeta(2, (m - 1) / 2) + zeta(2, m / 2)
    third = -tetragamma_half_step((m - 1) / 2)
    drift = float(weight @ mean)
    d = mean - drift
    return (
        drift,
        float(weight @ var + weight @ d**2),
        float(weight @ third + 3 * (weight @ (d * var)) + weight @ d**3),
    )

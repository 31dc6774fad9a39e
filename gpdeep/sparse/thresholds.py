r"""Sparsity and threshold: which h = τ/√q* leaves which fraction of exact zeros.

    s = Φ(h) for one active side (relu_tau, crelu),      s = 2Φ(h) - 1 for two (st, cst)

A property of h, not of τ: at another q* the same sparsity takes τ = h √q*.
"""

from __future__ import annotations

import math

from ..errors import DomainError, InfeasibleError
from ..gaussian.arguments import real, shown

SIDES = {"relu_tau": 1, "crelu": 1, "st": 2, "cst": 2}
"""On how many sides of 0 an activation is active."""

FARTHEST = 4.1
"""Thresholds beyond, sparsities above 0.99998, leave two units of 100,000 active and σ_w above 200: refused."""


def threshold(kind: str, sparsity: float) -> float:
    r"""The threshold h = τ/√q* that leaves the fraction `sparsity` of exact zeros.

    Parameters
    ----------
    kind : str
        ``relu_tau`` or ``crelu`` (h = Φ⁻¹(s)), ``st`` or ``cst`` (h = Φ⁻¹((1 + s)/2)).
    sparsity : float
        s in (0, 1); 0 too for two-sided kinds, which gives h = 0.

    Returns
    -------
    float
        Negative for one-sided kinds below s = 1/2.

    Raises
    ------
    DomainError
        The kind is unknown, or the sparsity is no number from 0 to 1.
    InfeasibleError
        The sparsity is 1, or 0 for a one-sided kind: no finite threshold gives it.

    Examples
    --------
    >>> print(f"{threshold('crelu', 0.85):.6f} {threshold('cst', 0.85):.6f} {threshold('cst', 0.0):.1f}")
    1.036433 1.439531 0.0
    """
    if not isinstance(kind, str) or kind not in SIDES:
        raise DomainError(
            f"There is no thresholded activation {shown(kind)}.",
            "The name is misspelt, or it has no threshold.",
            f"Use one of {', '.join(SIDES)}.",
        )
    s = real("sparsity", sparsity, -math.inf, math.inf, "a fraction of exact zeros")
    if not 0 <= s <= 1:
        raise DomainError(
            f"sparsity = {shown(sparsity)} is not a fraction from 0 to 1.",
            "A percentage was given, or a number with the wrong sign.",
            "Give a fraction, such as 0.85.",
        )
    sides = SIDES[kind]
    if s == 1:
        raise InfeasibleError(
            "sparsity = 1: every unit would be 0.",
            "No finite threshold silences a Gaussian unit for certain, and a silent layer hands on nothing.",
            "Choose a sparsity below 1, such as 0.9.",
        )
    if s == 0 and sides == 1:
        raise InfeasibleError(
            f"sparsity = 0: {kind} has a threshold below every pre-activation only at τ = -∞.",
            "It is zero left of its threshold, so some units always are; and below sparsity 1/2 (τ < 0) σ_b² ≥ 0 "
            "binds.",
            "Choose a sparsity above 0, of 0.5 or more for τ ≥ 0; cst at sparsity 0 is the hard tanh.",
        )
    from scipy.special import ndtri  # here: importing gpdeep stays light

    h = float(ndtri(s)) if sides == 1 and s < 0.5 else float(-ndtri((1 - s) / sides)) + 0.0
    if not abs(h) < FARTHEST:
        raise InfeasibleError(
            f"sparsity = {shown(s)} needs the threshold h = {h:.3g} standard deviations.",
            "So near to its end hardly a unit responds (weights would be hundreds of times larger than usual), or "
            "hardly one does not.",
            "Choose a sparsity further away from 0 and 1.",
        )
    return h

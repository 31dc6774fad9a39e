r"""Layers whose channels have slopes of their own:  φ_a(x) = max(x, 0) + a min(x, 0),  a_i on a share f_i of them.

    σ_w² = 2 / Σ f_i (1 + a_i²)                                  keeps the variance from layer to layer,
    g    = Σ f_i (1 - a_i)² / Σ f_i (1 + a_i²)      in [0, 2]    the nonlinearity: all of it that infinite width sees,
    r    = 2 Σ f_i (1 + a_i⁴) / (Σ f_i (1 + a_i²))²  from 1      the gates' fourth moment over their second squared.

g is the kink of one activation (`gpdeep.activations.TwoSlope.kink`) with numerator and denominator averaged apart: the
kernels of a layer with many slopes are those of a layer with one. r is what width n feels: in each layer ln sin² of
a small angle falls by r/n in the mean, with variance 4r/n. For ReLU on a share p of the channels and the identity on
the rest,

    g = p/(2 - p),      r = 2/(2 - p) = 1 + g,      σ_w² = 2/(2 - p):

a linear channel carries twice the second moment of a ReLU channel, so g < p between the ends.

Assumptions: Gaussian weights of variance σ_w²/fan-in, no bias; which channel has which slope does not depend on the
weights. Derived here from the moments E φ_a² = (1 + a²)/2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..activations.knots import LEAST
from ..errors import DomainError
from ..gaussian.arguments import as_array, as_float, shown
from ..result import FloatArray

HE_SIGMA_W = 2**0.5
"""σ_w of He's initialisation."""


def nonlinearity(slopes: ArrayLike, fractions: ArrayLike | None = None) -> Any:
    r"""How nonlinear a layer of channels with these slopes is at infinite width, g.

        g = Σ f_i (1 - a_i)² / Σ f_i (1 + a_i²)

    Parameters
    ----------
    slopes : array_like, shape (..., m)
        Slopes a_i for negative arguments: 0 for ReLU, 1 for a linear channel. A number is one slope.
    fractions : array_like, shape (..., m), optional
        Shares f_i of the channels, or their counts: they are divided by their sum. Equal if not given, as for one
        slope a channel.

    Returns
    -------
    float64 or ndarray, shape (...)
        In [0, 2]: 0 where all channels are linear, 1 for ReLU, 2 for the absolute value.

    Raises
    ------
    DomainError
        A slope is not finite or beyond 1e50, a share is negative, the shares sum to zero, or the shapes do not fit.

    Notes
    -----
    The map of the angle is `gpdeep.gaussian.angle_map` with this kink; the sum of g over the layers of a chain is its
    degeneracy depth (`ChainProfile`). Sums of positive terms: relative error m eps.

    Examples
    --------
    ReLU on half of the channels is a third as nonlinear as ReLU; a slope and its inverse are equally so:

    >>> print(f"{nonlinearity([0, 1], [0.5, 0.5]):.15f}", nonlinearity(0.5) == nonlinearity(2.0))
    0.333333333333333 True
    """
    a, f = slope_shares(slopes, fractions)
    return (_total(f * (1 - a) ** 2) / _total(f * (1 + a**2)))[()]


def gate_kurtosis(slopes: ArrayLike, fractions: ArrayLike | None = None) -> Any:
    r"""The fourth moment of the random gates over their squared second moment, r.

        r = 2 Σ f_i (1 + a_i⁴) / (Σ f_i (1 + a_i²))²

    Parameters
    ----------
    slopes, fractions
        As `nonlinearity`.

    Returns
    -------
    float64 or ndarray, shape (...)
        1 or more: 1 for linear channels and the absolute value, 2 for ReLU, 1 + 2g - g² for one slope.

    Raises
    ------
    DomainError
        As `nonlinearity`.

    Notes
    -----
    A gate is φ'(x) at a Gaussian x: 1 or a_i, each half of the time. At small angles a layer of width n moves
    ln sin²θ by -r/n in the mean, with variance 4r/n, to leading order in 1/n. Making channels linear lowers r from 2 to
    1 and no further: a deep linear network of finite width also forgets angles.

    Examples
    --------
    >>> print(f"{gate_kurtosis([0, 1], [0.5, 0.5]):.15f} {gate_kurtosis(0)} {gate_kurtosis(1)}")
    1.333333333333333 2.0 1.0
    """
    a, f = slope_shares(slopes, fractions)
    return (2 * _total(f * (1 + a**4)) / _total(f * (1 + a**2)) ** 2)[()]


def preserving_sigma_w(slopes: ArrayLike, fractions: ArrayLike | None = None) -> Any:
    r"""The standard deviation of the weights, times √fan-in, that keeps the variance, σ_w.

        σ_w² = 2 / Σ f_i (1 + a_i²)

    Parameters
    ----------
    slopes, fractions
        As `nonlinearity`.

    Returns
    -------
    float64 or ndarray, shape (...)
        σ_w (not its square).

    Raises
    ------
    DomainError
        As `nonlinearity`.

    Examples
    --------
    Half of the channels linear: σ_w² = 2/(2 - 1/2).

    >>> print(f"{preserving_sigma_w([0, 1], [0.5, 0.5]) ** 2:.15f}")
    1.333333333333333
    """
    a, f = slope_shares(slopes, fractions)
    return np.sqrt(2 / _total(f * (1 + a**2)))[()]


def weight_correction(slopes: ArrayLike, fractions: ArrayLike | None = None, *, sigma_w: float = HE_SIGMA_W) -> Any:
    r"""The factor on the weights that follow a layer which undoes the growth of variance by linearised channels.

        factor = σ_w* / σ_w,    σ_w*² = 2 / Σ f_i (1 + a_i²)

    Parameters
    ----------
    slopes, fractions
        As `nonlinearity`, of the layer that the weights read.
    sigma_w : float
        Standard deviation times √fan-in with which the weights were drawn; He's √2 if not given.

    Returns
    -------
    float64 or ndarray, shape (...)

    Raises
    ------
    DomainError
        As `nonlinearity`, or σ_w is not a positive finite number.

    Notes
    -----
    With He weights and ReLU on a share p the variance grows by 2 - p in every layer; σ_w² goes from 2 to 2/(2 - p).
    Normalised networks need none of this.

    Examples
    --------
    A ReLU layer made linear doubles the variance:

    >>> print(f"{weight_correction(1.0) ** 2:.15f}")
    0.500000000000000
    """
    drawn = as_float(sigma_w)
    if not LEAST < drawn < np.inf:
        raise DomainError(
            f"sigma_w = {shown(sigma_w)} is not a positive finite number.",
            "A variance of 0, NaN, a list or text was given.",
            "Give the standard deviation of the weights times the square root of the fan-in, such as 2**0.5.",
        )
    return preserving_sigma_w(slopes, fractions) / drawn


def equivalent_slope(active: ArrayLike) -> Any:
    r"""The one slope that gives a layer the kernels of ReLU on a share p of its channels, a(p).

        a(p) = ((2 - p) - √(p (4 - 3p))) / (2 - 2p) = 2 (1 - p) / (2 - p + √(p (4 - 3p)))

    Parameters
    ----------
    active : array_like, any shape
        Share p of ReLU channels, in [0, 1]; the rest is linear.

    Returns
    -------
    float64 or ndarray, shape of active
        a in [0, 1]; its inverse is the other solution.

    Raises
    ------
    DomainError
        A share is outside [0, 1].

    Notes
    -----
    It solves (1 - a)²/(1 + a²) = p/(2 - p), so NNGP and NTK of both layers agree. At finite width they differ: r is
    1 + g for the mask and 1 + 2g - g² for the slope. The second form has no difference of nearly equal numbers as
    p → 1. Derived here.

    Examples
    --------
    >>> print(f"{equivalent_slope(0.5):.15f} {(3 - 5**0.5) / 2:.15f}")
    0.381966011250105 0.381966011250105
    """
    p = active_shares(active)
    return (2 * (1 - p) / (2 - p + np.sqrt(p * (4 - 3 * p))))[()]


def slope_shares(slopes: ArrayLike, fractions: ArrayLike | None = None) -> tuple[FloatArray, FloatArray]:
    """Slopes and their shares, each of shape (..., m), the shares summing to one over the last axis.

    Raises
    ------
    DomainError
        As `nonlinearity`.
    """
    try:
        a = np.atleast_1d(as_array(slopes))
        f = np.ones(a.shape) if fractions is None else np.atleast_1d(as_array(fractions))
        if a.shape[-1:] != f.shape[-1:]:
            raise ValueError
        a, f = np.broadcast_arrays(a, f)
    except ValueError:  # ragged, or shapes that do not fit
        a = f = np.zeros(0, dtype=object)
    if a.dtype.kind not in "iuf" or f.dtype.kind not in "iuf" or a.size == 0:
        raise DomainError(
            f"Slopes {shown(slopes)} with the shares {shown(fractions)}.",
            "Each slope needs one share; text, truth values, ragged lists, nothing, or lists of unequal length came.",
            "Give for instance slopes [0, 1] with fractions [0.25, 0.75]; layers of unequal width one at a time.",
        )
    a, f = a.astype(np.float64), f.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        total = f.sum(axis=-1, keepdims=True)
        shares_fit = (f >= 0).all() and (total > 0).all() and np.isfinite(total).all()
    if not (np.abs(a) <= 1 / LEAST).all() or not shares_fit:
        raise DomainError(
            f"Slopes {shown(slopes)} with the shares {shown(fractions)}.",
            "A slope is NaN or beyond 1e50, or a share is negative or NaN, or all are zero.",
            "Give finite slopes, and shares or counts of channels that are 0 or more.",
        )
    return a, f / total


def active_shares(active: ArrayLike) -> FloatArray:
    """Shares of active channels in float64, each in [0, 1].

    Raises
    ------
    DomainError
        An entry is outside, or not a number.
    """
    p = as_array(active)
    if p.dtype.kind not in "iuf" or not ((p >= 0) & (p <= 1)).all():
        raise DomainError(
            f"The share of active channels is {shown(active)}.",
            "A count, a percentage, NaN or text was given where a share of the channels is meant.",
            "Give active channels divided by all channels of the layer, between 0 and 1.",
        )
    return p.astype(np.float64)


def _total(values: FloatArray) -> FloatArray:
    return np.asarray(values.sum(axis=-1))

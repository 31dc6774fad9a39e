r"""Which share of a layer's units is off, passes its signal on, or is clipped, as a function of the variance q.

    zero    = P(φ(√q z) = 0)                the sparsity: exact zeros
    linear  = P(φ'(√q z) ≠ 0)               units that pass a gradient back
    clipped = P(φ'(√q z) = 0, φ(√q z) ≠ 0)  units at a level

Three different numbers that add up to 1 where φ vanishes on flat pieces only. On the edge of chaos with slopes 0 and
1 the second is 1/σ_w², which is less than 1 - zero as soon as something is clipped.

Assumption: Gaussian pre-activations of variance q, as at infinite width or given the layers below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation, Mixture, PiecewiseLinear, Smooth, activation
from ..errors import DomainError
from ..gaussian.arguments import variances
from ..result import FloatArray


@dataclass(frozen=True)
class Shares:
    """Shares of the units of a layer; each of the shape of q.

    Attributes
    ----------
    zero : P(φ = 0): the sparsity
    linear : P(φ' ≠ 0)
    clipped : P(φ' = 0, φ ≠ 0)
    """

    zero: FloatArray
    linear: FloatArray
    clipped: FloatArray


def shares(phi: str | Activation, q: Any) -> Shares:
    """Shares of units that are zero, linear and clipped at the variances `q`.

    Parameters
    ----------
    phi : str or Activation
        Piecewise linear, analytic (`Smooth`: then every unit is linear), or a mixture of these.
    q : float or array_like
        Variances of pre-activations, positive.

    Returns
    -------
    Shares

    Raises
    ------
    DomainError
        A variance is not positive and finite, or φ is of a kind whose flat pieces are not known.

    Notes
    -----
    Differences of normal tails taken on the side where they are small: relative error below 1e-14 unless a piece is
    much narrower than √q.

    Examples
    --------
    A soft threshold at one standard deviation: P(|z| < 1) = 0.6827.

    >>> found = shares("cst:1,0.5", 1.0)
    >>> print(f"{found.zero:.4f} {found.linear:.4f} {found.clipped:.4f}")
    0.6827 0.1837 0.1336
    """
    function, q = activation(phi), variances("q", q)
    if isinstance(function, Mixture):
        parts = [(share, shares(part, q)) for share, part in function.parts_with_shares]
        return Shares(
            *(np.asarray(sum(w * getattr(part, name) for w, part in parts))[()] for name in Shares.__annotations__)
        )
    if isinstance(function, Smooth):
        return Shares((0 * q)[()], (0 * q + 1)[()], (0 * q)[()])
    if not isinstance(function, PiecewiseLinear):
        raise DomainError(
            f"The shares of '{function.name}' are not known.",
            "Which pieces of an activation are flat is known for piecewise-linear and analytic ones.",
            "Write it as a PiecewiseLinear, with its knots and slopes.",
        )
    zero, linear, clipped = piece_shares(function, q)
    return Shares(zero[()], linear[()], clipped[()])


def piece_shares(phi: PiecewiseLinear, q: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Shares that are zero, linear and clipped; arrays of the shape of q."""
    probability = piece_probabilities(phi, q)
    slopes, values = phi.pieces.slopes, phi.pieces.values
    flat = slopes == 0
    return tuple(  # type: ignore[return-value]
        np.asarray(probability[..., kind].sum(axis=-1)) for kind in (flat & (values == 0), ~flat, flat & (values != 0))
    )


def piece_probabilities(phi: PiecewiseLinear, q: FloatArray) -> FloatArray:
    """The probability of each piece between the knots, shape (*q.shape, K + 1)."""
    from scipy.special import ndtr  # here: importing gpdeep stays light

    ends = np.concatenate([[-np.inf], phi.pieces.knots, [np.inf]]) / np.sqrt(q)[..., None]
    low, high = ends[..., :-1], ends[..., 1:]
    right = low > 0  # there the tails are small, so that their difference keeps its digits
    return np.asarray(np.where(right, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low)))

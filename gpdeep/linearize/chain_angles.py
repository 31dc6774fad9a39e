r"""The angle between two inputs through a plain chain whose channels have slopes of their own, layer by layer.

Infinite width: cos θ_l = cos θ_{l-1} + g_l h(θ_{l-1}), exact (`gpdeep.linearize.mixture_angles`).

Finite width: the angle is a Markov chain by itself, since all activations are homogeneous. Per layer, at small angles,

    E Δ ln sin²θ = -2 g θ/(3π) - r/n + ...,      Var = 4r/n + ...,

so making channels linear takes away the first term and no more than half of the others.

| method | gives                     | error                                    | holds for               |
|--------|---------------------------|------------------------------------------|-------------------------|
| grid   | mean, standard deviation  | estimate; 1e-3 to 1e-2 at widths from 24 | widths from 24          |
| chain  | the same, by sampling     | standard error                           | any widths and slopes   |

Assumptions: Gaussian weights, no bias, no skips; which channel has which slope does not depend on the weights. The
weights' scale does not enter.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError, ValidityWarning
from ..finite import LawError
from ..finite.checks import check_widths
from ..gaussian import angle_map, log_sin2_next
from ..gaussian.arguments import angle, choice, whole
from ..result import FloatArray, IntArray, Status, StatusCode
from .angle_prediction import AnglePrediction
from .chain_profile import ChainProfile, as_profile
from .fisher_grid import Layer, propagate
from .slope_chain import sample_chain

GRID_FROM_WIDTH = 24
"""The expansion in 1/n is used from this width on; narrower layers are sampled, which is cheap there."""

_RELATIVE, _ABSOLUTE = 0.1, 0.01
"""An estimated error above this part of the standard deviation, and above this, is outside the grid's validity."""

METHODS = ("auto", "grid", "chain")


def predict_angle(
    profile: ChainProfile | ArrayLike,
    theta0: float = math.pi / 2,
    *,
    width: Any = None,
    method: str = "auto",
    n_samples: int = 20_000,
    rng: Any = 0,
) -> AnglePrediction:
    r"""The angle between two inputs after each layer of a partly linear chain, θ_l.

        cos θ_l = cos θ_{l-1} + g_l h(θ_{l-1}) at infinite width;  mean and spread of ln sin²θ_l at width n_l

    Parameters
    ----------
    profile : ChainProfile or array_like, shape (L,)
        Slopes of the channels, layer by layer; an array gives the shares of ReLU channels, the rest being linear.
    theta0 : float
        Angle θ_0 between the inputs in (0, π], radians; down to 1e-150.
    width : int or sequence of int, shape (L,), optional
        Hidden widths n_l, from 2. Without them only infinite width is answered. Shares that are no multiples of 1/n
        are rounded to whole channels for the finite-width law.
    method : str
        "grid", "chain", or "auto": the grid if all widths are 24 or more and its error is small, else the chain.
    n_samples, rng
        Networks and seed of the chain.

    Returns
    -------
    AnglePrediction

    Raises
    ------
    DomainError
        A share, slope, angle or width is out of range; the method is not known; opposite inputs go through linear
        layers, which keep them opposite.

    Warns
    -----
    ValidityWarning
        The grid is asked for widths below 24, its estimated error is above a tenth of the standard deviation, or too
        few sampled pairs survive all layers.

    Notes
    -----
    *Grid.* The whole law is carried in z = artanh cos θ, each layer with its mean, variance and third cumulant to
    order n⁻⁴, and exact at small angles for ReLUs among linear channels. Cost: 60 ms for each distinct layer (5 ms for
    each distinct slope), then 0.1 to 3 ms a layer.

    *Chain.* 2 Σ n_l normal numbers a network.

    The mean of the angle itself hardly knows of the width (sin θ is a martingale at small angles to leading order):
    networks differ, and what a typical one does is in the mean of the logarithm.

    References
    ----------
    Cho & Saul 2009, NIPS 22, for the map of ReLU; Hanin & Nica 2018, arXiv 1812.05994, for the chain at finite width.
    The mixtures and their law are derived here.

    Examples
    --------
    Half of the channels linear, 24 layers: infinitely wide, and of width 128.

    >>> answer = predict_angle([0.5] * 24, np.pi / 3, width=128)
    >>> print(f"G = {answer.degeneracy_depth:.3f}, infinite {answer.log_sin2[-1]:.3f}")
    G = 8.000, infinite -1.352
    >>> print(f"{answer.mean[-1]:.3f} +- {answer.std[-1]:.3f}, error {answer.error.mean:.1g}")
    -1.556 +- 0.649, error 0.0001
    """
    chain, start = as_profile(profile), angle(theta0)
    if start == 0:
        raise DomainError(
            "theta0 is 0.",
            "The two inputs are parallel and stay so without bias: there is nothing to predict.",
            "Give the angle of two different inputs, in (0, π]; 1e-150 is fine.",
        )
    theta, log_sin2 = _infinite(chain, start)
    answer: dict[str, Any] = {
        "profile": chain,
        "theta0": start,
        "nonlinearity": chain.nonlinearity,
        "degeneracy_depth": chain.degeneracy_depth,
        "average_path_length": chain.average_path_length,
        "angle": theta,
        "log_sin2": log_sin2,
    }
    _known(method)
    if width is None:
        return AnglePrediction(**answer)
    widths = _widths(width, len(chain))
    layers = [_whole_channels(int(n), *layer) for n, layer in zip(widths, chain.layers(), strict=True)]
    if start == math.pi and layers[0][1] == (1.0,):
        raise DomainError(
            "theta0 = π and the first layer is linear.",
            "Opposite inputs stay exactly opposite in linear layers: ln sin² is -∞ until a nonlinear one.",
            "Leave out the linear layers before the first nonlinear one.",
        )
    law: dict[str, Any] | None = None
    if method == "grid" or (method == "auto" and widths.min() >= GRID_FROM_WIDTH):
        law = _by_grid(start, layers, widths)
        if method == "auto" and law["status"].code is not StatusCode.OK:
            law = None
    if law is None:
        law = _by_chain(start, layers, n_samples, rng)
    for message in law["status"].messages:
        warnings.warn(message, ValidityWarning, stacklevel=2)
    return AnglePrediction(**answer, widths=widths, **law)


def _infinite(profile: ChainProfile, theta0: float) -> tuple[FloatArray, FloatArray]:
    """θ_l and ln sin²θ_l, shape (L,) each."""
    theta, log_sin2 = np.empty(len(profile)), np.empty(len(profile))
    now = theta0
    for index, g in enumerate(profile.nonlinearity.tolist()):
        log_sin2[index] = log_sin2_next(now, g)
        now = theta[index] = float(angle_map(now, g))
    return theta, log_sin2


def _whole_channels(n: int, slopes: tuple[float, ...], shares: tuple[float, ...]) -> Layer:
    """How many of n channels have each slope: shares rounded at their running sums, empty ones left out."""
    ends = np.rint(np.cumsum(shares) * n).astype(int)
    ends[-1] = n
    counts = np.diff(ends, prepend=0).tolist()
    kept = [(slope, count) for slope, count in zip(slopes, counts, strict=True) if count]
    return n, tuple(slope for slope, _ in kept), tuple(count for _, count in kept)


def _by_grid(theta0: float, layers: list[Layer], widths: IntArray) -> dict[str, Any]:
    law = propagate(theta0, layers)
    error = LawError("estimate", law.mean_error, law.std_error)
    messages = []
    if widths.min() < GRID_FROM_WIDTH:
        messages.append(
            f"The grid rests on an expansion in 1/n that holds from width {GRID_FROM_WIDTH} on; the narrowest layer "
            f"has {widths.min()}. Use method='chain'."
        )
    if max(error.mean, error.std) > max(_RELATIVE * float(law.std[-1]), _ABSOLUTE):
        messages.append(
            f"The grid's error is estimated at {error.mean:.2g} of the mean and {error.std:.2g} of the standard "
            f"deviation ({law.std[-1]:.2g}): few channels decide the angle. Use method='chain'."
        )
    status = Status(StatusCode.OUTSIDE_VALIDITY, tuple(messages)) if messages else Status()
    survival = np.ones(len(layers))
    return {
        "method": "grid",
        "mean": law.mean,
        "std": law.std,
        "survival": survival,
        "error": error,
        "status": status,
    }


def _by_chain(theta0: float, layers: list[Layer], n_samples: int, rng: Any) -> dict[str, Any]:
    law = sample_chain(theta0, layers, whole("n_samples", n_samples, 2, 10**8), rng)
    status, error = Status(), LawError("standard_error", np.nan, np.nan)
    if law.x.size < 2:
        message = f"{law.x.size} of {n_samples} sampled pairs survived all layers: too few for moments there."
        status = Status(StatusCode.NOT_CONVERGED, (message,))
    else:
        std = float(law.x.std())
        fourth = float(np.mean((law.x - law.x.mean()) ** 4))
        spread = math.sqrt(max(fourth - std**4, 0.0) / law.x.size) / (2 * std) if std > 0 else 0.0
        error = LawError("standard_error", std / math.sqrt(law.x.size), spread)
    return {
        "method": "chain",
        "mean": law.mean,
        "std": law.std,
        "survival": law.survival,
        "error": error,
        "status": status,
    }


def _known(method: str) -> None:
    choice("method", method, METHODS)


def _widths(width: Any, depth: int) -> IntArray:
    """Hidden widths, shape (L,), each 2 or more; one integer stands for all layers."""
    widths = check_widths(width)
    if np.ndim(width) == 0:
        widths = np.repeat(widths, depth)
    if len(widths) != depth or widths.min() < 2:
        raise DomainError(
            f"{len(widths)} widths, the smallest {widths.min()}, for a profile of {depth} layers.",
            "The widths belong to another chain, or a layer has one channel, on which all inputs lie on one line.",
            f"Give one width, or one for each of the {depth} layers, each 2 or more.",
        )
    return widths

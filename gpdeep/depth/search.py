r"""The smallest width that is enough, by bisection: the probability of telling two inputs apart grows with it.

Where infinite width falls short by D = x* - x_L in ln sin², only chance makes up for it. A path of drift -c/n and
variance c'/n a layer, over t = L/n, ends D above its infinite-width value with a probability that is largest at the
width for which t = D/c:

    P = Φ(-(D + ct)/√(c't)) ≤ Φ(-2√(cD/c')),

and plain ReLU layers have c/c' from 0.21 to 1/4 at all widths (`gpdeep.finite.small_angle`; the law's upper tail is
lighter than the normal one). Where that is less than the confidence asked for, no width has to be tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..activations.catalogue import RELU
from ..architecture import Architecture, Kind, Weights
from ..errors import DomainError, InfeasibleError
from ..finite import Method
from ..finite.checks import MAX_WIDTH
from ..result import FloatArray
from .prediction import DepthPrediction

FIRST_WIDTH = 8
"""Where the search for a width begins: from here on no sampling is needed for ReLU."""
WIDE_TO_SAMPLE = 2000
"""Width at which the search gives up if it has to sample and even infinite width would not be enough."""

MOST_TRIED = math.ceil(math.log(MAX_WIDTH / FIRST_WIDTH, 4)) + 1 + math.ceil(math.log2(MAX_WIDTH))
"""Widths: those of the way up, and a bisection below the last."""

_REACH = 0.9  # below 2√(c/c') at every width
_CLEAR = 1.0  # D from which drift and variance are those of small angles


def require_findable(network: Architecture, log_sin2: FloatArray, threshold: float, confidence: float) -> None:
    """Refuse at once a search that would fail, by the bound above; `log_sin2` is that of infinite width by pair.

    Raises
    ------
    InfeasibleError
        No width is enough.
    """
    from scipy.special import ndtr

    plain = network.weights == Weights.GAUSSIAN and all(block.kind is Kind.DENSE for block in network.blocks)
    biased = np.any(np.asarray(network.sigma_b) != 0)
    if plain and not biased and network.phi == RELU:
        shortfall = threshold - log_sin2[-1]
        chance = float(np.where(shortfall < _CLEAR, 1.0, ndtr(-_REACH * np.sqrt(np.maximum(shortfall, 0.0)))).mean())
        if chance < confidence:
            enough = np.flatnonzero((log_sin2 >= threshold).mean(axis=1) >= confidence)
            raise _infeasible("No width", network.depth, threshold, confidence, int(enough.max(initial=-1)) + 1)


def _infeasible(widths: str, depth: int, threshold: float, confidence: float, infinite: int) -> InfeasibleError:
    return InfeasibleError(
        f"{widths} lets {depth} hidden layers keep ln sin² above {threshold:g} with probability {confidence:g}.",
        f"At infinite width the degeneracy depth is {infinite}: more width cannot help beyond it."
        if infinite < depth
        else "The depth is so near the infinite-width limit that a still larger width would be needed.",
        "Use fewer hidden layers, a lower threshold, or a lower confidence.",
    )


def smallest_width(
    network: Architecture,
    answer: Callable[[Architecture], DepthPrediction],
    progress: Callable[[int, int], None] | None = None,
) -> DepthPrediction:
    """The answer for the smallest width that is enough, by doubling twice at a time, then bisection.

    `progress` is told how many widths have been tried, and how many at most may have to be.
    """
    tried = 0

    def at(width: int) -> DepthPrediction:
        nonlocal tried
        found = answer(network.with_width(width))
        tried += 1
        if progress is not None:
            progress(tried, MOST_TRIED)
        return found

    def enough(prediction: DepthPrediction) -> bool:
        found = prediction.degeneracy_depth.finite
        if found is None:
            raise DomainError(
                f"method '{prediction.law.method}' gives no probability of telling the inputs apart.",
                "It predicts one number a layer.",
                "Use method='auto' to find a width.",
            )
        return found >= network.depth

    # one neuron cannot be normalised, nor hold two inputs before orthogonal weights
    two_needed = network.weights == Weights.ORTHOGONAL or any(b.kind is Kind.LAYER_NORM for b in network.blocks)
    low, high = int(two_needed), FIRST_WIDTH
    best = at(high)
    while not enough(best):
        limit = best.degeneracy_depth
        hopeless = best.law.method is Method.CHAIN and limit.infinite < network.depth and high >= WIDE_TO_SAMPLE
        if high == MAX_WIDTH or hopeless:
            raise _infeasible(
                f"No width up to {high}", network.depth, limit.threshold, limit.confidence, limit.infinite
            )
        low, high = high, min(4 * high, MAX_WIDTH)
        best = at(high)
    while high - low > 1:
        middle = (low + high) // 2
        candidate = at(middle)
        if enough(candidate):
            high, best = middle, candidate
        else:
            low = middle
    return replace(best, architecture=str(network), width=high)

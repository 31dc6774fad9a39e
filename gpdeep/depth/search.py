"""The smallest width that is enough, by bisection: the probability of telling two inputs apart grows with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..architecture import Architecture, Kind, Weights
from ..errors import DomainError, InfeasibleError
from ..finite import Method
from ..finite.checks import MAX_WIDTH
from .prediction import DepthPrediction

FIRST_WIDTH = 8
"""Where the search for a width begins: from here on no sampling is needed for ReLU."""
WIDE_TO_SAMPLE = 2000
"""Width at which the search gives up if it has to sample and even infinite width would not be enough."""


def smallest_width(network: Architecture, answer: Callable[[Architecture], DepthPrediction]) -> DepthPrediction:
    """The answer for the smallest width that is enough, by doubling twice at a time, then bisection."""

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
    best = answer(network.with_width(high))
    while not enough(best):
        limit = best.degeneracy_depth
        hopeless = best.law.method is Method.CHAIN and limit.infinite < network.depth and high >= WIDE_TO_SAMPLE
        if high == MAX_WIDTH or hopeless:
            raise InfeasibleError(
                f"No width up to {high} lets {network.depth} hidden layers keep ln sin² above {limit.threshold:g} "
                f"with probability {limit.confidence:g}.",
                f"At infinite width the degeneracy depth is {limit.infinite}: more width cannot help beyond it."
                if limit.infinite < network.depth
                else "The depth is so near the infinite-width limit that a still larger width would be needed.",
                "Use fewer hidden layers, a lower threshold, or a lower confidence.",
            )
        low, high = high, min(4 * high, MAX_WIDTH)
        best = answer(network.with_width(high))
    while high - low > 1:
        middle = (low + high) // 2
        candidate = answer(network.with_width(middle))
        if enough(candidate):
            high, best = middle, candidate
        else:
            low = middle
    return replace(best, architecture=str(network), width=high)

r"""How well a predicted region of trainable networks fits the cells that did train, and how well rivals can be made to.

    IoU = |P ∩ T|/|P ∪ T|,      P = {L < k ξ(σ_w)},      T = {accuracy ≥ 1/2}

L50 is the depth at which accuracy falls through a level, with ln L interpolated between neighbouring depths. Rivals
have one number fitted, which the prediction k = 6 has not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpdeep.result import BoolArray, FloatArray

_FACTORS = np.geomspace(0.5, 60.0, 961)


@dataclass(frozen=True)
class Fit:
    """A rule with one number fitted: the middle of the values that fit best, and the IoU there."""

    value: float
    iou: float


def iou(predicted: Any, trained: Any) -> Any:
    """Intersection over union along the last axis; 0 where both are empty.

    >>> float(iou([True, True, False], [True, False, False]))
    0.5
    """
    p, t = np.asarray(predicted, bool), np.asarray(trained, bool)
    union = (p | t).sum(-1)
    return (p & t).sum(-1) / np.maximum(union, 1)


def within(scale: FloatArray, depths: FloatArray, factor: float) -> BoolArray:
    """Cells with L < factor · ξ, shape (σ_w, depths)."""
    return np.asarray(depths < factor * scale[:, None])


def best_factor(scale: FloatArray, depths: FloatArray, trained: BoolArray) -> Fit:
    """The factor k that fits {L < k ξ} best."""
    scores = np.array([float(iou(within(scale, depths, k).ravel(), trained.ravel())) for k in _FACTORS])
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    first = best[: 1 + int(np.argmax(np.append(np.diff(best) > 1, True)))]  # the lowest run of equally good ones
    return Fit(float(np.sqrt(_FACTORS[first[0]] * _FACTORS[first[-1]])), float(scores.max()))


def best_constant(depths: FloatArray, trained: BoolArray) -> Fit:
    """The depth that, as a bound for every σ_w alike, fits best: all that depth alone can say."""
    bounds = np.append(depths[1:], math.inf)
    scores = [float(iou(np.broadcast_to(depths < b, trained.shape).ravel(), trained.ravel())) for b in bounds]
    return Fit(float(depths[int(np.argmax(scores))]), max(scores))


def half_depth(depths: FloatArray, accuracy: FloatArray, level: float) -> tuple[float, bool]:
    """The depth at which accuracy first falls below `level`, and whether it does so inside the grid.

    >>> half_depth(np.array([4.0, 16.0]), np.array([0.9, 0.1]), 0.5)
    (8.0, True)
    """
    below = np.flatnonzero(accuracy < level)
    if not below.size:
        return float(depths[-1]), False
    k = int(below[0])
    if k == 0:
        return float(depths[0]), False
    share = (accuracy[k - 1] - level) / (accuracy[k - 1] - accuracy[k])
    low, high = math.log(depths[k - 1]), math.log(depths[k])
    return round(math.exp(low + share * (high - low)), 9), True


def auc(score: FloatArray, trained: BoolArray) -> float:
    """P(a trained cell scores above one that is not), a tie half."""
    inside, outside = score[trained], score[~trained]
    if not inside.size or not outside.size:
        return math.nan
    more = (inside[:, None] > outside).mean() + 0.5 * (inside[:, None] == outside).mean()
    return float(more)

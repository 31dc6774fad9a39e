r"""The law of the angle after one ReLU layer, as a quadrature rule in y = ln tan²θ'.

Given that the pair neither died nor collapsed nor became orthogonal, the next angle has a density. For n < 24 it is
tabulated by its quantile function; for larger n it is the Beta-prime law with the right first three cumulants. Either
way one layer is a set of nodes and weights for every angle, smooth in θ once the shift

    c(θ) = 2 ln sin(θ/2) - 4 ln cos(θ/2) = ln sin²θ - 2 ln 2 - 6 ln cos(θ/2)

is taken off, which tends to 2 ln(θ/2) as θ → 0 (the law only shifts) and carries the growth of tan²θ' as θ → π.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from scipy.special import expit

from ..result import FloatArray
from .beta_prime import BetaPrimeLaw, match_cumulants
from .cumulants import TABLE_WIDTH, one_step_errors, proper_cumulants
from .events import EventProbabilities, event_probabilities
from .tables import interpolation_matrix, load_table
from .uniform import Grid

_NODES = (np.pi / 4) * (1 - np.cos(np.pi * np.arange(25) / 24))  # Chebyshev-Lobatto on [0, π/2]
_UNREACHED = 1e-6


@dataclass(frozen=True)
class Angles:
    """Angles θ, shape (J,), with ln sin²θ beside them: the angle may underflow, its logarithm does not."""

    theta: FloatArray
    log_sin2: FloatArray

    @property
    def shift(self) -> FloatArray:
        """c(θ)."""
        return np.asarray(self.log_sin2 - 2 * np.log(2) - 6 * np.log(np.cos(self.theta / 2)))


@dataclass(frozen=True)
class Rule:
    """Nodes y and weights (summing to one in each row), shape (J, Q), and the events of the layer, shape (J,).

    `errors`: what the mean and the variance of ln sin²θ' may be off by, shape (2, J).
    """

    y: FloatArray
    weight: FloatArray
    event: EventProbabilities
    errors: FloatArray


def normal_rule(mean: FloatArray, sigma: FloatArray | float) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of N(mean, sigma²), both of shape (J, 65)."""
    nodes = np.linspace(-8.0, 8.0, 65)
    weight = np.exp(-(nodes**2) / 2)
    y = mean[:, None] + np.broadcast_to(sigma, mean.shape)[:, None] * nodes
    return y, np.broadcast_to(weight / weight.sum(), y.shape)


class Layer(Protocol):
    """What takes angles through a layer of n neurons."""

    def __call__(self, angles: Angles, n: int, spacing: float) -> Rule:
        """The rule for each angle, with nodes dense enough for a grid of this spacing."""


def relu_layer(angles: Angles, n: int, spacing: float) -> Rule:
    """The exact layer: tabulated for n < 24, matched to three cumulants beyond."""
    event = event_probabilities(angles.theta, n)
    if n == 1:  # one neuron: dead or collapsed
        nothing = np.zeros((len(angles.theta), 1))
        return Rule(nothing, nothing + 1, event, np.zeros((2, len(nothing))))
    if n <= TABLE_WIDTH:
        y, weight = _tabulated(angles.theta, n, int(np.clip(np.ceil(1.2 / spacing), 4, 32)))
    else:
        y, weight = _matched(angles.theta, n)
    errors = np.stack(one_step_errors(angles.theta, n))
    return Rule(angles.shift[:, None] + y, weight, event, errors)


def _tabulated(theta: FloatArray, n: int, refinement: int) -> tuple[FloatArray, FloatArray]:
    """Quantiles of y - c(θ) at equal steps of the logit of their probability, and the probabilities of the steps."""
    table = load_table("small_width")
    refine, weight = _refined_logits(refinement)
    rows = interpolation_matrix(table["theta"], theta) @ table["quantiles"][n - 2]
    return rows @ refine, np.broadcast_to(weight, (len(theta), len(weight)))


@lru_cache(maxsize=32)
def _refined_logits(refinement: int) -> tuple[FloatArray, FloatArray]:
    """The interpolation matrix from the table's logits to a finer mesh, shape (K, Q), and the mesh's probabilities
    (Q,)."""
    logit = load_table("small_width")["logit"]
    fine = np.linspace(logit[0], logit[-1], refinement * (len(logit) - 1) + 1)
    index, weight = Grid(float(logit[0]), float(logit[1] - logit[0]), len(logit)).share(fine)
    matrix = np.zeros((len(logit), len(fine)))
    matrix[index, np.arange(len(fine))] = weight
    edges = (fine[1:] + fine[:-1]) / 2
    return matrix, np.diff(np.concatenate([[0.0], expit(edges), [1.0]]))


def _matched(theta: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """The Beta-prime rule: parameters interpolated on [0, π/2], solved for one by one beyond."""
    obtuse = theta > np.pi / 2
    law = _matched_on_nodes(n)
    to_theta = interpolation_matrix(_NODES, theta)
    y, weight = BetaPrimeLaw(
        to_theta @ law.m, np.exp(to_theta @ np.log(law.a)), np.exp(to_theta @ np.log(law.b))
    ).rule()
    if obtuse.any():
        beyond = _matched_obtuse(theta[obtuse], n)
        extra = ((0, 0), (0, beyond[0].shape[1] - y.shape[1]))
        y, weight = np.pad(y, extra), np.pad(weight, extra)
        y[obtuse], weight[obtuse] = beyond
    return y, weight


@lru_cache(maxsize=1024)
def _matched_on_nodes(n: int) -> BetaPrimeLaw:
    """The Beta-prime laws at the Chebyshev nodes, m relative to c(θ)."""
    theta = np.maximum(_NODES, 1e-9)
    law, _ = _match(theta, n)
    return BetaPrimeLaw(law.m - Angles(theta, 2 * np.log(np.sin(theta))).shift, law.a, law.b)


def _match(theta: FloatArray, n: int) -> tuple[BetaPrimeLaw, FloatArray]:
    mean, var, third = proper_cumulants(theta, n)
    return match_cumulants(mean + 2 * np.log(np.sin(theta)), var, third)


def _matched_obtuse(theta: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Rules relative to c(θ) beyond π/2.

    Where few neurons are common to both inputs no Beta-prime law has the right cumulants; there |ln sin²θ'| < 0.01 is
    taken as log-normal, with the right mean and variance.
    """
    mean, var, third = proper_cumulants(theta, n)
    log_sin2 = 2 * np.log(np.sin(theta))
    mean = np.minimum(mean + log_sin2, -1e-12)
    usable = var > 0
    law, residual = match_cumulants(mean, np.where(usable, var, 1.0), np.where(usable, third, 0.0))
    spread = np.log1p(np.maximum(var, 0.0) / mean**2)
    log_x, normal_weight = normal_rule(np.log(-mean) - spread / 2, np.sqrt(spread))
    x = -np.exp(np.minimum(log_x, 3.0))
    y, weight = (np.pad(part, ((0, 0), (0, log_x.shape[1] - part.shape[1]))) for part in law.rule())
    reached = (usable & (residual < _UNREACHED))[:, None]
    y, weight = np.where(reached, y, x - np.log(-np.expm1(x))), np.where(reached, weight, normal_weight)
    return y - Angles(theta, log_sin2).shift[:, None], weight

r"""The law of the next layer's variance given this one's, at finite width.

Given K, the variance of a layer's n pre-activations, that of the next layer is

    K' = σ_b² + (σ_w²/n) Σ_i φ(√K z_i)²,      z_1, ..., z_n independent standard normal

(Gaussian weights: given the post-activations, the next pre-activations are independent normal with this variance). Its
characteristic function is known exactly, e^{itσ_b²} ψ(tσ_w²/n)^n with ψ(t) = E exp(itφ(√K z)²). A layer in which every
unit is silent, of probability P(φ = 0)^n, has K' = σ_b²: an atom. The density of the rest, on an interval [a, b] that
holds it, is the cosine series

    p(x) = Σ_k' A_k cos(kπ (x - a)/(b - a)),      A_k = 2/(b - a) Re[ e^{ikπ(σ_b²-a)/(b-a)} (ψ^n - P(φ = 0)^n) ]

(Fang & Oosterlee 2008), with one interval for a group of neighbouring K. The series ends where its terms are below
1e-13, at frequencies of some 8 over the standard deviation for a nearly normal law, and at 20 at most: what lies beyond
comes from layers in which so few units are active that each shows in the law as a step. A filter of order 12 keeps
those from ringing without changing the moments. A rougher series, half as far and on a shorter interval, tells what
that and the ends of the interval cost.

The Gamma law with the exact mean and variance is the usual closure. Its skewness is not that of the law: too large for
clipped activations, so that it overstates rare escapes by a factor that grows as they become rarer.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..activations import Activation
from ..errors import DomainError
from ..gaussian.kink_split import kink_split_rule
from ..meanfield.variance import VarianceMap
from ..result import FloatArray

BELOW, ABOVE = 10.0, 14.0
"""The law lies within so many standard deviations of its mean."""

_HIGHEST = 20.0  # frequency over the standard deviation
_ROUGH = 0.75  # of the interval
_NODES = (20, 40, 80, 160)  # a panel of the rule for ψ; more where φ turns often within √q
_SECOND, _FOURTH = 1e-10, 1e-8  # relative errors of E φ² and E φ⁴ by that rule
_NEGLIGIBLE = 1e-13
_LEAST = 1e-12  # standard deviations below this fraction of K are rounding: no unit responds
_FILTER_ORDER, _FILTER_DEPTH = 12, 36.0
_SHARED = 1.5  # how much longer than its own an interval may be that a value of K shares with its neighbours
_GROUP = 32  # at most so many of them


def _shared_intervals(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Intervals that hold those given, alike for neighbours that are."""
    a, b = np.empty_like(low), np.empty_like(high)
    start = 0
    for end in range(1, len(low) + 1):
        left, right = float(low[start:end].min()), float(high[start:end].max())
        if end < len(low) and end - start < _GROUP:
            further = max(right, float(high[end])) - min(left, float(low[end]))
            if further <= _SHARED * float(np.min(high[start : end + 1] - low[start : end + 1])):
                continue
        a[start:end], b[start:end] = left, right
        start = end
    return a, b


class StepLaw(Protocol):
    """The law of K' for R values of K, as the transfer operator asks for it."""

    def density(self, x: FloatArray) -> FloatArray:
        """p(x), shape (R, C) for x of shape (C,)."""

    def above(self, x: float) -> FloatArray:
        """P(K' > x), shape (R,)."""

    @property
    def atom(self) -> FloatArray:
        """P(K' = σ_b²): every unit is silent; shape (R,), not in the density."""


@dataclass(frozen=True)
class ExactLaw:
    """The law by its cosine series: ends a, b of shape (R,), alike within a group, coefficients A of shape (R, F)."""

    low: FloatArray
    high: FloatArray
    coefficients: FloatArray
    atom: FloatArray

    @classmethod
    def of(cls, layer: VarianceMap, width: int, q: FloatArray, *, rough: bool = False) -> ExactLaw:
        """For the variances K = `q`, shape (R,), of a dense layer of `width` units."""
        floor, weight = layer.sigma_b**2, layer.sigma_w**2
        mean, std = one_step_moments(layer, width, q)
        part, highest = (_ROUGH, _HIGHEST / 2) if rough else (1.0, _HIGHEST)
        low, high = _shared_intervals(np.maximum(floor, mean - part * BELOW * std), mean + part * ABOVE * std)
        step = math.pi / (high - low)
        square, w = _squares(layer.phi, q)
        atom = (w * (square == 0)).sum(axis=1) ** width
        turn = np.exp(1j * (step * weight / width)[:, None] * square)
        phase = np.exp(1j * step * (floor - low))
        weighted, shift = w.astype(complex), np.ones_like(phase)
        terms: list[FloatArray] = []
        size, most = 1.0, math.ceil(highest / float(np.min(std * step)))
        while size > _NEGLIGIBLE and len(terms) < most:
            value = weighted.sum(axis=1) ** width - atom
            size = float(np.max(np.abs(value)))
            terms.append((value * shift).real)
            weighted *= turn
            shift *= phase
        coefficients = np.stack(terms, axis=1) * (2 / (high - low))[:, None]
        coefficients[:, 0] /= 2
        if size > _NEGLIGIBLE:
            reached = np.arange(len(terms)) * (std * step)[:, None] / highest
            coefficients *= np.exp(-_FILTER_DEPTH * np.minimum(reached, 1.2) ** _FILTER_ORDER)
        return cls(low, high, coefficients, atom)

    def density(self, x: FloatArray) -> FloatArray:
        """p(x), shape (R, C) for x of shape (C,): a product of matrices for each group."""
        out = np.zeros((len(self.low), len(x)))
        k = np.arange(self.coefficients.shape[1])[:, None]
        new = np.flatnonzero((np.diff(self.low) != 0) | (np.diff(self.high) != 0)) + 1
        for start, end in itertools.pairwise([0, *new.tolist(), len(self.low)]):
            rows = slice(start, end)
            low, high = self.low[start], self.high[start]
            inside = np.flatnonzero((x > low) & (x < high))
            out[rows, inside] = self.coefficients[rows] @ np.cos(k * (np.pi * (x[inside] - low) / (high - low)))
        return out

    def above(self, x: float) -> FloatArray:
        """P(K' > x), the integral of the series."""
        length = self.high - self.low
        angle = np.clip(np.pi * (x - self.low) / length, 0.0, np.pi)
        k = np.arange(1, self.coefficients.shape[1])
        waves = (self.coefficients[:, 1:] * np.sin(k * angle[:, None]) / (k * np.pi)).sum(axis=1)
        return np.asarray(length * (self.coefficients[:, 0] * (1 - angle / np.pi) - waves))


@dataclass(frozen=True)
class GammaLaw:
    """σ_b² plus a Gamma variable with the exact mean and variance: shapes and scales of shape (R,)."""

    floor: float
    shape: FloatArray
    scale: FloatArray
    atom: FloatArray

    @classmethod
    def of(cls, layer: VarianceMap, width: int, q: FloatArray, *, rough: bool = False) -> GammaLaw:
        """For the variances K = `q`, shape (R,), of a dense layer of `width` units; there is but one such law."""
        floor = layer.sigma_b**2
        mean, std = one_step_moments(layer, width, q)
        above = np.maximum(mean - floor, _LEAST * mean)
        scale = std**2 / above
        return cls(floor, above / scale, scale, np.zeros_like(scale))

    def density(self, x: FloatArray) -> FloatArray:
        """p(x)."""
        from scipy.special import gammaln  # here: importing gpdeep stays light

        shape, scale = self.shape[:, None], self.scale[:, None]
        y = np.maximum(x - self.floor, 1e-300) / scale
        return np.asarray(np.exp((shape - 1) * np.log(y) - y - gammaln(shape)) / scale)

    def above(self, x: float) -> FloatArray:
        """P(K' > x)."""
        from scipy.special import gammaincc

        return np.asarray(gammaincc(self.shape, max(x - self.floor, 0.0) / self.scale))


def one_step_moments(layer: VarianceMap, width: int, q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """E[K' | K = q] = V(q) and its standard deviation c(q)/√n."""
    mean = np.asarray(layer(q))
    return mean, np.maximum(np.asarray(layer.noise(q)) / math.sqrt(width), _LEAST * np.maximum(mean, 1e-280))


def _close(found: FloatArray, exact: FloatArray, error: float) -> bool:
    """To a relative error, or absolutely where hardly a unit responds."""
    return bool((np.abs(found - exact) <= error * exact + 1e-14 * np.max(exact)).all())


def _squares(phi: Activation, q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Values φ(√q z)² and weights of a rule for one Gaussian variable, both of shape (R, nodes).

    Raises
    ------
    DomainError
        φ turns too often, or grows too fast, for the rule to give its second and fourth moment.
    """
    moments, knots = phi.moments(q), [t for t, _ in (*phi.kinks, *phi.curvature_jumps)]
    for nodes in _NODES:
        z, w = kink_split_rule(q, knots, nodes=nodes)
        w = w / w.sum(axis=1, keepdims=True)
        square = np.asarray(phi(np.sqrt(q)[:, None] * z)) ** 2
        silent = (square == 0).all(axis=0)
        square = np.concatenate([np.zeros((len(q), 1)), square[:, ~silent]], axis=1)
        w = np.concatenate([w[:, silent].sum(axis=1, keepdims=True), w[:, ~silent]], axis=1)
        if _close((w * square).sum(axis=1), moments.second, _SECOND) and _close(
            (w * square**2).sum(axis=1), moments.fourth, _FOURTH
        ):
            return square, w
    raise DomainError(
        f"The squares of {phi.name} are not resolved at variances up to {float(np.max(q)):.3g}.",
        "It turns many times within a standard deviation, or its squares are dominated by rare, far values.",
        "Use variances nearer to 1, or sample_variances.",
    )

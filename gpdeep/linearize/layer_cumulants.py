r"""Mean, variance and third cumulant of z = artanh cos θ after one layer of n channels with slopes of their own.

    z = artanh cos θ = -ln tan(θ/2)

runs over the real line, tells acute angles (z > 0) from obtuse ones, and is nearly normal with a variance that hardly
depends on the angle (Fisher 1921 for linear channels). With x, y, z̃ the means over the n channels of h̃² - 1, h̃w̃, w̃² - 1
(`gpdeep.linearize.neuron_cumulants`), and C, S the cosine and sine of the next angle at infinite width, exactly

    z' = ln( N + √((1+x) B) ) - ½ ln( (1+x)(1+z̃) - y² ) - ln S,
    N = C (1+x) + S y,      B = C² (1+x) + 2CS y + S² (1+z̃).

For obtuse C the signs of C, y and z' are turned first, so that N + √... is no difference. A monomial of degree d in
(x, y, z̃) has an expectation of order n^-⌈d/2⌉; the Taylor polynomials of degree 2P of z', z'², z'³ give all terms up to
n⁻ᴾ, P = 4.

*Anchor.* As z → ∞ the law is exact for ReLUs among linear channels (`gpdeep.linearize.live_gates`): z' - z is -½ ln of
the ratio there. The three cumulants are shifted (the variance scaled) to agree with it.

*Truncation.* The series is asymptotic. Where few channels decide (obtuse angles, few nonlinear channels) its terms
grow; there it is cut before the first term of the variance that exceeds its predecessor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..finite.uniform import Grid
from ..result import FloatArray
from .live_gates import live_cumulants
from .neuron_cumulants import neuron_cumulants
from .triple_series import ORDER, logarithm, moments_of_means, polynomial, power, product

_TABLE = Grid(-8.0, 0.25, 81)
"""z from -8 to 12; below, θ within 7e-4 of π, values are held, above they go on as e^-z to those of z = ∞."""

_INTERPOLATION = 2e-5
"""Relative error of the interpolated mean; seen: 1e-5, against the exact mean of linear layers."""

_FAR = 40.0  # stands for z = ∞: e^-40 is below rounding


@dataclass(frozen=True)
class LayerCumulants:
    """Of z' less its value at infinite width: `mean`, `var`, `third`; with what `mean` and `var` may be off by."""

    mean: FloatArray
    var: FloatArray
    third: FloatArray
    mean_error: FloatArray
    var_error: FloatArray

    def at(self, z: FloatArray) -> LayerCumulants:
        """The cumulants at any z, shape (J,), from those at the nodes and, last, at infinity."""
        top = _TABLE.y[-1]
        index, weight = _TABLE.share(z)
        tail = np.exp(-np.maximum(z - top, 0.0))

        def interpolated(values: FloatArray) -> FloatArray:
            near = (values[index] * weight).sum(axis=0)
            return np.asarray(values[-1] + (near - values[-1]) * tail)

        columns = (self.mean, self.var, self.third, self.mean_error, self.var_error)
        mean, var, third, mean_error, var_error = (interpolated(column) for column in columns)
        mean_error = np.abs(mean_error) + _INTERPOLATION * np.abs(mean)
        return LayerCumulants(mean, np.maximum(var, 1e-60), third, mean_error, np.abs(var_error))


@lru_cache(maxsize=512)
def layer_cumulants(n: int, slopes: tuple[float, ...], counts: tuple[int, ...]) -> LayerCumulants:
    """The cumulants at the nodes, then at infinity, for a layer of n channels, `counts` of them with each slope."""
    z = np.append(_TABLE.y, _FAR)
    mean, var, third = _expansion(slopes, tuple(count / n for count in counts))
    powers = float(n) ** -np.arange(ORDER + 1.0)
    mean, var, third = (powers[:, None] * column for column in (mean, var, third))
    with np.errstate(invalid="ignore"):
        shrinking = np.abs(var[2:]) <= np.abs(var[1:-1])
    kept = np.vstack([np.ones((2, len(z)), bool), np.logical_and.accumulate(shrinking)])
    errors = [np.where(kept.all(axis=0), _next_term(column), _first_left_out(column, kept)) for column in (mean, var)]
    mean, var, third = (np.where(kept, column, 0.0).sum(axis=0) for column in (mean, var, third))
    if set(slopes) <= {0.0, 1.0}:
        relus = dict(zip(slopes, counts, strict=True)).get(0.0, 0)
        drift, spread, skew = live_cumulants(n, relus)
        acute = 1 / (1 + np.exp(-2 * z))  # cos²(θ/2): what holds at θ → 0 says nothing of θ → π
        scale = spread / 4 / var[-1]
        third = third + (-skew / 8 - third[-1]) * acute
        mean = mean + (-drift / 2 - mean[-1]) * acute
        var = var * (1 + (scale - 1) * acute)
        errors = [np.abs(error - error[-1] * acute) for error in errors]
    return LayerCumulants(mean, var, third, *errors)


def _next_term(column: FloatArray) -> FloatArray:
    """The last term times the ratio of the last two, each at its largest."""
    last, before = np.abs(column[-1]), np.abs(column[-2])
    return np.asarray(last * min(1.0, float(last.max() / max(before.max(), 1e-300))))


def _first_left_out(column: FloatArray, kept: FloatArray) -> FloatArray:
    """The smaller of the last term that was kept and the first that was not."""
    first = np.argmin(kept, axis=0)
    angle = np.arange(column.shape[1])
    return np.asarray(np.minimum(np.abs(column[first, angle]), np.abs(column[first - 1, angle])))


@lru_cache(maxsize=512)
def _expansion(slopes: tuple[float, ...], shares: tuple[float, ...]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The three cumulants of z' less its value at infinite width in powers of 1/n, each of shape (P + 1, T)."""
    z = np.append(_TABLE.y, _FAR)
    neuron = neuron_cumulants(z, np.array(slopes), np.array(shares))
    moments = moments_of_means(neuron.cumulants)
    f = _fisher(neuron.cos, neuron.sin)
    square = product(f, f)
    first, second, third = (np.einsum("mt,mpt->pt", g, moments) for g in (f, square, product(square, f)))
    var = second - _times(first, first)
    skew = third - 3 * _times(first, second) + 2 * _times(first, _times(first, first))
    return first, var, skew


def _fisher(cos: FloatArray, sin: FloatArray) -> FloatArray:
    """z' less its value at infinite width, as a series in (x, y, z̃), shape (M, T)."""
    x, y, z = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    sign = np.where(cos < 0, -1.0, 1.0)
    c, size = np.abs(cos), len(cos)
    constant = (0, 0, 0)
    along = polynomial(size, {constant: c, x: c, y: sin * sign})
    other = polynomial(size, {constant: 1.0, x: c**2, y: 2 * c * sin * sign, z: sin**2})
    base = polynomial(size, {constant: 1.0, x: 1.0})
    gram = polynomial(size, {constant: 1.0, x: 1.0, z: 1.0, (1, 0, 1): 1.0, (0, 2, 0): -1.0})
    f = logarithm(along + power(product(base, other), 0.5)) - logarithm(gram) / 2
    f[0] = 0.0
    return np.asarray(f * sign)


def _times(u: FloatArray, v: FloatArray) -> FloatArray:
    """Product of two polynomials in 1/n, cut at n⁻ᴾ."""
    result = np.zeros_like(u)
    for order in range(ORDER + 1):
        result[order:] += u[order] * v[: ORDER + 1 - order]
    return result

r"""Truncated power series in three variables x, y, z: products, logarithms, powers, and the exponential with orders.

A series is an array whose first axis runs over the monomials x^i y^j z^k of total degree up to 2P; the axes after it
(angles) are carried along. With Euler's operator E = x∂_x + y∂_y + z∂_z, which multiplies a monomial by its degree,
each function is one triangular recurrence over the monomials:

    f E(ln f) = E f,      f E(f^p) = p f^p E f,      E(e^L) = e^L E L.
"""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np

from ..result import FloatArray, IntArray

ORDER = 4
"""P: expansions in 1/n go to n^-P, which takes polynomials of degree 2P."""

DEGREE = 2 * ORDER
MONOMIALS = sorted(
    (e for e in itertools.product(range(DEGREE + 1), repeat=3) if sum(e) <= DEGREE), key=lambda e: (sum(e), e)
)
"""Exponents (i, j, k), by degree."""

DEGREES = np.array([sum(e) for e in MONOMIALS])
FACTORIALS = np.array([float(math.prod(map(math.factorial, e))) for e in MONOMIALS])
"""i! j! k!."""

_INDEX = {e: index for index, e in enumerate(MONOMIALS)}


@cache
def _factors() -> list[tuple[IntArray, IntArray]]:
    """For each monomial all pairs of monomials whose product it is."""
    pairs = []
    for e in MONOMIALS:
        divisors = list(itertools.product(*(range(power + 1) for power in e)))
        left = np.array([_INDEX[d] for d in divisors])
        right = np.array([_INDEX[(e[0] - d[0], e[1] - d[1], e[2] - d[2])] for d in divisors])
        by_degree = np.argsort(DEGREES[left], kind="stable")
        pairs.append((left[by_degree], right[by_degree]))
    return pairs


def polynomial(size: int, terms: dict[tuple[int, int, int], FloatArray | float]) -> FloatArray:
    """The series with the given coefficients, each a number or of shape (size,)."""
    series = np.zeros((len(MONOMIALS), size))
    for exponents, coefficient in terms.items():
        series[_INDEX[exponents]] = coefficient
    return series


def product(f: FloatArray, g: FloatArray) -> FloatArray:
    """f g."""
    return np.stack([np.einsum("m...,m...->...", f[left], g[right]) for left, right in _factors()])


def logarithm(f: FloatArray) -> FloatArray:
    """ln f, for a positive constant term."""
    result = np.zeros_like(f)
    result[0] = np.log(f[0])
    weighted = np.zeros_like(f)  # E(ln f)
    for index, (left, right) in enumerate(_factors()):
        if index:  # the last left factor is the monomial itself, the first is 1, whose E is 0
            known = np.einsum("m...,m...->...", weighted[left[1:-1]], f[right[1:-1]])
            weighted[index] = (DEGREES[index] * f[index] - known) / f[0]
            result[index] = weighted[index] / DEGREES[index]
    return result


def power(f: FloatArray, exponent: float) -> FloatArray:
    """f^exponent, for a positive constant term."""
    result = np.zeros_like(f)
    result[0] = f[0] ** exponent
    for index, (left, right) in enumerate(_factors()):
        if index:
            left, right = left[:-1], right[:-1]
            factor = exponent * DEGREES[right] - DEGREES[left]
            total = np.einsum("m,m...,m...->...", factor, result[left], f[right])
            result[index] = total / (DEGREES[index] * f[0])
    return result


def moments_of_means(cumulants: FloatArray) -> FloatArray:
    r"""Moments of means over n from the mean cumulants of one term, in powers of 1/n.

    Parameters
    ----------
    cumulants : ndarray, shape (M, T)
        Coefficients of the cumulant generating function K averaged over the terms; those of degree 0 and 1 are not
        used: the means are taken about their expectation.

    Returns
    -------
    ndarray, shape (M, P + 1, T)
        E[x^i y^j z^k] as coefficients of n⁰ .. n⁻ᴾ, from the generating function exp(n K(·/n)).
    """
    series = np.zeros((len(cumulants), ORDER + 1, cumulants.shape[1]))
    series[0, 0] = 1.0
    for index, (left, right) in enumerate(_factors()):
        for degree in range(2, min(int(DEGREES[index]), ORDER + 1) + 1):
            first, last = np.searchsorted(DEGREES[left], [degree, degree + 1])
            if first == last:
                continue
            term = np.einsum("mt,mpt->pt", cumulants[left[first:last]], series[right[first:last]])
            order = degree - 1  # n K(·/n): degree d carries n^(1-d)
            series[index, order:] += degree / DEGREES[index] * term[: ORDER + 1 - order]
    return np.asarray(series * FACTORIALS[:, None, None])

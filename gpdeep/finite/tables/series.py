r"""Compute ``series.npz``: the cumulants of ln sin²θ' in powers of 1/n, to order P = 6, on Chebyshev nodes.

    python -m gpdeep.finite.tables.series OUT.npz

One layer in the moving frame (`gpdeep.finite.frame`): per neuron h and w; A₀ = E h² = 1/2, λ = E[hw]/A₀, E₀ = E w² -
λE[hw]; standardised h̃ = h/√A₀, w̃ = (w - λh)/√E₀. With x, y, z the means over n neurons of h̃² - 1, h̃w̃ and w̃² - 1,
exactly,

    ln sin²θ' = ln sin²θ'_∞ + ln(1 + z - y²/(1+x)) - ln(1 + β_a x + 2σ√(β_a β_e) y + β_e z),
    β_e = sin²θ'_∞ = 2 s² E₀,     β_a = 1 - β_e,     σ = sign cos θ'_∞.

All quantities stay O(1) as θ → 0. The joint moment generating function of (x, y, z) is exp(n K(·/n)) with K the
cumulant generating function of one neuron, so a monomial of degree d in (x, y, z) has an expectation of order
n^-⌈d/2⌉: the Taylor polynomials of degree 2P of f, f², f³ give all terms up to n⁻ᴾ. Everything is a truncated power
series in three variables, whose coefficients are polynomials in 1/n, evaluated for all θ at once.

Moments of one neuron, in polar coordinates (G = ∫ over the angle, the radius gives the prefactor):

    E[hⁱwʲ] = 2^{(i+j)/2} Γ((i+j)/2 + 1)/(2π) · ( [j even] B((i+1)/2, (j+1)/2) - (-1)ʲ ∫₀^θ sinⁱ cosʲ
              + ∫₀^θ sinⁱp (-c sin p/s)ʲ dp + [i = 0] ∫₀^θ (sin p/s)ʲ dp ).
"""

from __future__ import annotations

import argparse
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import beta, gamma

THETA = 1.5 * (1 - np.cos(np.pi * np.arange(41) / 40))  # Chebyshev-Lobatto nodes on [0, 3]
ORDER = 6
"""P: the expansion is asymptotic; at n = 24 the sixth term is the smallest that still gains (error 1e-4 in the
mean)."""
_DEGREE = 2 * ORDER
_MONOMIALS = [e for e in itertools.product(range(_DEGREE + 1), repeat=3) if sum(e) <= _DEGREE]

Array = np.ndarray[Any, Any]
Series = dict[tuple[int, ...], Array]  # exponents of (x, y, z): coefficients, shape (ORDER + 1, angles)


def neuron_moments(theta: Array, degree: int) -> Array:
    """E[hⁱwʲ] for i + j ≤ degree, shape (degree + 1, degree + 1, angles)."""
    node, weight = np.polynomial.legendre.leggauss(64)
    s, c = np.sin(theta), np.cos(theta)
    p = theta[:, None] * (1 + node) / 2
    stretch = np.sin(p) / s[:, None]
    moments = np.zeros((degree + 1, degree + 1, len(theta)))
    for i, j in itertools.product(range(degree + 1), repeat=2):
        if i + j > degree:
            continue
        integrand = np.sin(p) ** i * ((-c[:, None] * stretch) ** j - (-np.cos(p)) ** j)
        if i == 0:
            integrand = integrand + stretch**j
        angle = (integrand @ weight) * theta / 2 + (beta((i + 1) / 2, (j + 1) / 2) if j % 2 == 0 else 0.0)
        moments[i, j] = 2 ** ((i + j) / 2) * gamma((i + j) / 2 + 1) / (2 * np.pi) * angle
    moments[0, 0] = 1.0  # silent neurons count here, and only here
    return moments


def multiply(left: Series, right: Series) -> Series:
    """The product, truncated at total degree `_DEGREE` and at order `ORDER` in 1/n."""
    product: Series = {}
    for (e, u), (f, v) in itertools.product(left.items(), right.items()):
        key = (e[0] + f[0], e[1] + f[1], e[2] + f[2])
        if sum(key) > _DEGREE:
            continue
        term = np.zeros(np.broadcast_shapes(u.shape, v.shape))
        for a in range(ORDER + 1):
            term[a:] += u[a] * v[: ORDER + 1 - a]
        product[key] = product[key] + term if key in product else term
    return product


def add(left: Series, right: Series, factor: float) -> Series:
    """left + factor * right."""
    zero = _constant(0.0)
    return {key: left.get(key, zero) + factor * right.get(key, zero) for key in left.keys() | right.keys()}


def compose(coefficients: list[float], argument: Series) -> Series:
    """Σ_k coefficients[k] argument^k; `argument` has no constant term."""
    result: Series = {}
    power: Series = {(0, 0, 0): _constant(1.0)}
    for coefficient in coefficients:
        for key, value in power.items():
            result[key] = result.get(key, 0.0) + coefficient * value
        power = multiply(power, argument)
    return result


def _constant(value: Any) -> Array:
    """A coefficient that does not depend on n."""
    out = np.zeros((ORDER + 1, len(THETA)))
    out[0] = value
    return out


def moments_of_means(theta: Array) -> Series:
    """E[xⁱ yʲ zᵏ] as polynomials in 1/n."""
    raw = neuron_moments(theta, 2 * _DEGREE)
    a0 = raw[2, 0]
    lam = raw[1, 1] / a0
    e0 = raw[0, 2] - lam * raw[1, 1]

    def standard(i: int, j: int) -> Array:  # E[h̃ⁱ w̃ʲ]
        expanded = sum(math.comb(j, m) * (-lam) ** m * raw[i + m, j - m] for m in range(j + 1))
        return np.asarray(expanded / (a0 ** (i / 2) * e0 ** (j / 2)))

    def centred(i: int, j: int, k: int) -> Array:  # E[(h̃²-1)ⁱ (h̃w̃)ʲ (w̃²-1)ᵏ]
        terms = (
            math.comb(i, a) * math.comb(k, b) * (-1.0) ** (i - a + k - b) * standard(2 * a + j, j + 2 * b)
            for a in range(i + 1)
            for b in range(k + 1)
        )
        return np.asarray(sum(terms))

    factorial = {e: math.prod(map(math.factorial, e)) for e in _MONOMIALS}
    moment_generating = {e: _constant(centred(*e) / factorial[e]) for e in _MONOMIALS if sum(e) > 0}
    logarithm = compose([0.0] + [(-1) ** (k + 1) / k for k in range(1, _DEGREE + 1)], moment_generating)
    scaled: Series = {}
    for key, value in logarithm.items():
        shifted = np.zeros_like(value)
        order = sum(key) - 1  # n K(s/n): degree d carries n^(1-d)
        if 1 <= order <= ORDER:
            shifted[order] = value[0]
        if sum(key) >= 2:
            scaled[key] = shifted if order <= ORDER else np.zeros_like(value)
    exponential = compose([1 / math.factorial(k) for k in range(_DEGREE + 1)], scaled)
    return {key: value * factorial[key] for key, value in exponential.items()}


def expectation(polynomial: Series, moments: Series) -> Array:
    """E of a polynomial in (x, y, z): coefficients of n⁰ .. n⁻ᴾ, shape (P + 1, angles)."""
    total = np.zeros((ORDER + 1, len(THETA)))
    for key, value in polynomial.items():
        total = total + value[0] * moments.get(key, 0.0)
    return total


def main() -> None:
    """Compute the coefficients and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    theta = np.array([1e-12, *THETA[1:]])
    raw = neuron_moments(theta, 2)
    e0 = raw[0, 2] - raw[1, 1] ** 2 / raw[2, 0]
    be = np.clip(2 * np.sin(theta) ** 2 * e0, 0.0, 1.0)
    c_next = (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / np.pi
    x, y, z = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    one = _constant(1.0)
    log1p = [0.0] + [(-1) ** (k + 1) / k for k in range(1, _DEGREE + 1)]
    gram = compose(log1p, {x: one, z: one, (1, 0, 1): one, (0, 2, 0): -one})
    base = compose(log1p, {x: one})
    other = compose(log1p, {x: _constant(c_next**2), y: _constant(2 * c_next * np.sqrt(be)), z: _constant(be)})
    det = add(gram, base, -1.0)
    f = add(det, other, -1.0)
    moments = moments_of_means(theta)
    f2 = multiply(f, f)
    first, second, third = (expectation(g, moments) for g in (f, f2, multiply(f2, f)))

    def times(u: Array, v: Array) -> Array:
        out = np.zeros_like(u)
        for a in range(ORDER + 1):
            out[a:] += u[a] * v[: ORDER + 1 - a]
        return out

    variance = second - times(first, first)
    k3 = third - 3 * times(first, second) + 2 * times(first, times(first, first))
    np.savez_compressed(
        parser.parse_args().out,
        theta=THETA,
        mean=first[1:],
        det=expectation(det, moments)[1:],
        variance=variance[1:],
        third=k3[1:],
    )


if __name__ == "__main__":
    main()

"""Hermite coefficients against closed forms, and Mehler's sums against the definitions they rearrange."""

import math

import mpmath
import numpy as np
import pytest

from gpdeep.errors import DomainError
from gpdeep.gaussian.mehler import MAX_TERMS, Mehler, hermite_coefficients, power_sum

ANGLES = np.array([0.0, 1e-150, 1e-6, 0.01, 0.3, 1.0, math.pi / 2, 1.6, 2.0, 3.0, 3.1415, math.pi])
# 10 roundings a term and no subtraction: 1e-15; 4 times that for the worst of 12 angles
RTOL = 4e-15


def products(kind: str) -> np.ndarray:
    rng = np.random.default_rng(5)
    k = np.arange(60)
    return {
        "all": rng.random(60) * 0.8**k,
        "odd": (k % 2) * 0.7**k,
        "even": (k % 2 == 0) * 0.7**k,
        "linear": 1.0 * (k == 1),
    }[kind]


def exact(p: np.ndarray, theta: float) -> tuple[float, float]:
    """Σ p_k (1 - ρ^k) and Σ p_k (k(1-ρ) - (1 - ρ^k)) at 400 digits."""
    with mpmath.workdps(400):
        t = mpmath.mpf(theta)
        rho, delta = mpmath.cos(t), 2 * mpmath.sin(t / 2) ** 2
        gap = mpmath.fsum(mpmath.mpf(x) * (1 - rho**k) for k, x in enumerate(p.tolist()))
        linear = mpmath.fsum(k * mpmath.mpf(x) for k, x in enumerate(p.tolist()))
        return float(gap), float(linear * delta - gap)


@pytest.mark.parametrize("kind", ["all", "odd", "linear"])
def test_gap_has_relative_accuracy_at_all_angles(kind):
    p = products(kind)
    series = Mehler.of(np.sqrt(p), np.sqrt(p))
    np.testing.assert_allclose(series.gap(ANGLES), [exact(p, t)[0] for t in ANGLES], rtol=RTOL, atol=0)


def test_gap_of_an_even_function_vanishes_at_both_ends():
    p = products("even")
    got = Mehler.of(np.sqrt(p), np.sqrt(p)).gap(ANGLES)
    # near π the angle itself has an absolute error of 1e-16, and the gap is (π - θ)²: atol for θ = float(π)
    np.testing.assert_allclose(got, [exact(p, t)[0] for t in ANGLES], rtol=RTOL, atol=1e-31)


@pytest.mark.parametrize("kind", ["all", "odd", "even"])
def test_remainder_has_relative_accuracy_at_all_angles(kind):
    p = products(kind)
    got = Mehler.of(np.sqrt(p), np.sqrt(p)).remainder(ANGLES)
    np.testing.assert_allclose(got, [exact(p, t)[1] for t in ANGLES], rtol=RTOL, atol=1e-300)


def test_remainder_of_a_linear_function_is_zero():
    p = products("linear")
    assert not Mehler.of(np.sqrt(p), np.sqrt(p)).remainder(ANGLES).any()


def test_without_the_tail_sums_small_angles_have_no_digits():
    p = products("all")
    naive = p.sum() - power_sum(p, np.cos(ANGLES))
    assert abs(naive[2] / exact(p, ANGLES[2])[0] - 1) > 1e-6  # θ = 1e-6


def test_derivatives_are_those_of_the_value():
    p = products("all")
    series = Mehler.of(np.sqrt(p), np.sqrt(p))
    rho = np.cos(ANGLES)
    for got, order in ((series.value(rho), 0), (series.slope(rho), 1), (series.curvature(rho), 2)):
        expected = np.polynomial.Polynomial(p).deriv(order)(rho) if order else np.polynomial.Polynomial(p)(rho)
        scale = np.polynomial.Polynomial(p).deriv(order)(1.0) if order else p.sum()
        np.testing.assert_allclose(got, expected, rtol=0, atol=RTOL * scale)
        np.testing.assert_allclose(series.moment(order), scale, rtol=RTOL)


@pytest.mark.parametrize("terms", [0, 1, 2, 5, 9, 10, 257])
def test_power_sums_of_any_length_and_shape(terms):
    c = 1.0 / np.arange(1, terms + 1) ** 2
    x = np.linspace(0, 1, 6).reshape(2, 3)
    np.testing.assert_allclose(power_sum(c, x), np.polynomial.polynomial.polyval(x, c) if terms else 0 * x, rtol=RTOL)
    assert power_sum(c, np.empty(0)).shape == (0,)


@pytest.mark.parametrize("q", [0.3, 2.0, 40.0])
def test_coefficients_of_erf(q):
    # (2/π) asin(2qρ/(1+2q)) = Σ a_k² ρ^k, so a_k² = (2/π) C(2j, j) y^k/(4^j k), k = 2j + 1, y = 2q/(1+2q)
    from scipy.special import erf, gammaln

    a = hermite_coefficients(erf, [q], math.inf)[0]
    k = np.arange(1, len(a), 2)
    j = (k - 1) // 2
    log = gammaln(2 * j + 1) - 2 * gammaln(j + 1) - j * math.log(4) + k * math.log(2 * q / (1 + 2 * q)) - np.log(k)
    assert not a[0::2].any()  # exactly
    # absolute errors are 1e-17 a node, 1e-15 at most; cancellation between nodes leaves 1e-16
    np.testing.assert_allclose(np.abs(a[1::2]), np.sqrt(2 / math.pi * np.exp(log)), rtol=0, atol=1e-15)


def test_coefficients_of_tanh_add_up_to_its_moments():
    q = 20.0
    a = hermite_coefficients(np.tanh, [q], math.pi / 2)[0]
    series = Mehler.of(a, a)
    with mpmath.workdps(25):
        s = mpmath.sqrt(q)
        edges = [0, 0.3, 1, 3, 8, 13]
        second = 2 * mpmath.quad(lambda z: mpmath.npdf(z) * mpmath.tanh(s * z) ** 2, edges)
        slope = 2 * mpmath.quad(lambda z: mpmath.npdf(z) * mpmath.sech(s * z) ** 4, edges)
    np.testing.assert_allclose(series.moment(0), float(second), rtol=RTOL)
    np.testing.assert_allclose(series.moment(1) / q, float(slope), rtol=RTOL)


def test_a_strip_stated_too_wide_shows():
    with pytest.raises(DomainError, match="not as wide as stated"):
        hermite_coefficients(np.tanh, [20.0], 8 * math.pi)


@pytest.mark.parametrize("q", [0.0, -1.0, math.inf, math.nan])
def test_variances_that_are_none_are_refused(q):
    with pytest.raises(DomainError, match="not a positive number"):
        hermite_coefficients(np.tanh, [1.0, q], math.pi / 2)


def test_a_step_is_refused_with_the_limit():
    with pytest.raises(DomainError, match=f"{MAX_TERMS:,} Hermite coefficients"):
        hermite_coefficients(np.tanh, [1e6], math.pi / 2)


def test_infinite_values_are_refused():
    with pytest.raises(DomainError, match="not finite"):
        hermite_coefficients(lambda x: np.where(np.abs(x) > 3, np.inf, x), [1.0], math.inf)


@pytest.mark.parametrize("bad", [None, "1", 0.0, -1.0, np.nan, np.inf, True, 1j, [[1.0], [1.0, 2.0]]], ids=str)
def test_coefficients_of_no_variance_are_refused(bad):
    with pytest.raises(DomainError, match="positive"):
        hermite_coefficients(np.tanh, bad, math.pi / 2)

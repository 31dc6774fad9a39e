"""Expectations of functions with jumps: every panel ends at a knot, whatever the angle."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpdeep.errors import DomainError
from gpdeep.gaussian import kink_split_pair, kink_split_rule
from gpdeep.gaussian.gauss_legendre import gauss_legendre
from gpdeep.gaussian.piecewise_chebyshev import fit_panels

ANGLES = [0.0, 1e-16, 1e-14, 1e-9, 1e-6, 1e-3, 0.1, 0.785, 0.79, 1.5, math.pi / 2, 2.0, 2.36, 3.1, math.pi - 1e-9]
KNOTS = (1.0364, 1.8459)


def step(t):
    return lambda x: (x > t) * 1.0


def window(x):
    return ((x > KNOTS[0]) & (x < KNOTS[1])) * 1.0


def orthant(h, k, theta):
    """P(z1 > h, z2 > k) at correlation cos θ, by mpmath: Q(max) less the integral of its derivative in θ."""
    with mp.workdps(30):
        h, k, theta = mp.mpf(h), mp.mpf(k), mp.mpf(theta)

        def rate(t):
            near = 0 if h == k else (h - k) ** 2 / (8 * mp.sin(t / 2) ** 2)
            return mp.exp(-near - (h + k) ** 2 / (8 * mp.cos(t / 2) ** 2)) / (2 * mp.pi)

        lost = mp.quad(rate, mp.linspace(theta / 10**6, theta, 9)) + rate(theta / 10**6) * theta / 10**6 if theta else 0
        return mp.ncdf(-max(h, k)) - lost


@pytest.mark.parametrize("theta", ANGLES)
def test_two_steps_at_zero_have_the_orthant_probability(theta):
    # 1e4 positive terms of sum 1/2 at most, summed in pairs: a few units of rounding; θ < 1e-15 counts as 0
    got = kink_split_pair(step(0.0), step(0.0), theta, 1.0, 2.0, [0.0])
    np.testing.assert_allclose(got, (math.pi - theta) / (2 * math.pi), rtol=0, atol=1e-15)


@pytest.mark.parametrize("theta", ANGLES)
def test_windows_away_from_zero(theta):
    h, k = KNOTS
    want = orthant(h, h, theta) - 2 * orthant(h, k, theta) + orthant(k, k, theta)
    np.testing.assert_allclose(kink_split_pair(window, window, theta, 1.0, 1.0, KNOTS), float(want), rtol=0, atol=2e-15)


@pytest.mark.parametrize("theta", [1e-9, 1e-3, 0.5, 1.5, 2.9])
def test_unequal_variances(theta):
    want = orthant(1.0364, mp.mpf(1.0364) / mp.sqrt(0.3), theta)
    got = kink_split_pair(step(1.0364), step(1.0364), theta, 1.0, 0.3, [1.0364])
    np.testing.assert_allclose(got, float(want), rtol=0, atol=2e-15)
    np.testing.assert_allclose(kink_split_pair(step(1.0364), step(1.0364), theta, 0.3, 1.0, [1.0364]), got, atol=2e-15)


@given(st.floats(0, math.pi), st.floats(0.01, 30), st.floats(0.01, 30))
@settings(max_examples=30, deadline=None)
def test_exponentials_to_one_side(theta, q1, q2):
    # E e^{au + bv} = e^{(a²q1 + 2abK + b²q2)/2} is a closed form for a knot that is none; the peak moves by ½ to 1,
    # hence the longer reach
    a, b = 0.5 / math.sqrt(q1), 0.5 / math.sqrt(q2)
    got = kink_split_pair(lambda x: np.exp(a * x), lambda x: np.exp(b * x), theta, q1, q2, [0.3], reach=10.75)
    np.testing.assert_allclose(got, math.exp((0.5 + 0.5 * math.cos(theta)) / 2), rtol=1e-14)


def test_a_rule_across_the_knots_misses_the_tolerance():
    """Control: the same panels without the split err by 1e-3, and so does a rule of 400 nodes in one variable."""
    h, k = KNOTS
    want = float(orthant(h, h, 0.5) - 2 * orthant(h, k, 0.5) + orthant(k, k, 0.5))
    assert abs(kink_split_pair(window, window, 0.5, 1.0, 1.0, []) - want) > 1e-4
    near, far, w = gauss_legendre(400)
    z = 8.6 * (far - near) / 2
    across = np.sum(8.6 * w * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * window(z))
    exact = float(mp.ncdf(k) - mp.ncdf(h))
    assert abs(across - exact) > 1e-3
    z, w = kink_split_rule(1.0, KNOTS)
    np.testing.assert_allclose(np.sum(w * window(z)), exact, rtol=1e-14)


@given(st.lists(st.floats(-5, 5), max_size=4), st.integers(0, 6))
@settings(max_examples=30, deadline=None)
def test_moments_do_not_depend_on_where_panels_end(knots, half):
    # E z^{2n} = (2n - 1)!!; the reach of 10.75 leaves 10.75^12 e^-57.8 / 1e4 = 2e-17 of it
    q = np.array([0.25, 4.0])
    z, w = kink_split_rule(q, knots, reach=10.75)
    want = float(mp.fac2(2 * half - 1))
    np.testing.assert_allclose(np.sum(w * z ** (2 * half), axis=-1), want, rtol=1e-13)


def test_shapes_and_bad_angles():
    assert kink_split_pair(np.cos, np.cos, np.zeros((2, 3)), 1.0, 1.0).shape == (2, 3)
    assert isinstance(kink_split_pair(np.cos, np.cos, 0.3, 1, 2), np.float64)
    with pytest.raises(DomainError, match="not in"):
        kink_split_pair(np.cos, np.cos, -0.1, 1.0, 1.0)


def test_panels_resolve_a_function_and_its_derivative():
    # the derivative of a polynomial of degree 20 on a panel of width h amplifies rounding by 400/h at its ends
    fit = fit_panels(lambda x: 1 / (1 + 100 * x**2), [-3.0, 4.0])
    x = np.linspace(-3, 4, 1001)
    np.testing.assert_allclose(fit(x), 1 / (1 + 100 * x**2), rtol=0, atol=1e-13)
    np.testing.assert_allclose(fit.derivative()(x), -200 * x / (1 + 100 * x**2) ** 2, rtol=0, atol=1e-10)
    assert fit.resolved.all()
    assert not fit_panels(np.abs, [-1.0, 2.0], least=1e-3).resolved.all()

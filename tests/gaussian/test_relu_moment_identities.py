"""What the moments satisfy among themselves: recursion, quadrants, monotonicity, Price's theorem."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpdeep.gaussian import (
    full_moment_polynomial,
    relu_moment,
    relu_moment_recursion,
)

EPS = np.finfo(np.float64).eps
exponent = st.integers(0, 12)
identity_settings = settings(max_examples=80, deadline=None, derandomize=True)


def recursion_gap(a, b, theta, factor):
    """J_{a,b} minus (a-1) J_{a-2,b} + factor · c J_{a-1,b-1}, relative to J_{a,b}."""
    right = (a - 1) * relu_moment(a - 2, b, theta) + factor * np.cos(theta) * relu_moment(a - 1, b - 1, theta)
    return abs(relu_moment(a, b, theta) / right - 1)


@identity_settings
@given(a=exponent, b=exponent, theta=st.floats(0, np.pi / 2))
def test_recursion_agrees_where_its_terms_are_positive(a, b, theta):
    # θ ≤ π/2: no cancellation, and each of the up to a + b steps adds 3 units to those of the moment
    expected = relu_moment(a, b, theta)
    rtol = (5 * (a + b) + 10) * EPS
    np.testing.assert_allclose(relu_moment_recursion(a, b, theta), expected, rtol=rtol, atol=0)


@identity_settings
@given(a=exponent, b=exponent, theta=st.floats(np.pi / 2, np.pi))
def test_recursion_agrees_up_to_its_cancellation(a, b, theta):
    # beyond π/2 the terms are as large as the moments at θ = 0, and so is their rounding
    atol = (5 * (a + b) + 10) * EPS * relu_moment(a, b, 0.0)
    np.testing.assert_allclose(relu_moment_recursion(a, b, theta), relu_moment(a, b, theta), rtol=0, atol=atol)


def test_recursion_loses_its_digits_near_pi_and_the_moment_does_not():
    theta = np.pi - 0.01
    asymptotic = 384 / (2 * np.pi) / 630 * 0.01**9  # K_8 B(5, 5) δ^9, next term of relative order δ²
    assert abs(relu_moment(4, 4, theta) / asymptotic - 1) < 1e-3
    assert abs(relu_moment_recursion(4, 4, theta) / asymptotic - 1) > 1


@pytest.mark.parametrize(("a", "b"), [(2, 1), (3, 2), (5, 5)])
def test_a_recursion_without_the_factor_b_fails(a, b):
    tolerance = (5 * (a + b) + 10) * EPS
    if b > 1:
        assert recursion_gap(a, b, 1.0, factor=1) > 1e6 * tolerance
    assert recursion_gap(a, b, 1.0, factor=b) < tolerance
    assert recursion_gap(a, b, 1.0, factor=b + 1) > 1e6 * tolerance


@identity_settings
@given(a=exponent, b=exponent, theta=st.floats(0, np.pi))
def test_four_quadrants_add_up_to_the_full_moment(a, b, theta):
    # E[G^a W^b] = (1 + (-1)^{a+b}) J(θ) + ((-1)^a + (-1)^b) J(π - θ); the float π - θ costs |J'| 2^-53
    near, far = relu_moment(a, b, theta), relu_moment(a, b, np.pi - theta)
    total = (1 + (-1) ** (a + b)) * near + ((-1) ** a + (-1) ** b) * far
    polynomial = full_moment_polynomial(a, b)
    expected = sum(p * np.cos(theta) ** k for k, p in enumerate(polynomial))
    atol = (8 * (a + b) + 16) * EPS * relu_moment(a, b, 0.0) * 2
    np.testing.assert_allclose(total, expected, rtol=0, atol=atol)


@identity_settings
@given(a=exponent, b=exponent, theta=st.floats(0.01, 3.0), step=st.floats(0.01, 0.1))
def test_moments_decrease_with_the_angle(a, b, theta, step):
    # where J is flat, as θ^{a+1} is for b = 0, equal but for the rounding of either
    far, near = relu_moment(a, b, theta + step), relu_moment(a, b, theta)
    assert 0 < far <= near * (1 + (4 * (a + b) + 16) * EPS)

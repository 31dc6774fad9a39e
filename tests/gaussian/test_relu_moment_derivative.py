"""relu_moment_derivative against derivatives taken in mpmath, delta terms included."""

import mpmath as mp
import numpy as np
import pytest

from gpdeep.gaussian import relu_moment, relu_moment_derivative

EPS = np.finfo(np.float64).eps
PAIRS = [(0, 0), (1, 0), (0, 2), (5, 0), (1, 1), (2, 1), (3, 3), (6, 2)]
THETAS = [0.2, np.pi / 2, 2.9]


def moment(a, b, theta):
    """J_{a,b} in mpmath by the polar form."""
    h = (mp.pi - theta) / 2
    k = mp.mpf(2) ** (mp.mpf(a + b) / 2) * mp.gamma(mp.mpf(a + b) / 2 + 1) / (2 * mp.pi)
    return k * mp.quad(lambda u: mp.sin(h - u) ** a * mp.sin(h + u) ** b, [-h, 0, h])


def numerical_derivative(a, b, theta):
    """Central differences: an error of h² = 1e-24 from the third derivative, 1e-50/h from rounding."""
    with mp.workdps(50):
        h, t = mp.mpf("1e-12"), mp.mpf(float(theta))
        return float((moment(a, b, t + h) - moment(a, b, t - h)) / (2 * h))


def error_of(derivative, a, b):
    """Largest relative difference from the numerical derivative."""
    return max(abs(derivative(a, b, t) / numerical_derivative(a, b, t) - 1) for t in THETAS)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_agrees_with_the_numerical_derivative(a, b):
    # one moment and two factors, each with a relative error of its own
    assert error_of(relu_moment_derivative, a, b) < (2 * (a + b) + 12) * EPS


@pytest.mark.parametrize(("a", "b"), [(2, 1), (3, 3), (6, 2)])
def test_price_without_the_exponents_fails(a, b):
    def wrong(a, b, theta):
        return -np.sin(theta) * relu_moment(a - 1, b - 1, theta)

    assert error_of(wrong, a, b) > 0.4


@pytest.mark.parametrize(("a", "b"), [(0, 2), (5, 0)])
def test_without_the_delta_term_the_slope_of_a_single_power_would_be_zero(a, b):
    assert error_of(lambda a, b, theta: -a * b * np.sin(theta), a, b) == 1


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_ends_are_exact(a, b):
    ends = relu_moment_derivative(a, b, np.array([0.0, np.pi]))
    expected = -1 / (2 * np.pi) if a == b == 0 else 0.0
    np.testing.assert_array_equal(ends, [expected, expected])
    assert a == b == 0 or not np.signbit(ends).any()


def test_shapes_and_scalars():
    assert isinstance(relu_moment_derivative(2, 0, 1.0), np.float64)
    assert isinstance(relu_moment_derivative(2, 1, 1), np.float64)
    assert relu_moment_derivative(0, 0, np.ones((2, 3))).shape == (2, 3)

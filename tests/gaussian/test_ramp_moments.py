"""Moments of a ramp under one Gaussian variable, against 60-digit recursion and quadrature."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpdeep import DomainError
from gpdeep.gaussian import normal_density, ramp_moment, ramp_product

KINKS = [-20.0, -3.5, -1e-9, 0.0, 1e-12, 0.3, 1.5, 2.0, 7.25, 15.1, 29.9, 35.3]
# 40 nodes of rounding 1 unit each and exponents to 45, of which the weighted mean takes few: 30 units
RTOL = 7e-15


def exact(p, h):
    with mp.workdps(60):  # the upward recursion loses h^8, 1e12 at worst here
        h = mp.mpf(h)
        ladder = [mp.npdf(h), mp.erfc(h / mp.sqrt(2)) / 2]
        for n in range(1, 5):
            ladder.append((ladder[-2] - h * ladder[-1]) / n)
        return ladder[p + 1] * mp.factorial(p)


def closed_second(h):
    """The textbook form, which cancels: the negative control."""
    return (1 + h * h) * ramp_moment(0, h) - h * normal_density(h)


@pytest.mark.parametrize("p", range(5))
def test_relative_accuracy_for_near_and_far_kinks(p):
    np.testing.assert_allclose(ramp_moment(p, KINKS), [float(exact(p, h)) for h in KINKS], rtol=RTOL, atol=0)


def test_reference_agrees_with_quadrature():
    with mp.workdps(25):
        value = mp.quad(lambda x: x**4 * mp.npdf(2 + x), [0, 1, 4, 12])
    assert mp.almosteq(value, exact(4, 2), rel_eps=mp.mpf("1e-20"))


def test_closed_form_fails_where_the_kink_is_far():
    assert abs(closed_second(15.1) / float(exact(2, 15.1)) - 1) > 100 * RTOL


@given(st.floats(-10, 30))
def test_derivative_in_the_kink_is_the_moment_below(h):
    # central difference: step²/6 of R_3''' = -6 R_0, which is 2 (1 + h²) R_2 at most; rounding 1e-15 R_3/step
    step = 1e-4
    slope = (ramp_moment(3, h - step) - ramp_moment(3, h + step)) / (2 * step)
    np.testing.assert_allclose(slope, 3 * ramp_moment(2, h), rtol=1e-8 * (1 + h * h) + 1e-9, atol=0)


@pytest.mark.parametrize(("h", "k"), [(0.0, 1.0), (-3.0, 4.0), (9.0, 8.5), (2.0, 2.0), (-5.0, -6.0)])
def test_product_of_two_ramps(h, k):
    top = max(h, k)
    with mp.workdps(30):
        ends = [mp.mpf(top) + x for x in (0, 0.2, 1, 3, 8, 16)]
        value = mp.quad(lambda z: (z - mp.mpf(h)) * (z - mp.mpf(k)) * mp.npdf(z), ends)
    np.testing.assert_allclose(ramp_product(h, k), float(value), rtol=2 * RTOL, atol=0)


def test_density_keeps_its_digits_far_out():
    x = np.array([0.1, 5.3, 21.7, 37.3])
    exact_density = [float(mp.npdf(mp.mpf(v))) for v in x.tolist()]
    np.testing.assert_allclose(normal_density(x), exact_density, rtol=2e-15, atol=0)  # two exponentials, one square
    plain = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    assert abs(plain / exact_density - 1).max() > 1e-14  # the square of 37.3 is rounded


def test_shapes_and_extremes():
    assert isinstance(ramp_moment(1, 0), np.float64)
    assert ramp_moment(2, np.zeros((2, 3))).shape == (2, 3)
    assert ramp_moment(2, np.float32(0.5)) == ramp_moment(2, 0.5)
    assert ramp_moment(4, np.inf) == 0
    assert ramp_moment(0, -np.inf) == 1


@pytest.mark.parametrize(
    ("p", "h"), [(5, 0.0), (-1, 0.0), (1.0, 0.0), (True, 0.0), (1, np.nan), (1, "x"), (1, [[1], []])]
)
def test_bad_arguments_are_refused(p, h):
    with pytest.raises(DomainError):
        ramp_moment(p, h)

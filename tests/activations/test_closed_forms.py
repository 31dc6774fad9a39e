"""Closed forms at awkward arguments, against the same expectations by other formulas at high precision."""

import math

import numpy as np
import pytest
from mpmath import mp, mpf

from gpdeep.activations import Smooth
from gpdeep.activations.smooth_catalogue import COS, ERF, EXP, GELU, SIN

ANGLES = [1e-9, 1e-4, 0.3, 1.5, math.pi / 2, 1.6, 2.5, 3.14, math.pi]
VARIANCES = [1e-8, 1e-3, 0.3, 1.0, 4.0, 50.0]
# No subtraction of nearly equal numbers: about ten roundings
RTOL = 4e-15


def covariances(name, k, q1, q2):
    """E φ(u)φ(v) and the derivative of order n in K, by the textbook formulas, at the working precision."""
    m = (q1 + q2) / 2
    return {
        "erf": lambda: 2 / mp.pi * mp.asin(2 * k / mp.sqrt((1 + 2 * q1) * (1 + 2 * q2))),
        "gelu": lambda: (
            k * (mpf(1) / 4 + mp.asin(k / mp.sqrt((1 + q1) * (1 + q2))) / (2 * mp.pi))
            + (q1 * q2 + k**2 * (1 / (1 + q1) + 1 / (1 + q2) - 1)) / (2 * mp.pi * mp.sqrt((1 + q1) * (1 + q2) - k**2))
        ),
        "sin": lambda: mp.exp(-m) * mp.sinh(k),
        "cos": lambda: mp.exp(-m) * mp.cosh(k),
        "exp": lambda: mp.exp(m + k),
    }[name]()


def exact(name, theta, q1, q2):
    """Gap, remainder (for q₁ = q₂), E φ'φ', E φ''φ''."""
    with mp.workdps(120):
        t, a, b = mpf(theta), mpf(q1), mpf(q2)
        k0 = mp.sqrt(a * b)
        k = k0 * mp.cos(t)
        of = lambda x: covariances(name, x, a, b)  # noqa: E731
        gap = of(k0) - of(k)
        slope0, slope, curvature = mp.diff(of, k0), mp.diff(of, k), mp.diff(of, k, 2)
        return tuple(float(x) for x in (gap, slope0 * (k0 - k) - gap, slope, curvature))


@pytest.mark.parametrize("phi", [ERF, GELU, SIN, COS, EXP], ids=lambda phi: phi.name)
@pytest.mark.parametrize("q", VARIANCES)
def test_deficits_have_relative_accuracy(phi, q):
    rtol = 2 * RTOL if phi is GELU and q == 50.0 else RTOL  # parts of both signs: √q/5
    if phi is EXP:
        rtol += 2 * q * np.finfo(float).eps  # e^{2q}: the rounding of the exponent
    for theta in ANGLES:
        gap, remainder, slope, curvature = exact(phi.name, theta, q, q)
        # an even φ has the gap (π - θ)² near π, known to the absolute rounding of θ
        np.testing.assert_allclose(phi.gap(theta, q), gap, rtol=rtol, atol=1e-31)
        # sin and cos: two positive parts whose difference is a quarter of the larger one, up to a factor 15 at x = 1
        loose = 15 if phi in (SIN, COS) else 1
        np.testing.assert_allclose(phi.remainder(theta, q), remainder, rtol=loose * rtol, atol=1e-300)
        size = float(phi.moments(q).slope_second)
        np.testing.assert_allclose(phi.slope_product(theta, q), slope, rtol=0, atol=RTOL * size)
        np.testing.assert_allclose(
            phi.curvature_product(theta, q), curvature, rtol=0, atol=RTOL * float(phi.derivative_moment(2, q))
        )


@pytest.mark.parametrize("phi", [ERF, GELU, SIN, COS, EXP], ids=lambda phi: phi.name)
@pytest.mark.parametrize(("q1", "q2"), [(1e-6, 0.3), (0.3, 2.0), (30.0, 2.0)])
def test_unequal_variances(phi, q1, q2):
    for theta in ANGLES:
        gap, _, slope, _ = exact(phi.name, theta, q1, q2)
        np.testing.assert_allclose(phi.gap(theta, q1, q2), gap, rtol=RTOL, atol=1e-31)
        size = math.sqrt(float(phi.moments(q1).slope_second * phi.moments(q2).slope_second))
        np.testing.assert_allclose(phi.slope_product(theta, q1, q2), slope, rtol=0, atol=2 * RTOL * size)
        k = math.sqrt(q1 * q2) * math.cos(theta)
        with mp.workdps(40):
            value = float(covariances(phi.name, mpf(k), mpf(q1), mpf(q2)))
        size = math.sqrt(float(phi.moments(q1).second * phi.moments(q2).second))
        np.testing.assert_allclose(phi.covariance(k, q1, q2), value, rtol=0, atol=2 * RTOL * size)
        np.testing.assert_allclose(phi.slope_covariance(k, q1, q2), slope, rtol=4e-15, atol=1e-15)


def test_the_formula_as_printed_has_no_digits_at_small_angles():
    q, theta = 1.0, 1e-4
    k = q * math.cos(theta)
    printed = 2 / math.pi * (math.asin(2 * q / (1 + 2 * q)) - math.asin(2 * k / (1 + 2 * q)))
    assert abs(printed / exact("erf", theta, q, q)[0] - 1) > 1e5 * RTOL


@pytest.mark.parametrize("phi", [ERF, GELU, SIN, COS], ids=lambda phi: phi.name)
def test_closed_forms_equal_the_series(phi):
    plain = Smooth("plain", phi.function, phi.slope, math.inf)
    theta = np.linspace(0.01, 3.1, 9)
    for q1, q2 in ((0.8, 0.8), (0.4, 1.7)):
        for of, other in ((phi.gap, plain.gap), (phi.slope_product, plain.slope_product)):
            np.testing.assert_allclose(of(theta, q1, q2), other(theta, q1, q2), rtol=0, atol=2e-15)
        k = math.sqrt(q1 * q2) * np.cos(theta)
        np.testing.assert_allclose(phi.covariance(k, q1, q2), plain.covariance(k, q1, q2), rtol=0, atol=2e-15)
    np.testing.assert_allclose(phi.remainder(theta, 0.8), plain.remainder(theta, 0.8), rtol=1e-13)
    for order in range(5):
        np.testing.assert_allclose(phi.derivative_moment(order, 0.8), plain.derivative_moment(order, 0.8), rtol=2e-14)


@pytest.mark.parametrize("phi", [SIN, COS], ids=lambda phi: phi.name)
@pytest.mark.parametrize("q", [1e-3, 0.5, 3.0, 300.0])
def test_moments_of_waves_equal_quadrature(phi, q):
    plain, closed = Smooth("plain", phi.function, phi.slope, math.inf).moments(q), phi.moments(q)
    # the quadrature has absolute errors of 1e-15/q^1.5 in d2_second, 1e-15/q in d_slope_second
    for field, atol in (("mean", 1e-15), ("second", 0), ("fourth", 0), ("slope_second", 0), ("d_second", 1e-14)):
        np.testing.assert_allclose(getattr(closed, field), getattr(plain, field), rtol=1e-14, atol=atol)
    np.testing.assert_allclose(closed.d2_second, plain.d2_second, rtol=1e-13, atol=1e-15 / q**1.5)
    np.testing.assert_allclose(closed.d_slope_second, plain.d_slope_second, rtol=1e-13, atol=1e-15 / q)


def test_waves_of_large_variance_do_not_overflow():
    for phi in (SIN, COS):
        np.testing.assert_allclose(phi.comonotone(1e6, 1e6), 0.5, rtol=1e-15)
        np.testing.assert_allclose(phi.gap(math.pi / 2, 1e6), 0.5, rtol=1e-15)
        assert phi.covariance(9e5, 1e6, 1e6) == 0
        # q D₂ (1 - cos θ) - gap
        np.testing.assert_allclose(phi.remainder(math.pi / 2, 1e6), 5e5 - 0.5, rtol=1e-15)


def test_moments_of_exp_beyond_the_largest_double_are_infinite():
    moments = EXP.moments(200.0)
    assert np.isinf(moments.fourth)
    np.testing.assert_allclose(moments.mean, math.exp(100.0), rtol=1e-15)

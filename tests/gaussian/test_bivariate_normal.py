"""Orthant probability and ramp covariance in closed form, against conditional quadrature and the angle integrals."""

import mpmath as mp
import numpy as np
import pytest

from gpdeep import DomainError
from gpdeep.gaussian import ramp_covariance, ramp_moment, ramp_overlap, ramp_product, ramp_slope_overlap, upper_orthant

CASES = [
    (0.7, -0.4, 0.3),
    (1.2, 1.2, 0.9),
    (-0.5, -2.0, -0.95),
    (2.0, 0.0, 0.5),
    (0.0, 1.5, -0.7),
    (0.0, -1.5, 0.7),
    (-1.0, 0.0, 0.99),
    (0.0, 0.0, -0.6),
    (0.3, -0.3, -0.999),
]
ATOL = 2e-15  # a handful of terms of order 1, each rounded


def conditional(h, k, rho, power):
    """E over X of the moment of (Y - k)_+ given X."""
    with mp.workdps(25):
        h, k, rho = map(mp.mpf, (h, k, rho))
        r = mp.sqrt(1 - rho**2)

        def inner(x):
            g = (k - rho * x) / r
            tail = mp.erfc(g / mp.sqrt(2)) / 2
            return tail if power == 0 else r * (mp.npdf(g) - g * tail)

        turn = k / rho if rho else h
        ends = sorted({h, *(x for x in (turn - 8 * r, turn, turn + 8 * r, h + 1, h + 4) if x > h), mp.mpf(14)})
        return float(mp.quad(lambda x: (x - h) ** power * mp.npdf(x) * inner(x), ends))


@pytest.mark.parametrize(("h", "k", "rho"), CASES)
def test_closed_forms_agree_with_conditional_quadrature(h, k, rho):
    np.testing.assert_allclose(upper_orthant(h, k, rho), conditional(h, k, rho, 0), rtol=0, atol=ATOL)
    np.testing.assert_allclose(ramp_covariance(h, k, rho), conditional(h, k, rho, 1), rtol=0, atol=4 * ATOL)


def test_closed_forms_agree_with_the_integrals_over_the_angle():
    rng = np.random.default_rng(7)
    h, k = 1.5 * rng.standard_normal((2, 4000))
    h[::7], k[3::7], k[5::7] = 0, 0, h[5::7]
    k[6::7] = -h[6::7]
    theta = rng.uniform(0.05, np.pi, 4000)  # at smaller angles the correlation has no digits for the closed form
    theta[::5] = np.pi
    rho = np.where(theta == np.pi, -1.0, np.cos(theta))
    top = np.maximum(h, k)
    orthant = ramp_moment(0, top) - ramp_slope_overlap(h, k, theta)
    product = ramp_product(h, k) - 2 * np.sin(theta / 2) ** 2 * ramp_moment(0, top) + ramp_overlap(h, k, theta)
    # near ρ = -1 the angle is known to 1e-16/√(1+ρ)
    loose = 1e-15 / np.maximum(np.sin(theta), 1e-2)
    assert (np.abs(upper_orthant(h, k, rho) - orthant) < ATOL + loose).all()
    assert (np.abs(ramp_covariance(h, k, rho) - product) < (4 * ATOL + loose) * (1 + h * h) * (1 + k * k)).all()


def test_wrong_sign_of_the_zero_case_is_seen():
    # with T(0, ·) = +sign(k)/4 the orthant would be off by 1/2
    assert abs(upper_orthant(0.0, 1.5, -0.7) + 0.5 - conditional(0.0, 1.5, -0.7, 0)) > 0.4


def test_ends_of_the_correlation():
    h, k = np.array([0.5, -0.5, 1.0, -2.0]), np.array([1.0, -1.0, -1.5, 1.0])
    np.testing.assert_allclose(upper_orthant(h, k, 1.0), ramp_moment(0, np.maximum(h, k)), rtol=1e-15, atol=0)
    np.testing.assert_allclose(ramp_covariance(h, k, 1.0), ramp_product(h, k), rtol=1e-15, atol=0)
    between = [max(float(mp.ncdf(-b) - mp.ncdf(a)), 0.0) for a, b in zip(h.tolist(), k.tolist(), strict=True)]
    np.testing.assert_allclose(upper_orthant(h, k, -1.0), between, rtol=0, atol=ATOL)
    product = [
        float(mp.quad(lambda z, a=a, b=b: (z - a) * (-z - b) * mp.npdf(z), [a, -b])) if a < -b else 0.0
        for a, b in zip(h.tolist(), k.tolist(), strict=True)
    ]
    np.testing.assert_allclose(ramp_covariance(h, k, -1.0), product, rtol=0, atol=4 * ATOL)


@pytest.mark.parametrize("rho", [1.0000001, -2, np.nan, "x"])
def test_correlations_beyond_one_are_refused(rho):
    with pytest.raises(DomainError):
        upper_orthant(0.0, 0.0, rho)

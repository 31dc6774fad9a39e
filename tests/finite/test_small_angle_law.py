"""The exact one-layer law as θ → 0 against 60-digit sums, its expansion in 1/n, and its characteristic function."""

import json
import math
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import quad

from gpdeep.finite import mean_inverse_stretch, small_angle_cdf, small_angle_cumulants
from gpdeep.finite.binomial import active_counts

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "small_angle_law.json").read_text())["values"]
WIDTHS = [int(n) for n in REFERENCE]
EPS = np.finfo(float).eps


@pytest.mark.parametrize("n", WIDTHS)
def test_cumulants_agree_with_60_digit_sums(n):
    want = REFERENCE[str(n)]
    mean, var, third = small_angle_cumulants(n)
    # binomial weights by gammaln(n): n ln n · eps each before normalisation, which takes off the common part
    rtol = 2e-13
    np.testing.assert_allclose(mean, float(want["mean"]), rtol=rtol)
    np.testing.assert_allclose(var, float(want["variance"]), rtol=rtol)
    # κ₃ ~ -112/n³ is a difference of terms of size 16/n²: conditioning n/7
    np.testing.assert_allclose(third, float(want["third_cumulant"]), rtol=rtol + n * EPS)


@pytest.mark.parametrize("n", WIDTHS)
def test_excluded_counts_have_their_exact_probability(n):
    lost = active_counts(n, 2)[2]
    # (n + 1)/2^n through exp of differences of gammaln(n) ~ n ln n
    want = float(mp.mpf(n + 1) / mp.mpf(2) ** n)
    np.testing.assert_allclose(lost, want, rtol=2 * n * np.log(n + 1) * EPS, atol=0)
    np.testing.assert_allclose(lost, float(REFERENCE[str(n)]["P_k_le_1"]), rtol=1e-11, atol=0)  # 12 digits


@pytest.mark.parametrize("n", WIDTHS[1:])
def test_mean_inverse_stretch_agrees_with_exact_sums(n):
    np.testing.assert_allclose(mean_inverse_stretch(n), float(REFERENCE[str(n)]["mean_inverse_stretch"]), rtol=2e-13)


def test_a_log_beta_law_has_other_cumulants():
    # negative control: ln(χ²_{k-1}/(χ²_{k-1} + χ²_1)), the same ratio with the same vector below, has the same mean
    # (both are ψ((k-1)/2) - ψ(k/2)), but a variance of order 1/n² instead of 8/n
    k, weight, _ = active_counts(32, 2)
    log_beta = [float(mp.psi(1, (i - 1) / 2) - mp.psi(1, i / 2)) for i in k]
    assert weight @ log_beta < 0.1 * small_angle_cumulants(32)[1]


@pytest.mark.parametrize(
    ("order", "coefficients", "slope"),
    [
        # -(2/n)(1 + 4/n + 20/n² + 124/n³), (8/n)(1 + 4/n + 21.17/n²), -112/n³ - 1920/n⁴
        (0, (-2, -8, -40, -248), 5),
        (1, (8, 32, 508 / 3), 4),
        (2, (0, 0, -112, -1920), 5),
    ],
)
def test_residual_of_the_expansion_has_the_next_power(order, coefficients, slope):
    widths = np.array([128, 256, 512, 1024])
    powers = widths[:, None].astype(float) ** -np.arange(1, len(coefficients) + 1)
    series = powers @ np.array(coefficients)
    exact = np.array([small_angle_cumulants(int(n))[order] for n in widths])

    def fitted_slope(residual):
        return np.polyfit(np.log(widths), np.log(np.abs(residual)), 1)[0]

    # the term after next changes the local slope by about 12/n ≤ 0.1 at the narrowest
    assert fitted_slope(exact - series) == pytest.approx(-slope, abs=0.2)
    # negative control: without its last term the expansion is one order worse
    shorter = powers[:, :-1] @ np.array(coefficients[:-1])
    assert fitted_slope(exact - shorter) == pytest.approx(1 - slope, abs=0.2)


def test_a_million_neurons_follow_the_leading_terms():
    mean, var, third = small_angle_cumulants(10**6)
    np.testing.assert_allclose(mean, -2e-6 * (1 + 4e-6), rtol=1e-10)  # next: 20/n² = 2e-11
    np.testing.assert_allclose(var, 8e-6 * (1 + 4e-6), rtol=1e-10)
    np.testing.assert_allclose(third, -112e-18, rtol=1e-3)  # rounding n·eps = 2e-10 of 16/n², 1920/n⁴ small


def mixture_cdf(n, r):
    """P(R ≤ r) from mpmath's incomplete beta function and exact binomials."""
    with mp.workdps(30):
        x = 1 / (1 + mp.exp(-mp.mpf(r)))
        total = sum(
            math.comb(n, k) * mp.betainc(mp.mpf(k - 1) / 2, mp.mpf(k) / 2, 0, x, regularized=True)
            for k in range(2, n + 1)
        )
        return float(total / (2**n - n - 1))


@pytest.mark.parametrize("n", [2, 3, 7, 20])
@pytest.mark.parametrize("r", [-30.0, -3.0, -0.1, 0.5, 6.0])
def test_distribution_function_agrees_with_an_exact_mixture(n, r):
    # relative accuracy of scipy's incomplete beta function, a few hundred units in its tails
    np.testing.assert_allclose(small_angle_cdf(n, r), mixture_cdf(n, r), rtol=1e-12)


@pytest.mark.parametrize("n", [2, 5, 24])
@pytest.mark.parametrize("t", [0.3, 1.0, 2.5])
def test_characteristic_function_and_distribution_function_are_of_one_law(n, t):
    def phi(k):
        return mp.gamma(mp.mpc((k - 1) / 2, t)) * mp.gamma(mp.mpc(k / 2, -t)) / mp.gamma((k - 1) / 2) / mp.gamma(k / 2)

    weights = np.array([math.comb(n, k) for k in range(2, n + 1)], float) / (2**n - n - 1)
    want = complex(sum(w * phi(k) for w, k in zip(weights, range(2, n + 1), strict=True)))

    # E e^{itR} = ∫_{r>0} it e^{itr}(1-F) dr - ∫_{r<0} it e^{itr} F dr + 1; tails e^{-|r|/2} or faster, e^-30 left out
    def upper(r):
        return 1 - small_angle_cdf(n, r)

    def lower(r):
        return small_angle_cdf(n, r)

    def part(function, a, b, kernel):
        return quad(lambda r: function(r) * kernel(t * r), a, b, limit=400, epsabs=1e-10)[0]

    cos_part = part(upper, 0, 60, np.cos) - part(lower, -60, 0, np.cos)
    sin_part = part(upper, 0, 60, np.sin) - part(lower, -60, 0, np.sin)
    np.testing.assert_allclose(1 + 1j * t * (cos_part + 1j * sin_part), want, rtol=0, atol=1e-8)


@pytest.mark.parametrize("n", [3, 16])
def test_cumulants_are_those_of_the_distribution_function(n):
    r = np.linspace(-120, 120, 400_001)
    f = small_angle_cdf(n, r)
    x, p = (r[1:] + r[:-1]) / 2, np.diff(f)
    mean = p @ x
    var, third = p @ (x - mean) ** 2, p @ (x - mean) ** 3
    h = r[1] - r[0]
    # midpoint masses: variance is off by h²/12 and the others by less, e^{-60} is left out
    np.testing.assert_allclose([mean, var, third], small_angle_cumulants(n), rtol=1e-7, atol=h**2)


def test_every_narrow_width_has_a_smooth_neighbour():
    # drift times n is a smooth function of n: no jump where the series of ψ(z+1/2) - ψ(z) takes over (z = 40, k = 81)
    drift = np.array([n * small_angle_cumulants(n)[0] for n in range(120, 220)])
    # n·drift = -2 - 8/n - 40/n²: fifth differences are of size 8·120/n⁶ = 3e-10; conditioned rounding 2^5·2·1e-15
    assert np.abs(np.diff(drift, 5)).max() < 1e-9

"""Smooth activations against mpmath (stored), their own definitions, and each other."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp, mpf

from gpdeep.activations import Smooth
from gpdeep.activations.smooth_catalogue import (
    COS,
    ERF,
    EXP,
    GELU,
    GELU_TANH,
    MISH,
    SIGMOID,
    SILU,
    SIN,
    TANH,
    softplus,
)
from gpdeep.activations.taylor import hermite_from_taylor, largest_variance
from gpdeep.errors import DomainError
from gpdeep.gaussian.mehler import hermite_coefficients
from gpdeep.gaussian.trapezoidal import trapezoidal_rule

REFERENCE = Path(__file__).parents[1] / "reference"
ALL = [TANH, ERF, SIGMOID, GELU, GELU_TANH, SILU, MISH, softplus(1.0), softplus(5.0), SIN, COS, EXP]
FITTED = [phi for phi in ALL if phi is not EXP]  # EXP overflows, and has no series or rule
BY_NAME = {phi.name: phi for phi in ALL}
FIELDS = {
    "E_phi": "mean",
    "E_phi2": "second",
    "E_phi4": "fourth",
    "E_dphi2": "slope_second",
    "dE_phi2_dq": "d_second",
    "d2E_phi2_dq2": "d2_second",
    "dE_dphi2_dq": "d_slope_second",
}
# Sums of hundreds of terms, each with a few roundings of φ and φ': 20 eps, times 4 for the powers in φ⁴ and (z³ - 3z)
MOMENT_RTOL = 2e-14
# Positive terms without subtraction, 10 roundings each
PAIR_RTOL = 5e-15


def ids(phi):
    return phi.name


def theory(name):
    stored = json.loads((REFERENCE / "activations.json").read_text())
    return stored.get("activations", stored)[name]["values"]


def angle(rho: str) -> float:
    """Θ of a correlation written as a number or as 1-1e-12."""
    with mp.workdps(40):
        delta = mpf(rho[2:]) if rho.startswith("1-") else 1 - mpf(rho)
        return float(2 * mp.asin(mp.sqrt(delta / 2)))


# ---------------------------------------------------------------------- against stored values


@pytest.mark.parametrize("name", ["gelu", "sin", "silu", "softplus"])
def test_moments_and_pairs_of_the_theory_table(name):
    phi = BY_NAME[name]
    for entry in theory(name):
        q = float(entry["q"])
        moments = phi.moments(q)
        for key, field in FIELDS.items():
            exact = float(entry[key])
            # stated accuracy; zeros are stored as 1e-59
            np.testing.assert_allclose(getattr(moments, field), exact, rtol=1e-13, atol=1e-16 * (abs(exact) < 1e-20))
        if "E_ddphi2" in entry:
            np.testing.assert_allclose(phi.derivative_moment(2, q), float(entry["E_ddphi2"]), rtol=1e-13)
        for pair in entry["pairs"]:
            theta = angle(pair["rho"])
            # θ is rounded to a double: relative 1e-16 in θ, at most 2e-16·θ cot(θ/2) in the gap
            np.testing.assert_allclose(phi.gap(theta, q), float(pair["deficit"]), rtol=1e-14)
            np.testing.assert_allclose(phi.slope_product(theta, q), float(pair["E_dphi_dphi"]), rtol=0, atol=2e-15)
            np.testing.assert_allclose(
                phi.covariance(q * math.cos(theta), q, q), float(pair["E_phi_phi"]), rtol=0, atol=4e-15
            )


STORED = json.loads((REFERENCE / "smooth.json").read_text())["activations"]


@pytest.mark.parametrize("name", list(STORED))
def test_moments_equal_mpmath(name):
    for entry in STORED[name]["values"]:
        moments = BY_NAME[name].moments(entry["q"])
        for field in FIELDS.values():
            exact = float(entry[field])
            np.testing.assert_allclose(getattr(moments, field), exact, rtol=MOMENT_RTOL, atol=1e-16 * (exact == 0))


@pytest.mark.parametrize("name", list(STORED))
def test_pairs_equal_mpmath(name):
    phi = BY_NAME[name]
    for entry in STORED[name]["values"]:
        q = entry["q"]
        for pair in entry["pairs"]:
            theta = pair["theta"]
            np.testing.assert_allclose(phi.gap(theta, q), float(pair["gap"]), rtol=PAIR_RTOL)
            np.testing.assert_allclose(phi.remainder(theta, q), float(pair["remainder"]), rtol=2 * PAIR_RTOL)
            np.testing.assert_allclose(phi.slope_product(theta, q), float(pair["slope_product"]), rtol=0, atol=2e-15)
            np.testing.assert_allclose(
                phi.covariance(q * math.cos(theta), q, q), float(pair["covariance"]), rtol=0, atol=2e-15
            )


@pytest.mark.parametrize("name", list(STORED))
def test_pairs_of_unequal_variances_equal_mpmath(name):
    phi = BY_NAME[name]
    for pair in STORED[name]["unequal"]:
        theta, q = pair["theta"], (pair["q1"], pair["q2"])
        k = math.sqrt(q[0] * q[1]) * math.cos(theta)
        for one in (q, q[::-1]):
            np.testing.assert_allclose(phi.gap(theta, *one), float(pair["gap"]), rtol=PAIR_RTOL)
            np.testing.assert_allclose(phi.comonotone(*one), float(pair["comonotone"]), rtol=PAIR_RTOL)
            np.testing.assert_allclose(phi.slope_product(theta, *one), float(pair["slope_product"]), rtol=PAIR_RTOL)
            np.testing.assert_allclose(phi.covariance(k, *one), float(pair["covariance"]), rtol=0, atol=2e-15)
            np.testing.assert_allclose(phi.slope_covariance(k, *one), float(pair["slope_product"]), rtol=PAIR_RTOL)


def test_a_wrong_strip_fails_the_same_comparison():
    entry = STORED["tanh"]["values"][2]  # q = 10
    z, w = trapezoidal_rule(entry["q"], 4 * math.pi)
    value = w @ TANH.slope(math.sqrt(entry["q"]) * z) ** 2
    assert abs(value / float(entry["slope_second"]) - 1) > 1e3 * MOMENT_RTOL


def test_twenty_nodes_of_gauss_hermite_fail_the_same_comparison():
    entry = STORED["tanh"]["values"][1]
    z, w = np.polynomial.hermite_e.hermegauss(20)
    value = w @ np.tanh(math.sqrt(entry["q"]) * z) ** 2 / math.sqrt(2 * math.pi)
    assert abs(value / float(entry["second"]) - 1) > 1e3 * MOMENT_RTOL


# ---------------------------------------------------------------------- consistency


@pytest.mark.parametrize("phi", FITTED, ids=ids)
def test_slope_is_the_derivative(phi):
    x, h = np.linspace(-4, 4, 41), 1e-3
    # eighth-order differences: h⁸ φ⁽⁹⁾/630 with φ⁽⁹⁾ up to 9!/(S/√2)^9, and 1e-16 |φ|/h for rounding
    numbers = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])
    step = h * np.arange(-4, 5)
    np.testing.assert_allclose(phi(x[:, None] + step) @ numbers / h, phi.derivative(x), rtol=0, atol=2e-12)


@pytest.mark.parametrize("phi", [p for p in FITTED if p.taylor is not None], ids=ids)
def test_taylor_series_meet_quadrature_at_their_limit(phi):
    q = largest_variance(phi.strip) * 0.999
    plain = Smooth("plain", phi.function, phi.slope, phi.strip)
    near, far = phi.moments(q), plain.moments(q)
    scale = {"d2_second": 1 / q**1.5, "d_slope_second": 1 / q, "d_second": 1 / q**0.5}
    for field in FIELDS.values():
        # what the quadrature loses by dividing: 1e-16/q and 1e-16/q^1.5, times a few
        np.testing.assert_allclose(
            getattr(near, field), getattr(far, field), rtol=1e-14, atol=1e-15 * scale.get(field, 0.01)
        )
    a, b = hermite_from_taylor(phi.taylor, np.array([q])), hermite_coefficients(phi.function, [q], phi.strip)
    terms = min(a.shape[1], b.shape[1])
    np.testing.assert_allclose(a[:, :terms], b[:, :terms], rtol=0, atol=1e-16)


@pytest.mark.parametrize("phi", ALL, ids=ids)
def test_vectors_of_variances_equal_one_by_one(phi):
    q = np.geomspace(1e-5, 30.0, 24).reshape(4, 6)
    many = phi.moments(q)
    for field in FIELDS.values():
        one = [[float(getattr(phi.moments(x), field)) for x in row] for row in q.tolist()]
        np.testing.assert_allclose(getattr(many, field), one, rtol=1e-13, atol=1e-13 * np.abs(one).max() * 1e-3)


@pytest.mark.parametrize("phi", ALL, ids=ids)
def test_derivatives_in_q_are_finite_differences(phi):
    q, h = 0.7, 1e-3
    x = q + h * np.arange(-2, 3)
    m = phi.moments(x)
    weights = np.array([1, -8, 0, 8, -1]) / (12 * h)
    # fourth-order differences: h⁴ M⁽⁵⁾/30 with derivatives up to 4⁵, and 1e-15/h; EXP is e^{1.4} larger
    for value, slope in ((m.second, m.d_second), (m.d_second, m.d2_second), (m.slope_second, m.d_slope_second)):
        np.testing.assert_allclose(weights @ value, slope[2], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("phi", ALL, ids=ids)
def test_zeroth_derivatives_are_the_moments(phi):
    for q in (0.004, 0.7):
        m = phi.moments(q)
        np.testing.assert_allclose(phi.derivative_moment(0, q), m.second, rtol=MOMENT_RTOL)
        np.testing.assert_allclose(phi.derivative_moment(1, q), m.slope_second, rtol=MOMENT_RTOL)
        np.testing.assert_allclose(phi.curvature_product(0.0, q), phi.derivative_moment(2, q), rtol=MOMENT_RTOL)
        np.testing.assert_allclose(phi.slope_product(0.0, q), m.slope_second, rtol=MOMENT_RTOL)
        np.testing.assert_allclose(phi.comonotone(q, q), m.second, rtol=MOMENT_RTOL)


def test_third_derivative_of_tanh():
    # φ''' = (6t² - 2)(1 - t²), by Gauss-Legendre panels of its own
    q = 0.7
    x, w = np.polynomial.legendre.leggauss(40)
    z = (np.arange(-12, 12)[:, None] + (x + 1) / 2).ravel()
    weight = np.tile(w / 2, 24) * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    t = np.tanh(math.sqrt(q) * z)
    exact = weight @ ((6 * t**2 - 2) * (1 - t**2)) ** 2
    np.testing.assert_allclose(TANH.derivative_moment(3, q), exact, rtol=MOMENT_RTOL)


@pytest.mark.parametrize("phi", ALL, ids=ids)
def test_squared_difference_far_apart(phi):
    q1, q2, f = 0.7, 2.1, 0.8
    direct = phi.moments(q2).second - 2 * f * phi.comonotone(q1, q2) + f**2 * phi.moments(q1).second
    np.testing.assert_allclose(phi.difference_second(f, q1, q2), direct, rtol=2e-13)  # loses a factor 30 at most


@pytest.mark.parametrize("phi", ALL, ids=ids)
def test_squared_difference_of_close_variances(phi):
    # E (√q₂ - √q₁)² z² φ'(√q z)², up to the relative width of the interval; subtraction would leave nothing of 1e-18
    q1, q2 = 0.7, 0.7 * (1 + 2.0**-30)
    x, w = np.polynomial.legendre.leggauss(40)
    z = (np.arange(-14, 14)[:, None] + (x + 1) / 2).ravel()
    weight = np.tile(w / 2, 28) * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    inner = weight @ (z * phi.derivative(math.sqrt(q1) * z)) ** 2
    step = (q2 - q1) / (math.sqrt(q1) + math.sqrt(q2))
    # √q₁ z and √q₂ z are rounded, 1e-16 z each against a step of 4e-10 z, and the derivative moves by 2^-30
    np.testing.assert_allclose(phi.difference_second(1.0, q1, q2), step**2 * inner, rtol=1e-6)
    np.testing.assert_allclose(
        phi.difference_second(1 + 2.0**-30, q1, q1), 2.0**-60 * phi.moments(q1).second, rtol=1e-13
    )


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("phi", [TANH, ERF, SIN], ids=ids)
@pytest.mark.parametrize("q", [0.0, -1.0, math.nan, math.inf, "1"])
def test_variances_that_are_none_are_refused(phi, q):
    for of in (
        phi.moments,
        lambda q: phi.gap(0.3, q),
        lambda q: phi.covariance(0.0, q, 1.0),
        lambda q: phi.comonotone(1.0, q),
    ):
        with pytest.raises(DomainError):
            of(q)


@pytest.mark.parametrize("phi", [TANH, ERF], ids=ids)
@pytest.mark.parametrize("k", [1.01, -1.01, math.nan])
def test_covariances_beyond_the_variances_are_refused(phi, k):
    torch = pytest.importorskip("torch")
    for given in (k, np.full((2, 2), k), torch.full((2,), k)):
        with pytest.raises(DomainError, match="covariance exceeds"):
            phi.covariance(given, 1.0, 1.0)


def test_rounding_beyond_the_variances_is_not():
    np.testing.assert_allclose(TANH.covariance(1 + 1e-12, 1.0, 1.0), TANH.moments(1.0).second, rtol=1e-14)


def test_a_strip_of_no_width_is_refused():
    with pytest.raises(DomainError, match="PiecewiseSmooth"):
        Smooth("kink", np.abs, np.sign, 0.0)


@pytest.mark.parametrize("strip", [5.0, 10.0, 100.0])
def test_a_strip_stated_too_wide_is_refused(strip):
    phi = Smooth("mine", np.tanh, TANH.slope, strip)
    for of in (phi.moments, lambda q: phi.comonotone(q, 1.0), lambda q: phi.gap(1.0, q)):
        with pytest.raises(DomainError, match=r"not as wide as stated|Hermite"):
            of(4.0)


@pytest.mark.parametrize("phi", FITTED, ids=ids)
def test_the_right_strip_and_slope_are_not_refused(phi):
    plain = Smooth("plain " + phi.name, phi.function, phi.slope, phi.strip)
    for q in (1e-12, 1e-3, 0.3, 1.0, 30.0):
        # both by the same sums, but for the Taylor series at small variances
        np.testing.assert_allclose(plain.moments(q).second, phi.moments(q).second, rtol=1e-13)


@pytest.mark.parametrize("factor", [2.0, 1 + 1e-7])
@pytest.mark.parametrize(
    ("function", "slope"),
    [(np.tanh, TANH.slope), (lambda x: 1 / (1 + x**2), lambda x: -2 * x / (1 + x**2) ** 2)],
    ids=["odd", "even"],
)
def test_a_wrong_slope_is_refused(function, slope, factor):
    assert Smooth("right", function, slope, 1.0).moments(1.0).slope_second > 0
    with pytest.raises(DomainError, match="slope is not the derivative"):
        Smooth("wrong", function, lambda x: factor * slope(x), 1.0).moments(1.0)


@pytest.mark.parametrize("beta", [1e10, 101.0, 9e-5, 1e-300])
def test_softplus_refuses_rates_that_are_a_ramp_or_a_line(beta):
    with pytest.raises(DomainError, match="relu"):
        softplus(beta)


@pytest.mark.parametrize("beta", [1e-4, 50.0, 100.0])
def test_softplus_of_extreme_rates_has_moments(beta):
    # β → ∞: E φ² = 1/2 + O(1/β²); β → 0: φ = ln 2/β + x/2 + O(β)
    near = 0.5 if beta > 1 else (math.log(2) / beta) ** 2
    np.testing.assert_allclose(softplus(beta).moments(1.0).second, near, rtol=1e-4)


@pytest.mark.parametrize("q", [1e300, 1.7e308])
def test_a_count_of_nodes_is_told_in_few_digits(q):
    plain = Smooth("plain erf", ERF.function, ERF.slope, math.inf)
    for of in (ERF.moments, plain.moments):
        with pytest.raises(DomainError, match="nodes") as error:
            of(q)
        assert len(error.value.found) < 100


@pytest.mark.parametrize("beta", [0.0, -1.0, math.nan, math.inf, True, "1"])
def test_softplus_refuses_what_is_no_rate(beta):
    with pytest.raises(DomainError, match="softplus"):
        softplus(beta)


def test_too_large_a_variance_for_the_series_is_refused():
    with pytest.raises(DomainError, match=r"q = 1e\+05.*Hermite coefficients") as error:
        TANH.gap(1.0, 1e5)
    assert error.value.cause.startswith("The variance is too large")

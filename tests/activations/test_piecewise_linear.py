"""Piecewise-linear activations: all expectations against 28-digit values, closed forms and identities."""

import itertools
import json
import math
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpdeep import ConvergenceError, DomainError, ValidityWarning
from gpdeep.activations.piecewise_linear import (
    PiecewiseLinear,
    crelu,
    cst,
    hard_tanh,
    relu6,
    relu_tau,
    soft_threshold,
)
from gpdeep.gaussian import ramp_covariance, ramp_moment, ramp_overlap, upper_orthant

REFERENCE = {
    name: entry
    for name, entry in json.loads((Path(__file__).parents[1] / "reference" / "activations.json").read_text())[
        "activations"
    ].items()
    if "t" in entry
}
MOMENTS = {
    "E_phi": "mean",
    "E_phi2": "second",
    "E_phi4": "fourth",
    "E_dphi2": "slope_second",
    "dE_phi2_dq": "d_second",
    "d2E_phi2_dq2": "d2_second",
    "dE_dphi2_dq": "d_slope_second",
}
# the sum of a few hundred positive terms, each of relative error 2 units; of d2_second, a difference of such
MOMENT_RTOL = 1e-14
# gap: a difference whose terms exceed it 10 times at most here, each of relative error 1e-15
GAP_RTOL = 3e-14
ALL = [relu_tau(0.7), soft_threshold(0.4), crelu(1.0, 0.8), cst(1.2, 0.7), hard_tanh(), relu6(), crelu(-0.5, 2.0)]


def from_reference(entry):
    numbers = [tuple(map(float, entry[key])) for key in ("t", "c")]
    return PiecewiseLinear("reference", float(entry["a"]), float(entry["b"]), *numbers)


def exact_angle(rho):
    with mp.workdps(40):
        deficit = mp.mpf(rho[2:]) if rho.startswith("1-") else 1 - mp.mpf(rho)
        return float(2 * mp.asin(mp.sqrt(deficit / 2)))


def gap_by_closed_form(phi, theta, q1, q2):
    """E φ(√q₁ z)φ(√q₂ z) - E φ(u)φ(v) from the bivariate normal distribution: absolute accuracy only."""
    s1, s2 = math.sqrt(q1), math.sqrt(q2)

    def covariance(rho):
        k = rho * s1 * s2
        total = phi.a**2 + phi.b**2 * k
        for t, c in zip(phi.t, phi.c, strict=True):
            total += phi.a * c * (s1 * ramp_moment(1, t / s1) + s2 * ramp_moment(1, t / s2))
            total += phi.b * c * k * (ramp_moment(0, t / s1) + ramp_moment(0, t / s2))
            for t2, c2 in zip(phi.t, phi.c, strict=True):
                total += c * c2 * s1 * s2 * ramp_covariance(t / s1, t2 / s2, rho)
        return total

    return covariance(1.0) - covariance(math.cos(theta))


# ---------------------------------------------------------------------- against the reference


@pytest.mark.parametrize("name", REFERENCE)
def test_moments_have_relative_accuracy(name):
    phi = from_reference(REFERENCE[name])
    for values in REFERENCE[name]["values"]:
        moments = phi.moments(float(values["q"]))
        for key, field in MOMENTS.items():
            exact = float(values[key])
            # odd φ have E φ = 0, reached up to the rounding of its two halves
            atol = 1e-16 if abs(exact) < 1e-20 else 0
            np.testing.assert_allclose(getattr(moments, field), exact, rtol=MOMENT_RTOL, atol=atol, err_msg=field)


@pytest.mark.parametrize("name", REFERENCE)
def test_gaps_have_relative_accuracy_down_to_one_minus_1e12(name):
    phi = from_reference(REFERENCE[name])
    for values in REFERENCE[name]["values"]:
        q, pairs = float(values["q"]), values["pairs"]
        theta = np.array([exact_angle(pair["rho"]) for pair in pairs])
        exact = np.array([float(pair["deficit"]) for pair in pairs])
        np.testing.assert_allclose(phi.gap(theta, q), exact, rtol=GAP_RTOL, atol=0)
        np.testing.assert_allclose(phi.gap(theta, q, q), exact, rtol=GAP_RTOL, atol=0)
        slopes = np.array([float(pair["E_dphi_dphi"]) for pair in pairs])
        np.testing.assert_allclose(phi.slope_product(theta, q), slopes, rtol=0, atol=2e-15)


@pytest.mark.parametrize("name", REFERENCE)
def test_covariances_have_absolute_accuracy(name):
    phi = from_reference(REFERENCE[name])
    for values in REFERENCE[name]["values"]:
        q, pairs = float(values["q"]), values["pairs"]
        k = np.array([float(q * (1 - 2 * np.sin(exact_angle(pair["rho"]) / 2) ** 2)) for pair in pairs])
        exact = np.array([float(pair["E_phi_phi"]) for pair in pairs])
        size = float(values["E_phi2"])
        np.testing.assert_allclose(phi.covariance(k, q, q), exact, rtol=0, atol=2e-15 * max(1, size))
        table = phi.covariance(np.tile(k, 1000), q, q)  # many entries of one variance go by a table
        np.testing.assert_allclose(table[: len(k)], exact, rtol=0, atol=4e-15 * max(1, size))
        slopes = np.array([float(pair["E_dphi_dphi"]) for pair in pairs])
        # the correlation has an error of 1e-16, and the slopes have its square root
        np.testing.assert_allclose(phi.slope_covariance(k, q, q), slopes, rtol=0, atol=2e-8)
        inner = k < 0.95 * q
        np.testing.assert_allclose(phi.slope_covariance(k, q, q)[inner], slopes[inner], rtol=0, atol=4e-15)


def test_a_wrong_jump_fails_the_same_comparison():
    entry = REFERENCE["crelu(tau=1.0,m=1.0)"]
    phi = PiecewiseLinear("wrong", 0.0, 0.0, (1.0, 2.0), (1.0, -1.0 - 1e-11))
    values = entry["values"][0]
    assert abs(phi.moments(float(values["q"])).second / float(values["E_phi2"]) - 1) > MOMENT_RTOL
    pair = values["pairs"][-1]
    relu = PiecewiseLinear("relu", t=(0.0,), c=(1.0,))
    assert abs(relu.gap(exact_angle(pair["rho"]), 1.0) / float(pair["deficit"]) - 1) > GAP_RTOL


def test_one_minus_correlation_has_no_digits_left_where_the_gap_has_all():
    entry = REFERENCE["crelu(tau=1.0,m=1.0)"]["values"][1]
    pair = entry["pairs"][-1]
    phi, theta, q = crelu(1.0, 1.0), exact_angle(pair["rho"]), float(entry["q"])
    subtracted = phi.moments(q).second - phi.covariance(q * np.cos(theta), q, q)
    assert abs(subtracted / float(pair["deficit"]) - 1) > 1e-5
    np.testing.assert_allclose(phi.gap(theta, q), float(pair["deficit"]), rtol=GAP_RTOL, atol=0)


# ---------------------------------------------------------------------- unequal variances


@pytest.mark.parametrize("phi", ALL, ids=lambda phi: phi.name)
@pytest.mark.parametrize(("q1", "q2"), [(0.5, 2.0), (1.0, 1.0 + 1e-9), (3.0, 0.2)])
def test_gap_of_unequal_variances_agrees_with_the_closed_form(phi, q1, q2):
    for theta in (0.1, 0.8, 1.9, 3.0):
        # the closed form sums up to 16 terms of at most (1 + h²)(1 + k²) each
        size = max(1.0, *(t * t for t in phi.t)) * max(q1, q2)
        expected = gap_by_closed_form(phi, theta, q1, q2)
        np.testing.assert_allclose(phi.gap(theta, q1, q2), expected, rtol=0, atol=2e-14 * size)
        whole = phi.comonotone(q1, q2) - expected
        k = math.cos(theta) * math.sqrt(q1 * q2)
        np.testing.assert_allclose(phi.covariance(k, q1, q2), whole, rtol=0, atol=2e-14 * size)


@pytest.mark.parametrize("theta", [1e-6, 1e-3, 0.1])
def test_gap_of_unequal_variances_has_relative_accuracy(theta):
    phi, q1, q2 = crelu(1.0, 0.8), 0.9, 1.4
    with mp.workdps(25):
        s1, s2 = mp.sqrt(mp.mpf(q1)), mp.sqrt(mp.mpf(q2))
        knots, jumps = [mp.mpf(t) for t in phi.t], (1, -1)

        def slopes(t):  # E φ'(u)φ'(v) at the angle t
            def inner(z):
                mean, spread = z * mp.cos(t), mp.sin(t)
                return sum(c * mp.ncdf((mean - x / s2) / spread) for x, c in zip(knots, jumps, strict=True))

            mid = [x / (s2 * mp.cos(t)) for x in knots]
            width = mp.tan(t) if t < 1.4 else mp.mpf(1)
            low, high = knots[0] / s1, knots[1] / s1
            inside = [m + w * width for m in mid for w in (-6, -2, 0, 2, 6)]
            ends = sorted({low, high, *(x for x in inside if low < x < high)})
            return mp.quad(lambda z: mp.npdf(z) * inner(z), ends, method="gauss-legendre", maxdegree=4)

        theta = mp.mpf(theta)
        gap = s1 * s2 * mp.quad(lambda t: slopes(t) * mp.sin(t), [0, theta], method="gauss-legendre", maxdegree=4)
    np.testing.assert_allclose(phi.gap(float(theta), q1, q2), float(gap), rtol=1e-12, atol=0)


def test_comonotone_and_difference_against_quadrature():
    z, w = np.polynomial.legendre.leggauss(60)
    for phi in ALL:
        q1, q2, f = 0.7, 1.9, 0.8
        knots = sorted({0.0, -12.0, 12.0, -4.0, 4.0, *(t / math.sqrt(q) for t in phi.t for q in (q1, q2))})
        total = difference = 0.0
        for low, high in itertools.pairwise(knots):
            x = (low + high) / 2 + (high - low) / 2 * z
            weight = w * (high - low) / 2 * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
            one, two = phi(math.sqrt(q1) * x), phi(math.sqrt(q2) * x)
            total += np.sum(weight * one * two)
            difference += np.sum(weight * (two - f * one) ** 2)
        # leggauss's weights are good to 1e-13
        np.testing.assert_allclose(phi.comonotone(q1, q2), total, rtol=1e-12, atol=0)
        np.testing.assert_allclose(phi.difference_second(f, q1, q2), difference, rtol=1e-12, atol=0)


@pytest.mark.parametrize("phi", [*ALL, PiecewiseLinear("leaky", 0.0, 0.2, (0.0,), (0.8,))], ids=lambda phi: phi.name)
def test_difference_does_not_cancel_for_close_variances(phi):
    # φ(s₂z) - φ(s₁z) ≈ (s₂ - s₁) z φ'(s₁z): E of its square is (Δs)² E z²φ'², whose relative correction is O(Δs)
    q1, step = 1.3, 1e-9
    spread = step / (2 * math.sqrt(q1))
    z = np.linspace(-12, 12, 400_001)
    weight = np.exp(-z * z / 2) * (z[1] - z[0]) / math.sqrt(2 * math.pi)
    expected = spread**2 * np.sum(weight * (z * phi.derivative(math.sqrt(q1) * z)) ** 2)
    step = (q1 + step) - q1  # as the floats have it
    scale = (step / 1e-9) ** 2
    np.testing.assert_allclose(phi.difference_second(1.0, q1, q1 + step), expected * scale, rtol=1e-4, atol=0)
    assert phi.difference_second(1.0, q1, q1) == 0


# ---------------------------------------------------------------------- identities


@given(st.floats(0.05, 20), st.sampled_from(ALL))
def test_derivatives_in_q_agree_with_differences(q, phi):
    step = 1e-4 * q
    low, mid, high = (phi.moments(x) for x in (q - step, q, q + step))
    # central differences: step²/6 of the third derivative, which h^6 times the value bounds; rounding 1e-15/step
    scale = mid.second / q * (1 + (1 / q) ** 3)
    np.testing.assert_allclose((high.second - low.second) / (2 * step), mid.d_second, rtol=0, atol=1e-6 * scale)
    np.testing.assert_allclose(
        (high.d_second - low.d_second) / (2 * step), mid.d2_second, rtol=0, atol=1e-5 * scale / q
    )
    steeper = (high.slope_second - low.slope_second) / (2 * step)
    np.testing.assert_allclose(steeper, mid.d_slope_second, rtol=0, atol=1e-5 * scale / q)


@given(st.floats(0.01, 50), st.floats(0.1, 3))
def test_slope_of_the_variance_is_chi_where_phi_vanishes_at_its_kinks(q, tau):
    for phi in (relu_tau(tau), soft_threshold(tau)):
        moments = phi.moments(q)
        assert moments.d_second == moments.slope_second
    clipped = crelu(1.0, 1.0).moments(1.0)
    assert clipped.d_second < 0.9 * clipped.slope_second


@pytest.mark.parametrize("phi", ALL, ids=lambda phi: phi.name)
def test_scale_equivariance_to_the_last_bit(phi):
    wide, q = phi.scaled(2.0), 0.7
    one, two = phi.moments(q), wide.moments(4 * q)
    assert two.second == 4 * one.second
    assert two.slope_second == one.slope_second
    assert two.d2_second == one.d2_second / 4
    theta = np.array([1e-6, 0.5, 2.0, np.pi])
    np.testing.assert_array_equal(wide.gap(theta, 4 * q), 4 * phi.gap(theta, q))
    np.testing.assert_array_equal(wide(2 * theta), 2 * phi(theta))


@pytest.mark.parametrize("phi", ALL, ids=lambda phi: phi.name)
def test_remainder_and_gap_make_up_the_linear_term(phi):
    theta, q = np.array([0.01, 0.3, 1.0, 2.5, np.pi]), 1.3
    linear = q * phi.moments(q).slope_second * 2 * np.sin(theta / 2) ** 2
    np.testing.assert_allclose(phi.remainder(theta, q) + phi.gap(theta, q), linear, rtol=4e-15, atol=0)
    # Σ c² e^{-h²/2} √q² θ³/6π for small θ, with relative correction O(θ²); pairs of distinct kinks add e^{-1/θ²}
    small = 1e-4
    kappa = sum(c2 * math.exp(-t * t / (2 * q)) for t, c2 in phi.kinks)
    np.testing.assert_allclose(phi.remainder(small, q), q * kappa * small**3 / (6 * np.pi), rtol=1e-7, atol=0)


@pytest.mark.parametrize("phi", ALL, ids=lambda phi: phi.name)
def test_curvature_is_the_derivative_of_the_slopes(phi):
    # dE φ'φ'/dK = E φ''φ'', K = q cos θ; central differences of step 1e-5 are good to 1e-8
    theta, q, step = np.array([0.4, 1.1, 2.2]), 1.3, 1e-5
    slope = (phi.slope_product(theta + step, q) - phi.slope_product(theta - step, q)) / (2 * step)
    np.testing.assert_allclose(phi.curvature_product(theta, q), -slope / (q * np.sin(theta)), rtol=1e-6, atol=1e-8)
    assert phi.curvature_product(0.0, q) == np.inf


def test_gap_at_pi_of_an_odd_activation_is_twice_its_square():
    for phi in (cst(1.2, 0.7), soft_threshold(0.4), hard_tanh()):
        np.testing.assert_allclose(phi.gap(np.pi, 1.3), 2 * phi.moments(1.3).second, rtol=1e-14, atol=0)


@pytest.mark.parametrize(("m", "rtol"), [(2.0**-5, 1e-12), (2.0**-10, 2e-10)])
def test_close_kinks_cancel_no_worse_than_stated(m, rtol):
    # max(x-1,0) clipped at m: the gap is m² of its terms, so 1e-16/m² is lost
    theta, q = 1.0, 1.0
    phi = PiecewiseLinear("ramp", 0.0, 0.0, (1.0, 1.0 + m), (1.0, -1.0))
    with mp.workdps(30):
        # E φφ = ∫∫ P(X > s, Y > t) over [1, 1+m]²
        def p(s, t):
            return mp.quad(lambda x: mp.npdf(x) * mp.ncdf((mp.cos(1) * x - t) / mp.sin(1)), [s, s + 1, s + 4, s + 14])

        nodes = [(mp.mpf(1) - mp.sqrt(mp.mpf(3) / 5)) / 2, mp.mpf(1) / 2, (mp.mpf(1) + mp.sqrt(mp.mpf(3) / 5)) / 2]
        weights = [mp.mpf(5) / 18, mp.mpf(4) / 9, mp.mpf(5) / 18]
        both = (
            sum(
                v * w * p(1 + m * x, 1 + m * y)
                for x, v in zip(nodes, weights, strict=True)
                for y, w in zip(nodes, weights, strict=True)
            )
            * mp.mpf(m) ** 2
        )
        aligned = mp.quad(lambda z: min(z - 1, mp.mpf(m)) ** 2 * mp.npdf(z), [1, 1 + m, 2, 5, 14])
    np.testing.assert_allclose(phi.gap(theta, q), float(aligned - both), rtol=rtol, atol=0)


# ---------------------------------------------------------------------- the function


def by_clipping(name, x):
    """Plain definitions."""
    size, sign = np.abs(x), np.sign(x)
    return {
        "relu_tau:0.7": np.maximum(x - 0.7, 0),
        "st:0.4": sign * np.maximum(size - 0.4, 0),
        "crelu:1,0.8": np.minimum(np.maximum(x - 1.0, 0), 0.8),
        "cst:1.2,0.7": sign * np.minimum(np.maximum(size - 1.2, 0), 0.7),
        "hard_tanh": np.clip(x, -1, 1),
        "relu6": np.clip(x, 0, 6),
        "crelu:-0.5,2": np.minimum(np.maximum(x + 0.5, 0), 2.0),
    }[name]


@pytest.mark.parametrize("phi", ALL, ids=lambda phi: phi.name)
def test_dead_zones_are_zero_and_clipped_parts_flat_to_the_last_bit(phi):
    x = np.concatenate([np.random.default_rng(1).normal(size=20_000) * 3, phi.t, [0.0, -0.0, 1e300, -np.inf]])
    expected = by_clipping(phi.name, x)
    np.testing.assert_allclose(phi(x), expected, rtol=4e-16, atol=4e-16)
    flat = (phi.derivative(x) == 0) & np.isfinite(x)
    np.testing.assert_array_equal(phi(x)[flat], expected[flat])


def test_the_sum_of_ramps_would_not_be_zero_on_the_dead_zone():
    phi = cst(1.4395, 1.5343)
    x = np.linspace(-1.4, 1.4, 1001)
    ramps = phi.a + sum(c * np.maximum(x - t, 0) for t, c in zip(phi.t, phi.c, strict=True))
    assert (phi(x) == 0).all()
    assert (ramps == 0).mean() < 0.9
    # without the levels, too
    plain = PiecewiseLinear("plain", phi.a, 0.0, phi.t, phi.c)
    assert (plain(x) == 0).all()


def test_derivative_is_the_mean_at_a_kink():
    np.testing.assert_array_equal(crelu(1.0, 1.0).derivative([0.0, 1.0, 1.5, 2.0, 3.0]), [0, 0.5, 1, 0.5, 0])


def test_nan_is_not_silent():
    for phi in ALL:
        assert np.isnan(phi(np.nan))
        assert np.isnan(phi.derivative(np.nan))
    with pytest.raises(DomainError):
        ALL[0].moments(np.nan)
    with pytest.raises(DomainError):
        ALL[0].covariance([0.1, np.nan], 1.0, 1.0)


def test_float32_and_integers():
    phi = crelu(1.0, 1.0)
    assert phi(np.float32(1.5)).dtype == np.float32
    assert phi(np.array([0, 2, 9])).tolist() == [0.0, 1.0, 1.0]
    assert phi.moments(2).second == phi.moments(np.float32(2)).second == phi.moments(2.0).second
    assert isinstance(phi.moments(1.0).second, np.float64)
    assert phi.moments(np.ones((2, 3))).fourth.shape == (2, 3)
    assert phi.gap(np.ones((4, 1)), np.ones(3), 2.0).shape == (4, 3)


def test_tensors():
    torch = pytest.importorskip("torch", reason="the torch extra is not installed")
    k = np.linspace(-0.9, 1.2, 8)[:, None]
    q = np.array([1.5, 2.0, 3.0])
    for phi in (*ALL, PiecewiseLinear("leaky", 0.0, 0.2, (0.0,), (0.8,))):
        x = torch.linspace(-3, 3, 50, dtype=torch.float64)
        np.testing.assert_array_equal(phi(x).numpy(), phi(x.numpy()))
        np.testing.assert_array_equal(phi.derivative(x).numpy(), phi.derivative(x.numpy()))
        assert phi(x.float()).dtype == torch.float32
        for method in (phi.covariance, phi.slope_covariance):
            value = method(torch.tensor(k), 1.0, torch.tensor(q))
            assert isinstance(value, torch.Tensor)
            np.testing.assert_allclose(value.numpy(), method(k, 1.0, q), rtol=1e-13, atol=1e-15)


def test_affine_functions_work_everywhere():
    phi, theta = PiecewiseLinear("line", 0.5, 2.0), np.array([0.0, 1.0, np.pi])
    moments = phi.moments(3.0)
    # E (a + b√q z)^p
    np.testing.assert_allclose(
        [moments.mean, moments.second, moments.fourth],
        [0.5, 0.25 + 12, 0.5**4 + 6 * 0.25 * 12 + 3 * 144],
        rtol=4e-15,
        atol=0,
    )
    assert moments.slope_second == 4
    assert moments.d2_second == 0
    np.testing.assert_allclose(phi.gap(theta, 3.0), 12 * (1 - np.cos(theta)), rtol=1e-15, atol=0)
    np.testing.assert_array_equal(phi.remainder(theta, 3.0), 0)
    np.testing.assert_array_equal(phi.curvature_product(theta, 3.0), 0)
    np.testing.assert_array_equal(phi.slope_product(theta, 3.0), 4)
    np.testing.assert_allclose(phi.covariance(1.5, 3.0, 1.0), 0.25 + 6, rtol=1e-15, atol=0)
    assert phi.derivative_moment(2, 1.0) == 0
    assert not phi.kinks


def test_coincident_knots_are_merged_and_empty_ones_dropped():
    phi = PiecewiseLinear("merged", 0.0, 1.0, (1.0, 0.0, 1.0, 2.0), (0.5, -1.0, 0.5, 0.0))
    assert phi.t == (0.0, 1.0)
    assert phi.c == (-1.0, 1.0)
    assert cst(0.0, 1.0).t == (-1.0, 1.0)
    assert soft_threshold(0.0).linear
    assert PiecewiseLinear("relu", t=(0.0,), c=(1.0,)).homogeneous
    assert not relu_tau(1.0).homogeneous


@pytest.mark.parametrize(
    "arguments",
    [
        (0.0, 0.0, (), ()),
        (0.0, 0.0, (1.0,), ()),
        (math.nan, 0.0, (), ()),
        (0.0, 1.0, (math.inf,), (1.0,)),
        (0.0, 0.0, (1.0, 1.0), (1.0, -1.0)),
        (0.0, 1e60, (), ()),
        (0.0, 0.0, (1.0,), (1.0,), (0.5,)),
    ],
)
def test_what_is_no_activation_is_refused(arguments):
    with pytest.raises(DomainError):
        PiecewiseLinear("bad", *arguments)


@pytest.mark.parametrize(
    "make",
    [
        lambda: crelu(1.0, 0.0),
        lambda: crelu(math.nan, 1.0),
        lambda: crelu(1.0, 1e-20),
        lambda: cst(-1.0, 1.0),
        lambda: soft_threshold(-0.1),
        lambda: hard_tanh(math.inf),
        lambda: relu_tau(math.inf),
        lambda: hard_tanh().scaled(-1.0),
        lambda: hard_tanh().moments(0.0),
        lambda: hard_tanh().gap(4.0, 1.0),
        lambda: hard_tanh().covariance(2.0, 1.0, 1.0),
    ],
)
def test_parameters_out_of_range_are_refused(make):
    with pytest.raises(DomainError):
        make()


# ---------------------------------------------------------------------- close kinks


def gap_of_a_sharp_step(x, theta):
    """Q(x) - P(X > x, Y > x) at an angle: what the gap of a ramp of height m at x tends to, over m²."""
    with mp.workdps(30):
        return float(mp.quad(lambda t: mp.exp(-(mp.mpf(x) ** 2) / (1 + mp.cos(t))), [0, theta]) / (2 * mp.pi))


# relative to m² the gap is that of a step at the middle of the ramp, less the part of the cusp, which is 0.09 m (below)
@pytest.mark.parametrize("m", [1e-3, 1e-4, 1e-6, 1e-8, 1e-12])
def test_gap_of_a_narrow_ramp_is_that_of_a_step(m):
    expected = gap_of_a_sharp_step(0.3, 1.0)
    np.testing.assert_allclose(crelu(0.3, m).gap(1.0, 1.0) / m**2, expected, rtol=m, atol=1e-15)
    assert abs(expected - 0.15152) < 1e-5


def test_gap_of_a_line_with_a_step_is_the_sum_of_the_two():
    # x + 1[x > 0]: V + 2 V f(0) + θ/2π, V = 1 - cos θ; the step of width 1e-9 is wrong by its cusp, 1e-9
    phi = PiecewiseLinear("step", 0.0, 1.0, (0.0, 1e-9), (1e9, -1e9))
    versine = 1 - math.cos(1.0)
    expected = versine * (1 + 2 / math.sqrt(2 * math.pi)) + 1 / (2 * math.pi)
    np.testing.assert_allclose(phi.gap(1.0, 1.0), expected, rtol=2e-9, atol=0)
    # E φ'φ' = 1 + 2 f(0) + f₂(0, 0), relative correction 1e-9
    slopes = 1 + 2 / math.sqrt(2 * math.pi) + 1 / (2 * math.pi * math.sin(1.0))
    np.testing.assert_allclose(phi.slope_product(1.0, 1.0), slopes, rtol=2e-9, atol=0)
    # K + 2 K f(0) + P(X > 0, Y > 0)
    k = math.cos(1.0)
    covariance = k * (1 + 2 / math.sqrt(2 * math.pi)) + 0.25 + math.asin(k) / (2 * math.pi)
    np.testing.assert_allclose(phi.covariance(k, 1.0, 1.0), covariance, rtol=2e-9, atol=0)


@pytest.mark.parametrize("m", [0.0149, 1e-4, 1e-9])
def test_gap_at_pi_of_a_narrow_hard_tanh_is_twice_its_square(m):
    # and near π, where x = -y has a layer: gap(θ) = 2 E φ² - gap(π - θ) for odd φ
    phi = hard_tanh(m)
    twice = 2 * phi.moments(1.0).second
    np.testing.assert_allclose(phi.gap(np.pi, 1.0), twice, rtol=1e-13, atol=0)
    theta = np.pi - m * np.array([0.1, 0.5, 2.0, 8.0])
    np.testing.assert_allclose(phi.gap(theta, 1.0), twice - phi.gap(np.pi - theta, 1.0), rtol=1e-12, atol=0)


@pytest.mark.parametrize("phi", [crelu(1.0, 0.029), cst(1.0, 0.029), hard_tanh(0.029)], ids=lambda phi: phi.name)
def test_steps_and_pairs_of_kinks_agree_where_both_have_digits(phi):
    # pairs lose 1e-16/0.029² = 1e-13 of the largest of some ten terms, each up to 1/θ wider
    theta = np.array([0.029, 0.05, 0.4, 1.0, 2.0])
    plain = PiecewiseLinear("plain", phi.a, phi.b, phi.t, phi.c)
    plain.__dict__["narrow_steps"] = None
    for other in (1.0, 1.3):
        np.testing.assert_allclose(phi.gap(theta, 1.0, other), plain.gap(theta, 1.0, other), rtol=1e-11, atol=0)
    np.testing.assert_allclose(phi.remainder(theta, 1.0), plain.remainder(theta, 1.0), rtol=1e-12, atol=0)
    np.testing.assert_allclose(phi.slope_product(theta, 1.0), plain.slope_product(theta, 1.0), rtol=1e-11, atol=0)


def test_pairs_of_kinks_alone_would_be_wrong_and_say_so():
    plain = PiecewiseLinear("plain", 0.0, 0.0, (0.3, 0.3 + 1e-8), (1.0, -1.0))
    plain.__dict__["narrow_steps"] = None
    total, size = plain._over_pairs(ramp_overlap, np.array(1.0), np.array(1.0), np.array(1.0), True)
    straight = plain._aligned_slopes(1.0, None) * (1 - math.cos(1.0))
    assert abs((straight - total) / 1e-16 / gap_of_a_sharp_step(0.3, 1.0) - 1) > 1e-3
    assert np.finfo(float).eps * size > 1e-3 * 1e-16  # what the check sees
    with pytest.raises(ConvergenceError, match="cancel"):
        plain.gap(1.0, 1.0)
    with pytest.warns(ValidityWarning, match="cancel"):
        plain.slope_product(1.0, 1.0)
    with pytest.raises(ConvergenceError, match="cancel"):
        plain.covariance(0.5, 1.0, 1.0)


def test_close_kinks_that_are_no_steps_warn_before_they_are_refused():
    def ramp(w):  # a ReLU at 1 with a step at 0
        return PiecewiseLinear("two", 0.0, 0.0, (0.0, w, 1.0), (1 / w, -1 / w, 1.0))

    ramp(1e-2).gap(1.0, 1.0)
    with pytest.warns(ValidityWarning, match="cancel"):
        ramp(1e-5).gap(1.0, 1.0)
    with pytest.warns(ValidityWarning, match="cancel"):
        ramp(1e-5).covariance(0.5, 1.0, 1.0)
    for call in (lambda phi: phi.gap(1.0, 1.0), lambda phi: phi.covariance(0.5, 1.0, 1.0)):
        with pytest.raises(ConvergenceError, match="Move the kinks apart"):
            call(ramp(1e-9))


def test_covariance_of_a_narrow_ramp_is_that_of_a_step():
    # P(X > 0.3, Y > 0.3) m², relative correction O(m)
    expected = upper_orthant(0.3, 0.3, 0.5)
    np.testing.assert_allclose(crelu(0.3, 1e-8).covariance([0.5], 1.0, [1.0]) / 1e-16, expected, rtol=1e-7, atol=0)


@pytest.mark.parametrize(
    "arguments",
    [
        ("a", 0, 1, "x", "y"),
        ("a", 0, 1, 5, 5),
        ("a", None, 1),
        ("a", "0", 1),
        ("a", True, 1),
        (5, 0, 1),
        ("a", 0, 1, (None,), (1.0,)),
        ("a", 0, 1, (1e-300,), (1.0,)),
    ],
)
def test_what_is_no_number_or_a_knot_too_small_is_refused(arguments):
    with pytest.raises(DomainError):
        PiecewiseLinear(*arguments)
    with pytest.raises(DomainError):
        soft_threshold(1e-300)

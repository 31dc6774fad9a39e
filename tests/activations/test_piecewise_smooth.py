"""ELU, SELU and other functions with a kink, against mpmath and the closed forms of ramps."""

import json
import math
import warnings
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpdeep.activations.elu import elu, selu
from gpdeep.activations.piecewise_smooth import PiecewiseSmooth
from gpdeep.errors import DomainError

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "piecewise_smooth.json").read_text())
ACTIVATIONS = {"elu": elu(), "elu:0.5": elu(0.5), "selu": selu()}
CASES = [pytest.param(case, id=f"{case['name']}-{case['q']}") for case in REFERENCE["equal_variances"]]
UNEQUAL = [pytest.param(c, id=f"{c['name']}-{c['one_minus_rho']}") for c in REFERENCE["unequal_variances"]]


def angle(case):
    return 2 * math.asin(math.sqrt(float(case["one_minus_rho"]) / 2))


def ramp(tau):
    return PiecewiseSmooth(
        "ramp", lambda x: np.maximum(x - tau, 0), lambda x: (x > tau) * 1.0, np.zeros_like, (tau,), (1.0,)
    )


@pytest.mark.parametrize("case", CASES)
def test_moments(case):
    got = ACTIVATIONS[case["name"]].moments(float(case["q"]))
    for field in fields(got):
        # sums of 300 terms; the derivatives divide terms of size E φ² by q once or twice (q ≥ 1/4)
        want = float(case["moments"][field.name])
        np.testing.assert_allclose(getattr(got, field.name), want, rtol=1e-13, atol=3e-14, err_msg=field.name)


@pytest.mark.parametrize("case", CASES)
def test_gap_keeps_its_digits_at_any_angle(case):
    phi, q = ACTIVATIONS[case["name"]], float(case["q"])
    theta = np.array([angle(pair) for pair in case["pairs"]])
    gap = np.array([float(pair["gap"]) for pair in case["pairs"]])
    product = np.array([float(pair["slope_product"]) for pair in case["pairs"]])
    # E φ'φ' is interpolated to 1e-14 of E φ'²; the gap inherits that
    np.testing.assert_allclose(phi.gap(theta, q), gap, rtol=5e-14, atol=0)
    np.testing.assert_allclose(phi.slope_product(theta, q), product, rtol=0, atol=3e-14)


@pytest.mark.parametrize("case", CASES)
def test_remainder_keeps_its_digits_at_any_angle(case):
    phi, q = ACTIVATIONS[case["name"]], float(case["q"])
    theta = np.array([angle(pair) for pair in case["pairs"]])
    want = np.array([float(pair["remainder"]) for pair in case["pairs"]])
    np.testing.assert_allclose(phi.remainder(theta, q), want, rtol=1e-13, atol=0)


@pytest.mark.parametrize("case", CASES)
def test_covariance_one_by_one_and_by_table(case):
    phi, q = ACTIVATIONS[case["name"]], float(case["q"])
    for pair in case["pairs"]:
        k = q * (1 - float(pair["one_minus_rho"]))
        many = phi.covariance(np.full(30, k), q, q)
        # 1e-13 of E φ² ≤ 6 and of E φ'² ≤ 2; k itself is rounded, so E φ'φ' moves by up to √eps·c² near ρ = 1
        np.testing.assert_allclose([phi.covariance(k, q, q), many[0]], float(pair["covariance"]), rtol=0, atol=1e-13)
        if float(pair["one_minus_rho"]) >= 1e-3:
            slopes = [phi.slope_covariance(k, q, q), phi.slope_covariance(np.full(30, k), q, q)[7]]
            np.testing.assert_allclose(slopes, float(pair["slope_product"]), rtol=0, atol=1e-13)


@pytest.mark.parametrize("case", UNEQUAL)
def test_unequal_variances(case):
    phi, q1, q2 = ACTIVATIONS[case["name"]], float(case["q1"]), float(case["q2"])
    np.testing.assert_allclose(phi.gap(angle(case), q1, q2), float(case["gap"]), rtol=5e-14, atol=0)
    np.testing.assert_allclose(phi.slope_product(angle(case), q2, q1), float(case["slope_product"]), rtol=5e-14)
    np.testing.assert_allclose(phi.comonotone(q1, q2), float(case["comonotone"]), rtol=1e-13)


def test_a_smooth_rule_fails_where_the_split_one_holds():
    """Control: SELU with its knot left out misses the tolerance of the gap by far, and of E φ'² too."""
    phi = ACTIVATIONS["selu"]
    blind = PiecewiseSmooth("blind", phi.function, phi.slope, phi.curvature, (), (), (0.1,))
    case = next(c for c in REFERENCE["equal_variances"] if c["name"] == "selu" and c["q"] == "1.0")
    assert abs(blind.moments(1.0).slope_second / float(case["moments"]["slope_second"]) - 1) > 1e-6
    blind_product = blind.slope_covariance(0.5, 1.0, 1.0)
    want = next(float(p["slope_product"]) for p in case["pairs"] if p["one_minus_rho"] == "0.5")
    assert abs(blind_product - want) > 1e-7


@pytest.mark.parametrize("name", REFERENCE["piecewise_linear"])
def test_piecewise_linear_functions_given_as_functions(name):
    entry = REFERENCE["piecewise_linear"][name]
    t, c = (np.array([float(x) for x in entry[key]]) for key in "tc")
    a, b = float(entry["a"]), float(entry["b"])
    slopes = np.append(b, b + np.cumsum(c))
    phi = PiecewiseSmooth(
        name,
        lambda x: a + b * x + np.maximum(x[..., None] - t, 0) @ c,
        lambda x: slopes[np.searchsorted(t, x)],
        np.zeros_like,
        tuple(t),
        tuple(c),
    )
    (values,) = entry["values"]
    m = phi.moments(1.0)
    names = ["E_phi", "E_phi2", "E_phi4", "E_dphi2", "dE_phi2_dq", "d2E_phi2_dq2", "dE_dphi2_dq"]
    # the sum of ramps is rounded to eps (|t| + |x|) on the dead zone, 1e-15 of which shows where E φ = 0
    for field, key in zip(fields(m), names, strict=True):
        np.testing.assert_allclose(getattr(m, field.name), float(values[key]), rtol=1e-13, atol=1e-15, err_msg=key)
    for pair in values["pairs"]:
        lost = pair["rho"].removeprefix("1-") if pair["rho"].startswith("1-") else 1 - float(pair["rho"])
        theta = 2 * math.asin(math.sqrt(float(lost) / 2))
        np.testing.assert_allclose(phi.gap(theta, 1.0), float(pair["deficit"]), rtol=5e-14, atol=0)
        np.testing.assert_allclose(phi.slope_product(theta, 1.0), float(pair["E_dphi_dphi"]), rtol=0, atol=1e-14)


@pytest.mark.parametrize("tau", [0.0, 1.0, -0.7])
@pytest.mark.parametrize("theta", [1e-6, 0.3, 1.5, 2.9])
def test_ramp_meets_the_integral_over_the_angle(tau, theta):
    # ∫ (cos t - cos θ) e(t) dt with e(t) = exp(-τ²/(2 cos²(t/2)))/2π is the remainder of (x - τ)_+ at q = 1
    half, t = np.polynomial.legendre.leggauss(80), None
    t = theta / 2 * (half[0] + 1)
    lift = 2 * np.sin((theta + t) / 2) * np.sin((theta - t) / 2)
    want = np.sum(theta / 2 * half[1] * lift * np.exp(-(tau**2) / (2 * np.cos(t / 2) ** 2))) / (2 * np.pi)
    phi = ramp(tau)
    np.testing.assert_allclose(phi.remainder(theta, 1.0), want, rtol=1e-12)
    full = phi.moments(1.0).slope_second * 2 * np.sin(theta / 2) ** 2
    np.testing.assert_allclose(phi.gap(theta, 1.0), full - want, rtol=1e-12)
    density = np.exp(-(tau**2) / (2 * np.cos(theta / 2) ** 2)) / (2 * np.pi * np.sin(theta))
    np.testing.assert_allclose(phi.curvature_product(theta, 1.0), density, rtol=1e-12)


@given(st.floats(0.05, 3.0), st.floats(0.2, 3.0))
@settings(max_examples=10, deadline=None)
def test_curvature_product_is_the_derivative_of_the_slope_product(theta, alpha):
    # dP/dt = -q sin t E φ''φ''; a five-point difference of step 1e-3 errs by 1e-12 and rounds to 1e-11 of it
    q, h, phi = 1.0, 1e-3, elu(round(alpha, 1))
    p = phi.slope_product(theta + h * np.array([-2, -1, 1, 2]), q)
    slope = (p[0] - 8 * p[1] + 8 * p[2] - p[3]) / (12 * h)
    np.testing.assert_allclose(-q * np.sin(theta) * phi.curvature_product(theta, q), slope, rtol=0, atol=1e-10)


def test_angle_zero_and_pi():
    phi = selu()
    assert phi.gap(0.0, 1.0) == 0
    assert phi.curvature_product(0.0, 1.0) == np.inf
    assert phi.curvature_product(np.pi, 1.0) == np.inf  # both knots are 0, and v = -u
    assert math.isfinite(ramp(1.0).curvature_product(np.pi, 1.0))
    np.testing.assert_allclose(phi.slope_product(0.0, 1.0), phi.moments(1.0).slope_second, rtol=1e-14)
    np.testing.assert_allclose(elu().curvature_product(0.0, 1.0), elu().derivative_moment(2, 1.0), rtol=1e-14)


def test_derivative_moments_end_at_the_jump():
    q = np.array([0.5, 2.0])
    np.testing.assert_array_equal(elu().derivative_moment(0, q), elu().moments(q).second)
    # E φ''² of ELU is E e^{2x} 1_{x<0} = e^{2q} Φ(-2√q)
    want = [math.exp(2 * v) * math.erfc(2 * math.sqrt(v / 2)) / 2 for v in q]
    np.testing.assert_allclose(elu().derivative_moment(2, q), want, rtol=1e-14)
    assert np.isinf(elu().derivative_moment(3, q)).all()
    assert np.isinf(selu().derivative_moment(2, 1.0))
    cosine = PiecewiseSmooth("sin", np.sin, np.cos, lambda x: -np.sin(x))
    # E cos² = (1 + e^{-2q})/2; each numerical derivative costs two digits
    np.testing.assert_allclose(cosine.derivative_moment(3, 1.0), (1 + math.exp(-2)) / 2, rtol=1e-11)
    np.testing.assert_allclose(cosine.derivative_moment(4, 1.0), (1 - math.exp(-2)) / 2, rtol=1e-9)


@pytest.mark.parametrize("step", [1e-12, 1e-7, 1e-3, 0.3])
def test_difference_of_two_variances_does_not_cancel(step):
    # ReLU: (√q₂ - f √q₁)²/2 with √q₂ - √q₁ and 1 - f formed without subtraction
    q2, f = 1.0 + step, 1.0
    d = (q2 - 1.0) / (math.sqrt(q2) + 1)
    np.testing.assert_allclose(ramp(0.0).difference_second(f, 1.0, q2), d**2 / 2, rtol=1e-12)
    # ELU: to the first order d² E(zφ')², whose next term is d times smaller
    if step <= 1e-7:
        z = np.linspace(-9, 9, 200001)
        flow = np.sum((z * elu().derivative(z)) ** 2 * np.exp(-(z**2) / 2)) * (z[1] - z[0]) / math.sqrt(2 * math.pi)
        np.testing.assert_allclose(elu().difference_second(1.0, 1.0, q2), d**2 * flow, rtol=1e-6)
    np.testing.assert_allclose(elu().difference_second(0.5, 1.0, 1.0), elu().moments(1.0).second / 4, rtol=1e-13)


@pytest.mark.parametrize(
    ("phi", "name", "parameters"), [(elu(), "ELU", ()), (elu(0.5), "ELU", (0.5,)), (selu(), "SELU", ())]
)
def test_same_function_as_in_torch(phi, name, parameters):
    torch = pytest.importorskip("torch", reason="its function is the other one")
    x = torch.linspace(-800, 800, 1601, dtype=torch.float64, requires_grad=True)
    y = getattr(torch.nn, name)(*parameters)(x)
    y.sum().backward()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = phi(x.detach())
        array = phi(x.detach().numpy())
    np.testing.assert_allclose(ours, y.detach(), rtol=1e-15, atol=1e-300)
    np.testing.assert_allclose(array, y.detach(), rtol=1e-15)
    away = x.detach() != 0
    np.testing.assert_allclose(phi.derivative(x.detach())[away], x.grad[away], rtol=1e-14, atol=1e-300)
    assert phi(torch.ones(2, dtype=torch.float32)).dtype == torch.float32


def test_slope_at_the_kink_is_the_mean_of_both_sides():
    # one-sided slopes are read 1e-9 beside the kink
    np.testing.assert_allclose(elu(0.5).derivative(np.array([0.0])), [0.75], rtol=1e-8)
    np.testing.assert_allclose(ramp(1.0).derivative(1.0), 0.5, rtol=0)


def test_tensors_come_back_as_tensors():
    torch = pytest.importorskip("torch", reason="tensors are asked for")
    k = torch.tensor([[1.0, 0.2], [0.2, 2.0]], dtype=torch.float64)
    q = torch.tensor([1.0, 2.0], dtype=torch.float64)
    got = elu().covariance(k, q[:, None], q[None, :])
    assert isinstance(got, torch.Tensor)
    want = elu().covariance(k.numpy(), q.numpy()[:, None], q.numpy()[None, :])
    np.testing.assert_array_equal(got.numpy(), want)
    np.testing.assert_allclose(np.diag(want), elu().moments(np.array([1.0, 2.0])).second, rtol=1e-13)


def test_variances_of_any_kind_and_shape():
    m = elu().moments(np.array([[1, 2, 3]], dtype=np.int64))
    assert m.second.shape == (1, 3)
    assert m.second.dtype == np.float64
    assert isinstance(elu().gap(1, 2), np.float64)
    assert elu().gap(np.ones((4, 1)), np.array([1.0, 2.0]), 1.5).shape == (4, 2)


@given(st.floats(0.01, 50))
@settings(max_examples=20, deadline=None)
def test_derivatives_in_q_are_differences(q):
    m, h = selu().moments(q), 1e-3 * q
    low, high = selu().moments(q - h), selu().moments(q + h)
    # second-order differences: h²/6 of the third derivative, and rounding 1e-13/1e-3
    np.testing.assert_allclose(m.d_second, (high.second - low.second) / (2 * h), rtol=1e-5)
    np.testing.assert_allclose(m.d2_second, (high.d_second - low.d_second) / (2 * h), rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(m.d_slope_second, (high.slope_second - low.slope_second) / (2 * h), rtol=1e-4)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, "1"])
def test_bad_variances_are_refused(bad):
    with pytest.raises(DomainError, match="positive"):
        elu().moments(bad)
    with pytest.raises(DomainError, match="positive"):
        elu().gap(1.0, bad)


def test_covariance_beyond_cauchy_schwarz_is_refused():
    with pytest.raises(DomainError, match="exceeds"):
        elu().covariance(1.1, 1.0, 1.0)
    with pytest.raises(DomainError, match="exceeds"):
        elu().covariance(np.nan, 1.0, 1.0)


def test_growth_and_span_are_refused():
    wild = PiecewiseSmooth("wild", lambda x: np.exp(x**2), lambda x: 2 * x * np.exp(x**2), lambda x: x, span=(-26, 26))
    with pytest.raises(DomainError, match="infinite"):
        wild.moments(1.0)
    assert math.isfinite(wild.moments(0.1).second)
    assert np.isinf(wild.moments(0.2).fourth)
    narrow = PiecewiseSmooth("narrow", np.sin, np.cos, np.sin, span=(-10, 10))
    with pytest.raises(DomainError, match="span"):
        narrow.moments(4.0)


@pytest.mark.parametrize(("knots", "jumps"), [((0.0,), ()), ((np.nan,), (1.0,)), ((1.0, 0.0), (1.0, 1.0))])
def test_bad_knots_are_refused(knots, jumps):
    with pytest.raises(DomainError, match="knots"):
        PiecewiseSmooth("bad", np.abs, np.sign, np.zeros_like, knots, jumps)


@pytest.mark.parametrize("alpha", [np.nan, np.inf, "1", True])
def test_bad_alpha_is_refused(alpha):
    with pytest.raises(DomainError, match="alpha"):
        elu(alpha)

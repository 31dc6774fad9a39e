"""The infinite-width angle map: all digits from 1e-300 to π, for every kink."""

import json
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpdeep.activations import activation
from gpdeep.gaussian import angle_map, log_sin2_next, one_minus_cos_next

EPS = np.finfo(np.float64).eps
FILE = Path(__file__).parents[1] / "reference" / "infinite_width_map.json"
REFERENCE = json.loads(FILE.read_text())["values"]
KINKS = [0.0, 1e-9, 0.3, 0.9, 1.0, 1.3, 2 - 1e-12, 2.0]
# rounding: 2.8 units from A at ψ = π/2, the rest some 4 operations of half a unit each; squared in 1 - cos θ'
RTOL = {angle_map: 5 * EPS, one_minus_cos_next: 9 * EPS, log_sin2_next: 12 * EPS}


def exact(theta, r, digits=60):
    """(θ', 1 - cos θ', ln sin² θ', cos θ') from the displayed formula in many digits."""
    extra = 650 if theta < 1e-90 else 330 if theta > 3.14 else 0  # θ² cancels from 1, cos² from ln(1 - cos²)
    with mp.workdps(digits + extra):
        t = mp.mpf(float(theta))
        cosine = mp.cos(t) + mp.mpf(float(r)) / mp.pi * (mp.sin(t) - t * mp.cos(t))
        gap = 1 - cosine
        angle = 2 * mp.atan2(mp.sqrt(gap), mp.sqrt(2 - gap))
        return {
            angle_map: angle,
            one_minus_cos_next: gap,
            log_sin2_next: mp.log1p(-(cosine**2)) if gap > 0.5 else mp.log(gap) + mp.log(2 - gap),
            "cosine": cosine,
        }


def relative_error(value, expected):
    with mp.workdps(40):
        return abs(float(mp.mpf(float(value)) / expected - 1))


@pytest.mark.parametrize("text", [text for text in REFERENCE if float(text) <= 2.5])
def test_relu_agrees_with_28_digit_values(text):
    names = {"theta_next": angle_map, "one_minus_cos_next": one_minus_cos_next, "ln_sin2_next": log_sin2_next}
    for name, function in names.items():
        # the float is within half a unit of the decimal, which ln sin² near π/2 amplifies by θ·d ln/dθ < 6
        assert relative_error(function(float(text)), mp.mpf(REFERENCE[text][name])) < RTOL[function] + 12 * EPS


@pytest.mark.parametrize("function", RTOL)
@pytest.mark.parametrize("r", KINKS)
@pytest.mark.parametrize(
    "theta",
    [1e-150, 1e-12, 1e-3, 0.7, 1.5, np.pi / 2, np.nextafter(np.pi / 2, 2), 1.73, 2.4, 3.1, np.pi - 1e-9],
)
def test_every_kink_agrees_with_mpmath(function, r, theta):
    reference = exact(theta, r)
    expected = reference[function]
    error = max(
        relative_error(function(float(theta), r), expected),
        relative_error(function(np.array([theta]), r)[0], expected),
    )
    if function is log_sin2_next and r < 1 and theta > np.pi / 2:
        # cos θ' changes sign: its absolute error of 2 units is relative to its size
        cosine = abs(float(reference["cosine"]))
        assert error * abs(float(expected)) < RTOL[function] * max(abs(float(expected)), cosine)
    else:
        assert error < RTOL[function]


@pytest.mark.parametrize("function", [angle_map, log_sin2_next])
def test_angle_of_1e_minus_300_keeps_its_digits(function):
    reference = exact(1e-300, 1.0)
    assert relative_error(function(1e-300), reference[function]) < RTOL[function]


def test_one_minus_cosine_underflows_quietly():
    assert one_minus_cos_next(1e-300) == 0.0
    np.testing.assert_array_equal(one_minus_cos_next(np.array([1e-300])), [0.0])


def test_iterating_the_cosine_instead_fails():
    theta = 1e-6
    c = np.cos(theta)
    next_cosine = (np.sqrt(1 - c * c) + (np.pi - np.arccos(c)) * c) / np.pi
    assert relative_error(np.arccos(next_cosine), exact(theta, 1.0)[angle_map]) > 1e6 * RTOL[angle_map]


def test_relus_formula_does_not_serve_another_kink():
    assert relative_error(angle_map(1.0), exact(1.0, 0.9)[angle_map]) > 1e-3


@pytest.mark.parametrize("r", KINKS)
def test_scalars_and_arrays_agree(r):
    theta = np.concatenate([[0.0, 1e-300, np.pi], np.linspace(0, np.pi, 101)])
    for function, rtol in RTOL.items():
        one_by_one = [function(float(t), r) for t in theta]
        # both are within rtol of the exact value; for r < 1, ln sin² near its root within that of 1
        atol = 2 * EPS if r < 1 else 0
        np.testing.assert_allclose(function(theta, r), one_by_one, rtol=2 * rtol, atol=atol)


@pytest.mark.parametrize(("r", "at_pi"), [(0.0, np.pi), (1.0, np.pi / 2), (2.0, 0.0)])
def test_ends_are_exact(r, at_pi):
    np.testing.assert_array_equal(angle_map(np.array([0.0, np.pi]), r), [0.0, at_pi])
    assert angle_map(0.0, r) == 0.0
    assert angle_map(np.pi, r) == at_pi
    np.testing.assert_array_equal(one_minus_cos_next(np.array([0.0, np.pi]), r), [0.0, 2 - r])
    expected = [-np.inf, 0.0 if r == 1 else -np.inf]
    np.testing.assert_array_equal(log_sin2_next(np.array([0.0, np.pi]), r), expected)
    assert [log_sin2_next(0.0, r), log_sin2_next(np.pi, r)] == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(theta=st.floats(1e-300, np.pi))
def test_linear_activation_keeps_the_angle(theta):
    assert abs(angle_map(theta, 0.0) / theta - 1) < RTOL[angle_map]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(theta=st.floats(1e-300, np.pi))
def test_absolute_value_does_not_see_the_sign(theta):
    # θ and π - θ have the same image; the float π - θ is off by 2^-52 at most, and the slope is below 1
    np.testing.assert_allclose(
        angle_map(np.pi - theta, 2.0), angle_map(theta, 2.0), rtol=2 * RTOL[angle_map], atol=2 * EPS
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(theta=st.floats(1e-6, np.pi), r=st.floats(0.01, 2.0))
def test_a_kink_shrinks_every_angle(theta, r):
    assert 0 <= angle_map(theta, r) < theta


def test_small_angles_shrink_by_the_first_order_term():
    # θ' = θ - rθ²/(3π) + O(θ³): the slope of the residual in log-log is 3
    theta = np.array([1e-2, 1e-3])
    for r in (0.5, 1.0, 2.0):
        residual = np.abs(angle_map(theta, r) - theta + r * theta**2 / (3 * np.pi))
        assert abs(np.log10(residual[0] / residual[1]) - 3) < 0.1


@pytest.mark.parametrize("name", ["relu", "leaky_relu:0.1", "prelu:0.25", "abs", "identity"])
def test_kink_of_an_activation_is_the_parameter(name):
    """cos θ' = E[φ(G)φ(W)]/E[φ²] from its definition, by the trapezoidal rule over the polar angle."""
    phi, theta = activation(name), 1.1
    turn = 2 * np.pi * (np.arange(200_000) + 0.5) / 200_000
    product = phi(np.cos(turn)) * phi(np.cos(turn - theta))
    cosine = product.mean() / (phi(np.cos(turn)) ** 2).mean()
    # kinks of the integrand: the rule is of second order, (2π/N)² · |jump of φφ'|/12 ~ 1e-10
    np.testing.assert_allclose(1 - one_minus_cos_next(theta, phi.kink), cosine, rtol=0, atol=1e-9)


def test_a_thousand_layers_keep_their_digits():
    theta = np.pi / 2
    with mp.workdps(40):
        exact_angle = mp.mpf(theta)
        for _ in range(1000):
            theta = angle_map(theta)
            gap = 2 * mp.sin(exact_angle / 2) ** 2
            gap -= (mp.sin(exact_angle) - exact_angle * mp.cos(exact_angle)) / mp.pi
            exact_angle = 2 * mp.asin(mp.sqrt(gap / 2))
    # errors contract like θ_l/θ_k ~ k/l: their sum is at most L/2 of one step's, in truth far less
    assert relative_error(theta, exact_angle) < 500 * RTOL[angle_map]
    assert abs(theta * 1000 / (3 * np.pi) - 1) < 0.02  # 1/depth law, with its logarithmic correction


def test_inputs_of_all_kinds():
    assert isinstance(angle_map(1.0), np.float64)
    assert isinstance(angle_map(1), np.float64)
    assert angle_map(1) == angle_map(np.array([1.0]))[0]
    assert angle_map(np.float32(1)).dtype == np.float64
    assert angle_map(np.ones((2, 3))).shape == (2, 3)
    assert angle_map(np.float32(np.pi)) == angle_map(np.pi)
    assert angle_map(1.0, np.nextafter(2.0, 3)) == angle_map(1.0, 2.0)  # a kink that was rounded up
    assert angle_map(1.0, 1) == angle_map(1.0)

"""What must hold for every activation, at random parameters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpdeep.activations import Mixture, activation
from gpdeep.activations.piecewise_linear import PiecewiseLinear
from gpdeep.meanfield import correlation_map, variance_map

NAMES = [
    "relu",
    "leaky_relu:0.1",
    "crelu:1,1.5",
    "cst:1,1.5",
    "st:1",
    "hard_tanh",
    "tanh",
    "erf",
    "gelu",
    "silu",
    "sin",
]
NAMES += [
    "softplus",
    "mish",
    "elu",
    "selu",
    "sigmoid",
    "relu6",
    "abs",
    "identity",
    "relu_tau:0.5",
    "gelu_tanh",
    "softplus:5",
]
names = st.sampled_from(NAMES)
variance = st.floats(0.05, 8)
sigma = st.floats(0.3, 3)
bias = st.floats(0, 1)


@settings(deadline=None, max_examples=60)
@given(names, variance, sigma, bias, st.floats(0, np.pi), st.floats(0, np.pi))
def test_correlation_map_is_into_monotone_and_fixes_one(name, q, sigma_w, sigma_b, theta1, theta2) -> None:
    c = correlation_map(name, q=q, sigma_w=sigma_w, sigma_b=sigma_b)
    deltas = 2 * np.sin(np.sort([0.0, theta1, theta2]) / 2) ** 2
    after = c.one_minus_c(deltas)
    assert after[0] == 0
    assert ((after >= 0) & (after <= 2)).all()
    # E φ(u)φ(v) has positive Hermite weights only on c >= 0; C is monotone there
    small = deltas[deltas <= 1]
    assert (np.diff(c.one_minus_c(small)) >= -1e-15).all()


@settings(deadline=None, max_examples=40)
@given(names, variance, sigma, bias)
def test_slope_of_v_is_its_finite_difference(name, q, sigma_w, sigma_b) -> None:
    layer = variance_map(name, sigma_w=sigma_w, sigma_b=sigma_b)
    h = 1e-4 * q
    # fourth-order difference: h⁴ V⁽⁵⁾/30 ~ 1e-14 of V/q times some hundreds, rounding 1e-16/1e-4
    difference = (8 * (layer(q + h) - layer(q - h)) - (layer(q + 2 * h) - layer(q - 2 * h))) / (12 * h)
    np.testing.assert_allclose(layer.slope(q), difference, rtol=1e-9, atol=1e-9)
    second = (layer.slope(q + h) - layer.slope(q - h)) / (2 * h)
    np.testing.assert_allclose(layer.curvature(q), second, rtol=1e-4, atol=1e-5)
    chi = (layer.chi_1(q + h) - layer.chi_1(q - h)) / (2 * h)
    np.testing.assert_allclose(layer.d_chi_1(q), chi, rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(names, variance, sigma, st.floats(0.3, 2.8))
def test_slope_of_c_is_its_finite_difference(name, q, sigma_w, theta) -> None:
    c = correlation_map(name, q=q, sigma_w=sigma_w, sigma_b=0.2)
    delta, h = 1 - np.cos(theta), 1e-4
    difference = (c.one_minus_c(delta + h) - c.one_minus_c(delta - h)) / (2 * h)
    np.testing.assert_allclose(c.slope(theta), difference, rtol=1e-5, atol=1e-6)
    at = lambda d: c.slope(2 * np.arcsin(np.sqrt(d / 2)))  # noqa: E731
    np.testing.assert_allclose(c.curvature(theta), -(at(delta + h) - at(delta - h)) / (2 * h), rtol=1e-3, atol=1e-4)


@settings(deadline=None, max_examples=40)
@given(st.floats(0.1, 2), st.floats(0.1, 2), st.integers(-3, 3), st.floats(0.1, 3))
def test_scale_equivariance_is_bitwise_for_powers_of_two(tau, m, power, q) -> None:
    # φ_{λτ,λm}(λx) = λ φ_{τ,m}(x): V scales, C does not change; λ a power of two is exact in floating point
    scale = 2.0**power
    one = PiecewiseLinear("one", 0.0, 0.0, (tau, tau + m), (1.0, -1.0))
    other = PiecewiseLinear("other", 0.0, 0.0, (scale * tau, scale * (tau + m)), (1.0, -1.0))
    v = variance_map(one, sigma_w=1.5, sigma_b=0.5)
    scaled = variance_map(other, sigma_w=1.5, sigma_b=0.5 * scale)
    assert scaled(scale**2 * q) == scale**2 * v(q)
    assert scaled.slope(scale**2 * q) == v.slope(q)
    before = correlation_map(one, q=q, sigma_w=1.5, sigma_b=0.5)
    after = correlation_map(other, q=scale**2 * q, sigma_w=1.5, sigma_b=0.5 * scale)
    assert before.one_minus_c(0.1) == after.one_minus_c(0.1)


@settings(deadline=None, max_examples=30)
@given(names, variance, st.floats(0, 2))
def test_mixture_of_one_is_the_activation(name, q, delta) -> None:
    phi = activation(name)
    one = Mixture((phi,), (2.0,))
    a = correlation_map(phi, q=q, sigma_w=1.3, sigma_b=0.1)
    b = correlation_map(one, q=q, sigma_w=1.3, sigma_b=0.1)
    assert a.one_minus_c(delta) == b.one_minus_c(delta)
    assert variance_map(one, sigma_w=1.3)(q) == variance_map(phi, sigma_w=1.3)(q)


@pytest.mark.parametrize("name", NAMES)
def test_float32_and_integers_are_computed_in_float64(name: str) -> None:
    layer = variance_map(name, sigma_w=1.25, sigma_b=0.25)
    assert layer(2) == layer(2.0) == layer(np.float32(2))
    c = correlation_map(name, q=2, sigma_w=1.25, sigma_b=0.25)
    assert c.one_minus_c(np.float32(0.5)) == c.one_minus_c(0.5)
    assert c.one_minus_c(1) == c.one_minus_c(1.0)
    assert isinstance(c.one_minus_c(0.5), np.float64)


def test_mixture_is_the_average_of_its_parts() -> None:
    parts = (activation("relu"), activation("tanh"), activation("cst:1,1"))
    mixed = Mixture(parts, (0.5, 0.3, 0.2))
    theta = np.linspace(0.1, 3, 7)
    expected = 0.5 * parts[0].gap(theta, 1.5) + 0.3 * parts[1].gap(theta, 1.5) + 0.2 * parts[2].gap(theta, 1.5)
    np.testing.assert_allclose(mixed.gap(theta, 1.5), expected, rtol=4e-16, atol=0)
    layer = np.linspace(-3, 3, 10)
    np.testing.assert_array_equal(mixed(layer)[:5], parts[0](layer[:5]))
    np.testing.assert_array_equal(mixed(layer)[8:], parts[2](layer[8:]))
    assert mixed(np.zeros((3, 4, 10))).shape == (3, 4, 10)

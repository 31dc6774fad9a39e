"""Two-slope activations are piecewise-linear ones with closed forms."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from gpdeep.activations.piecewise_linear import PiecewiseLinear
from gpdeep.activations.two_slope import TwoSlope, absolute, identity, leaky_relu, prelu, relu

ALL = [
    relu(),
    leaky_relu(0.1),
    prelu(),
    absolute(),
    identity(),
    TwoSlope("steep", -2.0, 0.5),
    TwoSlope("flip", 1.0, 0.0),
]


def general(phi):
    """The same function with another one far out, so that no closed form applies."""
    return PiecewiseLinear("general", phi.a, phi.b, (*phi.t, 60.0), (*phi.c, 1.0))


@pytest.mark.parametrize("phi", ALL, ids=lambda phi: phi.name)
def test_closed_forms_agree_with_the_general_path(phi):
    other, theta = general(phi), np.array([1e-6, 0.4, 1.7, 3.0])
    assert isinstance(phi, PiecewiseLinear)
    assert phi.homogeneous
    assert not other.homogeneous
    one, two = phi.moments(0.8), other.moments(0.8)
    # the knot at 60 weighs e^-2000; one kind is one rounding, the other a sum of 200 terms
    for field in dataclasses.fields(one):
        np.testing.assert_allclose(getattr(two, field.name), getattr(one, field.name), rtol=4e-15, atol=2e-15)
    # near π the gap of |x| vanishes, which the general path sees as a difference
    for at, atol in ((theta[:3], 0), (theta[3:], 2e-15)):
        np.testing.assert_allclose(other.gap(at, 0.8, 1.9), phi.gap(at, 0.8, 1.9), rtol=1e-14, atol=atol)
    np.testing.assert_allclose(other.slope_product(theta, 0.8), phi.slope_product(theta, 0.8), rtol=0, atol=4e-15)
    k = np.linspace(-1.2, 1.2, 9)
    np.testing.assert_allclose(other.covariance(k, 0.8, 1.9), phi.covariance(k, 0.8, 1.9), rtol=0, atol=2e-14)
    np.testing.assert_allclose(
        other.slope_covariance(k, 0.8, 1.9), phi.slope_covariance(k, 0.8, 1.9), rtol=0, atol=2e-14
    )
    np.testing.assert_allclose(other.comonotone(0.8, 1.9), phi.comonotone(0.8, 1.9), rtol=4e-15, atol=0)
    np.testing.assert_allclose(
        other.difference_second(0.5, 0.8, 1.9), phi.difference_second(0.5, 0.8, 1.9), rtol=8e-15, atol=0
    )
    np.testing.assert_array_equal(
        phi.derivative(np.array([-1.0, 0.0, 1.0])), other.derivative(np.array([-1.0, 0.0, 1.0]))
    )


def test_another_slope_is_seen():
    assert abs(leaky_relu(0.1).gap(0.4, 1.0) / leaky_relu(0.1001).gap(0.4, 1.0) - 1) > 1e-6


def test_keeps_its_fields_and_its_printing():
    phi = leaky_relu(0.1)
    assert repr(phi) == "TwoSlope(name='leaky_relu:0.1', negative=0.1, positive=1.0)"
    assert [field.name for field in dataclasses.fields(phi)] == ["name", "negative", "positive"]
    assert phi == TwoSlope("leaky_relu:0.1", 0.1) == pickle.loads(pickle.dumps(phi)) == copy.deepcopy(phi)
    assert hash(phi) == hash(TwoSlope("leaky_relu:0.1", 0.1))
    assert dataclasses.replace(phi, negative=0.2).c == (0.8,)
    with pytest.raises(dataclasses.FrozenInstanceError):
        phi.negative = 0.3


def test_gap_of_an_even_function_keeps_its_digits_near_pi():
    # E |u||v| is the same at θ and π - θ; at a distance of 2^-20 from π the gap is 1e-12
    small = 2.0**-20
    theta = np.pi - small  # exact, and π itself is 1.2e-16 more than np.pi: relative 1.3e-10 of the distance
    np.testing.assert_allclose(
        absolute().gap(theta, 1.0), absolute().gap(small + 1.2246467991473532e-16, 1.0), rtol=4e-15
    )


def test_default_scale_is_that_of_he_to_the_last_bit():
    assert relu().default_sigma_w == relu().he_sigma_w == np.sqrt(2)


def test_covariance_of_relu_is_the_arc_cosine_kernel():
    theta = np.linspace(0, np.pi, 9)
    expected = 1.5 * (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / (2 * np.pi)
    np.testing.assert_allclose(relu().covariance(1.5 * np.cos(theta), 1.0, 2.25), expected, rtol=0, atol=1e-15)

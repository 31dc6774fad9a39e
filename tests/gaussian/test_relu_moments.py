"""relu_moment against 28-digit values, fresh quadrature in other coordinates, and its exact ends."""

import json
import math
import tracemalloc
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpdeep.gaussian import relu_moment, relu_moment_derivative
from gpdeep.gaussian.relu_moments import MAX_ORDER, quadrature_nodes

EPS = np.finfo(np.float64).eps
REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "relu_moments.json").read_text())["values"]
PAIRS = [(0, 0), (1, 0), (0, 3), (1, 1), (2, 1), (2, 2), (1, 6), (4, 4), (7, 0), (12, 5), (30, 30), (60, 0)]
ANGLES = [1e-300, 1e-6, 0.3, np.pi / 2, 2.5, np.pi - 1e-3, np.pi - 1e-9, np.nextafter(np.pi, 0)]


def rounding(a, b):
    # the integrand's a + b factors and their prefactor's root, 1 unit each, and 8 for the sum over the nodes
    return (2 * (a + b) + 8) * EPS


def exact_angle(text):
    """The decimal angle of a reference key."""
    return mp.pi - mp.mpf(text[3:]) if text.startswith("pi-") else mp.mpf(text)


def cartesian(a, b, theta):
    """J by integrating over G what is known of W given G; shares nothing with the polar form."""
    with mp.workdps(45):  # the recursion for the inner mean cancels to s^{a+b+1}, 1e-21 at worst here
        c, s = mp.cos(mp.mpf(theta)), mp.sin(mp.mpf(theta))

        def inner(g):  # E[(cg + sZ)_+^b]
            mean = c * g
            below, value = mp.mpf(0), mp.ncdf(mean / s)
            for k in range(1, b + 1):
                boundary = s * mp.npdf(mean / s) if k == 1 else mp.mpf(0)
                below, value = value, mean * value + (k - 1) * s**2 * below + boundary
            return value

        scale = s if c < 0 else mp.mpf(1)  # near π only G ~ sin θ contributes
        points = [0, *(scale * k for k in (1, 3, 6, 10, 16, 24)), max(mp.mpf(24), 30 * scale)]
        peak = scale ** (a + b + 1)
        return peak * mp.quad(lambda g: g**a * mp.npdf(g) * inner(g) / peak, points)


@pytest.mark.parametrize("text", REFERENCE)
def test_agrees_with_28_digit_values(text):
    theta = float(exact_angle(text))
    with mp.workdps(30):
        gap = abs(float(exact_angle(text) - mp.mpf(theta)))  # the float is not the decimal
    for key, value in REFERENCE[text].items():
        a, b = map(int, key.split(","))
        got = relu_moment(a, b, theta)
        conditioning = abs(relu_moment_derivative(a, b, theta) / got) * gap
        np.testing.assert_allclose(got, float(value), rtol=rounding(a, b) + 1.01 * conditioning, atol=0)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (0, 1), (2, 1), (1, 4), (3, 3)])
@pytest.mark.parametrize("theta", [1e-3, 2.0, np.pi - 1e-3])
def test_agrees_with_quadrature_over_the_cartesian_plane(a, b, theta):
    expected = float(cartesian(a, b, theta))
    np.testing.assert_allclose(relu_moment(a, b, theta), expected, rtol=rounding(a, b), atol=0)


@pytest.mark.parametrize("wrong", ["other prefactor", "other angle"])
def test_a_wrong_formula_fails_the_same_comparison(wrong):
    a, b, theta = 2, 1, 2.0
    value = relu_moment(a, b, theta) * 2**0.5 if wrong == "other prefactor" else relu_moment(a, b, np.pi - theta)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(value, float(cartesian(a, b, theta)), rtol=rounding(a, b), atol=0)


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("theta", ANGLES)
def test_keeps_all_digits_from_zero_to_pi(a, b, theta):
    with mp.workdps(40):
        h = (mp.pi - mp.mpf(float(theta))) / 2
        k = mp.mpf(2) ** (mp.mpf(a + b) / 2) * mp.gamma(mp.mpf(a + b) / 2 + 1) / (2 * mp.pi)
        s = mp.sin(h)  # scaled to a peak of order 1, since mpmath's stopping rule is absolute
        integral = mp.quad(
            lambda x: (mp.sin(h * (1 - x)) / s) ** a * (mp.sin(h * (1 + x)) / s) ** b,
            mp.linspace(-1, 1, 1 + max(2, (a + b) // 6)),
        )
        expected = k * s ** (a + b) * h * integral
    if expected > 1e-300:
        np.testing.assert_allclose(relu_moment(a, b, theta), float(expected), rtol=rounding(a, b), atol=0)
    else:
        assert 0 <= relu_moment(a, b, theta) <= 1e-300


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_ends_are_the_half_moment_and_zero(a, b):
    order = a + b
    half_moment = math.prod(range(order - 1, 0, -2)) / (math.sqrt(2 * math.pi) if order % 2 else 2)
    assert relu_moment(a, b, 0.0) == half_moment
    assert relu_moment(a, b, np.pi) == 0.0
    assert not np.signbit(relu_moment(a, b, np.pi))
    # continuity at 0: J(θ) = J(0)(1 - O(θ))
    np.testing.assert_allclose(relu_moment(a, b, 1e-300), half_moment, rtol=rounding(a, b), atol=0)


@pytest.mark.parametrize(("a", "b"), [(150, 150), (300, 0), (200, 100), (151, 149)])
def test_largest_orders_neither_overflow_nor_lose_digits(a, b):
    # (a-b)-independent at θ → 0: the polar form must reproduce (N-1)!!/2; the scale ρ^N costs N units
    half_moment = float(math.prod(range(MAX_ORDER - 1, 0, -2))) / 2
    np.testing.assert_allclose(relu_moment(a, b, 1e-300), half_moment, rtol=rounding(a, b), atol=0)
    assert relu_moment(a, b, 3.0) >= 0


def test_the_stated_number_of_nodes_meets_its_bound():
    for degree in range(1, MAX_ORDER + 1):
        m = quadrature_nodes(degree)
        assert 2 * m * math.log(math.pi * math.e * degree / (8 * m)) < -53 * math.log(2)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(a=st.integers(0, 20), b=st.integers(0, 20), theta=st.floats(1e-300, np.pi))
def test_scalars_arrays_and_swapped_exponents_agree(a, b, theta):
    value = relu_moment(a, b, theta)
    assert isinstance(value, np.float64)
    array = relu_moment(np.int64(b), a, np.full((2, 3), theta))
    assert array.shape == (2, 3)
    # the swapped exponents sum the same terms in the opposite order
    np.testing.assert_allclose(array, value, rtol=rounding(a, b), atol=1e-300)


def test_integers_and_float32_are_computed_in_float64():
    assert relu_moment(2, 1, 1) == relu_moment(2, 1, 1.0)
    narrow = np.array([0.5, 2.0], dtype=np.float32)
    assert relu_moment(2, 1, narrow).dtype == np.float64
    np.testing.assert_array_equal(relu_moment(2, 1, narrow), relu_moment(2, 1, narrow.astype(float)))
    assert relu_moment(2, 1, np.float32(np.pi)) == 0.0  # lies above the float64 π


def test_a_value_does_not_depend_on_where_its_angle_stands():
    theta = np.linspace(0, np.pi, 5001)
    np.testing.assert_array_equal(relu_moment(3, 2, theta)[::-1], relu_moment(3, 2, theta[::-1]))
    np.testing.assert_array_equal(relu_moment(3, 2, theta[7::100]), [relu_moment(3, 2, t) for t in theta[7::100]])


def test_shapes_are_kept_also_when_empty():
    assert relu_moment(1, 1, []).shape == (0,)
    assert relu_moment(1, 1, np.ones((2, 0, 3))).shape == (2, 0, 3)
    assert relu_moment(1, 1, np.ones((1, 4, 1))).shape == (1, 4, 1)


def test_memory_is_bounded_for_many_angles():
    theta = np.linspace(0, np.pi, 200_000)
    relu_moment(2, 2, 1.0)
    tracemalloc.start()
    relu_moment(2, 2, theta)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # the result, a few copies for the checks, and some blocks of 0.5 MiB; unblocked: 30 MB each
    assert peak < 5 * theta.nbytes + 6 * 2**20

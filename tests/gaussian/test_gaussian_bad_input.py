"""Every refusal of the folder: a DomainError that says what was found, why, and what to change."""

import numpy as np
import pytest

from gpdeep import DomainError, gaussian
from gpdeep.gaussian import (
    angle_map,
    angular_function,
    arc_cosine_kernel,
    bessel_number,
    closed_form,
    full_moment_polynomial,
    log_sin2_next,
    one_minus_cos_next,
    relu_moment,
    relu_moment_derivative,
    relu_moment_recursion,
)

MOMENTS = [relu_moment, relu_moment_recursion, relu_moment_derivative]
MAPS = [angle_map, one_minus_cos_next, log_sin2_next]
BAD_EXPONENTS = [-1, 1.0, 2.5, True, np.True_, np.float64(2), "2", None, np.array([1, 2]), float("nan")]
BAD_ANGLES = [
    -1e-300,
    3.2,
    np.nan,
    np.inf,
    -np.inf,
    [0.5, np.nan],
    [0.5, -0.1],
    "1",
    1j,
    None,
    True,
    [[1], [1, 2]],
]
BAD_KINKS = [-0.1, 2.1, np.nan, np.inf, "1", b"1", None, True, np.True_, np.ones(2), 1j]
BAD_MATRICES = [
    [1.0, 2.0],
    1.0,
    [[1.0, np.nan]],
    [[np.inf, 1.0]],
    [["a", "b"]],
    [[1j, 2]],
    [[1], [1, 2]],
    [[[1.0]]],
]


def assert_refused(function, *args):
    with pytest.raises(DomainError) as caught:
        function(*args)
    assert all((caught.value.found, caught.value.cause, caught.value.change))


@pytest.mark.parametrize("bad", BAD_EXPONENTS, ids=repr)
def test_exponents_must_be_integers_of_zero_or_more(bad):
    for moment in MOMENTS:
        assert_refused(moment, bad, 1, 1.0)
        assert_refused(moment, 1, bad, 1.0)
    for exact in (closed_form, full_moment_polynomial, bessel_number):
        assert_refused(exact, bad, 1)
        assert_refused(exact, 1, bad)
    assert_refused(angular_function, bad, 1.0)
    assert_refused(arc_cosine_kernel, bad, np.ones((1, 1)), np.ones((1, 1)))


@pytest.mark.parametrize("bad", BAD_ANGLES, ids=repr)
def test_angles_must_lie_between_zero_and_pi(bad):
    for moment in MOMENTS:
        assert_refused(moment, 1, 1, bad)
    for function in [*MAPS, closed_form(1, 1)]:
        assert_refused(function, bad)
    assert_refused(angular_function, 1, bad)


@pytest.mark.parametrize("bad", BAD_KINKS, ids=repr)
def test_kinks_must_lie_between_zero_and_two(bad):
    for function in MAPS:
        assert_refused(function, 1.0, bad)
        assert_refused(function, np.ones(2), bad)


@pytest.mark.parametrize("bad", BAD_MATRICES, ids=repr)
def test_data_must_be_finite_matrices(bad):
    assert_refused(arc_cosine_kernel, 1, bad, np.ones((2, 2)))
    assert_refused(arc_cosine_kernel, 1, np.ones((2, 2)), bad)


def test_data_must_have_the_same_columns():
    assert_refused(arc_cosine_kernel, 1, np.ones((2, 3)), np.ones((2, 4)))


def test_orders_beyond_float64_are_refused():
    for moment in MOMENTS:
        assert_refused(moment, 200, 101, 1.0)
    assert_refused(angular_function, 151, 1.0)
    assert np.isfinite(angular_function(150, 0.0))
    assert_refused(closed_form(300, 300), 1.0)


def test_the_message_shows_the_number_and_how_many():
    with pytest.raises(DomainError, match=r"theta = 3\.5 is not in \[0, π\] \(2 of 3 angles\)"):
        relu_moment(1, 1, [1.0, 3.5, np.nan])


def test_good_neighbours_of_bad_input_pass():
    assert relu_moment(0, np.int32(1), 0) > 0
    assert angle_map(np.pi, 2) == 0
    assert bessel_number(3, 7) == 0


def test_public_names_are_these():
    assert sorted(gaussian.__all__) == gaussian.__all__
    assert set(gaussian.__all__) == {
        "ClosedForm",
        "Mehler",
        "angle_density",
        "angle_map",
        "angular_function",
        "arc_cosine_kernel",
        "bessel_number",
        "closed_form",
        "full_moment_polynomial",
        "hermite_coefficients",
        "iterate_angle_map",
        "kink_split_pair",
        "kink_split_rule",
        "log_sin2_next",
        "normal_density",
        "one_minus_cos_next",
        "ramp_covariance",
        "ramp_excess",
        "ramp_moment",
        "ramp_overlap",
        "ramp_product",
        "ramp_slope_overlap",
        "relu_moment",
        "relu_moment_derivative",
        "relu_moment_recursion",
        "trapezoidal_rule",
        "upper_orthant",
    }
    assert all(getattr(gaussian, name).__doc__ for name in gaussian.__all__)

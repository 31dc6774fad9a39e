"""No division by zero, overflow or invalid operation at the ends of the angle's range, nor a heavy import."""

import subprocess
import sys

import numpy as np
import pytest

from gpdeep.gaussian import (
    angle_map,
    angular_function,
    arc_cosine_kernel,
    closed_form,
    log_sin2_next,
    one_minus_cos_next,
    relu_moment,
    relu_moment_derivative,
    relu_moment_recursion,
)

ENDS = [0.0, 5e-324, 1e-300, 1e-155, np.pi / 2, np.nextafter(np.pi, 0), np.pi]


@pytest.mark.parametrize("theta", [*ENDS, np.array(ENDS)], ids=repr)
def test_ends_of_the_range_raise_no_flag(theta):
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        for a, b in [(0, 0), (1, 0), (0, 3), (2, 2), (300, 0), (150, 150)]:
            assert np.isfinite(relu_moment(a, b, theta)).all()
            assert np.isfinite(relu_moment_derivative(a, b, theta)).all()
        assert np.isfinite(relu_moment_recursion(5, 3, theta)).all()
        assert np.isfinite(closed_form(5, 3)(theta)).all()
        assert np.isfinite(angular_function(2, theta)).all()
        for r in (0.0, 1.0, 2.0):
            assert np.isfinite(angle_map(theta, r)).all()
            assert np.isfinite(one_minus_cos_next(theta, r)).all()
            assert not np.isnan(log_sin2_next(theta, r)).any()


def test_extreme_lengths_raise_no_flag():
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        x = np.array([[0.0, 0.0], [5e-324, 0.0], [1e308, 1e308], [1e-200, 1.0]])
        assert np.isfinite(arc_cosine_kernel(0, x, x)).all()


def test_import_is_light():
    heavy = ("torch", "sympy", "mpmath", "matplotlib", "scipy")
    code = f"import gpdeep.gaussian, sys; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"

"""Zero, linear and clipped shares against mpmath, and their sums."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpdeep import DomainError, Mixture, PiecewiseLinear, activation, from_callable
from gpdeep.sparse import shares


@pytest.mark.parametrize("tau", [0.0, 0.4, 2.0, 9.0])
@pytest.mark.parametrize("q", [0.25, 1.0, 4.0])
def test_shares_of_a_clipped_soft_threshold(tau, q):
    m = 0.8
    with mpmath.workdps(40):
        h, top = mpmath.mpf(tau) / mpmath.sqrt(q), (mpmath.mpf(tau) + m) / mpmath.sqrt(q)
        inside = 2 * (mpmath.ncdf(-h) - mpmath.ncdf(-top))
        exact = [float(1 - 2 * mpmath.ncdf(-h)), float(inside), float(2 * mpmath.ncdf(-top))]
    found = shares(f"cst:{tau},{m}", q)
    # differences of tails a factor 2 or more apart; a tail at h costs h² units of rounding of h, 384 at most here
    np.testing.assert_allclose([found.zero, found.linear, found.clipped], exact, rtol=1e-13, atol=0)


@given(st.floats(-2, 3), st.floats(0.1, 5), st.floats(0.01, 100))
@settings(deadline=None)
def test_shares_add_up_to_one(tau, m, q):
    if 0 < abs(tau) < 1e-6:
        tau = 0.0
    found = shares(activation(f"crelu:{tau!r},{m!r}"), q)
    np.testing.assert_allclose(found.zero + found.linear + found.clipped, 1.0, rtol=0, atol=4e-16)


def test_linear_share_is_not_what_is_left_by_the_zeros():
    found = shares("crelu:1,0.5", 1.0)
    assert found.linear < 1 - found.zero - 0.05


def test_dead_zone_needs_the_value_zero():
    shifted = PiecewiseLinear("shifted", 1.0, 0.0, (1.0,), (1.0,))  # flat at 1
    assert shares(shifted, 1.0).zero == 0
    np.testing.assert_allclose(shares(shifted, 1.0).clipped, 0.8413447460685429, rtol=1e-15, atol=0)


def test_other_kinds():
    assert shares("tanh", [1.0, 2.0]).linear.tolist() == [1.0, 1.0]
    half = Mixture((activation("relu"), activation("identity")), (0.5, 0.5))
    assert float(shares(half, 1.0).zero) == 0.25
    assert float(shares("relu", 3.0).zero) == 0.5
    with pytest.raises(DomainError, match="not known"):
        shares(from_callable(lambda x: x / (1 + x * x) ** 0.5, name="mine"), 1.0)
    with pytest.raises(DomainError):
        shares("relu", -1.0)

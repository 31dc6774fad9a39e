"""The trapezoidal rule under a Gaussian: its accuracy, where its strip matters, what it refuses."""

import math

import mpmath
import numpy as np
import pytest

from gpdeep.errors import DomainError
from gpdeep.gaussian.trapezoidal import MAX_NODES, spacing, trapezoidal_rule

# Sums of some hundred positive terms of relative error eps each, plus the rule's 1e-16 of E |g|
RTOL = 2e-15


def cauchy_mean(q: float, power: int) -> float:
    """E (1 + q z²)^-power: a pole of this order at distance 1 from the axis."""
    with mpmath.workdps(30):
        f = lambda z: mpmath.npdf(z) / (1 + q * z * z) ** power  # noqa: E731
        edges = [0, *(x / math.sqrt(q) for x in (0.5, 1, 2, 4, 8)), 5, 9, 14]
        return float(2 * mpmath.quad(f, sorted(mpmath.mpf(e) for e in edges)))


@pytest.mark.parametrize("q", [0.01, 0.5, 3.0, 200.0])
@pytest.mark.parametrize("power", [1, 4])
def test_poles_up_to_fourth_order_are_integrated_to_rounding(q, power):
    z, w = trapezoidal_rule(q, 1.0)
    np.testing.assert_allclose(w @ (1 + q * z**2) ** -power, cauchy_mean(q, power), rtol=RTOL)


def test_a_strip_four_times_too_wide_shows():
    z, w = trapezoidal_rule(3.0, 4.0)
    assert abs(w @ (1 + 3 * z**2) ** -1 / cauchy_mean(3.0, 1) - 1) > 1e6 * RTOL


def test_twenty_nodes_of_gauss_hermite_do_not_do_it():
    z, w = np.polynomial.hermite_e.hermegauss(20)
    assert abs(w @ (1 + 3 * z**2) ** -1 / math.sqrt(2 * math.pi) / cauchy_mean(3.0, 1) - 1) > 1e-4


@pytest.mark.parametrize("order", range(0, 9, 2))
def test_powers_of_z_are_integrated_to_rounding(order):
    z, w = trapezoidal_rule(1.0, 1.0)
    # beyond 9.4 standard deviations lies Γ((k+1)/2, 44)/Γ((k+1)/2) of E z^k: 3e-15 for k = 8, 2e-17 for k = 4
    exact = math.prod(range(1, order, 2))
    np.testing.assert_allclose(w @ z**order, exact, rtol=RTOL + (1e-14 if order == 8 else 0))


@pytest.mark.parametrize("q", [1e-4, 1.0, 30.0])
def test_entire_functions_as_wild_as_fourth_powers_of_erf(q):
    z, w = trapezoidal_rule(q, math.inf)
    np.testing.assert_allclose(w @ np.exp(-4 * q * z**2), (1 + 8 * q) ** -0.5, rtol=RTOL)  # e^{4 q y²} at iy


def test_one_rule_serves_a_quarter_octave_and_smaller_variances():
    assert trapezoidal_rule(1.1, 1.0)[0] is trapezoidal_rule(1.2, 1.0)[0]
    assert 2 * math.pi / spacing(4.0, 1.0) < 2 * math.pi / spacing(16.0, 1.0)


def test_rules_are_read_only_and_symmetric():
    z, w = trapezoidal_rule(1.0, 1.0)
    assert not z.flags.writeable
    assert not w.flags.writeable
    np.testing.assert_array_equal(z, -z[::-1])


def test_too_many_nodes_are_refused_with_the_number():
    with pytest.raises(DomainError, match=f"the limit is {MAX_NODES:,}"):
        trapezoidal_rule(1e8, 1.0)


@pytest.mark.parametrize(("q", "strip"), [(0.0, 1.0), (-1.0, 1.0), (math.nan, 1.0), (math.inf, 1.0), (1.0, 0.0)])
def test_arguments_out_of_range_are_refused(q, strip):
    with pytest.raises(DomainError, match="strip ="):
        trapezoidal_rule(q, strip)

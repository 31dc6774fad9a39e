"""The quadrature rule: exact for polynomials, and accurate in its outermost nodes."""

import mpmath as mp
import numpy as np
import pytest

from gpdeep.gaussian.gauss_legendre import gauss_legendre

EPS = np.finfo(np.float64).eps


@pytest.mark.parametrize("m", [1, 2, 3, 14, 50, 101, 389])
def test_integrates_the_highest_power_at_the_right_end(m):
    # ∫(1+x)^{2m-1} = 2^{2m}/(2m), which lives on the last nodes; 2m units for the power, scaled by 2
    _, from_left, w = gauss_legendre(m)
    got = np.sum(w * (from_left / 2) ** (2 * m - 1))
    np.testing.assert_allclose(got, 1 / m, rtol=(4 * m + 8) * EPS, atol=0)


@pytest.mark.parametrize("m", [1, 2, 5, 14])
def test_does_not_integrate_the_next_power(m):
    _, from_left, w = gauss_legendre(m)
    exact = 2 / (2 * m + 1)  # ∫(1+x)^{2m}/2^{2m}
    assert abs(np.sum(w * (from_left / 2) ** (2 * m)) / exact - 1) > 1e-14 * 4**-m


@pytest.mark.parametrize("m", [2, 17, 101])
def test_outermost_node_and_weight_keep_their_digits(m):
    from_right, _, w = gauss_legendre(m)
    with mp.workdps(40):
        x = mp.findroot(lambda t: mp.legendre(m, t), 1 - mp.mpf(float(from_right[0])))
        slope = m * mp.legendre(m - 1, x) / (1 - x**2)
        distance, weight = float(1 - x), float(2 / ((1 - x**2) * slope**2))
    np.testing.assert_allclose(from_right[0], distance, rtol=4 * EPS, atol=0)
    # the recurrence of m steps adds half a unit in each, at random: 3 √m of it, twice for the square
    np.testing.assert_allclose(w[0], weight, rtol=(4 + 3 * m**0.5) * EPS, atol=0)


@pytest.mark.parametrize("m", [1, 2, 3, 14, 101])
def test_nodes_are_symmetric_and_read_only(m):
    from_right, from_left, w = gauss_legendre(m)
    assert len(from_right) == m
    np.testing.assert_array_equal(from_right, from_left[::-1])
    np.testing.assert_array_equal(w, w[::-1])
    assert (np.diff(from_right) > 0).all()
    with pytest.raises(ValueError, match="read-only"):
        w[0] = 1.0

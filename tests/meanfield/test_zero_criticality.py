"""The critical point q* = 0 of odd activations without bias."""

import mpmath as mp
import numpy as np
import pytest

from gpdeep import DomainError
from gpdeep.meanfield import critical_law


def erf_path(theta: float, q: float, depth: int) -> tuple[float, float]:
    """q and θ after `depth` erf layers at σ_w² = π/4, from Williams' closed form in 30 digits."""
    with mp.workdps(30):
        variance, covariance, weight = mp.mpf(q), mp.mpf(q) * mp.cos(theta), mp.pi / 4
        for _ in range(depth):
            now = 1 + 2 * variance
            variance, covariance = (weight * 2 / mp.pi * mp.asin(2 * k / now) for k in (variance, covariance))
        return float(variance), float(mp.acos(covariance / variance))


@pytest.mark.parametrize(("name", "rate"), [("tanh", 2.0), ("erf", 2.0), ("sin", 1.0)])
def test_rate_is_that_of_the_taylor_series(name: str, rate: float) -> None:
    # B = -6 b/a for a x + b x³: tanh -1/3, erf -1/3, sin -1/6
    np.testing.assert_allclose(critical_law(name).rate, rate, rtol=1e-12, atol=0)


def test_lengths_fall_as_one_over_depth() -> None:
    law = critical_law("erf")
    for depth in (300, 3000):
        q, _ = erf_path(1.0, 1.0, depth)
        # next order: relative (ln l + const)/l, with const of order 1
        assert abs(q / law.variance(depth) - 1) < 2 * np.log(depth) / depth
        with pytest.raises(AssertionError):  # negative control: the rate of sin
            np.testing.assert_allclose(q, 1 / depth, rtol=2 * np.log(depth) / depth, atol=0)


@pytest.mark.parametrize("theta", [1e-3, 0.5, 1.3, 2.6])
def test_angles_have_the_limit_of_a_long_path(theta: float) -> None:
    limit, error = critical_law("erf").angle_limit(theta, 1.0)
    q, last = erf_path(theta, 1.0, 3000)
    rest = np.arctan2(np.sin(last), np.cos(last) * np.exp(-q / 3))
    # the rest of the long path is right to q² = (1/6000)² = 3e-8; the stated error is an estimate, within a factor 2
    assert abs(limit - rest) <= 2 * error + 3e-8
    assert error < 1e-5
    assert abs(last - rest) > 2e-6 * min(theta, np.pi - theta)  # negative control: 3,000 layers are not the limit


def test_right_angles_and_ends_stay() -> None:
    limit, _ = critical_law("tanh").angle_limit([0.0, np.pi / 2, np.pi], 0.7)
    np.testing.assert_allclose(limit, [0, np.pi / 2, np.pi], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["relu", "gelu", "hard_tanh", "identity", "sigmoid"])
def test_others_are_refused(name: str) -> None:
    with pytest.raises((DomainError, ValueError)):
        critical_law(name)

"""Mean exit times against mpmath's double integral, a simulated diffusion, and stored values of a cut-off range."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from stored import REFERENCE

from gpdeep import DomainError
from gpdeep.gaussian.gauss_legendre import gauss_legendre
from gpdeep.sparse import mean_exit_time
from gpdeep.sparse.exit_time import FROM_FAR_BELOW


def double_integral(x, end, wall=-30.0):
    """2∫_x^end dy ∫_wall^y dz exp(-⅔(y³ - z³)), as it stands, by panels of Gauss-Legendre; the wall reflects."""
    near, _, w = gauss_legendre(40)
    unit, weight = 1 - near / 2, w / 2
    total = 0.0
    cuts = [x, *(c for c in np.linspace(-8, 8, 65) if x < c < end), end]
    for low, high in itertools.pairwise(cuts):
        y = low + (high - low) * unit
        far = y - wall
        ends = np.minimum(np.geomspace(1e-3, 40.0, 24), far[:, None])
        ends = np.concatenate([np.zeros((len(y), 1)), ends], axis=1)
        start, length = ends[:, :-1, None], np.diff(ends, axis=1)[..., None]
        u = start + length * unit
        inner = length * weight * np.exp(-2 / 3 * (3 * y[:, None, None] ** 2 * u - 3 * y[:, None, None] * u**2 + u**3))
        total += (high - low) * float(weight @ inner.sum(axis=(1, 2)))
    return 2 * total


@pytest.mark.parametrize(("x", "end"), [(-1.0, 8.0), (0.0, 5.0), (1.5, 4.0)])
def test_double_integral(x, end):
    np.testing.assert_allclose(mean_exit_time(x, end), double_integral(x, end), rtol=1e-11, atol=0)


@pytest.mark.parametrize("start", ["0", "-1"])
def test_stored_values_are_those_of_a_range_cut_at_eight(start):
    # stored as times to +∞; what they are is times to X = 8, an eighth less
    stored = REFERENCE["truncated_exit_times"][start]
    np.testing.assert_allclose(mean_exit_time(float(start), 8.0), stored, rtol=1e-10, atol=0)
    with pytest.raises(AssertionError):  # the negative control, and the finding
        np.testing.assert_allclose(mean_exit_time(float(start)), stored, rtol=1e-2, atol=0)


def test_stored_value_from_far_below_starts_at_a_wall():
    # stored as the time from -∞ to +∞; what it is goes from a reflecting wall at -8 to 8
    stored = REFERENCE["truncated_exit_times"]["-8"]
    np.testing.assert_allclose(double_integral(-8.0, 8.0, wall=-8.0), stored, rtol=1e-10, atol=0)
    # without the wall 2/128² longer: paths that first go down, e^{-128 u} of them
    np.testing.assert_allclose(mean_exit_time(-8.0, 8.0) - stored, 2 / 128**2, rtol=1e-2, atol=0)
    assert abs(FROM_FAR_BELOW - stored) > 0.24


def test_from_far_below_is_a_closed_form():
    with mpmath.workdps(30):
        exact = float(
            mpmath.sqrt(2 * mpmath.pi) * mpmath.mpf(6) ** (mpmath.mpf(1) / 6) * mpmath.gamma(mpmath.mpf(1) / 6) / 3
        )
    np.testing.assert_allclose(FROM_FAR_BELOW, exact, rtol=1e-15, atol=0)
    assert mean_exit_time(-math.inf) == FROM_FAR_BELOW
    # T(-∞) - T(-x) is the time from -∞ to -x: 1/x but for the noise, of relative order 1/x³
    np.testing.assert_allclose(FROM_FAR_BELOW - mean_exit_time(-100.0), 0.01, rtol=1e-5, atol=0)


def test_large_starts_are_deterministic():
    # the first correction to 1/x by dX = X² ds + dB is 1/4x⁴ · 1/x... : relative 1/(4x³)
    for x in (10.0, 100.0, 1e4):
        np.testing.assert_allclose(mean_exit_time(x) * x, 1.0, rtol=0.5 / x**3, atol=1e-13)


@pytest.mark.statistical
def test_simulated_diffusion_takes_as_long():
    # Euler steps with dt = 1e-3 from 0 to 5: bias of order √dt at the end, where paths move 25 dt a step: 0.03
    rng = np.random.default_rng(5)
    dt, paths = 1e-3, 4000
    x, time, alive = np.zeros(paths), np.zeros(paths), np.ones(paths, bool)
    while alive.any():
        x[alive] += x[alive] ** 2 * dt + math.sqrt(dt) * rng.standard_normal(alive.sum())
        time[alive] += dt
        alive &= x < 5
    error = time.std() / math.sqrt(paths)
    assert abs(time.mean() - mean_exit_time(0.0, 5.0)) < 3.3 * error + 0.01  # level 1e-3


def test_shapes_and_order():
    times = mean_exit_time(np.array([[-2.0, 0.0], [1.0, 9.0]]), 8.0)
    assert times.shape == (2, 2)
    assert times[1, 1] == 0.0
    assert times[0, 0] > times[0, 1] > times[1, 0]


def test_one_end_at_a_time():
    with pytest.raises(DomainError, match="one end"):
        mean_exit_time(0.0, end=[1.0, 2.0])


@pytest.mark.parametrize("bad", [math.nan, "0", None, 1j, [[0.0], [1.0, 2.0]]])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(DomainError):
        mean_exit_time(bad)

"""The 1/depth law of the angle: its derivation by sympy, its digits by mpmath, its counts by iteration."""

import time

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from gpdeep import DomainError
from gpdeep.gaussian import iterate_angle_map
from gpdeep.meanfield import angle_asymptote, angle_path, infinite_degeneracy_depth, log_sin2_asymptote

EPS = np.finfo(np.float64).eps
KINKS = [0.01, 0.1, 0.5, 1.0, 2.0]
RIGHT = np.pi / 2


@pytest.fixture(scope="module")
def map_series():
    """Coefficients of θ, θ², .., θ⁶ of the angle map, in a = r/(3π), and the symbol a: from cos θ' alone."""
    t, a = sp.symbols("t a", positive=True)
    order = 7
    half_gap = sp.series(1 - sp.cos(t) - 3 * a * (sp.sin(t) - t * sp.cos(t)), t, 0, order + 3).removeO() / 2
    # θ'² = 4 asin²√y = 2 Σ (4y)^n/(n² C(2n, n)), y = (1 - cos θ')/2
    square = sum(2 * (4 * half_gap) ** n / (n**2 * sp.binomial(2 * n, n)) for n in range(1, order))
    quotient = sp.series(sp.expand(square / t**2), t, 0, order - 1).removeO()
    root = sp.expand(sp.series(sp.sqrt(quotient), t, 0, order - 1).removeO())
    return [sp.factor(root.coeff(t, k)) for k in range(order - 1)], a


def test_small_angle_series_of_the_map(map_series):
    coefficients, a = map_series
    assert coefficients[:3] == [1, -a, -(a**2) / 2]
    assert sp.simplify(coefficients[3] + a * (15 * a**2 + 2) / 30) == 0


def test_abels_equation_holds_order_by_order(map_series):
    """F(θ') - F(θ) = 1 + O(θ⁵): fixes the logarithm's 3/2 and the three further terms."""
    coefficients, a = map_series
    t = sp.symbols("t", positive=True)
    stretch = sum(c * t**k for k, c in enumerate(coefficients))  # θ'/θ
    gammas = [a + 1 / (15 * a), 15 * a**2 / 16 - sp.Rational(1, 20), 35 * a**3 / 24 - a / 60 + 1 / (1575 * a)]
    change = (1 / stretch - 1) / (a * t) + sp.Rational(3, 2) * sp.log(stretch)
    change += sum(g * t**k * (stretch**k - 1) for k, g in enumerate(gammas, start=1))
    series = sp.expand(sp.series(change, t, 0, 5).removeO())
    assert [sp.simplify(series.coeff(t, k)) for k in range(5)] == [1, 0, 0, 0, 0]


def test_coefficient_of_the_logarithm_is_r_over_two_pi():
    """1/θ_l = (r/3π) l + A ln l + const: the slope between two depths, against A = r/(2π)."""
    for r in (0.5, 1.0, 2.0):
        theta = angle_path(RIGHT, 40_000, r)
        depth = np.array([10_000, 20_000, 40_000])
        rest = 1 / theta[depth - 1] - r * depth / (3 * np.pi)
        slope = np.diff(rest) / np.log(2)
        # the term left out of 1/θ is of size a (9/4) ln l/l: below 3e-3 of A at 10,000 layers
        np.testing.assert_allclose(slope, r / (2 * np.pi), rtol=3e-3)


def exact_path(theta0, depths, r=1.0):
    """Angles at the given depths, in 40 digits."""
    with mp.workdps(40):
        theta, found = mp.mpf(float(theta0)), []
        for layer in range(1, max(depths) + 1):
            half = 2 * mp.sin(theta / 2) ** 2 - mp.mpf(r) / mp.pi * (mp.sin(theta) - theta * mp.cos(theta))
            theta = 2 * mp.asin(mp.sqrt(half / 2))
            if layer in depths:
                found.append(theta)
        return found


@pytest.fixture(scope="module")
def at_ten_thousand():
    return exact_path(RIGHT, [10_000])[0]


def test_ten_thousand_layers_keep_their_digits(at_ten_thousand):
    theta = angle_path(RIGHT, 10_000)[-1]
    with mp.workdps(40):
        error = abs(float(mp.mpf(float(theta)) / at_ten_thousand - 1))
    # one layer errs by 5 units; errors contract like θ_l/θ_k, so their signed sum stays far below l/2 times that,
    # and errors of random sign add to √(l/3) of it
    assert error < 5 * EPS * np.sqrt(10_000 / 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_iterating_the_cosine_loses_the_digits(dtype, at_ten_thousand):
    """Negative control: c is rounded by ε/2 in each layer, which is ε/θ² relative to 1 - c = θ²/2."""
    c = dtype(0)
    pi = dtype(np.pi)
    for _ in range(10_000):
        c = min((np.sqrt(dtype(1) - c * c) + (pi - np.arccos(c)) * c) / pi, dtype(1))
    error = abs(float(np.arccos(c)) / float(at_ten_thousand) - 1)
    # float32: no digit is left; float64: a hundred thousand times the error allowed to the angle
    assert error > (1 if dtype == np.float32 else 1e5 * 5 * EPS * np.sqrt(10_000 / 3))


@pytest.mark.parametrize("r", KINKS)
@pytest.mark.parametrize("theta0", [RIGHT, 0.3, 0.01])
def test_asymptote_errs_by_the_stated_term(r, theta0):
    """Relative error ((9/4) ln u - c)/u², c = 1 + 1/(15a²), up to terms of relative size ln u/u · max(1, c/ln u)."""
    a = r / (3 * np.pi)
    depth = int(2000 / r)
    exact, approximate = angle_path(theta0, depth, r)[-1], angle_asymptote(depth, r, theta0=theta0)
    inverse = 1 / (a * exact)
    u = inverse - 1.5 * np.log(inverse)
    stated = (2.25 * np.log(u) - 1 - 1 / (15 * a**2)) / u**2
    assert abs((approximate / exact - 1) / stated - 1) < 0.1


def test_residual_of_the_asymptote_decays_as_the_square_of_depth():
    depth = np.array([1_000, 10_000, 100_000])
    residual = np.abs(angle_asymptote(depth) / angle_path(RIGHT, 100_000)[depth - 1] - 1)
    u = depth + 3.5
    order = -np.diff(np.log(residual / (2.25 * np.log(u) - 1 - (3 * np.pi) ** 2 / 15))) / np.diff(np.log(u))
    np.testing.assert_allclose(order, 2, atol=0.1)


def test_leading_law_alone_is_off_by_the_logarithm():
    """Negative control: 3π/l without constant and logarithm."""
    exact = angle_path(RIGHT, 10_000)[-1]
    assert abs(3 * np.pi / 10_000 / exact - 1) > 1e-3
    assert abs(angle_asymptote(10_000) / exact - 1) < 2e-7


def test_log_sin2_asymptote_is_that_of_the_angle():
    depth = np.array([100, 10_000])
    log_sin2 = iterate_angle_map(RIGHT, 10_000)[1][depth - 1]
    error = np.abs(log_sin2_asymptote(depth) - log_sin2)
    np.testing.assert_allclose(
        error, 2 * np.abs(angle_asymptote(depth) / angle_path(RIGHT, 10_000)[depth - 1] - 1), rtol=0.02
    )
    assert abs(log_sin2_asymptote(1e300) - 2 * np.log(3 * np.pi / 1e300)) < 1e-10


def test_coinciding_inputs_stay_together():
    assert angle_asymptote(5, theta0=0.0) == 0
    assert angle_asymptote(5, 2.0, theta0=np.pi) == 0  # |x| does not tell x from -x
    assert log_sin2_asymptote(5, theta0=0.0) == -np.inf


def test_published_depth_at_the_default_threshold():
    assert infinite_degeneracy_depth(RIGHT, -4.0) == 58


@pytest.mark.parametrize("r", [0.1, 0.5, 1.0, 1.7, 2.0])
@pytest.mark.parametrize("theta0", [3.14, 2.5, RIGHT, 0.3, 0.04, 1e-3])
def test_degeneracy_depth_is_the_count_by_iteration(r, theta0):
    log_sin2 = iterate_angle_map(theta0, 30_000, r)[1]
    for threshold in (0.0, -0.2, -1.0, -4.0, -6.0, -6.3, -8.0, -10.0, -14.0, -15.5):
        above = np.flatnonzero(log_sin2 >= threshold)
        if above.size < 30_000:
            expected = above[-1] + 1 if above.size else 0
            assert infinite_degeneracy_depth(theta0, threshold, r) == expected


@pytest.mark.parametrize("r", [0.5, 1.0, 2.0])
def test_jump_ends_between_the_right_layers(r):
    """A threshold between ln sin² of layers l and l + 1 gives l; that of half a layer more or less does too."""
    log_sin2 = iterate_angle_map(RIGHT, 10_001, r)[1]
    for layer in (100, 1_000, 10_000):
        width = log_sin2[layer - 1] - log_sin2[layer]
        for share in (1e-5, 0.5, 1 - 1e-5):  # counts err by less than 5e-8 layers
            assert infinite_degeneracy_depth(RIGHT, log_sin2[layer - 1] - share * width, r) == layer


def test_ten_million_layers_are_counted_in_a_blink():
    start = time.process_time()
    depth = infinite_degeneracy_depth(RIGHT, 2 * np.log(3 * np.pi / 1e7))
    assert time.process_time() - start < 0.1
    # 1/(aθ) = 1e7 = u + (3/2) ln u, u = depth + K, K = 3.4: by the law of asymptotes alone
    assert abs(depth + 1.5 * np.log(1e7) - 1e7) < 10
    assert log_sin2_asymptote(depth) > 2 * np.log(np.sin(3 * np.pi / 1e7)) > log_sin2_asymptote(depth + 2)


def test_sine_of_an_obtuse_angle_rises_first():
    # θ0 = 3.1 lies below the threshold itself, θ_1 < π/2 above: the largest layer counts, not the first
    assert 2 * np.log(np.sin(3.1)) < -4
    assert infinite_degeneracy_depth(3.1, -4.0) >= infinite_degeneracy_depth(RIGHT, -4.0)


def test_identity_is_told_apart_for_ever_or_never():
    np.testing.assert_allclose(angle_path(1.0, 50, 0.0), 1.0, rtol=50 * 5 * EPS)
    assert infinite_degeneracy_depth(0.1, -4.0, 0.0) == 0
    for angle in (1.0, 0.04):
        with pytest.raises(DomainError, match="never changes"):
            infinite_degeneracy_depth(angle, -10.0, 0.0)
    with pytest.raises(DomainError, match="never changes"):
        angle_asymptote(10, 0.0)


@pytest.mark.parametrize("threshold", [-100.0, -1400.0, -1e5])
def test_depths_beyond_counting_are_refused(threshold):
    with pytest.raises(DomainError, match="1e\\+12"):
        infinite_degeneracy_depth(RIGHT, threshold)
    with pytest.raises(DomainError, match="1e\\+12"):
        infinite_degeneracy_depth(1e-300, -1500.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: angle_path(4.0, 3),
        lambda: angle_path(1.0, 0),
        lambda: angle_path(1.0, 3, 2.5),
        lambda: angle_asymptote(0.5),
        lambda: angle_asymptote(np.inf),
        lambda: angle_asymptote(10, theta0=-1.0),
        lambda: angle_asymptote(10, 1e-9),
        lambda: infinite_degeneracy_depth(RIGHT, np.nan),
        lambda: infinite_degeneracy_depth(np.nan),
    ],
)
def test_bad_arguments_are_refused_in_three_parts(call, monkeypatch):
    monkeypatch.setattr("gpdeep.meanfield.angle_decay._MOST_STEPS", 1000)
    with pytest.raises(DomainError, match="likely cause"):
        call()

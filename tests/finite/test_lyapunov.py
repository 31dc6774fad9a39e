"""Lyapunov exponents of a cloud of inputs and the readout's share, against linear algebra on random matrices."""

import numpy as np
import pytest
from chance import z_limit
from real_networks import draw, log_sin2, pair, slopes

from gpdeep.finite import lyapunov, readout_cumulants, sample_pairs, small_angle_cumulants

N = 20_000


def test_twenty_neurons_have_the_stated_exponents():
    np.testing.assert_allclose(lyapunov(20, 3), [-0.1269, -0.2751, -0.4564], rtol=0, atol=5e-5)


@pytest.mark.parametrize("n", [2, 10, 100, 10_000])
def test_the_first_exponent_is_the_drift_of_a_pair(n):
    # psi differences cancel: n·eps·ln n against the series
    np.testing.assert_allclose(lyapunov(n)[0], small_angle_cumulants(n)[0], rtol=1e-12 * n)


def test_exponents_are_minus_two_i_over_n_for_wide_layers():
    n = 4000
    np.testing.assert_allclose(lyapunov(n, 5), -2 * np.arange(1, 6) / n, rtol=20 / n)


@pytest.mark.statistical
@pytest.mark.parametrize("n", [6, 20])
def test_exponents_are_those_of_random_layers(n):
    m = 3
    rng = np.random.default_rng(n)
    active = rng.random((N, n)) < 0.5
    keep = active.sum(axis=1) > m
    g = rng.standard_normal((N, n, m + 1)) * active[:, :, None]  # base and directions on active neurons
    diagonal = np.abs(np.diagonal(np.linalg.qr(g[keep], mode="r"), axis1=1, axis2=2))
    growth = 2 * np.log(diagonal[:, 1:] / diagonal[:, :1])
    z = (growth.mean(axis=0) - lyapunov(n, m)) / (growth.std(axis=0) / np.sqrt(keep.sum()))
    assert np.abs(z).max() < z_limit(2 * m)
    # negative control: -2i/n
    z = (growth.mean(axis=0) + 2 * np.arange(1, m + 1) / n) / (growth.std(axis=0) / np.sqrt(keep.sum()))
    assert np.abs(z).max() > z_limit(2 * m)


@pytest.mark.statistical
def test_areas_spanned_by_three_inputs_shrink_by_the_first_two_exponents():
    # the triangle's area from its three sides (Heron) after few layers at tiny angles
    theta, n, depth = 1e-60, 30, 4
    inputs = np.array([[1.0, 0, 0], [1, theta, 0], [1, 0, theta]])
    x = sample_pairs(inputs, [n] * depth, n_samples=8000, rng=1)
    a2, b2, c2 = (np.exp(x[:, i, j] - 2 * np.log(theta)) for i, j in ((0, 1), (0, 2), (1, 2)))
    area2 = (4 * a2 * b2 - (a2 + b2 - c2) ** 2) / 16
    growth = np.log(area2) - np.log(1 / 4)
    z = (growth.mean() - depth * lyapunov(n, 2).sum()) / (growth.std() / np.sqrt(growth.size))
    # Heron loses digits where the triangle is flat; four layers flatten it by e^-0.3
    assert abs(z) < z_limit(1)


@pytest.mark.statistical
@pytest.mark.parametrize("theta", [1e-6, 0.3, 1.2, 2.6])
def test_a_linear_readout_shifts_the_mean_by_the_same_at_every_angle(theta):
    m = 10
    rng = np.random.default_rng(5)
    g, z = rng.standard_normal((2, N, m))
    # outputs u = g, v = cos θ g + sin θ z: sin² of their angle is sin²θ |z_perp|²/|v|²
    v = np.cos(theta) * g + np.sin(theta) * z
    gg, gz = np.sum(g * g, axis=1), np.sum(g * z, axis=1)
    x = np.log((np.sum(z * z, axis=1) - gz**2 / gg) / np.sum(v * v, axis=1))
    mean, var = readout_cumulants(m)
    assert abs((x.mean() - mean) / (x.std() / np.sqrt(N))) < z_limit(8)
    se = np.sqrt(np.mean((x - x.mean()) ** 4) - x.var() ** 2) / np.sqrt(N)
    if theta < 1e-3:
        assert abs((x.var() - var) / se) < z_limit(8)
    else:
        assert x.var() < var + z_limit(8) * se
    # negative control: psi of integers halved the other way round
    assert abs((x.mean() + mean) / (x.std() / np.sqrt(N))) > z_limit(8)


@pytest.mark.statistical
def test_readout_of_a_network_adds_its_mean():
    widths, m = [16] * 3, 6
    real = draw(pair(1.0), widths, slopes(0.0), n_samples=6000, seed=9)
    ok = ~(real.dead.any(axis=1) | real.parallel)
    hidden = real.activity[ok]
    out = hidden @ np.random.default_rng(1).standard_normal((len(hidden), 16, m))
    difference = log_sin2(out[:, 0], out[:, 1]) - log_sin2(hidden[:, 0], hidden[:, 1])
    z = (difference.mean() - readout_cumulants(m)[0]) / (difference.std() / np.sqrt(len(hidden)))
    assert abs(z) < z_limit(1)

"""At tiny angles the chain is translation invariant in ln sin², exact at any size, and sin θ is a martingale."""

import numpy as np
import pytest
from chance import p_limit, z_limit
from scipy.stats import ks_1samp, ks_2samp

from gpdeep.finite import angle_law, sample_angles, small_angle_cdf, small_angle_cumulants


def shift_of(widths, theta0, n_samples, rng, phi="relu"):
    """ln sin²θ_L - ln sin²θ₀ of the survivors."""
    state = sample_angles(widths, theta0, n_samples=n_samples, rng=rng, phi=phi)
    return state.log_sin2[state.alive] - 2 * np.log(theta0)


@pytest.mark.statistical
@pytest.mark.parametrize("theta0", [1e-150, 1e-80, 1e-300])
@pytest.mark.parametrize("phi", ["relu", "leaky_relu:0.3"])
def test_the_law_only_shifts_with_the_initial_angle(theta0, phi):
    # 1e-8: a neuron falls between the inputs with probability 8·20·1e-8/π per sample, 5e-7: not in 6000 samples
    one = shift_of([20] * 8, 1e-8, 6000, 1, phi)
    assert ks_2samp(one, shift_of([20] * 8, theta0, 6000, 2, phi)).pvalue > p_limit(6)


@pytest.mark.statistical
@pytest.mark.parametrize("n", [2, 3, 10, 64, 300])
@pytest.mark.parametrize("theta0", [1e-150, 1e-9])
def test_one_layer_has_the_exact_law(n, theta0):
    x = shift_of([n], theta0, 8000, 3)
    assert ks_1samp(x, lambda r: small_angle_cdf(n, r)).pvalue > p_limit(10)
    # negative control: a shift of a tenth of a standard deviation, as between widths n and 1.2 n
    shift = np.sqrt(small_angle_cumulants(n)[1]) / 10
    assert ks_1samp(x, lambda r: small_angle_cdf(n, r + shift)).pvalue < p_limit(10)


@pytest.mark.statistical
def test_five_thousand_layers_stay_finite_and_follow_the_exact_drift():
    n, depth, samples = 20, 5000, 300
    state = sample_angles([n] * depth, 1e-10, n_samples=samples, rng=4)
    mean, var, _ = small_angle_cumulants(n)
    x = state.log_sin2[state.alive] - 2 * np.log(1e-10)
    assert np.isfinite(x).all()
    assert x.min() < -700
    # given survival up to L the layers are independent; the drift -θ²/(3π) adds less than 1e-10·5000
    z = (x.mean() - depth * mean) / np.sqrt(depth * var / x.size)
    z_std = (x.std() / np.sqrt(depth * var) - 1) * np.sqrt(2 * x.size)
    assert abs(z) < z_limit(2)
    assert abs(z_std) < z_limit(2)
    # negative control: the diffusion limit's drift -2/n is 22 % too small here
    assert abs((x.mean() + 2 * depth / n) / np.sqrt(depth * var / x.size)) > z_limit(2)


@pytest.mark.statistical
def test_grid_agrees_with_the_chain_after_five_thousand_layers():
    law = angle_law([20] * 5000, 1e-10)
    mean, var, _ = small_angle_cumulants(20)
    # at tiny angles the grid's one-layer law has the exact mean and variance but for the table's sampling error
    np.testing.assert_allclose(law.mean[-1], 2 * np.log(1e-10) + 5000 * mean, rtol=2e-3)
    np.testing.assert_allclose(law.std[-1], np.sqrt(5000 * var), rtol=7e-3)


@pytest.mark.statistical
@pytest.mark.parametrize(("n", "depth"), [(3, 1), (16, 8), (100, 20)])
def test_the_sine_is_a_martingale(n, depth):
    # E √(χ²_{k-1}/χ²_k) = 1 for every k ≥ 2, so without any condition but survival
    stretch = np.exp(shift_of([n] * depth, 1e-120, 40_000, 5) / 2)
    z = (stretch.mean() - 1) / (stretch.std() / np.sqrt(stretch.size))
    # t = Σ1/n ≤ 1/2: the skewness of the stretch over √40000 is far below one, so the mean is normal
    assert abs(z) < z_limit(3)
    # negative control: the typical sine, e^{mean of ln}, is not one
    assert abs(np.exp(np.mean(np.log(stretch))) - 1) > z_limit(3) * stretch.std() / np.sqrt(stretch.size)


def test_two_nearby_angles_follow_the_same_neurons():
    # the same seed and a factor in the angle: the same stretch to rounding, 40 units for 30 layers of sums of 50
    one, two = (
        sample_angles([50] * 30, theta, n_samples=20, rng=6).log_sin2 - 2 * np.log(theta) for theta in (1e-200, 1e-120)
    )
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-11)

"""Lengths and gradients: exact moments and densities, and real forward and backward passes."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from chance import p_limit, z_limit
from real_networks import draw, slopes
from scipy.stats import ks_1samp, ks_2samp

from gpdeep.finite import gradient_law, length_law
from gpdeep.finite.lengths import log_chi2_cumulants

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "small_angle_law.json").read_text())["values"]
N = 6000


def distribution(law):
    """The distribution function of a law's density."""
    x, f = law.density(2048)
    step = x[1] - x[0]
    cumulative = np.cumsum(f) * step - f * step / 2
    return lambda values: np.interp(values, x, cumulative)


@pytest.mark.parametrize("n", [int(n) for n in REFERENCE])
def test_one_layer_s_log_moments_agree_with_60_digit_sums(n):
    mean, var, lost = log_chi2_cumulants(n)
    want = REFERENCE[str(n)]
    # E ψ(k/2) + ln(4/n): two numbers of size ln n cancel to 5/(2n)
    conditioning = n * np.log(n + 1) * np.finfo(float).eps
    np.testing.assert_allclose(mean, float(want["length_mean"]), rtol=1e-13 + 2 * conditioning)
    np.testing.assert_allclose(var, float(want["length_variance"]), rtol=2e-13 + conditioning)
    assert lost == pytest.approx(2.0**-n, rel=1e-12, abs=0)


def test_layers_add_up_and_backward_is_forward_from_the_other_end():
    widths = [5, 30, 200]
    forward, backward = length_law(widths), gradient_law(widths)
    terms = np.array([log_chi2_cumulants(n)[:2] for n in widths])
    np.testing.assert_allclose(forward.mean, np.cumsum(terms[:, 0]), rtol=1e-14)
    np.testing.assert_allclose(forward.std**2, np.cumsum(terms[:, 1]), rtol=1e-14)
    np.testing.assert_allclose(backward.mean, np.cumsum(terms[::-1, 0])[::-1], rtol=1e-14)
    np.testing.assert_allclose(forward.survival, np.cumprod(1 - 0.5 ** np.array(widths)), rtol=1e-14)


@pytest.mark.parametrize("widths", [[3], [10] * 4, [64] * 20, [500] * 10, [8, 100, 8]])
def test_density_integrates_to_one_with_the_exact_moments(widths):
    law = length_law(widths)
    x, f = law.density(2048)
    step = x[1] - x[0]
    # spectral: periodic sum over ±12 σ; at width 3 the density has an exponential tail e^{x/2}, and counts are thinned
    # from width 256 on
    assert f.sum() * step == pytest.approx(1.0, abs=1e-6)
    assert (f * x).sum() * step == pytest.approx(law.mean[-1], abs=1e-3 * law.std[-1])
    spread = np.sqrt((f * (x - law.mean[-1]) ** 2).sum() * step)
    assert spread == pytest.approx(law.std[-1], rel=2e-3)


@pytest.mark.parametrize("n", [32, 100])
def test_the_mean_square_keeps_its_mean_and_grows_in_the_second_moment(n):
    depth = 4
    law = length_law([n] * depth)
    x, f = law.density(2048)
    step = x[1] - x[0]
    # dead inputs, 2^-n of them, count as zero; the left tail beyond 12 σ, 1e-10, wraps around to where e^x = e^10
    assert (f * np.exp(x)).sum() * step == pytest.approx(1.0, rel=2e-5)
    inner = x < law.mean[-1] + 8 * law.std[-1]  # e^2x more so: stop at 8 σ, beyond which there is less than 1e-6 of it
    second = (f * np.exp(2 * x))[inner].sum() * step
    assert second == pytest.approx((1 + 5 / n) ** depth, rel=1e-3)
    # negative control: chi-square with n/2 fixed active neurons has 1 + 4/n
    assert abs((1 + 4 / n) ** depth / (1 + 5 / n) ** depth - 1) > 1e-2


@pytest.mark.statistical
@pytest.mark.parametrize("widths", [[3] * 2, [10] * 5, [100] * 10, [6, 300]])
def test_density_is_that_of_simulated_chi_squares(widths):
    rng = np.random.default_rng(2)
    total, alive = np.zeros(N), np.ones(N, bool)
    for n in widths:
        k = rng.binomial(n, 0.5, N)
        alive &= k > 0
        total += np.log(2 / n * rng.chisquare(np.maximum(k, 1)))
    law = length_law(widths)
    assert ks_1samp(total[alive], distribution(law)).pvalue > p_limit(4)
    # negative control: LeCun's weights
    assert ks_1samp(total[alive], distribution(length_law(widths, sigma_w=1.0))).pvalue < p_limit(4)


def backward_pass(widths, seed, outputs=3, inputs=4, sigma_w2=2.0):
    """ln|δ^l|² for l = 1..L and ln mean square activations, of networks whose input lives; by explicit matrices."""
    rng = np.random.default_rng(seed)
    sizes = [inputs, *widths, outputs]
    weights = [rng.standard_normal((N, b, a)) * np.sqrt(sigma_w2 / a) for a, b in pairwise(sizes)]
    h = np.full((N, inputs), 1.0)
    masks, lengths = [], []
    for w in weights[:-1]:
        z = np.einsum("nba,na->nb", w, h)
        masks.append(z > 0)
        h = np.maximum(z, 0)
        lengths.append(np.mean(h**2, axis=1))
    alive = np.all([length > 0 for length in lengths], axis=0)
    delta = np.broadcast_to(np.array([0.6, 0.0, 0.8]), (N, 3))  # a unit combination of outputs
    norms = []
    for w, mask in zip(weights[:0:-1], masks[::-1], strict=True):
        delta = np.einsum("nba,nb->na", w, delta) * mask
        norms.append(np.sum(delta**2, axis=1))
    return np.log(np.array(norms[::-1])[:, alive]), np.log(np.array(lengths)[:, alive])


@pytest.mark.statistical
@pytest.mark.parametrize("widths", [[8] * 6, [20, 6, 12]])
def test_gradients_by_backpropagation_have_the_law(widths):
    gradients, lengths = backward_pass(widths, seed=3)
    for layer in range(len(widths)):
        # gradients of layer l go through layers l..L: the law of the network cut off before
        back = gradient_law(widths[layer:])
        p = ks_1samp(gradients[layer], distribution(back)).pvalue
        assert p > p_limit(2 * 9)
    forward = length_law(widths)
    assert ks_1samp(lengths[-1], distribution(forward)).pvalue > p_limit(2 * 9)
    # negative control: LeCun's weights, and one layer less
    lecun, _ = backward_pass(widths, seed=3, sigma_w2=1.0)
    assert ks_1samp(lecun[0], distribution(gradient_law(widths))).pvalue < p_limit(2)
    assert ks_1samp(gradients[0], distribution(gradient_law(widths[1:]))).pvalue < p_limit(2)


@pytest.mark.statistical
def test_weight_gradients_have_one_law_in_all_layers():
    widths = [8] * 6
    one, _ = backward_pass(widths, seed=4)
    other, lengths = backward_pass(widths, seed=5)
    # ln |∂/∂W^l|² = ln|δ^l|² + ln|φ^{l-1}|²: the same terms but layer l - 1's and l's are counted once each
    first = one[0]
    for layer in range(1, 6):
        assert ks_2samp(first, other[layer] + lengths[layer - 1]).pvalue > p_limit(5)
    assert ks_2samp(first, other[3]).pvalue < p_limit(5)  # negative control: without the lengths


@pytest.mark.statistical
def test_forward_lengths_of_real_networks_have_the_law():
    widths = [8, 16, 8]
    real = draw(np.ones((1, 5)), widths, slopes(0.0), n_samples=N, seed=6)
    lengths = np.mean(real.activity[:, 0] ** 2, axis=1)
    alive = ~real.dead[:, 0]
    law = length_law(widths)
    assert ks_1samp(np.log(lengths[alive]), distribution(law)).pvalue > p_limit(1)
    z = (alive.mean() - law.survival[-1]) / np.sqrt(law.survival[-1] * (1 - law.survival[-1]) / N)
    assert abs(z) < z_limit(1)


def test_weights_scale_shifts_the_mean_alone():
    he, other = length_law([9] * 4), length_law([9] * 4, sigma_w=(1.0, 2.0, 1.5, 1.0))
    gain = 2 * np.log([1.0, 2.0, 1.5, 1.0]) - np.log(2)
    np.testing.assert_allclose(other.mean - he.mean, np.cumsum(gain), rtol=0, atol=4e-15)
    np.testing.assert_array_equal(other.std, he.std)
    np.testing.assert_allclose(other.log_gain, gain, rtol=1e-14)

"""sample_pairs has, for every pair of several inputs and jointly, the law of networks with real weight matrices."""

import numpy as np
import pytest
from chance import p_limit, z_limit, z_of_fractions
from real_networks import draw, log_sin2, slopes
from scipy.stats import ks_2samp

from gpdeep.activations import activation
from gpdeep.finite import sample_angles, sample_pairs

N_REAL, N_CHAIN = 4000, 16_000
PAIRS = [(i, j) for i in range(4) for j in range(i + 1, 4)]
SPREAD = np.random.default_rng(5).standard_normal((4, 5))
NEAR = np.eye(4)[:1] + 0.2 * np.random.default_rng(6).standard_normal((4, 4)) * [0, 1, 1, 1]
CASES = {
    "narrow, often orthogonal": (SPREAD, [5], "relu"),
    "narrow and deeper": (SPREAD, [5] * 3, "relu"),
    "orthogonal inputs": (np.eye(4), [16] * 4, "relu"),
    "a cluster": (NEAR, [12, 24, 12], "relu"),
    "leaky": (SPREAD, [6] * 4, "leaky_relu:0.1"),
    "absolute value": (SPREAD, [6] * 3, "abs"),
}
# rounding of angles in the real networks is below 1e-15 and ln sin² of parallel pairs near -70
PARALLEL = -55.0


def real_pairs(name, n_samples=N_REAL):
    """ln sin² of all pairs, shape (N, 4, 4); NaN where one of them or the base is dead, as the chain says it."""
    inputs, widths, phi = CASES[name]
    real = draw(
        inputs,
        widths,
        slopes(activation(phi).negative),
        n_samples=n_samples,
        seed=[21, list(CASES).index(name)],
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        x = log_sin2(real.activity[:, :, None], real.activity[:, None])
    dead = real.dead[:, :1, None] | real.dead[:, :, None] | real.dead[:, None]
    return np.where(dead, np.nan, np.where(x < PARALLEL, -np.inf, x))


def chain_pairs(name):
    inputs, widths, phi = CASES[name]
    return sample_pairs(inputs, widths, n_samples=N_CHAIN, rng=31, phi=phi)


def ks(one, two):
    one, two = (np.round(x[np.isfinite(x)], 9) for x in (one, two))  # orthogonal pairs: exact 0 and rounded 0
    return ks_2samp(one, two).pvalue


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_every_pair_has_the_law_of_real_networks(name):
    real, chain = real_pairs(name), chain_pairs(name)
    comparisons = len(CASES) * len(PAIRS)
    for i, j in PAIRS:
        one, two = real[:, i, j], chain[:, i, j]
        assert ks(one, two) > p_limit(3 * comparisons)
        for event in (np.isnan, np.isneginf):
            z = z_of_fractions(event(one).mean(), event(two).mean(), N_REAL, N_CHAIN)
            assert abs(z) < z_limit(3 * comparisons)


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_pairs_are_jointly_right(name):
    # differences and sums of two pairs with and without the base: their law needs the correlations
    real, chain = real_pairs(name), chain_pairs(name)
    combinations = [((0, 1), (0, 2)), ((0, 1), (1, 2)), ((0, 3), (1, 2)), ((1, 2), (2, 3))]
    with np.errstate(invalid="ignore"):
        for one, two in combinations:
            for sign in (1, -1):
                p = ks(real[:, *one] + sign * real[:, *two], chain[:, *one] + sign * chain[:, *two])
                assert p > p_limit(len(CASES) * 2 * len(combinations))


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_independent_pairs_would_be_seen(name):
    # negative control: right marginals, correlations broken by shuffling the networks of one pair
    real, chain = real_pairs(name), chain_pairs(name)
    shuffled = np.random.default_rng(0).permutation(chain[:, 1, 2])
    with np.errstate(invalid="ignore"):
        p = min(ks(real[:, 0, 1] + sign * real[:, 1, 2], chain[:, 0, 1] + sign * shuffled) for sign in (1, -1))
    assert p < p_limit(len(CASES))


@pytest.mark.statistical
def test_two_inputs_follow_the_two_input_chain():
    theta = 0.7
    pairs = sample_pairs([[2.0, 0.0], [np.cos(theta), np.sin(theta)]], [8] * 5, n_samples=N_CHAIN, rng=1)
    state = sample_angles([8] * 5, theta, n_samples=N_CHAIN, rng=2)
    assert ks(pairs[:, 0, 1], state.log_sin2[state.alive]) > p_limit(1)


@pytest.mark.statistical
def test_marginals_hold_after_hundreds_of_layers_at_tiny_angles():
    # 300 layers take ln sin² to -30 - 2·300/24: rounding of directions must not leak into the angles
    widths, theta = [24] * 300, 1e-7
    inputs = np.array([[1.0, 0, 0], [1, theta, 0], [1, 0, theta]])
    pairs = sample_pairs(inputs, widths, n_samples=600, rng=3)
    for i, j, start in ((0, 1, theta), (0, 2, theta), (1, 2, np.sqrt(2) * theta)):
        state = sample_angles(widths, start, n_samples=2000, rng=4 + i + j)
        assert ks(pairs[:, i, j], state.log_sin2[state.alive]) > p_limit(3)


def test_result_is_symmetric_with_parallel_diagonal_and_does_not_see_lengths():
    inputs = np.array([[1.0, 2, 3], [3, 1, 2], [0, 1, 1]])
    pairs = sample_pairs(inputs, [10] * 3, n_samples=50, rng=0)
    np.testing.assert_array_equal(pairs, pairs.transpose(0, 2, 1))
    assert np.isneginf(np.einsum("nii->ni", pairs)).all()
    scaled = sample_pairs(inputs * [[1e-200], [1.0], [1e200]], [10] * 3, n_samples=50, rng=0)
    # scaling rounds the directions by 2 units; ln sin² is conditioned like 2/tan θ·δθ, angles here are above 0.01
    np.testing.assert_allclose(scaled, pairs, rtol=1e-11, atol=1e-11)


def test_proportional_inputs_stay_parallel():
    inputs = np.array([[1.0, 2], [2, 4], [1, 0]])
    pairs = sample_pairs(inputs, [30] * 2, n_samples=40, rng=0)
    assert np.isneginf(pairs[:, 0, 1]).all()
    np.testing.assert_array_equal(pairs[:, 0, 2], pairs[:, 1, 2])

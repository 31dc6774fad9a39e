"""sample_angles has the law of networks with real weight matrices: angles, fates and lengths."""

import numpy as np
import pytest
from chance import p_limit, z_limit, z_of_fractions
from real_networks import draw, log_sin2, pair, pair_angles, slopes
from scipy.stats import ks_2samp

from gpdeep.activations import TwoSlope, activation
from gpdeep.finite import sample_angles

N_REAL, N_CHAIN = 4000, 16_000
CASES = {
    "width 2": ([2, 2], np.pi / 2, "relu"),
    "width 3": ([3] * 3, 0.4, "relu"),
    "width 1 within": ([6, 1], 1.0, "relu"),
    "width 10": ([10] * 5, np.pi / 2, "relu"),
    "width 10 acute": ([10] * 12, 0.5, "relu"),
    "obtuse": ([12] * 2, 2.8, "relu"),
    "opposite": ([12] * 2, np.pi, "relu"),
    "pyramid": ([48, 24, 12], 1.2, "relu"),
    "widening": ([4, 16, 64], 0.1, "relu"),
    "leaky": ([10] * 8, 0.8, "leaky_relu:0.1"),
    "leaky obtuse": ([5] * 3, 2.9, "leaky_relu:0.1"),
    "absolute value": ([6] * 4, 2.0, "abs"),
    "wider than one counted block": ([200, 8], 1.0, "relu"),
}


def real_and_chain(name):
    widths, theta0, phi = CASES[name]
    function = activation(phi)
    seed = list(CASES).index(name)
    real = pair_angles(theta0, widths, slopes(function.negative), n_samples=N_REAL, seed=[11, seed])
    state = sample_angles(widths, theta0, n_samples=N_CHAIN, rng=seed, phi=phi)
    return real, state


def surviving(state):
    return state.log_sin2[state.alive]


def ks(one, two):
    # exact orthogonality and its rounded form in real networks are one value: 9 decimals of ln sin²
    return ks_2samp(np.round(one, 9), np.round(two, 9)).pvalue


def expected_to_live(name):
    return 1 not in CASES[name][0]


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_angles_have_the_law_of_real_networks(name):
    (x, *_), state = real_and_chain(name)
    if not expected_to_live(name):
        assert x.size == 0
        assert not state.alive.any()
        return
    assert ks(x, surviving(state)) > p_limit(len(CASES))


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_as_many_pairs_die_collapse_or_become_orthogonal(name):
    (_, *fates), state = real_and_chain(name)
    for real, chain in zip(fates, (state.dead, state.collapsed, state.orthogonal), strict=True):
        z = z_of_fractions(real.mean(), chain.mean(), N_REAL, N_CHAIN)
        assert abs(z) < z_limit(3 * len(CASES))


@pytest.mark.statistical
@pytest.mark.parametrize("name", [name for name in CASES if expected_to_live(name)])
def test_a_drift_off_by_one_nth_per_layer_is_seen(name):
    # negative control: half the drift -2/n that tells finite from infinite width
    (x, *_), state = real_and_chain(name)
    widths = CASES[name][0]
    assert ks(x, surviving(state) - sum(1 / n for n in widths)) < p_limit(len(CASES))


@pytest.mark.statistical
@pytest.mark.parametrize("phi", ["relu", "leaky_relu:0.1", "abs"])
def test_lengths_have_the_law_of_real_networks_with_preserving_weights(phi):
    function, widths = activation(phi), [12] * 6
    inputs = pair(1.0)
    scale = np.log(np.mean(inputs**2, axis=1))
    state = sample_angles(widths, 1.0, n_samples=N_CHAIN, rng=3, phi=phi)
    for sigma_w2, right in ((function.he_sigma_w**2, True), (1.0, phi == "abs")):
        real = draw(inputs, widths, slopes(function.negative), n_samples=N_REAL, seed=[12, 1], sigma_w2=sigma_w2)
        alive = ~real.dead.any(axis=1)
        lengths = np.log(np.mean(real.activity[alive] ** 2, axis=2)) - scale
        keep = ~state.dead[:, 0]
        for j in (0, 1):
            p = ks_2samp(lengths[:, j], state.log_length2[keep, j]).pvalue
            # negative control: LeCun's σ_w² = 1 halves the mean square in every ReLU layer; it is right for |x|
            assert (p > p_limit(8)) == right


@pytest.mark.statistical
@pytest.mark.parametrize(("widths", "theta0"), [([10] * 6, 1.0), ([4] * 2, np.pi / 2)])
def test_lengths_and_angle_are_jointly_right(widths, theta0):
    # marginals cannot see wrong correlations; at width 4 every sixth pair becomes orthogonal and lives on
    inputs = pair(theta0)
    real = draw(inputs, widths, slopes(0.0), n_samples=N_REAL, seed=[13, 1])
    state = sample_angles(widths, theta0, n_samples=N_CHAIN, rng=4)
    ok = ~(real.dead.any(axis=1) | real.parallel)
    x = np.where(real.joint[ok], log_sin2(real.activity[ok, 0], real.activity[ok, 1]), 0.0)
    lengths = np.log(np.mean(real.activity[ok] ** 2, axis=2)) - np.log(np.mean(inputs**2, axis=1))
    alive = state.alive[:, 0]
    y, other = state.log_sin2[alive, 0], state.log_length2[alive]
    for weights in ((0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, -1), (0, 1, -1), (0, 1, 1)):
        one = weights[0] * x + lengths @ weights[1:]
        two = weights[0] * y + other @ weights[1:]
        assert ks_2samp(one, two).pvalue > p_limit(2 * 6)


@pytest.mark.parametrize("slope", [2.0, 0.25])
def test_a_factor_in_the_activation_is_taken_up_by_the_preserving_weights(slope):
    relu = sample_angles([9] * 4, 1.0, n_samples=50, rng=0)
    scaled = sample_angles([9] * 4, 1.0, n_samples=50, rng=0, phi=TwoSlope("scaled", 0.0, slope))
    # the same neurons and the same arithmetic: bit for bit
    np.testing.assert_array_equal(scaled.log_sin2, relu.log_sin2)
    np.testing.assert_array_equal(scaled.log_length2, relu.log_length2)

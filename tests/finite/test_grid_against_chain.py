"""The grid against fresh samples of the exact chain on other architectures; reported errors cover the gap."""

import numpy as np
import pytest
from chance import moments, z_limit, z_of_probability

from gpdeep.finite import angle_law, sample_angles

N = 12_000
MIXTURE = np.array([0.05, 0.4, 1.2, np.pi / 2, 2.6])
CASES = {
    "[8]*6": ([8] * 6, np.pi / 2),
    "[12]*20 from 0.05": ([12] * 20, 0.05),
    "[24]*40": ([24] * 40, np.pi / 2),
    "bottleneck": ([9, 300, 15, 64], np.pi / 2),
    "obtuse": ([20] * 5, 2.8),
    "opposite": ([14] * 4, np.pi),
    "mixture": ([16] * 8, MIXTURE),
    "tiny": ([25] * 12, 1e-150),
}


def law_and_sample(name):
    widths, theta0 = CASES[name]
    law = angle_law(widths, theta0, method="grid")
    state = sample_angles(widths, theta0, n_samples=N, rng=list(CASES).index(name))
    return law, state


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_reported_errors_cover_the_gap_to_the_chain(name):
    law, state = law_and_sample(name)
    mean, std, se_mean, se_std = moments(state.log_sin2[state.alive])
    assert law.error.kind == "estimate"
    limit = z_limit(2 * len(CASES))
    assert abs(law.mean[-1] - mean) <= law.error.mean + limit * se_mean
    assert abs(law.std[-1] - std) <= law.error.std + limit * se_std


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_fates_have_the_grid_s_probabilities(name):
    law, state = law_and_sample(name)
    for event in ("dead", "collapsed", "orthogonal"):
        z = z_of_probability(np.mean(getattr(state, event)), getattr(law, event)[-1], N)
        assert abs(z) < z_limit(3 * len(CASES))


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_the_distribution_function_is_that_of_the_chain(name):
    law, state = law_and_sample(name)
    x = np.sort(state.log_sin2[state.alive])
    # Kolmogorov's distance at 60 quantiles; 0.006 for the one-layer law's shape (two or three cumulants, not the law)
    index = np.linspace(0.01, 0.99, 60) * (x.size - 1)
    points = x[index.astype(int)]
    points = points[points < -1e-4]  # below the atom of exactly orthogonal pairs
    gap = [abs(law.cdf(float(point)) - np.searchsorted(x, point, side="right") / x.size) for point in points]
    # P(√N sup|F_N - F| > 2.2) = 2 e^{-2·2.2²} = 1.2e-4 for each of 8 cases
    assert max(gap) < 2.2 / np.sqrt(x.size) + 0.006
    # negative control: the law of the same network with a fifth more layers or one more
    widths, theta0 = CASES[name]
    deeper = angle_law([*widths, *widths[: 1 + len(widths) // 5]], theta0, method="grid")
    gap = [abs(deeper.cdf(float(point)) - np.searchsorted(x, point, side="right") / x.size) for point in points]
    assert max(gap) > 2.2 / np.sqrt(x.size) + 0.006


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["[8]*6", "[24]*40", "mixture"])
def test_the_probability_above_a_threshold_is_that_of_the_chain(name):
    law, state = law_and_sample(name)
    widths, theta0 = CASES[name]
    for threshold in (-0.5, -2.0, -6.0):
        got = angle_law(widths, theta0, method="grid", threshold=threshold).above[-1]
        seen = np.mean(np.where(state.alive, state.log_sin2, -np.inf) >= threshold)
        # Bonferroni over nine comparisons; the law's shape as above
        assert abs(got - seen) < z_limit(9) * np.sqrt(got * (1 - got) / N) + 0.006
        # F and its step functional are the same thing but for an atom at the threshold
        np.testing.assert_allclose(got, law.survival[-1] * (1 - law.cdf(threshold)), rtol=0, atol=1e-9)


@pytest.mark.statistical
def test_obtuse_and_acute_angles_are_not_mirror_images():
    # cos θ → -cos θ is no symmetry: from π - θ₀ the next angle is nearly right, from θ₀ nearly θ₀
    acute, obtuse = angle_law([20] * 5, np.pi - 2.8), angle_law([20] * 5, 2.8)
    state = sample_angles([20] * 5, 2.8, n_samples=N, rng=3)
    mean, _, se, _ = moments(state.log_sin2[state.alive])
    assert abs(obtuse.mean[-1] - mean) < z_limit(1) * se + obtuse.error.mean
    assert abs(acute.mean[-1] - mean) > 10 * (z_limit(1) * se + obtuse.error.mean)


@pytest.mark.statistical
@pytest.mark.parametrize(("n", "theta"), [(40, 3.05), (24, 2.6), (24, 2.9), (64, 2.4)])
def test_one_layer_from_a_very_obtuse_angle_is_right_in_absolute_terms(n, theta):
    # the expansion in 1/n ends where few neurons are common to both inputs: 2e-4 of ln sin² at width 24, where the next
    # layer adds a spread of at least √(0.27/n) = 0.1
    law = angle_law([n], theta, method="grid")
    state = sample_angles([n], theta, n_samples=N, rng=8)
    mean, std, se_mean, se_std = moments(state.log_sin2[state.alive])
    assert abs(law.mean[0] - mean) < 2e-4 + z_limit(8) * se_mean
    assert abs(law.std[0] - std) < 2e-4 + z_limit(8) * se_std


def test_a_mixture_is_the_average_of_its_laws():
    widths = [16] * 8
    mixed = angle_law(widths, MIXTURE, method="grid")
    parts = [angle_law(widths, angle, method="grid") for angle in MIXTURE]
    np.testing.assert_allclose(mixed.survival, np.mean([p.survival for p in parts], axis=0), rtol=1e-9)
    weight = np.array([p.survival for p in parts]) / np.sum([p.survival for p in parts], axis=0)
    # the parts have grids of their own, each right to the convergence error (see test_grid_convergence)
    np.testing.assert_allclose(mixed.mean, (weight * [p.mean for p in parts]).sum(axis=0), rtol=0, atol=2e-5)


def test_parallel_pairs_in_a_mixture_count_as_collapsed():
    law = angle_law([20] * 3, [0.0, 1.0, 1.0, 0.0], method="grid")
    alone = angle_law([20] * 3, 1.0, method="grid")
    np.testing.assert_allclose(law.survival, alone.survival / 2, rtol=1e-12)
    np.testing.assert_allclose(law.collapsed, 0.5 + alone.collapsed / 2, rtol=1e-12)
    np.testing.assert_allclose(law.mean, alone.mean, rtol=1e-12)
    chain = angle_law([20] * 3, [0.0, 1.0, 1.0, 0.0], method="chain", n_samples=4000)
    assert abs(z_of_probability(chain.collapsed[-1], law.collapsed[-1], 4000)) < z_limit(1)

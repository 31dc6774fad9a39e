"""The grid at the ends of its domain: very deep, very wide, very narrow, very small angles."""

import tracemalloc
import warnings

import numpy as np
import pytest
from chance import z_limit, z_of_probability
from scipy.special import ndtr

from gpdeep.finite import angle_law, sample_angles


@pytest.fixture(scope="module")
def very_deep():
    tracemalloc.start()
    law = angle_law([20] * 5400)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return law, peak


@pytest.mark.statistical
def test_5400_layers_of_20_agree_with_an_independent_chain(very_deep):
    law, _ = very_deep
    # an independent Gram chain, its own implementation: -693.2 ± 1.4, 51.9 ± 1.0, 0.893 of about 1400 alive;
    # the grid's drift is right to 0.1 %, and the false alarm rate of three comparisons 1e-3
    limit = z_limit(3)
    assert abs(law.mean[-1] + 693.2) < limit * 1.4 + 0.7
    assert abs(law.std[-1] - 51.9) < limit * 1.0 + 0.4
    assert abs(z_of_probability(0.893, law.survival[-1], 1400)) < limit
    # negative control: the diffusion limit's drift -2/n
    assert abs(-2 * 5400 / 20 + 693.2) > limit * 1.4 + 0.7


def test_5400_layers_take_little_memory(very_deep):
    law, peak = very_deep
    assert np.isfinite(law.mean).all()
    # 3000 nodes: banded matrix 30 MB, chunks 8 MB a copy, the construction of the band twice
    assert peak < 400e6


@pytest.mark.parametrize("widths", [[10**6], [10**6] * 3, [10**6, 30]])
def test_a_million_neurons_a_layer(widths):
    law = angle_law(widths)
    assert np.isfinite([law.mean, law.std, law.median]).all()
    if min(widths) == 10**6:
        limit = angle_law(widths, method="infinite").mean
        # drift -0.911/n a layer, carried on with factors near one
        np.testing.assert_allclose(law.mean, limit, rtol=0, atol=5e-6)
        np.testing.assert_allclose(law.std[0], np.sqrt(0.2730195723576e-6), rtol=2e-4)


def test_ten_thousand_layers():
    law = angle_law([1000] * 10_000)
    assert np.isfinite([law.mean, law.std, law.median]).all()
    assert (np.diff(law.mean) < 0).all()
    # slope at the end: that of the small-angle limit, -2/n(1 + 4/n)
    np.testing.assert_allclose(law.mean[-1] - law.mean[-101], -0.2 * 1.004, rtol=0.05)


@pytest.mark.parametrize("theta0", [1e-150, 1e-300, 1e-8])
def test_tiny_angles(theta0):
    law = angle_law([32] * 10, theta0)
    assert np.isfinite([law.mean, law.std, law.median]).all()
    assert law.mean[-1] == pytest.approx(2 * np.log(theta0) - 0.07184895456841994 * 10, abs=1e-3)


@pytest.mark.parametrize("widths", [[1], [1, 1], [5, 1], [1, 5]])
@pytest.mark.parametrize("method", ["auto", "grid", "chain"])
def test_no_pair_survives_a_single_neuron(widths, method):
    law = angle_law(widths, 1.0, method=method, n_samples=200)
    assert law.survival[-1] == 0
    assert np.isnan(law.mean[-1])
    assert law.dead[-1] + law.collapsed[-1] == pytest.approx(1.0, abs=1e-12)
    at = widths.index(1)
    assert (law.survival[at:] == 0).all()


@pytest.mark.statistical
@pytest.mark.parametrize("widths", [[2], [3, 3], [2, 3, 2], [3] * 6, [4, 100, 3]])
def test_two_and_three_neurons(widths):
    law = angle_law(widths, 1.0, method="grid")
    state = sample_angles(widths, 1.0, n_samples=20_000, rng=7)
    x = state.log_sin2[state.alive]
    limit = z_limit(3 * 5)
    assert abs(z_of_probability(state.alive.mean(), law.survival[-1], 20_000)) < limit
    # narrow layers' laws are broad: 1 % of the spread for the table, interpolated in θ where it is not smooth
    assert abs(law.mean[-1] - x.mean()) < limit * x.std() / np.sqrt(x.size) + 0.01 * x.std()
    se = np.sqrt(np.mean((x - x.mean()) ** 4) - x.var() ** 2) / np.sqrt(x.size) / (2 * x.std())
    assert abs(law.std[-1] - x.std()) < limit * se + 0.01 * x.std()


def test_auto_takes_the_chain_for_narrow_layers_and_other_activations():
    assert angle_law([7] * 2, n_samples=10).method == "chain"
    assert angle_law([8] * 2).method == "grid"
    assert angle_law([64] * 2, phi="abs", n_samples=10).method == "chain"


def test_no_warning_at_any_end():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for theta in (np.pi, np.nextafter(np.pi, 0), 3.1, np.pi / 2, 1e-307):
            for widths in ([8], [23, 24], [1000] * 3, [8, 10**6]):
                law = angle_law(widths, theta, method="grid")
                assert np.isfinite(law.mean).all()
                assert (law.mean <= 0).all()


@pytest.mark.parametrize("sigmas", [-1e4, -30.0, -3.0, 0.0, 3.0, 30.0, 1e4])
def test_probability_above_a_threshold_of_a_law_narrower_than_a_cell(sigmas):
    law = angle_law([10**6], 2.0)
    assert law.std[0] < 2e-4  # two hundredths of a cell: the grid cannot resolve it
    threshold = min(law.mean[0] + sigmas * law.std[0], 0.0)
    above = angle_law([10**6], 2.0, threshold=threshold).above[0]
    # normal but for a skewness of K₂/V₁^1.5/√n = -0.016
    assert above == pytest.approx(ndtr(-sigmas), abs=0.003)


@pytest.mark.parametrize("n", [100, 10**5])
def test_probability_above_a_threshold_falls_with_the_threshold(n):
    law = angle_law([n])
    thresholds = np.minimum(law.mean[0] + law.std[0] * np.linspace(-8, 8, 41), 0.0)
    above = [angle_law([n], threshold=threshold).above[0] for threshold in thresholds]
    # six-point weights have negative ones: ripples in the tails where a standard deviation is a few cells
    assert (np.diff(above) <= 1e-7).all()
    assert above[0] == pytest.approx(1.0, abs=1e-4)
    assert above[-1] == pytest.approx(0.0, abs=1e-7)

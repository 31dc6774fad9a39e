"""z-scores over seeds: known and estimated variance, skewness, dead networks."""

import json
import math

import mpmath as mp
import numpy as np
import pytest
from bands import most_events, within_band
from scipy.special import ndtr, polygamma
from scipy.stats import ttest_1samp

import gpdeep
from gpdeep import DomainError
from gpdeep.agreement import seed_scores
from gpdeep.agreement.tails import skewed_tails


def test_known_variance_gives_z_and_estimated_variance_scipys_t():
    x = np.random.default_rng(0).standard_normal((8, 3, 2))
    known = seed_scores(x, 0.2, std=1.5)
    np.testing.assert_allclose(known.z, (x.mean(axis=0) - 0.2) / (1.5 / math.sqrt(8)), rtol=1e-12)
    estimated = seed_scores(x, 0.2)
    want = ttest_1samp(x, 0.2)
    np.testing.assert_allclose(estimated.statistic, want.statistic, rtol=1e-12)
    np.testing.assert_allclose(estimated.p_value, want.pvalue, rtol=1e-12)
    # z has the same two-sided p-value and the sign of the error
    np.testing.assert_allclose(2 * ndtr(-np.abs(estimated.z)), want.pvalue, rtol=1e-12)
    np.testing.assert_array_equal(np.sign(estimated.z), np.sign(estimated.error))
    assert known.z.shape == estimated.z.shape == (3, 2)


def test_a_t_of_eight_seeds_weighs_less_than_a_z():
    x = np.array([-1.0, 1.0] * 4) * math.sqrt(7 / 8) + 4.785 / math.sqrt(8)  # s = 1, t = 4.785: p = 0.002
    score = seed_scores(x, 0.0)
    assert score.statistic == pytest.approx(4.785, rel=1e-12)
    assert score.z == pytest.approx(3.09, abs=0.005)


def test_far_tails_keep_their_digits_on_both_sides():
    for error in (30.0, -30.0):
        score = seed_scores([error], 0.0, std=1.0)
        assert score.z == pytest.approx(error, rel=1e-14)
        assert score.p_value == pytest.approx(2 * float(mp.ncdf(-30)), rel=1e-10)  # conditioning z² of ndtr's argument


def pearson(z, g):
    """P(Z < z) by integrating the gamma density with 40 digits; g > 0."""
    with mp.workdps(40):
        a, g = 4 / mp.mpf(g) ** 2, mp.mpf(g)
        norm = mp.exp(a * mp.log(a) - a - mp.loggamma(a)) * 2 / g / a

        def density(y):
            return norm * abs(1 + y * g / 2) ** (a - 1) * mp.exp(-2 * y / g)  # abs: -2/g rounds

        low = max(-2 / g, z - 30)
        return float(mp.quad(density, [low, (low + z) / 2, z - 1 if z - 1 > low else (low + 3 * z) / 4, z]))


@pytest.mark.parametrize("g", [3e-3, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("z", [-1.5, 0.0, 2.0])
def test_skewed_tails_are_those_of_a_shifted_gamma_variable(g, z):
    lower, upper = skewed_tails(np.array(z), np.array(g))
    want = pearson(z, g)
    # scipy's incomplete gamma function: 1e-14 relative, times the conditioning 2|z|/g in its argument
    np.testing.assert_allclose([lower, upper], [want, 1 - want], rtol=1e-9)
    np.testing.assert_array_equal(skewed_tails(np.array(-z), np.array(-g)), (upper, lower))


@pytest.mark.parametrize("z", [-5.0, -2.0, 0.3, 4.0])
def test_almost_symmetric_tails_join_the_skewed_ones(z):
    """Edgeworth's term below g = 2e-3: what it leaves out is of order g² z⁶/72 < 1e-3 of the tail."""
    below, above = (skewed_tails(np.array(z), np.array(g)) for g in (1.999e-3, 2.001e-3))
    np.testing.assert_allclose(below, above, rtol=2e-3)
    np.testing.assert_allclose(skewed_tails(np.array(z), np.array(0.0)), (ndtr(z), ndtr(-z)), rtol=1e-14)


def logs(rng, shape):
    """ln χ²₄, centred, a left-skewed law with known cumulants: σ, γ."""
    mean, std = float(polygamma(0, 2)) + math.log(2), math.sqrt(float(polygamma(1, 2)))
    skewness = float(polygamma(2, 2)) / std**3
    return np.log(rng.chisquare(4, shape)) - mean, std, skewness


@pytest.mark.statistical
def test_skewness_repairs_the_rate_of_eight_skewed_seeds():
    """γ = -0.78, R = 8, level 1e-3: exp(γz³/6√R) is 5 in the left tail; with γ it comes within a half."""
    repeats, level = 100_000, 1e-3
    x, std, skewness = logs(np.random.default_rng(1), (8, repeats))
    normal = seed_scores(x, 0.0, std=std)
    repaired = seed_scores(x, 0.0, std=std, skewness=skewness)
    left = [int(((s.p_value < level) & (s.z < 0)).sum()) for s in (normal, repaired)]
    right = [int(((s.p_value < level) & (s.z > 0)).sum()) for s in (normal, repaired)]
    wanted = repeats * level / 2
    assert left[0] > 2.5 * wanted  # negative control
    assert right[0] < wanted / 4
    assert 0.5 * wanted < left[1] < 1.5 * wanted  # Poisson of 50: four standard deviations are 0.57 of it
    assert 0.4 * wanted < right[1] < 1.6 * wanted


@pytest.mark.statistical
@pytest.mark.parametrize("known", [True, False])
def test_normal_seeds_are_exact_at_every_number(known):
    for replicates in (2, 3, 8, 50):
        x = 5 + 0.01 * np.random.default_rng([2, replicates]).standard_normal((replicates, 50_000))
        p = seed_scores(x, 5.0, std=0.01 if known else None).p_value
        for level in (1e-3, 0.05):
            assert within_band(int((p < level).sum()), p.size, level)


@pytest.mark.statistical
def test_negative_control_correlated_seeds_are_rejected_too_often():
    """Pairs of inputs of one network instead of networks: eight numbers that share most of their fluctuation."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal(20_000) + 0.5 * rng.standard_normal((8, 20_000))
    assert (seed_scores(x, 0.0).p_value < 0.05).sum() > 5 * most_events(20_000, 0.05)


def test_dead_networks_are_left_out_of_their_layer_and_counted():
    x = np.arange(12.0).reshape(4, 3)
    x[0, 1] = -np.inf
    x[:3, 2] = np.nan
    scores = seed_scores(x, [4.5, 7.0, 3.0])
    assert scores.replicates.tolist() == [4, 3, 1]
    assert scores.estimate.tolist() == [4.5, 7.0, 11.0]
    assert scores.z[:2].tolist() == [0.0, 0.0]
    assert math.isnan(scores.z[2])
    assert scores.p_value[2] == 1.0
    assert "4 of 12 values are not finite" in scores.status.messages[0]
    assert "1 of 3 means have too few seeds" in scores.status.messages[1]
    known = seed_scores(x, [4.5, 7.0, 3.0], std=2.0)
    assert known.z[2] == pytest.approx(4.0)
    gone = seed_scores(np.full((3, 1), np.nan), 0.0, std=1.0)
    assert gone.p_value.tolist() == [1.0]
    assert gone.replicates.tolist() == [0]


def test_equal_seeds_have_no_scatter_to_measure_with():
    scores = seed_scores([[1.0, 1.0], [1.0, 1.0]], [1.0, 2.0])
    assert scores.z.tolist() == [0.0, -math.inf]
    assert scores.p_value.tolist() == [1.0, 0.0]


def test_scores_print_and_are_kept(tmp_path):
    scores = seed_scores(np.random.default_rng(4).standard_normal((8, 30)), 0.0, std=1.0, rival=1.0)
    again = gpdeep.load(scores.save(tmp_path / "scores.json"))
    assert again == scores
    text = str(scores)
    for part in ("8 seeds, known variance", "rival's error", "s.e.", "30"):
        assert part in text
    assert "Student" in str(seed_scores([1.0, 2.0], 0.0))
    assert json.dumps(scores.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (3.0, {"mean": 0.0}, "single number"),
        ([[1.0, 2.0]] * 3, {"mean": [0.0, 0.0, 0.0]}, r"mean has shape \(3,\)"),
        ([[1.0, 2.0]] * 3, {"mean": [0.0, math.nan]}, "holds NaN"),
        ([1.0, 2.0], {"mean": 0.0, "std": -1.0}, "std = -1.0"),
        ([1.0, 2.0], {"mean": 0.0, "skewness": -0.5}, "skewness = -0.5"),
        ([1.0, 2.0], {"mean": 0.0, "rival": [1.0, 2.0]}, "rival has shape"),
        ([[1.0], [2.0, 3.0]], {"mean": 0.0}, "samples is an array of type ragged"),
        ([1j], {"mean": 0.0}, "complex"),
    ],
)
def test_what_are_no_seeds_is_refused(samples, options, message):
    with pytest.raises(DomainError, match=message):
        seed_scores(samples, **options)

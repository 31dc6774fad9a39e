"""Exact tests: their p-values are p-values, and the effect they call detectable is detected."""

import math

import numpy as np
import pytest
from bands import most_events, within_band
from scipy.special import ndtri
from scipy.stats import beta, binom, ks_2samp, kstest, ncx2, norm, ttest_1samp

from gpdeep import DomainError
from gpdeep.agreement import TestKind, count_test, frequency_test, law_test, mean_test, same_law_test

LEVEL = 1e-3


def test_means_are_tested_by_scipys_t_and_by_the_normal_law():
    x = np.random.default_rng(0).normal(0.3, 2.0, 8)
    t = mean_test(x, 0.1, rival=0.3)
    want = ttest_1samp(x, 0.1)
    np.testing.assert_allclose([t.statistic, t.p_value], [want.statistic, want.pvalue], rtol=1e-12)
    assert t.degrees_of_freedom == 7
    assert t.rival_error == pytest.approx(x.mean() - 0.3, rel=1e-14)
    z = mean_test(x, 0.1, std=2.0)
    want_z = (x.mean() - 0.1) / (2 / math.sqrt(8))
    np.testing.assert_allclose([z.statistic, z.p_value], [want_z, 2 * norm.sf(abs(want_z))], rtol=1e-12)


def test_laws_are_tested_by_kolmogorov_and_smirnov():
    rng = np.random.default_rng(1)
    x, y, z = rng.standard_normal(200), rng.standard_normal(150), rng.standard_normal(80) + 1
    one = law_test(x, norm.cdf, rival=norm(1).cdf)
    assert (one.statistic, one.p_value) == tuple(kstest(x, "norm"))[:2]
    assert one.rival_error == kstest(x, norm(1).cdf).statistic
    two = same_law_test(x, y, rival=z)
    assert (two.statistic, two.p_value) == tuple(ks_2samp(x, y))[:2]
    assert two.rival_error == ks_2samp(x, z).statistic
    assert two.standard_error == pytest.approx(math.sqrt(1 / 200 + 1 / 150) / 2, rel=1e-14)


@pytest.mark.parametrize(("n", "p"), [(10, 0.5), (200, 0.03), (30, 0.0), (30, 1.0)])
def test_counts_never_reject_too_often(n, p):
    """Exact size over all outcomes, at every level that occurs; and it is not needlessly small."""
    outcomes = np.arange(n + 1)
    p_values = np.array([count_test(int(k), n, p).p_value for k in outcomes])
    weights = binom.pmf(outcomes, n, p)
    for level in (1e-4, 1e-3, 1e-2, 0.05, 0.3):
        assert weights[p_values < level].sum() <= level
    assert p_values.max() == 1.0


@pytest.mark.statistical
@pytest.mark.parametrize(("replicates", "known"), [(12, True), (8, False), (40, False)])
def test_detectable_difference_of_means_is_detected(replicates, known):
    repeats, std = 4000, 3.0
    rng = np.random.default_rng([2, replicates])
    unit = mean_test(np.array([-1.0, 1.0] * (replicates // 2)), 0.0, std=1.0 if known else None)
    effect = unit.detectable(LEVEL) / unit.standard_error * std / math.sqrt(replicates)
    samples = effect + std * rng.standard_normal((repeats, replicates))
    rejected = sum(mean_test(x, 0.0, std=std if known else None).p_value < LEVEL for x in samples)
    assert within_band(rejected, repeats, 0.8)


@pytest.mark.statistical
@pytest.mark.parametrize("replicates", [100, 1000])
def test_detectable_distance_is_detected_for_a_step_in_the_middle(replicates):
    """The hardest law: it leaves the uniform one at a single point, and there by D, where the spread is largest."""
    repeats = 400
    D = law_test(np.linspace(0.01, 0.99, replicates), lambda x: x).detectable(LEVEL)
    rng = np.random.default_rng([3, replicates])
    rejected = 0
    for _ in range(repeats):
        u = rng.random(replicates)
        # mass D moved from just above the middle to just below it: F(1/2) = 1/2 + D
        x = np.where((u > 0.5) & (u < 0.5 + D), 1.0 - u, u)
        rejected += law_test(x, lambda x: x).p_value < LEVEL
    assert repeats - rejected <= most_events(repeats, 0.2)


@pytest.mark.statistical
def test_detectable_distance_of_two_samples_is_detected():
    one, two, repeats = 300, 500, 300
    rng = np.random.default_rng(4)
    D = same_law_test(rng.random(one), rng.random(two)).detectable(LEVEL)
    shift = 2 * norm.ppf((1 + D) / 2)
    missed = sum(
        same_law_test(rng.standard_normal(one), rng.standard_normal(two) + shift).p_value >= LEVEL
        for _ in range(repeats)
    )
    assert missed <= most_events(repeats, 0.2)


@pytest.mark.parametrize(("n", "p"), [(100, 0.02), (5000, 0.01), (64, 0.5)])
def test_detectable_excess_has_exactly_the_promised_power(n, p):
    test = count_test(round(n * p), n, p)
    excess = test.detectable(LEVEL)
    rejected = [k for k in range(n + 1) if k > n * p and count_test(k, n, p).p_value <= LEVEL]
    assert binom.sf(rejected[0] - 1, n, p + excess) == pytest.approx(0.8, abs=1e-9)


def test_detectable_frequencies_follow_the_noncentral_chi_square():
    test = frequency_test([52, 48, 55, 45], [1, 1, 1, 1])
    w = test.detectable(LEVEL)
    from scipy.stats import chi2

    assert ncx2.sf(chi2.isf(LEVEL, 3), 3, 200 * w**2) == pytest.approx(0.8, abs=1e-9)


@pytest.mark.statistical
def test_frequencies_reject_as_often_as_they_say():
    rng = np.random.default_rng(5)
    shares = [0.1, 0.2, 0.3, 0.4]
    p = np.array([frequency_test(rng.multinomial(2000, shares), shares).p_value for _ in range(2000)])
    assert within_band(int((p < 0.05).sum()), 2000, 0.05)
    wrong = [frequency_test(rng.multinomial(2000, shares), [0.13, 0.2, 0.3, 0.37]).p_value for _ in range(50)]
    assert np.median(wrong) < 1e-3  # w = 0.11, detectable at 1e-3


def test_effects_that_no_number_of_events_shows_are_none():
    assert count_test(1, 3, 0.5).detectable(1e-3) is None  # even 3 of 3 has p = 0.25


def test_kinds_name_their_effect():
    assert mean_test([0.0, 1.0], 0.0).kind is TestKind.MEAN
    assert "difference of means" in str(mean_test([0.0, 1.0], 0.0))
    assert "error of the rival theory" in str(mean_test([0.0, 1.0], 0.0, rival=1.0))


def test_higher_level_more_replicates_lower_power_see_more():
    x = norm.ppf((np.arange(100) + 0.5) / 100)
    for test, larger in (
        (mean_test(x, 0.0), mean_test(np.tile(x, 4), 0.0)),
        (law_test(x, norm.cdf), law_test(np.tile(x, 4), norm.cdf)),
        (count_test(5, 100, 0.05), count_test(20, 400, 0.05)),
    ):
        assert larger.detectable(1e-3) < test.detectable(1e-3)
        assert test.detectable(1e-2) < test.detectable(1e-3)
        assert test.detectable(1e-3, power=0.5) < test.detectable(1e-3)


def test_detectable_law_is_the_critical_value_and_a_bound_of_the_scatter():
    from scipy.stats import kstwo

    test = law_test(norm.ppf((np.arange(50) + 0.5) / 50), norm.cdf)
    assert test.detectable(0.01) == pytest.approx(kstwo.isf(0.01, 50) + ndtri(0.8) / (2 * math.sqrt(50)), rel=1e-12)
    # the scatter of an empirical function at a point is largest where F = 1/2; beta quantiles agree to 1/R
    assert beta.std(25, 26) == pytest.approx(test.standard_error, rel=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mean_test([1.0], 0.0), "shape"),
        (lambda: mean_test([1.0, math.inf], 0.0), "1 entries that are NaN or infinite"),
        (lambda: mean_test([[1.0, 2.0]], 0.0), "shape"),
        (lambda: mean_test([1.0, 2.0], 0.0, std=0.0), "std = 0.0"),
        (lambda: mean_test([1.0, 2.0], 0.0, skewness=0.5), "skewness = 0.5"),
        (lambda: mean_test([1.0, 2.0], math.nan), "mean = nan"),
        (lambda: law_test([], norm.cdf), "shape"),
        (lambda: law_test([0.1, 0.2], lambda x: 3 * x + 1), "distribution function holds"),
        (lambda: law_test([0.1, 0.2], norm.cdf, rival=lambda x: x - 1), "distribution function holds"),
        (lambda: same_law_test([0.1], ["a"]), "type"),
        (lambda: count_test(5, 3, 0.5), "5 events in 3 trials"),
        (lambda: count_test(-1, 3, 0.5), "events is -1"),
        (lambda: count_test(1, 3, 1.5), "holds 1.5"),
        (lambda: frequency_test([10, 20], [1, 1, 1]), "observed has 2 categories, expected has 3"),
        (lambda: frequency_test([10, -1], [1, 1]), "negative"),
        (lambda: frequency_test([10.5, 9.5], [1, 1]), "fraction"),
        (lambda: frequency_test([10, 20], [1, 0]), "probability of 0"),
        (lambda: frequency_test([1, 3], [1, 1]), "smallest expected count"),
        (lambda: mean_test([0.0, 1.0], 0.0).detectable(0.0), "level = 0.0"),
        (lambda: mean_test([0.0, 1.0], 0.0).detectable(0.1, power=1.0), "power = 1.0"),
    ],
)
def test_what_is_no_test_is_refused(make, message):
    with pytest.raises(DomainError, match=message):
        make()

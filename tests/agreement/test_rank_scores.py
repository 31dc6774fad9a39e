"""Rank correlation, its difference, and concordance: against scipy, by hand, row by row."""

import math

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from gpdeep import DomainError
from gpdeep.agreement import concordance, spearman, spearman_difference


def sample(seed=0, architectures=25, seeds=4):
    rng = np.random.default_rng(seed)
    x = np.round(rng.random(architectures), 1)  # with ties
    return x, rng.random(architectures), x[:, None] + rng.standard_normal((architectures, seeds))


def test_spearman_is_scipys_with_ties():
    x, z, scores = sample()
    want = spearmanr(x, scores.mean(axis=1)).statistic
    assert spearman(x, scores) == pytest.approx(want, abs=1e-14)
    assert spearman_difference(x, z, scores) == pytest.approx(
        want - spearmanr(z, scores.mean(axis=1)).statistic, abs=1e-14
    )


def test_leading_axes_are_resamples():
    x, z, scores = (np.stack(rows) for rows in zip(*(sample(seed) for seed in range(5)), strict=True))
    rows = list(zip(x, z, scores, strict=True))
    np.testing.assert_array_equal(spearman(x, scores), [spearman(a, s) for a, _, s in rows])
    np.testing.assert_array_equal(spearman_difference(x, z, scores), [spearman_difference(a, b, s) for a, b, s in rows])
    strata = np.arange(25) % 4
    np.testing.assert_array_equal(concordance(x, scores, strata), [concordance(a, s, strata) for a, _, s in rows])


def test_any_monotone_change_leaves_ranks_alone():
    x, z, scores = sample()
    assert spearman(np.exp(3 * x), scores) == spearman(x, scores)
    assert spearman(-x, scores) == pytest.approx(-spearman(x, scores), abs=1e-15)
    assert concordance(np.exp(z), scores, np.zeros(25)) == concordance(z, scores, np.zeros(25))


def test_concordance_in_one_stratum_is_kendalls():
    _, z, scores = sample()
    tau = kendalltau(z, scores.mean(axis=1)).statistic
    assert concordance(z, scores, ["all"] * 25) == pytest.approx((1 + tau) / 2, abs=1e-14)


def test_concordance_counts_pairs_within_strata_only():
    # between strata everything is in order, within them nothing is
    predictor, scores = [1.0, 2.0, 11.0, 12.0], [[0.2], [0.1], [0.9], [0.8]]
    assert concordance(predictor, scores, [1, 1, 2, 2]) == 0.0
    assert concordance(predictor, scores, [1, 1, 1, 1]) == pytest.approx(4 / 6)
    assert concordance([0.0] * 4, scores, [1, 1, 2, 2]) == 0.5  # what says nothing is chance


def test_what_ties_altogether_has_no_correlation():
    assert math.isnan(spearman([1.0, 1.0, 1.0], [[1.0], [2.0], [3.0]]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spearman([1.0, 2.0], [0.1, 0.2]), r"shape \(2,\) for scores of shape \(2,\)"),
        (lambda: spearman([1.0, 2.0, 3.0], [[0.1], [0.2]]), r"shape \(3,\)"),
        (lambda: spearman([1.0], [[0.1]]), r"shape \(1,\)"),
        (lambda: spearman_difference([1.0, 2.0], [1.0], [[0.1], [0.2]]), r"shape \(1,\)"),
        (lambda: concordance([1.0, 2.0], [[0.1], [0.2]], [1, 2]), "no pair to order"),
        (lambda: concordance([1.0, 2.0], [[0.1], [0.2]], [1]), "strata has shape"),
        (lambda: concordance([1.0, 2.0], [[0.1], [0.2]], [None, None]), "strata has shape"),
    ],
)
def test_what_has_no_ranks_is_refused(call, message):
    with pytest.raises(DomainError, match=message):
        call()

"""Permutation within strata: all permutations by hand, the size of the test, what strata are for."""

import itertools

import numpy as np
import pytest
from bands import most_events, within_band
from scipy.stats import permutation_test

import gpdeep
from gpdeep import DomainError
from gpdeep.agreement import concordance, permute_within, spearman


def test_few_orders_are_all_used_and_counted_by_hand():
    rng = np.random.default_rng(0)
    x, y = rng.random(5), rng.random(5)
    strata = [1, 2, 1, 2, 1]

    def product(predictor):
        return float(predictor @ y)

    reached = 0
    for a in itertools.permutations([0, 2, 4]):
        for b in itertools.permutations([1, 3]):
            order = np.empty(5, dtype=int)
            order[[0, 2, 4]], order[[1, 3]] = a, b
            reached += product(x[order]) >= product(x) - 1e-12
    test = permute_within(product, x, strata)
    assert test.exact
    assert test.n_permutations == 12
    assert test.p_value == reached / 12


def test_one_stratum_is_scipys_permutation_test():
    rng = np.random.default_rng(1)
    x, y = rng.random(6), rng.random(6)
    want = permutation_test(
        (x,), lambda a: float(a @ y), permutation_type="pairings", alternative="greater", n_resamples=np.inf
    )
    assert permute_within(lambda a: float(a @ y), x, np.zeros(6)).p_value == pytest.approx(want.pvalue, rel=1e-14)


def test_random_permutations_approach_all_of_them():
    rng = np.random.default_rng(2)
    x, y = rng.random(7), rng.random(7)
    every = permute_within(lambda a: a @ y, x, np.zeros(7), vectorized=True)
    some = permute_within(lambda a: a @ y, x, np.zeros(7), n_permutations=4000, vectorized=True)
    assert (every.exact, some.exact) == (True, False)
    assert within_band(round(some.p_value * 4001 - 1), 4000, every.p_value)
    assert some.null_mean == pytest.approx(every.null_mean, abs=5 * every.null_std / np.sqrt(4000))


def depths_and_widths(rng, effect):
    """Accuracy falls with depth, and by `effect` with narrowness within a depth; the predictor knows both."""
    depth = np.repeat([5.0, 10.0, 20.0, 40.0], 6)
    width = rng.permuted(np.tile(np.arange(6.0), (4, 1)), axis=1).ravel()
    accuracy = (-depth / 20 + effect * width + 0.3 * rng.standard_normal(24))[:, None]
    return depth, width - depth, accuracy


@pytest.mark.statistical
def test_p_values_are_valid_and_strata_are_what_makes_them_so():
    repeats = 200
    within = across = found = 0
    for i in range(repeats):
        depth, predictor, accuracy = depths_and_widths(np.random.default_rng([3, i]), effect=0.0)
        options = {"n_permutations": 199, "vectorized": True, "rng": i}
        within += permute_within(lambda x, y=accuracy: spearman(x, y), predictor, depth, **options).p_value <= 0.05
        if i < 50:  # negative control: exchanging across depths credits the predictor with what depth alone says
            across += (
                permute_within(lambda x, y=accuracy: spearman(x, y), predictor, np.zeros(24), **options).p_value <= 0.05
            )
            depth, predictor, accuracy = depths_and_widths(np.random.default_rng([4, i]), effect=0.15)
            found += (
                permute_within(lambda x, y=accuracy, d=depth: concordance(x, y, d), predictor, depth, **options).p_value
                <= 0.05
            )
    assert within <= most_events(repeats, 0.05)
    assert across == 50
    assert found > 40


def test_looped_and_vectorized_statistics_agree_and_the_seed_decides():
    depth, predictor, accuracy = depths_and_widths(np.random.default_rng(5), effect=0.05)
    one, two, other = (
        permute_within(
            lambda x: concordance(x, accuracy, depth), predictor, depth, n_permutations=300, vectorized=v, rng=rng
        )
        for v, rng in ((True, 0), (False, 0), (True, 1))
    )
    assert one == two
    assert one.null_mean != other.null_mean


def test_a_predictor_that_is_constant_within_strata_has_p_one():
    """Infinite width: depth alone."""
    depth, _, accuracy = depths_and_widths(np.random.default_rng(6), effect=0.5)
    test = permute_within(lambda x: concordance(x, accuracy, depth), -depth, depth, n_permutations=99, vectorized=True)
    assert (test.statistic, test.p_value) == (0.5, 1.0)


def test_outcome_prints_and_is_kept(tmp_path):
    depth, predictor, accuracy = depths_and_widths(np.random.default_rng(7), effect=0.2)
    test = permute_within(
        lambda x: concordance(x, accuracy, depth), predictor, depth, n_permutations=99, vectorized=True
    )
    assert gpdeep.load(test.save(tmp_path / "test.json")) == test
    assert "by chance: p = " in str(test)
    assert "within 4 strata" in str(test)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"predictor": [[1.0, 2.0]]}, "predictor has shape"),
        ({"strata": [1, 2, 3]}, "3 strata of one member each"),
        ({"strata": [1, 1]}, "strata has shape"),
        ({"n_permutations": 10}, "n_permutations is 10"),
        ({"statistic": lambda x: np.nan}, "statistic is nan"),
        ({"vectorized": True}, r"it has shape \(\)"),
    ],
)
def test_what_cannot_be_exchanged_is_refused(options, message):
    given = {"statistic": lambda x: float(x.sum()), "predictor": [1.0, 2.0, 3.0], "strata": [1, 1, 1]} | options
    with pytest.raises(DomainError, match=message):
        permute_within(given.pop("statistic"), given.pop("predictor"), given.pop("strata"), **given)

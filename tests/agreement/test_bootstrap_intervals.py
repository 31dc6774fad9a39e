"""Bootstrap over architectures and seeds: scipy's where it has one, coverage, reproducibility."""

import numpy as np
import pytest
from bands import FALSE_ALARM, most_events
from scipy.stats import binom, bootstrap

import gpdeep
from gpdeep import DomainError
from gpdeep.agreement import cluster_bootstrap, spearman, spearman_difference


def means(scores):
    return scores.mean(axis=(-2, -1))


def experiment(rng, architectures=32, seeds=8, scatter=0.06):
    """Accuracies that fall with x, architectures that deviate, noise of seeds; a rival that sees x with an error."""
    x = rng.uniform(-3, 3, architectures)
    rival = x + rng.normal(0, 0.8, architectures)
    accuracy = 1 / (1 + np.exp(-x - rng.normal(0, 0.2, architectures)))
    return x, rival, accuracy[:, None] + scatter * rng.standard_normal((architectures, seeds))


@pytest.mark.statistical
@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_intervals_of_architectures_alone_are_scipys(method):
    """A skewed sample of 20. Ends differ by Monte Carlo: 0.03 s.d. each from quantile and z₀ at 20,000 resamples."""
    x = np.random.default_rng(0).exponential(size=20)
    ours = cluster_bootstrap(lambda a: a.mean(axis=-1), x, method=method, n_resamples=20_000, vectorized=True, rng=1)
    theirs = bootstrap(
        (x,),
        np.mean,
        method="BCa" if method == "bca" else "percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(2),
    )
    s = theirs.standard_error
    interval = theirs.confidence_interval
    np.testing.assert_allclose([ours.low, ours.high], [interval.low, interval.high], rtol=0, atol=4 * 0.03 * 1.42 * s)
    assert ours.standard_error == pytest.approx(s, rel=0.03)  # 1/√(2·20,000) each: 4 s.d. of the difference 2.8 %


def test_negative_control_plain_percentiles_differ_by_more_than_that():
    x = np.random.default_rng(0).exponential(size=20)
    ends = [
        cluster_bootstrap(lambda a: a.mean(axis=-1), x, method=m, n_resamples=20_000, vectorized=True, rng=1)
        for m in ("bca", "percentile")
    ]
    assert ends[0].high - ends[1].high > 4 * 0.03 * 1.42 * ends[0].standard_error


def test_standard_error_of_a_mean_is_the_closed_form():
    """Over all resamples: σ²/A of the means over seeds; nested seeds add their own share once more."""
    rng = np.random.default_rng(3)
    y = rng.standard_normal((12, 5)) + rng.standard_normal((12, 1))
    centres, within = y.mean(axis=1).var() / 12, y.var(axis=1).mean() / 60
    columns = y.mean(axis=0).var() / 5
    # crossed: rows, columns, and what is left of both, each drawn with replacement
    rest = (y - y.mean(axis=1, keepdims=True) - y.mean(axis=0) + y.mean()).var() / 60
    for seeds, variance in (("kept", centres), ("nested", centres + within), ("crossed", centres + columns + rest)):
        got = cluster_bootstrap(means, y, seeds=seeds, n_resamples=20_000, vectorized=True, rng=4)
        assert got.standard_error == pytest.approx(np.sqrt(variance), rel=0.025)  # 5/√(2·20,000)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("statistic", "seeds"), [("difference", "kept"), ("difference", "nested"), ("correlation", "kept")]
)
def test_intervals_hold_the_truth_as_often_as_they_say(statistic, seeds):
    """At least 95 % of 150 experiments; the truth from 200,000 architectures, known to 1e-3 of an interval."""
    repeats = 150
    rng = np.random.default_rng(5)
    x, rival, scores = experiment(rng, 200_000)
    truth = spearman_difference(x, rival, scores) if statistic == "difference" else spearman(x, scores)
    missed = 0
    for i in range(repeats):
        x, rival, scores = experiment(rng)
        data = (spearman_difference, x, rival, scores) if statistic == "difference" else (spearman, x, scores)
        interval = cluster_bootstrap(*data, seeds=seeds, n_resamples=399, vectorized=True, rng=i)
        missed += not interval.low <= truth <= interval.high
    assert missed <= most_events(repeats, 0.05)


@pytest.mark.statistical
def test_negative_control_resampled_seeds_lose_a_correlation():
    """The noise of the seeds counted twice lowers every resampled correlation: far more than 5 % miss the truth."""
    repeats = 100
    rng = np.random.default_rng(6)
    x, _, scores = experiment(rng, 200_000)
    truth = spearman(x, scores)
    missed = 0
    for i in range(repeats):
        x, _, scores = experiment(rng)
        interval = cluster_bootstrap(
            spearman, x, scores, seeds="nested", method="percentile", n_resamples=399, vectorized=True, rng=i
        )
        missed += interval.high < truth
    assert missed > binom.isf(FALSE_ALARM, repeats, 0.25)


def test_seed_decides_and_blocks_do_not_matter():
    x, rival, scores = experiment(np.random.default_rng(7))
    one, again, other = (
        cluster_bootstrap(spearman_difference, x, rival, scores, n_resamples=500, vectorized=True, rng=rng)
        for rng in (0, 0, 1)
    )
    assert one == again
    assert one != other
    looped = cluster_bootstrap(spearman_difference, x, rival, scores, n_resamples=500, rng=0)
    assert (looped.low, looped.high, looped.standard_error) == pytest.approx(
        (one.low, one.high, one.standard_error), abs=1e-14
    )
    stream = np.random.default_rng(0)
    first, second = (cluster_bootstrap(means, scores, vectorized=True, n_resamples=200, rng=stream) for _ in range(2))
    assert first != second


def test_global_random_state_is_neither_read_nor_moved():
    _, _, scores = experiment(np.random.default_rng(8))
    results = []
    for seed in (0, 1):
        np.random.seed(seed)  # noqa: NPY002
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        results.append(cluster_bootstrap(means, scores, vectorized=True, n_resamples=100))
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert results[0] == results[1]


def test_resamples_without_a_value_are_counted_and_many_are_refused():
    few = cluster_bootstrap(spearman, np.arange(5.0), np.arange(5.0)[:, None] ** 2, n_resamples=5000, vectorized=True)
    # all five equal: 5/5⁵ of the resamples
    assert binom.ppf(FALSE_ALARM, 5000, 1 / 625) <= few.undefined <= binom.isf(FALSE_ALARM, 5000, 1 / 625)
    assert f"{few.undefined} resamples" in str(few)


def test_a_constant_statistic_has_a_point_for_an_interval():
    interval = cluster_bootstrap(lambda a: 2.0, [1.0, 2.0, 3.0], n_resamples=100)
    assert (interval.low, interval.estimate, interval.high, interval.standard_error) == (2.0, 2.0, 2.0, 0.0)


def test_interval_prints_and_is_kept(tmp_path):
    x, _, scores = experiment(np.random.default_rng(9))
    interval = cluster_bootstrap(spearman, x, scores, n_resamples=200, vectorized=True)
    assert gpdeep.load(interval.save(tmp_path / "interval.json")) == interval
    assert "95% interval [" in str(interval)
    assert "32 architectures" in str(interval)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cluster_bootstrap(means), "Data of shapes none"),
        (lambda: cluster_bootstrap(means, np.ones((2, 3))), r"shapes \(2, 3\)"),
        (lambda: cluster_bootstrap(means, np.ones((4, 3)), np.ones(5)), r"\(5,\)"),
        (lambda: cluster_bootstrap(means, np.ones((4, 3)), np.ones((4, 2))), r"\(4, 2\)"),
        (lambda: cluster_bootstrap(means, np.ones((4, 3, 2))), r"\(4, 3, 2\)"),
        (lambda: cluster_bootstrap(means, np.full((4, 3), np.nan)), "NaN or infinite"),
        (lambda: cluster_bootstrap(means, np.ones((4, 3)), seeds="both"), "seeds = 'both'"),
        (lambda: cluster_bootstrap(means, np.ones((4, 3)), method="BCa"), "method = 'BCa'"),
        (lambda: cluster_bootstrap(means, np.ones((4, 3)), confidence=95), "confidence = 95"),
        (lambda: cluster_bootstrap(means, np.ones((4, 3)), n_resamples=10), "n_resamples is 10"),
        (lambda: cluster_bootstrap(means, np.ones((4, 3)), rng=-1), "rng is -1"),
        (lambda: cluster_bootstrap(spearman, np.ones(4), np.ones((4, 3))), "statistic of the data is nan"),
        (lambda: cluster_bootstrap(spearman, np.arange(3.0), np.eye(3)[:, :1], n_resamples=200), "no finite value in"),
        (lambda: cluster_bootstrap(lambda a: a.mean(), np.ones((4, 3)), vectorized=True), r"returned shape \(\)"),
    ],
)
def test_what_cannot_be_resampled_is_refused(call, message):
    with pytest.raises(DomainError, match=message):
        call()

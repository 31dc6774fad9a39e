"""Sampled variances: against real weights, seeds, ceilings and bad input."""

import numpy as np
import pytest
from scipy import stats

from gpdeep import DomainError, MemoryBudgetError
from gpdeep.sparse import design, sample_variances

ONE = design("cst", 0.8, slope=0.7)
LAYER = {"phi": ONE.phi, "sigma_w": ONE.sigma_w, "sigma_b": ONE.sigma_b}


@pytest.mark.statistical
def test_same_law_as_real_weights():
    rng = np.random.default_rng(2)
    networks, n, depth = 600, 60, 6
    k = np.empty(networks)
    for i in range(networks):
        h = rng.standard_normal(n)  # the first pre-activations, variance q* = 1
        for _ in range(depth - 1):
            post = np.sign(h) * np.clip(np.abs(h) - ONE.tau, 0, ONE.m)
            k[i] = ONE.sigma_b**2 + ONE.sigma_w**2 * np.mean(post**2)
            h = rng.standard_normal((n, n)) @ post * ONE.sigma_w / n**0.5 + ONE.sigma_b * rng.standard_normal(n)
    paths = sample_variances(**LAYER, width=n, depth=depth, n_samples=4000, rng=1)
    assert stats.ks_2samp(k, paths[:, -1]).pvalue > 1e-3
    # negative control: the same networks against a chain of half the width
    assert stats.ks_2samp(k, sample_variances(**LAYER, width=n // 2, depth=depth, n_samples=4000)[:, -1]).pvalue < 1e-4


def test_seed_alone_decides():
    one = sample_variances(**LAYER, width=30, depth=5, n_samples=2500, rng=3)
    np.testing.assert_array_equal(one, sample_variances(**LAYER, width=30, depth=5, n_samples=2500, rng=3))
    np.testing.assert_array_equal(one[:1024], sample_variances(**LAYER, width=30, depth=5, n_samples=1024, rng=3))
    assert (one[:, 1:] != sample_variances(**LAYER, width=30, depth=5, n_samples=2500, rng=4)[:, 1:]).all()
    assert (one[:, 0] == 1.0).all()


def test_path_stops_at_the_ceiling():
    paths = sample_variances("relu", sigma_w=3.0, sigma_b=0.0, width=10, depth=40, ceiling=5.0, n_samples=50)
    after = np.argmax(paths > 5.0, axis=1)
    assert (after > 0).all()
    for path, first in zip(paths, after, strict=True):
        assert (path[first:] == path[first]).all()
        assert (path[:first] <= 5.0).all()


def test_widths_by_layer():
    paths = sample_variances(**LAYER, width=[10, 1000, 10], n_samples=2000)
    assert paths.shape == (2000, 3)
    wide = sample_variances(**LAYER, width=[10, 10, 10], n_samples=2000)
    assert paths[:, 2].std() < wide[:, 2].std()


@pytest.mark.parametrize(
    "changes", [{"width": 0}, {"depth": None}, {"n_samples": 0}, {"q": -1.0}, {"ceiling": 0.0}, {"rng": -1}], ids=repr
)
def test_bad_arguments_are_refused(changes):
    with pytest.raises(DomainError):
        sample_variances(**({**LAYER, "width": 10, "depth": 3} | changes))


def test_memory_is_asked_for_first():
    with pytest.raises(MemoryBudgetError):
        sample_variances(**LAYER, width=10, depth=1000, n_samples=10**8)

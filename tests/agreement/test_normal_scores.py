"""Normal scores among drawn networks: standard normal for every law, and as good as the mean where that is normal."""

import itertools

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import kstest

from gpdeep import DomainError
from gpdeep.agreement import seed_scores, van_der_waerden

pytestmark = pytest.mark.statistical

SEEDS, DRAWN = 8, 2000
FALSE_ALARM = 1e-4


def heavy(rng, shape):
    """The law that narrow networks have in small: no mean, long to the left."""
    return -(np.abs(rng.standard_cauchy(shape)) ** 1.5)


@pytest.mark.parametrize("law", [heavy, lambda rng, shape: rng.standard_normal(shape)], ids=["heavy", "normal"])
def test_scores_are_standard_normal_whatever_the_law(law):
    rng = np.random.default_rng(1)
    z = np.concatenate([van_der_waerden(law(rng, (SEEDS, 40)), law(rng, (DRAWN, 40))) for _ in range(40)])
    assert kstest(z, "norm").pvalue > FALSE_ALARM


def test_the_mean_with_its_skewness_cries_wolf_there():
    """What the scores are for: the negative control is the law of the mean."""
    rng = np.random.default_rng(2)
    drawn, samples = heavy(rng, (DRAWN, 200)), heavy(rng, (SEEDS, 200))
    std = drawn.std(axis=0)
    skewness = (((drawn - drawn.mean(axis=0)) / std) ** 3).mean(axis=0)
    assert np.isinf(seed_scores(samples, drawn.mean(axis=0), std=std, skewness=skewness).z).any()
    assert np.abs(van_der_waerden(samples, drawn)).max() < -ndtri(FALSE_ALARM / 400)


def test_a_shift_of_normal_data_is_seen_as_well_as_by_the_mean():
    rng = np.random.default_rng(3)
    z = van_der_waerden(rng.standard_normal((SEEDS, 400)) + 0.7, rng.standard_normal((DRAWN, 400)))
    # of each z: mean 0.7 √8 = 1.98 and deviation 1, so 0.05 for the mean of 400; 4 of them, and 0.02 for the drawn ones
    assert z.mean() == pytest.approx(0.7 * np.sqrt(SEEDS), abs=0.22)


def test_all_orders_of_a_small_sample_have_mean_0_and_variance_1():
    """Exactly, by enumeration: two seeds among five drawn."""
    values = np.arange(7.0)
    found = [
        van_der_waerden(values[list(mine)][:, None], np.delete(values, mine)[:, None])[0]
        for mine in itertools.combinations(range(7), 2)
    ]
    assert np.mean(found) == pytest.approx(0.0, abs=1e-14)
    assert np.mean(np.square(found)) == pytest.approx(1.0, rel=1e-13)


def test_what_is_missing_is_left_out_and_ties_say_nothing():
    x = np.array([[1.0, np.nan, 5.0, 2.0], [2.0, np.inf, 5.0, np.nan]])
    drawn = np.array([[0.0, 1.0, 5.0, 1.0], [3.0, 2.0, 5.0, np.nan], [4.0, 3.0, 5.0, 3.0]])
    z = van_der_waerden(x, drawn)
    assert np.isnan(z[1])
    assert z[2] == 0
    assert z[3] == pytest.approx(0.0, abs=1e-14)  # the middle of three
    assert z[0] == pytest.approx(-van_der_waerden(-x[:, :1], -drawn[:, :1])[0], rel=1e-14)


def test_any_size_of_number_has_a_rank():
    """Variances of exploding networks are beyond what squares can hold."""
    rng = np.random.default_rng(4)
    x, drawn = rng.standard_normal((SEEDS, 3)), rng.standard_normal((DRAWN, 3))
    np.testing.assert_array_equal(van_der_waerden(1e250 * x, 1e250 * drawn), van_der_waerden(x, drawn))


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(DomainError, match="same quantities"):
        van_der_waerden([[1.0, 2.0]], [[1.0], [2.0]])

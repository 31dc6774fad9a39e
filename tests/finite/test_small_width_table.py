"""The stored one-layer laws of narrow layers: reproduced by their script, exact at θ → 0, monotone."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import t as student

from gpdeep.finite import small_angle_cdf, small_angle_cumulants
from gpdeep.finite.cumulants import TABLE_WIDTH
from gpdeep.finite.tables import load_table
from gpdeep.finite.tables import small_width as script

TABLE = load_table("small_width")
FALSE_ALARM = 1e-3


def row(n):
    return int(np.flatnonzero(TABLE["widths"] == n)[0])


@pytest.fixture(scope="module")
def rerun():
    """Width 5 again, with another seed and a sample as small as the script draws."""
    return script.table_of_width(5, samples=1.0, seed=1)


@pytest.mark.statistical
def test_a_rerun_gives_the_same_cumulants_within_standard_errors(rerun):
    i = row(5)
    # θ ≤ 2.6: beyond, few of the samples differ from 0 at all and moments are not normal
    use = slice(1, int(np.searchsorted(TABLE["theta"], 2.6)))
    se = np.hypot(TABLE["cumulants_se"][i, use, :3], rerun["cumulants_se"][use, :3])
    t = np.abs(TABLE["cumulants"][i, use, :3] - rerun["cumulants"][use, :3]) / se
    # standard errors come from 20 groups: Student's law with 19 degrees of freedom; Bonferroni over all entries
    limit = student.isf(FALSE_ALARM / t.size / 2, 19)
    assert t.max() < limit
    # negative control: the cumulants of width 6 are elsewhere
    wrong = np.abs(TABLE["cumulants"][row(6), use, :3] - rerun["cumulants"][use, :3]) / se
    assert wrong.max() > limit


@pytest.mark.statistical
def test_a_rerun_gives_the_same_quantiles(rerun):
    i, central = row(5), np.abs(TABLE["logit"]) <= 5
    logit = TABLE["logit"][central]
    n_samples = int(rerun["samples"])
    p = expit(logit)
    # ln(p/(1-p)) of an observed fraction has standard deviation 1/√(N p(1-p)); the table has as many samples or more
    sd = np.sqrt(2 / (n_samples * p * (1 - p)))
    z = [
        np.abs(np.interp(new[central], old, TABLE["logit"]) - logit) / sd
        for old, new in zip(TABLE["quantiles"][i], rerun["quantiles"], strict=True)
    ]
    # interpolation between logits, half apart, of a smooth quantile function: second difference/8 ≈ 0.02 at most
    limit = student.isf(FALSE_ALARM / np.size(z) / 2, 1000)
    assert (np.array(z) - 0.02 / sd).max() < limit


@pytest.mark.parametrize("n", TABLE["widths"].tolist())
def test_the_row_at_zero_is_the_exact_law(n):
    i = row(n)
    np.testing.assert_allclose(TABLE["cumulants"][i, 0, :3], small_angle_cumulants(n), rtol=1e-9)
    # roots to 1e-12 in r; the distribution function's slope is below one half
    p = small_angle_cdf(n, TABLE["quantiles"][i, 0] - 2 * np.log(2))
    np.testing.assert_allclose(p, expit(TABLE["logit"]), rtol=1e-10)


def test_quantiles_increase_with_probability():
    steps = np.diff(TABLE["quantiles"], axis=2)
    inner = np.abs(TABLE["logit"][1:] + TABLE["logit"][:-1]) / 2 < 10
    assert (steps[:, :, inner] > 0).all()
    # beyond e^-10 there are fewer than 50 samples in the tail: its two or three quantiles may swap by their noise
    assert steps.min() > -0.3


def test_the_table_covers_the_widths_it_is_used_for():
    assert set(range(2, TABLE_WIDTH + 1)) <= set(TABLE["widths"].tolist())
    assert (TABLE["cumulants"][:, :20, 1] > 0).all()


def test_quantiles_are_smooth_in_the_width():
    # at θ = 0 and π/2, central quantiles change by ~1/n² between neighbours: no width is out of line
    middle = np.abs(TABLE["logit"]) <= 2
    right = int(np.argmin(np.abs(TABLE["theta"] - np.pi / 2)))
    for j in (0, right):
        second = np.diff(TABLE["quantiles"][8:, j][:, middle], 2, axis=0)  # from width 10 on
        assert np.abs(second).max() < 0.05

"""The largest safe slope and the smallest width: the stored table (its law), the exact law, and each other."""

import numpy as np
import pytest
from stored import REFERENCE

from gpdeep import DomainError, InfeasibleError
from gpdeep.sparse import design, escape_probability, largest_slope, smallest_width

TABLE = REFERENCE["largest_safe_eta"]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row['kind']}-{row['s']}-{row['n']}")
def test_stored_table_comes_out_with_its_own_law(row):
    # the table: Gamma closure, 300 cells in ln K, whatever the fold
    shape = {"width": row["n"], "depth": row["L"]}
    slope = largest_slope(row["kind"], row["s"], **shape, law="gamma", below_fold=False)
    assert slope == row["eta_max"]
    one = design(row["kind"], row["s"], slope=slope, **shape, law="gamma")
    np.testing.assert_allclose(one.m, row["m"], rtol=0, atol=6e-4)
    threshold = row["threshold"]
    p = escape_probability(
        one.phi, sigma_w=one.sigma_w, sigma_b=one.sigma_b, **shape, law="gamma", threshold=threshold
    ).probability[-1]
    # bar 10 %; cells of finite width spread variances and overstate rare escapes by some percent
    np.testing.assert_allclose(p, row["P"], rtol=0.1, atol=0)


def test_exact_law_affords_no_less():
    # the closure overstates rare escapes, so that its slopes are on the safe side of the exact ones
    gained = 0
    for row in TABLE:
        if row["n"] != 100:
            continue
        shape = {"width": row["n"], "depth": row["L"]}
        exact = largest_slope(row["kind"], row["s"], **shape)
        assert exact >= row["eta_max"]
        gained += exact > row["eta_max"]
    assert gained >= 5


def test_slopes_beyond_the_fold_are_left_out():
    shape = {"width": 1000, "depth": 100}
    assert largest_slope("cst", 0.9, **shape) == 0.75  # the fold is at 0.785
    assert largest_slope("cst", 0.9, **shape, below_fold=False) == 0.8


def test_design_takes_the_largest_safe_slope():
    one = design("crelu", 0.85, width=300, depth=100)
    assert one.slope == pytest.approx(largest_slope("crelu", 0.85, width=300, depth=100), rel=1e-12)
    assert one.escape_probability < 0.01
    above = design("crelu", 0.85, slope=one.options["slope"] + 0.05, width=300, depth=100)
    assert above.escape_probability > 0.01


def test_smallest_width_is_the_smallest():
    width = smallest_width("cst", 0.8, slope=0.8, depth=50)
    at = [design("cst", 0.8, slope=0.8, width=n, depth=50).escape_probability for n in (width - 1, width)]
    assert at[0] >= 0.01 > at[1]


def test_scale_does_not_matter():
    assert largest_slope("crelu", 0.8, width=200, depth=40, q=9.0) == largest_slope("crelu", 0.8, width=200, depth=40)


def test_too_narrow_says_how_often_it_fails():
    with pytest.raises(InfeasibleError, match=r"Already at slope 0.05 \d+"):
        largest_slope("crelu", 0.85, width=3, depth=100, p_fail=1e-13)


@pytest.mark.parametrize(
    "options",
    [
        {"width": None, "depth": None},
        {"width": 0, "depth": 5},
        {"width": 10, "depth": 2.5},
        {"width": 10, "depth": 5, "p_fail": 2},
    ],
)
def test_bad_arguments_are_refused(options):
    with pytest.raises(DomainError):
        largest_slope("crelu", 0.8, **options)

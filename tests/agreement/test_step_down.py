"""Holm's adjusted p-values: by hand, against statsmodels, against the closed-testing principle."""

import itertools

import numpy as np
import pytest

from gpdeep import DomainError
from gpdeep.agreement import holm

# multipletests(p, method="holm") of statsmodels 0.15.0; the first with ties and a p of 1
STATSMODELS = [
    (
        [0.01, 0.04, 0.03, 0.005, 0.55, 0.0002, 0.03, 1.0, 0.2, 0.0002],
        [0.07, 0.18, 0.18, 0.04, 1.0, 0.002, 0.18, 1.0, 0.6, 0.002],
    ),
    (
        [
            0.521666,
            0.527398,
            0.13685,
            0.023345,
            0.000157,
            0.056344,
            0.068154,
            9.3e-05,
            0.000116,
            0.99753,
            0.2776,
            0.0129,
        ],
        [1.0, 1.0, 0.68425, 0.18676, 0.00157, 0.394408, 0.408924, 0.001116, 0.001276, 1.0, 1.0, 0.1161],
    ),
]


@pytest.mark.parametrize(("p", "want"), STATSMODELS)
def test_agrees_with_statsmodels(p, want):
    np.testing.assert_allclose(holm(p), want, rtol=1e-14)


def closed_testing(p, size):
    """Adjusted p by definition: the largest Bonferroni p of all intersections that contain the claim."""
    p = [*p, *[1.0] * (size - len(p))]
    adjusted = np.zeros(size)
    for members in range(1, size + 1):
        for subset in itertools.combinations(range(size), members):
            bonferroni = min(1.0, members * min(p[i] for i in subset))
            for i in subset:
                adjusted[i] = max(adjusted[i], bonferroni)
    return adjusted


@pytest.mark.parametrize("missing", [0, 3])
def test_is_the_closed_test_of_all_intersections(missing):
    rng = np.random.default_rng(0)
    for _ in range(20):
        p = rng.random(6) ** 3
        # both multiply one p by one integer
        np.testing.assert_allclose(holm(p, size=6 + missing), closed_testing(p, 6 + missing)[:6], rtol=1e-15)


def test_order_does_not_matter():
    rng = np.random.default_rng(1)
    p = np.round(rng.random(30) ** 2, 2)  # with ties
    order = rng.permutation(30)
    np.testing.assert_array_equal(holm(p)[order], holm(p[order]))


def test_rows_are_families_of_their_own():
    p = np.random.default_rng(2).random((4, 3, 5))
    np.testing.assert_array_equal(holm(p, size=7), [[holm(row, size=7) for row in rows] for rows in p])


def test_lies_between_the_raw_value_and_bonferronis():
    p = np.random.default_rng(3).random((50, 8)) ** 4
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(8 * p, 1)).all()


def test_one_claim_needs_no_correction():
    assert holm(0.03).tolist() == [0.03]


@pytest.mark.parametrize(
    ("p", "size", "message"),
    [
        ([0.1, 1.2], None, "holds 1.2"),
        ([0.1, np.nan], None, "holds nan"),
        ([-0.1], None, "holds -0.1"),
        ([], None, r"shape \(0,\)"),
        (["a"], None, "type"),
        ([0.1, 0.2], 1, "size is 1"),
        ([0.1, 0.2], 2.5, "size is 2.5"),
    ],
)
def test_what_is_no_family_is_refused(p, size, message):
    with pytest.raises(DomainError, match=message):
        holm(p, size=size)

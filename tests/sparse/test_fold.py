"""The fold: stored values, and the number of fixed points on both of its sides."""

import numpy as np
import pytest
from stored import REFERENCE

from gpdeep import DomainError
from gpdeep.activations.piecewise_linear import crelu
from gpdeep.meanfield import fixed_points
from gpdeep.sparse import clip_level, fold
from gpdeep.sparse.families import edge_layer

ROWS = REFERENCE["fold_boundary"]["rows"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"h={row[0]}")
def test_stored_folds(row):
    h, slope, m, q, flat = row
    found = fold(h)
    # the stored slopes come from a bisection that stopped at 1e-4, and errors of m and q follow from theirs
    np.testing.assert_allclose(found.slope, slope, rtol=0, atol=2e-4)
    np.testing.assert_allclose(found.m, m, rtol=0, atol=2e-3)
    np.testing.assert_allclose(found.q, q, rtol=0, atol=1e-2)
    if flat is None:
        assert np.isnan(found.flat_slope)
    else:
        np.testing.assert_allclose(found.flat_slope, flat, rtol=1e-11, atol=0)


@pytest.mark.parametrize("h", [0.05, 0.4, 1.0364, 1.7, 2.5, 3.5])
@pytest.mark.parametrize("side", [-1e-7, 1e-7])
def test_two_more_fixed_points_appear_at_the_fold(h, side):
    slope = fold(h).slope + side  # (V - q)/q changes by about `side` there, a million times its rounding
    layer = edge_layer(crelu(h, clip_level(h, slope)), 1.0)
    points = fixed_points(layer.phi, sigma_w=layer.sigma_w, sigma_b=layer.sigma_b).points
    assert len(points) == (3 if side > 0 else 1)


def test_diagonal_is_touched_at_the_fold():
    found = fold(1.2)
    layer = edge_layer(crelu(1.2, found.m), 1.0)
    # the level is known to 1e-15 and V to 1e-14
    np.testing.assert_allclose(layer(found.q) / found.q, 1.0, rtol=1e-12, atol=0)
    np.testing.assert_allclose(layer.slope(found.q), 1.0, rtol=1e-5, atol=0)  # the place of a maximum is known to 1e-6


def test_curvature_vanishes_at_the_flat_slope():
    for h in (0.3, 1.0, 1.6):
        layer = edge_layer(crelu(h, clip_level(h, fold(h).flat_slope)), 1.0)
        np.testing.assert_allclose(layer.curvature(1.0), 0.0, rtol=0, atol=1e-13)


def test_flat_slope_ends_near_the_root_of_three():
    assert np.isnan(fold(1.7320508).flat_slope)
    assert 0 < fold(1.72).flat_slope < 0.03


def test_without_a_threshold_there_is_no_fold():
    assert fold(0.0).slope == fold(-0.5).slope == 1.0
    assert np.isinf(fold(0.0).m)
    assert np.isnan(fold(0.0).q)


def test_fold_falls_with_the_threshold():
    assert (np.diff([fold(h).slope for h in (0.1, 0.5, 1.0, 2.0, 3.0, 4.0)]) < 0).all()


@pytest.mark.parametrize("h", [5.0, np.nan, "1", None, [1.0, 2.0], np.ones(2), True])
def test_thresholds_out_of_range_are_refused(h):
    with pytest.raises(DomainError):
        fold(h)

"""The curves that pictures show hold what the functions they stand for give."""

import numpy as np
import pytest

from gpdeep import DomainError, InfeasibleError, load
from gpdeep.activations.piecewise_linear import crelu
from gpdeep.sparse import clip_curves, clip_level, design, escape_curve, threshold, variance_curves


def test_unclipped_map_touches_the_diagonal_and_the_clipped_one_crosses_it(tmp_path):
    one = design("cst", 0.85, slope=0.9, q=2.0)
    curves = variance_curves(one)
    assert curves.q[-1] > max(p.q for p in one.fixed_points)
    np.testing.assert_array_equal(curves.clipped, one.layer(curves.q))
    assert (curves.unclipped >= curves.q * (1 - 1e-13)).all()
    assert curves.unclipped_activation == f"st:{one.tau!r}"
    assert load(curves.save(tmp_path / "c.json")) == curves
    assert "V unclipped" in str(curves)


def test_far_fixed_points_take_logarithmic_spacing():
    curves = variance_curves(design("cst", 0.99, slope=0.99))
    assert curves.q[0] == pytest.approx(0.25, rel=1e-12)
    assert curves.q[-1] > 266  # the second stable one
    np.testing.assert_allclose(np.diff(np.log(curves.q)), np.log(curves.q[1] / curves.q[0]), rtol=1e-9, atol=0)


def test_own_family_has_no_unclipped_relative():
    curves = variance_curves(design(lambda m: crelu(1.0, m), slope=0.5))
    assert np.isnan(curves.unclipped).all()
    assert curves.unclipped_activation == ""


def test_negative_threshold_has_none_either():
    curves = variance_curves(design("crelu", tau=-0.1, slope=0.3))
    assert np.isnan(curves.unclipped).all()


def test_slopes_and_curvatures_against_the_level(tmp_path):
    curves = clip_curves("cst", [0.0, 0.85])
    level = clip_level(threshold("cst", 0.85), 0.7)
    np.testing.assert_allclose(np.interp(level, curves.m, curves.slope[1]), 0.7, rtol=0, atol=1e-3)  # grid of 2 %
    assert (curves.curvature[0] <= 0).all()  # hard tanh is concave
    assert load(curves.save(tmp_path / "c.json")) == curves
    assert "V'' at 0.85" in str(curves)


def test_escapes_against_the_width(tmp_path):
    one = design("crelu", 0.85, slope=0.8)
    curve = escape_curve(one, 30, [60, 200])
    at = design("crelu", 0.85, slope=0.8, width=200, depth=30)
    assert curve.probability[1] == at.escape_probability
    assert (escape_curve(one, 30).width[[0, -1]] == [30, 3000]).all()
    assert load(curve.save(tmp_path / "c.json")) == curve
    assert "escaped" in str(curve)


def test_bad_arguments_are_refused():
    with pytest.raises(DomainError):
        clip_curves("crelu", [])
    with pytest.raises(DomainError):
        clip_curves("crelu", "0.7")
    with pytest.raises(DomainError):
        clip_curves("tanh", 0.8)
    with pytest.raises(DomainError):
        variance_curves(3)
    with pytest.raises(InfeasibleError):
        clip_curves("crelu", [0.8, 1.0])
    with pytest.raises(DomainError):
        escape_curve(design("crelu", 0.85, slope=0.8), 30, [0])
    with pytest.raises(DomainError):
        escape_curve(design("crelu", 0.85, slope=0.8), 30, [])
    with pytest.raises(DomainError):
        escape_curve(design("crelu", 0.85, slope=0.8), 0)

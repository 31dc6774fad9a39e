"""Pictures of the variance and correlation map hold the curves, their fixed points and ways."""

import numpy as np
import pytest

from gpdeep.meanfield.curves import map_curves
from gpdeep.plots import plot_correlation_map, plot_variance_map, save_figure, side_by_side

pytest.importorskip("matplotlib")
from pictures import drawn, line, texts


@pytest.fixture(scope="module")
def two_points():
    return map_curves("relu_tau:1", sigma_w=1.98, sigma_b=0.3)


@pytest.fixture(scope="module")
def chaotic():
    return map_curves("tanh", sigma_w=3**0.5, sigma_b=0.05**0.5)


def test_variance_map_shows_the_curve_and_every_fixed_point(two_points):
    ax = plot_variance_map(two_points)
    np.testing.assert_array_equal(line(ax, "$V(q)$").get_xdata(), two_points.q)
    np.testing.assert_array_equal(line(ax, "$V(q)$").get_ydata(), two_points.v)
    stable, wall = two_points.scales.fixed_points
    for point, face in ((stable, "#D55E00"), (wall, "white")):
        (dot,) = [curve for curve in ax.lines if curve.get_label().startswith(f"$q^* = {point.q:.5g}$")]
        assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (point.q, point.q)
        assert dot.get_markerfacecolor() == face
        assert ("not stable" in dot.get_label()) == (not point.stable)
    (basin,) = [patch for patch in ax.patches if patch.get_label().startswith("basin")]
    assert basin.get_x() + basin.get_width() == pytest.approx(wall.q, rel=1e-12)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    drawn(ax)


def test_staircase_goes_from_the_axis_to_the_map_to_the_diagonal(chaotic):
    ax = plot_variance_map(chaotic)
    stairs = line(ax, "from $q_0 = 1$")
    x, y = stairs.get_xdata(), stairs.get_ydata()
    path = chaotic.q_path
    assert (x[0], y[0], x[1], y[1], x[2], y[2]) == (path[0], 0.0, path[0], path[1], path[1], path[1])
    assert (x[-1], y[-1]) == (path[-2], path[-1]) or (x[-1], y[-1]) == (path[-1], path[-1])
    assert (ax.get_xscale(), ax.get_xlim()[0], ax.get_ylim()[0]) == ("linear", 0.0, 0.0)
    assert ax.get_xlabel() == "variance of pre-activations $q$"
    assert ax.get_title() == r"tanh, $\sigma_w = 1.7321$, $\sigma_b = 0.22361$"


def test_correlation_map_shows_the_curve_the_way_and_the_limit(chaotic):
    ax = plot_correlation_map(chaotic)
    np.testing.assert_array_equal(line(ax, "$C(c)$").get_xdata(), np.cos(chaotic.theta))
    np.testing.assert_array_equal(line(ax, "$C(c)$").get_ydata(), np.cos(chaotic.next_theta))
    stairs = line(ax, "20 layers from $c_0 = 0$")
    np.testing.assert_array_equal(stairs.get_xdata()[::2], np.cos(chaotic.theta_path))
    limit = chaotic.scales.c_star
    assert list(line(ax, f"$c^* = {limit:.4g}$").get_xdata()) == [limit]
    assert "chaotic phase" in ax.get_title()
    assert any(rf"\xi_c = {chaotic.scales.xi_c:.4g}$ layers" in text for text in texts(ax))
    drawn(ax)


def test_edge_of_chaos_has_no_depth_scale():
    ax = plot_correlation_map(map_curves("relu", sigma_w=2**0.5))
    assert ax.get_title() == "edge of chaos, at $q = 1$"
    assert any(r"\xi_c = \infty" in text for text in texts(ax))
    assert line(ax, "$c^* = 1$").get_xdata() == [1.0]


def test_a_limit_near_one_keeps_its_digits():
    curves = map_curves("tanh", sigma_w=1.760954639606739**0.5 * 1.0001, sigma_b=0.05**0.5)
    assert 0 < curves.scales.one_minus_c_star < 1e-3
    assert any(
        text == f"$1 - c^* = {curves.scales.one_minus_c_star:.3g}$" for text in texts(plot_correlation_map(curves))
    )


@pytest.mark.parametrize(("sigma_w", "note"), [(2.0, r"\infty"), (1.0, "0")])
def test_without_a_variance_that_stays_there_is_one_layer_only(sigma_w, note):
    curves = map_curves("relu", sigma_w=sigma_w)
    assert any(text == f"one layer only: variances go to ${note}$" for text in texts(plot_correlation_map(curves)))
    ax = plot_variance_map(curves)
    assert ("$q_0$ grows without bound" in texts(ax)) == (sigma_w == 2.0)
    drawn(ax)


def test_marginal_map_says_that_every_variance_stays():
    assert "every $q$ is a fixed point" in texts(plot_variance_map(map_curves("relu", sigma_w=2**0.5)))


def test_both_maps_stand_side_by_side_in_one_file(chaotic, tmp_path):
    left, right = side_by_side()
    assert plot_variance_map(chaotic, left) is left
    assert plot_correlation_map(chaotic, ax=right) is right
    assert left.figure is right.figure
    assert save_figure(left, tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")

"""Pictures of a clipped design hold its curves, fixed points, levels and escapes, at the extremes too."""

import dataclasses

import numpy as np
import pytest

from gpdeep.activations.piecewise_linear import crelu
from gpdeep.plots import plot_clip_levels, plot_clipped_variance, plot_escape, save_figure, side_by_side
from gpdeep.sparse import EscapeCurve, clip_curves, design, escape_curve, variance_curves

pytest.importorskip("matplotlib")
from pictures import drawn, line, texts


@pytest.fixture(scope="module")
def beyond_fold():
    return design("crelu", 0.9, slope=0.9)


@pytest.fixture(scope="module")
def levels():
    return clip_curves("crelu", [0.8, 0.9])


def escapes(probability, error=None, width=None, p_fail=0.01):
    """A curve as `escape_curve` gives it."""
    count = len(probability)
    return EscapeCurve(
        activation="crelu:1.0364333894937898,1.1703673400910857",
        depth=100,
        threshold=2.0,
        p_fail=p_fail,
        width=np.array(width if width is not None else [100 * 2**k for k in range(count)]),
        probability=np.array(probability),
        error=np.full(count, 1e-12) if error is None else np.array(error),
    )


def bars(ax):
    return [bar for bar in ax.collections if bar.get_label() == "estimated error"]


def test_both_maps_and_every_fixed_point_are_shown(beyond_fold):
    curves = variance_curves(beyond_fold)
    ax = plot_clipped_variance(curves)
    for name, values in (("$V(q)$", curves.clipped), ("$V(q)$ without the clip: relu_tau:1.2816", curves.unclipped)):
        (shown,) = [curve for curve in ax.lines if curve.get_label() == name]
        np.testing.assert_array_equal(shown.get_xdata(), curves.q)
        np.testing.assert_array_equal(shown.get_ydata(), values)
    assert len(curves.fixed_points) == 3
    for point in curves.fixed_points:
        dot = line(ax, f"$q^* = {point.q:.5g}$")
        assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (point.q, point.q)
        assert dot.get_markerfacecolor() == ("#D55E00" if point.stable else "white")
    assert ax.get_title() == "crelu:1.2816,1.6106"
    assert ax.get_xlabel() == "variance of pre-activations $q$"
    assert ax.get_ylabel() == "after one layer $V(q)$"
    drawn(ax)


def test_only_the_basin_of_the_design_is_shaded(beyond_fold):
    ax = plot_clipped_variance(variance_curves(beyond_fold))
    (basin,) = ax.patches
    assert (basin.get_x(), basin.get_x() + basin.get_width()) == (0.0, pytest.approx(beyond_fold.unstable_q, rel=1e-15))


def test_a_basin_without_a_wall_fills_the_picture():
    ax = plot_clipped_variance(variance_curves(design("cst", 0.85, slope=0.7, q=2.0)))
    (basin,) = ax.patches
    assert (basin.get_x(), basin.get_width()) == (0.0, ax.get_xlim()[1])
    assert r"basin of $q^* = 2$: (0, $\infty$)" in texts(ax)


def test_what_grows_without_the_clip_leaves_the_picture(beyond_fold):
    curves = variance_curves(beyond_fold)
    ax = plot_clipped_variance(curves)
    assert ax.get_ylim() == (0.0, curves.q[-1])
    assert curves.unclipped.max() > 1.5 * ax.get_ylim()[1]


def test_a_family_of_ones_own_has_one_curve():
    ax = plot_clipped_variance(variance_curves(design(lambda m: crelu(1.0, m), slope=0.5)))
    assert [label for label in texts(ax) if "without the clip" in label] == []
    drawn(ax)


def test_a_ring_beside_a_dot_is_seen_around_it():
    curves = variance_curves(design("cst", 0.99, slope=0.99))
    here, wall, far = curves.fixed_points
    assert wall.q < 1.01 * here.q < 0.01 * far.q
    ax = plot_clipped_variance(curves)
    dot, ring = (line(ax, f"$q^* = {point.q:.5g}$") for point in (here, wall))
    assert dot.get_zorder() > ring.get_zorder()
    assert dot.get_markersize() < ring.get_markersize()
    assert ax.get_xlim()[1] > far.q
    drawn(ax)


def test_axes_are_spaced_as_the_variances_are():
    far = design("cst", 0.99, slope=0.99)
    curves = variance_curves(far)
    q = np.geomspace(0.25, 1000.0, 241)
    spread = dataclasses.replace(curves, q=q, clipped=np.asarray(far.layer(q)), unclipped=np.full(241, np.nan))
    ax = plot_clipped_variance(spread)
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_xlim()) == ("log", "log", (q[0], q[-1]))
    assert plot_clipped_variance(variance_curves(design("cst", 0.85, slope=0.7))).get_xscale() == "linear"
    drawn(ax)


def test_slope_and_curvature_share_the_colour_of_their_sparsity(levels):
    ax = plot_clip_levels(levels)
    for k, label in enumerate(("80 % zeros", "90 % zeros")):
        slope = line(ax, label)
        (curvature,) = [one for one in ax.lines if one.get_linestyle() == "--" and one.get_color() == slope.get_color()]
        np.testing.assert_array_equal(slope.get_xdata(), levels.m)
        np.testing.assert_array_equal(slope.get_ydata(), levels.slope[k])
        np.testing.assert_array_equal(curvature.get_ydata(), levels.curvature[k])
        assert slope.get_linestyle() == "-"
    assert line(ax, "80").get_color() != line(ax, "90").get_color()
    assert ax.get_title() == "crelu, on the edge of chaos"
    assert ax.get_xlabel() == r"clip level $m/\sqrt{q^*}$"
    assert ax.get_ylabel() == "$V'(q^*)$ and $q^*V''(q^*)$"
    assert any(set(one.get_ydata()) == {0.0} for one in ax.lines)
    drawn(ax)


def test_designs_lie_on_the_curve_of_their_sparsity_whatever_their_scale(levels):
    designs = [design("crelu", 0.9, slope=0.8, q=3.0), design("crelu", 0.8, m=5.0)]
    ax = plot_clip_levels(levels, designs=designs)
    at, far = (one for one in ax.lines if one.get_color() == "black")
    m, slope = at.get_xdata()[0], at.get_ydata()[0]
    assert slope == designs[0].slope
    np.testing.assert_allclose(np.interp(m, levels.m, levels.slope[1]), 0.8, rtol=0, atol=1e-3)  # grid of 2 %
    assert list(far.get_xdata()) == [5.0]
    assert ax.get_xlim()[1] > 5.0
    drawn(ax)


def test_one_sparsity_below_a_half_shows_its_negative_slopes():
    curves = clip_curves("crelu", 0.05)
    ax = plot_clip_levels(curves)
    assert ax.get_ylim()[0] < curves.slope.min()
    drawn(ax)


def test_large_curvatures_leave_room_for_the_slopes():
    curves = clip_curves("cst", [0.85, 0.9999])
    assert curves.curvature.max() > 6
    ax = plot_clip_levels(curves)
    assert 1.0 < ax.get_ylim()[1] < 2.2
    assert {"85 % zeros", "99.99 % zeros"} <= set(texts(ax))
    drawn(ax)


@pytest.mark.parametrize(("count", "left_out"), [(6, 0), (7, 1), (20, 14)])
def test_six_sparsities_are_told_apart_and_the_rest_counted(count, left_out):
    sparsity = np.linspace(0.5, 0.95, count)
    ax = plot_clip_levels(clip_curves("crelu", sparsity.tolist()))
    shown = [label for label in texts(ax) if label.endswith("zeros")]
    assert len(shown) == 6
    assert len({line(ax, label).get_color() for label in shown}) == 6
    assert (shown[0], shown[-1]) == ("50 % zeros", "95 % zeros")
    assert [note for note in texts(ax) if "not shown" in note] == (
        [f"{left_out} of {count} sparsities not shown"] if left_out else []
    )


def test_escapes_are_drawn_against_the_width_with_what_is_tolerated():
    curve = escape_curve(design("cst", 0.8, slope=0.8), 50, [50, 100, 200, 400])
    ax = plot_escape(curve)
    shown = line(ax, "variance $K_l > 2$ within depth $L = 50$")
    np.testing.assert_array_equal(shown.get_xdata(), curve.width)
    np.testing.assert_array_equal(shown.get_ydata(), curve.probability)
    assert set(line(ax, "tolerated $P = 0.01$").get_ydata()) == {0.01}
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_xlabel() == "width $n$ (units a layer)"
    assert ax.get_ylabel() == "probability of escape $P$"
    assert ax.get_title() == "cst:1.2816,1.2865"
    assert any(t.startswith("tolerated from between widths") and t.endswith("and 200 on") for t in texts(ax))
    assert ax.get_ylim()[0] < curve.probability.min()
    assert not bars(ax)  # errors of a millionth
    drawn(ax)


def test_probabilities_below_their_error_are_gaps():
    ax = plot_escape(escapes([0.1, 1e-3, 1e-14, 0.0]))
    np.testing.assert_array_equal(line(ax, "variance").get_ydata(), [0.1, 1e-3, np.nan, np.nan])
    assert "no point: below its error of 1e-12" in texts(ax)
    assert ax.get_ylim()[0] < 1e-3
    drawn(ax)


def test_errors_are_shown_where_they_are_seen():
    ax = plot_escape(escapes([0.9, 0.1, 1e-3], error=[0.2, 1e-4, 5e-4]))
    (found,) = bars(ax)
    ends = np.array(found.get_segments())
    np.testing.assert_array_equal(ends[:, 0, 0], [100, 400])
    np.testing.assert_allclose(ends[:, :, 1], [[0.7, 1.0], [5e-4, 1.5e-3]], rtol=1e-15, atol=0)
    drawn(ax)


@pytest.mark.parametrize("probability", [0.0, 1.0])
@pytest.mark.parametrize("width", [[300], [30, 3000], [1, 10**6]])
def test_nothing_and_everything_escapes(probability, width):
    ax = plot_escape(escapes([probability] * len(width), width=width))
    note = "tolerated at no width shown" if probability else "tolerated at every width shown"
    assert note in texts(ax)
    low, high = ax.get_ylim()
    assert low < 0.01 < 1.0 < high
    assert ax.get_xlim()[0] < width[0] <= width[-1] < ax.get_xlim()[1]
    drawn(ax)


def test_a_narrow_network_that_does_not_escape_is_no_promise():
    """Narrow networks fall silent; what is tolerated is so from a width on. Widths in any order."""
    ax = plot_escape(escapes([0.5, 1e-3, 1e-4, 1e-5], width=[20, 400, 5, 800]))
    assert any(t.startswith("tolerated from between widths") and t.endswith("and 400 on") for t in texts(ax))
    np.testing.assert_array_equal(line(ax, "variance").get_xdata(), [5, 20, 400, 800])


def test_the_tolerated_probability_is_always_inside():
    ax = plot_escape(escapes([0.5, 0.2], p_fail=1e-5))
    assert ax.get_ylim()[0] < 1e-5
    assert "tolerated $P = 1e-05$" in texts(ax)


def test_given_axes_are_used(beyond_fold, levels, tmp_path):
    from matplotlib.figure import Figure

    left, right = side_by_side()
    assert plot_clipped_variance(variance_curves(beyond_fold), left) is left
    assert plot_clip_levels(levels, right, designs=[beyond_fold]) is right
    assert save_figure(left, tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    ax = Figure().add_subplot()
    assert plot_escape(escapes([0.1]), ax=ax) is ax

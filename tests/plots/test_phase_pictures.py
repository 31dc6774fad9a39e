"""Pictures of the phase diagram and of depth scales hold the edge, the phases and the scales."""

import math

import numpy as np
import pytest

from gpdeep.meanfield.depth_scale_scan import scan_depth_scales
from gpdeep.meanfield.phases import phase_diagram
from gpdeep.plots import plot_depth_scales, plot_phase_diagram

pytest.importorskip("matplotlib")
from pictures import drawn, line, texts


@pytest.fixture(scope="module")
def diagram():
    return phase_diagram("erf")


@pytest.fixture(scope="module")
def scan():
    return scan_depth_scales("erf", sigma_b=0.3, sigma_w=np.linspace(0.7, 2.5, 19))


def names(ax):
    return {text.get_text(): text.get_position() for text in ax.texts}


def levels(ax):
    """Lines of equal depth: level and the points of each."""
    return [
        (level, path.vertices)
        for lines in ax.collections
        if hasattr(lines, "levels") and not lines.filled
        for level, path in zip(lines.levels, lines.get_paths(), strict=True)
        if len(path.vertices)
    ]


def test_the_edge_is_drawn_as_it_is(diagram):
    ax = plot_phase_diagram(diagram)
    np.testing.assert_array_equal(line(ax, "edge of chaos").get_xdata(), diagram.sigma_w)
    np.testing.assert_array_equal(line(ax, "edge of chaos").get_ydata(), diagram.sigma_b)
    assert ax.get_title() == "erf"
    assert r"\sigma_w" in ax.get_xlabel()
    assert r"\sigma_b" in ax.get_ylabel()
    drawn(ax)


def test_names_of_phases_stand_on_their_side_of_the_edge(diagram):
    ax = plot_phase_diagram(diagram)
    where = names(ax)
    for name, side in (("ordered", -1), ("chaotic", 1)):
        x, y = where[name]
        on_edge = np.interp(y, diagram.sigma_b[:150], diagram.sigma_w[:150])
        assert side * (x - on_edge) > 0.1
    assert "no stable q*" not in where


def test_lines_of_equal_depth_follow_chi_of_erf(diagram):
    """On them χ of the closed form is e^{-1/ξ}: in the ordered phase χ₁, in the chaotic phase χ at c*."""
    ax = plot_phase_diagram(diagram, depths=(5.0,))
    lines = levels(ax)
    assert len(lines) >= 2
    misfit = []
    for level, points in lines:
        assert level == pytest.approx(np.exp(-1 / 5), rel=1e-15)
        for sigma_w, sigma_b in points[points[:, 1] > 0.1][::2]:
            q, c = 1.0, 0.0
            for _ in range(500):
                q = sigma_w**2 * 2 / np.pi * np.arcsin(2 * q / (1 + 2 * q)) + sigma_b**2
            for _ in range(500):
                c = (sigma_w**2 * 2 / np.pi * np.arcsin(2 * q * c / (1 + 2 * q)) + sigma_b**2) / q
            chi = sigma_w**2 * 4 / np.pi / np.sqrt((1 + 2 * q) ** 2 - (2 * q * c) ** 2)
            misfit.append(chi - level)
    # linear interpolation between nodes of the sheets; the lines at 10 and 30 layers differ by 0.06 in χ
    assert len(misfit) > 20
    np.testing.assert_allclose(misfit, 0.0, rtol=0, atol=0.01)


def test_points_are_marked_and_inside(diagram):
    ax = plot_phase_diagram(diagram, points=[(6.0, 0.2), (1.0, 5.0)])
    assert list(line(ax, r"$\sigma_w = 6$, $\sigma_b = 0.2$").get_xdata()) == [6.0]
    assert ax.get_xlim()[1] > 6.0
    assert ax.get_ylim()[1] > 5.0


def test_given_ends_of_the_axes_are_kept(diagram):
    ax = plot_phase_diagram(diagram, largest=(3.0, 2.0), depths=())
    assert (ax.get_xlim(), ax.get_ylim()) == ((0.0, 3.0), (0.0, 2.0))
    assert levels(ax) == []
    assert not any("equal" in text for text in texts(ax))


def test_relu_has_an_edge_of_one_point_and_no_stable_variance_beyond():
    ax = plot_phase_diagram(phase_diagram("relu"))
    where = names(ax)
    assert {"ordered", "no stable q*"} <= set(where)
    assert where["ordered"][0] < 2**0.5 < where["no stable q*"][0]
    drawn(ax)


Z, WEIGHTS = np.polynomial.hermite_e.hermegauss(120)  # gelu is analytic: 1e-6 and better for q < 6
CDF = np.vectorize(lambda x: math.erfc(-x / math.sqrt(2)) / 2)


def gelu_by_quadrature(q):
    """E φ², dE φ²/dq and E φ'²."""
    x = math.sqrt(q) * Z
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    phi, slope, curvature = x * CDF(x), CDF(x) + x * density, (2 - x**2) * density
    return [float(WEIGHTS @ f) / math.sqrt(2 * math.pi) for f in (phi**2, slope**2 + phi * curvature, slope**2)]


SECOND_OF_GELU = [(q, gelu_by_quadrature(q)[0]) for q in np.geomspace(0.01, 20, 60)]


def where_stability_ends(depth, q_low, q_high):
    """(σ_w, σ_b) with V' = 1 and χ₁ = e^{-1/depth}, by bisection in q."""

    def misfit(q):
        _, d_second, slope_second = gelu_by_quadrature(q)
        return slope_second / d_second - math.exp(-1 / depth)

    assert misfit(q_low) * misfit(q_high) < 0
    for _ in range(40):
        q = (q_low + q_high) / 2
        q_low, q_high = (q_low, q) if misfit(q) * misfit(q_low) < 0 else (q, q_high)
    second, d_second, _ = gelu_by_quadrature(q_low)
    return d_second**-0.5, math.sqrt(q_low - second / d_second)


def test_lines_of_gelu_reach_the_fold_where_stability_ends():
    ax = plot_phase_diagram(phase_diagram("gelu", sigma_w_max=2.8), depths=(10.0,))
    ((_, points),) = [(level, vertices) for level, vertices in levels(ax) if level > 0.5]
    distance = [np.hypot(*(points - where_stability_ends(10.0, *q)).T).min() for q in ((0.01, 0.3), (0.3, 2.0))]
    # rows of the sheet are 12 % apart in q*, and the fold bends: its chords are 0.01 long
    np.testing.assert_allclose(distance, 0.0, rtol=0, atol=0.01)
    with pytest.raises(AssertionError):  # cells that the fold crosses left out: lines end farther from it
        np.testing.assert_allclose(np.hypot(*(points - (1.7, 0.05)).T).min(), 0.0, rtol=0, atol=0.01)


def test_area_of_gelu_has_no_gap_and_ends_at_the_fold():
    ax = plot_phase_diagram(phase_diagram("gelu", sigma_w_max=2.8), depths=(), largest=(3.0, 1.5))
    pixels = drawn(ax)

    def coloured(sigma_w, sigma_b):
        column, row = ax.transData.transform((sigma_w, sigma_b))
        return bool((pixels[len(pixels) - 1 - round(row), round(column), :3] < 255).any())

    inside, outside = [], []
    for sigma_w in np.arange(1.30, 1.90, 0.02):
        for sigma_b in np.arange(0.02, 0.7, 0.02):
            excess = [sigma_w**2 * s + sigma_b**2 - q for q, s in SECOND_OF_GELU]
            if min(excess) < -0.01:
                inside.append(coloured(sigma_w, sigma_b))
            elif min(excess) > 0.01:
                outside.append(coloured(sigma_w, sigma_b))
    assert len(inside) > 300
    assert len(outside) > 300
    assert all(inside)
    # the edge's own line, which runs inside the area, is 2 pt wide and stays 1 % of q away from the fold
    assert not any(outside)


def test_two_stable_variances_are_told():
    ax = plot_phase_diagram(phase_diagram("crelu:1,1", chaotic=False))
    assert "two stable q*" in names(ax)
    drawn(ax)


def test_depth_scales_are_drawn_against_the_variance_of_weights(scan):
    ax = plot_depth_scales(scan)
    for label, values in ((r"$\xi_c$", scan.xi_c), (r"$\xi_{\mathrm{grad}}$", scan.xi_grad), (r"$\xi_q$", scan.xi_q)):
        np.testing.assert_array_equal(line(ax, label).get_xdata(), scan.sigma_w**2)
        np.testing.assert_array_equal(line(ax, label).get_ydata(), values)
    assert set(line(ax, "edge of chaos").get_xdata()) == {scan.edges[0] ** 2}
    assert ax.get_yscale() == "log"
    assert "(layers)" in ax.get_ylabel()
    drawn(ax)


def test_infinite_depth_scales_are_gaps():
    scan = scan_depth_scales("relu", sigma_b=0.0, sigma_w=[1.0, 2**0.5, 2.0])
    ax = plot_depth_scales(scan)
    for curve in ax.lines[:3]:
        assert not np.isinf(curve.get_ydata()).any()
    drawn(ax)


def test_given_axis_is_used(diagram, scan):
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert plot_phase_diagram(diagram, ax) is ax
    ax = Figure().add_subplot()
    assert plot_depth_scales(scan, ax=ax) is ax

"""Pictures of paths through a Leaky ResNet hold energies, spectra, ways of samples, branches and steps."""

import dataclasses

import numpy as np
import pytest

from gpdeep import DomainError
from gpdeep.leaky import BranchDiagram, geodesic, irregular_steps
from gpdeep.leaky.depth_continuation import Event
from gpdeep.plots import (
    plot_branches,
    plot_path_components,
    plot_path_energies,
    plot_path_singular_values,
    plot_steps,
    save_figure,
    side_by_side,
)

pytest.importorskip("matplotlib")
from pictures import drawn, line, texts

X = np.array([[0.9, -0.3, 0.4], [0.2, 0.8, -0.6], [-0.5, 0.1, 0.7]])
Y = np.array([[0.3, 0.6, -0.2], [-0.4, 0.5, 0.9], [0.8, -0.1, 0.4]])
NAN = np.nan


@pytest.fixture(scope="module")
def path():
    """The straight line at depth 3, where kinetic energy is as large as the others."""
    return geodesic(X, Y, 3.0, activation="softplus:5", starts=1)


@pytest.fixture(scope="module")
def deep():
    """A path with a bottleneck of rank 2."""
    return geodesic(X, Y, 20.0, activation="softplus:5", starts=1)


@pytest.fixture(scope="module")
def number():
    """One sample in one dimension: 2 to 0.5."""
    return geodesic([[2.0]], [[0.5]], 7.0, activation="identity", bias=0.0, starts=1)


def crowded(path, w, N):
    """The same with w neurons and N samples, for pictures only."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(w, 3)) @ path.A @ rng.normal(size=(3, N))
    B = rng.normal(size=(w, 3)) @ path.B @ rng.normal(size=(3, N))
    return dataclasses.replace(path, A=A, B=B)


def diagram(action, rank_like=None, minimum=None, events=(), depth=None):
    """A branch diagram as `continue_in_depth` gives it, without the paths."""
    action = np.array(action, dtype=float)
    rank_like = np.zeros_like(action) if rank_like is None else np.array(rank_like, dtype=float)
    minimum = np.where(np.isnan(action), NAN, 1.0) if minimum is None else np.array(minimum, dtype=float)
    depth = np.arange(3.0, 3.0 + action.shape[1]) if depth is None else np.array(depth, dtype=float)
    return BranchDiagram(
        effective_depth=depth,
        action=action,
        action_error=np.zeros_like(action),
        hamiltonian=-0.5 * depth * rank_like,
        rank_like=rank_like,
        is_minimum=minimum,
        points=(),
        events=tuple(Event(branch, float(depth[-1]), None) for branch in events),
    )


def identities(ax):
    """The costs of identity, coarse and fine."""
    return [curve for curve in ax.lines if curve.get_label().startswith("cost of identity")]


def of_colour(ax, label, marker):
    """Points in the colour of a branch with that marker: x and y of each."""
    colour = line(ax, label).get_color()
    curves = [c for c in ax.lines if c.get_color() == colour and c.get_marker() == marker and len(c.get_xdata())]
    return [(c.get_xdata().tolist(), c.get_ydata().tolist(), c.get_markerfacecolor()) for c in curves]


def test_energies_are_those_of_the_result_in_one_unit(path):
    ax = plot_path_energies(path)
    (identity, _), moving = identities(ax), line(ax, "kinetic")
    np.testing.assert_array_equal(identity.get_ydata(), path.cost_of_identity)
    np.testing.assert_array_equal(moving.get_ydata(), 2 / 3 * path.kinetic)
    energy = line(ax, r"$-2H/\tilde L = 1.4966$")
    np.testing.assert_allclose(energy.get_ydata(), path.rank_like, rtol=0, atol=1e-9)  # the path is solved to 1e-10
    for curve in (identity, moving, energy):
        np.testing.assert_array_equal(curve.get_xdata(), path.p)
    assert ax.get_xlabel() == "position $p$ (input 0, output 1)"
    assert ax.get_ylabel() == r"energy in units of $\tilde L/2$ (dimensions)"
    assert ax.get_title() == r"softplus:5, 3 neurons, 3 samples, $\tilde L = 3$"
    assert not ax.patches
    drawn(ax)


def test_difference_of_both_energies_is_the_conserved_one(number):
    """K = a², so that γ = K/100 divides COI and the kinetic term by 1.01: COI - |dA/dt|² = -2H/(1.01 L̃)."""
    ax = plot_path_energies(number)
    identity, moving = identities(ax)[0].get_ydata(), line(ax, "kinetic").get_ydata()
    # solved to 1e-8
    np.testing.assert_allclose(1.01 * (identity - moving), number.rank_like, rtol=1e-7, atol=0)
    with pytest.raises(AssertionError):  # in p-time
        np.testing.assert_allclose(1.01 * (identity - number.kinetic), number.rank_like, rtol=1e-7, atol=0)


def test_bottleneck_is_shaded_where_the_fine_cost_of_identity_is_low(deep):
    ax = plot_path_energies(deep)
    (area,) = ax.patches
    ends = area.get_x(), area.get_x() + area.get_width()
    assert ends == pytest.approx((deep.bottleneck.start, deep.bottleneck.end), rel=1e-12)
    assert "bottleneck of rank 2" in texts(ax)
    _, fine = identities(ax)
    x, y = fine.get_xdata(), fine.get_ydata()
    assert y.min() == deep.bottleneck.coi_fine
    np.testing.assert_array_equal((ends[0] < x) & (x < ends[1]), y < y.min() + 0.5)
    drawn(ax)


def test_a_gamma_of_ones_own_has_one_curve():
    found = geodesic(X, Y, 3.0, activation="softplus:5", gamma=2.0, starts=1)
    ax = plot_path_energies(found)
    assert [label for label in texts(ax) if "cost of identity" in label] == [
        r"cost of identity $\|A\|^2_{K_\gamma}$, $\gamma \geq $$10^{-2}\,\|K\|$"
    ]


def test_what_small_directions_cost_leaves_the_picture():
    ax = plot_path_energies(geodesic([[0.3, 0.9, -0.5]], [[0.4, 1.2, -0.9]], 2.0, activation="softplus:5", starts=1))
    coarse, fine = identities(ax)
    shown = max(coarse.get_ydata().max(), line(ax, "kinetic").get_ydata().max())
    assert shown < ax.get_ylim()[1] < 1.2 * shown < fine.get_ydata().max()
    drawn(ax)
    drawn(ax)


@pytest.mark.parametrize("of", ["A", "W"])
def test_singular_values_are_those_of_representations_and_weights_in_natural_time(deep, of):
    ax = plot_path_singular_values(deep, of=of)
    matrices = deep.A if of == "A" else deep.geometry.weights(deep.A, deep.B)
    expected = np.linalg.svd(matrices, compute_uv=False)
    for k in range(3):
        curve = line(ax, rf"$\sigma_{k + 1}$")
        np.testing.assert_array_equal(curve.get_xdata(), deep.p)
        # a product and a quotient by the depth
        np.testing.assert_allclose(curve.get_ydata(), expected[:, k], rtol=1e-9, atol=1e-12)
    assert ax.get_yscale() == "log"
    low, high = ax.get_ylim()
    assert low <= max(expected.min(), 1e-6 * expected.max())
    assert high > expected.max()
    assert ("1: a dimension that is kept" in texts(ax)) == (of == "W")
    drawn(ax)


def test_more_than_six_singular_values_are_counted(path):
    ax = plot_path_singular_values(crowded(path, 9, 8))
    assert [label for label in texts(ax) if label.startswith("$")] == [rf"$\sigma_{k}$" for k in range(1, 7)]
    assert "2 more" in texts(ax)
    assert ax.get_ylim()[0] > 0  # five of the eight are rounding errors
    drawn(ax)


@pytest.mark.parametrize("of", ["B", "a", None])
def test_only_representations_and_weights_have_singular_values(path, of):
    with pytest.raises(DomainError, match=r"likely cause[\s\S]*of='A'"):
        plot_path_singular_values(path, of=of)


def test_samples_go_from_rings_to_dots_in_a_plane_that_keeps_distances(path):
    """Two neurons lie in the plane of both components: distances in the picture are those of the path."""
    flat = dataclasses.replace(path, A=path.A[:, :2], B=path.B[:, :2])
    ax = plot_path_components(flat)
    ways = [curve for curve in ax.lines if len(curve.get_xdata()) == len(path.p)]
    assert len(ways) == 3
    first, last = ((path.A[:, :2, k] - path.A[:, :2, 0]) for k in (1, 2))
    shown = [np.stack([way.get_xdata(), way.get_ydata()], axis=1) for way in ways]
    for apart, way in ((first, shown[1]), (last, shown[2])):
        # rotations of numbers of order 1
        np.testing.assert_allclose(np.linalg.norm(way - shown[0], axis=1), np.linalg.norm(apart, axis=1), atol=1e-12)
    for way in ways:
        ends = [c for c in ax.lines if c.get_color() == way.get_color() and len(c.get_xdata()) == 1]
        at = {c.get_markerfacecolor() == "white": c.get_xdata()[0] for c in ends}
        assert at == {True: way.get_xdata()[0], False: way.get_xdata()[-1]}
    shares = [float(label().split("(")[1].split(" ")[0]) for label in (ax.get_xlabel, ax.get_ylabel)]
    assert sum(shares) == pytest.approx(100, abs=0.1)  # three digits each
    assert shares[0] >= shares[1]
    assert "3 samples" in texts(ax)
    drawn(ax)


def test_components_do_not_depend_on_where_the_nodes_are(path):
    """A hundred more nodes in the first tenth of the path turn the plane by less than the mesh error."""
    p = np.sort(np.concatenate([path.p, np.linspace(0.001, 0.1, 100)]))
    A, B = path.at(p)
    finer = dataclasses.replace(path, p=p, A=A, B=B)
    few, many = (
        plot_path_components(one).lines[0].get_xydata()[[0, -1]] for one in (path, finer)
    )  # of the first sample
    np.testing.assert_allclose(np.abs(few), np.abs(many), rtol=0, atol=0.02)  # trapezoidal weights, 45 nodes


def test_one_neuron_is_drawn_against_the_position(number):
    ax = plot_path_components(number)
    way = ax.lines[0]
    np.testing.assert_array_equal(way.get_xdata(), number.p)
    # solved to 1e-8; A = 2^{1-2p}
    np.testing.assert_allclose(way.get_ydata(), 2.0 ** (1 - 2 * number.p), rtol=1e-7, atol=0)
    assert ax.get_ylabel() == "value of the neuron"
    drawn(ax)
    for plot in (plot_path_energies, plot_path_singular_values, plot_steps):
        drawn(plot(number))


def test_many_samples_are_drawn_faintly(path):
    ax = plot_path_components(crowded(path, 5, 60))
    assert {curve.get_alpha() for curve in ax.lines if len(curve.get_xdata()) == len(path.p)} == {0.5}
    assert "60 samples" in texts(ax)
    drawn(ax)


def test_actions_are_drawn_above_the_lowest_of_each_depth():
    ax = plot_branches(diagram([[5.0, 6.0, 7.0], [5.5, 5.75, 8.0], [NAN, 7.0, 9.0]]))
    ((x, y, _),) = of_colour(ax, "branch 0", "o")
    assert (x, y) == ([3.0, 4.0, 5.0], [0.0, 0.25, 0.0])
    ((x, y, _),) = of_colour(ax, "branch 1", "o")
    assert (x, y) == ([3.0, 4.0, 5.0], [0.5, 0.0, 1.0])
    ((x, y, _),) = of_colour(ax, "branch 2", "o")
    assert (x, y) == ([4.0, 5.0], [1.25, 2.0])
    assert len({line(ax, f"branch {b}").get_color() for b in range(3)}) == 3
    assert ax.get_xlabel() == r"effective depth $\tilde L$"
    assert ax.get_ylabel() == r"action above the lowest, $S - S_{\min}$"
    drawn(ax)


def test_saddles_are_rings_on_dashed_lines():
    ax = plot_branches(diagram([[5.0, 6.0, 7.0], [5.5, 6.5, 8.0]], minimum=[[1, 1, 1], [1, 0, 0]]))
    marks = of_colour(ax, "branch 1", "o")
    assert [(x, face) for x, _, face in marks] == [([3.0], line(ax, "branch 1").get_color()), ([4.0, 5.0], "white")]
    colour = line(ax, "branch 1").get_color()
    pieces = [c.get_linestyle() for c in ax.lines if c.get_color() == colour and len(c.get_xdata()) == 2]
    assert pieces[:2] == ["--", "--"]
    assert "saddle" in texts(ax)
    assert "saddle" not in texts(plot_branches(diagram([[1.0, 2.0]])))
    drawn(ax)


def test_a_branch_that_was_lost_ends_with_a_cross_also_going_down():
    down = diagram([[5.0, 6.0, 7.0], [5.5, 6.5, NAN]], events=[1], depth=[7.0, 6.0, 5.0])
    ax = plot_branches(down)
    assert [(x, y) for x, y, _ in of_colour(ax, "branch 1", "x")] == [([6.0], [0.5])]
    assert "lost on the way" in texts(ax)
    drawn(ax)


def test_rank_like_energies_far_below_zero_leave_the_picture():
    ax = plot_branches(diagram([[5.0, 6.0]], rank_like=[[-47.0, 1.8]]), quantity="rank_like")
    assert -2 < ax.get_ylim()[0] < 0
    assert ax.get_ylim()[1] > 1.8
    assert "far below 0: kinetic energy dominates" in texts(ax)
    assert ax.get_ylabel() == r"$-2H/\tilde L$ (dimensions)"
    drawn(ax)


@pytest.mark.parametrize("quantity", ["action", "rank_like"])
def test_diagrams_without_branches_of_one_depth_and_of_many_branches(quantity):
    ax = plot_branches(diagram([[NAN, NAN]]), quantity=quantity)
    assert "no branch at any of the depths" in texts(ax)
    drawn(ax)
    drawn(plot_branches(diagram([[5.0], [6.0]]), quantity=quantity))
    many = plot_branches(diagram(np.arange(20.0).reshape(10, 2)), quantity=quantity)
    assert [label for label in texts(many) if label.startswith("branch")] == [f"branch {k}" for k in range(6)]
    assert "others" in texts(many)
    drawn(many)


def test_only_actions_and_energies_of_branches_are_drawn():
    with pytest.raises(DomainError, match=r"likely cause[\s\S]*rank_like"):
        plot_branches(diagram([[1.0]]), quantity="hamiltonian")


def test_steps_of_a_path_are_stairs_beside_equal_ones(deep):
    ax = plot_steps(deep, layers=40)
    rho = deep.network(40)[0]
    (stairs,) = ax.patches
    values, edges, _ = stairs.get_data()
    np.testing.assert_array_equal(values, rho * 40)
    np.testing.assert_array_equal(edges, np.concatenate([[0], np.cumsum(rho)]))
    assert set(line(ax, "40 equal steps").get_ydata()) == {1}
    assert values[0] < 1 < values[20]  # short at the ends, long in the bottleneck
    limit = line(ax, r"$\rho_l\tilde L = 1$")
    assert set(limit.get_ydata()) == {2.0}
    drawn(ax)


def test_steps_of_ones_own_need_no_path(path):
    rho = irregular_steps(12, 0.9)
    ax = plot_steps(rho)
    values, _, _ = ax.patches[0].get_data()
    np.testing.assert_array_equal(values, 12 * rho)
    assert not [c for c in ax.lines if "forgets" in c.get_label()]
    drawn(plot_steps([1.0]))
    for nonsense in ([0.5, 0.6], [], "steps", [[1.0]]):
        with pytest.raises(DomainError, match="likely cause"):
            plot_steps(nonsense)
    with pytest.raises(DomainError, match="at least 4 layers"):
        plot_steps(path, layers=2)


def test_four_pictures_stand_in_two_rows(path, tmp_path):
    axes = side_by_side(4, rows=2)
    assert len(axes) == 4
    assert plot_path_energies(path, axes[0]) is axes[0]
    assert plot_path_components(path, ax=axes[1]) is axes[1]
    assert plot_path_singular_values(path, axes[2]) is axes[2]
    assert plot_steps(path, axes[3]) is axes[3]
    assert save_figure(axes[0], tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    width, height = axes[0].figure.get_size_inches()
    assert 1 < width / height < 2
    assert plot_branches(diagram([[1.0]]), side_by_side(1)[0]).figure is not axes[0].figure

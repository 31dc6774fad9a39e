"""Pictures of partly linear networks hold their numbers."""

import numpy as np
import pytest

from gpdeep import DomainError
from gpdeep.linearize import Graph, path_length_distribution, path_profile
from gpdeep.plots import plot_accuracy, plot_active_units, plot_path_lengths, save_figure, side_by_side

pytest.importorskip("matplotlib")
from pictures import line, texts


@pytest.fixture(scope="module")
def network():
    x = Graph.input(3).dense(16).relu([1] * 12 + [0] * 4)
    for _ in range(3):
        x = (x + x.dense(16).relu([1] * 4 + [0] * 12).dense(16)).relu()
    return Graph.of(x.dense(10))


def test_active_units_are_drawn_over_all_channels(network):
    ax = plot_active_units([path_profile(network)])
    assert [bar.get_height() for bar in ax.patches] == [16] * 7
    np.testing.assert_array_equal(line(ax, "active").get_ydata(), [12, 4, 16, 4, 16, 4, 16])


def test_networks_of_several_penalties_are_told_apart(network):
    ax = plot_active_units([[30, 20, 10], [12, 3, 0]], labels=["0.01", "0.03"])
    np.testing.assert_array_equal(line(ax, "0.03").get_ydata(), [12, 3, 0])
    assert not ax.patches
    with pytest.raises(DomainError, match="labels"):
        plot_active_units([[1, 2]], labels=["a", "b"])
    with pytest.raises(DomainError, match="0 networks"):
        plot_active_units([])


def test_lengths_are_bars_with_their_mean(network):
    found = path_profile(network)
    ax = plot_path_lengths(found)
    heights = np.array([bar.get_height() for bar in ax.patches])
    np.testing.assert_allclose(heights.sum(), 1, rtol=0, atol=1e-3)  # lengths rarer than 1e-4 are left out
    assert any(f"mean {found.normalised_average_path_length:.4g}" in text for text in texts(ax))
    same = plot_path_lengths(path_length_distribution(network))
    assert len(same.patches) == len(ax.patches)


def test_accuracies_have_intervals_and_leave_out_what_is_unknown(tmp_path):
    axes = side_by_side(2)
    curves = {
        "early": ([1.0, 2.0, 3.0], [0.8, 0.9, np.nan], [0.01, 0.02, np.nan]),
        "late": ([1.0, 2.0], [0.9, 0.95], [0.01, np.nan]),
    }
    ax = plot_accuracy(curves, axes[0])
    plot_accuracy(curves, axes[1], against="G")
    assert [len(container[0].get_xdata()) for container in ax.containers] == [2, 2]
    assert "path length" in ax.get_xlabel()
    assert "G" in axes[1].get_xlabel()
    assert save_figure(ax, tmp_path / "x.png").stat().st_size > 5000
    with pytest.raises(DomainError, match="curves"):
        plot_accuracy({"late": ([1.0], [0.9, 0.8], [0.1, 0.1])})

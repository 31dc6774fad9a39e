"""Pictures of predictions and of laws at finite width hold what the results hold, named with symbol and unit."""

from types import SimpleNamespace

import numpy as np
import pytest

from gpdeep import predict_depth
from gpdeep.finite import angle_law, gradient_law, length_law
from gpdeep.gaussian import iterate_angle_map
from gpdeep.plots import plot_angle_law, plot_depth, plot_lengths

pytest.importorskip("matplotlib")
from pictures import drawn, line, texts


def prediction_of(law, *, infinite=None, finite=3, at_infinity=5, reached=True):
    """What `plot_depth` reads of a prediction, from a real law."""
    depth = len(law.mean)
    curve = iterate_angle_map(float(law.theta0[0]), depth)[1] if infinite is None else infinite
    return SimpleNamespace(
        architecture=f"784,{law.widths[0]}x{depth},10",
        law=law,
        infinite=SimpleNamespace(log_sin2=curve),
        degeneracy_depth=SimpleNamespace(
            finite=finite, infinite=at_infinity, threshold=-4.0, confidence=0.5, reached=reached
        ),
    )


def test_depth_shows_the_laws_numbers(law):
    ax = plot_depth(prediction_of(law))
    layers = np.arange(1, 21)
    for label, values in [
        ("finite width, median", law.median),
        ("infinite width", iterate_angle_map(np.pi / 2, 20)[1]),
    ]:
        np.testing.assert_array_equal(line(ax, label).get_xdata(), layers)
        np.testing.assert_array_equal(line(ax, label).get_ydata(), values)
    (band,) = ax.collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices}
    for layer, low, high in zip(layers, law.mean - law.std, np.minimum(law.mean + law.std, 0), strict=True):
        assert {(layer, low), (layer, high)} <= corners
    assert set(line(ax, "threshold").get_ydata()) == {-4.0}
    assert set(line(ax, "degeneracy depth 3").get_xdata()) == {3}
    assert set(line(ax, "degeneracy depth 5").get_xdata()) == {5}
    drawn(ax)


def test_depth_names_symbols_and_units(law):
    ax = plot_depth(prediction_of(law))
    assert ax.get_xlabel() == "layer $l$"
    assert "sin^2\\theta" in ax.get_ylabel()
    assert "(nats)" in ax.get_ylabel()
    assert ax.get_title() == "784,64x20,10"
    assert texts(ax) == [
        "finite width, median",
        "mean ± standard deviation",
        "infinite width",
        "threshold $x^* = -4$",
        "degeneracy depth 3 (confidence 0.5)",
        "degeneracy depth 5 at infinite width",
    ]


@pytest.mark.parametrize(
    ("finite", "reached", "note"),
    [
        (20, False, "still told apart after layer 20"),
        (0, True, "below the threshold from layer 1 on"),
        (None, None, "gives no degeneracy depth"),
    ],
)
def test_depth_says_what_has_no_line(law, finite, reached, note):
    ax = plot_depth(prediction_of(law, finite=finite, at_infinity=20, reached=reached))
    assert any(note in text for text in texts(ax))
    assert not any(curve.get_label().startswith("degeneracy depth") for curve in ax.lines)
    drawn(ax)


def test_survival_is_noted_where_it_matters(law):
    narrow = angle_law([10] * 30)
    note = f"both inputs survive in {narrow.survival[-1]:.3g} of the networks"
    assert note in texts(plot_depth(prediction_of(narrow)))
    assert not any("survive" in text for text in texts(plot_depth(prediction_of(law))))
    assert note in texts(plot_angle_law(narrow))


def test_a_real_prediction_is_drawn():
    answer = predict_depth("784,64x60,10")
    ax = plot_depth(answer)
    assert set(line(ax, "degeneracy depth 36").get_xdata()) == {36}
    np.testing.assert_array_equal(line(ax, "infinite width").get_ydata(), answer.infinite.log_sin2)
    drawn(ax)


def test_one_layer_is_drawn_with_dots_and_a_bar():
    ax = plot_depth(prediction_of(angle_law([32]), finite=1, at_infinity=1, reached=False))
    assert line(ax, "finite width").get_marker() == line(ax, "infinite width").get_marker() == "o"
    assert len(ax.collections) == 1
    drawn(ax)
    drawn(plot_lengths(length_law([32])))


def test_gaps_stand_for_what_is_not_finite(law):
    curve = iterate_angle_map(np.pi / 2, 20)[1]
    curve[5:] = -np.inf
    ax = plot_depth(prediction_of(law, infinite=curve))
    shown = line(ax, "infinite width").get_ydata()
    np.testing.assert_array_equal(shown[:5], curve[:5])
    assert np.isnan(shown[5:]).all()
    drawn(ax)


def test_no_survivor_is_a_note_and_not_an_error():
    dead = angle_law([1] * 3, method="grid")
    assert dead.survival[-1] == 0
    drawn(plot_depth(prediction_of(dead, finite=0)))
    ax = plot_angle_law(dead)
    assert "no pair survives" in texts(ax)
    drawn(ax)


@pytest.mark.parametrize("method", ["closure", "diffusion", "jakub-nica", "jakub-nica-density", "infinite", "chain"])
def test_every_method_can_be_drawn(method):
    law = angle_law([64] * 6, method=method, n_samples=2000)
    drawn(plot_depth(prediction_of(law)))
    drawn(plot_angle_law(law))


def test_one_number_is_a_line_at_that_number():
    law = angle_law([64] * 6, method="infinite")
    ax = plot_angle_law(law)
    assert set(line(ax, "infinite").get_xdata()) == {law.mean[-1]}
    assert any("no distribution" in text for text in texts(ax))


def test_angle_law_shows_density_and_quantiles(law):
    ax = plot_angle_law(law)
    x, density = law.density()
    np.testing.assert_array_equal(line(ax, "density").get_xdata(), x)
    np.testing.assert_array_equal(line(ax, "density").get_ydata(), density)
    for probability, label in [(0.05, "5 % quantile"), (0.5, "50 % quantile"), (0.95, "95 % quantile")]:
        assert set(line(ax, label).get_xdata()) == {law.quantile(probability)}
    assert set(line(ax, "threshold").get_xdata()) == {law.threshold}
    assert "L = 20" in ax.get_xlabel()
    assert "(nats)" in ax.get_xlabel()
    assert ax.get_ylabel() == "probability density (1/nat)"
    assert not any("orthogonal" in text for text in texts(ax))


def test_atom_at_right_angles_is_told():
    law = angle_law([10] * 2)
    assert any(
        f"probability {law.orthogonal[-1] / law.survival[-1]:.2g}" in text for text in texts(plot_angle_law(law))
    )


def test_histogram_of_a_sample_has_its_mass():
    law = angle_law([24] * 8, method="chain", n_samples=10_000)
    ax = plot_angle_law(law)
    (steps,) = [patch for patch in ax.patches if patch.get_label() == "sampled density"]
    values, edges, _ = steps.get_data()
    # between the 0.05 % and 99.95 % quantiles, each a sample point: 0.999 up to 2 of 10,000
    np.testing.assert_allclose(np.sum(values * np.diff(edges)), 0.999, rtol=0, atol=2.1e-4)
    drawn(ax)


@pytest.mark.parametrize(("make", "symbol"), [(length_law, r"\varphi^l"), (gradient_law, r"\delta^l")])
def test_lengths_show_the_laws_numbers(make, symbol):
    law = make([10] * 12)
    ax = plot_lengths(law)
    np.testing.assert_array_equal(line(ax, "mean").get_ydata(), law.mean)
    assert symbol in ax.get_ylabel()
    assert "(nats)" in ax.get_ylabel()
    (band,) = ax.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == (law.mean - law.std).min()
    assert heights.max() == (law.mean + law.std).max()
    assert any("alive in" in text for text in texts(ax))
    drawn(ax)


def test_a_very_deep_network_is_drawn_without_delay():
    ax = plot_lengths(length_law([256] * 100_000))
    drawn(ax)


def test_given_axis_is_used_and_returned(law):
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert plot_depth(prediction_of(law), ax=ax) is ax
    assert plot_angle_law(law, ax) is ax
    assert plot_lengths(length_law([8]), ax=ax) is ax


def test_colours_are_those_of_okabe_and_ito(law):
    ax = plot_depth(prediction_of(law))
    assert line(ax, "finite width").get_color() == "#0072B2"
    assert line(ax, "infinite width").get_color() == "#D55E00"

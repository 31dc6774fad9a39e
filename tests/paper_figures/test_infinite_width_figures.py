"""Figures of infinite width: their numbers against closed forms, quadrature, other routes, and the evidence in git."""

import json
import math

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures are drawn")

from figure_tables import column, rows

from gpdeep.errors import DomainError
from gpdeep.meanfield import depth_scales
from paper_figures.infinite_width import depth_scales as scales_figure
from paper_figures.infinite_width import maps, phase_diagram, trainable_region
from validation.evidence import RESULTS

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(120)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def mean(f, q):
    """E f(√q z), by a rule that is right to 1e-9 for tanh² at q = 1 and to 1e-6 at q = 3."""
    return float(WEIGHTS @ f(math.sqrt(q) * NODES))


# ---------------------------------------------------------------- maps


@pytest.fixture(scope="module")
def both_maps():
    return maps.draw(activations="relu abs; tanh sigmoid", points=13)


def test_maps_of_relu_and_abs_have_their_closed_forms(both_maps):
    table = rows(both_maps)
    for name in ("relu", "abs"):
        q, after = (column(table, key, activation=name) for key in ("variance", "variance_after_layer"))
        np.testing.assert_allclose(after, q, rtol=1e-14, atol=1e-300)
    c = column(table, "correlation", activation="relu")
    theta = np.arccos(np.clip(c, -1, 1))
    relu = (np.sin(theta) + (np.pi - theta) * c) / np.pi
    # cosines of angles: a few roundings of numbers of order one
    np.testing.assert_allclose(column(table, "correlation_after_layer", activation="relu"), relu, atol=1e-14)
    mirrored = 2 / np.pi * (np.sin(theta) + (np.pi / 2 - theta) * c)
    after = column(table, "correlation_after_layer", activation="abs")
    np.testing.assert_allclose(after, mirrored, atol=1e-14)
    assert np.abs(after - relu).max() > 0.3  # the control: they are told apart


def test_tanh_is_on_its_edge_by_quadrature(both_maps):
    table = rows(both_maps)
    sigma_w, sigma_b = (column(table, key, activation="tanh")[0] for key in ("sigma_w", "sigma_b"))
    assert sigma_w**2 * mean(lambda x: np.cosh(x) ** -4, 1.0) == pytest.approx(1, abs=1e-8)
    q, after = (column(table, key, activation="tanh") for key in ("variance", "variance_after_layer"))
    expected = [sigma_b**2 + sigma_w**2 * mean(lambda x: np.tanh(x) ** 2, v) for v in q]
    np.testing.assert_allclose(after, expected, atol=1e-6)
    assert sigma_b**2 + sigma_w**2 * mean(lambda x: np.tanh(x) ** 2, 1.0) == pytest.approx(1, abs=1e-8)


def test_what_has_no_edge_is_marked_and_told(both_maps):
    table = rows(both_maps)
    assert {row["on_edge_of_chaos"] for row in table if row["activation"] == "sigmoid"} == {"False"}
    assert column(table, "sigma_b", activation="sigmoid")[0] == 0
    second = mean(lambda x: (1 / (1 + np.exp(-x))) ** 2, 1.0)
    assert column(table, "sigma_w", activation="sigmoid")[0] ** 2 == pytest.approx(1 / second, rel=1e-10)
    assert column(table, "chi_1", activation="sigmoid")[0] < 1
    assert [text.get_text() for text in both_maps.figure.axes[3].get_legend().get_texts()] == ["tanh", "sigmoid°"]
    assert "sigmoid" in both_maps.notes[1]


@pytest.mark.parametrize("wrong", ["relu; ", "relu nonsense"])
def test_wrong_activations_are_refused(wrong):
    with pytest.raises(DomainError, match="to change"):
        maps.draw(activations=wrong, points=5)


# ---------------------------------------------------------------- phase diagram


def test_edge_of_erf_has_its_closed_form():
    """σ_w² = (π/4) √(1 + 4q), σ_b² = q - σ_w² (2/π) arcsin(2q/(1 + 2q))."""
    table = rows(phase_diagram.draw(activation="erf", sigma_w2_max=3.0))
    x, y = (column(table, key, phase="edge") for key in ("sigma_w_squared", "sigma_b_squared"))
    assert len(x) > 10
    q = ((4 * x / np.pi) ** 2 - 1) / 4
    expected = q - x * 2 / np.pi * np.arcsin(2 * q / (1 + 2 * q))
    np.testing.assert_allclose(y, expected, atol=1e-13)
    assert np.abs(y - expected * 1.01).max() > 1e-3  # the control


def test_depths_of_the_diagram_are_those_that_a_search_finds():
    table = rows(phase_diagram.draw(**phase_diagram.SMALL))
    for phase in ("ordered", "chaotic"):
        x, y, xi = (column(table, key, phase=phase) for key in ("sigma_w_squared", "sigma_b_squared", "xi_c"))
        assert len(x) > 100
        at = np.flatnonzero((x > 0.2) & (y > 1e-3) & (xi < 200))[:: len(x) // 4]
        found = [depth_scales("tanh", sigma_w=x[k] ** 0.5, sigma_b=y[k] ** 0.5) for k in at]
        assert {str(scales.phase) for scales in found} == {phase}
        # both are exact up to moments of 1e-12; near the edge 1/ξ_c loses two digits
        np.testing.assert_allclose(xi[at], [scales.xi_c for scales in found], rtol=1e-7)


def test_a_window_of_no_size_is_refused():
    with pytest.raises(DomainError, match="to change"):
        phase_diagram.draw(sigma_w2_max=0.0)


@pytest.mark.parametrize("phi", ["relu", "gelu"])
def test_other_activations_have_diagrams_too(phi):
    table = rows(phase_diagram.draw(activation=phi))
    assert column(table, "xi_c", phase="ordered").size > 50
    assert (column(table, "sigma_w_squared", phase="ordered") <= 4).all()


# ---------------------------------------------------------------- depth scales


def test_depth_scales_have_their_definitions():
    drawing = scales_figure.draw(points=3, sigma_w2_min=0.8, sigma_w2_max=4.0)
    table = rows(drawing)
    x, q, chi_1 = (column(table, key) for key in ("sigma_w_squared", "q_star", "chi_1"))
    for k in (0, 1, len(x) - 1):
        assert x[k] * mean(lambda h: np.cosh(h) ** -4, q[k]) == pytest.approx(chi_1[k], abs=1e-6)
        assert x[k] * mean(lambda h: np.tanh(h) ** 2, q[k]) + 0.05 == pytest.approx(q[k], abs=1e-6)
    ordered = np.array([row["phase"] == "ordered" for row in table])
    xi_c, xi_grad = column(table, "xi_c"), column(table, "xi_grad")
    np.testing.assert_allclose(xi_c[ordered], -1 / np.log(chi_1[ordered]), rtol=1e-10)
    np.testing.assert_allclose(xi_c[ordered], xi_grad[ordered], rtol=1e-10)
    chaotic = np.array([row["phase"] == "chaotic" for row in table])
    assert (xi_c[chaotic] > xi_grad[chaotic]).all()  # the control: there they are not the same
    assert np.isinf(xi_c[~ordered & ~chaotic]).all()
    assert (column(table, "xi_q") < 2).all()
    assert drawing.figure.axes[0].get_title() == r"tanh, $\sigma_b^2 = 0.05$"


@pytest.mark.parametrize("wrong", [{"sigma_b2": -1.0}, {"sigma_w2_min": 0.0}, {"points": 1}, {"sigma_w2_max": 0.1}])
def test_wrong_scans_are_refused(wrong):
    with pytest.raises(DomainError, match="to change"):
        scales_figure.draw(**wrong)


# ---------------------------------------------------------------- trainable region


@pytest.fixture(scope="module")
def evidence():
    claims = json.loads((RESULTS / "cpu" / "E3-quick.json").read_text())["claims"]
    return {claim["id"]: claim for claim in claims}


def test_cells_and_points_are_the_evidence_and_the_line_is_theory(evidence):
    drawing = trainable_region.draw(points=4)
    table = rows(drawing)
    cells, half = evidence["E3.tanh.iou"]["details"], evidence["E3.tanh.l50"]["details"]
    np.testing.assert_array_equal(column(table, "training_accuracy"), np.ravel(cells["accuracy"]))
    np.testing.assert_array_equal(column(table, "depth", shows="cell", sigma_w=0.8), cells["depths"])
    np.testing.assert_array_equal(column(table, "depth", shows="half"), half["L50"])
    assert [row["inside_the_grid"] for row in table if row["shows"] == "half"] == [str(x) for x in half["inside"]]
    sigma_w, depth = (column(table, key, shows="predicted") for key in ("sigma_w", "depth"))
    found = [6 * depth_scales("tanh", sigma_w=w, sigma_b=0.05**0.5).xi_c for w in sigma_w]
    np.testing.assert_allclose(depth, found, rtol=1e-12)
    assert f"{evidence['E3.tanh.iou']['estimate']:.2f}" in drawing.figure.axes[0].get_title()
    # accuracy crosses one half at the kept depths, in the cells as they are drawn
    for row, deep, inside in zip(cells["accuracy"], half["L50"], half["inside"], strict=True):
        if inside:
            k = int(np.searchsorted(cells["depths"], deep))
            assert row[k - 1] >= 0.5 > row[k]


def test_another_factor_moves_the_line_alone():
    one, other = (trainable_region.draw(points=2, factor=factor) for factor in (6.0, 3.0))
    six, three = (column(rows(drawing), "depth", shows="predicted") for drawing in (one, other))
    np.testing.assert_allclose(six, 2 * three, rtol=1e-14)
    assert "union" not in other.figure.axes[0].get_title()  # it was measured for 6


def test_a_sheet_that_was_not_trained_is_refused():
    with pytest.raises(DomainError, match=r"no claim E3\.relu\.iou"):
        trainable_region.draw(sheet="relu")

"""Figures of finite width: their numbers against closed forms, other routes, and the evidence as it lies in git."""

import json
import math

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures are drawn")

from figure_tables import column, rows
from scipy.optimize import brentq
from scipy.stats import spearmanr

from gpdeep import predict_depth
from gpdeep.errors import DomainError
from gpdeep.finite import angle_law, small_angle_cumulants
from paper_figures.finite_width import angle_by_layer, degeneracy_accuracy, degeneracy_depth, density
from validation.evidence import RESULTS


def kept(experiment, claim):
    """A claim, read without the figures' code."""
    evidence = json.loads((RESULTS / "cpu" / f"{experiment}-quick.json").read_text())
    (found,) = [each for each in evidence["claims"] if each["id"] == claim]
    return evidence, found


# ---------------------------------------------------------------- angle by layer


@pytest.fixture(scope="module")
def by_layer():
    return angle_by_layer.draw()


def test_theories_of_the_first_layer_have_their_closed_forms(by_layer):
    table = rows(by_layer)
    j11, j22, j31 = 1 / (2 * math.pi), 1 / 4, 1 / math.pi  # ReLU moments at a right angle
    q, g = 1 - 4 * j11**2, 4 * j22 - 1
    x = 8 * j11**2 * j22 - 8 * j11**4 + 4 * j11**2 - 8 * j11 * j31 + j22 + 1
    for n in (256, 32):
        first = {"width": n, "layer": 1}
        assert column(table, "infinite_width", **first)[0] == pytest.approx(math.log(q), rel=1e-13)
        mu = math.log((n - 1) * q / (n + g)) + 4 * (j22 + 1) / (n * (1 + g / n) ** 2)
        mu -= 4 * x / (n * (1 - 1 / n) ** 2 * q**2)
        # a dozen roundings of numbers of order one
        assert column(table, "papers_recursion", **first)[0] == pytest.approx(mu, abs=1e-13)
        # expansion of the mean in 1/n to the third order; the fourth coefficient is some tens
        series = math.log(q) - 0.911021 / n - 2.052962 / n**2 - 5.120588 / n**3
        assert column(table, "law_mean", **first)[0] == pytest.approx(series, abs=1e-6 / n + 40 / n**4)


def test_points_are_the_evidence(by_layer):
    evidence, claim = kept("E1", "E1.by_layer")
    table = rows(by_layer)
    assert claim["details"]["width"] == [256, 32]
    for k, n in enumerate((256, 32)):
        for name, own in (
            ("measured_mean", "mean"),
            ("measured_standard_deviation", "standard_deviation"),
            ("measured_standard_error", "standard_error"),
            ("networks", "alive"),
        ):
            np.testing.assert_array_equal(column(table, name, width=n), claim["details"][own][k])
    assert by_layer.evidence == {"E1-quick (cpu)": evidence["commit"]}


def test_networks_are_on_the_law_and_not_on_the_others(by_layer):
    """At width 32, where theories differ; 32 points that share networks at 4 standard errors."""
    table = rows(by_layer)
    mean, error = (column(table, name, width=32) for name in ("measured_mean", "measured_standard_error"))
    z = {
        name: np.abs(mean - column(table, name, width=32)) / error
        for name in ("law_mean", "infinite_width", "papers_recursion")
    }
    assert z["law_mean"].max() < 4
    assert z["infinite_width"][-1] > 8
    assert z["papers_recursion"][-1] > 8


def test_a_width_that_was_not_measured_is_drawn_without_points():
    drawing = angle_by_layer.draw(**angle_by_layer.SMALL, width=48)
    table = rows(drawing)
    assert column(table, "measured_mean", width=48).size == 0
    assert column(table, "measured_mean", width=32).size == angle_by_layer.SMALL["depth"]
    assert drawing.notes[0] == "No networks of width 48 were measured at this angle: theory alone there."
    other = angle_by_layer.draw(**angle_by_layer.SMALL, angle=1.0)
    assert "measured_mean" not in rows(other)[0]
    assert other.evidence == {}


def test_without_a_measured_width_theory_is_drawn_alone():
    depth = angle_by_layer.SMALL["depth"]
    drawing = angle_by_layer.draw(**angle_by_layer.SMALL, width=48, narrow=20)
    table = rows(drawing)
    for n in (48, 20):
        law = angle_law([n] * depth, math.pi / 2)
        np.testing.assert_array_equal(column(table, "law_mean", width=n), law.mean)
        assert f"No networks of width {n} were measured at this angle: theory alone there." in drawing.notes
    assert "measured_mean" not in table[0]
    assert drawing.evidence == {}
    assert not any("networks" in text for text in drawing.figure.axes[0].get_legend_handles_labels()[1])


def test_a_folder_without_evidence_is_refused_as_by_every_figure_that_reads_it(tmp_path):
    draws = (angle_by_layer.draw, degeneracy_accuracy.draw)
    for draw, experiment in zip(draws, ("E1", "E2"), strict=True):
        with pytest.raises(DomainError, match=f"holds no evidence of {experiment}"):
            draw(results=str(tmp_path))


# ---------------------------------------------------------------- accuracy


def test_accuracies_are_the_evidence_and_titles_its_rank_correlations():
    drawing = degeneracy_accuracy.draw()
    table = rows(drawing)
    _, claim = kept("E2", "E2.rank")
    details = claim["details"]
    assert [row["network"] for row in table] == details["networks"]
    for name, own in (
        ("predicted_log_sin2_finite", "finite"),
        ("predicted_log_sin2_infinite", "infinite"),
        ("test_accuracy", "accuracy"),
        ("standard_deviation_between_seeds", "standard_deviation"),
    ):
        np.testing.assert_array_equal(column(table, name), details[own])
    accuracy, titles = column(table, "test_accuracy"), [ax.get_title() for ax in drawing.figure.axes]
    for name, title in zip(("finite", "infinite"), titles, strict=True):
        rank = spearmanr(column(table, f"predicted_log_sin2_{name}"), accuracy).statistic
        assert title.endswith(f"rank correlation {rank:.3f}")
    _, gain = kept("E2", "E2.gain")
    assert any(f"{gain['verdict']} (E2.gain)" in note for note in drawing.notes)


def test_predictions_that_were_kept_are_those_of_theory_today():
    """One angle explains every number; the control is the theory of networks twice as wide."""
    table = {row["network"]: row for row in rows(degeneracy_accuracy.draw())}

    def infinite(theta, depth):
        return angle_law([1] * depth, theta, method="infinite").mean[-1]

    deepest = float(table["10 x 60"]["predicted_log_sin2_infinite"])
    shallow = float(table["98 x 6"]["predicted_log_sin2_infinite"])
    theta = brentq(lambda theta: infinite(theta, 6) - shallow, 0.5, 2.5, xtol=1e-12)
    # eight digits are kept
    assert infinite(theta, 60) == pytest.approx(deepest, rel=1e-6)
    for name, widths in (("14 x 60", [14] * 60), ("17/25 x 30", [17, 25] * 15), ("98 x 6", [98] * 6)):
        predicted = float(table[name]["predicted_log_sin2_finite"])
        assert angle_law(widths, theta).mean[-1] == pytest.approx(predicted, rel=1e-6)
        assert angle_law([2 * n for n in widths], theta).mean[-1] > predicted + 0.03


# ---------------------------------------------------------------- degeneracy depth


def test_degeneracy_depths_are_those_of_the_main_command():
    table = rows(degeneracy_depth.draw(widths="16,64", thresholds="-4", confidences="0.5,0.9"))
    for n in (16, 64):
        for share in (0.5, 0.9):
            answer = predict_depth(f"1,{n}x70,1", confidence=share).degeneracy_depth
            found = column(table, "degeneracy_depth", width=n, confidence=share)
            np.testing.assert_array_equal(found, [answer.finite])
            np.testing.assert_array_equal(column(table, "infinite_width", width=n, confidence=share), [answer.infinite])


def test_sampled_networks_confirm_the_degeneracy_depths():
    """Two layers short of L* the inputs are told apart, two layers beyond it they are not: 4,000 exact networks."""
    table = rows(degeneracy_depth.draw(widths="16", thresholds="-4", confidences="0.5,0.9"))
    above = angle_law([16] * 20, method="chain", n_samples=4000, threshold=-4.0).above
    for share in (0.5, 0.9):
        deep = int(column(table, "degeneracy_depth", confidence=share)[0])
        error = math.sqrt(share * (1 - share) / 4000)
        assert above[deep - 3] > share + 2 * error
        assert above[deep + 1] < share - 2 * error


def test_both_rules_are_too_deep_and_the_drift_is_steeper_than_the_rule():
    table = rows(degeneracy_depth.draw(widths="16,64,256", thresholds="-2,-4", confidences="0.5"))
    found, infinite, rule = (
        column(table, name) for name in ("degeneracy_depth", "infinite_width", "effective_depth_rule")
    )
    assert (found < np.minimum(infinite, rule)).all()
    np.testing.assert_array_equal(rule, np.array([16, 64, 256, 32, 128, 512]))
    # where the rule's 2/n comes from: the exact drift is -(2/n)(1 + 4/n + 20/n² + ...)
    assert small_angle_cumulants(256)[0] == pytest.approx(-2 / 256 * (1 + 4 / 256 + 20 / 256**2), rel=1e-4)


def test_confidences_that_no_layer_reaches_are_zero_and_not_drawn():
    drawing = degeneracy_depth.draw(widths="8,16", thresholds="-0.05", confidences="0.999")
    np.testing.assert_array_equal(column(rows(drawing), "degeneracy_depth"), [0, 0])


@pytest.mark.parametrize("wrong", [{"thresholds": "1"}, {"confidences": "1.5"}, {"widths": "0,8"}, {"widths": "a"}])
def test_wrong_parameters_of_depths_are_refused_by_name(wrong):
    with pytest.raises(DomainError, match="to change"):
        degeneracy_depth.draw(**{**degeneracy_depth.SMALL, **wrong})


# ---------------------------------------------------------------- density


def test_densities_are_densities_and_not_normal():
    table = rows(density.draw(depth=6, widths="16,128", points=60))
    distance = {}
    for n in (16, 128):
        law = angle_law([n] * 6)
        x, found, normal = (column(table, name, width=n) for name in ("log_sin2", "density", "normal"))
        step = x[1] - x[0]
        # the range leaves 0.1 % out; the exactly orthogonal (1e-4 at width 16 after one layer) are no density
        assert (found * step).sum() == pytest.approx(0.999, abs=2e-3)
        # the mean of what is inside: 1e-3 outside, at 5 standard deviations at most
        assert (x * found * step).sum() == pytest.approx(law.mean[-1], abs=8e-3 * law.std[-1])
        z = (x - law.mean[-1]) / law.std[-1]
        np.testing.assert_allclose(normal, np.exp(-(z**2) / 2) / law.std[-1] / math.sqrt(2 * math.pi), rtol=1e-12)
        assert x[np.argmax(found)] > x[np.argmax(normal)]  # skewed to the left
        distance[n] = np.abs(np.cumsum(found - normal) * step).max()
    assert distance[128] < distance[16] < 0.2
    assert distance[16] > 0.03  # the control: it is not the normal law

"""Numbers of the linearisation figures against recursions and distributions by hand, and against the evidence."""

import json
import math

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures are drawn")

from figure_tables import column, drawn
from scipy import stats

from gpdeep.errors import DomainError
from paper_figures.linearisation import active_units, angle_and_g, early_and_late, path_lengths
from validation.evidence import RESULTS

E6 = json.loads((RESULTS / "cpu" / "E6-quick.json").read_text())
ADVANTAGE = json.loads((RESULTS / "cpu" / "nonlinear_advantage.json").read_text())


def stored(name):
    (claim,) = [claim for claim in E6["claims"] if claim["id"] == name]
    return claim


def test_infinite_width_is_the_recursion_of_the_cosine():
    """cos θ' = cos θ + g (sin θ - θ cos θ)/π, without any function of the package."""
    _, rows = drawn(angle_and_g)
    for share in ("1.0", "0.5"):
        g = float(share) / (2 - float(share))
        found = column(rows, "angle", curve="infinite width", share=share)
        theta, wrong = math.pi / 3, math.pi / 3
        for after in found:
            theta = math.acos(math.cos(theta) + g * (math.sin(theta) - theta * math.cos(theta)) / math.pi)
            p = float(share)  # p in place of g: an average path length
            wrong = math.acos(math.cos(wrong) + p * (math.sin(wrong) - wrong * math.cos(wrong)) / math.pi)
            assert after == pytest.approx(theta, rel=1e-12)  # some steps with θ of order 1
        assert (wrong == pytest.approx(found[-1], rel=1e-3)) == (share == "1.0")
        np.testing.assert_allclose(
            column(rows, "G", curve="infinite width", share=share)[-1], g * len(found), rtol=1e-13
        )


def test_angle_measured_is_that_of_the_evidence_and_predicted():
    drawing, rows = drawn(angle_and_g)
    for share in ("1.0", "0.5", "0.25"):
        claim = stored(f"E6.start.{float(share):g}")
        mean = column(rows, "log_sin2_mean", curve="measured", share=share)
        assert mean.tolist() == claim["details"]["mean"]
        np.testing.assert_allclose(
            2 * np.log(np.sin(column(rows, "angle", curve="measured", share=share))), mean, rtol=1e-12, atol=0
        )
    predicted = np.array(stored("E6.start.0.5")["details"]["predicted"])
    found = 2 * np.log(np.sin(column(rows, "angle", curve="finite width", width=64)[1:7]))
    np.testing.assert_allclose(found, predicted, rtol=0, atol=1e-6)  # kept with 8 digits
    infinite = 2 * np.log(np.sin(column(rows, "angle", curve="finite width", width=math.inf)[1:7]))
    assert np.abs(infinite - predicted).max() > 0.05  # infinite width would be refused
    assert "E6.templates.4.angle" in " ".join(drawing.notes)


def test_lengths_of_paths_are_binomial():
    """B blocks of k ReLUs: k times a binomial number of blocks; NAPL kB/2, APL by counting n^k paths a block."""
    blocks, layers, channels = 3, 2, 16
    _, rows = drawn(path_lengths)
    lengths, probability = (column(rows, name, share="1.0") for name in ("length", "probability"))
    for length, found in zip(lengths, probability, strict=True):
        expected = stats.binom.pmf(length // layers, blocks, 0.5) if length % layers == 0 else 0.0
        assert found == pytest.approx(expected, rel=0, abs=1e-14)
    assert set(column(rows, "normalised_average", share="1.0")) == {blocks * layers / 2}
    many = channels**layers
    assert column(rows, "plain_average", share="1.0")[0] == pytest.approx(
        blocks * layers * many / (1 + many), rel=1e-12
    )
    # half of the channels: each of the units on the way is nonlinear with probability 1/2
    half = column(rows, "probability", share="0.5")
    expected = sum(
        stats.binom.pmf(taken, blocks, 0.5) * stats.binom.pmf(np.arange(len(half)), taken * layers, 0.5)
        for taken in range(blocks + 1)
    )
    np.testing.assert_allclose(half, expected, rtol=0, atol=1e-14)
    assert np.abs(half - stats.binom.pmf(np.arange(len(half)), blocks * layers, 0.25)).max() > 0.01


def test_active_units_are_means_over_networks():
    drawing, rows = drawn(active_units)
    assert len(drawing.figure.axes) == 4
    for task, arm in (("sum", "late"), ("sum", "early"), ("digit", "late")):
        penalties = ADVANTAGE["tasks"][task]["omegas"]
        members = ADVANTAGE["tasks"][task]["members"]
        for omega in (penalties[0], penalties[-1]):
            counts = [m["active"] for m in members if m["arm"] == arm and m["omega"] == omega]
            found = column(rows, "active_share", task=task, arm=arm, penalty=str(omega))
            np.testing.assert_allclose(found, np.mean(counts, axis=0) / 32, rtol=1e-14, atol=0)
    early, late = (column(rows, "active_share", task="sum", arm=arm, penalty="0.06") for arm in ("early", "late"))
    assert np.abs(early - late).max() > 0.1  # arms are not mixed up
    for left, shares in stored("E6.templates.4.first_layer")["details"]["all"].items():
        assert column(rows, "active_share", task="templates.4", left=str(float(left))).tolist() == shares


def test_accuracies_and_intervals_of_both_experiments():
    drawing, rows = drawn(early_and_late)
    assert len(drawing.figure.axes) == 4
    sums = ADVANTAGE["tasks"]["sum"]
    for arm in ("early", "late"):
        found = column(rows, "accuracy", curve="penalty", arm=arm)
        expected = [row[arm] for row in sums["at_equal_omega"]]
        np.testing.assert_allclose(found, expected, rtol=0, atol=5.1e-7)  # kept with 6 digits
    runs = [m for m in sums["members"] if m["arm"] == "late" and m["omega"] == 0.022]
    low, high = stats.t.interval(
        0.95, len(runs) - 1, loc=np.mean([m["accuracy"] for m in runs]), scale=stats.sem([m["accuracy"] for m in runs])
    )
    (half,) = column(rows, "accuracy_half_width", curve="penalty", arm="late", penalty="0.022")
    assert half == pytest.approx((high - low) / 2, rel=1e-12)
    assert half != pytest.approx(
        1.96 * stats.sem([m["accuracy"] for m in runs]), rel=0.05
    )  # a normal interval is short
    for task in ("sum", "digit"):
        for key, name in (("at", "napl"), ("gap", "gap"), ("low", "low"), ("high", "high")):
            kept = [row[key] for row in ADVANTAGE["tasks"][task]["at_equal_napl"]]
            assert column(rows, name, curve="gap", task=task).tolist() == kept
    for other in ("early", "same", "per_layer", "anywhere"):
        for key, name in (("other", "other_accuracy"), ("gap", "gap"), ("low", "low"), ("high", "high")):
            kept = [row[key] for row in stored(f"E6.templates.4.gap.{other}")["details"]["rows"]]
            assert column(rows, name, curve="chain", other=other).tolist() == kept


def test_missing_evidence_is_said(tmp_path):
    for module in (active_units, early_and_late, angle_and_g):
        with pytest.raises(DomainError, match="no evidence of E6"):
            module.draw(results=str(tmp_path))
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "E6-quick.json").write_bytes((RESULTS / "cpu" / "E6-quick.json").read_bytes())
    with pytest.raises(DomainError, match="nonlinear_advantage"):
        early_and_late.draw(results=str(tmp_path))
    with pytest.raises(DomainError, match="no claim"):
        active_units.details(active_units.evidence("E6", tmp_path), "E6.other.first_layer")

"""angle_cumulants against simulation of one layer; the papers' formulas fail the same test."""

import json
from pathlib import Path

import numpy as np
import pytest
from chance import moments, z_limit

from gpdeep.finite import angle_cumulants, jakub_nica_step, sample_angles, small_angle_cumulants
from gpdeep.finite.cumulants import TABLE_WIDTH, one_step_errors
from gpdeep.finite.tables import load_table

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "one_step_simulation.json").read_text())["values"]
IDS = [f"n={r['n']},theta={r['theta']}" for r in REFERENCE]


def deviations(record, mean, var):
    """|error| of mean and variance beyond four standard errors, in units of the stated model error."""
    mean_error, var_error = (float(e[0]) for e in one_step_errors(np.array([record["theta"]]), record["n"]))
    excess_mean = max(0.0, abs(mean - record["mean"]) - 4 * record["se"])
    excess_var = max(0.0, abs(var - record["var"]) - 4 * record["se_var"])
    return excess_mean / max(mean_error, 1e-9), excess_var / max(var_error, 1e-9)


@pytest.mark.statistical
@pytest.mark.parametrize("record", REFERENCE, ids=IDS)
def test_mean_and_variance_are_within_four_standard_errors_and_the_stated_error(record):
    # 28 comparisons at 4 standard errors: false alarms 28·6e-5 = 2e-3, less what the model error adds
    mean, var, _ = angle_cumulants(record["theta"], record["n"])
    assert max(deviations(record, mean, var)) <= 1


@pytest.mark.statistical
@pytest.mark.parametrize("record", REFERENCE, ids=IDS)
def test_third_cumulant_is_within_five_standard_errors_and_the_model_error(record):
    mean, _, third = angle_cumulants(record["theta"], record["n"])
    # se of k₃ from the spread of repeated samples of the same law, scaled to the record's size
    groups, size = 40, 4000
    state = sample_angles([record["n"]], record["theta"], n_samples=groups * size, rng=7)
    x = np.where(state.alive, state.log_sin2, mean).reshape(groups, size)
    k3 = np.mean((x - x.mean(axis=1, keepdims=True)) ** 3, axis=1)
    se = k3.std(ddof=1) * np.sqrt(size / record["N"])
    # n < 24: three of the table's standard errors; else the first omitted order of κ₃, 10 % at n = 32
    model = 0.1 * abs(record["k3"])
    if record["n"] <= TABLE_WIDTH:
        model = 3 * load_table("small_width")["cumulants_se"][record["n"] - 2, :, 2].max()
    np.testing.assert_allclose(third, record["k3"], rtol=0, atol=5 * se + model)
    assert abs(third + record["k3"]) > 5 * se + model or abs(record["k3"]) < 5 * se  # negative control: the sign


@pytest.mark.statistical
def test_the_papers_formulas_fail_the_same_test():
    # negative control: wrong at O(n^-2) with constants near 50, at every width here
    for record in REFERENCE:
        mean, sigma2 = jakub_nica_step(record["theta"], record["n"])
        assert max(deviations(record, float(mean), float(sigma2))) > 1


@pytest.mark.statistical
@pytest.mark.parametrize("n", [2, 5, TABLE_WIDTH, TABLE_WIDTH + 1, 40])
@pytest.mark.parametrize("theta", [0.3, 1.4, 2.2, 2.9])
def test_angles_not_in_any_table_agree_with_a_fresh_simulation(n, theta):
    state = sample_angles([n], theta, n_samples=40_000, rng=n + 1)
    x = state.log_sin2[state.alive]
    mean, std, se_mean, se_std = moments(x)
    got_mean, got_var, _ = angle_cumulants(theta, n)
    mean_error, var_error = (float(e[0]) for e in one_step_errors(np.array([theta]), n))
    limit = z_limit(2 * 5 * 4)
    # far beyond π/2 both are tiny, and poor in relative terms: 1e-5, a thousandth of the next layer's
    floor = 1e-5 if theta > 2 else 0.0
    assert abs(got_mean - mean) <= limit * se_mean + mean_error + floor
    assert abs(got_var - std**2) <= limit * 2 * std * se_std + var_error + floor


@pytest.mark.parametrize("n", [2, 7, 23, 24, 100, 10**6])
def test_a_vanishing_angle_has_the_exact_law(n):
    for theta in (1e-300, 1e-150, 1e-20):
        got = angle_cumulants(theta, n) - [2 * np.log(theta), 0, 0]
        # 2 ln θ = -1400 is added and taken off: 1400 eps; κ₂, κ₃ as stored or to 1e-12 of the series' largest row
        np.testing.assert_allclose(got[0], small_angle_cumulants(n)[0], rtol=1e-12, atol=1400 * 2.3e-16)
        np.testing.assert_allclose(got[1:], small_angle_cumulants(n)[1:], rtol=1e-8)


def test_cumulants_have_the_shape_of_the_angles():
    theta = np.full((2, 3), 0.5)
    assert angle_cumulants(theta, 12).shape == (3, 2, 3)
    assert angle_cumulants(0.5, 12).shape == (3,)
    np.testing.assert_array_equal(angle_cumulants(theta, 12)[:, 1, 2], angle_cumulants(0.5, 12))


def test_table_and_expansion_meet():
    # 23 is tabulated, 24 expanded: n·(κ - its limit) is smooth across, up to the stated errors
    for theta in (0.1, 0.5, 1.0, np.pi / 2):
        rows = np.array([angle_cumulants(theta, n)[:2] for n in range(TABLE_WIDTH - 2, TABLE_WIDTH + 5)])
        third_difference = np.abs(np.diff(rows, 3, axis=0)).max(axis=0)
        mean_error, var_error = (float(e[0]) for e in one_step_errors(np.array([theta]), TABLE_WIDTH))
        # a smooth sequence c/n has third differences 6c/n⁴ < 1e-4·c; errors enter with weights 1, 3, 3, 1
        assert third_difference[0] < 8 * mean_error + 6 * 3 / TABLE_WIDTH**4
        assert third_difference[1] < 8 * var_error + 30 / TABLE_WIDTH**3 * rows[:, 1].max()


def test_no_variance_is_negative_at_any_angle():
    theta = np.append(np.linspace(1e-3, 3.0, 200), np.pi)
    for n in (2, 10, 23, 24, 64, 1000):
        assert (angle_cumulants(theta, n)[1] >= 0).all()

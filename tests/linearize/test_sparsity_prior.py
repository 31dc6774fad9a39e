"""Penalty on slopes: the proximal step against brute force, travel times and captures against simulated descent."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpdeep.errors import DomainError, ValidityWarning
from gpdeep.linearize import (
    CaptureWarning,
    TravelTimeWarning,
    capture_half_width,
    check_window,
    clean_step,
    crossing_distance,
    prox_threshold,
    slope_penalty,
    slope_prox,
    travel_time,
)

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "linearize_folding.json").read_text())
POWERS = (0.25, 0.5, 0.75, 1.0)
EPS = np.finfo(float).eps
# The root of x + t p x^{p-1} = z moves by at most 1/(1 - p/2) ≤ 2 times the rounding of z and of the power; the closed
# form adds an arccosine and a cosine.
PROX_ROUNDINGS = 16 * EPS


def descend(z, s, p):
    """One step of gradient descent on s |z|^p."""
    return z - s * p * np.abs(z) ** (p - 1) * np.sign(z)


def objective(x, z, t, p):
    return (x - z) ** 2 / 2 + t * np.abs(x) ** p


# ------------------------------------------------------------------------------------------- proximal step


@pytest.mark.parametrize("row", REFERENCE["prox"], ids=lambda row: f"z={row['z']} t={row['t']} p={row['p']}")
def test_prox_is_the_stored_minimiser(row):
    found = slope_prox(row["z"], row["t"], row["p"])
    np.testing.assert_allclose(found, float(row["minimiser"]), rtol=PROX_ROUNDINGS, atol=0)


@given(
    z=st.floats(-3, 3),
    t=st.floats(1e-6, 3),
    p=st.sampled_from(POWERS),
)
@settings(max_examples=300, deadline=None)
def test_no_point_of_a_grid_is_lower_than_the_prox(z, t, p):
    x = np.concatenate([[0.0], np.sign(z) * np.geomspace(1e-9, 1.0, 4001) * abs(z)])
    found = slope_prox(z, t, p)
    best = objective(found, z, t, p)
    assert best <= objective(x, z, t, p).min() + 8 * EPS * (z * z + t * abs(z) ** p)
    assert found == 0 or math.copysign(1, found) == math.copysign(1, z)
    assert abs(found) <= abs(z)


@pytest.mark.parametrize("p", POWERS)
def test_at_the_threshold_zero_and_the_root_are_equally_good(p):
    for t in (1e-8, 1e-3, 0.2, 5.0):
        edge = float(prox_threshold(t, p))
        root = slope_prox(edge * (1 + 1e-9), t, p)
        # the difference of both values is 1e-9 of either, times a slope of order 1 at the tie
        np.testing.assert_allclose(objective(root, edge, t, p), objective(0.0, edge, t, p), rtol=1e-8)
        assert slope_prox(edge, t, p) == 0.0
        assert slope_prox(edge * (1 - 1e-9), t, p) == 0.0
        wrong = 1.4 * t ** (2 / 3)  # negative control: not 3/2
        if p == 0.5:
            np.testing.assert_allclose(edge, 1.5 * t ** (2 / 3), rtol=4 * EPS)
            assert objective(root, wrong, t, p) > objective(0.0, wrong, t, p) * (1 + 1e-3)


def test_prox_of_tensors_stays_in_their_type():
    torch = pytest.importorskip("torch")
    z = np.linspace(-2, 2, 401)
    for p in POWERS:
        expected = slope_prox(z, 0.1, p)
        double = slope_prox(torch.tensor(z), 0.1, p)
        np.testing.assert_allclose(double.numpy(), expected, rtol=PROX_ROUNDINGS, atol=0)
        single = slope_prox(torch.tensor(z, dtype=torch.float32), 0.1, p)
        assert single.dtype == torch.float32
        far = np.abs(np.abs(z) - prox_threshold(0.1, p)) > 1e-6
        # the root moves by up to 2 for 1 in z: 16 roundings of float32
        np.testing.assert_allclose(single.numpy()[far], expected[far], rtol=16 * 6e-8, atol=0)


def test_prox_without_weight_is_the_identity():
    z = np.array([-1.0, 0.0, 1e-300, 0.3])
    for p in POWERS:
        np.testing.assert_array_equal(slope_prox(z, 0.0, p), z)


def test_prox_broadcasts_its_weight():
    np.testing.assert_array_equal(slope_prox(np.ones(2), np.array([0.1, 0.6])), [slope_prox(1.0, 0.1), 0.0])


# ------------------------------------------------------------------------------------------- penalty


def test_penalty_values_and_derivatives():
    stored = REFERENCE["penalty"]
    for slope, value, derivative in zip(stored["slopes"], stored["values"], stored["derivatives"], strict=True):
        np.testing.assert_allclose(slope_penalty([slope], stored["p"]), value, rtol=4 * EPS)
        h = 1e-6  # central differences: h² times a third derivative below 300, and eps/h
        numerical = (slope_penalty([slope + h]) - slope_penalty([slope - h])) / (2 * h)
        np.testing.assert_allclose(numerical, derivative, atol=1e-9)
    assert slope_penalty(np.zeros((3, 4))) == 12.0


# ------------------------------------------------------------------------------------------- travel time


@pytest.mark.parametrize("p", POWERS)
def test_descent_needs_the_time_of_the_flow_and_hardly_more(p):
    """A step h lowers T(z) by at most 1 (T is convex), by some 1 - (1-p)h/2z; h/z sums up to a logarithm."""
    s, tau = 1e-3, 0.02
    for start in (0.0, 0.4, 0.7):
        z, count = 1.0 - start, 0
        while abs(z) >= tau and z > 0:
            z, count = descend(z, s, p), count + 1
        least = travel_time(start, s, p) - travel_time(1 - tau, s, p)
        assert count >= least - 1e-9
        assert count <= least + (1 - p) * math.log((1 - start) / tau) + 2
        # negative control: without the factor 1/(2-p), or with p = 1/2 read as p = 1
        assert not least * (2 - p) <= count <= least * (2 - p) + (1 - p) * math.log((1 - start) / tau) + 2 or p == 1


def test_travel_time_is_four_thirds_from_the_relu():
    np.testing.assert_allclose(travel_time(0.0, 1e-3), 4 / 3 * 1e3, rtol=4 * EPS)
    np.testing.assert_allclose(travel_time(0.4, 1e-3), 4 / 3 * 0.6**1.5 * 1e3, rtol=4 * EPS)
    assert travel_time([0.0, 1.0], 0.1).tolist() == [pytest.approx(40 / 3), 0.0]


# ------------------------------------------------------------------------------------------- capture


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("tau", [0.01, 0.1])
def test_no_unit_steps_over_the_window_up_to_the_clean_step(p, tau):
    s = clean_step(tau, p)
    z = np.concatenate([np.linspace(tau, 1.5, 200_001), tau * (1 + np.geomspace(1e-12, 1, 1000))])
    assert (descend(z, s, p) >= -tau * (1 + 8 * EPS)).all()
    assert (descend(z, 1.05 * s, p) < -tau).any()  # negative control
    np.testing.assert_allclose(capture_half_width(s, p), tau, rtol=8 * EPS)


def test_clean_step_is_four_tau_to_the_three_halves():
    np.testing.assert_allclose(clean_step(0.01), REFERENCE["capture"]["clean_step_at_tau_0.01"], rtol=8 * EPS)


@pytest.mark.parametrize("p", POWERS)
def test_the_cycle_is_one_and_repels(p):
    s = 0.05
    z = capture_half_width(s, p)
    np.testing.assert_allclose(descend(z, s, p), -z, rtol=8 * EPS)
    d = 1e-6 * z
    factor = abs(descend(z + d, s, p) - descend(z - d, s, p)) / (2 * d)
    np.testing.assert_allclose(factor, 3 - 2 * p, rtol=1e-6)  # h² and eps/h, both below 1e-9


@pytest.mark.parametrize("p", POWERS)
def test_units_cross_one_from_the_crossing_distance_and_not_from_beyond(p):
    s = 0.1
    edge = crossing_distance(s, p)
    assert descend(edge * 0.999, s, p) < 0 < descend(edge * 1.001, s, p)


def test_large_steps_hop_as_often_as_stated_before_they_are_caught():
    """21 hops at s = 0.1 with the threshold alone; standard error 0.16 of 20,000 units."""
    rng = np.random.default_rng(20240229)
    z = rng.uniform(0.2, 1, 20_000)
    hops, live, crossed = np.zeros(z.size), np.ones(z.size, bool), np.zeros(z.size, bool)
    for _ in range(2000):
        new = descend(z, 0.1, 0.5)
        crossed |= live & (new * z < 0)
        hops += live & crossed
        z = np.where(live, new, z)
        live &= np.abs(z) >= 0.01
    assert not live.any()
    assert abs(hops[crossed].mean() - 22) < 1.5


# ------------------------------------------------------------------------------------------- warnings


def test_a_window_that_is_too_short_is_warned_of_before_the_run():
    with pytest.warns(TravelTimeWarning, match=r"1000 steps, and a typical unit needs 1,333.*") as caught:
        check_window(0.001, 1000)
    assert "1.3 times larger" in str(caught[0].message)
    assert issubclass(TravelTimeWarning, ValidityWarning)


def test_a_window_of_four_thirds_passes():
    check_window(0.001, 1334)
    check_window(0.004, 10_000)


def test_steps_over_the_window_are_warned_of_with_the_jump():
    with pytest.warns(CaptureWarning, match=r"0\.1.*0\.004.*frozen from \|1 - a\| = 0\.136"):
        check_window(0.1, 10_000)
    with pytest.warns(CaptureWarning, match="hop about 1"):
        check_window(0.1, 10_000, crossing=False)


@pytest.mark.parametrize(
    "call",
    [
        lambda: slope_penalty([0.0], p=0.0),
        lambda: slope_penalty([0.0], p=1.5),
        lambda: travel_time(0.0, 0.0),
        lambda: travel_time(0.0, float("nan")),
        lambda: clean_step(0.0),
        lambda: clean_step(1.0),
        lambda: slope_prox(1.0, -0.1),
        lambda: slope_prox(1.0, float("inf")),
        lambda: check_window(-1.0, 10),
        lambda: check_window(1.0, 0),
    ],
)
def test_arguments_out_of_range_are_refused(call):
    with pytest.raises(DomainError) as caught:
        call()
    assert "to change:" in str(caught.value)


@pytest.mark.parametrize("p", [0.5, 0.7])
def test_prox_of_a_slope_that_is_lost_does_not_make_it_linear(p):
    """NaN must not become 0, at which a unit is frozen for good."""
    found = slope_prox(np.array([np.nan, 0.01, 2.0]), 0.1, p)
    assert np.isnan(found[0])
    assert found[1] == 0
    assert found[2] > 0

"""The maps as curves, against ReLU's closed forms: V(q) = σ_w² q/2 + σ_b², cos θ' = (sin θ + (π - θ) cos θ)/π."""

import math

import numpy as np
import pytest

from gpdeep import DomainError, load
from gpdeep.meanfield.curves import map_curves
from gpdeep.result import StatusCode


def arc_cosine(theta):
    return (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / np.pi


def test_curves_of_relu_are_the_closed_forms():
    curves = map_curves("relu", sigma_w=2**0.5, q=3.0)
    np.testing.assert_allclose(curves.v, curves.q, rtol=1e-15)  # some roundings of a product
    # absolute, as cosines: near π the closed form cancels to eps, and so does its cosine
    np.testing.assert_allclose(np.cos(curves.next_theta), arc_cosine(curves.theta), rtol=0, atol=1e-14)
    assert (curves.theta[0], curves.theta[-1]) == (0.0, math.pi)
    with pytest.raises(AssertionError):  # the map of a linear network
        np.testing.assert_allclose(np.cos(curves.next_theta), np.cos(curves.theta), rtol=0, atol=1e-14)


def test_ways_follow_the_maps():
    curves = map_curves("relu", sigma_w=1.0, sigma_b=0.5, q=3.0, theta=1.0, layers=5)
    np.testing.assert_allclose(curves.q_path[1:], curves.q_path[:-1] / 2 + 0.25, rtol=1e-15)
    assert curves.q_path[0] == 3.0
    assert curves.at == pytest.approx(0.5, rel=1e-14)  # q* = σ_b²/(1 - σ_w²/2)
    share = 0.5 * 0.5 / 0.5  # σ_w² (q/2)/q
    mixed = share * arc_cosine(curves.theta_path[:-1]) + 1 - share
    np.testing.assert_allclose(np.cos(curves.theta_path[1:]), mixed, rtol=0, atol=1e-14)
    assert len(curves.theta_path) == 6


def test_a_growing_variance_ends_the_ways():
    curves = map_curves("relu", sigma_w=2.0, layers=100)
    np.testing.assert_allclose(curves.q_path, 2.0 ** np.arange(len(curves.q_path)), rtol=1e-13)
    assert len(curves.q_path) < 20
    assert curves.theta_path.tolist() == [np.pi / 2]
    assert curves.at == 1.0
    assert curves.status.code is StatusCode.OUTSIDE_VALIDITY


def test_far_fixed_points_make_the_axis_logarithmic():
    curves = map_curves("relu_tau:1", sigma_w=1.98, sigma_b=0.3)
    low, high = (point.q for point in curves.scales.fixed_points)
    assert curves.logarithmic
    assert curves.q[0] < low < high < curves.q[-1]
    np.testing.assert_allclose(np.diff(np.log(curves.q), 2), 0.0, rtol=0, atol=1e-13)
    assert not map_curves("tanh", sigma_w=1.5, sigma_b=0.2).logarithmic


def test_table_shows_the_ways():
    curves = map_curves("relu", sigma_w=2.0, layers=100)
    lines = str(curves).splitlines()
    assert lines[0].startswith("relu  σ_w = 2, σ_b = 0")
    assert ["5", "32"] in [line.split() for line in lines]  # V = 2q; θ is not followed where there is no q*
    assert "grows" in lines[-1]
    lines = str(map_curves("relu", sigma_w=2**0.5, layers=1)).splitlines()
    assert ["1", "1", f"{math.acos(1 / math.pi):.6g}", f"{1 / math.pi:.6f}"] in [line.split() for line in lines]
    assert len(str(map_curves("tanh", sigma_w=1.5, layers=10_000)).splitlines()) < 120


def test_curves_are_read_back_as_they_were(tmp_path):
    curves = map_curves("relu", sigma_w=2.0)
    assert load(curves.save(tmp_path / "x.json")) == curves


@pytest.mark.parametrize(
    "change",
    [
        {"layers": -1},
        {"layers": 2.5},
        {"layers": True},
        {"layers": 10_001},
        {"theta": 4.0},
        {"theta": [1.0, 2.0]},
        {"theta": [1.0]},
        {"theta": None},
        {"q": 0.0},
        {"q": [1.0, 2.0]},
        {"q": [1.0]},
        {"q": None},
        {"factor": None},
    ],
)
def test_bad_input_is_refused(change):
    with pytest.raises(DomainError, match="likely cause"):
        map_curves("relu", sigma_w=1.0, **change)

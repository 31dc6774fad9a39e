"""Depth scales across the edge of chaos, against iteration of erf's closed forms."""

import math

import numpy as np
import pytest

from gpdeep import DomainError, InfeasibleError, load
from gpdeep.meanfield.depth_scale_scan import scan_depth_scales
from gpdeep.meanfield.scales import Phase


def second(q, c=1.0):
    return 2 / np.pi * np.arcsin(2 * q * c / (1 + 2 * q))


def slope_second(q, c=1.0):
    return 4 / np.pi / np.sqrt((1 + 2 * q) ** 2 - (2 * q * c) ** 2)


def iterated(step, start, layers=3000):
    for _ in range(layers):
        start = step(start)
    return start


def test_scan_agrees_with_iteration_of_the_closed_forms():
    sigma_b, sigmas = 0.3, [0.8, 1.2, 2.0]
    scan = scan_depth_scales("erf", sigma_b=sigma_b, sigma_w=sigmas)
    assert scan.phase == (Phase.ORDERED, Phase.ORDERED, Phase.CHAOTIC)
    for k, sigma_w in enumerate(sigmas):
        q = float(iterated(lambda q, w=sigma_w: w**2 * second(q) + sigma_b**2, 1.0))
        c = float(iterated(lambda c, w=sigma_w, q=q: (w**2 * second(q, c) + sigma_b**2) / q, 0.0))
        # 3,000 layers are far more than 36 depth scales: the limits are reached to rounding; 1/ln magnifies by ξ < 100
        np.testing.assert_allclose(scan.q_star[k], q, rtol=1e-12)
        np.testing.assert_allclose(scan.one_minus_c_star[k], 1 - c, rtol=0, atol=1e-12)
        np.testing.assert_allclose(scan.xi_c[k], -1 / math.log(sigma_w**2 * slope_second(q, c)), rtol=1e-11)
        np.testing.assert_allclose(scan.xi_grad[k], 1 / abs(math.log(sigma_w**2 * slope_second(q))), rtol=1e-11)
    with pytest.raises(AssertionError):  # gradients feel χ₁, correlations χ at c*
        np.testing.assert_allclose(scan.xi_c[2], scan.xi_grad[2], rtol=1e-11)


def test_scan_without_weights_spans_its_edge():
    scan = scan_depth_scales("erf", sigma_b=0.3)
    (edge,) = scan.edges
    assert scan.sigma_w[0] < 0.51 * edge < 1.99 * edge < scan.sigma_w[-1]
    assert scan.phase[0] == Phase.ORDERED
    assert scan.phase[-1] == Phase.CHAOTIC
    assert scan.xi_c.max() > 100
    with pytest.raises(InfeasibleError):
        scan_depth_scales("relu", sigma_b=0.3)
    assert scan_depth_scales("relu", sigma_b=0.3, sigma_w=[1.0]).edges == ()


def test_table_is_short_and_names_the_edge():
    text = str(scan_depth_scales("erf", sigma_b=0.3))
    (edge,) = scan_depth_scales("erf", sigma_b=0.3, sigma_w=[1.0]).edges
    assert text.splitlines()[0].startswith("erf  σ_b = 0.3")
    assert f"σ_w = {edge:.9g}" in text.splitlines()[-1]
    assert len(text.splitlines()) < 30
    assert {"ordered", "edge", "chaotic"} <= set(text.split())
    text = str(scan_depth_scales("relu", sigma_b=0.5, sigma_w=[1.0]))  # V' = χ₁ = 1/2, q* = 1/2: ξ = 1/ln 2
    assert ["1", "0.5", "0.5", "0", *3 * ["1.4427"], "ordered"] in [line.split() for line in text.splitlines()]
    assert text.endswith("none")


def test_scan_is_read_back_as_it_was(tmp_path):
    scan = scan_depth_scales("erf", sigma_b=0.3, sigma_w=[1.0, 2.0])
    assert load(scan.save(tmp_path / "x.json")) == scan


@pytest.mark.parametrize(
    "sigma_w", [[2.0, 1.0], [0.0, 1.0], [1.0, np.nan], [], "wide", [None], [[1.0], 2.0], [[1.0, 2.0]], {}]
)
def test_weights_must_increase(sigma_w):
    with pytest.raises(DomainError, match=r"sigma_w[\s\S]*likely cause"):
        scan_depth_scales("erf", sigma_b=0.3, sigma_w=sigma_w)


@pytest.mark.parametrize("change", [{"sigma_b": None}, {"sigma_b": [0.1, 0.2]}, {"q": [1.0, 2.0]}, {"q": None}])
def test_one_bias_and_one_start_are_asked_for(change):
    with pytest.raises(DomainError, match="likely cause"):
        scan_depth_scales("erf", **{"sigma_b": 0.3, "sigma_w": [1.0], **change})

"""The correlation map in its coordinates."""

import json
from pathlib import Path

import numpy as np
import pytest

from gpdeep import DomainError
from gpdeep.gaussian import one_minus_cos_next
from gpdeep.meanfield import correlation_map, edge_of_chaos, variance_map

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "mean_field.json").read_text())["eoc"]
ACTIVATIONS = json.loads((Path(__file__).parents[1] / "reference" / "activations.json").read_text())["activations"]
NAMES = {"hardtanh": "hard_tanh", "gelu": "gelu", "silu": "silu", "crelu(tau=1.0,m=1.0)": "crelu:1,1"}


@pytest.mark.parametrize("case", NAMES)
def test_deficit_down_to_a_millionth_millionth(case: str) -> None:
    for entry in ACTIVATIONS[case]["values"]:
        q, second = float(entry["q"]), float(entry["E_phi2"])
        sigma_w = 0.7 * (q / second) ** 0.5
        sigma_b = (q - sigma_w**2 * second) ** 0.5  # q is a fixed point
        c = correlation_map(NAMES[case], q=q, sigma_w=sigma_w, sigma_b=sigma_b)
        for pair in entry["pairs"]:
            text = pair["rho"]
            delta = float(text[2:]) if text.startswith("1-") else 1 - float(text)
            expected = sigma_w**2 * float(pair["deficit"]) / q
            np.testing.assert_allclose(c.one_minus_c(delta), expected, rtol=1e-12, atol=0)
            with pytest.raises(AssertionError):  # negative control
                np.testing.assert_allclose(c.one_minus_c(delta) * (1 + 1e-11), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("case", [case for case in REFERENCE if "C_at_0" in REFERENCE[case]])
def test_value_at_zero(case: str) -> None:
    names = {
        "tanh_sb2=0.05": "tanh",
        "silu_q=1": "silu",
        "erf_q=1": "erf",
        "sin_q=1": "sin",
        "hardtanh_q=1": "hard_tanh",
    }
    entry = {key: float(value) for key, value in REFERENCE[case].items()}
    name = names.get(case) or f"st:{entry['tau']!r}"
    c = correlation_map(name, q=entry["q"], sigma_w=entry["sw2"] ** 0.5, sigma_b=entry["sb2"] ** 0.5)
    np.testing.assert_allclose(1 - c.one_minus_c(1.0), entry["C_at_0"], rtol=0, atol=1e-13)


def test_relu_is_the_angle_map() -> None:
    theta = np.concatenate([np.geomspace(1e-100, 0.1, 30), np.linspace(0.1, np.pi, 50)])
    c = correlation_map("relu", q=2.0, sigma_w=2**0.5)
    # two formulas of some 1e-15 each
    np.testing.assert_allclose(
        c.one_minus_c(2 * np.sin(theta / 2) ** 2), one_minus_cos_next(theta, 1.0), rtol=1e-14, atol=0
    )


def test_odd_map_keeps_its_digits_near_opposite_inputs() -> None:
    # C(-c) = -C(c): the supplement of the next angle has the relative accuracy of the next angle itself
    c = correlation_map("tanh", q=1.0, sigma_w=1.5)
    small = np.array([1e-12, 1e-7, 1e-3])
    # θ near π is stored with 4e-16 absolute, 4e-4 of 1e-12
    np.testing.assert_allclose(np.pi - c.angle(np.pi - small), c.angle(small), rtol=0, atol=2e-15)
    assert c.angle(np.pi) == pytest.approx(np.pi, rel=1e-15)


def test_kinked_slope_is_infinite_in_its_derivative() -> None:
    edge = edge_of_chaos("relu_tau:1", q=1.0)
    layer = variance_map("relu_tau:1", sigma_w=edge.sigma_w, sigma_b=edge.sigma_b)
    c = correlation_map("relu_tau:1", q=1.0, sigma_w=edge.sigma_w, sigma_b=edge.sigma_b)
    assert layer.chi(2, 1.0) == np.inf
    assert c.curvature(0.0) == np.inf
    for delta in (1e-4, 1e-8):
        # 1 - C = δ - κ δ^{3/2} (1 + (1 - h²) δ/20 + O(δ²)), h = 1
        np.testing.assert_allclose((delta - c.one_minus_c(delta)) / delta**1.5, layer.kappa(1.0), rtol=delta, atol=0)


def test_close_kinks_have_their_stated_error() -> None:
    # two kinks 0.02 apart: inherent cancellation c₁ = -c₂; the narrow ramp 50 min(max(x,0), 0.02) is nearly a step
    narrow = correlation_map("crelu:1,0.02", q=1.0, sigma_w=10.0, sigma_b=0.5)
    delta = np.array([1e-8, 1e-4, 0.3])
    first = narrow.one_minus_c(delta)
    assert (np.diff(first) > 0).all()


@pytest.mark.parametrize("delta", [-1e-3, 2.1, np.nan, "1", None])
def test_bad_correlations_are_refused(delta) -> None:
    with pytest.raises(DomainError, match="1 - c"):
        correlation_map("relu", q=1.0, sigma_w=1.0).one_minus_c(delta)


@pytest.mark.parametrize("theta", [-1e-3, 3.2, np.nan])
def test_bad_angles_are_refused(theta) -> None:
    for method in ("angle", "slope", "curvature"):
        with pytest.raises(DomainError, match="theta"):
            getattr(correlation_map("relu", q=1.0, sigma_w=1.0), method)(theta)


@pytest.mark.parametrize("name", ["abs", "cos", "tanh", "sin", "relu", "gelu", "crelu:1,1", "elu"])
@pytest.mark.parametrize("bias", [0.0, 0.3])
@pytest.mark.parametrize("wiring", [{}, {"alpha": 0.5}, {"layer_norm": True}], ids=["dense", "res", "ln"])
def test_both_coordinates_are_one_map(name: str, bias: float, wiring: dict) -> None:
    c = correlation_map(name, q=0.8, sigma_w=1.2, sigma_b=bias, **wiring)
    theta = np.linspace(0.01, np.pi - 0.01, 41)
    after = 2 * np.sin(c.angle(theta) / 2) ** 2
    # two paths of some 1e-15; relative to 1 where C nears 1 at opposite inputs
    np.testing.assert_allclose(after, c.one_minus_c(2 * np.sin(theta / 2) ** 2), rtol=1e-13, atol=1e-14)
    table = c.compiled
    np.testing.assert_allclose(table.iterate(theta, 1), c.angle(theta), rtol=0, atol=3 * np.pi * (table.error + 1e-15))


def test_an_activation_that_does_not_respond_is_refused() -> None:
    with pytest.raises(DomainError, match="does not respond"):
        correlation_map("relu_tau:50", q=1.0, sigma_w=1.0).angle(1.0)

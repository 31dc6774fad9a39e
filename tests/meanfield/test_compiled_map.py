"""The table against the iterated map of mpmath."""

import json
from pathlib import Path

import numpy as np
import pytest

from gpdeep import DomainError, MemoryBudgetError
from gpdeep.meanfield import compile_map, correlation_map, edge_of_chaos
from gpdeep.meanfield.compiled_map import CompiledMap

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "mean_field.json").read_text())["iterated_cmap"][
    "relu"
]


def one_minus(theta: np.ndarray) -> np.ndarray:
    return 2 * np.sin(theta / 2) ** 2


@pytest.mark.parametrize("entry", REFERENCE["values"], ids=lambda entry: entry["one_minus_rho0"])
def test_relu_is_right_after_a_thousand_layers(entry: dict) -> None:
    start = 2 * np.arcsin(np.sqrt(float(entry["one_minus_rho0"]) / 2))
    compiled = compile_map("relu", q=1.0, sigma_w=2**0.5)
    for depth, exact in entry["one_minus_rho"].items():
        # per layer some 1e-16 of rounding in θ, twice that in δ, in the worst case all of one sign: 2e-13 at 1,000
        # layers; the bar is 1e-11
        np.testing.assert_allclose(one_minus(compiled.iterate(start, int(depth))), float(exact), rtol=2e-13, atol=0)


THOUSAND = json.loads((Path(__file__).parents[1] / "reference" / "thousand_layers.json").read_text())["values"]


@pytest.mark.parametrize("name", THOUSAND)
def test_every_activation_is_right_after_a_thousand_layers(name: str) -> None:
    entry = THOUSAND[name]
    q, sigma_w, sigma_b = float(entry["q"]), float(entry["sigma_w2"]) ** 0.5, float(entry["sigma_b2"]) ** 0.5
    compiled = compile_map(name, q=q, sigma_w=sigma_w, sigma_b=sigma_b)
    for row in entry["values"]:
        start = 2 * np.arcsin(np.sqrt(1 - row["index"] / 1000))
        for depth, exact in row["one_minus_c"].items():
            # as above; σ as the root of a rounded square adds nothing, C'(1) being taken as 1
            got = one_minus(compiled.iterate(start, int(depth)))
            np.testing.assert_allclose(got, float(exact), rtol=2e-13, atol=0)


def test_slope_off_by_rounding_fails_where_it_must() -> None:
    # negative control: without the slope taken as 1, an error of 1e-12 in σ_w² shows after 1,000 layers
    entry = REFERENCE["values"][-1]
    assert entry["one_minus_rho0"] == "1e-12"
    start = 2 * np.arcsin(np.sqrt(0.5e-12))
    off = compile_map("relu", q=1.0, sigma_w=(2 * (1 + 1e-12)) ** 0.5, sigma_b=0.0)
    homogeneous = one_minus(off.iterate(start, 1000))  # angles do not depend on σ_w without bias
    np.testing.assert_allclose(homogeneous, float(entry["one_minus_rho"]["1000"]), rtol=2e-13, atol=0)
    edge = edge_of_chaos("erf", q=1.0)
    right = compile_map("erf", q=1.0, sigma_w=edge.sigma_w, sigma_b=edge.sigma_b).iterate(start, 1000)
    wrong = compile_map("erf", q=1.0, sigma_w=edge.sigma_w * (1 + 1e-12), sigma_b=edge.sigma_b).iterate(start, 1000)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(one_minus(wrong), one_minus(right), rtol=2e-13, atol=0)


CASES = {
    "erf": {"q": 1.0},
    "tanh": {"sigma_b": 0.05**0.5},
    "gelu": {"q": 4.0},
    "silu": {"q": 1.0},
    "sin": {"q": 1.0},
    "hard_tanh": {"q": 1.0},
    "relu_tau:1": {"q": 1.0},
    "crelu:1,1": {"q": 1.0},
    "crelu:1.0364,0.8095": {"q": 1.0},
    "cst:1.4395,1.5343": {"q": 1.0},
    "elu": {"q": 1.0},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("factor", [0.9, 1.0, 1.3], ids=["ordered", "edge", "chaotic"])
def test_table_agrees_with_the_map_layer_by_layer(name: str, factor: float) -> None:
    edge = edge_of_chaos(name, **CASES[name])
    # off the edge q* is no fixed point any more; the map at this q is still one map of the angle
    exact = correlation_map(name, q=edge.q_star, sigma_w=edge.sigma_w * factor, sigma_b=edge.sigma_b)
    compiled = exact.compiled
    assert exact.on_edge == (factor == 1.0)
    theta = np.concatenate([np.geomspace(1e-150, 1e-3, 40), np.linspace(1e-3, np.pi, 301)])
    once = compiled.iterate(theta, 1)
    # the table's own error and the map's rounding, which grows to 1e-8 at θ' = π exactly (asin near 1)
    np.testing.assert_allclose(once, exact.angle(theta), rtol=compiled.error + 1e-13, atol=0)


def test_path_holds_every_layer_and_shapes_are_kept() -> None:
    compiled = compile_map("erf", q=1.0, sigma_w=1.2, sigma_b=0.3)
    theta = np.linspace(0, np.pi, 12).reshape(3, 4)
    path = compiled.path(theta, 7)
    assert path.shape == (7, 3, 4)
    np.testing.assert_array_equal(path[-1], compiled.iterate(theta, 7))
    np.testing.assert_array_equal(compiled.iterate(theta, 0), theta)
    assert np.ndim(compiled.iterate(0.5, 3)) == 0
    assert (path[:, 0, 0] == 0).all()
    many = np.linspace(0, np.pi, 10_001)  # several blocks
    np.testing.assert_array_equal(compiled.iterate(many, 3)[::1000], compiled.iterate(many[::1000], 3))


def test_integers_and_float32_are_computed_in_float64() -> None:
    compiled = compile_map("erf", q=1, sigma_w=1.2)
    assert compiled.iterate(1, 5) == compiled.iterate(1.0, 5)
    assert compiled.iterate(np.float32(0.5), 5).dtype == np.float64


def test_refusals() -> None:
    compiled = CompiledMap(np.ones((513, 4)), True, 0.0)
    for bad in (-0.1, 4.0, np.nan, "1"):
        with pytest.raises(DomainError):
            compiled.iterate(bad, 1)
    for bad in (-1, 1.5, True):
        with pytest.raises(DomainError):
            compiled.iterate(1.0, bad)
    with pytest.raises(MemoryBudgetError):
        compiled.path(np.zeros(10**6), 10**6)

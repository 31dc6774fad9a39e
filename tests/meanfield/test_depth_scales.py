"""Depth scales against mpmath, against iteration, and where there are none."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from gpdeep import DomainError, load
from gpdeep.meanfield import correlation_map, depth_scales, edge_of_chaos, fixed_points, variance_map
from gpdeep.meanfield.scales import Phase
from gpdeep.result import StatusCode

ROWS = json.loads((Path(__file__).parents[1] / "reference" / "mean_field.json").read_text())["depth_scales_tanh"][
    "rows"
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"sw2={row['sw2']}")
def test_tanh_agrees_with_stored_values(row: dict) -> None:
    scales = depth_scales("tanh", sigma_w=row["sw2"] ** 0.5, sigma_b=row["sb2"] ** 0.5)
    # stored in double precision after iteration: some 1e-13
    close = {"rtol": 1e-12, "atol": 0}
    np.testing.assert_allclose(scales.q_star, row["q"], **close)
    np.testing.assert_allclose(scales.chi_1, row["chi1"], **close)
    np.testing.assert_allclose(scales.xi_q, row["xi_q"], **close)
    np.testing.assert_allclose(scales.xi_c, row["xi_c"], **close)
    assert scales.trainable_depth == 6 * scales.xi_c
    if "one_minus_c_star" in row:
        assert scales.phase is Phase.CHAOTIC
        np.testing.assert_allclose(scales.one_minus_c_star, row["one_minus_c_star"], **close)
        np.testing.assert_allclose(scales.xi_grad, row["xi_grad"], **close)
    else:
        assert (scales.phase, scales.c_star) == (Phase.ORDERED, 1.0)


@pytest.mark.parametrize(
    ("name", "sigma_w", "sigma_b"), [("tanh", 1.5, 0.3), ("crelu:1,1", 1.6, 0.5), ("erf", 2.0, 0.1)]
)
def test_limit_and_rate_are_those_of_iteration(name: str, sigma_w: float, sigma_b: float) -> None:
    scales = depth_scales(name, sigma_w=sigma_w, sigma_b=sigma_b)
    step = correlation_map(name, q=scales.q_star, sigma_w=sigma_w, sigma_b=sigma_b)
    layers = 12 * math.ceil(scales.xi_c)
    path = 2 * np.sin(step.compiled.path(1.0, layers + 1) / 2) ** 2 - scales.one_minus_c_star
    # the ratio of successive differences tends to χ at the rate of the differences themselves, e^-12 = 6e-6
    np.testing.assert_allclose(path[-1] / path[-2], math.exp(-1 / scales.xi_c), rtol=1e-4, atol=0)
    with pytest.raises(AssertionError):  # negative control: ξ_grad is not ξ_c
        np.testing.assert_allclose(path[-1] / path[-2], math.exp(-2 / scales.xi_c), rtol=1e-4, atol=0)


def test_limit_near_the_edge_keeps_its_digits() -> None:
    # smooth φ: χ₁ = 1 + ε gives 1 - c* = 2ε/C''(1) (1 + O(ε)); kinked: (ε/κ)² (1 + O(ε²))
    eps = 1e-6
    edge = edge_of_chaos("tanh", q=1.0)
    layer = variance_map("tanh", sigma_w=edge.sigma_w, sigma_b=edge.sigma_b)
    for name, power in (("tanh", 1), ("hard_tanh", 2)):
        edge = edge_of_chaos(name, q=1.0)
        near = depth_scales(name, sigma_w=edge.sigma_w * (1 + eps), sigma_b=edge.sigma_b)
        layer = variance_map(name, sigma_w=edge.sigma_w * (1 + eps), sigma_b=edge.sigma_b)
        excess = near.chi_1 - 1
        expected = 2 * excess / layer.chi(2, near.q_star) if power == 1 else (excess / layer.kappa(near.q_star)) ** 2
        # next order: relative O(ε); rounding of χ₁ - 1 = 1e-6 gives 2e-10
        np.testing.assert_allclose(near.one_minus_c_star, expected, rtol=20 * eps, atol=0)
        assert near.phase is Phase.CHAOTIC


def test_edge_has_no_exponential_scale() -> None:
    edge = edge_of_chaos("tanh", sigma_b=0.05**0.5)
    scales = depth_scales("tanh", sigma_w=edge.sigma_w, sigma_b=edge.sigma_b)
    assert scales.phase is Phase.EDGE
    assert scales.xi_c == scales.xi_grad == scales.trainable_depth == math.inf
    plain = scales.to_dict()
    assert plain["xi_c"] is None
    assert plain["trainable_depth"] is None
    assert plain["inputs"]["factor"] == 6.0


def test_relu_with_he_weights_is_marginal() -> None:
    scales = depth_scales("relu", sigma_w=2**0.5, q=3.0)
    assert scales.marginal
    assert (scales.q_star, scales.phase) == (3.0, Phase.EDGE)


@pytest.mark.parametrize(
    ("name", "sigma_w", "wiring"),
    [
        ("tanh", 1.5, {}),
        ("sin", 2.0, {}),
        ("sin", 5.0, {}),
        ("hard_tanh", 2.0, {}),
        ("erf", 2.0, {}),
        ("tanh", 1.5, {"layer_norm": True, "alpha": 0.5}),
        ("tanh", 1.3, {"alpha": 0.5**0.5, "beta": 0.5**0.5}),
    ],
)
def test_odd_activations_without_bias_tend_to_right_angles(name: str, sigma_w: float, wiring: dict) -> None:
    scales = depth_scales(name, sigma_w=sigma_w, **wiring)
    assert scales.phase is Phase.CHAOTIC
    assert scales.c_star == 0
    step = correlation_map(name, q=scales.q_star, sigma_w=sigma_w, **wiring)
    near = np.pi / 2 - 1e-6
    # C(c) = C'(0) c + O(c³) for an odd map: cos of the next angle over cos of this one; rounding 1e-16/1e-6
    ratio = np.cos(step.angle(near)) / np.cos(near)
    np.testing.assert_allclose(math.exp(-1 / scales.xi_c), ratio, rtol=1e-9, atol=1e-9)
    with pytest.raises(AssertionError):  # negative control: the rate of opposite inputs
        np.testing.assert_allclose(scales.chi_1, ratio, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "sigma_w", "sigma_b"),
    [("tanh", 1.76096**0.5, 0.05**0.5), ("relu_tau:50", 1.0, 0.1), ("tanh", 1.0000001, 0)],
)
def test_networks_next_to_the_edge_or_silent_are_answered(name: str, sigma_w: float, sigma_b: float) -> None:
    scales = depth_scales(name, sigma_w=sigma_w, sigma_b=sigma_b)
    assert scales.q_star > 0
    assert scales.chi_1 < 1.0001


def test_linear_activations_keep_every_correlation() -> None:
    scales = depth_scales("identity", sigma_w=1.0)
    assert math.isnan(scales.c_star)
    assert scales.to_dict()["xi_c"] is None


def test_growth_is_said_of_networks_that_grow_and_no_others() -> None:
    far = depth_scales("relu", sigma_w=1.0, sigma_b=1e6)
    np.testing.assert_allclose(far.q_star, 2e12, rtol=1e-14, atol=0)
    far = depth_scales("hard_tanh", sigma_w=1e5)
    np.testing.assert_allclose(far.q_star, 1e10, rtol=1e-4, atol=0)  # V → σ_w²: 1 - V/σ_w² ~ 1/√q = 1e-5
    for growing in ({"name": "tanh", "sigma_w": 1.5, "alpha": 1.0, "beta": 0.1}, {"name": "gelu", "sigma_w": 2.0}):
        scales = depth_scales(growing.pop("name"), **growing)
        assert (scales.q_star, scales.status.code) == (math.inf, StatusCode.OUTSIDE_VALIDITY)
        assert "grows" in scales.status.messages[0]


@pytest.mark.parametrize(("sigma_w", "q_star"), [(1.0, 0.0), (2.0, math.inf)])
def test_lengths_without_a_limit_are_outside_validity(sigma_w: float, q_star: float) -> None:
    scales = depth_scales("relu", sigma_w=sigma_w)
    assert scales.status.code is StatusCode.OUTSIDE_VALIDITY
    assert scales.q_star == q_star
    assert math.isnan(scales.xi_c)


def test_the_basin_decides_between_two_fixed_points() -> None:
    tau = "relu_tau:1"
    found = fixed_points(tau, sigma_w=2.0, sigma_b=0.3)
    assert [point.stable for point in found.points] == [True, False]
    wall = found.points[1].q
    assert depth_scales(tau, sigma_w=2.0, sigma_b=0.3, q=0.99 * wall).q_star == found.points[0].q
    assert depth_scales(tau, sigma_w=2.0, sigma_b=0.3, q=1.01 * wall).q_star == math.inf


def test_residual_scaling_stretches_every_scale() -> None:
    plain = depth_scales("tanh", sigma_w=1.0, sigma_b=0.3)
    alpha, beta = math.sqrt(0.99), 0.1
    slow = depth_scales("tanh", sigma_w=1.0, sigma_b=0.3, alpha=alpha, beta=beta)
    np.testing.assert_allclose(slow.q_star, plain.q_star, rtol=1e-13, atol=0)
    np.testing.assert_allclose(1 - slow.chi_1, beta**2 * (1 - plain.chi_1), rtol=1e-12, atol=0)


def test_normalised_layers_see_unit_variance() -> None:
    scales = depth_scales("tanh", sigma_w=1.3, sigma_b=0.3, layer_norm=True)
    layer = variance_map("tanh", sigma_w=1.3, sigma_b=0.3)
    np.testing.assert_allclose(scales.q_star, layer(1.0), rtol=1e-15, atol=0)
    np.testing.assert_allclose(scales.chi_1, layer.chi_1(1.0) / layer(1.0), rtol=1e-14, atol=0)


BAD = [{"sigma_w": 0}, {"sigma_w": -1.0}, {"sigma_w": np.nan}, {"sigma_w": 1.0, "sigma_b": -1.0}, {"sigma_w": "1"}]
BAD += [{"sigma_w": 1.0, "q": 0}, {"sigma_w": 1.0, "factor": 0}, {"sigma_w": 1.0, "factor": np.inf}]
BAD += [{"sigma_w": 1.0, "beta": 0.0}, {"sigma_w": 1.0, "alpha": np.nan}]


@pytest.mark.parametrize("arguments", BAD)
def test_bad_arguments_are_refused(arguments: dict) -> None:
    with pytest.raises(DomainError):
        depth_scales("tanh", **arguments)


def test_result_is_kept_and_shown(tmp_path: Path) -> None:
    scales = depth_scales("tanh", sigma_w=1.5, sigma_b=0.3)
    assert load(scales.save(tmp_path / "scales.json")) == scales
    assert "chaotic" in str(scales)
    assert "fixed points" in str(scales)

"""The edge of chaos against mpmath, and where there is none."""

import json
from pathlib import Path

import numpy as np
import pytest

from gpdeep import DomainError, InfeasibleError
from gpdeep.activations import activation
from gpdeep.meanfield import edge_of_chaos, variance_map

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "mean_field.json").read_text())["eoc"]

NAMES = {
    "tanh_sb2=0.05": "tanh",
    "silu_q=1": "silu",
    "erf_q=1": "erf",
    "sin_q=1": "sin",
    "hardtanh_q=1": "hard_tanh",
}


def asked(case: str) -> tuple[str, dict[str, float]]:
    """The activation and the argument of a stored case."""
    entry = REFERENCE[case]
    name = NAMES.get(case) or f"st:{float(entry['tau'])!r}"
    return name, {"sigma_b": 0.05**0.5} if "sb2" in case else {"q": float(entry["q"])}


@pytest.mark.parametrize("case", REFERENCE)
def test_solution_agrees_with_mpmath(case: str) -> None:
    name, given = asked(case)
    entry = {key: float(value) for key, value in REFERENCE[case].items()}
    edge = edge_of_chaos(name, **given)
    # stated bar: 1e-13 absolute; rounding of sb2 = 0.05 as a square and of the expectations is some 1e-15
    close = {"rtol": 0, "atol": 1e-13}
    np.testing.assert_allclose(edge.sigma_w**2, entry["sw2"], rtol=2e-15, atol=1e-13)
    np.testing.assert_allclose(edge.sigma_b**2, entry["sb2"], **close)
    np.testing.assert_allclose(edge.q_star, entry["q"], **close)
    np.testing.assert_allclose(edge.slope, entry["V1"], **close)
    # second derivatives are sums of terms a few times larger than themselves: 1e-13 relative
    np.testing.assert_allclose(edge.curvature, entry["V2"], rtol=1e-13, atol=1e-13)
    if "C2_at_1" in entry:
        np.testing.assert_allclose(edge.chi_2, entry["C2_at_1"], rtol=1e-13, atol=1e-13)
        assert edge.kappa == 0
    else:
        np.testing.assert_allclose(edge.kappa, entry["kappa_3_2"], rtol=1e-13, atol=1e-13)
        assert edge.chi_2 == np.inf
    layer = variance_map(name, sigma_w=edge.sigma_w, sigma_b=edge.sigma_b)
    np.testing.assert_allclose(layer.noise(edge.q_star), entry["noise_c"], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(layer.d_chi_1(edge.q_star), entry["dchi1_dq"], rtol=1e-13, atol=1e-13)


def test_wrong_weight_variance_fails_the_same_tolerance() -> None:
    # negative control: 20-point Gauss-Hermite, the field's usual rule, is wrong in the fourth digit
    x, w = np.polynomial.hermite_e.hermegauss(20)
    q = float(REFERENCE["tanh_sb2=0.05"]["q"])
    slopes = (1 - np.tanh(np.sqrt(q) * x) ** 2) ** 2
    rule = (w * slopes).sum() / w.sum()
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(1 / rule, float(REFERENCE["tanh_sb2=0.05"]["sw2"]), rtol=2e-15, atol=1e-13)


def test_closed_forms_of_erf() -> None:
    # sigma_w^2 = (pi/4) sqrt(1 + 4q), V' = 1/(1 + 2q), C''(1) = 4q^2/(1 + 4q): some roundings each
    for q in (0.01, 0.5, 30.0):
        edge = edge_of_chaos("erf", q=q)
        np.testing.assert_allclose(edge.sigma_w**2, np.pi / 4 * np.sqrt(1 + 4 * q), rtol=4e-15, atol=0)
        np.testing.assert_allclose(edge.slope, 1 / (1 + 2 * q), rtol=4e-15, atol=0)
        np.testing.assert_allclose(edge.chi_2, 4 * q**2 / (1 + 4 * q), rtol=4e-15, atol=0)


def test_gelu_is_half_stable_at_its_known_point() -> None:
    q = (3 + 17**0.5) / 2
    edge = edge_of_chaos("gelu", q=q)
    np.testing.assert_allclose(edge.slope, 1, rtol=1e-14, atol=0)
    np.testing.assert_allclose([edge.sigma_w**2, edge.sigma_b**2], [1.98306, 0.17292], rtol=0, atol=5e-6)
    assert edge_of_chaos("gelu", q=1.0).slope > 1.06  # the variance itself is unstable there


def test_relu_is_marginal() -> None:
    edge = edge_of_chaos("relu", sigma_b=0)
    np.testing.assert_allclose(edge.sigma_w, 2**0.5, rtol=4e-16, atol=0)
    assert edge.marginal
    assert edge.chi_2 == np.inf
    assert edge_of_chaos("relu", q=7.0).q_star == 7.0


def test_tanh_without_bias_is_critical_at_zero() -> None:
    edge = edge_of_chaos("tanh", sigma_b=0)
    assert (edge.sigma_w, edge.q_star, edge.slope) == (1.0, 0.0, 1.0)
    np.testing.assert_allclose(edge.curvature, -4, rtol=1e-12, atol=0)  # q_l ~ 1/(2l)
    assert "q* = 0" in edge.status.messages[0]


def test_every_solution_is_given_smallest_first() -> None:
    # GELU: sigma_b rises to a maximum along the edge and falls again
    found = edge_of_chaos("gelu", sigma_b=0.4)
    points = [found.q_star, *(p.q_star for p in found.other_solutions)]
    assert points == sorted(points)
    for q in points:
        np.testing.assert_allclose(edge_of_chaos("gelu", q=q).sigma_b, 0.4, rtol=1e-12, atol=0)


def test_residual_and_normalised_layers_have_their_own_edge() -> None:
    alpha = beta = 0.5**0.5
    edge = edge_of_chaos("tanh", q=1.0, alpha=alpha, beta=beta)
    np.testing.assert_allclose(edge.sigma_w, edge_of_chaos("tanh", q=1.0).sigma_w, rtol=1e-15, atol=0)
    for wiring in ({"alpha": 0.9, "beta": 0.3}, {"layer_norm": True}, {"layer_norm": True, "alpha": 0.5}):
        edge = edge_of_chaos("tanh", q=1.7, **wiring)
        layer = variance_map("tanh", sigma_w=edge.sigma_w, sigma_b=edge.sigma_b, **wiring)
        np.testing.assert_allclose([layer(1.7), layer.chi_1(1.7)], [1.7, 1.0], rtol=4e-15, atol=0)
    edge = edge_of_chaos("tanh", sigma_b=0.3, layer_norm=True)
    layer = variance_map("tanh", sigma_w=edge.sigma_w, sigma_b=0.3, layer_norm=True)
    np.testing.assert_allclose(layer.chi_1(edge.q_star), 1, rtol=4e-15, atol=0)


def test_no_solution_says_what_there_is() -> None:
    with pytest.raises(InfeasibleError, match="q from about"):
        edge_of_chaos("sigmoid", q=1.0)
    with pytest.raises(InfeasibleError, match="sigma_b = 0 alone"):
        edge_of_chaos("relu", sigma_b=0.1)
    with pytest.raises(InfeasibleError, match="alpha"):
        edge_of_chaos("tanh", q=1.0, alpha=1.0)


@pytest.mark.parametrize(("name", "sigma_b"), [("st:1.5", 0.1), ("crelu:2,0.1", 0.1), ("cst:1.5,0.4", 0.05)])
def test_points_where_hardly_a_neuron_responds_are_left_out(name: str, sigma_b: float) -> None:
    # there σ_w would be 1e24 and more: E φ'² is the chance of passing a far threshold
    with pytest.raises(InfeasibleError, match="σ_b goes"):
        edge_of_chaos(name, sigma_b=sigma_b)
    with pytest.raises(InfeasibleError, match="Hardly a neuron"):
        edge_of_chaos(name, q=1e-3)


@pytest.mark.parametrize(("name", "words"), [("gelu", "grows away"), ("tanh", "1/l"), ("hard_tanh", "slower")])
def test_what_happens_at_the_critical_point_is_said(name: str, words: str) -> None:
    edge = edge_of_chaos(name, sigma_b=0.0)
    assert edge.q_star == 0
    assert words in edge.status.messages[0]
    assert len(edge.other_solutions) < 2


def test_normalised_relu_is_not_marginal() -> None:
    edge = edge_of_chaos("relu", sigma_b=0.0, layer_norm=True)
    assert not edge.marginal
    assert edge.slope == 0


def test_curvature_out_of_reach_is_said_and_not_raised() -> None:
    edge = edge_of_chaos("mish", sigma_b=2.0)
    assert np.isnan(edge.chi_2) == any("C''(1)" in message for message in edge.status.messages)
    np.testing.assert_allclose(edge.sigma_b, 2.0, rtol=0, atol=0)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"q": 1.0, "sigma_b": 0.1}, {"q": -1.0}, {"q": np.nan}, {"sigma_b": -0.1}, {"sigma_b": np.inf}, {"q": "1"}],
)
def test_bad_arguments_are_refused(arguments: dict) -> None:
    with pytest.raises(DomainError):
        edge_of_chaos("tanh", **arguments)


def test_mixture_of_one_is_the_activation() -> None:
    from gpdeep.activations import Mixture

    one = edge_of_chaos(Mixture((activation("tanh"),), (3.0,)), q=1.0)
    assert one.sigma_w == edge_of_chaos("tanh", q=1.0).sigma_w


def test_result_is_kept(tmp_path: Path) -> None:
    from gpdeep import load

    edge = edge_of_chaos("gelu", sigma_b=0.4)
    assert load(edge.save(tmp_path / "edge.json")) == edge
    assert "σ_w²" in str(edge)

"""The plane of (σ_w, σ_b) for erf, whose maps are closed forms: V = σ_w² (2/π) asin(2q/(1+2q)) + σ_b²."""

import numpy as np
import pytest

from gpdeep import DomainError, InfeasibleError, load
from gpdeep.meanfield.phases import phase_diagram

# Moments and gaps of erf are good to some 1e-15; quotients of them and σ_b² = q - σ_w² E φ², where q cancels at most
# to a few per cent in these ranges, add a factor of 100.
RTOL = 1e-13

QS = np.array([0.1, 0.5, 1.0, 4.0])


def second(q, c=1.0):
    return 2 / np.pi * np.arcsin(2 * q * c / (1 + 2 * q))


def slope_second(q, c=1.0):
    return 4 / np.pi / np.sqrt((1 + 2 * q) ** 2 - (2 * q * c) ** 2)


@pytest.fixture(scope="module")
def diagram():
    return phase_diagram("erf", q=QS)


def on_the_edge(sigma_w, sigma_b, q):
    np.testing.assert_allclose(sigma_w**2 * slope_second(q), 1.0, rtol=RTOL)
    np.testing.assert_allclose(sigma_w**2 * second(q) + sigma_b**2, q, rtol=RTOL)


def test_edge_has_chi_1_of_one_and_keeps_its_variance(diagram):
    on_the_edge(diagram.sigma_w, diagram.sigma_b, diagram.q_star)
    np.testing.assert_allclose(diagram.slope, 1 / (1 + 2 * QS), rtol=RTOL)
    with pytest.raises(AssertionError):  # a variance in place of a standard deviation
        on_the_edge(diagram.sigma_w, diagram.sigma_b**2, diagram.q_star)


def test_every_network_of_the_sheet_keeps_its_variance(diagram):
    sheet, q = diagram.networks, QS[:, None]
    np.testing.assert_allclose(sheet.sigma_w**2 * second(q) + sheet.bias_var, q + 0 * sheet.sigma_w, rtol=RTOL)
    np.testing.assert_allclose(sheet.chi_1, sheet.sigma_w**2 * slope_second(q), rtol=RTOL)
    np.testing.assert_allclose(sheet.chi_1[:, sheet.chi_1.shape[1] // 2], 1.0, rtol=RTOL)
    assert (sheet.bias_var >= 0).all()
    assert (np.diff(sheet.sigma_w, axis=1) > 0).all()


def test_every_chaotic_network_has_its_limit_as_a_fixed_point_of_c(diagram):
    sheet = diagram.chaotic
    q, c = sheet.q_star[:, None], np.cos(sheet.theta)
    real = sheet.bias_var >= 0
    assert real.mean() > 0.9  # erf is odd: c* = 0 without bias, so that all angles up to π/2 occur
    weight_var = sheet.sigma_w**2
    left = weight_var * second(q, c) + sheet.bias_var
    np.testing.assert_allclose(left, q * c, rtol=0, atol=4 * RTOL * QS.max())
    np.testing.assert_allclose(sheet.slope_at_limit, weight_var * slope_second(q, c), rtol=RTOL)
    assert (sheet.slope_at_limit < 1).all()
    assert (weight_var * slope_second(q) > 1).all()
    with pytest.raises(AssertionError):  # orthogonal inputs: σ_b² is what is left of q
        np.testing.assert_allclose(left, q * c + sheet.bias_var, rtol=0, atol=4 * RTOL * QS.max())


def test_q_without_an_edge_is_nan():
    ends = phase_diagram("gelu", q=[0.1, 4.0], chaotic=False)
    assert np.isnan(ends.sigma_w).tolist() == np.isnan(ends.sigma_b).tolist()
    assert ends.chaotic is None


def test_relu_has_one_point_for_all_variances():
    diagram = phase_diagram("relu")
    np.testing.assert_allclose(diagram.sigma_w, 2**0.5, rtol=4e-16)  # one square root of 2
    assert (diagram.sigma_b == 0).all()
    assert diagram.chaotic.sigma_w.size == 0  # V' = χ₁: none is stable


@pytest.mark.parametrize("options", [{"alpha": 0.6, "beta": 0.8}, {"layer_norm": True}])
def test_residual_and_normalised_layers_obey_their_own_edge(options):
    alpha, beta = options.get("alpha", 0.0), options.get("beta", 1.0)
    diagram = phase_diagram("erf", q=QS, **options)
    seen = np.ones_like(QS) if options.get("layer_norm") else QS
    exists = np.isfinite(diagram.sigma_w)
    chi_1 = alpha**2 + beta**2 * diagram.sigma_w**2 * slope_second(seen) * seen / QS
    after = alpha**2 * QS + beta**2 * (diagram.sigma_w**2 * second(seen) + diagram.sigma_b**2)
    assert exists.any()
    np.testing.assert_allclose(chi_1[exists], 1.0, rtol=RTOL)
    np.testing.assert_allclose(after[exists], QS[exists], rtol=RTOL)


def test_table_is_short_and_shows_the_edge(diagram):
    text = str(diagram)
    assert text.splitlines()[0].startswith("edge of chaos of erf")
    for q, sigma_w, sigma_b in zip(QS, diagram.sigma_w, diagram.sigma_b, strict=True):
        assert any(line.split()[:3] == [f"{v:.6g}" for v in (q, sigma_w, sigma_b)] for line in text.splitlines())
    whole = str(phase_diagram("tanh", chaotic=False))
    assert len(whole.splitlines()) < 20
    assert max(map(len, whole.splitlines())) < 100
    cut = str(phase_diagram("erf", q=[1e-300, 2e-300], layer_norm=True, chaotic=False))
    assert "an edge at" in cut  # none shown is a table too


def test_results_are_read_back_as_they_were(diagram, tmp_path):
    assert load(diagram.save(tmp_path / "x.json")) == diagram


@pytest.mark.parametrize(
    "q", [[1.0], [2.0, 1.0], [1.0, 1.0], [-1.0, 1.0], [1.0, np.nan], [[1.0, 2.0]], "wide", [None, 1.0], [[1.0], 2.0]]
)
def test_variances_must_increase(q):
    with pytest.raises(DomainError, match="likely cause"):
        phase_diagram("erf", q=q)


@pytest.mark.parametrize("sigma_w_max", [-1.0, np.nan, np.inf, "4", True, None, [4.0, 5.0], {}])
def test_the_largest_weight_must_be_a_number(sigma_w_max):
    with pytest.raises(DomainError, match="sigma_w_max"):
        phase_diagram("erf", sigma_w_max=sigma_w_max)


def test_a_residual_layer_that_keeps_its_input_is_refused():
    with pytest.raises(InfeasibleError, match="alpha"):
        phase_diagram("erf", alpha=1.0)

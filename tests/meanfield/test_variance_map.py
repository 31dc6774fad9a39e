"""V, its derivatives, χ₁ and κ."""

import json
from pathlib import Path

import numpy as np
import pytest

from gpdeep import DomainError
from gpdeep.meanfield import variance_map

ACTIVATIONS = json.loads((Path(__file__).parents[1] / "reference" / "activations.json").read_text())["activations"]
CASES = {"relu": "relu", "gelu": "gelu", "st_tau(1.0)": "st:1", "crelu(tau=1.0364,m=0.8095)": "crelu:1.0364,0.8095"}


@pytest.mark.parametrize("case", CASES)
def test_map_and_derivatives_agree_with_mpmath(case: str) -> None:
    layer = variance_map(CASES[case], sigma_w=1.25, sigma_b=0.5)
    for entry in ACTIVATIONS[case]["values"]:
        value = {key: float(text) for key, text in entry.items() if isinstance(text, str)}
        q = value["q"]
        close = {"rtol": 1e-13, "atol": 1e-16}  # the bar for moments
        np.testing.assert_allclose(layer(q), 1.5625 * value["E_phi2"] + 0.25, **close)
        np.testing.assert_allclose(layer.slope(q), 1.5625 * value["dE_phi2_dq"], **close)
        np.testing.assert_allclose(layer.curvature(q), 1.5625 * value["d2E_phi2_dq2"], **close)
        np.testing.assert_allclose(layer.chi_1(q), 1.5625 * value["E_dphi2"], **close)
        with pytest.raises(AssertionError):  # negative control: σ in place of σ²
            np.testing.assert_allclose(layer.chi_1(q), 1.25 * value["E_dphi2"], **close)


@pytest.mark.parametrize("name", ["relu_tau:0.7", "st:1.3"])
def test_shifted_activations_have_equal_slopes(name: str) -> None:
    # V'(q) = χ₁(q) identically: why they are unstable on the edge of chaos
    layer = variance_map(name, sigma_w=1.5, sigma_b=0.1)
    q = np.geomspace(0.05, 50, 30)
    np.testing.assert_allclose(layer.slope(q), layer.chi_1(q), rtol=1e-12, atol=0)


def test_wirings_reduce_to_the_dense_layer() -> None:
    dense = variance_map("tanh", sigma_w=1.3, sigma_b=0.2)
    residual = variance_map("tanh", sigma_w=1.3, sigma_b=0.2, alpha=0.6, beta=0.5)
    normalised = variance_map("tanh", sigma_w=1.3, sigma_b=0.2, layer_norm=True)
    q = np.array([0.3, 2.0])
    close = {"rtol": 1e-15, "atol": 0}
    np.testing.assert_allclose(residual(q), 0.36 * q + 0.25 * dense(q), **close)
    np.testing.assert_allclose(residual.slope(q), 0.36 + 0.25 * dense.slope(q), **close)
    np.testing.assert_allclose(residual.chi_1(q), 0.36 + 0.25 * dense.chi_1(q), **close)
    np.testing.assert_allclose(residual.chi(2, q), 0.25 * dense.chi(2, q), **close)
    np.testing.assert_allclose(normalised(q), dense(1.0) + 0 * q, **close)
    np.testing.assert_allclose(normalised.chi_1(q), dense.chi_1(1.0) / q, **close)
    assert (normalised.slope(q) == 0).all()


@pytest.mark.parametrize("q", [0, -1.0, np.nan, np.inf, "1", None, [1.0, 0.0]])
def test_bad_variances_are_refused(q) -> None:
    with pytest.raises(DomainError, match="variance"):
        variance_map("tanh", sigma_w=1.0)(q)


def test_empty_and_shaped_arrays() -> None:
    layer = variance_map("tanh", sigma_w=1.0)
    assert layer(np.empty(0)).shape == (0,)
    assert layer(np.ones((2, 3))).shape == layer.curvature(np.ones((2, 3))).shape == (2, 3)

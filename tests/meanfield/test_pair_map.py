"""Two inputs of different lengths, against mpmath-free independent formulas and real quadrature."""

import numpy as np
import pytest

from gpdeep import DomainError, MemoryBudgetError
from gpdeep.activations import activation
from gpdeep.meanfield import correlation_map, propagate_pair, variance_map
from gpdeep.meanfield.pair_map import pair_step


def direct(name: str, q1: float, q2: float, delta: float, sigma_w: float, sigma_b: float) -> tuple[float, float, float]:
    """The step by two-dimensional trapezoidal sums in rotated coordinates: smooth φ, moderate angles."""
    phi = activation(name)
    z = np.linspace(-9, 9, 361)
    w = np.exp(-(z**2) / 2)
    w /= w.sum()
    half = np.arcsin(np.sqrt(delta / 2))
    x, y = np.cos(half) * z[:, None], np.sin(half) * z[None, :]
    u, v = phi(np.sqrt(q1) * (x + y)), phi(np.sqrt(q2) * (x - y))
    weight = w[:, None] * w[None, :]
    next1 = sigma_w**2 * (weight * u * u).sum() + sigma_b**2
    next2 = sigma_w**2 * (weight * v * v).sum() + sigma_b**2
    cross = sigma_w**2 * (weight * u * v).sum() + sigma_b**2
    return next1, next2, 1 - cross / np.sqrt(next1 * next2)


@pytest.mark.parametrize("name", ["tanh", "erf", "gelu", "silu"])
def test_step_agrees_with_brute_quadrature(name: str) -> None:
    for q1, q2, delta in ((1.0, 1.0, 0.3), (0.2, 2.5, 1.2), (3.0, 0.7, 0.05)):
        layer = variance_map(name, sigma_w=1.3, sigma_b=0.2)
        got = pair_step(layer, q1, q2, delta)
        # the sums are spectrally exact; 1 - c by subtraction keeps 1e-15 absolute
        np.testing.assert_allclose(got, direct(name, q1, q2, delta, 1.3, 0.2), rtol=1e-12, atol=1e-14)
        wrong = direct(name, q1, q2 * 1.001, delta, 1.3, 0.2)
        with pytest.raises(AssertionError):  # negative control
            np.testing.assert_allclose(got, wrong, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["relu", "tanh", "crelu:1,1", "elu"])
@pytest.mark.parametrize("wiring", [{}, {"alpha": 0.8, "beta": 0.6}, {"layer_norm": True}], ids=["dense", "res", "ln"])
def test_equal_lengths_are_the_correlation_map(name: str, wiring: dict) -> None:
    layer = variance_map(name, sigma_w=1.2, sigma_b=0.3, **wiring)
    exact = correlation_map(name, q=0.8, sigma_w=1.2, sigma_b=0.3, **wiring)
    delta = np.array([1e-12, 1e-3, 0.5, 2.0])
    q1, q2, got = pair_step(layer, 0.8, 0.8, delta)
    np.testing.assert_allclose(got, exact.one_minus_c(delta), rtol=2e-12, atol=0)
    np.testing.assert_array_equal(q1, q2)


def test_nearly_equal_inputs_keep_their_digits() -> None:
    # lengths that differ by η and angle 0: δ' is quadratic in η, δ'(η)/η² must not drift down to η = 1e-9
    layer = variance_map("tanh", sigma_w=1.3, sigma_b=0.4)
    ratios = [pair_step(layer, 1.0, (1 + eta) ** 2, 0.0)[2] / eta**2 for eta in (1e-5, 1e-7, 1e-9)]
    # next order in η: 1e-5; below it the rounding of (1+η)² - 1 itself, 1e-16/η = 1e-7
    np.testing.assert_allclose(ratios, ratios[0], rtol=3e-5, atol=0)
    assert ratios[0] > 1e-4


@pytest.mark.parametrize("name", ["tanh", "gelu", "mish", "erf", "elu", "crelu:1,1"])
def test_lengths_that_differ_in_the_sixth_digit_keep_theirs(name: str) -> None:
    # δ' at angle 0 is quadratic in η = √q₂ - 1 near 0: δ'(η) = a η² (1 + b η), so a = 2 δ'(η)/η² - δ'(2η)/(2η²) + O(η²)
    layer = variance_map(name, sigma_w=1.3, sigma_b=0.4)
    estimates = []
    for eta in (1e-4, 5e-7):
        one, two = (float(pair_step(layer, 1.0, (1 + k * eta) ** 2, 0.0)[2]) for k in (1, 2))
        estimates.append((2 * one - two / 4) / eta**2)
    # O(η²) = 1e-8 at most; (1 + η)² has 1e-16/η = 2e-10 of rounding
    np.testing.assert_allclose(estimates[1], estimates[0], rtol=3e-7, atol=0)


def test_relu_forgets_lengths() -> None:
    layer = variance_map("relu", sigma_w=2**0.5)
    deltas = [pair_step(layer, 1.0, q2, 1e-8)[2] for q2 in (1.0, 1e-6, 1e6)]
    np.testing.assert_allclose(deltas, deltas[0], rtol=1e-12, atol=0)


def test_propagation_broadcasts_and_refuses() -> None:
    path = propagate_pair("erf", 1.0, [0.5, 2.0], [[0.1], [0.2], [0.3]], 4, sigma_w=1.0, sigma_b=0.1)
    assert path.one_minus_c.shape == (5, 3, 2)
    for bad in ({"q1": 0.0}, {"delta": 2.1}, {"depth": -1}, {"depth": 1.5}, {"q2": np.nan}):
        given = {"q1": 1.0, "q2": 1.0, "delta": 0.1, "depth": 2} | bad
        with pytest.raises(DomainError):
            propagate_pair("erf", **given, sigma_w=1.0)


def test_vanishing_and_overflowing_lengths_are_refused() -> None:
    for sigma_w in (0.1, 10.0):
        with pytest.raises(DomainError, match="variance becomes"):
            propagate_pair("relu", 1.0, 1.0, 1.0, 2000, sigma_w=sigma_w)
    with pytest.raises(MemoryBudgetError):
        propagate_pair("relu", 1.0, 1.0, 1.0, 10**12, sigma_w=1.0)
    with pytest.raises(DomainError, match="broadcast"):
        propagate_pair("relu", [1.0, 2.0], [1.0, 2.0, 3.0], 1.0, 2, sigma_w=1.0)
    assert propagate_pair("tanh", 1.0, 1.0, 1e-300, 3, sigma_w=1.0).one_minus_c[-1] < 1e-299

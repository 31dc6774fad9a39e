"""The algebraic laws on the edge of chaos, against the iterated map."""

import dataclasses

import numpy as np
import pytest

from gpdeep import DomainError
from gpdeep.meanfield import edge_law

CASES = {
    "erf": {"sigma_b": 0.05**0.5},
    "tanh": {"q": 1.0},
    "relu": {"q": 1.0},
    "crelu:1,1": {"q": 1.0},
    "hard_tanh": {"q": 1.0},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("delta0", [2e-4, 0.3, 1.9])
def test_law_agrees_with_iteration(name: str, delta0: float) -> None:
    law = edge_law(name, **CASES[name])
    depths = np.array([1, 10, 1000, 30_000])
    path = law.correlations.compiled.path(2 * np.arcsin(np.sqrt(delta0 / 2)), 30_000)
    exact = 2 * np.sin(path[depths - 1] / 2) ** 2
    # stated: 1e-5 where the law takes over, less beyond; before, it is the map itself
    np.testing.assert_allclose(law.one_minus_c(depths, delta0), exact, rtol=3e-5, atol=0)


@pytest.mark.parametrize("name", CASES)
def test_leading_law_is_approached_as_the_logarithm_over_depth(name: str) -> None:
    law = edge_law(name, **CASES[name])
    depth = 1e12
    ratio = law.one_minus_c(depth, 0.5) / law.leading(depth)
    # next order: relative size |A| ln l/l, with A = (β²-γ)/β² or 3, and start-dependent constants over l
    assert abs(ratio - 1) < 1e-9
    assert law.power == (1 if name in ("erf", "tanh") else 2)


def test_leading_law_with_a_wrong_constant_fails() -> None:
    law = edge_law("relu", q=1.0)
    depth = 10_000
    theta = law.correlations.compiled.iterate(1.0, depth)
    exact = 2 * np.sin(theta / 2) ** 2
    close = {"rtol": 2 * (1.5 * np.log(depth) + 10) / depth, "atol": 0}  # the next order of the law
    np.testing.assert_allclose(law.leading(depth), exact, **close)
    with pytest.raises(AssertionError):  # negative control: κ of one kink in place of its square's
        np.testing.assert_allclose(2 / (law.kappa * depth) ** 2, exact, **close)


@pytest.mark.parametrize("delta0", [0.01, 1.0])
def test_jump_of_the_curvature_gives_a_square_root(delta0: float) -> None:
    law = edge_law("elu", q=1.0)
    assert law.kappa == 0
    assert law.rho > 0
    depths = np.array([100, 10_000, 100_000])
    path = law.correlations.compiled.path(2 * np.arcsin(np.sqrt(delta0 / 2)), 100_000)
    exact = 2 * np.sin(path[depths - 1] / 2) ** 2
    np.testing.assert_allclose(law.one_minus_c(depths, delta0), exact, rtol=1e-3, atol=0)  # the stated error
    without = dataclasses.replace(law, rho=0.0)
    with pytest.raises(AssertionError):  # negative control: without the term in δ^{5/2}
        np.testing.assert_allclose(without.one_minus_c(depths, delta0), exact, rtol=1e-3, atol=0)


def test_five_halves_coefficient_is_that_of_the_map() -> None:
    law = edge_law("elu", q=1.0)
    for delta in (1e-3, 1e-4):
        # δ - (1 - C) = β δ² - ρ δ^{5/2} + O(δ³)
        theta = 2 * np.arcsin(np.sqrt(delta / 2))
        rest = law.beta * delta**2 - law.correlations.excess(theta) * delta
        np.testing.assert_allclose(rest / delta**2.5, law.rho, rtol=5 * np.sqrt(delta), atol=0)


def test_relu_constant_is_the_textbooks() -> None:
    law = edge_law("relu", q=1.0)
    np.testing.assert_allclose(law.kappa, 2 * 2**0.5 / (3 * np.pi), rtol=1e-15, atol=0)


def test_where_correlations_do_not_decay() -> None:
    with pytest.raises(DomainError, match=r"q\* = 0"):
        edge_law("tanh", sigma_b=0)
    with pytest.raises(DomainError, match="linear"):
        edge_law("identity", q=1.0)
    with pytest.raises(DomainError, match="shape"):
        edge_law("relu", q=1.0).one_minus_c(5, [0.1, 0.2])
    with pytest.raises(DomainError, match="depth"):
        edge_law("relu", q=1.0).leading(0)
    assert edge_law("relu", q=1.0).one_minus_c(5, 0.0) == 0

"""The algebraic laws on the edge of chaos, against the iterated map."""

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


def test_wrong_universality_class_fails() -> None:
    law = edge_law("relu", q=1.0)
    path = law.correlations.compiled.path(1.0, 10_000)
    exact = 2 * np.sin(path[-1] / 2) ** 2
    with pytest.raises(AssertionError):  # negative control: 1/l in place of 1/l²
        np.testing.assert_allclose(1 / (law.kappa * 10_000), exact, rtol=0.5, atol=0)


def test_relu_constant_is_the_textbooks() -> None:
    law = edge_law("relu", q=1.0)
    np.testing.assert_allclose(law.kappa, 2 * 2**0.5 / (3 * np.pi), rtol=1e-15, atol=0)


def test_where_correlations_do_not_decay() -> None:
    with pytest.raises(DomainError, match=r"q\* = 0"):
        edge_law("tanh", sigma_b=0)
    with pytest.raises(DomainError, match="linear"):
        edge_law("identity", q=1.0)
    with pytest.raises(DomainError, match="depth"):
        edge_law("relu", q=1.0).leading(0)
    assert edge_law("relu", q=1.0).one_minus_c(5, 0.0) == 0

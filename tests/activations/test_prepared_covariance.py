"""Every kind of activation refuses the same covariances: beyond √(q1 q2) by more than rounding, or no numbers."""

import numpy as np
import pytest

from gpdeep import DomainError
from gpdeep.activations import activation

# a piecewise-linear one at 0, one elsewhere, a closed form, a Hermite series, a table of pairs
KINDS = ["relu", "crelu:0.5,1", "erf", "tanh", "elu"]


def both(name):
    return activation(name).covariance, activation(name).slope_covariance


@pytest.mark.parametrize("name", KINDS)
def test_slack_is_the_rounding_of_the_type(name):
    for covariance in both(name):
        q = 0.7
        exact = covariance(q, q, q)
        # E φφ moves by its slope times q·1e-9 at most, E φ'φ' with a kink by √(2·1e-9)
        np.testing.assert_allclose(covariance(q * (1 + 0.9e-9), q, q), exact, rtol=1e-4)
        covariance(np.float32(q * (1 + 0.8e-6)), q, q)
        for beyond in (q * (1 + 2e-9), -q * (1 + 2e-9), np.float32(q * (1 + 3e-6)), np.nan):
            with pytest.raises(DomainError, match="exceeds"):
                covariance(beyond, q, q)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("bad", ["0.5", True, None, 0.5j, [[0.1], [0.1, 0.2]]], ids=str)
def test_what_is_no_number_is_refused(name, bad):
    for covariance in both(name):
        for args in ((bad, 1.0, 1.0), (0.1, bad, 1.0), (0.1, 1.0, bad)):
            with pytest.raises(DomainError):
                covariance(*args)


@pytest.mark.parametrize("name", KINDS)
def test_tensors_are_held_to_the_same(name):
    torch = pytest.importorskip("torch")
    one = torch.ones(2, dtype=torch.float64)
    for covariance in both(name):
        assert torch.is_tensor(covariance(0.5 * one, one, 1.0))
        for k, q in ((one * (1 + 2e-9), one), (one * torch.nan, one), (one > 0, one), (one, 0 * one), (one, one > 0)):
            with pytest.raises(DomainError):
                covariance(k, q, one)

"""Leaky ResNets given what they are not made for: refused by name, and never left with weights that are not finite."""

import contextlib
import warnings

import numpy as np
import pytest

from gpdeep import ConvergenceError, DomainError

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from gpdeep.nn import AdaptiveSteps, LeakyResNet, adapt_steps, train_leaky  # noqa: E402


def network(**kwargs):
    return LeakyResNet(3, 6, 2.0, **({"dtype": torch.float64} | kwargs))


def rows(seed):
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("scale", [1e-3, 1e-8])
def test_tiny_data_are_trained_to_their_own_scale(scale):
    model = network()
    found = train_leaky(model, scale * rows(0), scale * rows(1), lam=0.01, adam_steps=50, lbfgs_steps=50)
    assert found.status.code == "ok"
    assert found.residual < 0.01


def test_huge_data_leave_finite_weights():
    """Whether training stops short or gives up: it says so, and the model can be used."""
    model = network()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the residual, which is not the claim here
        with contextlib.suppress(ConvergenceError):
            found = train_leaky(model, 1e6 * rows(0), 1e6 * rows(1), lam=0.01, adam_steps=50, lbfgs_steps=20)
            assert found.status.code == "not_converged"
    assert bool(torch.isfinite(model.weights).all())


def test_what_cannot_be_computed_leaves_the_weights_as_they_were():
    """A cost that becomes NaN on the way is an error, and the model is not lost."""
    model = network()
    before = model.weights.detach().clone()
    calls = []

    def cost(Z, Y):
        calls.append(1)
        value = (Z - Y).square().mean()
        return value if len(calls) < 5 else value * np.nan

    with pytest.raises(ConvergenceError, match="as it was before"):
        train_leaky(model, rows(0), rows(1), lam=0.01, cost=cost, adam_steps=50)
    assert torch.equal(model.weights, before)


REFUSED = {
    "no model": (lambda: train_leaky(torch.nn.Linear(3, 3), rows(0), rows(1), lam=0.1), "Linear"),
    "no module": (lambda: adapt_steps("model", rows(0)), "model is a str"),
    "no path": (lambda: LeakyResNet.from_geodesic(np.eye(2)), "result is a ndarray"),
    "a cost for each sample": (
        lambda: train_leaky(network(), rows(0), rows(1), lam=0.1, cost=lambda Z, Y: (Z - Y).square().mean(1)),
        r"cost made .* shape \(5,\)",
    ),
    "a cost outside torch": (
        lambda: train_leaky(network(), rows(0), rows(1), lam=0.1, cost=lambda Z, Y: 1.0),
        "cost made a float",
    ),
    "a type of numpy": (lambda: network(dtype=np.float64), "dtype"),
    "integers": (lambda: network(dtype=torch.int64), "dtype"),
    "complex numbers": (lambda: network(dtype=torch.complex64), "dtype"),
    "no such device": (lambda: network(device="nowhere"), "device"),
    "a negative bias": (lambda: network(bias=-1.0), "constant β is not negative"),
    "a start in words": (lambda: AdaptiveSteps(10, start="a"), "start"),
    "an end in words": (lambda: AdaptiveSteps(10, end="a"), "end"),
}


@pytest.mark.parametrize(("call", "says"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_by_name(call, says):
    with pytest.raises(DomainError, match=says) as error:
        call()
    assert error.value.change

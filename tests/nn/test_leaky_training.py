"""Training reaches a stationary point, and there the layers have one energy."""

import math

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

import json  # noqa: E402
from pathlib import Path  # noqa: E402

from gpdeep import load  # noqa: E402
from gpdeep.activations import activation  # noqa: E402
from gpdeep.errors import DomainError, ValidityWarning  # noqa: E402
from gpdeep.nn import AdaptiveSteps, LeakyResNet, adapt_steps, train_leaky  # noqa: E402
from gpdeep.result import StatusCode  # noqa: E402

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "leaky.json").read_text())
DOUBLE = {"dtype": torch.float64}
LAM = 0.01


def stored(family, name):
    (found,) = [entry for entry in REFERENCE[family] if entry["id"] == name]
    return found


def rows(entry):
    """Inputs and targets, as torch has them."""
    return np.array(entry["X"]).T, np.array(entry["Y"]).T


SOFT = stored("network", "network/P33/Lt3/L20/softplus/lam0.01")
RELU = stored("network", "network/P33/Lt3/L20/relu/lam0.01")


class StoredPath:
    """A stored geodesic, in the shape in which a solver gives it: W = L̃ B Sg(A)ᵀ, cubic between 17 nodes."""

    gamma = 0.0

    def __init__(self, name):
        entry = stored("smooth", name)
        self.X, self.Y = rows(entry)
        self.p, self.A, self.B = (np.array(entry["nodes"][key]) for key in "pAB")
        self.effective_depth, self.bias = entry["Lt"], entry["bias"]
        self.activation = f"softplus:{entry['sharpness']:g}"
        self.rank_like = entry["minus_2H_over_Lt"]

    def network(self, depth, steps=None):
        rho = np.full(depth, 1 / depth) if steps is None else np.asarray(steps)
        Sg = np.concatenate([activation(self.activation)(self.A), np.full_like(self.A[:, :1], self.bias)], axis=1)
        W = self.effective_depth * self.B @ Sg.transpose(0, 2, 1)
        return rho, CubicSpline(self.p, W)(np.cumsum(rho) - rho), None


@pytest.fixture(scope="module")
def trained():
    """From random weights, the smooth stored problem: model, result."""
    model = LeakyResNet(3, 20, 3.0, activation="softplus:5", **DOUBLE)
    return model, train_leaky(model, *rows(SOFT), lam=LAM, adam_steps=100, lbfgs_steps=100)


def test_the_stored_optimum_is_reached_from_random_weights(trained):
    model, found = trained
    np.testing.assert_allclose(found.objective, LAM * SOFT["objective_S_plus_C_over_lam"], rtol=1e-7)  # as stored
    np.testing.assert_allclose(found.action, SOFT["action"], rtol=1e-6)  # not stationary by itself: √(1e-7) is allowed
    assert found.status.code is StatusCode.OK
    assert found.residual < 1e-6
    np.testing.assert_allclose(found.objective, found.cost + LAM * found.action, rtol=1e-13)
    output = model(torch.from_numpy(rows(SOFT)[0])).detach().numpy()
    np.testing.assert_allclose(found.cost, ((output - rows(SOFT)[1]) ** 2).sum() / 3, rtol=1e-12)
    np.testing.assert_allclose(found.action, model.parameter_cost().item(), rtol=1e-13)


def test_energies_are_those_stored_and_the_corrected_ones_nearly_constant(trained):
    model, found = trained
    per_layer = -2 * found.energies / 3
    np.testing.assert_allclose(per_layer, SOFT["minus_2H_over_Lt_per_layer"], atol=1e-4)  # √(1e-7) as above
    np.testing.assert_allclose(
        -2 * found.corrected_energies / 3, SOFT["minus_2H_over_Lt_corrected_per_layer"], atol=1e-4
    )
    assert np.ptp(found.corrected_energies) < 0.1 * np.ptp(found.energies)
    np.testing.assert_allclose(found.rank_like, np.mean(-2 * found.corrected_energies / 3), rtol=1e-12)
    again = model.layer_energies(*rows(SOFT), lam=LAM)
    np.testing.assert_array_equal(again, found.corrected_energies)
    # negative control: half the action's weight, and the same network is no trajectory
    with pytest.warns(ValidityWarning, match="stationarity residual"):
        other = model.layer_energies(*rows(SOFT), lam=LAM / 2)
    assert np.ptp(other) > 10 * np.ptp(found.corrected_energies)


def test_phases_and_history_are_told(trained):
    _, found = trained
    assert found.phases == ("adam", "lbfgs", "newton")
    assert found.iterations[0] == 100
    assert len(found.history) >= 100 + 1 + found.iterations[1] // 10 + 1 + 1
    assert (np.diff(found.phase_objectives) <= 1e-12).all()
    assert found.phase_residuals[0] > 0.1 > found.phase_residuals[2]
    assert found.history[-1] == found.phase_objectives[-1]
    text = str(found)
    assert "20 leaky layers of softplus:5, L̃ = 3" in text
    assert "newton" in text


def test_the_result_is_saved_and_loaded(trained, tmp_path):
    _, found = trained
    assert load(found.save(tmp_path / "trained.json")) == found


def test_from_the_geodesic_it_is_a_few_iterations():
    path = StoredPath("smooth/P33/Lt3")
    gaps = []
    for layers in (80, 160, 320):
        model = LeakyResNet.from_geodesic(path, layers, **DOUBLE)
        gaps.append(np.abs(model(torch.from_numpy(path.X)).detach().numpy() - path.Y).max())
    assert abs(math.log2(gaps[0] / gaps[2]) / 2 - 1) < 0.1  # order 1 in the number of layers
    model = LeakyResNet.from_geodesic(path, 20, **DOUBLE)
    found = train_leaky(model, path.X, path.Y, lam=LAM, adam_steps=0, lbfgs_steps=0)
    np.testing.assert_allclose(found.objective, LAM * SOFT["objective_S_plus_C_over_lam"], rtol=1e-7)
    assert found.iterations.tolist()[0] <= 20
    # the energy of the network is that of the path up to O(1/L)
    assert abs(found.rank_like - path.rank_like) < 0.3


def test_kinks_are_rounded_for_newton_and_that_is_said():
    model = LeakyResNet(3, 20, 3.0, **DOUBLE)
    found = train_leaky(model, *rows(RELU), lam=LAM, adam_steps=50, lbfgs_steps=100)
    # rounding raises the objective by O(1/sharpness), within its slack of 1e-4
    np.testing.assert_allclose(found.objective, LAM * RELU["objective_S_plus_C_over_lam"], rtol=1e-4)
    assert found.status.code is StatusCode.OK
    assert "kinks of relu rounded" in found.status.messages[0]
    assert found.sharpness > 1e3
    assert found.residual < 1e-4
    assert np.ptp(found.corrected_energies) < 0.3 * np.ptp(found.energies)
    # as it is the network is far from stationary: entries rest on kinks
    assert model.stationarity_residual(*rows(RELU), lam=LAM) > 0.05
    rounded = model.stationarity_residual(*rows(RELU), lam=LAM, sharpness=found.sharpness)
    np.testing.assert_allclose(rounded, found.residual, rtol=1e-9)


def test_what_is_not_stationary_is_said_and_warned_of():
    model = LeakyResNet(3, 20, 3.0, **DOUBLE)
    with pytest.warns(ValidityWarning, match="energies of layers say nothing"):
        found = train_leaky(model, *rows(RELU), lam=LAM, adam_steps=20, lbfgs_steps=0, newton=False)
    assert found.status.code is StatusCode.NOT_CONVERGED
    assert "newton=True rounds them" in found.status.messages[0]
    assert found.sharpness == math.inf
    assert found.phases == ("adam",)


def test_nothing_to_do_is_a_report():
    model = LeakyResNet(3, 20, 3.0, activation="softplus:5", **DOUBLE)
    before = model.weights.detach().clone()
    with pytest.warns(ValidityWarning):
        found = train_leaky(model, *rows(SOFT), lam=LAM, adam_steps=0, lbfgs_steps=0, newton=False)
    assert torch.equal(model.weights, before)
    assert found.phases == ()
    assert len(found.history) == 0
    assert "leaky layers" in str(found)


def test_callback_and_adaptive_steps_come_in_time():
    model, calls = LeakyResNet(3, 20, 3.0, activation="softplus:5", **DOUBLE), []
    found = train_leaky(
        model,
        *rows(SOFT),
        lam=LAM,
        adam_steps=40,
        lbfgs_steps=40,
        adaptive=AdaptiveSteps(total=40, every=10),
        callback=lambda *told: calls.append(told),
    )
    assert [c[1] for c in calls if c[0] == "adam"] == list(range(1, 41))
    assert [c[1] for c in calls if c[0] == "lbfgs"] == [10, 20, 30, 40]
    assert np.ptp(found.steps) > 0.1 / 20
    np.testing.assert_allclose(found.steps, model.steps.numpy(), rtol=1e-14)
    assert found.residual < 1e-6
    # another mesh, another discrete optimum: within the O(1/L) by which each misses the path's action
    assert 1e-5 < abs(found.action / SOFT["action"] - 1) < 0.06


def test_adapted_steps_flatten_the_raw_energies():
    """From 0.50 to 0.24 on this path, where A changes fastest at both ends; the objective hardly knows the mesh."""
    path = StoredPath("smooth/P22/Lt7")
    model = LeakyResNet.from_geodesic(path, 20, **DOUBLE)
    options = {"lam": 1e-4, "adam_steps": 0, "lbfgs_steps": 0}
    equal = train_leaky(model, path.X, path.Y, **options)
    adapt_steps(model, path.X, blend=1.0)
    adapted = train_leaky(model, path.X, path.Y, **options)
    assert np.std(adapted.energies) < 0.6 * np.std(equal.energies)
    assert np.argmin(adapted.steps) in (0, 19)
    np.testing.assert_allclose(adapted.objective, equal.objective, rtol=0.03)


def test_learned_maps_are_stationary_too():
    X, Y = np.random.default_rng(0).standard_normal((2, 8, 2))
    model = LeakyResNet(
        4, 8, 2.0, activation="tanh", in_features=2, out_features=2, learn_read_in=True, learn_read_out=True, **DOUBLE
    )
    found = train_leaky(
        model, X, Y, lam=LAM, adam_steps=100, lbfgs_steps=200, read_in_penalty=0.5, read_out_penalty=0.25, tol=1e-8
    )
    assert found.status.code is StatusCode.OK
    E, R = model.read_in.detach().numpy(), model.read_out.detach().numpy()
    penalties = 0.5 * (0.5 * (E**2).sum() + 0.25 * (R**2).sum())
    np.testing.assert_allclose(found.objective, found.cost + LAM * (found.action + penalties), rtol=1e-12)
    # R = (2/(λ N c_out)) (Y - R A) Aᵀ; the residual is relative to R
    A = model.representations(torch.from_numpy(X))[-1].detach().numpy().T
    stationary = 2 / (LAM * 8 * 0.25) * (Y.T - R @ A) @ A.T
    assert np.linalg.norm(R - stationary) < 1e-7 * np.linalg.norm(R)
    wrong = 2 / (LAM * 8 * 0.5) * (Y.T - R @ A) @ A.T  # negative control
    assert np.linalg.norm(R - wrong) > 0.1 * np.linalg.norm(R)


def test_classes_and_costs_of_ones_own():
    """The cost by name ends with Newton's method, the same function with L-BFGS: at one point, from one valley."""
    rng = np.random.default_rng(1)
    X, classes = rng.standard_normal((12, 2)), rng.integers(0, 3, 12)
    model = LeakyResNet(4, 8, 2.0, activation="tanh", in_features=2, out_features=3, **DOUBLE)
    options = {"lam": LAM, "adam_steps": 0}
    named = train_leaky(model, X, classes, cost="cross_entropy", lbfgs_steps=0, **options)
    assert named.residual < 1e-6
    assert named.cost < math.log(3)
    with torch.no_grad():
        model.weights *= 1.001
    own = train_leaky(model, X, torch.from_numpy(classes), cost=torch.nn.functional.cross_entropy, **options)
    assert own.phases == ("lbfgs", "newton")
    assert own.status.messages[-1].startswith("Newton's method was left out")
    assert own.residual < 1e-4
    # F - F* is of the order of the squares of the residuals
    np.testing.assert_allclose(own.objective, named.objective, rtol=1e-7)


def test_float32_is_trained_to_its_rounding():
    model = LeakyResNet(3, 20, 3.0, activation="softplus:5")
    found = train_leaky(model, *rows(SOFT), lam=LAM, adam_steps=50, lbfgs_steps=100)
    assert model.weights.dtype == torch.float32
    # C/λ is a difference of outputs and targets, squared: eps/√(Cλ) of it, some thousand roundings
    np.testing.assert_allclose(found.objective, LAM * SOFT["objective_S_plus_C_over_lam"], rtol=1e-5)
    assert found.residual < 1e-3
    assert model.weights.grad is None


def test_a_rate_that_is_too_large_is_undone():
    model = LeakyResNet(3, 20, 3.0, activation="identity", **DOUBLE)
    before = model.weights.detach().clone()
    with pytest.warns(ValidityWarning):
        found = train_leaky(model, *rows(SOFT), lam=LAM, adam_steps=20, lbfgs_steps=0, newton=False, learning_rate=1e20)
    assert "Adam diverged" in found.status.messages[1]
    assert torch.equal(model.weights, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lam": -1.0}, r"lam = -1\.0"),
        ({"tol": 0.0}, r"tol = 0\.0"),
        ({"adam_steps": -1}, "adam_steps = -1"),
        ({"lbfgs_steps": 1.5}, r"lbfgs_steps = 1\.5"),
        ({"learning_rate": 0.0}, r"learning_rate = 0\.0"),
        ({"read_out_penalty": 0.0}, r"read_out_penalty = 0\.0"),
        ({"cost": "mse"}, "mse"),
    ],
)
def test_other_numbers_are_refused(options, message):
    model = LeakyResNet(3, 20, 3.0, **DOUBLE)
    with pytest.raises(DomainError, match=message):
        train_leaky(model, *rows(SOFT), **{"lam": LAM} | options)


def test_frozen_weights_are_not_trained():
    model = LeakyResNet(3, 20, 3.0, **DOUBLE).requires_grad_(False)
    with pytest.raises(DomainError, match="do not require gradients"):
        train_leaky(model, *rows(SOFT), lam=LAM)

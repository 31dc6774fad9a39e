"""Newton's equations without their matrix: the same products, solutions, paths and verdicts as with it."""

from __future__ import annotations

import numpy as np
import pytest
from stored_paths import entry

from gpdeep.leaky import geodesic, path_system
from gpdeep.leaky.boundary import Fixed, ReadOut
from gpdeep.leaky.elements import Path, gauss
from gpdeep.leaky.geometry import Geometry
from gpdeep.leaky.network_cost import SquaredCost
from gpdeep.leaky.nonlinearity import Nonlinearity
from gpdeep.leaky.path_krylov import KrylovNewton, Vector
from gpdeep.leaky.path_system import Held, PathAction


@pytest.fixture
def action_and_path():
    rng = np.random.default_rng(3)
    L, w, N = 5, 3, 4
    scheme = gauss(3)
    nodes = rng.normal(size=(L + 1, w, N))
    path = Path(
        rng.uniform(0.2, 0.5, L), nodes, 0.1 * rng.normal(size=(L, 2, w, N)), 0.3 * rng.normal(size=(L, 3, w, N))
    )
    end = ReadOut(SquaredCost(rng.normal(size=(2, N))), 0.3, rng.normal(size=(2, w)))
    return PathAction(Geometry(Nonlinearity.of("tanh"), 0.7, 0.2), scheme, Fixed(nodes[0]), end, 0.05), path


@pytest.mark.parametrize(("metric", "share"), [(100.0, 1.0), (300.0, 0.5), (2.0, 0.0)])
def test_solution_times_the_matrix_is_the_right_hand_side(action_and_path, metric, share):
    action, path = action_and_path
    state = action.state(path)
    krylov, direct = KrylovNewton(action, state, None), action.newton_matrix(state)
    factor = direct.factor(metric, share, indefinite=True)
    step, _ = factor.step()
    x = Vector(step.dA, step.dQ)
    product = krylov.product(x, metric, share)
    nodes = np.zeros((len(path.A), path.A[0].size))
    nodes[:-1] += state.gradient[:, 0]
    nodes[1:] += state.gradient[:, 1]
    nodes[-1] += action.end.gradient(path.A[-1]).ravel()
    nodes[0] = 0
    # both are exact; 1e-9 is the conditioning of this system times rounding
    np.testing.assert_allclose(product.nodes.reshape(nodes.shape), -nodes, rtol=0, atol=1e-9 * np.abs(nodes).max())
    inside = -state.gradient[:, 2:].reshape(product.bubbles.shape)
    np.testing.assert_allclose(product.bubbles, inside, rtol=0, atol=1e-9 * np.abs(nodes).max())


def test_preconditioner_inverts_the_frozen_metric(action_and_path):
    action, path = action_and_path
    action = PathAction(action.geometry, action.scheme, action.start, Fixed(path.A[-1]), action.delta)
    krylov = KrylovNewton(action, action.state(path), None)
    rng = np.random.default_rng(0)
    x = krylov.restricted(Vector(rng.normal(size=path.A.shape), rng.normal(size=path.Q.shape)))
    back = krylov.preconditioned(krylov.product_of_metric(x))
    np.testing.assert_allclose(back.flat(), x.flat(), rtol=0, atol=1e-10)


def test_softest_mode_has_the_sign_of_the_factorisation(action_and_path):
    action, path = action_and_path
    action = PathAction(action.geometry, action.scheme, action.start, Fixed(path.A[-1]), action.delta)
    for factor in (1.0, 5.0):  # large momenta bend the action down
        state = action.state(Path(path.h, path.A, path.Q, factor * path.B))
        definite = action.newton_matrix(state).factor() is not None
        assert (KrylovNewton(action, state, None).softest() > 0) == definite


def test_held_entries_do_not_move(action_and_path):
    action, path = action_and_path
    held = np.zeros(path.A.shape, dtype=bool)
    held[2, 1, 3] = True
    elements = np.zeros((5, 3, 4), dtype=bool)
    elements[1, 1, 3] = True
    factor = KrylovNewton(action, action.state(path), Held(held, elements)).factor(50.0, 0.0)
    step, promise = factor.step()
    assert step.dA[2, 1, 3] == 0
    assert not step.dQ[1, :, 1, 3].any()
    assert promise > 0


@pytest.mark.parametrize("problem", ["P33", "P44"])
def test_path_and_verdict_are_those_of_the_matrix(problem, monkeypatch):
    stored = entry(f"smooth/{problem}/Lt1")
    keywords = {"activation": "softplus:5", "bias": stored["bias"], "starts": 1}
    monkeypatch.setattr(path_system, "LARGEST_BLOCK", 1)
    found = geodesic(stored["X"], stored["Y"], 1.0, **keywords)
    assert found.action == pytest.approx(stored["S"], rel=1e-9)
    assert found.is_minimum


def test_a_wide_path_is_solved_in_seconds_and_conserves_energy():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 14, 10))
    found = geodesic(X, Y, 2.0, activation="tanh", starts=1, rtol=1e-4)
    assert found.is_minimum
    assert found.hamiltonian_drift < 1e-3 * abs(found.hamiltonian)
    assert found.action_error < 1e-4 * found.action

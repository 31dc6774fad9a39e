"""Paths of activations with kinks: stored ReLU solutions by events, arcs and their slopes, other kinks, fallbacks."""

from __future__ import annotations

import numpy as np
import pytest
from stored_paths import entries, entry, name, options

from gpdeep.leaky import geodesic
from gpdeep.leaky.boundary import Fixed
from gpdeep.leaky.elements import TRAPEZOID
from gpdeep.leaky.geometry import Geometry
from gpdeep.leaky.kink_events import codes, events
from gpdeep.leaky.kink_orthant import rest
from gpdeep.leaky.kink_rounding import rounded, sharpened
from gpdeep.leaky.mesh import equidistributed, transferred
from gpdeep.leaky.nonlinearity import Nonlinearity
from gpdeep.leaky.path_system import Held
from gpdeep.leaky.problem import PathProblem
from gpdeep.leaky.search import search


def problem_of(stored, activation="relu"):
    X, Y = np.array(stored["X"]), np.array(stored["Y"])
    geometry = Geometry(Nonlinearity.of(activation), stored["bias"], stored["gamma"])
    return PathProblem(geometry, stored["Lt"], Fixed(X), Fixed(Y), X, Y)


@pytest.fixture(scope="module")
def solved():
    return {}


def solution(solved, stored):
    if stored["id"] not in solved:
        solved[stored["id"]] = geodesic(
            stored["X"], stored["Y"], stored["Lt"], bias=stored["bias"], starts=1, rtol=1e-9
        )
    return solved[stored["id"]]


@pytest.mark.parametrize("stored", entries("relu"), ids=name)
def test_relu_paths_from_their_ends_alone_have_the_stored_action_or_a_lower_one(solved, stored):
    found = solution(solved, stored)
    # tol_S = 1e-8 and tol_H = 1e-7 are what the stored values are good to
    assert found.action <= stored["S"] + stored["tol_S"]
    if found.action > stored["S"] - 1e-4:
        assert abs(found.hamiltonian - stored["H"]) <= stored["tol_H"]
    assert found.is_minimum
    assert found.status.code == "ok"
    assert found.hamiltonian_drift < 1e-8


def test_relu_arcs_are_the_stored_ones(solved):
    stored = entry("relu/P33/Lt3")
    found = solution(solved, stored)
    times = dict(zip(map(tuple, (e[:3] for e in stored["events"])), stored["event_p"], strict=True))
    for arc in found.sliding:
        # the times are roots of the event conditions, 1e-7 there, over rates of order 1
        assert arc.start == pytest.approx(times["in", arc.neuron, arc.sample], abs=1e-6)
        assert arc.end == pytest.approx(times["out", arc.neuron, arc.sample], abs=1e-6)
    assert len(found.sliding) == 3
    at = found.at(np.linspace(0, 1, 401))[0]
    for arc in found.sliding:
        inside = (np.linspace(0, 1, 401) > arc.start) & (np.linspace(0, 1, 401) < arc.end)
        # the cubic between nodes that are exactly 0 on both sides
        np.testing.assert_allclose(at[inside, arc.neuron, arc.sample], 0, rtol=0, atol=1e-3)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu:0.2", "hard_tanh:0.7", "crelu:0.1,0.6"])
def test_trapezoidal_rule_with_entries_at_rest_is_stationary_from_both_sides(activation):
    problem = problem_of(entry("relu/P33/Lt1"), activation)
    near, _ = sharpened(problem, search(rounded(problem), starts=1).paths[0].near)
    path, momenta = near.state.path, near.state.momenta
    h = equidistributed(path.h, path.A, momenta, 60)
    scale = problem.kernel_scale()
    found = rest(
        problem.action(TRAPEZOID, 1e-3 * scale),
        transferred(path, momenta, near.action.scheme, TRAPEZOID, h),
        least=1e-6 * scale,
    )
    assert found.converged
    kinks = np.array([t for t, _ in problem.geometry.phi.kinks])
    A, action = found.state.path.A, found.action
    assert np.isin(A[found.held], kinks).all()
    value = found.state.value
    move = 1e-6
    for node, a, i in np.argwhere(found.held)[:6]:
        for sign in (-1.0, 1.0):  # the action rises to either side; its curvature is of order 1/h
            moved = found.state.path.A.copy()
            moved[node, a, i] += sign * move
            other = action.state(type(path)(h, moved, found.state.path.Q, found.state.path.B))
            assert other.value > value - 1e-12
    free = action.node_gradient(found.state, Held(found.held))
    assert np.abs(free).max() < 1e-7


@pytest.mark.parametrize("activation", ["leaky_relu:0.2", "hard_tanh:0.7"])
def test_other_piecewise_linear_activations_conserve_energy_to_high_order(activation):
    stored = entry("relu/P22/Lt1")
    found = geodesic(stored["X"], stored["Y"], 1.0, activation=activation, starts=1)
    assert found.status.code == "ok"
    assert found.hamiltonian_drift < 1e-7 * max(1.0, abs(found.hamiltonian))
    assert found.is_minimum


def test_kinks_without_straight_pieces_are_extrapolated_and_say_so():
    stored = entry("relu/P22/Lt1")
    found = geodesic(stored["X"], stored["Y"], 1.0, activation="selu", starts=1, rtol=1e-3)
    assert any("extrapolated" in message for message in found.status.messages)
    assert 0 < found.action_error < 1e-3 * found.action


def test_excess_of_rounded_relu_falls_at_least_like_one_over_k():
    stored = entry("relu/P22/Lt3")
    excess = []
    for k in (40, 80):
        rough = geodesic(stored["X"], stored["Y"], 3.0, activation=f"softplus:{k}", starts=1)
        excess.append(rough.action - stored["S"])
    # c ln 2/k at the kinks, less what the path gains by moving away from them, which is of order 1/k²
    assert 1.0 <= np.log2(excess[0] / excess[1]) <= 2.0
    assert excess[1] > 1e-3


def test_smooth_method_on_relu_misses_what_rests():
    """Negative control: Newton's method with the mean slope at kinks, as if ReLU were smooth, ends elsewhere."""
    stored = entry("relu/P33/Lt3")
    problem = problem_of(stored)
    found = search(problem.with_phi(Nonlinearity.of("softplus:20")), starts=1).paths[0]
    assert abs(found.value - stored["S"]) > 1e-3


def test_events_read_crossings_arcs_and_ends():
    t = np.arange(7.0)
    A = np.array(
        [
            [1.0, 1.0, -1.0, -1.0, 1.0, 1.0, 1.0],  # crosses down at 1.5 and up at 3.5
            [1.0, 0.0, 0.0, 0.0, -1.0, -1.0, -1.0],  # rests from 1 to 3
            [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0],  # rests from the start to 2, ends on the kink
            [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0],  # touches
        ]
    ).T[:, :, None]
    found, initial = events(t, A, np.array([0.0]))
    read = [(e.kind, e.neuron, e.t, e.after) for e in found]
    assert read == [
        ("in", 1, 1.0, 1),
        ("cross", 0, 1.5, 0),
        ("out", 2, 2.0, 2),
        ("out", 1, 3.0, 0),
        ("cross", 0, 3.5, 2),
    ]
    assert initial[:, 0].tolist() == [2, 2, 1, 2]
    assert codes(np.array([-1.0, 0.0, 1.0]), np.array([0.0])).tolist() == [0, 1, 2]


CLOSED = [e for e in entries("closed_form") if e["activation"] == "relu"]


@pytest.mark.parametrize("stored", CLOSED, ids=name)
def test_closed_forms_of_relu_are_met_from_their_ends_alone(solved, stored):
    keywords = options(stored)
    Y = stored["Y"]
    if stored["bc"] == "terminal":
        keywords["terminal_weight"], Y = stored["lam"], stored["Y_target"]
    key = repr((stored["X"], Y, stored["Lt"], keywords))
    if key not in solved:  # the critical points of one problem are several closed forms
        solved[key] = geodesic(stored["X"], Y, stored["Lt"], rtol=1e-10, **keywords)
    # 1e-10 of the action: that is rtol
    tolerance = 1e-10 * max(1, abs(stored["S"]))
    matching = [p for p in solved[key].critical_points if abs(p.action - stored["S"]) <= tolerance]
    assert matching, [(p.action, p.kind) for p in solved[key].critical_points]
    assert matching[0].hamiltonian == pytest.approx(stored["H"], rel=1e-9, abs=1e-10)
    assert matching[0].kind == ("minimum" if stored.get("local_min", True) else "saddle")

"""Geodesics: stored paths again, from their nodes and from both ends alone; closed forms; what is true of every one."""

import json
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from scipy.special import softmax
from stored_paths import entries, entry, name, options

from gpdeep.leaky import geodesic, hamiltonian
from gpdeep.leaky.elements import Path, gauss
from gpdeep.leaky.geodesic_arguments import end_points
from gpdeep.leaky.geodesics import result_of
from gpdeep.leaky.search import Found, search

SMOOTH = entries("smooth")
PROBLEMS = ("P22", "P33", "P43", "P44", "P35")
DEPTHS = (1.0, 3.0, 7.0)


def asked(path):
    """X, Y and L̃ with all options of a stored path."""
    terminal = {"terminal_weight": path["lam"]} if path["bc"] == "terminal" else {}
    return (path["X"], path.get("Y_target", path["Y"]), path["Lt"]), options(path) | terminal


def nodes(path):
    return tuple(path["nodes"][key] for key in "pAB")


@lru_cache
def found(problem, depth):
    """What four starts find from both ends alone."""
    path = entry(f"smooth/{problem}/Lt1")
    return geodesic(path["X"], path["Y"], depth, starts=4, **options(path))


BOTH_ENDS = pytest.mark.parametrize("problem", PROBLEMS)
EACH_DEPTH = pytest.mark.parametrize("depth", DEPTHS)


def lowest_listed(problem, depth):
    """The least action that is stored for a problem at a depth, None where none is."""
    return min(
        (
            path["S"]
            for path in SMOOTH
            if path["id"].startswith(f"smooth/{problem}/Lt{depth:g}/") or path["id"] == f"smooth/{problem}/Lt{depth:g}"
        ),
        default=None,
    )


# ------------------------------------------------------------------------------------ stored paths


@pytest.mark.parametrize("path", SMOOTH, ids=name)
def test_stored_paths_are_found_again_from_their_nodes(path):
    # as many digits as the mesh gives: tol_S is ten times what independent methods differ by, from 1e-11 of S on
    ends, kwargs = asked(path)
    again = geodesic(*ends, start=nodes(path), rtol=1e-12, **kwargs)
    np.testing.assert_allclose(again.action, path["S"], rtol=0, atol=path["tol_S"])
    np.testing.assert_allclose(again.hamiltonian, path["H"], rtol=0, atol=path["tol_H"])
    np.testing.assert_allclose(again.rank_like, path["minus_2H_over_Lt"], rtol=0, atol=2 * path["tol_H"] / path["Lt"])
    assert again.is_minimum
    assert again.residual < 1e-6
    if path["bc"] == "terminal":
        np.testing.assert_allclose(again.objective, path["total"], rtol=0, atol=path["lam"] * path["tol_S"])
    A, B = again.at(path["nodes"]["p"])
    # cubic interpolation between nodes 1/40 of the path or less apart, its layers denser
    for have, want in ((A, path["nodes"]["A"]), (B, path["nodes"]["B"])):
        np.testing.assert_allclose(have, want, rtol=0, atol=2e-3 * np.abs(want).max())


@BOTH_ENDS
@EACH_DEPTH
def test_both_ends_alone_lead_to_the_lowest_listed_path(problem, depth):
    best, listed = found(problem, depth), lowest_listed(problem, depth)
    assert best.is_minimum
    assert best.status.code == "ok"
    assert best.action == min(point.action for point in best.critical_points)
    if listed is not None:
        assert best.action <= listed * (1 + 1e-7)


@BOTH_ENDS
@EACH_DEPTH
def test_one_start_from_the_straight_line_finds_a_minimum(problem, depth):
    path = entry(f"smooth/{problem}/Lt1")
    quick = geodesic(path["X"], path["Y"], depth, starts=1, **options(path))
    assert quick.is_minimum
    assert quick.status.code == "ok"
    assert quick.action >= found(problem, depth).action * (1 - 1e-8)


FROM_ENDS = [path for path in SMOOTH if (path["bc"] == "terminal" or path["gamma"]) and path["Lt"] <= 7]


@pytest.mark.parametrize("path", FROM_ENDS, ids=name)
def test_terminal_costs_and_gamma_from_both_ends_alone(path):
    ends, kwargs = asked(path)
    best = geodesic(*ends, starts=2, **kwargs)
    assert best.is_minimum
    assert best.objective <= path.get("total", path["S"]) * (1 + 1e-7)


def test_listed_critical_points_are_stationary_paths_of_their_own():
    best = found("P33", 7.0)
    path = entry("smooth/P33/Lt7/second")
    actions = [point.action for point in best.critical_points]
    assert actions == sorted(actions)
    assert np.abs(np.array(actions) / path["S"] - 1).min() < 1e-7
    for point in best.critical_points:
        energies = hamiltonian(point.A, point.B, 7.0, **options(path))
        # what 1e-8 of the action leaves of the energy, and their medians
        np.testing.assert_allclose(energies, point.hamiltonian, rtol=0, atol=1e-5)
        np.testing.assert_allclose(point.A[[0, -1]], [path["X"], path["Y"]], rtol=0, atol=1e-14)
        np.testing.assert_allclose(point.rank_like, -2 * point.hamiltonian / 7)


# ------------------------------------------------------------------------------------ closed forms

SMOOTH_FORMS = [path for path in entries("closed_form") if "/kink/" not in path["id"] and "gamma1e-4" not in path["id"]]


@pytest.mark.parametrize("path", SMOOTH_FORMS, ids=name)
def test_closed_forms_from_both_ends_alone(path):
    """With φ = id, which on their positive entries is ReLU; S and H to 1e-10."""
    ends, kwargs = asked(path)
    best = geodesic(*ends, rtol=1e-12, **kwargs | {"activation": "identity"})
    np.testing.assert_allclose(best.action, path["S"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(best.hamiltonian, path["H"], rtol=0, atol=1e-10)
    assert best.is_minimum
    if path["bc"] == "terminal":
        np.testing.assert_allclose(best.objective, path["total"], rtol=0, atol=1e-10)
        np.testing.assert_allclose(best.A[-1], path["Y"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("w", [2, 4])
def test_one_sample_turns_by_the_angle_between_its_ends(w):
    """N = 1: S = ((log r₁/r₀ + L̃)² + θ²)/2L̃."""
    X, Y = np.random.default_rng(w).uniform(0.3, 2, size=(2, w, 1))
    rho, size = np.log(np.linalg.norm(Y) / np.linalg.norm(X)), np.linalg.norm(X) * np.linalg.norm(Y)
    theta = np.arccos((X * Y).sum() / size)
    best = geodesic(X, Y, 4.0, activation="identity", bias=0.0, rtol=1e-12)
    np.testing.assert_allclose(best.action, ((rho + 4) ** 2 + theta**2) / 8, rtol=1e-12)
    # negative control: without the leak
    assert abs(best.action - (rho**2 + theta**2) / 8) > 1


# ------------------------------------------------------------------------------------ what is true of every geodesic


@BOTH_ENDS
@EACH_DEPTH
def test_estimated_error_is_above_the_true_one(problem, depth):
    best = found(problem, depth)
    assert best.action_error <= 1e-8 * best.action
    finer = geodesic(best.A[0], best.A[-1], depth, start=best, rtol=1e-11, **options(entry(f"smooth/{problem}/Lt1")))
    # rounding: ε S times some 10² elements
    assert abs(best.action - finer.action) <= best.action_error + 1e-13 * best.action


@BOTH_ENDS
@EACH_DEPTH
def test_energy_is_constant_along_the_path(problem, depth):
    best = found(problem, depth)
    energies = hamiltonian(best.A, best.B, depth, **options(entry(f"smooth/{problem}/Lt1")))
    np.testing.assert_allclose(np.ptp(energies), best.hamiltonian_drift, rtol=1e-6, atol=1e-12)
    # an action to 1e-8 is one of order 2m, of which momenta have the half at worst: 1e-4; seen are 1e-8 and less
    assert best.hamiltonian_drift < 1e-6 * max(abs(best.hamiltonian), best.action)
    # negative control: with other features there is no constant
    assert np.ptp(hamiltonian(best.A, best.B, depth, activation="softplus:4", bias=best.bias)) > 1e-3


DERIVATIVES = [("smooth/P33/Lt3", 0.0), ("smooth/P44/Lt3", 0.0), ("smooth/P35/Lt3", 0.0), ("smooth/P22/Lt7", 0.01)]


@pytest.mark.parametrize(("of", "gamma"), DERIVATIVES)
def test_derivatives_of_the_action_are_momenta_and_energy(of, gamma):
    """dS*/dX = -B_0, dS*/dY = B_1, dS*/dL̃ = -H/L̃ (Hamilton & Jacobi), by differences of fourth order."""
    _, problem, depth = of.split("/")
    path = entry(f"smooth/{problem}/Lt1")
    X, Y, T, kwargs = path["X"], path["Y"], float(depth[2:]), options(path) | {"gamma": gamma}
    base = geodesic(X, Y, T, starts=1, rtol=1e-10, **kwargs)

    def action(dX=0.0, dY=0.0, dT=0.0):
        near = geodesic(X + dX, Y + dY, T + dT, start=base, rtol=1e-10, **kwargs)
        return near.action

    def slope(**direction):
        """With h = 4e-3: h⁴ S⁽⁵⁾/30 is 1e-11 S⁽⁵⁾, and rounding 1e-10 S/h = 3e-8 S."""
        h = 4e-3
        f1, f2, f3, f4 = (action(**{key: k * h * d for key, d in direction.items()}) for k in (1, -1, 2, -2))
        return (8 * (f1 - f2) - (f3 - f4)) / (12 * h)

    rng = np.random.default_rng(0)
    dX, dY = rng.normal(size=(2, *X.shape))
    dX, dY = dX / np.linalg.norm(dX), dY / np.linalg.norm(dY)
    size = max(1.0, np.linalg.norm(base.B[0]), np.linalg.norm(base.B[-1]))
    np.testing.assert_allclose(slope(dX=dX), -(base.B[0] * dX).sum(), rtol=0, atol=1e-6 * size)
    np.testing.assert_allclose(slope(dY=dY), (base.B[-1] * dY).sum(), rtol=0, atol=1e-6 * size)
    np.testing.assert_allclose(slope(dT=1.0), -base.hamiltonian / T, rtol=0, atol=1e-6)


def test_slope_of_the_objective_in_its_weight_is_the_action():
    """d(C + λS)/dλ = S at the optimum."""
    path = entry("terminal/P33/Lt3/lam0.01")
    (X, Y, T), kwargs = asked(path)
    h = 1e-4

    def objective(lam):
        return geodesic(X, Y, T, start=nodes(path), rtol=1e-11, **kwargs | {"terminal_weight": lam}).objective

    f1, f2, f3, f4 = (objective(0.01 + k * h) for k in (1, -1, 2, -2))
    # (h/λ)⁴ = 1e-8 of S
    np.testing.assert_allclose((8 * (f1 - f2) - (f3 - f4)) / (12 * h), path["S"], rtol=1e-7)


# ------------------------------------------------------------------------------------ minimum or saddle


def bent():
    """From one side of 0 to the other: straight through the nearly singular kernel at 0, or around it."""
    return (np.array([[1.0], [0.0]]), np.array([[-1.0], [0.0]]), 3.0), {
        "activation": "identity",
        "bias": 0.0,
        "gamma": 0.05,
    }


def test_a_path_that_symmetry_keeps_on_a_saddle_is_called_one():
    ends, kwargs = bent()
    straight = geodesic(*ends, starts=1, **kwargs)
    assert np.abs(straight.A[:, 1]).max() < 1e-12
    assert not straight.is_minimum
    assert straight.status.code == "not_converged"
    assert "saddle" in straight.status.messages[0]
    around = geodesic(*ends, **kwargs)
    assert around.is_minimum
    assert np.abs(around.A[:, 1]).max() > 0.3
    assert around.action < straight.action - 0.5
    assert around.critical_points[0].kind == "minimum"
    assert "saddle" in [point.kind for point in around.critical_points]


def test_a_saddle_lies_lower_on_one_side():
    """A direction of negative curvature, by hand: the discrete action falls when the path steps aside."""
    (X, Y, T), kwargs = bent()
    saddle = geodesic(X, Y, T, starts=1, **kwargs)
    none = dict.fromkeys(("terminal_weight", "read_in", "read_out", "read_in_penalty", "read_out_penalty", "width")) | {
        "cost": "squared"
    }
    action = end_points(X, Y, T, **kwargs, **none).action(gauss(1))
    h = np.diff(saddle.p) * T

    def value(aside):
        A = saddle.A.copy()
        A[:, 1, 0] = aside * np.sin(np.pi * saddle.p)
        return action.state(Path(h, A, np.zeros((len(h), 0, *X.shape)), np.zeros((len(h), 1, *X.shape)))).value

    assert value(0.1) < value(0.0) - 0.01
    np.testing.assert_allclose(value(0.1), value(-0.1), rtol=1e-12)


def twice_as_fine(point):
    """A critical point on half its steps, straight between its nodes."""
    p = np.sort(np.concatenate([point.p, 0.5 * (point.p[1:] + point.p[:-1])]))
    halves = [
        np.stack([np.interp(p, point.p, column) for column in M.reshape(len(M), -1).T], 1).reshape(-1, *M.shape[1:])
        for M in (point.A, point.B)
    ]
    return p, *halves


@pytest.mark.parametrize(("problem", "depth"), [("P33", 7.0), ("P22", 7.0), ("P44", 7.0)])
def test_two_meshes_agree_on_what_is_a_minimum(problem, depth):
    kwargs = options(entry(f"smooth/{problem}/Lt1"))
    for point in found(problem, depth).critical_points[:2]:
        again = geodesic(point.A[0], point.A[-1], depth, start=twice_as_fine(point), **kwargs)
        assert len(again.p) >= 2 * len(point.p) - 1
        np.testing.assert_allclose(again.action, point.action, rtol=1e-7)
        assert again.is_minimum == (point.kind == "minimum")


def test_two_meshes_agree_on_what_is_a_saddle():
    ends, kwargs = bent()
    saddle = geodesic(*ends, starts=1, **kwargs).critical_points[0]
    again = geodesic(*ends, start=twice_as_fine(saddle), **kwargs)
    np.testing.assert_allclose(again.action, saddle.action, rtol=1e-7)
    assert not again.is_minimum


# ------------------------------------------------------------------------------------ read-in, read-out, costs


def test_end_of_a_terminal_cost_is_where_its_pull_is_the_momentum():
    """B_1 = (2/λN) Rᵀ(Y - R A_1)."""
    rng = np.random.default_rng(1)
    X, Y, E, R = rng.normal(size=(2, 4)), rng.normal(size=(2, 4)), rng.normal(size=(3, 2)), rng.normal(size=(2, 3))
    best = geodesic(X, Y, 2.0, activation="softplus:5", terminal_weight=0.05, read_in=E, read_out=R, starts=2)
    assert best.status.code == "ok"
    np.testing.assert_allclose(best.A[0], E @ X, rtol=1e-15)
    np.testing.assert_allclose(best.B[-1], 2 / (0.05 * 4) * R.T @ (Y - R @ best.A[-1]), rtol=0, atol=1e-9)
    cost = ((Y - R @ best.A[-1]) ** 2).sum() / 4
    np.testing.assert_allclose(best.objective, cost + 0.05 * best.action, rtol=1e-12)
    np.testing.assert_array_equal(best.read_out, R)


@pytest.mark.parametrize(("lam", "price"), [(0.05, 0.3), (0.01, 0.3), (0.05, 0.05)])
def test_learned_maps_are_those_of_both_ends(lam, price):
    """E = B_0 Xᵀ/c_in, A_0 = E X, R = (2/λN c_out)(Y - R A_1) A_1ᵀ."""
    X, Y = np.random.default_rng(0).normal(size=(2, 2, 3))
    prices = {"read_in_penalty": price, "read_out_penalty": 2 * price}
    best = geodesic(X, Y, 2.0, activation="softplus:5", terminal_weight=lam, width=3, starts=1, **prices)
    assert best.status.code == "ok"
    E, R = best.read_in, best.read_out
    # gradients to 1e-10 of entries up to 2/λN = 70
    np.testing.assert_allclose(best.A[0], E @ X, rtol=0, atol=1e-10)
    np.testing.assert_allclose(best.B[0] @ X.T / price, E, rtol=0, atol=1e-8)
    pull = 2 / (lam * 3) * (Y - R @ best.A[-1])
    np.testing.assert_allclose(pull @ best.A[-1].T / (2 * price), R, rtol=0, atol=1e-8)
    np.testing.assert_allclose(R.T @ pull, best.B[-1], rtol=0, atol=1e-8)
    cost = ((Y - R @ best.A[-1]) ** 2).sum() / 3
    penalties = 0.5 * price * ((E**2).sum() + 2 * (R**2).sum())
    np.testing.assert_allclose(best.objective, cost + lam * (best.action + penalties), rtol=1e-12)


def test_learned_read_in_before_a_fixed_end():
    rng = np.random.default_rng(2)
    X, Y = rng.normal(size=(2, 4)), rng.normal(size=(3, 4))
    best = geodesic(X, Y, 2.0, activation="softplus:5", read_in_penalty=0.3, starts=1)
    np.testing.assert_allclose(best.B[0] @ X.T / 0.3, best.read_in, rtol=0, atol=1e-9)
    np.testing.assert_allclose(best.objective, best.action + 0.15 * (best.read_in**2).sum(), rtol=1e-12)
    # negative control: the given embedding costs more
    held = geodesic(np.eye(3, 2) @ X, Y, 2.0, activation="softplus:5", starts=1)
    assert best.objective < held.action + 0.15 * 2


def test_end_of_cross_entropy_is_pulled_by_what_softmax_misses():
    """B_1 = (1/λN) Rᵀ(onehot - softmax(R A_1))."""
    rng = np.random.default_rng(3)
    X, R, classes = rng.normal(size=(3, 4)), rng.normal(size=(3, 3)), np.array([0, 1, 2, 1])
    kwargs = {"activation": "softplus:5", "terminal_weight": 0.05, "cost": "cross_entropy", "starts": 1}
    best = geodesic(X, classes, 2.0, read_out=R, **kwargs)
    assert best.status.code == "ok"
    onehot, p = np.eye(3)[:, classes], softmax(R @ best.A[-1], axis=0)
    np.testing.assert_allclose(best.B[-1], R.T @ (onehot - p) / (0.05 * 4), rtol=0, atol=1e-9)
    cost = -np.log(p[classes, np.arange(4)]).mean()
    np.testing.assert_allclose(best.objective, cost + 0.05 * best.action, rtol=1e-12)
    columns = geodesic(X, onehot, 2.0, read_out=R, **kwargs)
    assert columns.action == best.action


# ------------------------------------------------------------------------------------ the search


def test_the_same_seed_gives_the_same_digits_and_workers_change_none():
    path = entry("smooth/P22/Lt7")
    kwargs = {"starts": 3, "seed": 5, **options(path)}
    one, again = (geodesic(path["X"], path["Y"], 7.0, **kwargs) for _ in range(2))
    two = geodesic(path["X"], path["Y"], 7.0, workers=2, **kwargs)
    for other in (again, two):
        np.testing.assert_array_equal(other.A, one.A)
        np.testing.assert_array_equal(other.B, one.B)
        assert [p.action for p in other.critical_points] == [p.action for p in one.critical_points]


def test_more_starts_keep_what_fewer_found():
    path = entry("smooth/P33/Lt7")
    few, many = (geodesic(path["X"], path["Y"], 7.0, starts=n, **options(path)) for n in (2, 6))
    assert many.action <= few.action * (1 + 1e-9)
    assert len(many.critical_points) >= len(few.critical_points)


class Once:
    """A user who loses patience after some calls of progress."""

    def __init__(self, after):
        self.after, self.calls = after, []

    def __call__(self, done, total):
        self.calls.append((done, total))
        if len(self.calls) == self.after:
            raise KeyboardInterrupt


def test_an_interrupted_search_answers_with_what_it_has():
    path = entry("smooth/P33/Lt3")
    patience = Once(3)
    best = geodesic(path["X"], path["Y"], 3.0, progress=patience, **options(path))
    assert best.status.code == "not_converged"
    assert "interrupted" in best.status.messages[0]
    assert best.residual < 1e-8
    np.testing.assert_allclose(best.action, path["S"], rtol=1e-8)  # the straight line's


def test_the_first_path_survives_an_interruption_right_after_it():
    path = entry("smooth/P33/Lt3")
    best = geodesic(path["X"], path["Y"], 3.0, progress=Once(1), **options(path))
    np.testing.assert_allclose(best.action, path["S"], rtol=1e-8)


def test_progress_counts_up_to_no_more_than_its_total():
    path, told = entry("smooth/P22/Lt3"), Once(0)
    geodesic(path["X"], path["Y"], 3.0, progress=told, **options(path))
    done = [d for d, _ in told.calls]
    assert done == sorted(done)
    assert len({total for _, total in told.calls}) == 1
    assert done[-1] <= told.calls[0][1]


# ------------------------------------------------------------------------------------ what is said


@pytest.mark.parametrize("rtol", [1e-3, 1e-7, 1e-11])
def test_status_says_whether_the_accuracy_was_met(rtol):
    for path in (entry("smooth/P22/Lt7"), entry("smooth/P35/Lt3")):
        ends, kwargs = asked(path)
        best = geodesic(*ends, start=nodes(path), rtol=rtol, **kwargs)
        assert (best.status.code == "ok") == (best.action_error <= rtol * best.action)
        assert abs(best.action - path["S"]) <= max(rtol * best.action, path["tol_S"])
        assert best.options["rtol"] == rtol


WANTING = {
    "not converged": ({"converged": False}, "equations are solved to"),
    "inaccurate": ({"error": 1.0}, "estimated error 1 of the action is above the 1e-09"),
    "a saddle": ({"positive": (False, False)}, "saddle"),
    "a minimum of one mesh only": ({"positive": (False, True)}, "Only the finest"),
}


@pytest.mark.parametrize(("changed", "says"), WANTING.values(), ids=WANTING)
def test_status_names_what_failed(changed, says):
    none = dict.fromkeys(("terminal_weight", "read_in", "read_out", "read_in_penalty", "read_out_penalty", "width"))
    path = entry("smooth/P22/Lt1")
    problem = end_points(path["X"], path["Y"], 1.0, cost="squared", **options(path), **none)
    (critical,) = search(problem, starts=1).paths
    asked_for = {"rtol": 1e-9, "starts": 1}
    good = result_of(Found((critical,), 1), asked_for, 1e-9, None)
    assert good.status.code == "ok"
    assert not good.status.messages
    bad = result_of(Found((replace(critical, **changed),), 1), asked_for, 1e-9, None)
    assert bad.status.code == "not_converged"
    assert says in bad.status.messages[0]
    late = result_of(Found((critical,), 1, interrupted=True), asked_for, 1e-9, None)
    assert "interrupted" in late.status.messages[0]


def test_more_samples_than_features_are_told():
    told = [problem for problem in PROBLEMS if any("More samples" in m for m in found(problem, 1.0).status.messages)]
    assert told == ["P35"]
    path = entry("gamma/P35/Lt3/gamma0.01")
    (X, Y, T), kwargs = asked(path)
    assert not geodesic(X, Y, T, start=nodes(path), **kwargs).status.messages


def test_results_print_and_become_json():
    best = found("P33", 7.0)
    table = str(best)
    for word in ("geodesic of softplus", "action S", "H =", "also stationary", "a minimum"):
        assert word in table
    plain = json.loads(json.dumps(best.to_dict()))
    assert plain["command"] == "geodesic"
    assert plain["action"] == best.action
    assert len(plain["critical_points"]) == len(best.critical_points)


def test_result_continues_itself():
    best = found("P33", 3.0)
    again = geodesic(best.A[0], best.A[-1], 3.0, start=best, **options(entry("smooth/P33/Lt3")))
    np.testing.assert_allclose(again.action, best.action, rtol=1e-9)
    without_momenta = geodesic(best.A[0], best.A[-1], 3.0, start=(best.p, best.A), **options(entry("smooth/P33/Lt3")))
    np.testing.assert_allclose(without_momenta.action, best.action, rtol=1e-8)

"""Training to stationarity: derivatives, the metric, both costs, learned ends, continuation, and refusals."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_softmax
from stored_paths import entries, entry, name

from gpdeep import DomainError, MemoryBudgetError, ValidityWarning, load
from gpdeep.leaky.geometry import Geometry
from gpdeep.leaky.network import backward, forward, stationarity_residual
from gpdeep.leaky.network_continuation import continue_network, held
from gpdeep.leaky.network_cost import CrossEntropy, SquaredCost, cost_of, softmax
from gpdeep.leaky.network_descent import descend
from gpdeep.leaky.network_newton import train_network
from gpdeep.leaky.network_objective import Objective, Parameters
from gpdeep.leaky.nonlinearity import Nonlinearity
from gpdeep.leaky.steihaug import steihaug
from gpdeep.leaky.tangent_kernel import GaussNewton, tangent_kernel

WIDTH, SAMPLES, OUTPUTS, INPUTS, LAYERS, WEIGHT = 4, 5, 3, 2, 6, 0.3
CASES = [(cost, learned) for cost in ("squared", "cross_entropy") for learned in (False, True)]


def tiny(cost, learned, bias=0.8):
    """A network small enough for dense matrices, at random weights: the objective and the parameters."""
    rng = np.random.default_rng(0)
    target = {"squared": rng.normal(size=(OUTPUTS, SAMPLES)), "cross_entropy": rng.integers(0, OUTPUTS, SAMPLES)}[cost]
    E, R = rng.normal(size=(WIDTH, INPUTS)), rng.normal(size=(OUTPUTS, WIDTH))
    rho = rng.uniform(0.5, 1.5, size=LAYERS)
    objective = Objective(
        X=rng.normal(size=(INPUTS, SAMPLES)),
        cost=cost_of(cost, target, OUTPUTS, SAMPLES),
        h=2.0 * rho / rho.sum(),
        geometry=Geometry(Nonlinearity.of("relu", 5.0), bias=bias),
        terminal_weight=WEIGHT,
        read_in=None if learned else E,
        read_out=None if learned else R,
        in_penalty=0.7 if learned else None,
        out_penalty=1.3 if learned else None,
    )
    return objective, Parameters(rng.normal(size=(LAYERS, WIDTH, WIDTH + bool(bias))), E, R)


def along(objective, parameters, step):
    """The point a step away."""
    return objective.at(objective.unflat(objective.flat(parameters) + step, parameters))


def jacobian(objective, parameters):
    """∂Z/∂parameters by central differences, rows over samples and within them outputs."""
    n, step = objective.flat(parameters).size, 1e-5
    columns = []
    for unit in np.eye(n):
        shift = step * unit
        difference = along(objective, parameters, shift).Z - along(objective, parameters, -shift).Z
        columns.append(difference.T.ravel() / (2 * step))
    return np.array(columns).T


@pytest.mark.parametrize(("cost", "learned"), CASES)
@pytest.mark.parametrize("bias", [0.0, 0.8])
def test_gradient_and_hessian_are_differences_of_the_objective(cost, learned, bias):
    objective, parameters = tiny(cost, learned, bias)
    point, step = objective.at(parameters), 1e-5
    for direction in np.random.default_rng(1).normal(size=(3, point.gradient.size)):
        ahead, behind = along(objective, parameters, step * direction), along(objective, parameters, -step * direction)
        # central differences: step² times a third derivative, some 1e-8 of the first and 1e-7 of the second
        slope = (ahead.value - behind.value) / (2 * step)
        np.testing.assert_allclose(point.gradient @ direction, slope, rtol=1e-6, atol=1e-6)
        bent = (ahead.gradient - behind.gradient) / (2 * step)
        product = point.hessian_times(direction)
        np.testing.assert_allclose(product, bent, rtol=0, atol=1e-6 * np.abs(bent).max())
        # negative control: Gauss-Newton is not the Hessian
        assert np.abs(GaussNewton(point).times(direction) - bent).max() > 1e-2 * np.abs(bent).max()


@pytest.mark.parametrize(("cost", "learned"), CASES)
def test_metric_is_the_gauss_newton_matrix_and_its_inverse(cost, learned):
    objective, parameters = tiny(cost, learned)
    point = objective.at(parameters)
    J, metric = jacobian(objective, parameters), GaussNewton(point)
    curvature = np.zeros((SAMPLES * OUTPUTS,) * 2)
    for column, unit in enumerate(np.eye(SAMPLES * OUTPUTS)):
        V = unit.reshape(SAMPLES, OUTPUTS).T
        curvature[:, column] = objective.cost.curvature_times(point.Z, V).T.ravel() / WEIGHT
    dense = np.diag(point.diagonal) + J.T @ curvature @ J
    # differences of Z, to 1e-9 of J
    np.testing.assert_allclose(
        [metric.times(unit) for unit in np.eye(len(dense))], dense, rtol=0, atol=1e-7 * np.abs(dense).max()
    )
    np.testing.assert_allclose(
        tangent_kernel(point), J @ (J / point.diagonal).T, rtol=0, atol=1e-7 * np.abs(J @ J.T).max()
    )
    vector = np.random.default_rng(2).normal(size=len(dense))
    # the condition of M is some 1e4
    np.testing.assert_allclose(metric.solve(metric.times(vector)), vector, rtol=0, atol=1e-10)


def test_kernel_without_learned_ends_misses_their_part():
    # negative control of the test above: the penalties' terms are no small ones
    objective, parameters = tiny("squared", True)
    fixed, _ = tiny("squared", False)
    difference = tangent_kernel(objective.at(parameters)) - tangent_kernel(fixed.at(parameters))
    assert np.linalg.norm(difference) > 0.1 * np.linalg.norm(tangent_kernel(fixed.at(parameters)))


def test_a_metric_whose_kernel_is_huge_and_singular_can_be_factorised():
    # forty times one sample, and weights so large that I + Θ has negative eigenvalues by rounding
    objective, parameters = tiny("squared", False)
    objective = replace(objective, X=np.ones((INPUTS, 40)), cost=SquaredCost(np.ones((OUTPUTS, 40))))
    huge = GaussNewton(objective.at(Parameters(300 * parameters.w)))
    step = huge.solve(huge.point.gradient)
    assert np.isfinite(step).all()
    assert step @ huge.point.gradient > 0


def test_cross_entropy_is_that_of_scipy_and_its_root_squares_to_its_curvature():
    rng = np.random.default_rng(4)
    Z, classes = 5 * rng.normal(size=(4, 7)), rng.integers(0, 4, 7)
    cost = cost_of("cross_entropy", classes, 4, 7)
    wanted = -np.mean(log_softmax(Z, axis=0)[classes, np.arange(7)])
    np.testing.assert_allclose(cost.value(Z), wanted, rtol=1e-14, atol=0)
    assert math.isfinite(cost.value(1e4 * Z))
    for i in range(7):
        p = softmax(Z)[:, i]
        # (I - uuᵀ)² = I - uuᵀ to rounding, as |u| = 1
        root = cost.root(Z)[i]
        np.testing.assert_allclose(root @ root.T, (np.diag(p) - np.outer(p, p)) / 7, rtol=0, atol=1e-16)
    np.testing.assert_array_equal(cost.target, cost_of("cross_entropy", np.eye(4)[:, classes], 4, 7).target)


def test_conjugate_gradients_solve_within_the_region_and_stop_on_its_boundary():
    rng = np.random.default_rng(5)
    root, metric = rng.normal(size=(6, 6)), np.diag(rng.uniform(1, 5, size=6))
    H, g = root @ root.T + np.eye(6), rng.normal(size=6)
    options = {"solve": lambda r: np.linalg.solve(metric, r), "gradient": g, "tolerance": 1e-10, "most": 50}
    free = steihaug(lambda v: H @ v, radius=1e3, **options)
    np.testing.assert_allclose(free.step, -np.linalg.solve(H, g), rtol=1e-8, atol=0)
    np.testing.assert_allclose(free.predicted, 0.5 * g @ np.linalg.solve(H, g), rtol=1e-10, atol=0)
    for matrix, negative in ((H, False), (-H, True)):
        found = steihaug(lambda v, matrix=matrix: matrix @ v, radius=0.1, **options)
        assert found.on_boundary
        assert found.negative is negative
        np.testing.assert_allclose(found.step @ metric @ found.step, 0.01, rtol=1e-10, atol=0)
        model = -(g @ found.step + 0.5 * found.step @ matrix @ found.step)
        np.testing.assert_allclose(found.predicted, model, rtol=1e-10, atol=0)


@pytest.mark.parametrize(
    "e", [e for e in entries("network") if e["lam"] is not None and e["activation"] == "softplus"], ids=name
)
def test_stored_networks_with_terminal_cost(e):
    net = train_network(
        e["X"], e["Y"], e["Lt"], terminal_weight=e["lam"], rho=e["rho"], activation="softplus:5", bias=e["bias"]
    )
    assert net.status.code == "ok"
    if e["Lt"] < 7:
        # stored to 1e-7; second order in the residual of 1e-6
        np.testing.assert_allclose(net.objective, e["objective_S_plus_C_over_lam"], rtol=0, atol=1e-7)
        np.testing.assert_allclose(net.action, e["action"], rtol=0, atol=1e-6)
    else:  # a local minimum is stored, and 9.4673 lies below its 9.5038
        assert net.objective < e["objective_S_plus_C_over_lam"] + 1e-7


@pytest.mark.parametrize("problem", ["P22/Lt3/L12", "P33/Lt3/L20"])
def test_rounded_kinks_approach_relu_as_one_over_the_sharpness(problem):
    e = entry(f"network/{problem}/relu/lam0.01")
    options = {"terminal_weight": 0.01, "rho": e["rho"], "bias": e["bias"]}
    excess = np.array(
        [
            train_network(e["X"], e["Y"], e["Lt"], sharpness=k, **options).objective - e["objective_S_plus_C_over_lam"]
            for k in (50, 200)
        ]
    )
    assert (excess > 0).all()
    # O(1/k), and at k = 50 some of the next order
    assert 3 < excess[0] / excess[1] < 5.5


def test_kinks_that_are_not_rounded_do_not_become_stationary():
    # negative control
    e = entry("network/P33/Lt3/L20/relu/lam0.01")
    with pytest.warns(ValidityWarning, match="say nothing"):
        net = train_network(e["X"], e["Y"], 3.0, terminal_weight=0.01, layers=20, sharpness=math.inf, max_iterations=30)
    assert net.status.code == "not_converged"
    assert "kinks that are not rounded" in net.status.messages[0]


@pytest.fixture(scope="module")
def net():
    """P33 at L̃ = 3, ten equal layers."""
    e = entry("network/P33/Lt3/L20/softplus/lam0.01")
    return train_network(e["X"], e["Y"], 3.0, terminal_weight=0.01, layers=10, activation="softplus:5", tol=1e-9)


def test_result_is_what_forward_and_backward_make_of_its_weights(net):
    options = {"activation": "softplus:5"}
    A = forward(net.inputs, net.weights, net.rho, 3.0, **options)
    B = backward(A, 2 / (0.01 * 3) * (net.targets - A[-1]), net.weights, net.rho, 3.0, **options)
    # the same operations up to the order of scaling, and B multiplied by 2/λN = 67
    np.testing.assert_allclose(net.A, A, rtol=0, atol=1e-13)
    np.testing.assert_allclose(net.B, B, rtol=0, atol=1e-10)
    assert stationarity_residual(A, B, net.weights, 3.0, **options) < 1e-8
    action = np.sum(net.rho[:, None, None] * net.weights**2) / 6
    cost = np.sum((net.targets - A[-1]) ** 2) / 3
    np.testing.assert_allclose([net.action, net.cost], [action, cost], rtol=1e-10, atol=0)
    np.testing.assert_allclose(net.objective, action + cost / 0.01, rtol=1e-12, atol=0)
    np.testing.assert_allclose(net.outputs(net.inputs), net.outputs(), rtol=1e-13, atol=0)


def test_where_it_ends_is_a_minimum(net):
    point = net.objective_function().at(net.parameters)
    n = point.gradient.size
    H = np.array([point.hessian_times(unit) for unit in np.eye(n)])
    assert np.abs(H - H.T).max() < 1e-9 * np.abs(H).max()
    assert np.linalg.eigvalsh(H)[0] > 0


def test_slope_of_the_objective_in_depth_is_minus_the_mean_energy(net):
    # exact for any steps: dF*/dL̃ = -Σ ρ_l h(A_{l-1}, B_l), with λ held; H = L̃ h
    step = 1e-3
    ahead, behind = (continue_network(net, 3.0 + s, tol=1e-10).objective for s in (step, -step))
    slope = -(net.rho @ net.energies) / 3.0
    # central difference: step² F'''/6 with F''' of order 1
    np.testing.assert_allclose((ahead - behind) / (2 * step), slope, rtol=0, atol=2e-6)
    corrected = -(net.rho @ net.corrected_energies) / 3.0  # negative control: it is the raw energy
    assert abs(corrected - slope) > 1e-3


def test_slope_of_the_objective_in_its_weight_is_the_cost(net):
    step = 1e-5
    ahead, behind = (continue_network(net, 3.0, terminal_weight=0.01 + s, tol=1e-10) for s in (step, -step))
    slope = (ahead.objective - behind.objective) / (2 * step)
    # dF*/dλ = -C/λ²; relative error of the difference (step/λ)² = 1e-6
    np.testing.assert_allclose(slope, -net.cost / 0.01**2, rtol=5e-6, atol=0)


def test_continuation_there_and_back_ends_where_it_began(net):
    there = continue_network(net, 5.0)
    back = continue_network(there, 3.0)
    assert there.status.code == back.status.code == "ok"
    assert there.options["effective_depth"] == 5.0
    # no fold between: the same minimum, to the square of the residual
    np.testing.assert_allclose(back.objective, net.objective, rtol=0, atol=1e-9)


def test_held_weights_keep_the_path_in_a_deeper_network(net):
    w, geometry = net.weights / 3.0, Geometry(Nonlinearity.of("softplus:5"), 1.0)
    options = {"activation": "softplus:5"}
    deeper = forward(net.inputs, 3.6 * held(w, net.A, geometry, 3.0 / 3.6), net.rho, 3.6, **options)
    # what γ = 1e-3 of the largest eigenvalue of the kernel costs
    assert np.abs(deeper - net.A).max() < 0.05 * np.abs(net.A).max()
    for other in (net.weights, 3.6 * w):  # negative controls
        assert np.abs(forward(net.inputs, other, net.rho, 3.6, **options) - net.A).max() > 0.1 * np.abs(net.A).max()


def test_more_layers_come_before_more_depth(net):
    more = continue_network(net, 4.0, rho=np.full(16, 1 / 16))
    assert more.status.code == "ok"
    assert more.weights.shape == (16, 3, 4)
    options = {"terminal_weight": 0.01, "layers": 16, "activation": "softplus:5"}
    straight = train_network(net.inputs, net.targets, 4.0, **options)
    np.testing.assert_allclose(more.objective, straight.objective, rtol=1e-9, atol=0)


@pytest.mark.parametrize(("cost", "learned"), CASES)
def test_learned_ends_obey_their_own_conditions(cost, learned):
    rng = np.random.default_rng(6)
    E, R = np.linalg.qr(rng.normal(size=(5, 3)))[0], rng.normal(size=(3, 5)) / 2
    X, classes = rng.normal(size=(3, 9)), np.arange(9) % 3
    Y = classes if cost == "cross_entropy" else rng.normal(size=(3, 9))
    prices = {"read_in_penalty": 0.2, "read_out_penalty": 0.5} if learned else {}
    options = {"terminal_weight": 0.02, "layers": 8, "read_in": E, "read_out": R, "cost": cost, "tol": 1e-8}
    net = train_network(X, Y, 2.0, **options, **prices)
    assert net.status.code == "ok"
    Z = net.read_out @ net.A[-1]
    beyond = {"squared": lambda: 2 * (Y - Z), "cross_entropy": lambda: np.eye(3)[:, classes] - softmax(Z)}
    pull = beyond[cost]() / (0.02 * 9)
    np.testing.assert_allclose(net.B[-1], net.read_out.T @ pull, rtol=1e-12, atol=1e-12)
    if not learned:
        np.testing.assert_array_equal(net.read_in, E)
        return
    for found, wanted in ((net.read_in, net.B[0] @ X.T / 0.2), (net.read_out, pull @ net.A[-1].T / 0.5)):
        # the residual, 1e-8
        assert np.linalg.norm(found - wanted) < 1.1e-8 * np.linalg.norm(found)
    assert np.linalg.norm(net.read_in - E) > 0.1
    total = net.action + net.cost / 0.02 + 0.1 * np.sum(net.read_in**2) + 0.25 * np.sum(net.read_out**2)
    np.testing.assert_allclose(net.objective, total, rtol=1e-12, atol=0)


def test_without_bias_weights_have_no_last_column():
    e = entry("network/P22/Lt3/L12/softplus/lam0.01")
    net = train_network(e["X"], e["Y"], 2.0, terminal_weight=0.01, layers=6, activation="softplus:5", bias=0.0)
    assert net.status.code == "ok"
    assert net.weights.shape == (6, 2, 2)
    np.testing.assert_allclose(continue_network(net, 2.0).objective, net.objective, rtol=1e-12, atol=0)


def test_a_saved_network_can_be_continued(net, tmp_path):
    again = load(net.save(tmp_path / "net.json"))
    assert again == net
    assert continue_network(again, 3.3) == continue_network(net, 3.3)
    assert "-2H/Lt" in str(again)


def test_seeds_repeat_and_global_random_numbers_are_left_alone():
    e = entry("network/P22/Lt3/L12/softplus/lam0.01")
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    options = {"terminal_weight": 0.01, "layers": 5, "activation": "softplus:5"}
    one, two = (train_network(e["X"], e["Y"], 1.0, rng=3, **options) for _ in range(2))
    assert one == two
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_a_network_that_is_not_trained_says_so(net):
    options = {"terminal_weight": 0.01, "layers": 10, "activation": "softplus:5", "max_iterations": 1}
    with pytest.warns(ValidityWarning, match="say nothing") as caught:
        short = train_network(net.inputs, net.targets, 1.0, **options)
    assert caught[0].filename == __file__
    assert short.status.code == "not_converged"
    assert "raise max_iterations" in short.status.messages[0]
    assert short.residual > 0.3
    one = train_network(net.inputs, net.targets, 3.0, start=net.weights, tol=1e-8, **options)
    assert one.status.code == "ok"
    assert one.iterations == 0


def test_an_overflowing_start_is_refused():
    objective, parameters = tiny("squared", False)
    with pytest.raises(DomainError, match="not finite"):
        descend(objective, Parameters(np.full_like(parameters.w, 1e200)), 1e-6, 1)


I2 = np.eye(2)
GOOD = {"terminal_weight": 0.1, "layers": 4}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"terminal_weight": 0.0}, "terminal_weight"),
        ({"terminal_weight": "small"}, "terminal_weight"),
        ({"layers": 1}, "rho_l L̃ is 1 in layer"),
        ({"layers": 2.0}, "layers = 2.0"),
        ({"rho": [0.5, 0.5]}, "layers = 4 with rho"),
        ({"layers": None}, "layers = None with rho = None"),
        ({"activation": "rleu"}, "rleu"),
        ({"sharpness": -1.0}, "sharpness"),
        ({"bias": np.nan}, "bias"),
        ({"read_in": np.ones((3, 5))}, r"read_in has shape \(3, 5\)"),
        ({"read_out": np.ones((2, 3))}, r"read_out has shape \(2, 3\)"),
        ({"read_in_penalty": 0.0}, "read_in_penalty"),
        ({"read_out": np.ones((3, 2))}, r"Y has shape \(2, 2\)"),
        ({"Y": np.ones((2, 3))}, r"Y has shape \(2, 3\)"),
        ({"Y": [[1.0, np.nan], [0.0, 1.0]]}, "Y has shape"),
        ({"cost": "hinge"}, "hinge"),
        ({"cost": "cross_entropy", "Y": 3 * I2}, "sum to 3"),
        ({"cost": "cross_entropy", "Y": [0, 2]}, "class numbers"),
        ({"start": np.ones((4, 2, 2))}, "weights have shape"),
        ({"tol": 0.0}, "tol"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"X": np.ones(2)}, "X has shape"),
    ],
)
def test_bad_input_is_refused_in_three_parts(change, match):
    with pytest.raises(DomainError, match=match) as caught:
        train_network(**({"X": I2, "Y": I2, "effective_depth": 1.0} | GOOD | change))
    assert caught.value.cause
    assert caught.value.change


def test_continuation_and_outputs_refuse_what_does_not_fit(net):
    with pytest.raises(DomainError, match="Use more than 10 layers"):
        continue_network(net, 10.0)
    with pytest.raises(DomainError, match="terminal_weight"):
        continue_network(net, 3.1, terminal_weight=-1.0)
    with pytest.raises(DomainError, match="rho"):
        continue_network(net, 3.1, rho=[0.5, 0.4])
    with pytest.raises(DomainError, match="X has 2 rows"):
        net.outputs(np.ones((2, 4)))


def test_a_kernel_that_does_not_fit_is_refused_before_it_is_made():
    with pytest.raises(MemoryBudgetError, match="2000 samples of 20 outputs"):
        train_network(np.ones((20, 2000)), np.ones((20, 2000)), 1.0, **GOOD)


def test_costs_know_their_kind():
    assert isinstance(cost_of("squared", I2, 2, 2), SquaredCost)
    assert isinstance(cost_of("cross_entropy", [0, 1], 2, 2), CrossEntropy)

"""Geodesics beside direct collocation, a boundary-value solver and gradient descent. Run by

    python -m pytest tests/benchmarks/test_leaky_benchmark.py --benchmark-enable -n 0 -s

Every method starts cold, from the straight line, with one thread and after its import; setting a problem up counts, as
it does for a user. CPU seconds are the least of several repetitions. The peer is CasADi with IPOPT (optional group
`bench`) in the form in which it is quickest and most robust here: states and weights at three Legendre points of 24
intervals, the same discretisation as gauss(3), with the least-norm weights of the straight line to begin with.
"""

import sys
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_bvp
from threadpoolctl import threadpool_limits

from gpdeep.leaky import geodesic, train_network
from gpdeep.leaky.elements import gauss

sys.path.insert(0, str(Path(__file__).parents[1] / "leaky"))
from stored_paths import entries, entry, geometry, options

pytestmark = pytest.mark.benchmark_ratio

INTERVALS, POINTS = 24, 3
RIEMANNIAN = [(problem, depth) for problem in ("P22", "P33", "P43", "P44") for depth in (1.0, 3.0, 7.0)]
PROBLEMS = ("P22", "P33", "P43", "P44", "P35")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def casadi():
    return pytest.importorskip("casadi", reason="casadi is not installed: pip install 'gpdeep[bench]'")


def least(work, repetitions=3):
    """CPU seconds of the quickest repetition, and its answer."""
    seconds, answer = np.inf, None
    for _ in range(repetitions):
        begin = time.process_time()
        answer = work()
        seconds = min(seconds, time.process_time() - begin)
    return seconds, answer


def problem_of(name):
    path = entry(f"smooth/{name}/Lt1")
    return path["X"], path["Y"], path


def straight(name, depth):
    """Nodes and points of the straight line with its least-norm weights and momenta."""
    X, Y, path = problem_of(name)
    G, tau = geometry(path), gauss(POINTS).points
    nodes = np.linspace(0, 1, INTERVALS + 1)
    points = (np.arange(INTERVALS)[:, None] + tau) / INTERVALS

    def at(p):
        return (1 - p)[..., None, None] * X + p[..., None, None] * Y

    A = at(points)
    Sg = G.features(A)
    return at(nodes), A, ((Y - X) / depth + A) @ np.linalg.pinv(Sg)


# ------------------------------------------------------------------------------------ peers


def by_collocation(casadi, name, depth):
    """Action and success of IPOPT on ½ Σ h b_j |w_kj|² with the collocation equations as constraints."""
    X, Y, path = problem_of(name)
    w, N = X.shape
    bias, k = path["bias"], path["sharpness"]
    scheme, h = gauss(POINTS), depth / INTERVALS
    tau = np.concatenate([[0.0], scheme.points])
    through = [np.poly1d(np.poly(np.delete(tau, j)) / np.prod(tau[j] - np.delete(tau, j))) for j in range(POINTS + 1)]
    rate = np.array([[f.deriv()(t) for t in scheme.points] for f in through])
    at_end = np.array([f(1.0) for f in through])
    columns = w + (bias > 0)

    a, W = casadi.SX.sym("a", w, N), casadi.SX.sym("W", w, columns)
    s = casadi.fmax(a, 0) + casadi.log1p(casadi.exp(-k * casadi.fabs(a))) / k
    features = casadi.vertcat(s, bias * casadi.SX.ones(1, N)) if bias else s
    velocity = casadi.Function("velocity", [a, W], [casadi.mtimes(W, features) - a])

    nodes, inside, weights = straight(name, depth)
    unknowns, first, low, high, constraints, objective = [], [], [], [], [], 0

    def new(label, rows, cols, start, fixed=None):
        M = casadi.SX.sym(label, rows, cols)
        unknowns.append(casadi.vec(M))
        first.append(start.ravel(order="F"))
        free = np.inf * np.ones(rows * cols)
        low.append(-free if fixed is None else fixed.ravel(order="F"))
        high.append(free if fixed is None else fixed.ravel(order="F"))
        return M

    left = new("A0", w, N, X, X)
    for i in range(INTERVALS):
        states = [left] + [new(f"A{i}_{j}", w, N, inside[i, j]) for j in range(POINTS)]
        for j in range(POINTS):
            M = new(f"W{i}_{j}", w, columns, weights[i, j])
            slope = sum(rate[m, j] * states[m] for m in range(POINTS + 1))
            constraints.append(casadi.vec(h * velocity(states[j + 1], M) - slope))
            objective += 0.5 * h * scheme.weights[j] * casadi.sumsqr(M)
        left = new(f"A{i + 1}", w, N, nodes[i + 1], Y if i == INTERVALS - 1 else None)
        constraints.append(casadi.vec(left - sum(at_end[m] * states[m] for m in range(POINTS + 1))))
    nlp = {"x": casadi.vertcat(*unknowns), "f": objective, "g": casadi.vertcat(*constraints)}
    quiet = {"ipopt.print_level": 0, "print_time": False, "ipopt.sb": "yes", "ipopt.max_iter": 500}
    solver = casadi.nlpsol("solver", "ipopt", nlp, quiet)
    answer = solver(x0=np.concatenate(first), lbx=np.concatenate(low), ubx=np.concatenate(high), lbg=0, ubg=0)
    return float(answer["f"]), bool(solver.stats()["success"])


def by_boundary_values(name, depth):
    """Action and success of solve_bvp on the flow, vectorised and with its Jacobian, from the straight line."""
    X, Y, path = problem_of(name)
    G, n, shape = geometry(path), X.size, X.shape

    def split(y):
        return (M.T.reshape(-1, *shape) for M in (y[:n], y[n:]))

    def flow(_, y):
        return np.concatenate([F.reshape(-1, n).T for F in G.flow(*split(y))])

    def jacobian(_, y):
        of_a, of_b, turned = G.flow_jacobian(*split(y))
        top = np.concatenate([of_a, of_b], axis=2)
        bottom = np.concatenate([turned, -np.swapaxes(of_a, 1, 2)], axis=2)
        return np.moveaxis(np.concatenate([top, bottom], axis=1), 0, 2)

    def ends(ya, yb):
        return np.concatenate([ya[:n] - X.ravel(), yb[:n] - Y.ravel()])

    def ends_jacobian(ya, yb):
        one, zero = np.eye(n), np.zeros((n, n))
        return np.block([[one, zero], [zero, zero]]), np.block([[zero, zero], [one, zero]])

    p = np.linspace(0, 1, 41)
    A = (1 - p)[:, None, None] * X + p[:, None, None] * Y
    B = ((Y - X) / depth + A) @ np.linalg.pinv(G.kernel(G.phi.value(A)))
    guess = np.concatenate([M.reshape(-1, n).T for M in (A, B)])
    with np.errstate(all="ignore"):
        jacobians = {"fun_jac": jacobian, "bc_jac": ends_jacobian}
        solved = solve_bvp(flow, ends, depth * p, guess, tol=1e-6, max_nodes=4000, **jacobians)
    if not solved.success:
        return np.nan, False
    t = np.linspace(0, depth, 2001)
    w = G.weights(*split(solved.sol(t)))
    return float(np.trapezoid(0.5 * (w**2).sum(axis=(1, 2)), t)), True


# ------------------------------------------------------------------------------------ tables


@pytest.fixture(scope="module")
def beside_ipopt(casadi):
    """(problem, depth) → seconds and actions of ours, of IPOPT and of solve_bvp."""
    table = {}
    print(f"\n{'':10}{'geodesic':>11}{'S':>12}{'IPOPT':>11}{'S':>12}{'ratio':>8}{'solve_bvp':>12}{'S':>12}")
    for name, depth in (*RIEMANNIAN, ("P35", 1.0), ("P35", 3.0), ("P35", 7.0)):
        X, Y, path = problem_of(name)
        ours, best = least(lambda X=X, Y=Y, d=depth, p=path: geodesic(X, Y, d, starts=1, **options(p)), 5)
        theirs, (value, success) = least(lambda n=name, d=depth: by_collocation(casadi, n, d))
        bvp, (action, found) = least(lambda n=name, d=depth: by_boundary_values(n, d), 1)
        table[name, depth] = {"ours": ours, "S": best.action, "ipopt": theirs, "their S": value, "success": success}
        print(
            f"{name} L̃ = {depth:g}{ours:11.3f} s{best.action:11.6f}{theirs:11.3f} s"
            f"{value:11.6f}{ours / theirs:8.2f}{bvp:10.2f} s"
            + (f"{action:12.6f}" if found else f"{'failed':>12}")
            + ("" if success else "  (IPOPT failed)")
        )
    return table


def test_geodesics_take_three_fifths_of_the_time_of_direct_collocation(beside_ipopt):
    ratios = [beside_ipopt[case]["ours"] / beside_ipopt[case]["ipopt"] for case in RIEMANNIAN]
    print(f"\nratio of CPU seconds to IPOPT: median {np.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")
    assert np.median(ratios) <= 0.6
    assert max(ratios) <= 1.5


def test_with_more_samples_than_features_time_and_action_are_no_larger(beside_ipopt):
    row = beside_ipopt["P35", 7.0]
    assert row["ours"] <= row["ipopt"]
    # both are discretised to 1e-6 or better
    assert row["S"] <= row["their S"] * (1 + 1e-6) or not row["success"]


def test_both_solve_the_same_problem(beside_ipopt):
    """What IPOPT finds is one of our critical points, to what its tolerance of 1e-8 and equal intervals leave."""
    for name in PROBLEMS:
        ours = np.array([point.action for point in searched(name, 1.0)[1].critical_points])
        assert np.abs(ours / beside_ipopt[name, 1.0]["their S"] - 1).min() < 1e-5, name


# ------------------------------------------------------------------------------------ gradient descent


def test_gradient_descent_takes_longer_to_the_same_network():
    """P33, L̃ = 3, 20 layers, λ = 0.01: Newton's method in the tangent kernel's metric, L-BFGS and Adam."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    net = entry("network/P33/Lt3/L20/softplus/lam0.01")
    X, Y, L, lam = net["X"], net["Y"], net["L"], net["lam"]
    h = torch.tensor(net["rho"] * net["Lt"])
    x, y = torch.tensor(X), torch.tensor(Y)

    def objective(w):
        A, ones = x, torch.ones(1, X.shape[1], dtype=torch.float64)
        for layer in range(L):
            s = torch.nn.functional.softplus(A, beta=5.0, threshold=100.0)
            A = (1 - h[layer]) * A + h[layer] * (w[layer] @ torch.cat([s, ones]))
        return 0.5 * (h[:, None, None] * w**2).sum() + ((y - A) ** 2).sum() / (X.shape[1] * lam)

    def start():
        generator = torch.Generator().manual_seed(0)
        w = 0.01 * torch.randn(L, 3, 4, generator=generator, dtype=torch.float64)
        return w.requires_grad_()

    def lbfgs():
        w = start()
        optimiser = torch.optim.LBFGS(
            [w],
            max_iter=3000,
            max_eval=4000,
            tolerance_grad=1e-7,
            tolerance_change=1e-13,
            line_search_fn="strong_wolfe",
        )

        def closure():
            optimiser.zero_grad()
            value = objective(w)
            value.backward()
            return value

        optimiser.step(closure)
        return objective(w).item()

    def adam():
        w = start()
        optimiser = torch.optim.Adam([w], lr=0.02)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 3000)
        for _ in range(3000):
            optimiser.zero_grad()
            objective(w).backward()
            optimiser.step()
            schedule.step()
        return objective(w).item()

    def newton():
        options_ = {"terminal_weight": lam, "rho": net["rho"], "activation": "softplus:5", "bias": net["bias"]}
        return train_network(X, Y, net["Lt"], **options_).objective

    def path():
        """The same network from the geodesic of the fixed end: S alone, λ → 0."""
        found = geodesic(X, Y, net["Lt"], starts=1, **options(net))
        return found.optimal_network(L, net["rho"])

    stored = net["objective_S_plus_C_over_lam"]
    seconds = {}
    print(f"\nP33, L̃ = 3, {L} layers, λ = {lam}: stored objective {stored:.8f}")
    for label, work, repetitions in (("train_network", newton, 3), ("L-BFGS", lbfgs, 1), ("Adam", adam, 1)):
        seconds[label], value = least(work, repetitions)
        print(f"{label:16}{seconds[label]:9.3f} s   objective above the stored one {value - stored:10.2e}")
    seconds["geodesic"], _ = least(path)
    print(f"{'geodesic, λ → 0':16}{seconds['geodesic']:9.3f} s")
    assert seconds["geodesic"] < min(seconds["L-BFGS"], seconds["Adam"])
    assert seconds["train_network"] < seconds["Adam"]


# ------------------------------------------------------------------------------------ whole searches


@lru_cache
def searched(name, depth):
    """CPU seconds and result of the default search from both ends alone."""
    X, Y, path = problem_of(name)
    return least(lambda: geodesic(X, Y, depth, **options(path)), 1)


def lowest_listed(name, depth):
    prefix = f"smooth/{name}/Lt{depth:g}"
    listed = [path["S"] for path in entries("smooth") if path["id"] == prefix or path["id"].startswith(prefix + "/")]
    return min(listed, default=np.inf)


def told(name, depth):
    seconds, best = searched(name, depth)
    others = " ".join(
        f"{point.action:.5f}{'' if point.kind == 'minimum' else 's'}" for point in best.critical_points[1:]
    )
    listed = lowest_listed(name, depth)
    against = f", listed {listed:.6f}" if np.isfinite(listed) else ""
    print(
        f"\n{name} L̃ = {depth:g}: {seconds:.1f} s, S = {best.action:.8f} ± {best.action_error:.0e}{against}, "
        f"-2H/L̃ = {best.rank_like:.4f}; {best.status.code}; also {others or 'nothing'}"
    )
    return seconds, best


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("depth", [1.0, 3.0, 7.0])
def test_default_search_finds_the_lowest_listed_action_in_seconds(name, depth):
    seconds, best = told(name, depth)
    assert best.is_minimum
    assert best.action <= lowest_listed(name, depth) * (1 + 1e-7)
    assert seconds <= 30


MISSED = "the search ends at 20.56099, 1 % above the listed path: of many rank-1 minima it does not meet that one"
DEEP = [*PROBLEMS[:-1], pytest.param("P35", marks=pytest.mark.xfail(reason=MISSED))]


@pytest.mark.parametrize("name", DEEP)
def test_deep_search_from_both_ends_alone_finds_the_lowest_listed_action(name):
    _, best = told(name, 20.0)
    assert best.is_minimum
    assert best.action <= lowest_listed(name, 20.0) * (1 + 1e-7)


def test_deep_search_lists_bottlenecks_of_different_rank():
    _, best = searched("P33", 20.0)
    ranks = np.array([point.rank_like for point in best.critical_points if point.kind == "minimum"])
    assert np.abs(ranks[0] - 0.98) < 0.02
    assert (np.abs(ranks - 1.98) < 0.03).any()

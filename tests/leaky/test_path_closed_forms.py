"""Paths with closed forms, derived again in mpmath: energies and nodes as stored, and stationary for the flow."""

import mpmath as mp
import numpy as np
import pytest
from stored_paths import entries, entry, geometry, name, options

from gpdeep.leaky.energies import cost_of_identity, flow, hamiltonian, weights

DIGITS = 30


def exact(x):
    """The short decimal number that a float was made of, without the rounding of a product of floats."""
    return mp.mpf(repr(round(float(x), 12)))


def matrix(M):
    return mp.matrix([[exact(x) for x in row] for row in M])


def squares(M):
    return sum(x * x for x in M)


def trace(M):
    return sum(M[i, i] for i in range(M.rows))


def root(function, near):
    ends = [near * (1 + side * mp.mpf(10) ** -8) for side in (-1, 1)]
    return mp.findroot(function, ends, tol=mp.mpf(10) ** (-2 * DIGITS))


def one_sample(X, Y, L):
    """N = 1, A ≥ 0, β = 0: log r and the angle are linear in p; S = ((ρ + L̃)² + θ²)/2L̃, H = (ρ² + θ² - L̃²)/2L̃."""
    x, y = X / mp.norm(X), Y / mp.norm(Y)
    rho, theta = mp.log(mp.norm(Y) / mp.norm(X)), 2 * mp.atan2(mp.norm(x - y), mp.norm(x + y))
    side = (y - x * mp.cos(theta)) / mp.sin(theta) if theta else 0 * x

    def state(p):
        r = mp.norm(X) * mp.exp(rho * p)
        u = x * mp.cos(theta * p) + side * mp.sin(theta * p)
        turn = side * mp.cos(theta * p) - x * mp.sin(theta * p)
        return r * u, ((rho + L) * u + theta * turn) / (L * r)

    return ((rho + L) ** 2 + theta**2) / (2 * L), (rho**2 + theta**2 - L**2) / (2 * L), state, []


def symmetric(X, Y, L):
    """φ = id (or all ≥ 0 and diagonal), Y = GX with G symmetric positive: A = G^p X, W = log G + L̃ I."""
    values, Q = mp.eigsy((Y * X**-1 + (Y * X**-1).T) / 2)
    log_g = Q * mp.diag([mp.log(v) for v in values]) * Q.T
    W = log_g + L * mp.eye(X.rows)
    S = squares(W) / (2 * L)

    def state(p):
        A = Q * mp.diag([v**p for v in values]) * Q.T * X
        return A, W * (A.T) ** -1 / L

    return S, S - trace(log_g) - L * X.rows, state, []


def general_linear(X, Y, L):
    """φ = id, e^{L̃}Y = exp(V - Vᵀ) exp(Vᵀ) X: Z = exp(p(V - Vᵀ)) exp(pVᵀ) X, A = e^{-L̃p} Z."""
    n = X.rows
    G = mp.exp(L) * Y * X**-1

    def miss(V):
        return mp.expm(V - V.T) * mp.expm(V.T) - G

    # Newton's method whose matrix keeps the 8 digits of a difference: as many more digits of V at each step
    V, step = mp.logm(G).apply(mp.re), mp.mpf(10) ** (-DIGITS // 3)
    for _ in range(20):
        R = miss(V)
        if mp.norm(R) < mp.mpf(10) ** (3 - DIGITS):
            break
        J = mp.matrix(n * n, n * n)
        for column in range(n * n):
            E = 0 * V
            E[column // n, column % n] = step
            for row, x in enumerate((miss(V + E) - R) / step):
                J[row, column] = x
        change = mp.lu_solve(J, mp.matrix(list(R)))
        V -= mp.matrix([list(change[n * i : n * i + n]) for i in range(n)])
    assert mp.norm(R) < mp.mpf(10) ** (3 - DIGITS)
    S = squares(V) / (2 * L)

    def state(p):
        Q = mp.expm(p * (V - V.T))
        A = mp.exp(-L * p) * Q * mp.expm(p * V.T) * X
        return A, Q * V * Q.T * (A.T) ** -1 / L

    return S, S - trace(V), state, []


def scalar(a0, a1, T, b2, near):
    """w = N = 1, K = a² + b²: a'' = o²a, o² = 1 + 2h, with o²(a₀² + a₁² - 2a₀a₁ cosh oT)/sinh² oT = (o² - 1) b²."""

    def balance(o2):
        o = mp.sqrt(o2)
        ends = a0**2 + a1**2 - 2 * a0 * a1 * mp.cosh(o * T)
        return o2 * ends / mp.sinh(o * T) ** 2 - (o2 - 1) * b2

    o2 = root(balance, near)
    o = mp.sqrt(o2)

    def at(t):
        a = (a0 * mp.sinh(o * (T - t)) + a1 * mp.sinh(o * t)) / mp.sinh(o * T)
        rate = o * (a1 * mp.cosh(o * t) - a0 * mp.cosh(o * (T - t))) / mp.sinh(o * T)
        return a, (rate + a) / (a * a + b2)

    def density(t):
        a, b = at(t)
        return b * b * (a * a + b2) / 2

    S = mp.quad(density, mp.linspace(0, T, 2 + int(T)))
    return S, T * (o2 - 1) / 2, at, o2


def with_kink(a0, a1, T, beta, near):
    """w = N = 1, a₀ < 0 < a₁: a = a₀ sinh(τ - t)/sinh τ, then (v/o) sinh o(t - τ), v = -a₀/sinh τ, o² = 1 + v²/β²."""

    def speed(tau):
        v = -a0 / mp.sinh(tau)
        return v, mp.sqrt(1 + (v / beta) ** 2)

    def miss(tau):
        v, o = speed(tau)
        return v / o * mp.sinh(o * (T - tau)) - a1

    tau = root(miss, near)
    v, o = speed(tau)

    def at(t):
        if t < tau:
            return a0 * mp.sinh(tau - t) / mp.sinh(tau), v * mp.exp(t - tau) / beta**2
        a = v / o * mp.sinh(o * (t - tau))
        return a, (v * mp.cosh(o * (t - tau)) + a) / (a * a + beta**2)

    def density(t):
        a, b = at(t)
        return b * b * (max(a, 0) ** 2 + beta**2) / 2

    S = mp.quad(density, [0, tau / 2, tau, *mp.linspace(tau, T, 6)[1:]])
    return S, T * v**2 / (2 * beta**2), at, tau


def of_scalars(parts, T):
    """One neuron and sample each, side by side: S and H add, A and B are diagonal."""

    def state(p):
        values = [part[2](p * T) for part in parts]
        return mp.diag([a for a, _ in values]), mp.diag([b for _, b in values])

    return sum(part[0] for part in parts), sum(part[1] for part in parts), state, [part[3] for part in parts]


def derived(case):
    """S, H, the path p → (A, B), and the roots (o² or τ) of scalar equations, at 30 digits."""
    X, Y, L = matrix(case["X"]), matrix(case["Y"]), exact(case["Lt"])
    kind = case["id"].split("/")[1]
    if kind in ("polar", "terminal_scalar"):
        if kind == "terminal_scalar":
            Y = mp.matrix([[end_of_terminal(case)]])
        return one_sample(X, Y, L)
    if kind in ("linear_spd", "diagonal"):
        return symmetric(X, Y, L)
    if kind == "linear_general":
        return general_linear(X, Y, L)
    if kind == "kink":
        return of_scalars([with_kink(X[0, 0], Y[0, 0], L, exact(case["bias"]), exact(case["tau"]))], L)
    b2 = exact(case["bias"]) ** 2 + exact(case["gamma"])
    roots = np.atleast_1d(case["omega2"])
    return of_scalars([scalar(X[i, i], Y[i, i], L, b2, exact(o2)) for i, o2 in enumerate(roots)], L)


def end_of_terminal(case):
    """a₁ of min (y - a₁)² + λS for one sample of one neuron: 2(y - a₁)a₁ = (λ/L̃)(log(a₁/x) + L̃)."""
    x, y = exact(case["X"][0, 0]), exact(case["Y_target"][0, 0])
    lam, L = exact(case["lam"]), exact(case["Lt"])
    return mp.findroot(lambda a: 2 * (y - a) * a - lam / L * (mp.log(a / x) + L), exact(case["Y"][0, 0]))


@pytest.fixture(scope="module")
def all_derived():
    with mp.workdps(DIGITS):
        return {case["id"]: derived(case) for case in entries("closed_form")}


@pytest.mark.parametrize("case", entries("closed_form"), ids=name)
def test_stored_digits(case, all_derived):
    S, H, *_ = all_derived[case["id"]]
    with mp.workdps(DIGITS):
        for found, digits in ((S, case["S_digits"]), (H, case["H_digits"])):
            assert abs(found - mp.mpf(digits)) <= mp.mpf(10) ** -17 * abs(found), (found, digits)
    np.testing.assert_allclose([float(S), float(H)], [case["S"], case["H"]], rtol=1e-15)


@pytest.mark.parametrize("case", entries("closed_form"), ids=name)
def test_nodes_solve_the_flow(case, all_derived):
    _, H, state, _ = all_derived[case["id"]]
    shape, nodes, chosen = case["X"].shape, case["nodes"], options(case)
    assert nodes["p"][0] == 0
    assert nodes["p"][-1] == 1
    with mp.workdps(DIGITS):
        found = [state(exact(p)) for p in nodes["p"]]
        A, B = (np.array([[float(x) for x in pair[k]] for pair in found]).reshape(-1, *shape) for k in (0, 1))
        inside = nodes["p"][1:-1:5]
        step = mp.mpf(10) ** -8
        rates = []
        for p in inside:
            plus, minus = state(exact(p) + step), state(exact(p) - step)
            rates.append([[float(x) for x in (a - b) / (2 * step)] for a, b in zip(plus, minus, strict=True)])
    # formulas to 30 digits; stored nodes were rounded to 16
    np.testing.assert_allclose(nodes["A"], A, rtol=1e-14, atol=1e-15 * np.abs(A).max())
    np.testing.assert_allclose(nodes["B"], B, rtol=1e-14, atol=1e-15 * np.abs(B).max())
    # rounding in H: eps times its terms, of order |A||B|
    size = case["Lt"] * np.abs(A * B).sum(axis=(-2, -1)).max()
    np.testing.assert_allclose(hamiltonian(A, B, case["Lt"], **chosen), float(H), rtol=0, atol=1e-14 * size + 1e-15)
    at = np.isin(nodes["p"], inside)
    rounding = 1e-12 * case["Lt"] * (np.abs(A).max() + np.abs(B).max())
    rates = np.moveaxis(np.array(rates), 1, 0).reshape(2, -1, *shape)
    for rate, expected in zip(flow(A[at], B[at], case["Lt"], **chosen), rates, strict=True):
        np.testing.assert_allclose(rate, expected, rtol=0, atol=rounding)


@pytest.mark.parametrize("case", [c for c in entries("closed_form") if "coi" in c], ids=name)
def test_cost_of_identity_is_the_rank_along_the_path(case):
    found = cost_of_identity(case["nodes"]["A"], gamma=0, **{key: options(case)[key] for key in ("activation", "bias")})
    np.testing.assert_allclose(found, case["coi"], rtol=1e-12)


def test_constants_of_the_motion_as_stored(all_derived):
    with mp.workdps(DIGITS):
        for case in entries("closed_form"):
            for key in {"omega2_digits", "tau_digits"} & set(case):
                (found,) = all_derived[case["id"]][3]
                assert abs(found - mp.mpf(case[key])) < mp.mpf(10) ** -17 * found
            if "A1_digits" in case:
                assert abs(end_of_terminal(case) - mp.mpf(case["A1_digits"])) < mp.mpf(10) ** -17


@pytest.mark.parametrize("case", entries("closed_form", "closed/linear_general"), ids=name)
def test_general_linear_weights_turn_with_the_antisymmetric_part(case):
    V, L = case["V"], case["Lt"]
    W = weights(case["nodes"]["A"], case["nodes"]["B"], L, **options(case))
    np.testing.assert_allclose(W[0], V, rtol=0, atol=1e-13)
    np.testing.assert_allclose((W**2).sum(axis=(-2, -1)), (V**2).sum(), rtol=1e-13)
    np.testing.assert_allclose(case["S"], (V**2).sum() / (2 * L), rtol=1e-14)


@pytest.mark.parametrize("case", entries("closed_form", "closed/terminal_scalar"), ids=name)
def test_transversality_at_the_terminal_cost(case):
    a, y, lam = case["nodes"]["A"][-1], case["Y_target"], case["lam"]
    np.testing.assert_allclose(case["nodes"]["B"][-1], 2 / lam * (y - a), rtol=1e-12)
    np.testing.assert_allclose(case["cost"], (y - a).item() ** 2, rtol=1e-12)
    np.testing.assert_allclose(case["total"], case["cost"] + lam * case["S"], rtol=1e-14)


@pytest.mark.parametrize("w", [2, 3, 5])
def test_one_sample_turns_at_constant_speed(w):
    rng = np.random.default_rng(w)
    X, Y = rng.uniform(0.2, 2, size=(2, w, 1)).round(3)
    L = 4.0
    with mp.workdps(DIGITS):
        S, H, state, _ = one_sample(matrix(X), matrix(Y), exact(L))
        points = np.linspace(0, 1, 9)
        A, B = (np.array([[float(x) for x in state(exact(p))[k]] for p in points])[..., None] for k in (0, 1))
    chosen = {"activation": "relu", "bias": 0.0}
    np.testing.assert_allclose(A[[0, -1]], [X, Y], rtol=1e-14)
    np.testing.assert_allclose(hamiltonian(A, B, L, **chosen), float(H), rtol=0, atol=1e-13)
    np.testing.assert_allclose((weights(A, B, L, **chosen) ** 2).sum(axis=(-2, -1)) / (2 * L), float(S), rtol=1e-13)
    # dA/dp = r'u + rθu' with |dA/dp|² = r²(ρ² + θ²)
    rate = flow(A, B, L, **chosen)[0]
    ratio = (rate**2).sum(axis=(-2, -1)) / (A**2).sum(axis=(-2, -1))
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-12)
    np.testing.assert_allclose(ratio[0], 2 * L * float(H) + L**2, rtol=1e-12)


def test_two_wells_and_the_saddle_between():
    stay, saddle, dip = (entry(f"closed/gamma_scalar/Lt20_gamma1e-4_{kind}") for kind in ("stay", "saddle", "dip"))
    assert dip["S"] < stay["S"] < saddle["S"]
    # staying costs about T/2; vanishing and coming back ln(1 + a₁²/γ): cheaper from T* = 2 ln(1 + a₁²/γ) = 18.4 on
    np.testing.assert_allclose(stay["S"], 10.0, rtol=2e-4)
    np.testing.assert_allclose(dip["S"], np.log1p(1e4), rtol=1e-5)
    assert (dip["nodes"]["A"][8] < 1e-3).all()
    assert (stay["nodes"]["A"] > 0.99).all()


def test_wrong_formulas_miss_the_digits():
    # negative controls: β for β² in the kernel, and a leak left out of the polar form
    case = entry("closed/bias_scalar/a0_0.5_a1_2_Lt1_beta2_0.25")
    with mp.workdps(DIGITS):
        S = scalar(mp.mpf("0.5"), mp.mpf(2), mp.mpf(1), mp.mpf("0.5"), mp.mpf("1.7"))[0]
    assert abs(S - case["S"]) > 0.1
    case = entry("closed/polar/w1_Lt7")
    assert abs(case["rho_log_radius"] ** 2 / (2 * case["Lt"]) - case["S"]) > 1
    wrong = hamiltonian(case["nodes"]["A"], case["nodes"]["B"], case["Lt"], activation="relu", bias=1.0)
    assert np.ptp(wrong) > 0.1
    assert np.ptp(case["Lt"] * geometry(case).hamiltonian(case["nodes"]["A"], case["nodes"]["B"])) < 1e-14

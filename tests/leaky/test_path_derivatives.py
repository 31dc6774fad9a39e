"""The path solver's derivatives: of one point, of both ends, and of a whole path, whose equations are solved densely.

Differences are of fourth order with step h = 3e-4. They leave out h⁴ f⁽⁵⁾/30, h⁴ = 8e-15; five more derivatives of
softplus with sharpness 5 and of an inverse kernel are up to 1e6 times f'. They round by ε/h = 1e-12. Hence 1e-8.
"""

import numpy as np
import pytest

from gpdeep.leaky.boundary import Boundary, Fixed, LearnedReadIn, LearnedReadout, ReadOut
from gpdeep.leaky.elements import EULER, TRAPEZOID, Path, at_points, gauss
from gpdeep.leaky.geometry import Geometry
from gpdeep.leaky.local_action import MASS, frozen_hessian, local_action, local_hessian, with_rows
from gpdeep.leaky.network_cost import CrossEntropy, SquaredCost
from gpdeep.leaky.nonlinearity import Nonlinearity
from gpdeep.leaky.path_system import PathAction

STEP, TOL = 3e-4, 1e-8
# φ, β, γ, δ, w, N: kernels that are invertible, made so by γ, or singular and held up by δ
POINTS = [
    ("softplus:5", 1.0, 0.0, 0.0, 3, 2),
    ("softplus:5", 0.0, 0.1, 0.0, 2, 4),
    ("softplus:5", 1.0, 0.0, 0.3, 2, 5),
    ("softplus:5", 0.0, 0.1, 0.02, 3, 3),
    ("tanh", 1.0, 0.0, 0.0, 3, 2),
    ("tanh", 0.0, 0.1, 0.0, 2, 4),
    ("tanh", 1.0, 0.0, 0.3, 2, 5),
    ("tanh", 1.0, 0.1, 0.02, 3, 3),
]
CASES = pytest.mark.parametrize(("phi", "bias", "gamma", "delta", "w", "N"), POINTS)


def slope(f, step=STEP):
    """df/dε at 0, of fourth order."""
    return (8 * (f(step) - f(-step)) - (f(2 * step) - f(-2 * step))) / (12 * step)


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOL * max(np.abs(wanted).max(), 1e-3))


def geometry(phi, bias, gamma):
    return Geometry(Nonlinearity.of(phi), bias, gamma)


# ------------------------------------------------------------------------------------ one point


@CASES
def test_gradient_of_a_point_is_the_difference_of_its_action(phi, bias, gamma, delta, w, N):
    G, rng = geometry(phi, bias, gamma), np.random.default_rng(0)
    A, V, B_e, dA, dV = rng.normal(size=(5, w, N))
    point = local_action(G, A, V, B_e, delta)
    found = [(point.dA * dA).sum(), (point.B * dV).sum()]
    wanted = [
        slope(lambda e: local_action(G, A + e * dA, V, B_e, delta).value),
        slope(lambda e: local_action(G, A, V + e * dV, B_e, delta).value),
    ]
    close(found, wanted)
    # negative control: the momentum without the path's turning
    assert abs((point.B * dA).sum() - wanted[0]) > 1e-2 * abs(wanted[0])


@CASES
def test_gradient_of_a_point_is_the_flow_of_its_momentum(phi, bias, gamma, delta, w, N):
    G = geometry(phi, bias, gamma)
    A, V, B_e = np.random.default_rng(1).normal(size=(3, w, N))
    point = local_action(G, A, V, B_e, delta)
    np.testing.assert_allclose(point.dA, G.flow(A, point.B)[1], rtol=1e-12, atol=1e-12)


@CASES
def test_where_multipliers_meet_the_constraint_delta_does_not_matter(phi, bias, gamma, delta, w, N):
    """With V + A = B_e K_γ the momentum is B_e and the action ½tr(B_e K_γ B_eᵀ), whatever δ."""
    G = geometry(phi, bias, gamma)
    A, B_e = np.random.default_rng(2).normal(size=(2, w, N))
    K = G.kernel(G.phi.value(A))
    for chosen in (delta, 1e-3, 10.0):
        if not chosen:
            continue
        point = local_action(G, A, B_e @ K - A, B_e, chosen)
        # rounding ε|M| over δ
        np.testing.assert_allclose(point.B, B_e, rtol=0, atol=1e-11)
        np.testing.assert_allclose(point.value, 0.5 * np.trace(B_e @ K @ B_e.T), rtol=1e-12)


def test_without_delta_a_point_has_the_lagrangian_as_its_action():
    G = geometry("softplus:5", 1.0, 0.1)
    A, V, B_e = np.random.default_rng(3).normal(size=(3, 2, 4))
    inverse = np.linalg.inv(G.kernel(G.phi.value(A)))
    point = local_action(G, A, V, B_e, 0.0)
    np.testing.assert_allclose(point.value, 0.5 * np.trace((V + A) @ inverse @ (V + A).T), rtol=1e-12)
    np.testing.assert_allclose(point.B, (V + A) @ inverse, rtol=1e-11)


def elements(G, delta, w, N, L=2, n=3, u=4):
    """Random points that depend on random unknowns, and the Hessian's parts."""
    rng = np.random.default_rng(4)
    x, B_e = rng.normal(size=(L, u, w * N)), rng.normal(size=(L, n, w, N))
    values, slopes, weights = rng.normal(size=(n, u)) / 2, rng.normal(size=(L, n, u)), rng.uniform(0.5, 1, size=(L, n))

    def at(x):
        A, V = ((M @ x).reshape(L, n, w, N) for M in (values, slopes))
        return A, local_action(G, A, V, B_e, delta)

    def gradient(x):
        _, point = at(x)
        of_V, of_A = ((weights[..., None, None] * D).reshape(L, n, -1) for D in (point.B, point.dA))
        return np.swapaxes(slopes, 1, 2) @ of_V + values.T @ of_A

    A, point = at(x)
    return x, gradient, A, point, values, slopes, weights


@CASES
def test_hessian_of_elements_is_the_difference_of_their_gradient(phi, bias, gamma, delta, w, N):
    G = geometry(phi, bias, gamma)
    x, gradient, *rest = elements(G, delta, w, N)
    convex, by_row = local_hessian(G, *rest)
    H = with_rows(convex, by_row)
    L = len(x)
    for dx in np.random.default_rng(5).normal(size=(3, *x.shape)):
        wanted = slope(lambda e, dx=dx: gradient(x + e * dx))
        found = (H @ dx.reshape(L, -1, 1)).reshape(wanted.shape)
        close(found, wanted)
        # negative control: the convex part alone is not the Hessian
        assert (
            np.abs((convex @ dx.reshape(L, -1, 1)).reshape(wanted.shape) - wanted).max() > 1e-3 * np.abs(wanted).max()
        )
    np.testing.assert_allclose(H, np.swapaxes(H, 1, 2), rtol=0, atol=1e-12 * np.abs(H).max())
    assert np.linalg.eigvalsh(convex).min() > -1e-12 * np.abs(convex).max()


@CASES
def test_parts_of_the_hessian_are_those_of_the_flow(phi, bias, gamma, delta, w, N):
    """Convex: Cᵀ(I ⊗ (K_γ + δI)⁻¹)C with C = dV - (∂Ȧ/∂A)dA; the rest: ∂Ḃ/∂A."""
    G = geometry(phi, bias, gamma)
    _, _, A, point, values, slopes, weights = elements(G, delta, w, N)
    convex, by_row = local_hessian(G, A, point, values, slopes, weights)
    of_A, _, turned = G.flow_jacobian(A, point.B)
    inverse = np.linalg.inv(G.kernel(point.s, delta))
    L, n = weights.shape
    one = np.eye(w * N)
    for element in range(L):
        first, second = 0.0, 0.0
        for i in range(n):
            C = np.kron(slopes[element, i], one) - np.kron(values[i], of_A[element, i])
            first = first + weights[element, i] * C.T @ np.kron(np.eye(w), inverse[element, i]) @ C
            second = second + weights[element, i] * np.kron(np.outer(values[i], values[i]), turned[element, i])
        scale = np.abs(first).max()
        np.testing.assert_allclose(convex[element], first, rtol=0, atol=1e-11 * scale)
        alone = with_rows(np.zeros_like(convex), by_row)[element]
        np.testing.assert_allclose(alone, second, rtol=0, atol=1e-11 * np.abs(second).max())


@CASES
def test_frozen_hessian_is_that_of_a_kernel_that_stays(phi, bias, gamma, delta, w, N):
    G = geometry(phi, bias, gamma)
    _, _, A, point, values, slopes, weights = elements(G, delta, w, N)
    inverse = np.linalg.inv(G.kernel(point.s, delta))
    found = with_rows(
        np.zeros_like(local_hessian(G, A, point, values, slopes, weights)[0]),
        _all_rows(point, values, slopes, weights, w),
    )
    for element in range(len(weights)):
        wanted = 0.0
        for i in range(weights.shape[1]):
            for share, rate in ((1.0, slopes[element, i] + values[i]), (MASS, values[i])):
                C = np.kron(rate, np.eye(w * N))
                wanted = wanted + share * weights[element, i] * C.T @ np.kron(np.eye(w), inverse[element, i]) @ C
        np.testing.assert_allclose(found[element], wanted, rtol=0, atol=1e-11 * np.abs(wanted).max())


def _all_rows(point, values, slopes, weights, w):
    return np.repeat(frozen_hessian(point, values, slopes, weights), w, axis=3)


# ------------------------------------------------------------------------------------ both ends

RNG = np.random.default_rng(6)
W, SAMPLES, OUTPUTS = 3, 5, 2
R = RNG.normal(size=(OUTPUTS, W))
ENDS = {
    "squared error": ReadOut(SquaredCost(RNG.normal(size=(OUTPUTS, SAMPLES))), 0.3, R),
    "cross-entropy": ReadOut(CrossEntropy(np.eye(OUTPUTS)[:, RNG.integers(0, OUTPUTS, SAMPLES)]), 0.3, R),
    "cross-entropy of shares": ReadOut(CrossEntropy(RNG.dirichlet(np.ones(OUTPUTS), SAMPLES).T), 0.3, R),
    "learned read-out": LearnedReadout(RNG.normal(size=(OUTPUTS, SAMPLES)), 0.3, 0.7),
    "learned read-in": LearnedReadIn(RNG.normal(size=(2, SAMPLES)), 0.7),
    "free": Boundary(),
}
EACH_END = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)


@EACH_END
def test_derivatives_of_an_end_are_differences(end):
    rng = np.random.default_rng(7)
    A = rng.normal(size=(W, SAMPLES))
    for dA in rng.normal(size=(4, W, SAMPLES)):
        close((end.gradient(A) * dA).sum(), slope(lambda e, dA=dA: end.value(A + e * dA)))
        wanted = slope(lambda e, dA=dA: end.gradient(A + e * dA))
        close((end.hessian(A) @ dA.ravel()).reshape(A.shape), wanted)
    H = end.hessian(A)
    np.testing.assert_allclose(H, H.T, rtol=0, atol=1e-13 * max(np.abs(H).max(), 1))


def test_hessian_of_a_learned_readout_needs_the_part_of_its_movement():
    # negative control: with R held fast at its best value the curvature is another
    end, A = ENDS["learned read-out"], np.random.default_rng(8).normal(size=(W, SAMPLES))
    held = ReadOut(SquaredCost(end.Y), 0.3, end.readout(A))
    assert np.abs(held.hessian(A) - end.hessian(A)).max() > 0.05 * np.abs(held.hessian(A)).max()


def test_learned_readout_is_the_best_one():
    end, rng = ENDS["learned read-out"], np.random.default_rng(9)
    A = rng.normal(size=(W, SAMPLES))

    def price(M):
        return ((end.Y - M @ A) ** 2).sum() / (SAMPLES * 0.3) + 0.5 * 0.7 * (M**2).sum()

    best = end.map_of(A)
    np.testing.assert_allclose(end.value(A), price(best), rtol=1e-12)
    for dR in rng.normal(size=(5, *best.shape)):
        close(slope(lambda e, dR=dR: price(best + e * dR)) / price(best), 0.0)
        assert price(best + 0.1 * dR) > price(best)


def test_learned_read_in_has_the_least_price_among_maps_to_its_end():
    end, rng = ENDS["learned read-in"], np.random.default_rng(10)
    E = rng.normal(size=(W, 2))
    A = E @ end.X
    np.testing.assert_allclose(end.map_of(A), E, rtol=1e-12)
    np.testing.assert_allclose(end.value(A), 0.35 * (E**2).sum(), rtol=1e-12)
    np.testing.assert_allclose(A @ end.projection(A), A, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(end.gradient(A) @ end.X.T, 0.7 * E, rtol=1e-12)  # ∂/∂E = ∂/∂A Xᵀ
    redundant = LearnedReadIn(np.vstack([end.X, end.X[:1]]), 0.7)
    assert redundant.value(A) < end.value(A)  # one of two equal inputs more halves the price of their row
    np.testing.assert_allclose(redundant.map_of(A) @ redundant.X, A, rtol=1e-11)


# ------------------------------------------------------------------------------------ a whole path

SMALL = (2, 2)
PATHS = {
    "fixed ends": (Fixed(np.ones(SMALL)), Fixed(np.ones(SMALL)), 0.0),
    "fixed ends, multipliers": (Fixed(np.ones(SMALL)), Fixed(np.ones(SMALL)), 0.2),
    "squared error": (Fixed(np.ones(SMALL)), ReadOut(SquaredCost(np.ones((1, 2))), 0.3, np.array([[1.0, -0.5]])), 0.0),
    "both learned": (LearnedReadIn(np.array([[1.0, -0.5]]), 0.7), LearnedReadout(np.ones((1, 2)), 0.3, 0.7), 0.0),
    "cross-entropy": (
        LearnedReadIn(np.array([[1.0, -0.5], [-2.0, 1.0]]), 0.7),
        ReadOut(CrossEntropy(np.eye(2)), 0.3, np.eye(2)),
        0.2,
    ),
}


class Whole:
    """A small path with all its unknowns in one vector: nodes, then bubbles."""

    def __init__(self, start, end, delta, scheme, spread=0.1):
        rng, L = np.random.default_rng(11), 3
        n, m = len(scheme.points), scheme.degree
        h = np.array([0.5, 0.7, 0.4])
        base = np.array([[1.5, 0.3], [-0.2, 1.2]])
        A = base + 3 * spread * rng.normal(size=(L + 1, *SMALL))
        if start.projection(A[0]) is not None:
            A[0] = A[0] @ start.projection(A[0])
        Q = spread * rng.normal(size=(L, m - 1, *SMALL))
        self.path = Path(h, A, Q, 0.2 * rng.normal(size=(L, n, *SMALL)))
        self.action = PathAction(geometry("softplus:5", 1.0, 0.3), scheme, start, end, delta)
        self.state = self.action.state(self.path)
        self.nodes = A.size

    def moved(self, x):
        return self.action.state(
            self.path.moved(x[: self.nodes].reshape(self.path.A.shape), x[self.nodes :].reshape(self.path.Q.shape))
        )

    def projector(self):
        """Onto the directions in which the path may move."""
        P = np.eye(self.nodes + self.path.Q.size)
        d = self.path.A[0].size
        for node, end in ((0, self.action.start), (len(self.path.h), self.action.end)):
            block = slice(node * d, (node + 1) * d)
            inner = end.projection(self.path.A[node])
            P[block, block] = 0 if end.fixed else np.eye(d) if inner is None else np.kron(np.eye(SMALL[0]), inner)
        return P

    def gradient(self, x):
        """By elements and ends, put together; unrestricted."""
        state, d = self.moved(x), self.path.A[0].size
        g = np.zeros((len(self.path.A), d))
        g[:-1] += state.gradient[:, 0]
        g[1:] += state.gradient[:, 1]
        g[0] += self.action.start.gradient(state.path.A[0]).ravel()
        g[-1] += self.action.end.gradient(state.path.A[-1]).ravel()
        return np.concatenate([g.ravel(), state.gradient[:, 2:].ravel()])

    def hessian(self):
        zero = np.zeros(self.nodes + self.path.Q.size)
        return np.stack([slope(lambda e, unit=unit: self.gradient(zero + e * unit)) for unit in np.eye(len(zero))], 1)


SCHEMES = {"euler": EULER, "trapezoid": TRAPEZOID, "midpoint": gauss(1), "gauss-2": gauss(2), "gauss-3": gauss(3)}


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
@pytest.mark.parametrize(("start", "end", "delta"), PATHS.values(), ids=PATHS)
def test_gradient_of_a_path_is_the_difference_of_its_objective(start, end, delta, scheme):
    whole = Whole(start, end, delta, scheme)
    g = whole.gradient(np.zeros(whole.nodes + whole.path.Q.size))
    for dx in np.random.default_rng(12).normal(size=(3, len(g))):
        close(g @ dx, slope(lambda e, dx=dx: whole.moved(e * dx).value))
    free = (whole.projector() @ g)[: whole.nodes]
    np.testing.assert_allclose(whole.action.node_gradient(whole.state).ravel(), free, rtol=0, atol=1e-12 * abs(g).max())


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
@pytest.mark.parametrize(("start", "end", "delta"), PATHS.values(), ids=PATHS)
def test_newtons_step_solves_the_dense_equations(start, end, delta, scheme):
    """P(H + μM)P d = -Pg with H from differences and M the frozen metric; no factor where that is not positive."""
    whole = Whole(start, end, delta, scheme)
    P, g = whole.projector(), whole.gradient(np.zeros(whole.nodes + whole.path.Q.size))
    newton = whole.action.newton(whole.state)
    H, M = whole.hessian(), _assembled(whole, newton)
    for metric in (0.0, 1.0, 20.0):
        wanted = P @ (H + metric * M) @ P
        factor = newton.factor(metric)
        assert (factor is not None) == (np.linalg.eigvalsh(wanted + np.eye(len(P)) - P)[0] > 0)
        if factor is None:
            continue
        step, promise = factor.step()
        d = np.concatenate([step.dA.ravel(), step.dQ.ravel()])
        # differences leave 1e-8 of H
        np.testing.assert_allclose(wanted @ d + P @ g, 0, rtol=0, atol=1e-8 * np.abs(wanted).max() * abs(d).max())
        np.testing.assert_allclose(P @ d, d, rtol=0, atol=1e-12 * abs(d).max())
        np.testing.assert_allclose(promise, -0.5 * g @ d, rtol=1e-9)
    # the way out: without the part that is not convex there is always a factor
    assert newton.factor(1.0, share=0.0) is not None


def _assembled(whole, newton):
    """The frozen metric in all unknowns, from its blocks by element."""
    w, N = SMALL
    L, u = newton.state.gradient.shape[:2]
    local = with_rows(np.zeros_like(newton.local), np.repeat(newton._frozen, w, axis=3))
    d, total = w * N, np.zeros((whole.nodes + whole.path.Q.size,) * 2)
    for element in range(L):
        inside = whole.nodes + element * (u - 2) * d + np.arange((u - 2) * d)
        places = np.concatenate([element * d + np.arange(2 * d), inside])
        total[np.ix_(places, places)] += local[element]
    return total


def test_factor_fails_where_the_dense_hessian_is_not_positive():
    """Paths with large momenta have directions of negative curvature; the factorisation is the test for a minimum."""
    seen = set()
    for spread in (0.03, 0.1, 0.3, 1.0):
        whole = Whole(*PATHS["fixed ends"], gauss(3), spread=spread)
        P = whole.projector()
        positive = np.linalg.eigvalsh(P @ whole.hessian() @ P + np.eye(len(P)) - P)[0] > 0
        assert (whole.action.newton(whole.state).factor() is not None) == positive
        seen.add(positive)
    assert seen == {True, False}


def test_remainder_is_what_the_linear_model_misses():
    whole = Whole(*PATHS["both learned"], gauss(3))
    newton = whole.action.newton(whole.state)
    step, _ = newton.factor(100.0).step()
    sizes = []
    for factor in (1e-2, 5e-3):
        part = step * factor
        new = whole.action.state(whole.path.moved(part.dA, part.dQ))
        by_element, at_ends = newton.remainder(part, new)
        sizes.append([np.abs(by_element).max(), np.abs(at_ends).max()])
    # quadratic in the step, up to a cubic share of the order of the step
    np.testing.assert_allclose(np.array(sizes[0]) / sizes[1], 4, rtol=0.05)


def test_points_of_a_path_are_those_of_its_polynomial():
    """Bubbles of degree 2 and 3 are τ(τ-1) and τ(τ-1)(2τ-1)."""
    whole = Whole(*PATHS["fixed ends"], gauss(3))
    A, V = at_points(gauss(3), whole.path)
    tau = gauss(3).points
    for element in range(3):
        dofs = whole.path.dofs[element].reshape(4, -1)
        value = np.stack([1 - tau, tau, tau * (tau - 1), tau * (tau - 1) * (2 * tau - 1)], 1) @ dofs
        rate = np.stack([-1 + 0 * tau, 1 + 0 * tau, 2 * tau - 1, 6 * tau**2 - 6 * tau + 1], 1) @ dofs
        np.testing.assert_allclose(A[element].reshape(3, -1), value, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(V[element].reshape(3, -1) * whole.path.h[element], rate, rtol=1e-12, atol=1e-13)

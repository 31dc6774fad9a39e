"""What is constant along paths and what grows at a known rate: on stored nodes, integrated paths, and at any point."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from stored_paths import entries, entry, geometry, name, options

from gpdeep.leaky.energies import cost_of_identity, flow, hamiltonian, kernel, weights
from gpdeep.leaky.geometry import Geometry, inner
from gpdeep.leaky.nonlinearity import Nonlinearity

SETTINGS = settings(deadline=None, max_examples=50)
SMOOTH, RELU = entries("smooth"), entries("relu")


def squared(M):
    return inner(M, M)


def in_metric(M, K):
    """|M|²_K by a solve."""
    return np.einsum("...ai,...ia->...", M, np.linalg.solve(K, np.swapaxes(M, -1, -2)))


@pytest.mark.parametrize("path", SMOOTH + RELU, ids=name)
def test_energy_is_constant_along_nodes(path):
    # 1e-8, or what the stored path was solved to
    h = geometry(path).hamiltonian(path["nodes"]["A"], path["nodes"]["B"])
    assert np.ptp(h) < max(1e-8, 2 * path["tol_H"] / path["Lt"])


@pytest.mark.parametrize("path", SMOOTH + RELU + entries("closed_form"), ids=name)
def test_energy_from_cost_of_identity_and_velocity_at_any_gamma(path):
    """-2h = COI_γ - |dA/dt + γB|²_{K_γ} + γ|B|² with h and dA/dt at γ = 0, for every γ > 0 and every (A, B)."""
    A, B = path["nodes"]["A"], path["nodes"]["B"]
    chosen = {key: options(path)[key] for key in ("activation", "bias")}
    h, (velocity, _) = hamiltonian(A, B, 1.0, **chosen), flow(A, B, 1.0, **chosen)
    for gamma in (1.0, 0.1, 1e-2, 1e-4):
        coi, K = cost_of_identity(A, gamma=gamma, **chosen), kernel(A, gamma=gamma, **chosen)
        moving = in_metric(velocity + gamma * B, K)
        # rounding: eps |K_γ|/γ of terms that cancel, at γ = 1e-4 about 1e-10 of them
        size = coi + moving + gamma * squared(B)
        error = np.abs(coi - moving + gamma * squared(B) + 2 * h) / size
        assert error.max() < 1e-8
        # negative control: without γB in the velocity it fails by far more
        if gamma == 0.1 and np.abs(B).max() > 0.1:
            assert (np.abs(coi - in_metric(velocity, K) + gamma * squared(B) + 2 * h) / size).max() > 1e-4


@pytest.mark.parametrize("path", [path for path in SMOOTH + RELU if not path["gamma"]], ids=name)
def test_energy_and_speed_lie_between_their_bounds(path):
    """With c = max |B|² and the length ℓ = ∫|dA/dt|_{K_γ} dt,

    -(ℓ/L̃ + √(γc))² ≤ -2H/L̃ - min COI_γ ≤ γc,
    -√(γc) ≤ |dA/dt|_{K_γ} - √max(COI_γ + 2h, 0) ≤ 2√(γc).
    """
    p, A, B = (path["nodes"][key] for key in "pAB")
    chosen = {key: options(path)[key] for key in ("activation", "bias")}
    h, c = path["H"] / path["Lt"], squared(B).max()
    for gamma in (0.1, 1e-2, 1e-4):
        coi = cost_of_identity(A, gamma=gamma, **chosen)
        speed = np.sqrt(in_metric(flow(A, B, 1.0, **chosen)[0], kernel(A, gamma=gamma, **chosen)))
        mean_speed, slack = np.trapezoid(speed, p), np.sqrt(gamma * c)
        assert -((mean_speed + slack) ** 2) <= -2 * h - coi.min() <= gamma * c + 1e-8
        excess = speed - np.sqrt(np.maximum(coi + 2 * h, 0))
        assert (excess >= -slack - 1e-6).all()
        assert (excess <= 2 * slack + 1e-6).all()


def integrate(G, A, B, T):
    """The flow from (A, B) in natural time, with the action and ∫|w_last|² beside it: DOP853, rtol 1e-12."""
    shape = A.shape

    def rates(_, y):
        a, b = y[: A.size].reshape(shape), y[A.size : 2 * A.size].reshape(shape)
        of_a, of_b = G.flow(a, b)
        w = G.weights(a, b)
        action, last = 0.5 * squared(w) + 0.5 * G.gamma * squared(b), w[:, -1] @ w[:, -1]
        return np.concatenate([of_a.ravel(), of_b.ravel(), [action, last]])

    start = np.concatenate([A.ravel(), B.ravel(), [0.0, 0.0]])
    times = np.linspace(0, T, 33)
    y = solve_ivp(rates, (0, T), start, method="DOP853", rtol=1e-12, atol=1e-14, t_eval=times).y.T
    return y[:, : A.size].reshape(-1, *shape), y[:, A.size : 2 * A.size].reshape(-1, *shape), y[:, -2], y[:, -1]


STABLE = [path for path in SMOOTH if path["Lt"] <= 3]


@pytest.mark.parametrize("path", STABLE, ids=name)
def test_flow_from_the_stored_start_passes_the_stored_nodes(path):
    nodes, G = path["nodes"], geometry(path)
    A, B, action, _ = integrate(G, nodes["A"][0], nodes["B"][0], path["Lt"])
    # perturbations grow like e^{L̃} and more: 1e-12 by about 1e4 at L̃ = 3
    tolerance = 1e-9 if path["Lt"] == 1 else 1e-7
    at = np.round(nodes["p"] * 32).astype(int)
    np.testing.assert_allclose(A[at], nodes["A"], rtol=0, atol=tolerance * np.abs(nodes["A"]).max())
    np.testing.assert_allclose(B[at], nodes["B"], rtol=0, atol=tolerance * np.abs(nodes["B"]).max())
    np.testing.assert_allclose(action[-1], path["S"], rtol=0, atol=max(10 * path["tol_S"], tolerance * path["S"]))
    np.testing.assert_allclose(G.hamiltonian(A, B), path["H"] / path["Lt"], rtol=0, atol=1e-8)


def to_first_kink(path):
    """A ReLU path up to where its first entry reaches 0."""
    T = path["Lt"] * path["event_p"][0] * 0.999
    return integrate(geometry(path), path["X"], path["B0"], T)


@pytest.mark.parametrize("path", [path for path in RELU if path["bias"]], ids=name)
def test_weight_norm_grows_by_twice_the_bias_weights(path):
    """|w|² = |w_0|² + 2∫|w_last|² dt; without the factor 2 it is wrong."""
    A, B, _, integral = to_first_kink(path)
    norm = squared(geometry(path).weights(A, B))
    growth = norm[-1] - norm[0]
    np.testing.assert_allclose(norm, norm[0] + 2 * integral, rtol=1e-9)
    np.testing.assert_allclose(growth / integral[-1], 2.0, rtol=1e-8)
    assert abs(growth - integral[-1]) > 0.4 * growth


@pytest.mark.parametrize("path", [path for path in RELU if not path["bias"]], ids=name)
def test_without_bias_weight_norm_and_sample_products_are_constant(path):
    # on all stored nodes, kinks and resting entries between them included
    A, B = path["nodes"]["A"], path["nodes"]["B"]
    products = np.einsum("lai,lai->li", A, B)
    np.testing.assert_allclose(products, products[0] + 0 * products, rtol=0, atol=1e-8)
    norm = squared(geometry(path).weights(A, B))
    np.testing.assert_allclose(norm, norm[0], rtol=1e-8)


def test_weight_norm_law_on_closed_forms():
    for path in entries("closed_form", "closed/bias_scalar"):
        nodes, T = path["nodes"], min(path["Lt"], 3.0)
        A, B, action, integral = integrate(geometry(path), nodes["A"][0], nodes["B"][0], T)
        norm = squared(geometry(path).weights(A, B))
        np.testing.assert_allclose(norm, norm[0] + 2 * integral, rtol=1e-8, atol=1e-12)
        if path["Lt"] <= 3:
            np.testing.assert_allclose(action[-1], path["S"], rtol=1e-9)


@st.composite
def points(draw, activations, biases=(0.0, 0.5, 1.0), gammas=(0.0, 0.1)):
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    A, B = rng.normal(size=(2, *shape))
    phi = Nonlinearity.of(draw(st.sampled_from(activations)))
    return A, B, Geometry(phi, draw(st.sampled_from(biases)), draw(st.sampled_from(gammas)))


HOMOGENEOUS = ("relu", "leaky_relu:0.2", "abs", "identity")


@SETTINGS
@given(points(HOMOGENEOUS))
def test_rate_of_sample_products(point):
    """d(a_i·b_i)/dt = γ|b_i|² + β² Σ_j b_j·b_i, for each sample."""
    A, B, G = point
    of_a, of_b = G.flow(A, B)
    rate = (of_a * B + A * of_b).sum(axis=0)
    expected = G.gamma * (B**2).sum(axis=0) + G.bias**2 * B.sum(axis=1) @ B
    size = (1 + np.abs(A).max() ** 2) * (1 + np.abs(B).max() ** 2)
    np.testing.assert_allclose(rate, expected, rtol=0, atol=1e-11 * size)


@SETTINGS
@given(points(HOMOGENEOUS, gammas=(0.0,)))
def test_rate_of_the_weight_norm(point):
    """d|w|²/dt = 2|w_last|², by the chain rule."""
    A, B, G = point
    of_a, of_b = G.flow(A, B)
    w, Sg = G.weights(A, B), G.features(A)
    d_features = np.zeros_like(Sg)
    d_features[: len(A)] = G.phi.slope(A) * of_a
    rate = 2 * inner(w, of_b @ Sg.T + B @ d_features.T)
    bias_part = 2 * (w[:, -1] ** 2).sum() if G.bias else 0.0
    size = 1 + np.abs(A).max() ** 4 * np.abs(B).max() ** 4
    np.testing.assert_allclose(rate, bias_part, rtol=0, atol=1e-10 * size)
    if bias_part > 0.1:  # negative control: the law without the factor 2
        assert abs(rate - bias_part / 2) > 0.04


@SETTINGS
@given(points(("identity",), biases=(0.0,), gammas=(0.0,)))
def test_linear_networks_conserve_their_two_moments(point):
    """φ = id, β = 0: AᵀB and ABᵀ - BAᵀ are constant, and dw/dt = wwᵀ - wᵀw."""
    A, B, G = point
    of_a, of_b = G.flow(A, B)
    size = 1 + np.abs(A).max() ** 2 * np.abs(B).max() ** 2
    first, second = of_a.T @ B + A.T @ of_b, of_a @ B.T + A @ of_b.T
    for zero in (first, second - second.T):
        np.testing.assert_allclose(zero, 0, rtol=0, atol=1e-11 * size)
    w = G.weights(A, B)
    rate, size = of_b @ A.T + B @ of_a.T, size * (1 + np.abs(w).max())
    np.testing.assert_allclose(rate, w @ w.T - w.T @ w, rtol=0, atol=1e-11 * size)


@pytest.mark.parametrize("family", ["closed/linear_general/Lt1", "closed/linear_spd/Lt5"])
def test_linear_moments_along_closed_forms(family):
    path = entry(family)
    A, B = path["nodes"]["A"], path["nodes"]["B"]
    first, second = np.swapaxes(A, -1, -2) @ B, A @ np.swapaxes(B, -1, -2)
    for moment in (first, second - np.swapaxes(second, -1, -2)):
        np.testing.assert_allclose(moment, moment[:1] + 0 * moment, rtol=0, atol=1e-13)


def test_network_layers_obey_the_discrete_energy():
    # raw energies per layer fluctuate by the step, corrected ones by its square; both are stored
    path = entry("network/P33/Lt3/L20/softplus/fixed")
    raw, corrected = path["minus_2H_over_Lt_per_layer"], path["minus_2H_over_Lt_corrected_per_layer"]
    assert np.ptp(corrected) < np.ptp(raw) / 10


def test_weights_use_the_same_features_as_the_energy():
    path = entry("smooth/P33/Lt3")
    A, B = path["nodes"]["A"], path["nodes"]["B"]
    W = weights(A, B, path["Lt"], **options(path))
    expected = path["Lt"] * (0.5 * squared(W / path["Lt"]) - inner(A, B))
    np.testing.assert_allclose(hamiltonian(A, B, path["Lt"], **options(path)), expected, rtol=1e-12)
    middle = int(np.searchsorted(path["nodes"]["p"], 0.5))
    singular = np.linalg.svd(W[middle], compute_uv=False)
    np.testing.assert_allclose(singular[:3], path["W_singular_values_mid"][:3], rtol=1e-8)

"""Lagrangian, Hamiltonian and flow against each other, against finite differences, and on stored paths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_paths import entries, name, options

from gpdeep import DomainError
from gpdeep.leaky.energies import (
    cost_of_identity,
    flow,
    flow_jacobian,
    hamiltonian,
    kernel,
    kinetic,
    lagrangian,
    momentum,
    speed,
    weights,
)

SETTINGS = settings(deadline=None, max_examples=40)
SMOOTH = st.sampled_from(["softplus:5", "tanh", "gelu", "identity"])


@st.composite
def problems(draw, activations=SMOOTH, gammas=(0.0, 0.01, 1.0), biases=(0.0, 0.5, 1.0), wide=False):
    """A, B of a batch, L̃ and options; `wide`: no more samples than neurons, so that K is invertible."""
    w = draw(st.integers(1, 4))
    n = draw(st.integers(1, w if wide else 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    A, B = rng.normal(size=(2, 3, w, n))
    chosen = {
        "activation": draw(activations),
        "bias": draw(st.sampled_from(biases)),
        "gamma": draw(st.sampled_from(gammas)),
    }
    return A, B, draw(st.sampled_from([0.3, 1.0, 7.0])), chosen


@SETTINGS
@given(problems(activations=st.sampled_from(["relu", "leaky_relu:0.2", "softplus:5", "tanh"])))
def test_kernel_is_the_gram_matrix_of_the_features(problem):
    A, B, depth, chosen = problem
    w = A.shape[-2]
    W = weights(A, B, depth, **chosen)
    assert W.shape == (3, w, w + (chosen["bias"] > 0))
    # W Sg = L̃ B (K_γ - γ I), and the bias column is L̃ β B 1
    K = kernel(A, **chosen)
    phi = kernel(A, **{**chosen, "bias": 0.0, "gamma": 0.0})
    added = chosen["bias"] ** 2 + chosen["gamma"] * np.eye(A.shape[-1])
    np.testing.assert_allclose(K, phi + added, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(K, np.swapaxes(K, -1, -2), rtol=0, atol=0)
    if chosen["bias"]:
        np.testing.assert_allclose(W[..., -1], depth * chosen["bias"] * B.sum(axis=-1), rtol=1e-13, atol=1e-12)


@SETTINGS
@given(problems(gammas=(1e-3, 0.01, 1.0)))
def test_legendre_transform(problem):
    A, B, depth, chosen = problem
    V = flow(A, B, depth, **chosen)[0]
    # V → B → V, conditioned as |K_γ|/γ
    error = 1e-14 * np.linalg.norm(kernel(A, **chosen), 2, axis=(-2, -1)).max() / chosen["gamma"]
    found = momentum(A, V, depth, **chosen)
    np.testing.assert_allclose(found, B, rtol=0, atol=30 * error * np.abs(B).max())
    H, L = hamiltonian(A, B, depth, **chosen), lagrangian(A, V, depth, **chosen)
    pairing = np.einsum("...ai,...ai->...", B, V)
    np.testing.assert_allclose(H + L, pairing, rtol=0, atol=1e-10 * (1 + np.abs(pairing).max() + np.abs(L).max()))


@SETTINGS
@given(problems(gammas=(0.0,), biases=(0.0, 1.0)))
def test_momentum_gives_back_velocity_where_kernel_is_singular(problem):
    # more samples than features too: B is found up to what neither W nor dA/dp sees
    A, B, depth, chosen = problem
    V, W = flow(A, B, depth, **chosen)[0], weights(A, B, depth, **chosen)
    found = momentum(A, V, depth, **chosen)
    S = np.linalg.svd(kernel(A, **chosen), compute_uv=False)
    rank = min(A.shape[-2] + (chosen["bias"] > 0), A.shape[-1])
    error = 1e-13 * (S[..., 0] / S[..., rank - 1]).max() * (1 + np.abs(B).max()) * (1 + np.abs(V).max())
    if error > 1e-3:
        return
    size = 1 + np.abs(W).max() + np.abs(V).max()
    np.testing.assert_allclose(weights(A, found, depth, **chosen), W, rtol=0, atol=100 * error * size)
    np.testing.assert_allclose(flow(A, found, depth, **chosen)[0], V, rtol=0, atol=100 * error * size)
    # |W|² of the smallest weights
    np.testing.assert_allclose(
        lagrangian(A, V, depth, **chosen), (W**2).sum(axis=(-2, -1)) / (2 * depth), rtol=100 * error, atol=100 * error
    )


@SETTINGS
@given(problems())
def test_flow_is_the_symplectic_gradient_of_the_hamiltonian(problem):
    A, B, depth, chosen = problem
    rng = np.random.default_rng(1)
    E, F = rng.normal(size=(2, *A.shape))
    of_a, of_b = flow(A, B, depth, **chosen)
    step = 1e-5  # central differences: step² times third derivatives, which softplus:5 has up to about 25
    up, down = (hamiltonian(A + s * E, B + s * F, depth, **chosen) for s in (step, -step))
    expected = np.einsum("...ai,...ai->...", of_a, F) - np.einsum("...ai,...ai->...", of_b, E)
    scale = depth * (1 + np.abs(A).max() ** 2) * (1 + np.abs(B).max() ** 2) * A.size
    np.testing.assert_allclose((up - down) / (2 * step), expected, rtol=0, atol=3e-7 * scale)


@SETTINGS
@given(problems())
def test_jacobian_is_the_derivative_of_the_flow(problem):
    A, B, depth, chosen = problem
    rng = np.random.default_rng(2)
    E, F = rng.normal(size=(2, *A.shape))
    aa, ab, ba = flow_jacobian(A, B, depth, **chosen)
    step = 1e-5
    plus, minus = (flow(A + s * E, B + s * F, depth, **chosen) for s in (step, -step))
    flat = (3, -1, 1)
    e, f = E.reshape(flat), F.reshape(flat)
    scale = depth * (1 + np.abs(A).max() ** 2) * (1 + np.abs(B).max() ** 2) * A.size
    for up, down, linear in zip(plus, minus, (aa @ e + ab @ f, ba @ e - np.swapaxes(aa, -1, -2) @ f), strict=True):
        np.testing.assert_allclose(((up - down) / (2 * step)).reshape(flat), linear, rtol=0, atol=1e-6 * scale)
    for symmetric in (ab, ba):
        np.testing.assert_allclose(symmetric, np.swapaxes(symmetric, -1, -2), rtol=0, atol=1e-12 * scale)


@SETTINGS
@given(problems(gammas=(1e-3, 0.1)))
def test_energy_is_kinetic_minus_cost_of_identity(problem):
    A, B, depth, chosen = problem
    H, T = hamiltonian(A, B, depth, **chosen), kinetic(A, B, depth, **chosen)
    coi = cost_of_identity(A, **chosen)
    np.testing.assert_allclose(
        T - depth / 2 * coi, H, rtol=0, atol=1e-10 * depth * (T.max() + coi.max() + np.abs(H).max())
    )
    # and the Lagrangian adds them, with the cross term <V, A>
    V = flow(A, B, depth, **chosen)[0]
    cross = np.einsum("...ai,...ij,...aj->...", V, np.linalg.inv(kernel(A, **chosen)), A)
    L = lagrangian(A, V, depth, **chosen)
    np.testing.assert_allclose(L, T + depth / 2 * coi + cross, rtol=0, atol=1e-8 * (1 + np.abs(cross).max() + L.max()))


@SETTINGS
@given(problems(activations=st.sampled_from(["relu", "leaky_relu:0.2", "abs"]), gammas=(0.0,), biases=(0.0,)))
def test_scaling_samples_changes_nothing_without_bias(problem):
    A, B, depth, chosen = problem
    D = np.random.default_rng(3).uniform(0.3, 3.0, size=A.shape[-1])
    one, other = ((A, B), (A * D, B / D))
    # rounding of sums of w N products of numbers up to about 1e3
    tolerance = {"rtol": 1e-12, "atol": 1e-11 * depth}
    for quantity in (weights, hamiltonian):
        np.testing.assert_allclose(quantity(*one, depth, **chosen), quantity(*other, depth, **chosen), **tolerance)
    np.testing.assert_allclose(flow(*one, depth, **chosen)[0] * D, flow(*other, depth, **chosen)[0], **tolerance)


def test_depth_is_the_unit_of_time():
    rng = np.random.default_rng(4)
    A, B = rng.normal(size=(2, 5, 3, 4))
    chosen = {"activation": "softplus:5", "bias": 1.0, "gamma": 0.1}
    for quantity in (hamiltonian, weights, kinetic, speed):
        np.testing.assert_allclose(quantity(A, B, 6.0, **chosen), 6 * quantity(A, B, 1.0, **chosen), rtol=1e-13)
    # the action over [0, 1] at depth c L̃ with velocity cV is c times that at L̃
    V = rng.normal(size=A.shape)
    np.testing.assert_allclose(lagrangian(A, 2 * V, 12.0, **chosen), 2 * lagrangian(A, V, 6.0, **chosen), rtol=1e-13)
    np.testing.assert_allclose(momentum(A, 2 * V, 12.0, **chosen), momentum(A, V, 6.0, **chosen), rtol=1e-12)


def test_batches_are_loops():
    rng = np.random.default_rng(5)
    A, B = rng.normal(size=(2, 2, 3, 4, 3))
    chosen = {"activation": "relu", "bias": 1.0, "gamma": 0.01}
    for quantity in (hamiltonian, weights, kinetic, speed, momentum, lagrangian):
        whole = quantity(A, B, 3.0, **chosen)
        for index in np.ndindex(2, 3):
            np.testing.assert_allclose(whole[index], quantity(A[index], B[index], 3.0, **chosen), rtol=1e-12)
    for quantity in (flow, flow_jacobian):
        for part, whole in enumerate(quantity(A, B, 3.0, **chosen)):
            np.testing.assert_allclose(
                whole[1, 2], quantity(A[1, 2], B[1, 2], 3.0, **chosen)[part], rtol=1e-12, atol=1e-14
            )
    # one representation, many momenta
    np.testing.assert_allclose(hamiltonian(A[0, 0], B, 3.0)[1, 2], hamiltonian(A[0, 0], B[1, 2], 3.0), rtol=1e-13)


def test_integers_and_float32_are_computed_in_float64():
    A, B = np.array([[1, -2], [3, 1]]), np.array([[0, 1], [2, -1]])
    expected = hamiltonian(A.astype(float), B.astype(float), 2.0)
    assert hamiltonian(A, B.astype(np.float32), 2) == expected
    assert expected.dtype == kernel(A).dtype == np.float64


@pytest.mark.parametrize("entry", entries("smooth") + entries("relu"), ids=name)
def test_stored_energy_along_stored_paths(entry):
    # rounding in A and B of the stored nodes counts with |∂H|, which is large at large depth
    A, B = entry["nodes"]["A"], entry["nodes"]["B"]
    H = hamiltonian(A, B, entry["Lt"], **options(entry))
    np.testing.assert_allclose(H, entry["H"], rtol=0, atol=max(1e-8, 10 * entry["tol_H"]))


@pytest.mark.parametrize("entry", entries("smooth") + entries("relu"), ids=name)
def test_weights_are_the_smallest_that_move_stored_paths(entry):
    A, B = entry["nodes"]["A"], entry["nodes"]["B"]
    chosen = options(entry)
    W, V = weights(A, B, entry["Lt"], **chosen), flow(A, B, entry["Lt"], **chosen)[0]
    # |W|² + |E|²/γ = 2L̃L at γ > 0; at γ = 0 of the path's own features
    slack = chosen["gamma"] * (entry["Lt"] ** 2) * (B**2).sum(axis=(-2, -1))
    np.testing.assert_allclose(
        lagrangian(A, V, entry["Lt"], **chosen), ((W**2).sum(axis=(-2, -1)) + slack) / (2 * entry["Lt"]), rtol=1e-7
    )


def test_velocities_outside_the_row_space_are_refused():
    rng = np.random.default_rng(6)
    A, V = rng.normal(size=(2, 3, 5))
    for quantity in (lagrangian, momentum):
        with pytest.raises(DomainError, match="4 features of 5 samples"):
            quantity(A, V, 1.0)
        assert np.isfinite(quantity(A, V, 1.0, gamma=1e-8)).all()
    # no velocity at all needs no weights
    assert lagrangian(A, -1.0 * A, 1.0) == 0


def test_kinetic_energy_is_infinite_only_with_the_cost_of_identity():
    rng = np.random.default_rng(7)
    A, B = rng.normal(size=(2, 3, 5))
    assert np.isinf(kinetic(A, B, 1.0))
    assert np.isfinite(kinetic(A, B, 1.0, gamma=1e-3))
    assert np.isfinite(hamiltonian(A, B, 1.0))
    # at rest, up to rounding, kinetic energy vanishes and is not infinite
    C = np.abs(rng.normal(size=(3, 5)))
    resting = momentum(C, 0 * C, 1.0, bias=0.0)
    assert kinetic(C, resting, 1.0, bias=0.0) < 1e-24

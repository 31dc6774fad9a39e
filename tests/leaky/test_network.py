"""The network as theory sees it: forward and backward, symplectic Euler, what layers conserve, and refusals."""

import warnings

import numpy as np
import pytest
from stored_paths import entry

from gpdeep import DomainError, ValidityWarning
from gpdeep.leaky.geometry import Geometry
from gpdeep.leaky.network import backward, forward, layer_energies, sample_invariant, stationarity_residual
from gpdeep.leaky.network_newton import train_network
from gpdeep.leaky.nonlinearity import Nonlinearity

DEPTH, LAYERS, WIDTH, SAMPLES = 2.5, 7, 4, 5
EPS = np.finfo(float).eps


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def drawn(rng, bias=0.7, layers=LAYERS):
    """A random network that nobody trained: X, W, unequal steps."""
    rho = rng.uniform(0.5, 1.5, size=layers)
    W = DEPTH * rng.normal(size=(layers, WIDTH, WIDTH + bool(bias))) / np.sqrt(WIDTH)
    return rng.normal(size=(WIDTH, SAMPLES)), W, rho / rho.sum()


def trained(name, layers=None, tol=1e-10, **more):
    """A stored problem with terminal cost, trained; the smooth ones have one good minimum."""
    e = entry(name)
    steps = {"rho": e["rho"]} if layers is None else {"layers": layers}
    return train_network(
        e["X"], e["Y"], e["Lt"], terminal_weight=0.01, activation="softplus:5", bias=e["bias"], tol=tol, **steps, **more
    )


@pytest.mark.parametrize("bias", [0.0, 0.7])
def test_forward_is_the_recursion_in_p_time(rng, bias):
    X, W, rho = drawn(rng, bias)
    A = forward(X, W, rho, DEPTH, activation="tanh", bias=bias)
    a = X
    for layer in range(LAYERS):
        features = np.tanh(a) if not bias else np.vstack([np.tanh(a), np.full((1, SAMPLES), bias)])
        a = (1 - rho[layer] * DEPTH) * a + rho[layer] * W[layer] @ features
        # 14 roundings of numbers of order |A|, in another order of multiplication
        np.testing.assert_allclose(A[layer + 1], a, rtol=0, atol=100 * EPS * np.abs(A).max())


def test_backward_is_minus_the_gradient_in_the_representations(rng):
    X, W, rho = drawn(rng)
    goal, options = rng.normal(size=(WIDTH, SAMPLES)), {"activation": "softplus:5", "bias": 0.7}

    def loss(start):
        return 0.5 * np.sum((forward(start, W, rho, DEPTH, **options)[-1] - goal) ** 2)

    A = forward(X, W, rho, DEPTH, **options)
    B = backward(A, goal - A[-1], W, rho, DEPTH, **options)
    direction, step = rng.normal(size=X.shape), 1e-5
    slope = (loss(X + step * direction) - loss(X - step * direction)) / (2 * step)
    # central difference: step² f'''/6 ~ 1e-8, rounding eps f/step ~ 1e-9, both relative to a slope of order 10
    np.testing.assert_allclose(-np.sum(B[0] * direction), slope, rtol=1e-7, atol=0)


def test_residual_is_the_gradient_in_the_weights(rng):
    X, W, rho = drawn(rng, layers=5)
    weight, goal, options = 0.3, rng.normal(size=(WIDTH, SAMPLES)), {"activation": "softplus:5", "bias": 0.7}

    def loss(weights):
        end = forward(X, weights, rho, DEPTH, **options)[-1]
        action = np.sum(rho[:, None, None] * weights**2) / (2 * DEPTH)
        return action + np.sum((goal - end) ** 2) / SAMPLES / weight

    A = forward(X, W, rho, DEPTH, **options)
    B = backward(A, 2 / (weight * SAMPLES) * (goal - A[-1]), W, rho, DEPTH, **options)
    gradient = np.empty_like(W)
    for index in np.ndindex(W.shape):
        shift = np.zeros_like(W)
        shift[index] = 1e-5
        gradient[index] = (loss(W + shift) - loss(W - shift)) / 2e-5
    norms = [np.linalg.norm(M, axis=(1, 2)) for M in (gradient * DEPTH / rho[:, None, None], W)]
    residual = stationarity_residual(A, B, W, DEPTH, **options)
    # differences as above, over the length of W
    np.testing.assert_allclose(residual, (norms[0] / norms[1]).max(), rtol=1e-6, atol=0)


def test_a_trained_network_is_symplectic_euler_of_the_hamiltonian_flow():
    net = trained("network/P22/Lt3/L12/softplus/lam0.01")
    geometry, h = Geometry(Nonlinearity.of("softplus:5"), 1.0), 3.0 * net.rho[:, None, None]
    forwards, backwards = geometry.flow(net.A[:-1], net.B[1:])
    size = [np.abs(M).max() for M in (net.A, net.B)]
    # stationary to 1e-10, which enters the flow multiplied by |Sg|, |B| of order 1 to 10
    assert net.residual < 1e-10
    assert np.abs(np.diff(net.A, axis=0) - h * forwards).max() < 1e-8 * size[0]
    assert np.abs(np.diff(net.B, axis=0) - h * backwards).max() < 1e-8 * size[1]
    explicit, _ = geometry.flow(net.A[:-1], net.B[:-1])  # negative control: momentum of the wrong end
    assert np.abs(np.diff(net.A, axis=0) - h * explicit).max() > 1e-2 * size[0]


@pytest.mark.parametrize("activation", ["relu", "leaky_relu:0.1", "abs", "identity"])
@pytest.mark.parametrize("bias", [0.0, 0.7])
def test_invariant_of_each_sample_is_exact_for_homogeneous_activations(rng, activation, bias):
    X, W, rho = drawn(rng, bias)
    A = forward(X, W, rho, DEPTH, activation=activation, bias=bias)
    B = backward(A, rng.normal(size=X.shape), W, rho, DEPTH, activation=activation, bias=bias)
    change = sample_invariant(A, B, W, rho, DEPTH, activation=activation, bias=bias)
    # sums of some 20 products of size |A||B| each
    assert np.abs(change).max() < 50 * EPS * np.abs(A).max() * np.abs(B).max()
    if not bias:
        products = np.einsum("lai,lai->li", A, B)
        np.testing.assert_allclose(products, products[:1].repeat(LAYERS + 1, axis=0), rtol=0, atol=1e-12)


def test_invariant_fails_for_softplus_and_without_the_bias(rng):
    # negative controls
    X, W, rho = drawn(rng)
    options = {"activation": "softplus:5", "bias": 0.7}
    A = forward(X, W, rho, DEPTH, **options)
    B = backward(A, rng.normal(size=X.shape), W, rho, DEPTH, **options)
    assert np.abs(sample_invariant(A, B, W, rho, DEPTH, **options)).max() > 1e-3
    A = forward(X, W, rho, DEPTH, activation="relu", bias=0.7)
    B = backward(A, rng.normal(size=X.shape), W, rho, DEPTH, activation="relu", bias=0.7)
    assert np.abs(np.diff(np.einsum("lai,lai->li", A, B), axis=0)).max() > 1e-3


@pytest.mark.parametrize("name", ["network/P33/Lt3/L20/softplus/lam0.01", "network/P22/Lt3/L12/softplus/lam0.01"])
def test_energies_of_stored_networks(name):
    e, net = entry(name), trained(name)
    # stored to 1e-7
    np.testing.assert_allclose(-2 * net.energies / 3.0, e["minus_2H_over_Lt_per_layer"], rtol=0, atol=1e-7)
    corrected = e["minus_2H_over_Lt_corrected_per_layer"]
    np.testing.assert_allclose(-2 * net.corrected_energies / 3.0, corrected, rtol=0, atol=1e-7)
    options = {"activation": "softplus:5", "bias": 1.0}
    for which, energies in ((False, net.energies), (True, net.corrected_energies)):
        found = layer_energies(net.A, net.B, net.weights, net.rho, 3.0, corrected=which, **options)
        np.testing.assert_allclose(found, energies, rtol=1e-12, atol=0)


def test_corrected_energies_spread_a_tenth_of_the_raw_ones_and_as_the_square_of_the_step():
    nets = [trained("network/P33/Lt3/L20/softplus/lam0.01", layers) for layers in (20, 40, 80)]
    raw = np.array([np.ptp(net.energies) for net in nets])
    corrected = np.array([np.ptp(net.corrected_energies) for net in nets])
    assert (corrected <= raw / 10).all()
    # fitted orders within 0.1 of 1 and 2
    orders = [-np.polyfit(np.log([20, 40, 80]), np.log(spread), 1)[0] for spread in (raw, corrected)]
    np.testing.assert_allclose(orders, [1.0, 2.0], rtol=0, atol=0.1)


def test_energies_of_a_network_that_is_not_stationary_come_with_a_warning(rng):
    X, W, rho = drawn(rng)
    A = forward(X, W, rho, DEPTH, bias=0.7)
    B = backward(A, rng.normal(size=X.shape), W, rho, DEPTH, bias=0.7)
    assert stationarity_residual(A, B, W, DEPTH, bias=0.7) > 0.3
    with pytest.warns(ValidityWarning, match="stationarity residual") as caught:
        layer_energies(A, B, W, rho, DEPTH, bias=0.7)
    assert caught[0].filename == __file__
    net = trained("network/P22/Lt3/L12/softplus/lam0.01", tol=1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer_energies(net.A, net.B, net.weights, net.rho, 3.0, activation="softplus:5")


def test_weights_of_zero_have_an_infinite_residual_unless_that_is_stationary():
    A, B = np.ones((2, 1, 1)), np.zeros((2, 1, 1))
    assert stationarity_residual(A, B, np.zeros((1, 1, 2)), 1.0) == 0.0
    assert stationarity_residual(A, B + 1, np.zeros((1, 1, 2)), 1.0) == np.inf


X1, W2, RHO = np.ones((1, 1)), np.ones((2, 1, 2)), [0.5, 0.5]
A3 = np.ones((3, 1, 1))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: forward(X1, W2, RHO, 2.0), "rho_l L̃ is 1 in layer 1 of 2"),
        (lambda: forward(X1, W2, RHO, 0.0), "effective_depth"),
        (lambda: forward(X1, W2, [0.5, 0.6], 1.0), "sum 1.1"),
        (lambda: forward(X1, W2, [1.5, -0.5], 1.0), "rho"),
        (lambda: forward(X1, W2, "half", 1.0), "rho"),
        (lambda: forward(X1, W2, RHO, 1.0, bias=0.0), r"\(2, 1, 2\)"),
        (lambda: forward(X1, W2, RHO, 1.0, bias=-1.0), "bias"),
        (lambda: forward(X1, np.full((2, 1, 2), np.nan), RHO, 1.0), "nan"),
        (lambda: forward(np.ones(3), W2, RHO, 1.0), "shape"),
        (lambda: forward(X1, W2, RHO, 1.0, activation="rleu"), "rleu"),
        (lambda: backward(A3, np.ones((1, 2)), W2, RHO, 1.0), r"\(1, 2\), not \(1, 1\)"),
        (lambda: backward(A3[:2], X1, W2, RHO, 1.0), "A has shape"),
        (lambda: stationarity_residual(A3, A3[:2], W2, 1.0), "B has shape"),
        (lambda: stationarity_residual(A3, np.ones((3, 1, 2)), W2, 1.0), "B has shape|B \\("),
        (lambda: layer_energies(A3, A3, W2, [1.0], 0.5), "1 steps"),
        (lambda: sample_invariant(A3, A3, W2[:1], RHO, 1.0), "weights have shape"),
    ],
)
def test_bad_input_is_refused_in_three_parts(call, match):
    with pytest.raises(DomainError, match=match) as caught:
        call()
    assert caught.value.cause
    assert caught.value.change

"""Arc-cosine kernels against Cho & Saul's formula, sampled neurons, and awkward data."""

import tracemalloc

import mpmath as mp
import numpy as np
import pytest
import sympy

from gpdeep import DomainError
from gpdeep.gaussian import angular_function, arc_cosine, arc_cosine_kernel

EPS = np.finfo(np.float64).eps


def cho_saul(order, sign=-1):
    """A_n = (-1)^n s^{2n+1} ((1/s) d/dθ)^n ((π - θ)/s), symbolically."""
    theta = sympy.Symbol("theta")
    expression = (sympy.pi - theta) / sympy.sin(theta)
    for _ in range(order):
        expression = sympy.diff(expression, theta) / sympy.sin(theta)
    return sympy.lambdify(theta, sign**order * sympy.sin(theta) ** (2 * order + 1) * expression, "mpmath")


@pytest.mark.parametrize("order", range(5))
@pytest.mark.parametrize("theta", [1e-6, 0.4, np.pi / 2, 2.8, np.pi - 1e-6])
def test_angular_function_is_cho_and_sauls(order, theta):
    with mp.workdps(120):  # the formula cancels to θ^{2n+1} at both ends
        expected = float(cho_saul(order)(mp.mpf(theta)))
    # a moment with a + b = 2n
    np.testing.assert_allclose(angular_function(order, theta), expected, rtol=(4 * order + 10) * EPS, atol=0)


def test_without_the_alternating_sign_the_formula_fails():
    with mp.workdps(60):
        wrong = float(cho_saul(1, sign=1)(mp.mpf(1)))
    assert abs(angular_function(1, 1.0) / wrong - 1) > 1


@pytest.mark.statistical
def test_kernel_is_the_mean_over_sampled_neurons():
    rng = np.random.default_rng(20)
    x, y = rng.normal(size=(2, 3)), rng.normal(size=(3, 3))
    w = rng.normal(size=(200_000, 3))
    scores = []
    for order in range(3):
        left, right = (np.where(w @ z.T > 0, (w @ z.T), 0) ** order * (w @ z.T > 0) for z in (x, y))
        products = 2 * left[:, :, None] * right[:, None, :]
        standard_error = products.std(axis=0) / len(w) ** 0.5
        scores.append((products.mean(axis=0) - arc_cosine_kernel(order, x, y)) / standard_error)
        # negative control: half the kernel is far outside
        half = arc_cosine_kernel(order, x, y) / 2
        assert np.abs((products.mean(axis=0) - half) / standard_error).max() > 20
    # 18 normal scores: |z| > 4.5 in one of them has a probability of 18 · 6.8e-6 = 1.2e-4
    assert np.abs(scores).max() < 4.5


@pytest.mark.parametrize("order", range(4))
def test_kernel_is_the_angular_function_times_lengths(order):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(4, 5)), rng.normal(size=(6, 5))
    lengths = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(y, axis=1)
    theta = np.arccos(x @ y.T / lengths)
    # well-conditioned angles (|cos| < 0.95): arccos costs 10 units, times |A'/A| (2n + 1) at most 20 of them
    assert np.abs(np.cos(theta)).max() < 0.95
    expected = lengths**order * angular_function(order, theta) / np.pi
    np.testing.assert_allclose(arc_cosine_kernel(order, x, y), expected, rtol=400 * EPS, atol=0)


def test_tiny_angles_survive():
    # k_0 = 1 - θ/π: arccos of the inner product would return exactly 1 for θ = 1e-9
    kernel = arc_cosine_kernel(0, [[1.0, 0.0]], [[1.0, 1e-9], [1.0, 1e-12]])
    np.testing.assert_allclose(1 - kernel[0], [1e-9 / np.pi, 1e-12 / np.pi], rtol=0, atol=2 * EPS)


def test_opposite_inputs_have_no_common_neuron():
    assert arc_cosine_kernel(1, [[3.0, 4.0]], [[-6.0, -8.0]]).item() < 1e-40  # (angle error of 1e-15)³


@pytest.mark.parametrize(("order", "expected"), [(0, 0.5), (1, 0.0), (3, 0.0)])
def test_zero_vectors_follow_the_integral(order, expected):
    x = np.array([[0.0, 0.0], [1.0, 2.0]])
    kernel = arc_cosine_kernel(order, x, x)
    # π/2 is a rounded angle, and J_{0,0} there has 2 units
    np.testing.assert_allclose(kernel[[0, 0, 1], [0, 1, 0]], expected, rtol=2 * EPS, atol=0)
    assert kernel[1, 1] > 0


def test_diagonal_is_the_length_times_a_double_factorial():
    x = np.array([[3.0, 4.0], [1e-200, 0.0], [0.0, 1e100]])
    np.testing.assert_allclose(np.diag(arc_cosine_kernel(1, x, x)), [25, 0, 1e200], rtol=4 * EPS, atol=0)
    np.testing.assert_allclose(np.diag(arc_cosine_kernel(2, x[:1], x[:1])), [3 * 625], rtol=8 * EPS, atol=0)


def test_matrix_is_symmetric_and_positive_semidefinite():
    x = np.random.default_rng(5).normal(size=(30, 8))
    kernel = arc_cosine_kernel(1, x, x)
    # |u - v| and |v - u| add the same squares; 8 units in case they do so in another order
    np.testing.assert_allclose(kernel, kernel.T, rtol=8 * EPS, atol=0)
    # backward error of eigvalsh: a few n units of the norm
    assert np.linalg.eigvalsh(kernel).min() > -30 * 4 * EPS * np.linalg.norm(kernel)


def test_blocks_do_not_change_the_result(monkeypatch):
    x = np.random.default_rng(6).normal(size=(17, 3))
    whole = arc_cosine_kernel(1, x, x)
    monkeypatch.setattr(arc_cosine, "BLOCK", 34)
    np.testing.assert_array_equal(arc_cosine_kernel(1, x, x), whole)


def test_memory_does_not_grow_with_rows_times_columns_times_dimension():
    x = np.random.default_rng(7).normal(size=(400, 300))
    arc_cosine_kernel(1, x[:2], x[:2])
    tracemalloc.start()
    arc_cosine_kernel(1, x, x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * 2**20  # the N x M x d array alone: 384 MB


def test_shapes_types_and_empty_matrices():
    x = np.ones((2, 3), dtype=np.float32)
    assert arc_cosine_kernel(1, x, np.ones((4, 3), dtype=int)).dtype == np.float64
    assert arc_cosine_kernel(1, np.ones((0, 3)), x).shape == (0, 2)
    assert arc_cosine_kernel(1, x, np.ones((0, 3))).shape == (2, 0)
    assert isinstance(angular_function(1, 1.0), np.float64)


def test_overflow_is_refused_with_the_reason():
    with pytest.raises(DomainError, match=r"exceeds 1\.8e308"):
        arc_cosine_kernel(2, [[1e100]], [[1e100]])

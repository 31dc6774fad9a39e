"""Cost of identity: stored values, the rank for non-negative matrices, lower bounds, and what is not true."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import cho_factor, cho_solve
from stored_paths import entries, entry, name, options

from gpdeep.leaky.energies import cost_of_identity, hamiltonian, kernel, stable_rank

SETTINGS = settings(deadline=None, max_examples=60)
SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("case", entries("coi_cases"), ids=lambda case: case["name"])
def test_stored_cases(case):
    A = case["A"]
    assert np.linalg.matrix_rank(A) == case["rank"]
    for bias, gamma in ((0, 0), (0, 0.01), (0, 0.0001), (1, 0.01), (1, 0.0001)):
        stored = case[f"coi_bias{bias}_gamma{gamma}"]
        # rounding: eps times the condition of K_γ, at most |K|/γ
        np.testing.assert_allclose(cost_of_identity(A, gamma=gamma, bias=bias), stored, rtol=1e-11)
    np.testing.assert_allclose(stable_rank(A), case["nuclear2_over_fro2"], rtol=1e-14)


def test_cost_of_identity_can_be_below_the_rank():
    case = entries("coi_cases", "sign mixed")[0]
    assert cost_of_identity(case["A"], gamma=0, bias=0) < case["rank"] - 0.6


@SETTINGS
@given(SEEDS, st.integers(1, 5), st.integers(1, 5), st.integers(1, 6))
def test_cost_of_identity_is_the_rank_where_nothing_is_negative(seed, rank, w, n):
    rng = np.random.default_rng(seed)
    A = rng.uniform(size=(w, rank)) @ rng.uniform(size=(rank, n))
    sigma = np.linalg.svd(A, compute_uv=False)
    # exact: A Sg⁺ = A A⁺ projects on the columns; rounding is eps over the relative gap to 0
    r = int(np.count_nonzero(sigma > max(A.shape) * np.finfo(float).eps * sigma[0]))
    np.testing.assert_allclose(
        cost_of_identity(A, gamma=0, bias=0), r, rtol=0, atol=1e-13 * (1 + sigma[0] / sigma[r - 1])
    )


@SETTINGS
@given(SEEDS, st.sampled_from(["relu", "leaky_relu:0.3", "softplus:5", "tanh"]), st.sampled_from([0.0, 0.3, 1.0]))
def test_lower_bounds(seed, phi, bias):
    rng = np.random.default_rng(seed)
    w, n = rng.integers(1, 7, size=2)
    A = rng.normal(size=(50, w, n)) * rng.uniform(0.1, 3)
    nuclear = np.linalg.svd(A, compute_uv=False).sum(axis=-1)
    plain = kernel(A, activation=phi, bias=0.0)
    features = np.trace(plain, axis1=-2, axis2=-1)
    for gamma in (0.0, 1e-4, 0.1):
        coi = cost_of_identity(A, gamma=gamma, activation=phi, bias=bias)
        size = features + (bias**2 + gamma) * n
        assert (np.isinf(coi) | (np.where(np.isinf(coi), 0, coi) * size >= nuclear**2 * (1 - 1e-9))).all()
        if phi == "relu" and bias == gamma == 0:
            assert (coi >= stable_rank(A) * (1 - 1e-9)).all()


@SETTINGS
@given(SEEDS, st.sampled_from(["relu", "softplus:5"]), st.sampled_from([0.0, 1.0]))
def test_cost_falls_with_gamma_and_tends_to_its_value_at_zero(seed, phi, bias):
    rng = np.random.default_rng(seed)
    w = int(rng.integers(2, 6))
    A = rng.normal(size=(w, int(rng.integers(1, w + 1))))
    gammas = [0.0, 1e-10, 1e-6, 1e-4, 1e-2, 1.0, 100.0]
    coi = np.array([cost_of_identity(A, gamma=gamma, activation=phi, bias=bias) for gamma in gammas])
    finite = coi[np.isfinite(coi)]
    assert (np.diff(finite) <= 1e-9 * finite[:-1]).all()
    least = np.linalg.eigvalsh(kernel(A, activation=phi, bias=bias))[0]
    if least > 1e-3:  # COI - COI_γ is below γ/λ of COI
        np.testing.assert_allclose(coi[1], coi[0], rtol=1e-6)


@SETTINGS
@given(SEEDS, st.integers(1, 8), st.integers(1, 8), st.sampled_from([1e-6, 1e-3, 1.0]), st.sampled_from([0.0, 1.0]))
def test_agrees_with_cholesky(seed, w, n, gamma, bias):
    A = np.random.default_rng(seed).normal(size=(w, n))
    K = kernel(A, bias=bias, gamma=gamma)
    expected = np.trace(A @ cho_solve(cho_factor(K), A.T))
    # Cholesky loses eps |K|/γ
    rtol = 1e-14 * np.linalg.norm(K, 2) / gamma + 1e-12
    np.testing.assert_allclose(cost_of_identity(A, gamma=gamma, bias=bias), expected, rtol=rtol)


def test_scaling_samples_changes_nothing_without_bias():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(5, 4))
    one = cost_of_identity(A, gamma=0, bias=0)
    np.testing.assert_allclose(cost_of_identity(A * rng.uniform(0.1, 10, size=4), gamma=0, bias=0), one, rtol=1e-11)


def test_infinite_exactly_where_no_weights_keep_the_representation():
    rng = np.random.default_rng(1)
    A = rng.normal(size=(3, 5))
    assert cost_of_identity(A, gamma=0) == math.inf  # 4 features of 5 samples
    assert math.isfinite(cost_of_identity(A, gamma=1e-9))
    assert math.isfinite(cost_of_identity(A[:, :4], gamma=0))
    assert cost_of_identity([[1.0, -1.0]], gamma=0, bias=0) == math.inf
    # five samples, but non-negative and of rank 3: features are the representation itself
    np.testing.assert_allclose(cost_of_identity(np.abs(A), gamma=0, bias=0), 3, rtol=1e-12)
    # a batch of both
    assert np.isinf(cost_of_identity(np.stack([A, np.abs(A)]), gamma=0, bias=0)).tolist() == [True, False]
    # off the row space by 1e-9 and 1e-12 of the norm
    null = np.linalg.svd(np.abs(A))[2][-1]
    direction = np.outer(np.ones(3), null)
    for size, inside in ((1e-7, False), (1e-12, True)):
        moved = np.concatenate([np.abs(A), -size * np.abs(direction)])  # silent rows: features stay as they were
        assert math.isfinite(cost_of_identity(moved, gamma=0, bias=0)) == inside


def test_zero_representation_costs_nothing():
    assert cost_of_identity(np.zeros((2, 3)), gamma=0) == 0
    assert cost_of_identity(np.zeros((2, 3)), gamma=0, bias=0) == 0
    assert stable_rank(np.zeros((2, 3))) == 0


@pytest.mark.parametrize("path", entries("smooth") + entries("relu"), ids=name)
def test_stored_costs_along_stored_paths(path):
    at = np.searchsorted(path["nodes"]["p"], path["coi"]["p"])
    A = path["nodes"]["A"][at]
    phi = {key: options(path)[key] for key in ("activation", "bias")}
    for key, gamma in (("gamma_as_given", path["gamma"]), ("gamma_1e_2", 1e-2), ("gamma_1e_6", 1e-6)):
        if key not in path["coi"]:
            continue
        K = kernel(A, **phi, gamma=gamma)
        sigma = np.linalg.eigvalsh(K)
        condition = sigma[:, -1] / np.maximum(sigma[:, 0], np.finfo(float).eps * sigma[:, -1])
        found, stored = cost_of_identity(A, gamma=gamma, **phi), path["coi"][key]
        assert (np.isinf(found) == np.isinf(stored)).all()
        finite = np.isfinite(stored)
        error = np.abs(found[finite] - stored[finite]) / stored[finite]
        # by solves with K there: eps times its condition
        assert (error < 1e-9 + 1e-14 * condition[finite]).all()


def test_cost_blows_up_inside_a_converged_bottleneck():
    path = entry("smooth/P43/Lt20")
    A, B = path["nodes"]["A"], path["nodes"]["B"]
    middle = int(np.searchsorted(path["nodes"]["p"], 0.5))
    chosen = {key: options(path)[key] for key in ("activation", "bias")}
    assert cost_of_identity(A[middle], gamma=0, **chosen) > 40
    assert cost_of_identity(A[middle], gamma=1e-2, **chosen) < 1.01
    assert -2 * hamiltonian(A[middle], B[middle], path["Lt"], **chosen) / path["Lt"] < 1


@SETTINGS
@given(SEEDS)
def test_stable_rank_lies_between_its_bounds(seed):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=tuple(rng.integers(1, 6, size=2))) * 10.0 ** rng.integers(-60, 60)
    sigma = np.linalg.svd(A / np.abs(A).max(), compute_uv=False)
    assert (sigma**2).sum() / sigma[0] ** 2 * (1 - 1e-12) <= stable_rank(A) <= len(sigma) * (1 + 1e-12)

"""Smooth activations on arrays of all shapes, matrices of covariances, tensors, scalars, and after pickling."""

import math
import pickle

import numpy as np
import pytest

from gpdeep.activations import Moments
from gpdeep.activations.smooth_catalogue import (
    COS,
    ERF,
    EXP,
    GELU,
    GELU_TANH,
    MISH,
    SIGMOID,
    SILU,
    SIN,
    TANH,
    softplus,
)

ALL = [TANH, ERF, SIGMOID, GELU, GELU_TANH, SILU, MISH, softplus(1.0), softplus(5.0), SIN, COS, EXP]
FITTED = [phi for phi in ALL if phi is not EXP]  # EXP overflows, and has no series or rule
PAIR_RTOL = 5e-15  # positive terms without subtraction, 10 roundings each
FIELDS = tuple(Moments.__dataclass_fields__)


def ids(phi):
    return phi.name


@pytest.mark.parametrize("phi", [TANH, ERF, GELU, SIGMOID, SIN], ids=ids)
def test_kernels_with_many_variances_equal_entries_one_by_one(phi):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(7, 5)) / 2
    k = x @ x.T
    q = np.diag(k)
    whole, slopes = phi.covariance(k, q[:, None], q), phi.slope_covariance(k, q[:, None], q)
    for i in range(7):
        for j in range(7):
            np.testing.assert_allclose(whole[i, j], phi.covariance(k[i, j], q[i], q[j]), rtol=0, atol=1e-15)
            np.testing.assert_allclose(slopes[i, j], phi.slope_covariance(k[i, j], q[i], q[j]), rtol=0, atol=2e-15)


@pytest.mark.parametrize("phi", [TANH, SILU, ERF], ids=ids)
@pytest.mark.parametrize("shape", [(300, 200), (1, 40_000), (40_000,), (3, 50, 300)])
def test_blocks_do_not_show(phi, shape):
    rng = np.random.default_rng(2)
    q1 = rng.choice([0.5, 0.9, 1.4], size=(*shape[:-1], 1))
    q2 = rng.choice([0.5, 1.1], size=shape[-1:])
    k = np.sqrt(q1 * q2) * rng.uniform(-1, 1, size=shape)
    got = phi.covariance(k, q1, q2)
    assert got.shape == shape
    at = tuple(np.array([0, n - 1, n // 2]) for n in shape)
    a, b = (np.broadcast_to(q, shape)[at] for q in (q1, q2))
    np.testing.assert_allclose(
        got[at], [phi.covariance(*each) for each in zip(k[at], a, b, strict=True)], rtol=0, atol=1e-15
    )


def test_more_variances_than_a_table_holds():
    q = np.linspace(0.5, 1.5, 25_000)
    got = TANH.covariance(0.3 * q, q, q)
    np.testing.assert_allclose(got[::5000], [TANH.covariance(0.3 * x, x, x) for x in q[::5000]], rtol=0, atol=1e-15)


def test_many_pairs_of_variances_share_a_table():
    q1, q2 = np.linspace(0.3, 2, 9), np.linspace(2, 0.4, 9)
    theta = np.linspace(0.1, 3, 9)
    one = [TANH.gap(*each) for each in zip(theta, q1, q2, strict=True)]
    np.testing.assert_allclose(TANH.gap(theta, q1, q2), one, rtol=PAIR_RTOL)


@pytest.mark.parametrize("phi", ALL, ids=ids)
def test_tensors_equal_arrays(phi):
    torch = pytest.importorskip("torch")
    x = np.linspace(-30, 30, 301)
    for of in (phi, phi.derivative):
        expected = of(x)
        # erfc and exp of other libraries: a few units of rounding
        np.testing.assert_allclose(of(torch.asarray(x)).numpy(), expected, rtol=1e-14, atol=1e-15)
        assert of(torch.asarray(x, dtype=torch.float32)).dtype == torch.float32
    q1, q2 = np.array([[0.5], [1.2], [1.2]]), np.array([0.7, 0.5])
    k = np.sqrt(q1 * q2) * np.array([[0.3, -1.0], [1.0, 0.0], [-0.4, 0.99]])
    for of in (phi.covariance, phi.slope_covariance):
        for a, b in ((q1, q2), (0.9, 0.9)):
            small = k if a is q1 else k / 2
            tensors = [torch.asarray(y) if isinstance(y, np.ndarray) else y for y in (small, a, b)]
            np.testing.assert_allclose(of(*tensors).numpy(), of(small, a, b), rtol=1e-14, atol=1e-15)
    narrow = phi.covariance(torch.asarray(k, dtype=torch.float32), 1.3, 1.3)
    assert narrow.dtype == torch.float32


@pytest.mark.parametrize("phi", FITTED, ids=ids)
def test_functions_do_not_overflow(phi):
    torch = pytest.importorskip("torch")
    x = np.array([-1e3, -750.0, -88.0, 0.0, 88.0, 750.0, 1e3])
    for of in (phi, phi.derivative):
        assert np.isfinite(of(x)).all()
        assert torch.isfinite(of(torch.asarray(x))).all()
        assert torch.isfinite(of(torch.asarray(x, dtype=torch.float32))).all()


@pytest.mark.parametrize("phi", ALL, ids=ids)
def test_scalars_equal_arrays(phi):
    for of in (phi, phi.derivative):
        assert of(0.3) == of(np.array(0.3)) == of(np.float64(0.3)) == of(np.array([0.3]))[0]


@pytest.mark.parametrize("phi", ALL, ids=ids)
def test_copies_through_pickle_are_equal(phi):
    copy = pickle.loads(pickle.dumps(phi))
    assert copy == phi
    assert hash(copy) == hash(phi)
    assert copy.gap(1.0, 0.5) == phi.gap(1.0, 0.5)


@pytest.mark.parametrize("phi", ALL, ids=ids)
def test_tiny_variances_give_the_values_at_zero(phi):
    slope2 = float(phi.derivative(0.0)) ** 2
    for q in (1e-40, 1e-300):
        np.testing.assert_allclose(phi.slope_product(1.0, q), slope2, rtol=1e-14, atol=2 * q)
        np.testing.assert_allclose(phi.gap(math.pi / 2, q), q * slope2, rtol=1e-14, atol=2 * q**2)
        assert np.isfinite([phi.curvature_product(1.0, q), phi.derivative_moment(3, q), phi.remainder(1.0, q)]).all()
        assert all(np.isfinite(getattr(phi.moments(q), field)) for field in FIELDS)


def test_gradients_pass_through_kernels():
    torch = pytest.importorskip("torch")
    for phi in (TANH, ERF):
        for q2 in (1.2, torch.tensor([1.2, 0.7], dtype=torch.float64)):
            k = torch.tensor([0.3, -0.2], dtype=torch.float64, requires_grad=True)
            phi.covariance(k, 1.2, q2).sum().backward()
            np.testing.assert_allclose(k.grad, phi.slope_covariance(k.detach(), 1.2, q2), rtol=1e-13)


def test_scalars_integers_and_float32():
    assert isinstance(TANH(1), np.float64)
    assert isinstance(TANH.moments(1).second, np.float64)
    assert TANH.moments(1).second == TANH.moments(1.0).second == TANH.moments(np.float32(1)).second
    assert TANH(np.float32(0.1)).dtype == np.float64
    assert isinstance(TANH.gap(0.3, 1), np.float64)
    assert isinstance(TANH.covariance(0.3, 1, 1), np.float64)


@pytest.mark.parametrize("phi", ALL, ids=ids)
def test_empty_arrays(phi):
    empty = np.empty(0)
    assert phi.moments(empty).second.shape == (0,)
    assert phi.gap(empty, 1.0).shape == phi.covariance(empty, 1.0, 1.0).shape == (0,)
    assert phi.covariance(np.empty((0, 3)), np.empty((0, 1)), np.ones(3)).shape == (0, 3)
    assert phi.comonotone(empty, 1.0).shape == (0,)


def test_which_are_odd():
    assert {phi.name for phi in FITTED if phi.odd} == {"tanh", "erf", "sin"}

"""NNGP and tangent kernels: 28-digit references, real networks and their Jacobians, blocks, devices, memory."""

import json
import re
import tracemalloc
from itertools import pairwise
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

from gpdeep import DomainError, MemoryBudgetError
from gpdeep.activations import activation, from_callable
from gpdeep.activations.mixture import Mixture
from gpdeep.errors import ValidityWarning
from gpdeep.meanfield import kernel_blocks, kernel_profiles, kernel_series, nngp, ntk, variance_table

EPS = np.finfo(np.float64).eps
REFERENCE = json.loads((Path(__file__).parent.parent / "reference" / "kernels.json").read_text())["values"]
RELU = {"phi": "relu", "depth": 6, "sigma_w": 1.3, "sigma_b": 0.4}
ERF = {"phi": "erf", "depth": 6, "sigma_w": 1.3, "sigma_b": 0.4}
WIRINGS = [{}, {"alpha": 0.8, "beta": 0.6}, {"layer_norm": True}, {"alpha": 0.8, "beta": 0.6, "layer_norm": True}]


def data(n, d=5, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def small_blocks(monkeypatch):
    """Blocks of a few entries, so that a small kernel has many, of all shapes."""
    monkeypatch.setattr(kernel_blocks, "BLOCK", 40)
    monkeypatch.setattr(kernel_blocks, "PANEL", 200)
    monkeypatch.setattr(kernel_blocks, "_TILE", 7)


# ------------------------------------------------------------------------------------ references


def reference_error(name, kind, cross=False, **changes):
    """Largest relative error of an entry of the four-input kernel called `name`."""
    entry = REFERENCE[name]
    settings = {
        "phi": name,
        "depth": entry["hidden_layers"],
        "sigma_w": float(entry["sw2"]) ** 0.5,
        "sigma_b": float(entry["sb2"]) ** 0.5,
    } | changes
    x = np.array(entry["X"], dtype=float)
    value = {"nngp": nngp, "ntk": ntk}[kind](x, x if cross else None, **settings)
    return float(np.max(np.abs(value / np.array(entry[kind], dtype=float) - 1)))


# three layers of a few units of rounding each, entries of one magnitude: 1e-15 is expected, 1e-13 leaves room for φ'
REFERENCE_RTOL = 1e-13


@pytest.mark.parametrize("cross", [False, True], ids=["symmetric", "cross"])
@pytest.mark.parametrize(("name", "kind"), [(n, k) for n, e in REFERENCE.items() for k in ("nngp", "ntk") if k in e])
def test_kernels_agree_with_28_digits(name, kind, cross):
    assert reference_error(name, kind, cross) < REFERENCE_RTOL


@pytest.mark.parametrize(
    "wrong", [{"depth": 2}, {"sigma_w": 1.0}, {"sigma_b": 0.1}, {"sigma_b": [0.0, *[0.1**0.5] * 3]}, {"alpha": 0.1}]
)
def test_the_comparison_with_28_digits_fails_for_wrong_layers(wrong):
    assert reference_error("relu", "nngp", **wrong) > 1e3 * REFERENCE_RTOL


@pytest.mark.parametrize("normalised", [False, True])
def test_fifty_layers_of_erf_agree_with_mpmath(normalised):
    x = data(4)
    x /= np.linalg.norm(x, axis=1, keepdims=True) ** normalised
    w, b = 1.756, 0.184
    with mp.workdps(30):
        rows = [[mp.mpf(v) for v in row] for row in x.tolist()]
        sw2, sb2 = mp.mpf(w**0.5) ** 2, mp.mpf(b**0.5) ** 2
        k = {(i, j): sw2 * mp.fdot(rows[i], rows[j]) / 5 + sb2 for i in range(4) for j in range(4)}
        for _ in range(50):
            k = {
                (i, j): sw2 * 2 / mp.pi * mp.asin(2 * k[i, j] / mp.sqrt((1 + 2 * k[i, i]) * (1 + 2 * k[j, j]))) + sb2
                for i, j in k
            }
        exact = np.array([[float(k[i, j]) for j in range(4)] for i in range(4)])
    value = nngp(x, phi="erf", depth=50, sigma_w=w**0.5, sigma_b=b**0.5)
    # 50 layers of about 2 units of rounding, each carried on with a slope of at most 1
    np.testing.assert_allclose(value, exact, rtol=100 * EPS, atol=0)


def test_tangent_kernel_of_he_relu_grows_linearly_on_the_diagonal():
    x = data(6)
    for depth in (0, 1, 10, 100):
        diagonal = np.diag(ntk(x, phi="relu", depth=depth, sigma_w=2**0.5))
        # σ_w² E φ'² = 1 and K_ii is constant: Θ_ii = (L+1) K_ii, each layer a few units of rounding
        np.testing.assert_allclose(diagonal, (depth + 1) * 2 * np.mean(x**2, axis=1), rtol=4 * (depth + 1) * EPS)


def test_no_hidden_layer_is_the_linear_kernel():
    x = data(5)
    for kernel in (nngp, ntk):
        value = kernel(x, phi="relu", depth=0, sigma_w=1.5, sigma_b=0.5)
        np.testing.assert_allclose(value, 2.25 * x @ x.T / 5 + 0.25, rtol=0, atol=20 * EPS * np.max(np.sum(x**2, 1)))


def test_sigmas_may_differ_from_layer_to_layer():
    x = data(4)
    one = nngp(x, phi="relu", depth=2, sigma_w=[1.1, 1.2, 1.3], sigma_b=[0.1, 0.2, 0.3])
    k = nngp(x, phi="relu", depth=1, sigma_w=[1.1, 1.2], sigma_b=[0.1, 0.2])
    q = np.sqrt(np.diag(k))
    theta = np.arccos(np.clip(k / np.outer(q, q), -1, 1))
    by_hand = 1.69 * np.outer(q, q) * (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / (2 * np.pi) + 0.09
    np.testing.assert_allclose(one, by_hand, rtol=50 * EPS)


# ------------------------------------------------------------------------------------ what must not matter


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("settings", [RELU, ERF, RELU | {"phi": "gelu"}], ids=["relu", "erf", "gelu"])
@pytest.mark.parametrize("kernel", [nngp, ntk])
def test_blocks_and_symmetry_do_not_matter(kernel, settings, wiring, monkeypatch):
    x = data(37)
    whole = kernel(x, **settings, **wiring)
    cross = kernel(x, x.copy(), **settings, **wiring)
    small_blocks(monkeypatch)
    np.testing.assert_array_equal(whole, whole.T)
    # the matrix products of panels may round differently; six layers carry that on with slopes of order 1
    atol = 200 * EPS * np.max(np.diag(whole))
    np.testing.assert_allclose(kernel(x, **settings, **wiring), whole, rtol=0, atol=atol)
    np.testing.assert_allclose(kernel(x[:9], x[20:], **settings, **wiring), whole[:9, 20:], rtol=0, atol=atol)
    np.testing.assert_allclose(cross, whole, rtol=0, atol=atol)


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("phi", ["relu", "erf"])
@pytest.mark.parametrize("kernel", [nngp, ntk])
def test_closed_coordinates_agree_with_plain_covariances(kernel, phi, wiring, monkeypatch):
    """The quick forms for ReLU and erf against the covariances that the activations themselves give."""
    x = data(12)
    settings = RELU | {"phi": phi} | wiring
    quick = kernel(x, **settings)
    monkeypatch.setattr("gpdeep.meanfield.kernels.profile_of", kernel_profiles.Profile)
    np.testing.assert_allclose(kernel(x, **settings), quick, rtol=0, atol=200 * EPS * np.max(np.diag(quick)))


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("phi", ["tanh", "gelu", "silu", "cos"])
@pytest.mark.parametrize("kernel", [nngp, ntk])
def test_hermite_series_agree_with_plain_covariances(kernel, phi, wiring, monkeypatch):
    """Smooth odd, even and other functions: series against the covariances that the activations themselves give."""
    x = data(5)
    settings = ERF | {"phi": phi, "depth": 2} | wiring
    series = kernel(x, data(3, seed=1), **settings)
    monkeypatch.setattr("gpdeep.meanfield.kernels.profile_of", kernel_profiles.Profile)
    plain = kernel(x, data(3, seed=1), **settings)
    # the series leave out 2e-14 of E φ² and 5e-13 of E φ'² at most
    np.testing.assert_allclose(series, plain, rtol=0, atol=(1e-13 if kernel is nngp else 2e-12) * np.max(np.abs(plain)))


def test_series_that_do_not_end_are_not_used():
    profile = kernel_series.SeriesProfile.of(activation("tanh"))
    assert profile.read(np.array([0.5, 1.0])).shape[0] <= kernel_series.MAX_TERMS + 1
    with pytest.raises(kernel_series.SeriesTooLong):
        profile.read(np.array([0.5, 100.0]))
    x = 4 * data(2)
    value = nngp(x, phi="tanh", depth=1, sigma_w=1.0)
    assert np.isfinite(value).all()


def test_threads_do_not_matter(monkeypatch):
    x = data(60)
    alone = nngp(x, **RELU)
    small_blocks(monkeypatch)
    monkeypatch.setattr(kernel_blocks, "thread_count", lambda work: 3)
    np.testing.assert_allclose(nngp(x, **RELU), alone, rtol=0, atol=100 * EPS * np.max(np.diag(alone)))


@pytest.mark.parametrize("kernel", [nngp, ntk])
@pytest.mark.parametrize("settings", [RELU, ERF, RELU | {"phi": "gelu"}], ids=["relu", "erf", "gelu"])
def test_torch_tensors_give_tensors_of_the_same_kernel(kernel, settings):
    torch = pytest.importorskip("torch")
    x, y = data(20), data(11, seed=1)
    value = kernel(torch.from_numpy(x), torch.from_numpy(y), **settings)
    assert isinstance(value, torch.Tensor)
    assert value.dtype == torch.float64
    plain = kernel(x, y, **settings)
    np.testing.assert_allclose(value.numpy(), plain, rtol=0, atol=100 * EPS * np.max(np.abs(plain)))
    symmetric = kernel(torch.from_numpy(x).requires_grad_(), **settings)
    np.testing.assert_allclose(symmetric.numpy(), kernel(x, **settings), rtol=0, atol=100 * EPS * np.max(np.abs(plain)))


def test_scaled_inputs_scale_the_kernel_of_a_homogeneous_activation_to_the_last_bit():
    x = data(8)
    settings = {"phi": "leaky_relu:0.1", "depth": 20, "sigma_w": 1.4}
    for kernel in (nngp, ntk):
        np.testing.assert_array_equal(kernel(4 * x, **settings), 16 * kernel(x, **settings))
    assert not np.array_equal(nngp(4 * x, **settings, sigma_b=0.1), 16 * nngp(x, **settings, sigma_b=0.1))


@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_narrow_and_integer_inputs_are_computed_in_float64(kind):
    x = np.round(data(6) * 8).astype(kind) + (np.arange(5) == 0)  # small integers are exact in both
    value = nngp(x, **RELU)
    assert value.dtype == np.float64
    np.testing.assert_array_equal(value, nngp(x.astype(float), **RELU))


@pytest.mark.parametrize("kernel", [nngp, ntk])
def test_equal_inputs_have_the_entry_of_the_diagonal(kernel):
    """Rounding of cos θ near 1 is an angle of 1e-8, which E φ'φ' of a ReLU would show."""
    x = data(9)
    y = np.concatenate([data(3, seed=1), x[[4, 2, 4]]])
    diagonal = np.diag(kernel(x, **RELU))
    np.testing.assert_array_equal(kernel(x, y, **RELU)[[4, 2, 4], [3, 4, 5]], diagonal[[4, 2, 4]])
    twice = np.concatenate([x, x])
    value = kernel(twice, **RELU)
    np.testing.assert_array_equal(np.diag(value[:9, 9:]), np.diag(value)[:9])


# ------------------------------------------------------------------------------------ real networks

WIDTH, NETWORKS, LAYERS = 600, 12, 3


def empirical_kernels(phi, wiring, networks, seed):
    """φφ-kernels after `LAYERS` layers and tangent kernels of real networks with one output, shape (networks, 3, 3)."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed)
    x = torch.from_numpy(data(3))
    alpha, beta = wiring.get("alpha", 0.0), wiring.get("beta", 1.0)
    function = {"relu": torch.relu, "erf": torch.erf}[phi]
    covariances, tangents = [], []
    for _ in range(networks):
        sizes = [x.shape[1], *[WIDTH] * (LAYERS + 1)]
        weights = [
            torch.randn(a, b, generator=generator, dtype=torch.float64).requires_grad_() for a, b in pairwise(sizes)
        ]
        biases = [torch.randn(b, generator=generator, dtype=torch.float64).requires_grad_() for b in sizes[1:]]
        h, scale = x, 1.3
        for layer, (w, b) in enumerate(zip(weights, biases, strict=True)):
            seen = h
            if layer:
                seen = function(h / h.square().mean(1, keepdim=True).sqrt() if wiring.get("layer_norm") else h)
            new = scale * seen @ w / seen.shape[1] ** 0.5 + 0.4 * b
            h = alpha * h + beta * new if layer else new
        covariances.append((h @ h.T / WIDTH).detach().numpy())
        # the tangent kernel of one unit, from its gradients
        jacobian = []
        for row in range(3):
            gradients = torch.autograd.grad(h[row, 0], [*weights, *biases], retain_graph=True)
            jacobian.append(torch.cat([g.reshape(-1) for g in gradients]))
        j = torch.stack(jacobian)
        tangents.append((j @ j.T).numpy())
    return np.array(covariances), np.array(tangents)


@pytest.mark.statistical
@pytest.mark.parametrize("wiring", WIRINGS, ids=["dense", "residual", "layer_norm", "residual_layer_norm"])
@pytest.mark.parametrize("phi", ["relu", "erf"])
def test_real_networks_have_these_kernels(phi, wiring):
    settings = {"phi": phi, "depth": LAYERS, "sigma_w": 1.3, "sigma_b": 0.4} | wiring
    covariances, tangents = empirical_kernels(phi, wiring, NETWORKS, seed=1)
    for samples, exact in ((covariances, nngp(data(3), **settings)), (tangents, ntk(data(3), **settings))):
        spread = np.std(samples, axis=0, ddof=1) / np.sqrt(len(samples))
        # bias of finite width: a few times L/n of the entries' size
        allowed = 3 * LAYERS / WIDTH * np.max(np.diag(exact))
        t = np.abs(samples.mean(axis=0) - exact) / spread
        # Student's t with 11 degrees of freedom beyond 7: 2e-5; 6 distinct entries x 2 kernels x 8 cases: 2e-3
        assert (np.maximum(np.abs(samples.mean(axis=0) - exact) - allowed, 0) / spread < 7).all(), t
        wrong = 2 * exact  # the same check notices a missing factor
        assert (np.maximum(np.abs(samples.mean(axis=0) - wrong) - allowed, 0) / spread > 7).any()


# ------------------------------------------------------------------------------------ memory


def test_result_may_lie_in_a_file(tmp_path):
    x = data(50)
    out = np.memmap(tmp_path / "kernel", dtype=np.float64, mode="w+", shape=(50, 50))
    assert nngp(x, **RELU, out=out) is out
    np.testing.assert_array_equal(out, nngp(x, **RELU))


def test_twenty_thousand_inputs_are_refused_with_the_bytes_and_what_fits():
    x = np.ones((20_000, 2))
    with pytest.raises(MemoryBudgetError) as caught:
        nngp(x, phi="relu", depth=50, sigma_w=2**0.5)
    total, fits = (int(re.search(pattern, str(caught.value))[1]) for pattern in (r"takes (\d+) b", r"at most (\d+) in"))
    assert 8 * 20_000**2 < total < 8 * 20_000**2 + 2**28
    assert 8 * fits**2 < 2**31 < 8 * (fits + 1) ** 2 + 2**28
    for rows, refused in ((fits, False), (fits + 1, True)):  # depth 50 and a file: nothing is computed here
        if refused:
            with pytest.raises(MemoryBudgetError):
                nngp(x[:rows], phi="relu", depth=50, sigma_w=2**0.5)


def test_what_is_taken_stays_below_what_was_asked_for(monkeypatch):
    monkeypatch.setattr(kernel_blocks, "PANEL", 2**15)
    monkeypatch.setattr(kernel_blocks, "BLOCK", 2**12)
    x = data(700, 20)
    for kernel in (nngp, ntk):
        with pytest.raises(MemoryBudgetError) as caught:
            kernel(x, **RELU, memory_budget=1000)
        total = int(re.search(r"takes (\d+) b", str(caught.value))[1])
        kernel(x, **RELU)
        tracemalloc.start()
        kernel(x, **RELU, memory_budget=total)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < total < 2.5 * peak
    out = np.empty((700, 700))
    nngp(x, **RELU, out=out, memory_budget=total - out.nbytes)


# ------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "x",
    [
        np.ones(3),
        np.ones((0, 3)),
        np.ones((3, 0)),
        np.ones((2, 2, 2)),
        [[1.0, np.nan]],
        [[1.0, np.inf]],
        [[1.0], [1.0, 2.0]],
        [["a", "b"]],
        [[1j, 2]],
        [[True, False]],
        None,
    ],
)
def test_what_is_no_matrix_of_inputs_is_refused(x):
    with pytest.raises(DomainError, match="one input a row"):
        nngp(x, **RELU)
    with pytest.raises(DomainError, match="one input a row"):
        ntk(data(3, 1), x if x is not None else "none", **RELU)


def test_tensors_that_are_no_matrix_of_inputs_are_refused():
    torch = pytest.importorskip("torch")
    for x in (torch.ones(3), torch.full((2, 2), torch.nan), torch.ones((2, 2), dtype=torch.bool)):
        with pytest.raises(DomainError, match="one input a row"):
            nngp(x, **RELU)


@pytest.mark.parametrize(
    "changes",
    [
        {"depth": -1},
        {"depth": 2.0},
        {"depth": True},
        {"sigma_w": 0.0},
        {"sigma_w": -1.0},
        {"sigma_w": [1.0, 2.0]},
        {"sigma_w": np.nan},
        {"sigma_w": "1"},
        {"sigma_b": -0.1},
        {"alpha": np.inf},
        {"beta": 0.0},
        {"memory_budget": 0},
        {"memory_budget": np.nan},
        {"out": np.empty((2, 2))},
        {"out": np.empty((3, 3), dtype=np.float32)},
        {"out": [[0.0]]},
    ],
)
def test_parameters_out_of_range_are_refused(changes):
    with pytest.raises(DomainError):
        nngp(data(3), **RELU | changes)


def test_inputs_without_angle_or_of_other_spaces_are_refused():
    x = data(3)
    with pytest.raises(DomainError, match="zero vector"):
        nngp(x * [[1], [0], [1]], phi="relu", depth=2, sigma_w=1.0)
    assert np.isfinite(nngp(x * [[1], [0], [1]], **RELU)).all()  # with bias a zero row is an input like others
    with pytest.raises(DomainError, match="columns"):
        nngp(x, x[:, :4], **RELU)
    with pytest.raises(DomainError, match="variance"):
        nngp(x, phi="relu", depth=1000, sigma_w=3.0)


def test_a_covariance_beyond_the_bound_warns():
    class Coarse:
        """ReLU with a covariance that is too large by one part in a thousand."""

        def __getattr__(self, name):
            return getattr(activation("erf"), name)

        name = "coarse"
        homogeneous = False
        threaded = False

        def __call__(self, x):
            return activation("erf")(x)

        def covariance(self, k, q1, q2):
            return 1.001 * activation("erf").covariance(k, q1, q2)

    profile = kernel_profiles.Profile(Coarse())
    y = np.array([[1.001, 0.5]])
    with pytest.warns(ValidityWarning, match=r"1\.0e-03"):
        bounded = profile._bounded(np, y, np.ones((1, 1)), np.ones(2))
    np.testing.assert_array_equal(bounded, [[1.0, 0.5]])


# ------------------------------------------------------------------------------------ mixtures, names, tables


def mixture(*names):
    return Mixture(tuple(activation(name) for name in names), (1.0,) * len(names))


def recursion(phi, x, sigma_w, sigma_b, depth):
    """NNGP and tangent kernel, the covariances of the parts averaged by hand."""
    k = sigma_w**2 * x @ x.T / x.shape[1] + sigma_b**2
    tangent = k
    for _ in range(depth):
        q = np.diag(k)
        bound = np.sqrt(np.outer(q, q))
        k = np.clip(k, -bound, bound)
        f = sum(w * p.covariance(k, q[:, None], q) for w, p in zip(phi.shares, phi.parts, strict=True))
        slope = sum(w * p.slope_covariance(k, q[:, None], q) for w, p in zip(phi.shares, phi.parts, strict=True))
        np.fill_diagonal(slope, sum(w * p.moments(q).slope_second for w, p in zip(phi.shares, phi.parts, strict=True)))
        k = sigma_w**2 * f + sigma_b**2
        tangent = k + sigma_w**2 * slope * tangent
    return k, tangent


@pytest.mark.parametrize(
    "names", [("relu", "abs"), ("relu", "identity"), ("relu", "tanh"), ("tanh", "gelu"), ("erf", "erf"), ("tanh",)]
)
def test_mixtures_average_the_kernels_of_their_parts(names):
    x = data(6)
    phi = mixture(*names)
    k, tangent = recursion(phi, x, 1.3, 0.4, 2)
    settings = {"phi": phi, "depth": 2, "sigma_w": 1.3, "sigma_b": 0.4}
    # two layers of a few units of rounding; Hermite series leave out 2e-14
    np.testing.assert_allclose(nngp(x, **settings), k, rtol=0, atol=1e-13 * k.max())
    np.testing.assert_allclose(ntk(x, **settings), tangent, rtol=0, atol=2e-12 * tangent.max())


def test_the_check_of_mixtures_fails_for_other_shares():
    k, _ = recursion(Mixture(mixture("relu", "abs").parts, (0.4, 0.6)), data(6), 1.3, 0.4, 2)
    value = nngp(data(6), phi=mixture("relu", "abs"), depth=2, sigma_w=1.3, sigma_b=0.4)
    assert np.abs(value - k).max() > 1e-2 * k.max()


def test_one_layer_of_half_relu_half_abs_is_a_formula():
    # orthogonal inputs of variance 1: relu 1/2π, |u||v| 2/π, and the diagonals 1/2 and 1
    value = nngp(2**0.5 * np.eye(2), phi=mixture("relu", "abs"), depth=1, sigma_w=1.0)
    np.testing.assert_allclose(value, [[0.75, 1.25 / np.pi], [1.25 / np.pi, 0.75]], rtol=10 * EPS)


def test_a_function_of_the_users_called_erf_is_not_erf():
    x = data(4)
    mine = from_callable(np.tanh, name="erf")
    settings = {"depth": 1, "sigma_w": 1.0}
    # a function given by values alone is known to 1e-12
    np.testing.assert_allclose(nngp(x, phi=mine, **settings), nngp(x, phi="tanh", **settings), rtol=0, atol=1e-11)
    assert np.abs(nngp(x, phi=mine, **settings) - nngp(x, phi="erf", **settings)).max() > 1e-2


def test_kernels_of_elu_between_inputs_of_many_norms_are_read_off_a_table(monkeypatch):
    x = data(40)
    settings = {"phi": "elu", "depth": 1, "sigma_w": 1.1, "sigma_b": 0.3}
    q = 1.21 * np.mean(x**2, axis=1) + 0.09
    assert variance_table.variance_table(activation("elu"), q, q) is not None
    for kernel in (nngp, ntk):
        value = kernel(x, **settings)
        few = kernel(x[:4], x[4:6], **settings)  # 8 pairs of variances do not pay a table
        # both right to 1e-13 of √(K_ii K_jj), and E φ'φ' of a smooth function to the same
        np.testing.assert_allclose(value[:4, 4:6], few, rtol=0, atol=1e-12 * np.max(np.diag(value)))
        np.testing.assert_array_equal(value, value.T)


def test_tables_are_refused_where_they_would_be_wrong(monkeypatch):
    q = np.geomspace(0.5, 2.0, 40)
    assert variance_table.variance_table(activation("crelu:0.5,1"), q, q) is None
    assert variance_table.variance_table(activation("elu"), q[:5], q[:5]) is None
    assert variance_table.variance_table(activation("elu"), 1e-9 + q**20, q) is None
    right = variance_table._products
    monkeypatch.setattr(variance_table, "_products", lambda *args: (1 + 1e-10) * right(*args))
    assert variance_table.variance_table(activation("elu"), q, q) is None  # the check at random pairs notices


@pytest.mark.parametrize("bad", [None, "1", [1.0], np.nan, True, 1j])
@pytest.mark.parametrize("name", ["depth", "alpha", "beta", "memory_budget", "sigma_w", "sigma_b"])
def test_whatever_is_no_number_ends_in_a_domain_error(name, bad):
    with pytest.raises(DomainError):
        nngp(data(3), **RELU | {name: bad})


def test_a_negative_beta_is_a_beta():
    np.testing.assert_array_equal(nngp(data(3), **RELU, beta=-1.0), nngp(data(3), **RELU))


def test_making_a_table_takes_the_memory_it_says():
    q = np.geomspace(0.03, 20.0, 40)  # nearly the widest range there is a table for
    assert variance_table.variance_table(activation("elu"), q, q) is not None
    tracemalloc.start()
    variance_table.variance_table(activation("elu"), q, q)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < variance_table.TABLE_BYTES < 10 * peak


def test_tables_are_the_same_on_tensors():
    torch = pytest.importorskip("torch")
    settings = {"phi": "elu", "depth": 2, "sigma_w": 1.1, "sigma_b": 0.3}
    x = data(35)
    plain = ntk(x, **settings)
    # sums of 30 x 9 products in another order
    np.testing.assert_allclose(ntk(torch.from_numpy(x), **settings).numpy(), plain, rtol=0, atol=1e-13 * plain.max())


def test_exploding_tangent_kernel_is_refused_and_the_other_is_not() -> None:
    x = np.ones((1, 3))
    assert np.isfinite(nngp(x, phi="tanh", depth=3000, sigma_w=3.0)).all()
    for alpha in (0.0, 0.5):
        with pytest.raises(DomainError, match="tangent kernel"):
            ntk(x, phi="tanh", depth=3000, sigma_w=3.0, alpha=alpha)

"""The samplers on torch tensors: the same laws as on numpy, tensors in and tensors out, float64 throughout."""

import numpy as np
import pytest
from chance import p_limit, z_limit, z_of_fractions
from scipy.stats import ks_2samp

from gpdeep.finite import sample_angles, sample_gram, sample_pairs

torch = pytest.importorskip("torch", reason="torch is an extra")
N = 8000
INPUTS = np.random.default_rng(8).standard_normal((3, 4))
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")),
]


def tensor(values, device, dtype=torch.float64):
    return torch.tensor(np.asarray(values), dtype=dtype, device=device)


def finite(values):
    values = values if isinstance(values, np.ndarray) else values.cpu().numpy()
    return values[np.isfinite(values)]


@pytest.mark.statistical
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("widths", "theta0", "phi"),
    [([8] * 4, np.pi / 2, "relu"), ([3, 5], 2.5, "relu"), ([9] * 3, 0.3, "leaky_relu:0.1")],
)
def test_angles_lengths_and_fates_have_the_law_of_the_numpy_chain(widths, theta0, phi, device):
    one = sample_angles(widths, theta0, n_samples=N, rng=1, phi=phi)
    two = sample_angles(widths, tensor(theta0, device), n_samples=N, rng=1, phi=phi)
    assert two.log_sin2.device.type == device
    alive = two.alive.cpu().numpy()[:, 0]
    assert ks_2samp(finite(one.log_sin2), finite(two.log_sin2)).pvalue > p_limit(3 * 5)
    lengths = two.log_length2.cpu().numpy()[alive]
    assert ks_2samp(one.log_length2[one.alive[:, 0], 1], lengths[:, 1]).pvalue > p_limit(3 * 5)
    for event in ("dead", "collapsed", "orthogonal"):
        fractions = (float(np.mean(np.asarray(getattr(s, event).tolist()))) for s in (one, two))
        assert abs(z_of_fractions(*fractions, N, N)) < z_limit(3 * 5)


@pytest.mark.statistical
@pytest.mark.parametrize("device", DEVICES)
def test_pairs_and_gram_matrices_have_the_law_of_the_numpy_chain(device):
    for sampler, options in ((sample_pairs, {}), (sample_gram, {"sigma_b": 0.3})):
        one = sampler(INPUTS, [6] * 3, n_samples=N, rng=1, **options)
        two = sampler(tensor(INPUTS, device), [6] * 3, n_samples=N, rng=1, **options)
        assert isinstance(two, torch.Tensor)
        assert (two.device.type, two.dtype) == (device, torch.float64)
        for i, j in ((0, 1), (0, 2), (1, 2)):
            assert ks_2samp(finite(one[:, i, j]), finite(two[:, i, j])).pvalue > p_limit(6)


@pytest.mark.statistical
def test_another_width_would_be_seen():
    # negative control for this sample size: one neuron more in each layer
    one = sample_angles([8] * 4, n_samples=N, rng=1)
    two = sample_angles([9] * 4, tensor(np.pi / 2, "cpu"), n_samples=N, rng=1)
    assert ks_2samp(finite(one.log_sin2), finite(two.log_sin2)).pvalue < p_limit(1)


@pytest.mark.parametrize("device", DEVICES)
def test_float32_input_is_computed_in_float64(device):
    angle = np.float32(0.3)
    low = sample_angles([20] * 3, tensor(angle, device, torch.float32), n_samples=40, rng=5)
    high = sample_angles([20] * 3, tensor(np.float64(angle), device), n_samples=40, rng=5)
    assert low.log_sin2.dtype == torch.float64
    # the same angle, the same stream, the same arithmetic
    assert torch.equal(low.log_sin2, high.log_sin2)
    gram = sample_gram(tensor(np.eye(3), device, torch.float32), [5], n_samples=4, rng=5)
    assert torch.equal(gram, sample_gram(tensor(np.eye(3), device), [5], n_samples=4, rng=5))


@pytest.mark.parametrize("device", DEVICES)
def test_tiny_angles_keep_their_digits_on_tensors(device):
    state = sample_angles([30] * 20, tensor(1e-150, device), n_samples=100, rng=0)
    assert bool(torch.isfinite(state.log_sin2).all())
    assert float(state.log_sin2.max()) < 2 * np.log(1e-150) + 20


def test_the_global_generator_of_torch_is_not_touched():
    before = torch.get_rng_state()
    sample_angles([4], tensor(1.0, "cpu"), n_samples=10, rng=0)
    assert torch.equal(before, torch.get_rng_state())

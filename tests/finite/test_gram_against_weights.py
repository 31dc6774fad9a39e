"""sample_gram has the law of networks with real weight matrices, with biases and any activation."""

import numpy as np
import pytest
from chance import p_limit
from real_networks import draw, slopes
from scipy.stats import ks_2samp

from gpdeep.finite import sample_gram

N_REAL, N_CHAIN = 4000, 12_000
INPUTS = np.random.default_rng(8).standard_normal((4, 6)) * [[0.5], [1.0], [2.0], [1.0]]
CASES = {
    "relu": ([10] * 4, "relu", slopes(0.0), 2.0, 0.0),
    "relu with bias": ([10] * 4, "relu", slopes(0.0), 1.5, 0.4),
    "leaky with bias": ([16, 6, 12], "leaky_relu:0.2", slopes(0.2), 1.8, 0.1),
    "tanh": ([12] * 3, np.tanh, np.tanh, 1.7, 0.2),
    "one neuron": ([1, 5], np.tanh, np.tanh, 1.0, 0.5),
}
ENTRIES = [(i, j) for i in range(4) for j in range(i, 4)]


def real_and_chain(name, factor=1.0):
    widths, phi, function, sigma_w2, sigma_b2 = CASES[name]
    seed = list(CASES).index(name)
    real = draw(
        INPUTS,
        widths,
        function,
        n_samples=N_REAL,
        seed=[31, seed],
        sigma_w2=factor * sigma_w2,
        sigma_b2=sigma_b2,
    ).activity
    chain = sample_gram(
        INPUTS,
        widths,
        phi=phi,
        sigma_w=np.sqrt(sigma_w2),
        sigma_b=np.sqrt(sigma_b2),
        n_samples=N_CHAIN,
        rng=seed,
    )
    return real @ real.swapaxes(1, 2) / widths[-1], chain


def smallest_p(real, chain):
    statistics = [lambda q, i=i, j=j: q[:, i, j] for i, j in ENTRIES]
    statistics += [lambda q: q.sum(axis=(1, 2)), lambda q: q[:, 0, 1] - q[:, 2, 3]]  # joint laws
    # entries that vanish in both (dead inputs) agree exactly; 12 decimals remove rounding from ties
    return min(ks_2samp(np.round(s(real), 12), np.round(s(chain), 12)).pvalue for s in statistics)


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_gram_matrices_have_the_law_of_real_networks(name):
    assert smallest_p(*real_and_chain(name)) > p_limit(len(CASES) * (len(ENTRIES) + 2))


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_weights_of_another_scale_are_seen(name):
    # negative control: half the weight variance, as LeCun's is of He's
    assert smallest_p(*real_and_chain(name, factor=0.5)) < p_limit(len(CASES) * (len(ENTRIES) + 2))


@pytest.mark.statistical
def test_a_bias_per_layer_is_honoured():
    sigma_b = [0.0, 1.0]
    rng = np.random.default_rng(3)
    h = np.broadcast_to(INPUTS, (N_REAL, 4, 6))
    for width, bias in zip([8, 8], sigma_b, strict=True):
        w = rng.standard_normal((N_REAL, h.shape[2], width)) * np.sqrt(2 / h.shape[2])
        h = np.maximum(h @ w + bias * rng.standard_normal((N_REAL, 1, width)), 0.0)
    real = h @ h.swapaxes(1, 2) / 8
    assert smallest_p(real, sample_gram(INPUTS, [8, 8], sigma_b=sigma_b, n_samples=N_CHAIN, rng=1)) > p_limit(
        len(ENTRIES) + 2
    )
    swapped = sample_gram(INPUTS, [8, 8], sigma_b=sigma_b[::-1], n_samples=N_CHAIN, rng=1)
    assert smallest_p(real, swapped) < p_limit(len(ENTRIES) + 2)  # negative control


def test_gram_matrices_are_symmetric_and_positive():
    gram = sample_gram(INPUTS, [3, 3], n_samples=200, rng=0)
    np.testing.assert_array_equal(gram, gram.transpose(0, 2, 1))
    # a product C Cᵀ: eigenvalues are negative by rounding of the largest only, 4·4 products deep
    eigenvalues = np.linalg.eigvalsh(gram)
    assert (eigenvalues >= -16 * np.finfo(float).eps * eigenvalues[:, -1:]).all()


def test_inputs_scale_through_a_network_without_bias():
    gram = sample_gram(INPUTS, [7] * 3, n_samples=30, rng=0)
    # powers of two scale without rounding
    np.testing.assert_array_equal(sample_gram(4 * INPUTS, [7] * 3, n_samples=30, rng=0), 16 * gram)

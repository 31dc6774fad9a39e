"""The Gram chain of any activation has the law of networks with real weights, and says what it cannot follow."""

import numpy as np
import pytest
from chance import p_limit
from real_wirings import forward, gelu, gram, smallest_p, softplus

from gpdeep import DomainError
from gpdeep.finite import angle_law, sample_angles, sample_gram, sample_pairs
from gpdeep.result import StatusCode

N_REAL, N_CHAIN = 4000, 12_000
WIDTHS = [24] * 6
INPUTS = np.random.default_rng(8).standard_normal((3, 10)) * [[0.5], [1.0], [2.0]]
CASES = {
    "tanh": (np.tanh, 1.4, 0.3),
    "gelu": (gelu, 1.5, 0.2),
    "softplus": (softplus, 1.0, 0.0),  # φ(0) is not 0
    "sin": (np.sin, 2.0, 0.1),
}


def real_and_chain(name, factor=1.0):
    phi, sigma_w, sigma_b = CASES[name]
    seed = list(CASES).index(name)
    options = {"sigma_w": factor * sigma_w, "sigma_b": sigma_b}
    real = gram(forward(INPUTS, WIDTHS, phi, n_samples=N_REAL, seed=[5, seed], **options))
    chain = sample_gram(INPUTS, WIDTHS, phi=phi, sigma_w=sigma_w, sigma_b=sigma_b, n_samples=N_CHAIN, rng=seed)
    return real, chain


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_gram_matrices_have_the_law_of_real_networks(name):
    p, comparisons = smallest_p(*real_and_chain(name))
    assert p > p_limit(len(CASES) * comparisons)


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_weights_of_another_scale_are_seen(name):
    # negative control: σ_w²/2, as LeCun's is of He's
    p, comparisons = smallest_p(*real_and_chain(name, factor=0.5**0.5))
    assert p < p_limit(len(CASES) * comparisons)


@pytest.mark.statistical
def test_angles_of_a_law_are_those_of_the_gram_matrices():
    from scipy.stats import ks_2samp

    law = angle_law([12] * 4, 1.0, phi=np.tanh, sigma_w=1.3, sigma_b=0.2, n_samples=8000, rng=1)
    x = np.sqrt(7) * np.array([[1.0, *[0.0] * 6], [np.cos(1.0), np.sin(1.0), *[0.0] * 5]])  # |x|² = n_0 = 7
    real = forward(x, [12] * 4, np.tanh, n_samples=4000, seed=2, sigma_w=1.3, sigma_b=0.2)
    cos = np.einsum("ij,ij->i", real[:, 0], real[:, 1]) / np.prod(np.linalg.norm(real, axis=2), axis=1)
    log_sin2 = np.log1p(-(cos**2))
    sampled = -np.logaddexp(0.0, -law.log_tan2)
    assert ks_2samp(log_sin2, sampled).pvalue > p_limit(1)
    assert law.method == "chain"
    assert law.phi == "tanh"
    assert ks_2samp(log_sin2 - 0.2, sampled).pvalue < p_limit(1)  # negative control


def test_one_neuron_makes_every_pair_parallel_or_antiparallel():
    law = angle_law([5, 1, 5], 1.0, phi=np.tanh, sigma_w=1.0, sigma_b=0.5, n_samples=200)
    np.testing.assert_array_equal(law.collapsed, [0, 1, 1])
    np.testing.assert_array_equal(law.survival, [1, 0, 0])
    assert law.status.code is StatusCode.NOT_CONVERGED


def test_activations_that_are_not_zero_at_zero_never_die():
    law = angle_law([2] * 6, 1.0, phi=softplus, sigma_w=1.0, n_samples=500)
    assert law.dead.max() == 0


def test_angles_lost_in_rounding_are_said():
    law = angle_law([16] * 2, 1e-15, phi=np.tanh, sigma_w=1.0, n_samples=50)
    assert any("cannot be followed" in message for message in law.status.messages)
    assert law.status.code is not StatusCode.OK


def test_method_auto_is_the_chain_and_other_methods_are_refused():
    for method in ("grid", "closure", "diffusion", "jakub-nica", "infinite"):
        with pytest.raises(DomainError, match="method='chain'"):
            angle_law([64], phi=np.tanh, sigma_w=1.0, method=method)


def test_missing_sigma_w_points_at_the_edge_of_chaos():
    with pytest.raises(DomainError, match="gpdeep eoc"):
        angle_law([64], phi=np.tanh)


def test_lengths_that_leave_float64_are_refused():
    with pytest.raises(DomainError, match="layer"):
        sample_gram(INPUTS, [8] * 60, phi=np.exp, sigma_w=3.0, n_samples=10)
    with pytest.raises(DomainError, match="layer 70"):  # 1e-2 a layer: below 1e-140 after 70
        sample_gram(np.eye(2), [10**4] * 80, phi=np.tanh, sigma_w=0.98e-2, n_samples=2)


@pytest.mark.parametrize("sampler", [sample_angles, lambda **options: sample_pairs(np.eye(2), [4], **options)])
def test_samplers_of_angles_alone_point_at_the_gram_chain(sampler):
    with pytest.raises(DomainError, match="tanh") as caught:
        sampler(**({"widths": [4]} if sampler is sample_angles else {}), phi="tanh", n_samples=2)
    assert "sample_gram" in caught.value.change


def test_names_of_the_catalogue_are_activations_here_too():
    named = sample_gram(INPUTS, [6] * 2, phi="tanh", sigma_w=1.1, n_samples=20)
    np.testing.assert_allclose(named, sample_gram(INPUTS, [6] * 2, phi=np.tanh, sigma_w=1.1, n_samples=20), rtol=1e-13)


def test_what_is_no_function_is_refused():
    with pytest.raises(DomainError, match="activation"):
        sample_gram(INPUTS, [8], phi=3.0, sigma_w=1.0)

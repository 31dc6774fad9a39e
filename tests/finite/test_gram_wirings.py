"""Residual, normalised and orthogonal layers: the Gram chain has the law of networks with real weight matrices."""

import numpy as np
import pytest
from chance import p_limit
from real_wirings import forward, gaussian_matrices, gram, orthogonal_matrices, smallest_p

from gpdeep import DomainError, MemoryBudgetError
from gpdeep.activations import TwoSlope
from gpdeep.finite import Wiring, angle_law, sample_gram

N_REAL, N_CHAIN = 4000, 12_000
INPUTS = np.random.default_rng(8).standard_normal((3, 10)) * [[0.5], [1.0], [2.0]]
RELU = TwoSlope("relu", 0.0, 1.0)
IDENTITY = TwoSlope("identity", 1.0, 1.0)
SIX = [24] * 6


def relu(x):
    return np.maximum(x, 0.0)


# widths, φ of the simulation, φ of the chain, σ_w, σ_b, wiring, what a wrong network has in its place
CASES = {
    "residual": (SIX, np.tanh, np.tanh, 1.2, 0.3, Wiring("res", 0.8, 0.5), {"alpha": 0.0}),
    "residual relu": (SIX, relu, RELU, 2**0.5, 0.0, Wiring("res", 1.0, 0.4), {"alpha": 0.0}),
    "residual between changes of width": (
        [12, 12, 24, 24, 6],
        np.tanh,
        np.tanh,
        1.2,
        0.3,
        Wiring("res"),
        {"beta": 0.5},
    ),
    "layer norm": (SIX, np.tanh, np.tanh, 1.5, 0.3, Wiring("ln"), {"kind": "dense"}),
    "layer norm relu": (SIX, relu, RELU, 1.0, 0.2, Wiring("ln"), {"kind": "dense"}),
    "orthogonal": (SIX, np.tanh, np.tanh, 1.2, 0.1, Wiring(weights="orthogonal"), {"matrices": gaussian_matrices}),
    "orthogonal, widths up and down": (
        [7, 12, 5, 8],
        relu,
        RELU,
        2**0.5,
        0.0,
        Wiring(weights="orthogonal"),
        {"matrices": gaussian_matrices},
    ),
    "orthogonal residual": (
        SIX,
        np.tanh,
        np.tanh,
        1.2,
        0.3,
        Wiring("res", 0.8, 0.5, "orthogonal"),
        {"alpha": 0.0},
    ),
}


def p_of(name, wrong=False):
    widths, function, phi, sigma_w, sigma_b, wiring, instead = CASES[name]
    seed = list(CASES).index(name)
    options = {"kind": str(wiring.kind), "alpha": wiring.alpha, "beta": wiring.beta}
    options["matrices"] = orthogonal_matrices if wiring.weights == "orthogonal" else gaussian_matrices
    options |= {"sigma_w": sigma_w, "sigma_b": sigma_b} | (instead if wrong else {})
    real = gram(forward(INPUTS, widths, function, n_samples=N_REAL, seed=[9, seed], **options))
    chain = sample_gram(
        INPUTS, widths, phi=phi, sigma_w=sigma_w, sigma_b=sigma_b, wiring=wiring, n_samples=N_CHAIN, rng=seed
    )
    p, comparisons = smallest_p(real, chain)
    return p, p_limit(comparisons * len(CASES))


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_gram_matrices_have_the_law_of_real_networks(name):
    p, limit = p_of(name)
    assert p > limit


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_another_wiring_is_seen(name):
    # negative control: no α, half of β, no normalisation, Gaussian weights
    p, limit = p_of(name, wrong=True)
    assert p < limit


def test_square_orthogonal_weights_keep_the_gram_matrix_exactly():
    inputs = INPUTS[:, :6]
    options = {"phi": IDENTITY, "wiring": Wiring(weights="orthogonal"), "n_samples": 50, "rng": 0}
    kept = sample_gram(inputs, [6] * 8, sigma_w=1.0, **options)
    # a frame of 3 vectors in 6 dimensions is orthonormal to some 10 units of rounding times its condition; 8 layers
    np.testing.assert_allclose(kept, np.broadcast_to(inputs @ inputs.T / 6, kept.shape), rtol=0, atol=1e-12)
    # more outputs than inputs: WᵀW = σ_w² n_out/n_in, and the division by n_out takes that out
    wide = sample_gram(inputs, [6, 60], sigma_w=1.5, **options)
    np.testing.assert_allclose(wide, np.broadcast_to(1.5**4 * inputs @ inputs.T / 6, wide.shape), rtol=0, atol=1e-12)
    gaussian = sample_gram(inputs, [6] * 8, sigma_w=1.0, phi=IDENTITY, n_samples=50)
    assert np.abs(gaussian - kept).max() > 0.1  # negative control


def test_layer_norm_of_two_neurons_is_a_sign():
    gram = sample_gram(INPUTS, [4, 2], phi=IDENTITY, sigma_w=1.0, wiring=Wiring("ln"), n_samples=100)
    # (x - mean)/std of two numbers is ±1 up to a few roundings
    np.testing.assert_allclose(np.abs(gram), 1.0, rtol=0, atol=1e-14)


def test_residual_layers_of_an_identity_with_beta_zero_hand_on_what_they_get():
    first = sample_gram(INPUTS, [9], phi=IDENTITY, n_samples=20, rng=3)
    later = sample_gram(INPUTS, [9] * 4, phi=IDENTITY, wiring=Wiring("res", 0.5, 0.0), n_samples=20, rng=3)
    np.testing.assert_allclose(later, first / 64, rtol=1e-13, atol=0)  # α² three times; halving does not round


def test_residual_layers_before_a_change_of_width_are_plain():
    wirings = [Wiring("res", 0.3, 0.7)] * 3
    # no two neighbouring widths agree, so nothing is residual
    one = sample_gram(INPUTS, [5, 6, 7], phi=np.tanh, sigma_w=1.1, wiring=wirings, n_samples=20)
    np.testing.assert_array_equal(one, sample_gram(INPUTS, [5, 6, 7], phi=np.tanh, sigma_w=1.1, n_samples=20))


@pytest.mark.parametrize("wiring", [Wiring("res", 0.9, 0.5), Wiring("ln"), Wiring(weights="orthogonal")])
def test_a_seed_fixes_the_answer_whatever_the_number_of_samples_before(wiring):
    options = {"phi": np.tanh, "sigma_w": 1.2, "sigma_b": 0.1, "wiring": wiring, "rng": 4}
    few, many = (sample_gram(INPUTS, [24] * 3, n_samples=n, **options) for n in (1024, 3000))
    np.testing.assert_array_equal(few, many[:1024])


def test_a_wired_law_reports_what_happened():
    law = angle_law([16] * 8, 1.0, wiring=Wiring("res", 1.0, 0.5), sigma_w=2**0.5, phi=RELU, n_samples=2000)
    plain = angle_law([16] * 8, 1.0, phi=RELU, n_samples=2000, method="chain")
    assert law.method == "chain"
    assert law.mean[-1] > plain.mean[-1] + 0.5  # the skip keeps inputs apart
    assert law.survival[-1] > plain.survival[-1]


@pytest.mark.statistical
def test_input_dimension_enters_with_orthogonal_weights_only():
    options = {"phi": np.tanh, "sigma_w": 1.5, "n_samples": 4000}
    few, many = (
        angle_law([8], 1.0, wiring=Wiring(weights="orthogonal"), input_dimension=n, rng=1, **options) for n in (8, 400)
    )
    gaussian = angle_law([8], 1.0, rng=2, **options)
    # corners of much larger Haar matrices are Gaussian; a square one keeps all angles but for φ
    assert many.std[0] == pytest.approx(gaussian.std[0], rel=0.1)
    assert few.std[0] < 0.5 * gaussian.std[0]
    np.testing.assert_array_equal(angle_law([8], 1.0, input_dimension=3, rng=2, **options).mean, gaussian.mean)


def refused(call, match, error=DomainError):
    with pytest.raises(error, match=match) as caught:
        call()
    assert caught.value.cause
    assert caught.value.change


def test_what_cannot_be_wired_is_refused():
    refused(lambda: Wiring("resnet"), "resnet")
    refused(lambda: Wiring(weights="haar"), "haar")
    refused(lambda: Wiring("res", alpha=np.nan), "alpha")
    refused(lambda: Wiring("res", beta="1"), "beta")
    refused(lambda: Wiring("res", 0.0, 0.0), "both 0")
    refused(lambda: sample_gram(INPUTS, [4, 4], wiring="res", phi=RELU), "wiring")
    refused(lambda: sample_gram(INPUTS, [4, 4], wiring=[Wiring()], phi=RELU), "2 layers")
    refused(lambda: sample_gram(INPUTS, [4, 1], wiring=Wiring("ln"), phi=RELU), "one neuron")
    refused(lambda: sample_gram(INPUTS, [2, 4], wiring=Wiring(weights="orthogonal"), phi=RELU), "orthogonal")
    refused(lambda: angle_law([8] * 3, wiring=Wiring("ln"), phi=RELU, method="grid"), "normalised")
    refused(lambda: sample_gram(INPUTS, [8] * 999, wiring=Wiring("res"), phi=RELU, n_samples=2), "residual")


def test_memory_of_residual_layers_is_asked_for_first():
    options = {"phi": np.tanh, "sigma_w": 1.0, "n_samples": 10**5}
    refused(lambda: sample_gram(INPUTS, [10**4] * 2, wiring=Wiring("res"), **options), "MiB", MemoryBudgetError)
    refused(lambda: angle_law([10**4] * 2, wiring=Wiring("res"), **options), "MiB", MemoryBudgetError)


@pytest.mark.statistical
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("wiring", [Wiring("res", 0.9, 0.5), Wiring("ln"), Wiring(weights="orthogonal")])
def test_tensors_have_the_law_of_arrays(wiring, device):
    torch = pytest.importorskip("torch", reason="torch is an extra")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    options = {"sigma_w": 1.2, "sigma_b": 0.1, "wiring": wiring, "n_samples": 8000}
    one = sample_gram(INPUTS, [8] * 3, phi=np.tanh, rng=1, **options)
    two = sample_gram(torch.tensor(INPUTS, device=device), [8] * 3, phi=torch.tanh, rng=1, **options)
    assert two.device.type == device
    p, comparisons = smallest_p(one, two.cpu().numpy())
    assert p > p_limit(3 * comparisons)

"""Real networks, 20 layers of 300 neurons with biases, agree with the Gram chain and, to 1/n, with infinite width."""

import functools

import numpy as np
import pytest
from chance import p_limit, z_limit
from real_wirings import gelu
from scipy.stats import ks_2samp

from gpdeep.activations import activation
from gpdeep.finite import sample_gram
from gpdeep.meanfield.pair_path import pair_path

N_REAL, WIDTH, DEPTH, THETA = 200, 300, 20, 1.0
N_CHAIN = {WIDTH: 4000, 4 * WIDTH: 2000}
CASES = {
    "relu": (lambda x: np.maximum(x, 0), 1.35, 0.3),
    "tanh": (np.tanh, 1.5, 0.2),
    "gelu": (gelu, 1.2, 0.5),
}
INPUTS = np.zeros((2, 50))
INPUTS[:, 0] = 1.0, np.cos(THETA)
INPUTS[1, 1] = np.sin(THETA)
INPUTS *= np.sqrt(50)  # |x|² = n_0, at the angle THETA
MEASURED = ("squared length", "covariance", "ln sin²")


def measured(gram):
    """Mean square of the post-activations (of both inputs), their covariance, and ln sin² of their angle."""
    one, two, cross = gram[:, 0, 0], gram[:, 1, 1], gram[:, 0, 1]
    return np.array([(one + two) / 2, cross, np.log1p(-np.minimum(cross**2 / (one * two), 1 - 1e-15))])


@functools.cache
def real(name, factor=1.0):
    """200 networks with weight matrices of 300 x 300."""
    function, sigma_w, sigma_b = CASES[name]
    rng = np.random.Generator(np.random.PCG64([71, list(CASES).index(name)]))
    grams = []
    for _ in range(N_REAL):
        x = INPUTS
        for _ in range(DEPTH):
            w = rng.standard_normal((x.shape[1], WIDTH)) * (factor * sigma_w / np.sqrt(x.shape[1]))
            x = function(x @ w + sigma_b * rng.standard_normal(WIDTH))
        grams.append(x @ x.T / WIDTH)
    return measured(np.array(grams))


@functools.cache
def chain(name, width):
    _, sigma_w, sigma_b = CASES[name]
    return measured(
        sample_gram(
            INPUTS,
            [width] * DEPTH,
            phi=activation(name),
            sigma_w=sigma_w,
            sigma_b=sigma_b,
            n_samples=N_CHAIN[width],
            rng=list(CASES).index(name),
        )
    )


def at_infinite_width(name):
    """E φ², E φφ' and ln sin² after the last layer: q of the next pre-activations is σ_w² E φ² + σ_b²."""
    _, sigma_w, sigma_b = CASES[name]
    angle, log_sin2, q = pair_path(
        np.array([THETA]), activation(name), np.full(DEPTH + 1, sigma_w), np.full(DEPTH + 1, sigma_b)
    )
    second = (q[DEPTH] - sigma_b**2) / sigma_w**2
    return np.array([second, second * np.cos(angle[DEPTH - 1, 0]), log_sin2[DEPTH - 1, 0]])


def p_values(name, factor=1.0):
    sampled, networks = chain(name, WIDTH), real(name, factor)
    return [ks_2samp(*pair).pvalue for pair in zip(sampled, networks, strict=True)]


def variance_of_mean(sample):
    """Squared standard error of the mean of each row."""
    return sample.var(axis=1) / sample.shape[1]


def z_of_networks(name, factor=1.0):
    """z-scores of the networks' means from infinite width plus the chain's 1/n term, and that term.

    The chain's means at widths n and 4n give the term: c/n = (4/3) (mean at n - mean at 4n), up to O(1/n²), which for
    the largest c/n, 0.12, is of the order of its square, half a standard error of the networks.
    """
    narrow, wide, networks = chain(name, WIDTH), chain(name, 4 * WIDTH), real(name, factor)
    term = (narrow.mean(axis=1) - wide.mean(axis=1)) * 4 / 3
    error = np.sqrt(variance_of_mean(networks) + 16 / 9 * (variance_of_mean(narrow) + variance_of_mean(wide)))
    return (networks.mean(axis=1) - at_infinite_width(name) - term) / error, term


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_networks_have_the_law_of_the_chain(name):
    assert min(p_values(name)) > p_limit(len(CASES) * len(MEASURED))


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_networks_agree_with_infinite_width_up_to_the_1_over_n_term(name):
    z, term = z_of_networks(name)
    assert np.abs(z).max() < z_limit(len(CASES) * len(MEASURED))
    # the term itself is one of effective depth L/n = 1/15: at most a few of those, of lengths and of ln sin²
    assert np.abs(term / np.append(at_infinite_width(name)[:2], 1.0)).max() < 5 * DEPTH / WIDTH


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_the_chain_at_two_widths_extrapolates_to_infinite_width(name):
    narrow, wide = chain(name, WIDTH), chain(name, 4 * WIDTH)
    # (4 mean(4n) - mean(n))/3 is right to O(1/n²): a quarter of (L/n)², 1e-3, where sampling has 1e-3 to 1e-2
    limit = (4 * wide.mean(axis=1) - narrow.mean(axis=1)) / 3
    error = np.sqrt(16 * variance_of_mean(wide) + variance_of_mean(narrow)) / 3
    z = np.abs(limit - at_infinite_width(name)) / error
    assert z.max() < z_limit(len(CASES) * len(MEASURED))
    # negative control: width 300 by itself is not infinite
    alone = np.abs(narrow.mean(axis=1) - at_infinite_width(name)) / np.sqrt(variance_of_mean(narrow))
    assert alone.max() > z_limit(len(CASES) * len(MEASURED))


@pytest.mark.statistical
def test_weights_five_per_cent_too_large_are_seen():
    # negative control of the first two tests
    assert min(p_values("tanh", 1.05)) < p_limit(len(CASES) * len(MEASURED))
    assert np.abs(z_of_networks("tanh", 1.05)[0]).max() > z_limit(len(CASES) * len(MEASURED))

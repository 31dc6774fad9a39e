"""The exact one-step law against its cumulants and against sampled layers; the Gamma closure as negative control."""

import math

import numpy as np
import pytest
from scipy import stats

from gpdeep.gaussian.gauss_legendre import gauss_legendre
from gpdeep.gaussian.kink_split import kink_split_rule
from gpdeep.meanfield import variance_map
from gpdeep.sparse import design, instability
from gpdeep.sparse.one_step_law import ExactLaw, GammaLaw

CASES = {
    "crelu": design("crelu", 0.85, slope=0.8).layer,
    "cst": design("cst", 0.9, slope=0.5).layer,
    "unclipped": variance_map(
        instability("relu_tau", 0.85).options["activation"],
        sigma_w=instability("relu_tau", 0.85).sigma_w,
        sigma_b=instability("relu_tau", 0.85).sigma_b,
    ),
    "tanh": variance_map("tanh", sigma_w=1.3, sigma_b=0.3),
}
Q = np.array([0.8, 1.0, 1.7])


def integrated(law, layer, width):
    """∫p, mean, variance and third cumulant of the law at each of Q."""
    std = np.asarray(layer.noise(Q)) / math.sqrt(width)
    low, high = max(layer.sigma_b**2, float((layer(Q) - 12 * std).min())), float((layer(Q) + 16 * std).max())
    near, _, w = gauss_legendre(400)
    x, w = high - (high - low) * near / 2, w * (high - low) / 2
    p = law.density(x) * w
    mass = p.sum(axis=1) + law.atom
    mean = p @ x + law.atom * layer.sigma_b**2
    centred = x[None] - mean[:, None]
    moments = [(p * centred**k).sum(axis=1) + law.atom * (layer.sigma_b**2 - mean) ** k for k in (2, 3)]
    return mass, mean, *moments


def third_cumulant(layer, width):
    """σ_w⁶ E(φ² - Eφ²)³/n², by quadrature of its own."""
    z, w = kink_split_rule(Q, [t for t, _ in layer.phi.kinks])
    square = np.asarray(layer.phi(np.sqrt(Q)[:, None] * z)) ** 2
    mean = (w * square).sum(axis=1, keepdims=True)
    return layer.sigma_w**6 * (w * (square - mean) ** 3).sum(axis=1) / width**2


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("width", [200, 3000])
def test_law_has_the_exact_cumulants(name, width):
    layer = CASES[name]
    mass, mean, var, third = integrated(ExactLaw.of(layer, width, Q), layer, width)
    # the ends leave out less than 1e-12 (14 standard deviations, an exponential tail), the grid of 400 nodes nothing
    np.testing.assert_allclose(mass, 1.0, rtol=1e-10, atol=0)
    # the series ends at 20 over the standard deviation; with 20 to 30 active units 1e-7 of it lies beyond
    std = np.asarray(layer.noise(Q)) / math.sqrt(width)
    np.testing.assert_allclose(mean / std, layer(Q) / std, rtol=0, atol=3e-6)
    np.testing.assert_allclose(var, std**2, rtol=1e-5, atol=0)
    np.testing.assert_allclose(third / std**3, third_cumulant(layer, width) / std**3, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["crelu", "cst", "tanh"])
def test_gamma_law_has_another_skewness(name):
    # negative control: mean and variance agree, the third cumulant is off by more than a fifth
    layer = CASES[name]
    mass, mean, var, third = integrated(GammaLaw.of(layer, 300, Q), layer, 300)
    np.testing.assert_allclose(mass, 1.0, rtol=1e-10, atol=0)
    np.testing.assert_allclose(mean, layer(Q), rtol=1e-10, atol=0)
    np.testing.assert_allclose(var, np.asarray(layer.noise(Q)) ** 2 / 300, rtol=1e-9, atol=0)
    assert (np.abs(third / third_cumulant(layer, 300) - 1) > 0.2).all()


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("width", [60, 300])
def test_sampled_layers_follow_the_law(name, width):
    layer = CASES[name]
    rng = np.random.default_rng([width, len(name)])
    samples = np.concatenate(
        [
            layer.sigma_b**2 + layer.sigma_w**2 * np.mean(layer.phi(rng.standard_normal((1000, width))) ** 2, axis=1)
            for _ in range(20)
        ]
    )
    law = ExactLaw.of(layer, width, np.array([1.0]))
    grid = np.quantile(samples, np.linspace(0.002, 0.998, 400))
    above = np.array([law.above(float(x))[0] for x in grid])
    empirical = np.array([(samples > x).mean() for x in grid])
    # Kolmogorov-Smirnov at level 1e-3 over the 8 cases: 1.22e-4 each; the law's steps at width 60 are below 1e-3
    limit = stats.kstwobign.isf(1e-3 / 8) / math.sqrt(len(samples)) + (1e-3 if width == 60 else 0)
    assert np.abs(above - empirical).max() < limit


@pytest.mark.statistical
def test_gamma_law_is_rejected_by_the_same_comparison():
    layer, width = CASES["crelu"], 60
    rng = np.random.default_rng(1)
    h = rng.standard_normal((20_000, width))
    samples = layer.sigma_b**2 + layer.sigma_w**2 * np.mean(np.asarray(layer.phi(h)) ** 2, axis=1)
    law = GammaLaw.of(layer, width, np.array([1.0]))
    grid = np.quantile(samples, np.linspace(0.002, 0.998, 400))
    above = np.array([law.above(float(x))[0] for x in grid])
    empirical = np.array([(samples > x).mean() for x in grid])
    assert np.abs(above - empirical).max() > stats.kstwobign.isf(1e-3 / 8) / math.sqrt(len(samples)) + 1e-3


def test_tail_is_the_integral_of_the_density():
    layer = CASES["crelu"]
    law = ExactLaw.of(layer, 300, Q)
    near, _, w = gauss_legendre(300)
    for x in (0.9, 1.1, 1.4):
        nodes, weights = 4.0 - (4.0 - x) * near / 2, w * (4.0 - x) / 2
        np.testing.assert_allclose(law.above(x), law.density(nodes) @ weights, rtol=0, atol=1e-11)

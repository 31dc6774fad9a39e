"""Leading-order estimates against chains, the transfer operator and stored real networks."""

import math

import numpy as np
import pytest
from stored import REFERENCE

from gpdeep import DomainError
from gpdeep.meanfield import variance_map
from gpdeep.sparse import (
    design,
    escape_probability,
    gradient_spread,
    instability,
    kramers_rate,
    sample_variances,
    stationary_fluctuation,
)


def test_stationary_fluctuation_is_that_of_the_law():
    # corrections are O(1/n): the error falls by 4 from width 1000 to 4000
    one = design("crelu", 0.85, slope=0.5)
    errors = []
    for width in (1000, 4000):
        law = escape_probability(
            one.phi, sigma_w=one.sigma_w, sigma_b=one.sigma_b, width=width, depth=40, threshold=3.0
        )
        shift, std = stationary_fluctuation(one.layer, 1.0, width)
        errors.append([std / law.q_std[-1] - 1, (1 + shift - law.q_mean[-1]) * width])
    np.testing.assert_allclose(errors[0][0] / errors[1][0], 4, rtol=0.3, atol=0)
    assert abs(errors[0][0]) < 0.01
    assert abs(errors[1][1]) < 0.35 * abs(errors[0][1])  # the shift itself is known to O(1/n²)


@pytest.mark.statistical
def test_stationary_fluctuation_against_chains():
    one = design("crelu", 0.85, slope=0.5)
    k = sample_variances(one.phi, sigma_w=one.sigma_w, sigma_b=one.sigma_b, width=300, depth=30, n_samples=4000)[:, -1]
    std = stationary_fluctuation(one.layer, 1.0, 300)[1]
    np.testing.assert_allclose(k.std(), std, rtol=3.3 / math.sqrt(2 * 4000) + 0.02, atol=0)  # level 1e-3, O(1/n)
    # negative control: without the memory of the chain
    assert abs(k.std() / (one.noise / math.sqrt(300)) - 1) > 0.08


@pytest.mark.parametrize(("kind", "sparsity", "slope", "width"), [("cst", 0.9, 0.9, 2000), ("cst", 0.85, 0.9, 3000)])
def test_kramers_is_within_a_factor_of_three(kind, sparsity, slope, width):
    # where the unstable point is near, a few times the fluctuation away
    one = design(kind, sparsity, slope=slope)
    law = escape_probability(one.phi, sigma_w=one.sigma_w, sigma_b=one.sigma_b, width=width, depth=300)
    p = law.probability
    rate = math.log((1 - p[100]) / (1 - p[299])) / 199
    assert 1 / 3 < kramers_rate(one.layer, 1.0, width) / rate < 3


def test_concave_maps_have_no_barrier():
    assert kramers_rate(design("crelu", 0.6, slope=0.5).layer, 1.0, 300) == 0.0


STABLE = [
    case
    for case in REFERENCE["networks"]
    if case["eta"] and design(case["kind"], case["s"], slope=case["eta"]).unstable_q is None
]


@pytest.mark.parametrize("case", STABLE, ids=lambda case: f"{case['kind']}-{case['s']}-{case['eta']}")
def test_gradients_spread_as_in_real_networks(case):
    one = design(case["kind"], case["s"], slope=case["eta"])
    found = gradient_spread(one.layer, 1.0, case["width"], case["depth"] - 1)
    measured = case["log_grad_ratio_std"]
    # 240 networks know a standard deviation to 1/√478; level 1e-3 over the six cases, and 3 % for the next order in 1/n
    assert abs(measured / found - 1) < 3.8 / math.sqrt(478) + 0.03


def test_spread_without_the_memory_of_the_variance_is_refuted():
    # negative control: √(L (3/p - 1)/n), the factors of one layer alone
    case = next(c for c in STABLE if (c["kind"], c["s"], c["eta"]) == ("crelu", 0.85, 0.9))
    one = design("crelu", 0.85, slope=0.9)
    own = math.sqrt(99 * (3 / one.linear - 1) / 300)
    assert case["log_grad_ratio_std"] / own - 1 > 3.8 / math.sqrt(478) + 0.03


def test_relu_like_spread_without_a_memory():
    # α = 0 where χ₁' = 0: √(L (3/p - 1)/n); one layer has no memory either
    one = design("crelu", 0.85, slope=0.9)
    np.testing.assert_allclose(
        gradient_spread(one.layer, 1.0, 300, 1), math.sqrt((3 / one.linear - 1) / 300), rtol=1e-12
    )


def test_unstable_points_are_refused():
    found = instability("relu_tau", 0.85)
    layer = variance_map(found.options["activation"], sigma_w=found.sigma_w, sigma_b=found.sigma_b)
    with pytest.raises(DomainError, match="stable fixed point"):
        stationary_fluctuation(layer, 1.1, 300)
    with pytest.raises(DomainError):
        stationary_fluctuation(layer, 1.0, 0)
    with pytest.raises(DomainError, match=r"design\.layer"):
        stationary_fluctuation(design("crelu", 0.85, slope=0.5), 1.0, 300)
    with pytest.raises(DomainError):
        stationary_fluctuation(design("crelu", 0.85, slope=0.5).layer, 2.0, 300)
    with pytest.raises(DomainError, match="no unit responds"):
        gradient_spread(variance_map("crelu:100,1", sigma_w=1.0, sigma_b=1.0), 1.0, 100, 10)
    with pytest.raises(DomainError):
        gradient_spread(variance_map("tanh", sigma_w=0.5), 1.0, 300, 100)

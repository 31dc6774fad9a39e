"""Instability as a statement: V' = χ₁ for every q, V'' > 0, what follows, and where it does not hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpdeep import DomainError, InfeasibleError, PiecewiseLinear
from gpdeep.activations.piecewise_linear import crelu, relu_tau, soft_threshold
from gpdeep.meanfield import fixed_points, variance_map
from gpdeep.sparse import escape_probability, instability, sample_variances


@given(st.floats(0.05, 3.0), st.floats(0.01, 50.0), st.sampled_from([relu_tau, soft_threshold]))
@settings(deadline=None)
def test_slope_is_chi_1_and_curvature_positive_everywhere(tau, q, make):
    layer = variance_map(make(tau), sigma_w=1.7)
    np.testing.assert_allclose(layer.slope(q), layer.chi_1(q), rtol=4e-16, atol=0)  # one expectation, and its rounding
    assert layer.curvature(q) > 0 or tau / q**0.5 > 35  # underflow of the density


def test_clipped_activation_breaks_it():
    # negative control
    layer = variance_map(crelu(1.0, 1.0), sigma_w=1.7)
    assert abs(layer.slope(1.0) - layer.chi_1(1.0)) > 0.05


# sparsity, σ_w, σ_b, V'', c: the printed digits of the theory's table for relu_tau at q* = 1
TABLE = [
    (0.6, 1.5811, 0.4249, 0.122, 2.169),
    (0.7, 1.8257, 0.5769, 0.304, 2.150),
    (0.8, 2.2361, 0.6854, 0.589, 2.203),
    (0.85, 2.5820, 0.7327, 0.806, 2.282),
    (0.9, 3.1623, 0.7789, 1.125, 2.443),
]


@pytest.mark.parametrize("row", TABLE)
def test_edge_of_shifted_relu(row):
    sparsity, sigma_w, sigma_b, curvature, noise = row
    found = instability("relu_tau", sparsity)
    np.testing.assert_allclose([found.sigma_w, found.sigma_b], [sigma_w, sigma_b], rtol=0, atol=6e-5)
    np.testing.assert_allclose([found.curvature, found.noise], [curvature, noise], rtol=0, atol=6e-4)
    np.testing.assert_allclose(found.sigma_w**2 * (1 - sparsity), 1.0, rtol=1e-13, atol=0)
    np.testing.assert_allclose([found.slope, found.chi_1], 1.0, rtol=1e-14, atol=0)
    np.testing.assert_allclose(found.growth, 0.5 / (1 - sparsity), rtol=1e-13, atol=0)
    assert found.slope_excess < 1e-14


def test_soft_threshold_shares_bias_and_curvature_at_the_same_threshold():
    one, two = instability("relu_tau", tau=0.9, q=2.0), instability("st", tau=0.9, q=2.0)
    np.testing.assert_allclose([one.sigma_b, one.curvature], [two.sigma_b, two.curvature], rtol=1e-13, atol=0)
    np.testing.assert_allclose(one.sigma_w**2, 2 * two.sigma_w**2, rtol=1e-13, atol=0)
    np.testing.assert_allclose(two.growth, two.sigma_w**2, rtol=1e-15, atol=0)


def test_excess_takes_as_many_layers_as_said():
    found = instability("relu_tau", 0.85)
    layer = variance_map(found.options["activation"], sigma_w=found.sigma_w, sigma_b=found.sigma_b)
    for excess in (0.01, 0.003):
        q, layers = 1 + excess, 0
        while q < 100:
            q, layers = float(layer(q)), layers + 1
        # leading order in the excess: the climb beyond q* and 1/ε ln(1/ε) terms are some 10 %
        np.testing.assert_allclose(layers, found.layers_to_escape(excess), rtol=0.15, atol=0)


def test_lower_weights_open_the_basin_that_was_said():
    found = instability("st", 0.7)
    layer = found.options["activation"]
    for loss in (1e-4, 1e-6):
        low, high, chi = found.basin_for(loss)
        points = fixed_points(layer, sigma_w=found.sigma_w * (1 - loss) ** 0.5, sigma_b=found.sigma_b).points
        # leading order in √loss: the next term is relative √loss to the half-width
        half = [1 - points[0].q, points[1].q - 1]
        np.testing.assert_allclose([1 - low, high - 1], half, rtol=5 * loss**0.5, atol=0)
        np.testing.assert_allclose(1 - chi, 1 - points[0].chi_1, rtol=5 * loss**0.5, atol=0)


@pytest.mark.statistical
def test_escape_time_is_within_its_stated_reach_of_chains():
    # 40 % at widths of hundreds: mean number of layers until K > 10 q*, 2000 chains cut at 1000 layers
    found = instability("st", 0.8)
    paths = sample_variances(
        found.options["activation"], sigma_w=found.sigma_w, sigma_b=found.sigma_b, width=300, depth=400,
        ceiling=10.0, n_samples=500, rng=3,
    )  # fmt: skip
    layers = np.argmax(paths > 10.0, axis=1)
    assert (paths[:, -1] > 10).mean() > 0.99
    predicted = found.escape_time(300, threshold=10.0)
    assert 0.6 < predicted / layers.mean() < 1.4


def test_every_width_escapes_in_the_end():
    found = instability("relu_tau", 0.85)
    law = escape_probability(
        found.options["activation"], sigma_w=found.sigma_w, sigma_b=found.sigma_b, width=1000, depth=600, threshold=10.0
    )
    assert law.probability[-1] > 0.999


def test_marginal_and_downward_cases_are_refused():
    with pytest.raises(DomainError, match="at 0"):
        instability("relu")
    with pytest.raises((DomainError, InfeasibleError)):
        instability("relu_tau", 0.3)
    with pytest.raises(DomainError, match="vanish at its kinks"):
        instability(crelu(1.0, 1.0))
    with pytest.raises(DomainError, match="vanish at its kinks"):
        instability("tanh")


@pytest.mark.parametrize(
    "arguments",
    [("relu_tau",), ("relu_tau:1.0", 0.5), ("st", 0.5, {"tau": 1.0}), ("crelu", 0.5), ("nope", 0.5), (3, 0.5)],
)
def test_incomplete_requests_are_refused(arguments):
    *positional, last = arguments
    options = last if isinstance(last, dict) else {}
    positional = positional if options else list(arguments)
    with pytest.raises(DomainError):
        instability(*positional, **options)


def test_far_thresholds_do_not_divide_by_nothing():
    assert instability("st", 0.9999).slope_excess < 1e-14
    assert instability("relu_tau", tau=5.0).slope_excess < 1e-14
    with pytest.raises(InfeasibleError, match="Hardly a unit"):
        instability("relu_tau", tau=40.0)
    with pytest.raises(DomainError):
        instability("st", 0.9).escape_time(300, threshold=np.array([2.0, 3.0]))


def test_own_activation_with_zeros_at_its_kinks():
    asymmetric = PiecewiseLinear("asymmetric", 0.5, 0.5, (-1.0, 0.7), (-0.5, 2.0))
    found = instability(asymmetric, q=1.5)
    assert found.slope_excess < 1e-14
    assert found.curvature > 0
    np.testing.assert_allclose(found.slope, 1.0, rtol=1e-14, atol=0)


def test_result_is_kept_and_shown(tmp_path):
    from gpdeep import load

    found = instability("st", 0.85)
    assert load(found.save(tmp_path / "x.json")) == found
    assert "V'(q) = χ₁(q) for every q" in str(found)

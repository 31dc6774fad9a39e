"""Nonlinearity, kurtosis and gain of layers with many slopes: stored values, symmetries, and moments by quadrature."""

import json
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

from gpdeep.activations import Mixture, TwoSlope
from gpdeep.errors import DomainError
from gpdeep.linearize import equivalent_slope, gate_kurtosis, nonlinearity, preserving_sigma_w, weight_correction
from gpdeep.meanfield import ntk

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "linearize_theory.json").read_text())
EPS = np.finfo(float).eps
ROUNDING = 8 * EPS  # sums of at most three positive products, each term four roundings, and a division


@pytest.mark.parametrize("slope", REFERENCE["one_slope"])
def test_one_slope_has_its_stored_values(slope):
    want, a = REFERENCE["one_slope"][slope], float(slope)
    # 1 - a of a decimal a is off by eps/2 |a|/|1 - a| from that of its 25 digits
    conditioning = 1 + abs(a) / abs(1 - a)
    np.testing.assert_allclose(nonlinearity(a), float(want["g"]), rtol=ROUNDING * conditioning, atol=0)
    np.testing.assert_allclose(gate_kurtosis(a), float(want["r"]), rtol=ROUNDING, atol=0)
    np.testing.assert_allclose(preserving_sigma_w(a) ** 2, float(want["sw2"]), rtol=ROUNDING, atol=0)


@pytest.mark.parametrize("name", REFERENCE["mixtures"])
def test_mixtures_have_their_stored_values(name):
    want = REFERENCE["mixtures"][name]
    layer = [float(a) for a in want["slopes"]], [float(f) for f in want["fractions"]]
    np.testing.assert_allclose(nonlinearity(*layer), float(want["g"]), rtol=ROUNDING, atol=0)
    np.testing.assert_allclose(gate_kurtosis(*layer), float(want["r"]), rtol=ROUNDING, atol=0)
    np.testing.assert_allclose(preserving_sigma_w(*layer) ** 2, float(want["sw2"]), rtol=ROUNDING, atol=0)


def test_numerator_and_denominator_are_averaged_apart():
    # negative control: the mean of the channels' own nonlinearities, p instead of p/(2 - p)
    mean = np.mean(nonlinearity(np.array([[0.0], [1.0]])))
    assert mean == 0.5
    assert abs(nonlinearity([0, 1]) - mean) > 0.1
    np.testing.assert_allclose(nonlinearity([0, 1]), 1 / 3, rtol=ROUNDING, atol=0)


def test_masks_have_r_of_one_more_than_g_and_a_slope_less():
    p = np.linspace(0, 1, 21)
    mask = np.stack(np.broadcast_arrays(0.0, 1.0), axis=-1), np.stack([p, 1 - p], axis=-1)
    g, r = nonlinearity(*mask), gate_kurtosis(*mask)
    np.testing.assert_allclose(g, p / (2 - p), rtol=ROUNDING, atol=0)
    np.testing.assert_allclose(r, 1 + g, rtol=ROUNDING, atol=0)
    a = equivalent_slope(p)
    # a depends on g through √(g (2 - g)), and 1 - a on a: as p → 0 half of the digits of g are in a
    np.testing.assert_allclose(nonlinearity(a[..., None]), g, rtol=ROUNDING, atol=8 * EPS)
    np.testing.assert_allclose(gate_kurtosis(a[..., None]), 1 + 2 * g - g**2, rtol=ROUNDING, atol=8 * EPS)
    assert (gate_kurtosis(a[1:-1, None]) > r[1:-1] + 0.01).all()


def test_equivalent_slope_keeps_its_digits_near_relu():
    for gap in (1e-3, 1e-9, 1e-15):
        p = 1 - gap
        with mp.workdps(60):
            q = mp.mpf(p)
            want = ((2 - q) - mp.sqrt(q * (4 - 3 * q))) / (2 - 2 * q)
            np.testing.assert_allclose(equivalent_slope(p), float(want), rtol=ROUNDING, atol=0)
    assert equivalent_slope(1) == 0
    assert equivalent_slope(0) == 1


def test_equivalent_slope_has_the_tangent_kernel_of_the_mask():
    x = np.array([[1.0, 0.0], [0.4, 0.9], [-0.3, 1.0]])
    mask = Mixture((TwoSlope("relu", 0.0), TwoSlope("linear", 1.0)), (0.3, 0.7))
    slope = TwoSlope("slope", float(equivalent_slope(0.3)))

    def kernel(phi, layer):
        sigma_w = float(preserving_sigma_w(*layer))
        return ntk(x, depth=4, phi=phi, sigma_w=sigma_w) / sigma_w**2  # that of the first layer, which is none of these

    one, two = kernel(mask, ([0, 1], [0.3, 0.7])), kernel(slope, (slope.negative,))
    np.testing.assert_allclose(one, two, rtol=1e-12, atol=0)  # some ten sums a layer, kernels accurate to 1e-14
    # negative control: the slope that is linear on the average, 1 - p
    other = kernel(TwoSlope("average", 0.7), (0.7,))
    assert np.abs(other / one - 1).max() > 1e-3


def test_nonlinearity_is_the_kink_of_one_activation_and_blind_to_inversion():
    slopes = np.array([-3.0, -1.0, -0.2, 0.0, 0.1, 0.7, 1.0, 4.0])
    g = nonlinearity(slopes[:, None])
    np.testing.assert_array_equal(g, [TwoSlope("x", a).kink for a in slopes])
    inverse = nonlinearity(1 / slopes[slopes != 0][:, None])
    np.testing.assert_allclose(inverse, g[slopes != 0], rtol=4 * ROUNDING, atol=0)


def test_counts_serve_as_shares():
    assert nonlinearity([0, 1], [16, 48]) == nonlinearity([0, 1], [0.25, 0.75])
    # one slope a channel is the same layer
    np.testing.assert_allclose(nonlinearity([0] * 16 + [1] * 48), nonlinearity([0, 1], [16, 48]), rtol=64 * EPS)


def test_moments_of_a_sampled_layer_are_these():
    rng = np.random.default_rng(20260921)
    a, counts = np.array([0.0, 0.25, 1.5]), np.array([3, 2, 1])
    slope = np.repeat(a, counts * 10**6)
    x = rng.standard_normal(slope.size)
    gate = np.where(x > 0, 1.0, slope)
    second, fourth = np.mean(gate**2), np.mean(gate**4)
    # |gate| ≤ 1.5: standard errors of both below 1.5^4/(2 √N) = 1.1e-3; five of them
    np.testing.assert_allclose(fourth / second**2, gate_kurtosis(a, counts), rtol=0, atol=5e-3)
    np.testing.assert_allclose(1 / np.mean((gate * x) ** 2), preserving_sigma_w(a, counts) ** 2, rtol=0, atol=5e-3)


def test_correction_of_he_weights():
    np.testing.assert_allclose(weight_correction([0, 1], [1, 3]) ** 2, 1 / (2 - 0.25), rtol=ROUNDING, atol=0)
    assert weight_correction(0.0) == 1
    own = preserving_sigma_w([0, 1], [1, 3])
    assert weight_correction([0, 1], [1, 3], sigma_w=float(own)) == 1


@pytest.mark.parametrize(
    ("slopes", "fractions"),
    [
        ([0, 1], [0.5]),
        ([0, 1], [0.5, -0.5]),
        ([0, 1], [0, 0]),
        ([0, np.nan], None),
        ([0, np.inf], None),
        ([0, 1], [np.nan, 1]),
        ([], None),
        ("relu", None),
        ([True, False], None),
        ([[0, 1], [0]], None),
        ([0, 1, 2], [0.5, 0.5]),
        (1e60, None),
        (1j, None),
    ],
)
def test_what_is_no_layer_of_slopes_is_refused(slopes, fractions):
    for of in (nonlinearity, gate_kurtosis, preserving_sigma_w):
        with pytest.raises(DomainError, match="to change"):
            of(slopes, fractions)


@pytest.mark.parametrize("active", [-0.1, 1.1, np.nan, "half", [[0.5], [0.5, 1]], True])
def test_a_share_outside_its_range_is_refused(active):
    with pytest.raises(DomainError, match="share of active channels"):
        equivalent_slope(active)


@pytest.mark.parametrize("sigma_w", [0.0, -1.0, np.nan, np.inf, "he", [1.4]])
def test_weights_without_a_size_are_refused(sigma_w):
    with pytest.raises(DomainError, match="sigma_w"):
        weight_correction(0.0, sigma_w=sigma_w)

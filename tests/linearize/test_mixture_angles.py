"""The map of the angle for layers with many slopes: 25-digit values, digits at every angle, the depth law."""

import json
from itertools import pairwise
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

from gpdeep.activations import Mixture, TwoSlope
from gpdeep.errors import DomainError
from gpdeep.linearize import (
    ChainProfile,
    cross_moment,
    mixture_gap,
    mixture_map,
    mixture_slope,
    nonlinearity,
    predict_angle,
    preserving_sigma_w,
)
from gpdeep.linearize.mixture_angles import kink_excess
from gpdeep.meanfield import correlation_map

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "linearize_theory.json").read_text())
EPS = np.finfo(float).eps
LAYERS = [
    ([0.0], [1.0]),
    ([0.25], [1.0]),
    ([-1.0], [1.0]),
    ([0.0, 1.0], [0.5, 0.5]),
    ([0.0, 0.25, 1.5], [0.5, 0.3, 0.2]),
]


def exact_gap(theta, g, digits=400):
    """1 - cos θ' of the float θ, to `digits` digits."""
    with mp.workdps(digits):
        t = mp.mpf(theta) if theta < np.pi else +mp.pi
        return 2 * mp.sin(t / 2) ** 2 - mp.mpf(g) * (mp.sin(t) - t * mp.cos(t)) / mp.pi


def layer_of(name):
    want = REFERENCE["mixtures"][name]
    return [float(a) for a in want["slopes"]], [float(f) for f in want["fractions"]]


@pytest.mark.parametrize("slope", REFERENCE["one_slope"])
def test_one_slope_maps_correlations_as_stored(slope):
    for rho, want in REFERENCE["one_slope"][slope]["C"].items():
        with mp.workdps(30):
            theta = float(mp.acos(mp.mpf(rho)))
            gap = float(1 - mp.mpf(want))
        # 1 - C at the rounded angle: dC = C' sin θ dθ with |C'| ≤ 1, and g of the rounded slope (as in test_slopes)
        own = 1 + abs(float(slope)) / abs(1 - float(slope))
        atol = (
            theta * np.sin(theta) + 8 * own * nonlinearity(float(slope)) * float(kink_excess(np.array(theta)))
        ) * EPS
        np.testing.assert_allclose(mixture_gap(theta, float(slope)), gap, rtol=4 * EPS, atol=atol)
    for rho, want in REFERENCE["one_slope"][slope]["Cprime"].items():
        got = mixture_slope(np.arccos(float(rho)), float(slope))
        np.testing.assert_allclose(got, float(want), rtol=0, atol=8 * EPS)  # θ and g t/π of order one


@pytest.mark.parametrize("name", REFERENCE["mixtures"])
def test_mixtures_iterate_as_stored(name):
    layer = layer_of(name)
    stored = REFERENCE["mixtures"][name]["theta_from_pi_over_3"]
    depth = max(int(key) for key in stored)
    theta = np.pi / 3
    for index in range(1, depth + 1):
        theta = float(mixture_map(theta, *layer))
        if str(index) in stored:
            # each step rounds by 1e-15 at most and contracts what came before
            np.testing.assert_allclose(theta, float(stored[str(index)]), rtol=1e-15 * np.sqrt(index) * 4, atol=0)
    for rho in ("0.3", "0.9"):
        want = 1 - float(REFERENCE["mixtures"][name][f"C({rho})"])
        np.testing.assert_allclose(mixture_gap(np.arccos(float(rho)), *layer), want, rtol=4 * EPS / want, atol=0)


@pytest.mark.parametrize("layer", LAYERS)
def test_digits_are_kept_from_1e150_to_pi(layer):
    g = float(nonlinearity(*layer))
    for theta in [1e-150, 1e-80, 1e-20, 1e-8, 1e-4, 0.01, 0.5, 1.5, np.pi / 2, 2.0, 3.0, np.nextafter(np.pi, 0), np.pi]:
        gap = exact_gap(theta, g)
        with mp.workdps(400):
            want = 2 * mp.asin(mp.sqrt(gap / 2))
        np.testing.assert_allclose(mixture_map(theta, *layer), float(want), rtol=1e-15, atol=0)
        np.testing.assert_allclose(mixture_gap(theta, *layer), float(gap), rtol=2e-15, atol=0)
    # negative control: through the cosine the small angles are lost
    cosine = np.cos(1e-8) + g * (np.sin(1e-8) - 1e-8 * np.cos(1e-8)) / np.pi
    assert abs(np.arccos(cosine) / mixture_map(1e-8, *layer) - 1) > 0.01


@pytest.mark.parametrize("layer", LAYERS)
def test_the_map_is_that_of_the_mixture_as_an_activation(layer):
    parts = tuple(TwoSlope(f"slope {a}", a) for a in layer[0])
    phi = Mixture(parts, tuple(layer[1]))
    C = correlation_map(phi, q=1.0, sigma_w=float(preserving_sigma_w(*layer)))
    theta = np.array([1e-6, 0.1, 1.0, np.pi / 2, 2.5])
    np.testing.assert_allclose(mixture_map(theta, *layer), C.angle(theta), rtol=1e-13, atol=0)  # the wider map's error
    np.testing.assert_allclose(mixture_slope(theta, *layer), C.slope(theta), rtol=1e-13, atol=1e-15)


def test_kink_excess_keeps_its_digits():
    for theta in [1e-100, 1e-5, 9.9e-5, 1.01e-4, 0.1, 0.9, 1.1, np.pi / 2, 3.0, np.pi]:
        with mp.workdps(400):
            want = (mp.sin(mp.mpf(theta)) - mp.mpf(theta) * mp.cos(mp.mpf(theta))) / mp.pi
        # conditioning: h'/h = θ² sin θ/(sin θ - θ cos θ) ≤ 3
        np.testing.assert_allclose(kink_excess(np.array(theta)), float(want), rtol=16 * EPS, atol=0)


@pytest.mark.parametrize("key", REFERENCE["cross_moment"])
def test_cross_moments_have_their_stored_values(key):
    a, b, rho = map(float, key.split(","))
    want = float(REFERENCE["cross_moment"][key])
    np.testing.assert_allclose(cross_moment(a, b, np.arccos(rho)), want, rtol=8 * EPS, atol=0)


def test_cross_moments_are_those_of_quadrature():
    node, weight = np.polynomial.legendre.leggauss(60)
    for a, b, theta in [(0.3, -0.7, 1.1), (0.0, 0.0, 2.9), (1.7, 0.2, 0.05)]:
        # polar: E r² = 2 and the mean over the angle of φ(cos p) φ(cos(p - θ)), smooth between the four sign changes
        ends = np.sort([-np.pi / 2, np.pi / 2, theta - np.pi / 2, theta + np.pi / 2, 3 * np.pi / 2])
        total = 0.0
        for low, high in pairwise(ends):
            p = low + (high - low) * (node + 1) / 2
            u, v = np.cos(p), np.cos(p - theta)
            product = np.where(u > 0, u, a * u) * np.where(v > 0, v, b * v)
            total += (high - low) / 2 * (weight @ product)
        np.testing.assert_allclose(cross_moment(a, b, theta), total / np.pi, rtol=0, atol=32 * EPS)
    x = np.linspace(0, 3, 4)
    assert cross_moment(np.zeros((2, 1)), 1.0, x).shape == (2, 4)


def test_relu_angles_are_the_stored_ones():
    stored = REFERENCE["relu_angles"]
    angle = predict_angle(np.ones(10_000)).angle
    for depth, want in stored.items():
        # rounding of a step, 1e-15, contracts with the angle: 6e-15 after 10,000 (gpdeep.gaussian.angle_map)
        np.testing.assert_allclose(angle[int(depth) - 1], float(want), rtol=2e-14, atol=0)


@pytest.mark.parametrize(
    ("name", "active"),
    [
        ("uniform 1/2", np.full(24, 0.5)),
        ("first 12 active", np.repeat([1.0, 0.0], 12)),
        ("ramp l/23", np.arange(24) / 23),
    ],
)
def test_equal_path_lengths_end_at_different_angles(name, active):
    want = REFERENCE["equal_path_length"][name]
    answer = predict_angle(active, np.pi / 3)
    # stored in double precision: 24 steps of the cosine
    np.testing.assert_allclose(answer.average_path_length, want["APL"], rtol=1e-14, atol=0)
    np.testing.assert_allclose(answer.degeneracy_depth, want["G"], rtol=1e-14, atol=0)
    np.testing.assert_allclose(answer.angle[-1], want["theta_24"], rtol=1e-13, atol=0)


def test_inverse_angle_grows_by_a_third_of_g_over_pi_and_the_next_term():
    for layer in LAYERS:
        gamma = float(nonlinearity(*layer)) / (3 * np.pi)
        theta = np.array([1e-2, 1e-3, 1e-4])
        rest = 1 / mixture_map(theta, *layer) - 1 / theta - gamma
        # (3/2) γ² θ + O(θ²); forming the rest loses eps/θ
        np.testing.assert_allclose(rest / theta, 1.5 * gamma**2, rtol=0, atol=2 * theta[0] + 8 * EPS / theta[-1] ** 2)


def test_same_nonlinearity_same_angles_whatever_the_slopes():
    mask = predict_angle([0.5] * 30, 2.0)
    slope = predict_angle(ChainProfile.masks([1] * 30, (3 - 5**0.5) / 2), 2.0)
    np.testing.assert_allclose(mask.angle, slope.angle, rtol=1e-14, atol=0)
    assert mask.average_path_length != slope.average_path_length


@pytest.mark.parametrize("theta", [-0.1, 4.0, np.nan, "right"])
def test_what_is_no_angle_is_refused(theta):
    for of in (mixture_map, mixture_gap, mixture_slope):
        with pytest.raises(DomainError, match="theta"):
            of(theta, [0, 1])
    with pytest.raises(DomainError, match="theta"):
        cross_moment(0, 1, theta)


def test_slopes_of_several_layers_are_refused():
    with pytest.raises(DomainError, match="several layers"):
        mixture_map(1.0, [[0, 1], [0.5, 1]])

"""Two inputs through infinitely wide networks of any wiring, against kernel recursions in 60 digits."""

import mpmath as mp
import numpy as np
import pytest

from gpdeep import DomainError, MemoryBudgetError
from gpdeep.activations import activation
from gpdeep.meanfield.pair_path import pair_path

DEPTH = 12
ANGLES = [1e-9, 0.3, np.pi / 2, 3.0]
WIRINGS = {
    "dense": ([0.0] * DEPTH, [1.0] * DEPTH, [False] * DEPTH),
    "residual": ([0.8] * DEPTH, [0.5] * DEPTH, [False] * DEPTH),
    "layer norm": ([0.0] * DEPTH, [1.0] * DEPTH, [True] * DEPTH),
    "mixed": ([0.0] * 4 + [1.0] * 8, [1.0] * 4 + [0.1] * 8, ([False] * 3 + [True]) * 3),
}


def erf_kernel(k, q):
    return 2 / mp.pi * mp.asin(2 * k / (1 + 2 * q))


def relu_kernel(k, q):
    theta = mp.acos(k / q)
    return q * (mp.sin(theta) + (mp.pi - theta) * mp.cos(theta)) / (2 * mp.pi)


KERNELS = {"erf": erf_kernel, "relu": relu_kernel}


def recursion(theta0, kernel, sigma_w, sigma_b, alpha, beta, layer_norm):
    """Post-activation angles and variances by iterating (q, K), as written down by Poole et al., in 60 digits."""
    with mp.workdps(60):
        w, b = mp.mpf(sigma_w) ** 2, mp.mpf(sigma_b) ** 2
        q, k = w + b, w * mp.cos(mp.mpf(theta0)) + b
        angles, variances = [], []
        for layer, normalised in enumerate(layer_norm):
            if layer:
                a2, b2 = mp.mpf(alpha[layer]) ** 2, mp.mpf(beta[layer]) ** 2
                q, k = a2 * q + b2 * (w * second + b), a2 * k + b2 * (w * cross + b)  # noqa: F821
            seen = mp.mpf(1) if normalised else q
            second, cross = kernel(seen, seen), kernel(k / q * seen, seen)
            angles.append(float(mp.acos(cross / second)))
            variances.append(float(q))
    return np.array(angles), np.array(variances)


def path(name, theta0, sigma_w, sigma_b, wiring):
    alpha, beta, layer_norm = map(np.array, wiring)
    sigmas = np.full(len(alpha), sigma_w), np.full(len(alpha), sigma_b)
    return pair_path(np.array(theta0), activation(name), *sigmas, alpha=alpha, beta=beta, layer_norm=layer_norm)


@pytest.mark.parametrize("sigma_b", [0.0, 0.3])
@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("name", KERNELS)
def test_agrees_with_the_kernel_recursion_in_60_digits(name, wiring, sigma_b):
    angle, log_sin2, q = path(name, ANGLES, 1.4, sigma_b, WIRINGS[wiring])
    for column, theta0 in enumerate(ANGLES):
        expected, variances = recursion(theta0, KERNELS[name], 1.4, sigma_b, *WIRINGS[wiring])
        # 12 layers of 1e-15 from gap and moments; near π/2 and π angles are determined absolutely
        np.testing.assert_allclose(angle[:, column], expected, rtol=5e-14, atol=0)
        np.testing.assert_allclose(log_sin2[:, column], 2 * np.log(np.sin(expected)), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(q, variances, rtol=1e-13, atol=0)


@pytest.mark.parametrize(
    ("wiring", "wrong"),
    [("residual", "dense"), ("layer norm", "dense"), ("mixed", "layer norm"), ("dense", "residual")],
)
def test_another_wiring_is_another_path(wiring, wrong):
    # negative control of the comparison above
    angle = path("erf", [0.3], 1.4, 0.3, WIRINGS[wiring])[0][:, 0]
    expected, _ = recursion(0.3, erf_kernel, 1.4, 0.3, *WIRINGS[wrong])
    assert np.abs(angle / expected - 1).max() > 1e-3


@pytest.mark.parametrize("name", ["erf", "relu", "tanh"])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_tiny_angles_are_multiplied_by_one_factor(name, wiring):
    _, log_sin2, _ = path(name, [1e-280, 1e-150], 1.4, 0.3, WIRINGS[wiring])
    # linear at angles that small; logarithms of 1e3 to a few rounding units
    np.testing.assert_allclose(log_sin2[:, 1] - log_sin2[:, 0], 260 * np.log(10), rtol=1e-13, atol=0)


@pytest.mark.parametrize("name", ["erf", "relu", "tanh", "crelu:0.5,1.0"])
def test_many_angles_through_a_table_are_those_one_by_one(name):
    angles = np.append(np.geomspace(1e-12, 1, 300), np.linspace(1, np.pi, 100))
    many = path(name, angles, 1.4, 0.3, WIRINGS["mixed"])[0]
    for column in (0, 150, 299, 350, 399):
        one = path(name, angles[[column]], 1.4, 0.3, WIRINGS["mixed"])[0]
        # the table's tolerance of 1e-14, twelve layers
        np.testing.assert_allclose(many[:, column], one[:, 0], rtol=5e-13, atol=0)


def test_a_variance_that_drifts_is_followed_through_tables():
    # 300 residual layers take q from 1.4² + 0.1 to 6: long enough in each band of ln q for its table to be used
    wiring = ([1.0] * 300, [0.1] * 300, [False] * 300)
    angle, _, q = path("erf", [1e-9, 1.0], 1.4, 0.3, wiring)
    for column, theta0 in enumerate([1e-9, 1.0]):
        expected, variances = recursion(theta0, erf_kernel, 1.4, 0.3, *wiring)
        assert variances[-1] > 2.5 * variances[0]
        # 300 layers, each 1e-15 from r and the interpolation in ln q
        np.testing.assert_allclose(angle[:, column], expected, rtol=1e-12, atol=0)
        np.testing.assert_allclose(q, variances, rtol=1e-12, atol=0)


def test_a_hundred_thousand_layers_end_at_the_fixed_angle():
    depth = 10**5
    wiring = ([0.0] * depth, [1.0] * depth, [False] * depth)
    angle, _, q = path("erf", [0.3], 2.5, 0.5, wiring)
    with mp.workdps(30):
        w, b = mp.mpf(2.5) ** 2, mp.mpf(0.25)
        q_star = mp.findroot(lambda x: w * erf_kernel(x, x) + b - x, q[-1])
        k_star = mp.findroot(lambda x: w * erf_kernel(x, q_star) + b - x, q_star / 3)  # chaotic: correlations stay
        expected = mp.acos(erf_kernel(k_star, q_star) / erf_kernel(q_star, q_star))
    # an attracting fixed point forgets rounding: a few units each over 1 minus the slope there
    np.testing.assert_allclose(q[-1], float(q_star), rtol=1e-14, atol=0)
    np.testing.assert_allclose(angle[-1, 0], float(expected), rtol=1e-13, atol=0)


def test_odd_activations_without_bias_mirror_angles():
    angle, log_sin2, _ = path("tanh", [np.pi, np.pi - 1e-3, 1e-3], 1.4, 0.0, WIRINGS["residual"])
    np.testing.assert_array_equal(angle[:, 0], np.pi)
    np.testing.assert_array_equal(log_sin2[:, 0], -np.inf)
    # π - 1e-3 is known to one unit of π, 4e-13 of 1e-3
    np.testing.assert_allclose(log_sin2[:, 1], log_sin2[:, 2], rtol=0, atol=2e-12)


def test_an_activation_that_vanishes_tells_nothing_apart():
    wiring = WIRINGS["dense"]
    angle, log_sin2, _ = path("relu_tau:1.0", [1.0], 1e-3, 0.0, wiring)
    assert (angle[-1], log_sin2[-1]) == (0.0, -np.inf)


def test_variances_that_run_away_are_refused():
    deep = ([3.0] * 300, [1.0] * 300, [False] * 300)
    with pytest.raises(DomainError, match="variance"):
        path("tanh", [1.0], 1.0, 0.1, deep)


def test_a_path_too_long_for_memory_is_refused():
    depth = 10**5
    with pytest.raises(MemoryBudgetError):
        path("tanh", np.full(2000, 1.0), 1.0, 0.1, ([0.0] * depth, [1.0] * depth, [False] * depth))

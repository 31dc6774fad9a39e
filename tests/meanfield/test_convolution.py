"""Convolutional networks of infinitely many channels, against explicit matrices, dense maps and real networks.

`explicit_layer` writes a layer as matrices of shifts, `real_covariances` draws weights and convolves images: neither
shares code with gpdeep but the activation's values and covariances.
"""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from gpdeep import DomainError, MemoryBudgetError
from gpdeep.activations import activation
from gpdeep.activations.mixture import Mixture
from gpdeep.meanfield import correlation_map, depth_scales, edge_of_chaos, nngp, variance_map
from gpdeep.meanfield.convolution import ConvolutionMap, convolution_map
from gpdeep.meanfield.pooling import average_pool, flatten, global_average_pool, max_pool
from gpdeep.meanfield.site_covariance import activate_sites, input_covariance, to_sites

SIGMAS = {"sigma_w": 1.3, "sigma_b": 0.4}


def images(inputs, channels, *positions, seed=1):
    return np.random.default_rng(seed).standard_normal((inputs, channels, *positions))


def first_layer(conv, *shape, seed=1):
    """Pre-activations' covariance after a first convolution of random images."""
    return conv.linear(input_covariance(images(*shape, seed=seed)))


def shifts(size, taps, circular):
    """Matrices S_β with (S_β x)[a] = x[a + β]."""
    out = []
    for beta in range(-(taps // 2), taps // 2 + 1):
        matrix = np.zeros((size, size))
        for a in range(size):
            if circular or 0 <= a + beta < size:
                matrix[a, (a + beta) % size] = 1
        out.append(matrix)
    return out


def explicit_layer(phi, covariance, kernel, circular, sigma_w, sigma_b, alpha=0.0, beta=1.0):
    """σ_b² + σ_w² mean_β S_β E φφ S_βᵀ on the matrix of all sites, the skip added."""
    inputs, d = covariance.shape[0], len(kernel)
    positions = covariance.shape[2 : 2 + d]
    count = int(np.prod(positions))
    sites = covariance.reshape(inputs, inputs, count, count).swapaxes(1, 2).reshape(inputs * count, -1)
    q = np.diag(sites)
    activated = phi.covariance(np.clip(sites, -np.sqrt(np.outer(q, q)), np.sqrt(np.outer(q, q))), q[:, None], q)
    taps = list(product(*(shifts(n, k, circular) for n, k in zip(positions, kernel, strict=True))))
    total = np.zeros_like(sites)
    for tap in taps:
        matrix = np.eye(inputs)
        for one in tap:
            matrix = np.kron(matrix, one)
        total += matrix @ activated @ matrix.T
    out = alpha**2 * sites + beta**2 * (sigma_b**2 + sigma_w**2 * total / len(taps))
    return out.reshape(inputs, count, inputs, count).swapaxes(1, 2).reshape(covariance.shape)


# ---------------------------------------------------------------------- a layer as explicit matrices


@pytest.mark.parametrize("padding", ["circular", "zero"])
@pytest.mark.parametrize(
    ("kernel", "positions"), [((3,), (7,)), ((5,), (5,)), ((3, 5), (4, 6)), ((1, 3), (3, 3))], ids=str
)
@pytest.mark.parametrize("wiring", [{}, {"alpha": 0.8, "beta": 0.6}], ids=["plain", "residual"])
def test_layer_is_the_explicit_sum_over_taps(padding, kernel, positions, wiring):
    conv = convolution_map("relu", kernel_size=kernel, padding=padding, **SIGMAS, **wiring)
    sigma = first_layer(conv, 2, 3, *positions)
    got = conv(sigma)
    # sums of fewer than 25 terms of order 10; θ of an entry near the diagonal has eps/θ, its covariance eps
    expected = explicit_layer(activation("relu"), sigma, kernel, padding == "circular", **SIGMAS, **wiring)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13)
    wrong = explicit_layer(activation("relu"), sigma, kernel, padding != "circular", **SIGMAS, **wiring)
    with pytest.raises(AssertionError):  # negative control: the other padding
        np.testing.assert_allclose(got, wrong, rtol=0, atol=1e-13)


def test_kernel_beyond_the_image_adds_nothing_under_zero_padding():
    sigma = first_layer(convolution_map("relu", kernel_size=3, **SIGMAS), 1, 2, 3)
    five, nine = (convolution_map("relu", kernel_size=k, padding="zero", **SIGMAS) for k in (5, 9))
    bias = SIGMAS["sigma_b"] ** 2
    # all three positions lie under both kernels; only the number of taps in 1/k differs
    np.testing.assert_allclose(5 * (five(sigma) - bias), 9 * (nine(sigma) - bias), rtol=1e-13, atol=0)


def test_one_input_and_a_stack_agree():
    conv = convolution_map("relu", kernel_size=(3, 3), **SIGMAS)
    sigma = first_layer(conv, 3, 2, 4, 5)
    stack = conv(sigma)
    for i in range(3):
        np.testing.assert_allclose(conv(sigma[i, i]), stack[i, i], rtol=0, atol=1e-14)
    for i, j in ((0, 2), (1, 2)):  # inputs do not know of each other
        pick = np.ix_([i, j], [i, j])
        np.testing.assert_allclose(conv(sigma[pick]), stack[pick], rtol=0, atol=1e-14)
    np.testing.assert_array_equal(stack, stack.transpose(1, 0, 4, 5, 2, 3))


# ---------------------------------------------------------------------- what dense layers say of it


@pytest.mark.parametrize("name", ["relu", "tanh", "crelu:0.5,1"])
@pytest.mark.parametrize("wiring", [{}, {"alpha": 0.6, "beta": 0.8}], ids=["plain", "residual"])
def test_uniform_images_follow_the_dense_maps(name, wiring):
    q, c = 0.9, np.array([1.0, 0.7, -0.2, 0.1, -0.2, 0.7])
    positions = np.arange(6)
    sigma = q * c[(positions[:, None] - positions) % 6]  # circulant, and each difference has its own correlation
    got = convolution_map(name, kernel_size=3, **SIGMAS, **wiring)(sigma)
    after = float(variance_map(name, **SIGMAS, **wiring)(q))
    dense = 1 - correlation_map(name, q=q, **SIGMAS, **wiring).one_minus_c(1 - c)
    expected = after * dense[(positions[:, None] - positions) % 6]
    # one evaluation of E φφ by two ways, each right to a few eps, and a mean of three
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-14)
    assert np.ptp(np.diag(got)) == 0
    zero = convolution_map(name, kernel_size=3, padding="zero", **SIGMAS, **wiring)(sigma)
    assert np.ptp(np.diag(zero)) > 0.03  # negative control: a border makes lengths differ


def test_delta_orthogonal_is_a_dense_layer_at_each_position():
    conv = convolution_map("tanh", kernel_size=(3, 3), delta_orthogonal=True, **SIGMAS)
    sigma = first_layer(conv, 2, 2, 2, 2)
    got = conv(sigma)
    one_tap = convolution_map("tanh", kernel_size=(1, 1), **SIGMAS)
    np.testing.assert_array_equal(got, one_tap(sigma))
    q, dense = sigma[0, 0, 0, 1, 0, 1], variance_map("tanh", **SIGMAS)
    np.testing.assert_allclose(got[0, 0, 0, 1, 0, 1], dense(q), rtol=1e-14, atol=0)


def test_one_position_is_the_kernel_of_a_dense_network():
    x = images(4, 6, 1)
    conv = convolution_map("tanh", kernel_size=1, **SIGMAS)
    got = conv.propagate(conv.linear(input_covariance(x)), 3)[:, :, 0, 0]
    # three layers, each right to a few eps of variances of order 1, by two routes
    np.testing.assert_allclose(got, nngp(x[:, :, 0], phi="tanh", depth=3, **SIGMAS), rtol=0, atol=3e-14)
    np.testing.assert_array_equal(got, flatten(conv.propagate(conv.linear(input_covariance(x)), 3), 1))


def test_black_pixels_without_bias_stay_a_number():
    x = np.zeros((2, 1, 9))
    x[0, 0, 0] = x[1, 0, 4] = 1.0
    relu = convolution_map("relu", kernel_size=3, padding="zero", sigma_w=2**0.5)
    dark = relu.propagate(relu.linear(input_covariance(x)), 2)
    assert dark[0, 0, 5, 5] == 0
    assert dark[0, 0, 3, 3] > 0
    # sigmoid(0) = 1/2: two layers on, a position that no light reaches has σ_w²/4
    sigmoid = convolution_map("sigmoid", kernel_size=3, sigma_w=2.0)
    grey = sigmoid(sigmoid.linear(input_covariance(x)))
    assert abs(grey[0, 0, 6, 6] - 1.0) < 1e-15
    # beside a lit one, E φ(u)φ(v) = E φ(u)/2 = 1/4 as well, by symmetry
    np.testing.assert_allclose(grey[0, 1, 6, 4], 1.0, rtol=0, atol=1e-14)


# ---------------------------------------------------------------------- symmetries


def test_circular_layers_commute_with_translations_and_zero_padding_does_not():
    x = images(2, 3, 4, 6)
    moved = np.roll(x, (1, 2), axis=(2, 3))
    for padding, same in (("circular", True), ("zero", False)):
        conv = convolution_map("relu", kernel_size=(3, 3), padding=padding, **SIGMAS)
        one, other = (conv.propagate(conv.linear(input_covariance(images_)), 2) for images_ in (x, moved))
        back = np.roll(other, (-1, -2, -1, -2), axis=(2, 3, 4, 5))
        assert bool(np.abs(back - one).max() < 1e-13) is same


def test_order_of_channels_is_lost_and_order_of_positions_is_not():
    conv = convolution_map("relu", kernel_size=3, **SIGMAS)
    x = images(2, 4, 8)
    shuffled = np.random.default_rng(3).permutation(8)
    kernel = conv(conv.linear(input_covariance(x)))
    np.testing.assert_allclose(conv(conv.linear(input_covariance(x[:, ::-1]))), kernel, rtol=0, atol=1e-14)
    np.testing.assert_allclose(conv(conv.linear(input_covariance(x[::-1]))), kernel[::-1, ::-1], rtol=0, atol=1e-14)
    mixed = conv(conv.linear(input_covariance(x[:, :, shuffled])))
    at = np.ix_([0, 1], [0, 1], shuffled, shuffled)
    assert np.abs(mixed - kernel[at]).max() > 0.05  # a convolution sees which positions are neighbours
    dense = convolution_map("relu", kernel_size=3, delta_orthogonal=True, **SIGMAS)
    apart = dense(dense.linear(input_covariance(x[:, :, shuffled])))
    np.testing.assert_allclose(apart, dense(dense.linear(input_covariance(x)))[at], rtol=0, atol=1e-14)


# ---------------------------------------------------------------------- pooling


def test_pooling_is_multiplication_with_the_explicit_matrix():
    x = images(2, 5, 4, 6)
    sigma = input_covariance(x)
    pool = np.kron(np.kron(np.eye(2), [[0.5, 0.5]]), np.kron(np.eye(2), [[1 / 3] * 3]))
    expected = np.einsum("pa,xyab,qb->xypq", pool, sigma.reshape(2, 2, 24, 24), pool)
    got = average_pool(sigma, (2, 3))
    np.testing.assert_allclose(got.reshape(2, 2, 4, 4), expected, rtol=0, atol=1e-14)
    # pooled images have the pooled covariance
    pooled = x.reshape(2, 5, 2, 2, 2, 3).mean(axis=(3, 5))
    np.testing.assert_allclose(got, input_covariance(pooled), rtol=0, atol=1e-14)
    np.testing.assert_allclose(average_pool(sigma[0, 0], (2, 3)), got[0, 0], rtol=0, atol=0)
    np.testing.assert_allclose(average_pool(got, (2, 2))[:, :, 0, 0, 0, 0], global_average_pool(got, 2), atol=1e-14)
    everything = x.mean(axis=(2, 3))
    np.testing.assert_allclose(global_average_pool(sigma, 2), everything @ everything.T / 5, rtol=0, atol=1e-14)
    flat = x.reshape(2, -1)
    np.testing.assert_allclose(flatten(sigma, 2), flat @ flat.T / flat.shape[1], rtol=0, atol=1e-14)
    assert np.abs(average_pool(sigma, (2, 1))[:, :, :, ::3, :, ::3] - got).max() > 0.01  # negative control


def test_max_pooling_is_refused_with_the_reason():
    with pytest.raises(DomainError, match="no closed form") as refused:
        max_pool(np.eye(4), 2)
    assert "average_pool" in refused.value.change


# ---------------------------------------------------------------------- frequencies


def response(size, taps, j):
    """Â by its definition."""
    return np.mean([np.cos(2 * np.pi * j * beta / size) for beta in range(-(taps // 2), taps // 2 + 1)])


def uniform_point(name, size, wiring, **sigmas):
    scales = depth_scales(name, **sigmas, **wiring)
    sigma = np.full((size, size), scales.q_star * scales.c_star)
    np.fill_diagonal(sigma, scales.q_star)
    return scales, sigma


@pytest.mark.parametrize("wiring", [{}, {"alpha": 0.6, "beta": 0.8}], ids=["plain", "residual"])
@pytest.mark.parametrize("taps", [3, 5])
def test_factor_of_a_wave_about_the_chaotic_point(taps, wiring):
    size, distance, sigmas = 8, 3, {"sigma_w": 1.8, "sigma_b": 0.3}
    conv = convolution_map("tanh", kernel_size=taps, **sigmas, **wiring)
    _, sigma = uniform_point("tanh", size, wiring, **sigmas)
    np.testing.assert_allclose(conv(sigma), sigma, rtol=0, atol=1e-13)
    scales = conv.frequency_scales(size)
    a = np.arange(size)
    for j in range(size // 2 + 1):
        after = []
        for sign in (1, -1):
            bent = sigma.copy()
            wave = sign * 1e-4 * np.cos(2 * np.pi * j * a / size)
            bent[a, (a + distance) % size] += wave
            bent[(a + distance) % size, a] += wave
            after.append(conv(bent)[a, (a + distance) % size])
        factor = np.fft.fft(after[0] - after[1])[j] / np.fft.fft(2e-4 * np.cos(2 * np.pi * j * a / size))[j]
        # the third derivative of the map: ε² = 1e-8; rounding 1e-16/ε = 1e-12
        np.testing.assert_allclose(abs(factor), np.exp(-1 / scales[j]), rtol=1e-6, atol=1e-8)
        wrong = np.exp(-1 / scales[0]) * response(size, 8 - taps, j)
        assert j == 0 or abs(abs(factor) - abs(wrong)) > 1e-3  # negative control: another kernel


def test_factor_of_a_wave_of_lengths():
    size, sigmas = 8, {"sigma_w": 1.8, "sigma_b": 0.3}
    conv = convolution_map("tanh", kernel_size=3, **sigmas)
    found, sigma = uniform_point("tanh", size, {}, **sigmas)
    scales = conv.frequency_scales(size, of="lengths")
    for j in range(size // 2 + 1):
        wave = 1e-4 * np.cos(2 * np.pi * j * np.arange(size) / size)
        up, down = (np.diag(conv(sigma + sign * np.diag(wave))) for sign in (1, -1))
        factor = np.fft.fft(up - down)[j] / np.fft.fft(2 * wave)[j]
        np.testing.assert_allclose(abs(factor), np.exp(-1 / scales[j]), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(scales[0], found.xi_q, rtol=1e-12, atol=0)


def test_on_the_edge_the_mean_stays_and_waves_die_out():
    size, layers = 8, 12
    edge = edge_of_chaos("tanh", q=0.8)
    sigmas = {"sigma_w": edge.sigma_w, "sigma_b": edge.sigma_b}
    conv = convolution_map("tanh", kernel_size=3, **sigmas)
    scales = conv.frequency_scales(size, 0.8)
    assert np.isinf(scales[0])
    assert np.isfinite(scales[1:]).all()
    a, eta = np.arange(size), 1e-7
    along = (a, (a + 2) % size)
    delta = eta * (1 - np.eye(size))
    delta[along] = delta[along[::-1]] = eta * (1 + 0.5 * np.cos(2 * np.pi * a / size))
    sigma = 0.8 * (1 - delta)
    start = np.fft.fft(0.8 - sigma[along])[:2]
    end = np.fft.fft(0.8 - conv.propagate(sigma, layers)[along])[:2]
    # the map's second order is C''(1) δ of about 1e-7 a layer; rounding of σ, 1e-16 of the last amplitude, 2e-9
    np.testing.assert_allclose(np.abs(end / start), [1.0, np.exp(-layers / scales[1])], rtol=1e-5, atol=0)
    assert np.exp(-layers / scales[1]) < 0.1
    pointwise = convolution_map("tanh", kernel_size=3, delta_orthogonal=True, **sigmas)
    kept = np.fft.fft(0.8 - pointwise.propagate(sigma, layers)[along])[:2]
    np.testing.assert_allclose(np.abs(kept / start), 1.0, rtol=1e-5, atol=0)
    assert np.isinf(pointwise.frequency_scales(size, 0.8)).all()
    near = convolution_map("tanh", kernel_size=3, sigma_w=edge.sigma_w * (1 - 1e-11), sigma_b=edge.sigma_b)
    assert np.isinf(near.frequency_scales(size, 0.8)[0])  # as `depth_scales` has it


def test_diagonal_is_that_of_the_variance_map_after_many_layers():
    conv, dense = convolution_map("tanh", kernel_size=3, **SIGMAS), variance_map("tanh", **SIGMAS)
    q = 50.0
    sigma = np.full((5, 5), q)  # all positions alike
    for _ in range(30):
        sigma, q = conv(sigma), dense(q)
        # the mean of three equal numbers rounds once more
        np.testing.assert_allclose(np.diag(sigma), q, rtol=1e-15, atol=0)


def test_diagonal_does_not_come_from_the_covariance_of_pairs():
    class Rough:
        moments = activation("relu").moments

        def covariance(self, k, q1, q2):
            return activation("relu").covariance(k, q1, q2) + 1e-6

    sites = to_sites(input_covariance(images(1, 2, 4)), 1)
    q = np.diag(sites).copy()
    activate_sites(Rough(), sites)
    np.testing.assert_allclose(np.diag(sites), q / 2, rtol=1e-15, atol=0)


def test_scales_of_an_image_multiply_the_responses_of_its_sides():
    conv = convolution_map("tanh", kernel_size=(3, 5), sigma_w=1.0, sigma_b=0.3)
    chi = float(np.exp(-1 / depth_scales("tanh", sigma_w=1.0, sigma_b=0.3).xi_c))
    factor = chi * np.abs(np.outer([response(6, 3, j) for j in range(6)], [response(7, 5, j) for j in range(7)]))
    expected = -1 / np.log(np.maximum(factor, 1e-300))
    got = conv.frequency_scales((6, 7))
    exact_zero = np.isclose(np.abs(factor), 0, atol=1e-12)
    assert (got[exact_zero] == 0).all()
    np.testing.assert_allclose(got[~exact_zero], expected[~exact_zero], rtol=1e-12, atol=0)


# ---------------------------------------------------------------------- real networks

CHANNELS, NETWORKS, SITES, LAYERS = 256, 200, 8, 3
# coarse in c: entries of layers 2 and 3 are off by O(1/256), a third of their standard error


def real_covariances(x, phi, padding, sigma_w, sigma_b, seed):
    """Mean over channels of h(a)h(a') of all inputs' sites in every layer: (networks, layers, sites, sites)."""
    rng = np.random.default_rng(seed)
    mode = "wrap" if padding == "circular" else "constant"
    out = np.empty((NETWORKS, LAYERS, len(x) * SITES, len(x) * SITES))
    for network in range(NETWORKS):
        h = np.asarray(x, dtype=np.float32)
        for layer in range(LAYERS):
            h = phi(h) if layer else h
            fan_in = 3 * h.shape[1]
            padded = np.pad(h, ((0, 0), (0, 0), (1, 1)), mode=mode)
            patches = np.concatenate([padded[:, :, tap : tap + SITES] for tap in range(3)], axis=1)
            weights = rng.standard_normal((CHANNELS, fan_in), dtype=np.float32) * np.float32(sigma_w / fan_in**0.5)
            bias = rng.standard_normal((CHANNELS, 1), dtype=np.float32) * np.float32(sigma_b)
            h = weights @ patches + bias
            flat = h.transpose(1, 0, 2).reshape(CHANNELS, -1)
            out[network, layer] = flat.T @ flat / CHANNELS
    return out


def z_scores(samples, expected):
    return (samples.mean(axis=0) - expected) / (samples.std(axis=0, ddof=1) / NETWORKS**0.5)


def predicted(conv, x):
    layers = [conv.linear(input_covariance(x))]
    while len(layers) < LAYERS:
        layers.append(conv(layers[-1]))
    size = len(x) * SITES
    return np.stack([layer.swapaxes(1, 2).reshape(size, size) for layer in layers])


@pytest.mark.statistical
@pytest.mark.parametrize("padding", ["circular", "zero"])
@pytest.mark.parametrize("name", ["relu", "crelu:0.5,1"])
def test_real_networks_have_these_covariances(name, padding):
    sigma_w, sigma_b = 1.5, 0.3
    x = images(2, 3, SITES, seed=5)
    samples = real_covariances(x, activation(name), padding, sigma_w, sigma_b, seed=17)
    options = {"kernel_size": 3, "sigma_w": sigma_w, "sigma_b": sigma_b}
    conv = convolution_map(name, padding=padding, **options)
    # false alarms: 1e-3 over all four cases, LAYERS * 136 entries each, Student's t of NETWORKS - 1
    comparisons = 4 * LAYERS * (2 * SITES) * (2 * SITES + 1) // 2
    limit = float(stats.t.isf(1e-3 / comparisons / 2, NETWORKS - 1))
    z = z_scores(samples, predicted(conv, x))
    assert np.abs(z).max() < limit
    other = "zero" if padding == "circular" else "circular"
    wrong = {
        "padding": convolution_map(name, padding=other, **options),
        "no average": convolution_map(name, padding=padding, delta_orthogonal=True, **options),
        "sigma_w²/k": convolution_map(name, padding=padding, kernel_size=3, sigma_w=sigma_w / 3**0.5, sigma_b=sigma_b),
        "3 % of σ_w": convolution_map(name, padding=padding, kernel_size=3, sigma_w=1.03 * sigma_w, sigma_b=sigma_b),
        "no bias": convolution_map(name, padding=padding, kernel_size=3, sigma_w=sigma_w),
        "other kernel": convolution_map(name, padding=padding, kernel_size=5, sigma_w=sigma_w, sigma_b=sigma_b),
    }
    for what, map_ in wrong.items():  # negative controls
        assert np.abs(z_scores(samples, predicted(map_, x))).max() > limit, what


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "bad",
    [
        {"kernel_size": 2},
        {"kernel_size": (3, 4)},
        {"kernel_size": (3, 3, 3)},
        {"kernel_size": 0},
        {"kernel_size": 3.0},
        {"kernel_size": True},
        {"padding": "same"},
        {"sigma_w": 0.0},
        {"sigma_b": -1.0},
        {"memory_budget": 0},
    ],
    ids=str,
)
def test_impossible_layers_are_refused(bad):
    with pytest.raises(DomainError):
        convolution_map("relu", **({"kernel_size": 3, "sigma_w": 1.0} | bad))


def test_layer_normalisation_is_refused():
    with pytest.raises(DomainError, match="layer normalisation"):
        ConvolutionMap(variance_map("relu", sigma_w=1.0, layer_norm=True), (3,))


@pytest.mark.parametrize(
    "bad",
    [
        np.eye(2),  # smaller than the circular kernel
        np.ones((4, 5)),
        np.ones((4, 4, 4)),
        np.ones((2, 3, 4, 4)),
        np.full((4, 4), np.nan),
        np.diag([1.0, 1.0, 1.0, np.inf]),
        np.array([["a"]]),
        -np.eye(4),
        np.eye(4) + 0.5 * np.eye(4, k=1),  # not symmetric
        2 - np.eye(4),  # correlations of 2
        np.zeros((0, 0)),
        1e-200 * np.eye(4),
    ],
    ids=lambda bad: f"{bad.dtype}{bad.shape}",
)
def test_what_is_no_covariance_is_refused(bad):
    with pytest.raises(DomainError):
        convolution_map("relu", kernel_size=3, sigma_w=1.0).propagate(bad, 0)


def test_other_arguments_are_refused():
    conv = convolution_map("relu", kernel_size=3, sigma_w=2**0.5)
    for depth in (-1, 1.5, True):
        with pytest.raises(DomainError):
            conv.propagate(np.eye(4), depth)
    for pooling in (lambda: average_pool(np.eye(4), 3), lambda: average_pool(np.eye(4), (2, 2)), lambda: flatten(4, 1)):
        with pytest.raises(DomainError):
            pooling()
    with pytest.raises(DomainError):
        global_average_pool(np.full((2, 2), np.nan), 1)
    with pytest.raises(DomainError):
        flatten(np.eye(4), 3)
    for shape in ((4, 4), 2, 0):
        with pytest.raises(DomainError):
            conv.frequency_scales(shape)
    with pytest.raises(DomainError, match="no border"):
        convolution_map("relu", kernel_size=3, sigma_w=1.0, padding="zero").frequency_scales(8)
    with pytest.raises(DomainError, match="no uniform fixed point"):
        convolution_map("relu", kernel_size=3, sigma_w=2.0).frequency_scales(8)
    with pytest.raises(DomainError):
        conv.frequency_scales(8, of="phases")
    for x in (np.ones((2, 3)), np.ones((1, 0, 4)), np.full((1, 1, 4), np.nan), [[[1.0], [1.0, 2.0]]], "text"):
        with pytest.raises(DomainError):
            input_covariance(x)
    for budget in (np.nan, 0, "2"):
        with pytest.raises(DomainError):
            input_covariance(np.ones((1, 1, 4)), memory_budget=budget)


def test_variance_that_leaves_float64_is_refused_on_the_way():
    with pytest.raises(DomainError, match="1e±140"):
        convolution_map("relu", kernel_size=3, sigma_w=1e6).propagate(np.eye(4), 50)


def test_memory_is_asked_for_first():
    with pytest.raises(MemoryBudgetError, match=r"\d+ bytes") as refused:
        input_covariance(np.zeros((10, 1, 64, 64)))
    sites = int(refused.value.change.split("at most ")[1].split(",")[0])
    assert 8 * 4 * sites**2 <= 2**31 < 8 * 4 * 40960**2
    huge = np.broadcast_to(np.eye(1), (40000, 40000))  # takes no memory itself
    with pytest.raises(MemoryBudgetError):
        convolution_map("relu", kernel_size=3, sigma_w=1.0)(huge)
    with pytest.raises(MemoryBudgetError):
        convolution_map("relu", kernel_size=3, sigma_w=1.0, memory_budget=1000)(np.eye(16))


def test_integers_and_single_precision_are_computed_in_double():
    conv = convolution_map("relu", kernel_size=3, **SIGMAS)
    for dtype in (np.int64, np.float32):
        sigma = (2 * np.eye(4)).astype(dtype)
        for result in (conv(sigma), conv.linear(sigma), conv.activated(sigma), average_pool(sigma, 2)):
            assert result.dtype == np.float64
        np.testing.assert_array_equal(conv(sigma), conv(2 * np.eye(4)))
    double = input_covariance(images(1, 1, 4))[0, 0]  # one channel: correlations of ±1, beyond it once rounded
    # an error of 2^-24 in a correlation of 1 moves an angle by its root, and E φφ of ReLU by its 3/2 power more
    np.testing.assert_allclose(conv(double.astype(np.float32)), conv(double), rtol=1e-6, atol=1e-6)


def test_black_pixels_of_a_mixture_are_one_number_for_each_part():
    parts, shares = (activation("cos"), activation("sigmoid"), activation("tanh")), (0.5, 0.25, 0.25)
    sites = np.array([[0.0, 0.0], [0.0, 0.8]])
    activate_sites(Mixture((Mixture(parts[:2], (2.0, 1.0)), parts[2]), (0.75, 0.25)), sites)
    mean = [part.moments(0.8).mean for part in parts]
    at_zero = [1.0, 0.5, 0.0]
    expected = [sum(w * a * b for w, a, b in zip(shares, at_zero, other, strict=True)) for other in (at_zero, mean)]
    # sums of three products
    np.testing.assert_allclose(sites[0], expected, rtol=1e-14)
    np.testing.assert_allclose(sites[1, 0], expected[1], rtol=1e-14)
    assert abs(sum(w * a for w, a in zip(shares, at_zero, strict=True)) ** 2 - expected[0]) > 0.05  # not (E φ(0))²


def test_sites_of_many_variances_are_read_off_a_table():
    x = np.random.default_rng(3).standard_normal((40, 6))
    sites = x @ x.T / 6
    first = sites[:6, :6].copy()
    activate_sites(activation("elu"), sites)
    activate_sites(activation("elu"), first)  # 21 pairs: one by one
    # both right to 1e-13 of the largest variance
    np.testing.assert_allclose(sites[:6, :6], first, rtol=0, atol=1e-12 * sites.max())


@pytest.mark.parametrize("bad", [None, "1", [1.0], np.nan, True])
def test_what_is_no_number_of_bytes_or_layers_is_refused(bad):
    with pytest.raises(DomainError):
        convolution_map("relu", kernel_size=3, memory_budget=bad, **SIGMAS)
    with pytest.raises(DomainError):
        input_covariance(images(1, 2, 3), memory_budget=bad)
    with pytest.raises(DomainError):
        convolution_map("relu", kernel_size=3, **SIGMAS).propagate(np.eye(3), bad)

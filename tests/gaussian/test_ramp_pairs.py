"""The angle integrals of two ramps, against mpmath in the angle itself, closed forms and each other."""

import mpmath as mp
import numpy as np
import pytest

from gpdeep import DomainError
from gpdeep.gaussian import (
    angle_density,
    ramp_excess,
    ramp_moment,
    ramp_overlap,
    ramp_product,
    ramp_slope_overlap,
)

PAIRS = [(0.0, 0.0), (1.0, 1.0), (1.04, 1.85), (1.44, -1.44), (0.3, 0.31), (0.0, 2.0), (-1.44, 2.97), (0.01, 0.02)]
ANGLES = [1e-9, 0.05, 0.6, 1.5, 3.1]
RTOL = 2e-14  # 48 nodes: rounding of exponents up to 40, and a truncation of 2e-15 of the largest value


def density(h, k, t):
    d, s = (h - k) ** 2 / 8, (h + k) ** 2 / 8
    return mp.exp(-(d / mp.sin(t / 2) ** 2 if d else 0) - (s / mp.cos(t / 2) ** 2 if s else 0)) / (2 * mp.pi)


def exact(h, k, theta, weighted):
    """Gauss-Legendre in t, on panels that shrink towards both ends."""
    with mp.workdps(20):
        h, k, theta = map(mp.mpf, (h, k, theta))
        layer = [theta * mp.mpf(2) ** -n for n in (0, 1, 3, 6)]
        ends = sorted({mp.mpf(0), *layer, *(theta - x for x in layer)})

        def integrand(t):
            weight = 2 * mp.sin((theta + t) / 2) * mp.sin((theta - t) / 2) if weighted else 1
            return weight * density(h, k, t) if t > 0 else mp.mpf(0)

        scale = density(h, k, theta) * (theta**3 if weighted else theta)  # quad's tolerance is absolute
        return mp.quad(lambda t: integrand(t) / scale, ends, method="gauss-legendre") * scale


@pytest.mark.parametrize(("h", "k"), PAIRS)
def test_both_integrals_at_all_angles(h, k):
    for theta in ANGLES:
        for function, weighted in ((ramp_overlap, True), (ramp_slope_overlap, False)):
            value, reference = float(function(h, k, theta)), float(exact(h, k, theta, weighted))
            # exponents beyond 40 are rounded in units of the last place
            exponent = (h - k) ** 2 / (2 * theta**2)
            if exponent < 600:
                np.testing.assert_allclose(value, reference, rtol=RTOL + 4e-16 * exponent, atol=0)
            else:
                assert value <= 1e-250


def test_closed_form_for_kinks_at_zero():
    theta = np.array([1e-5, 0.5, 0.999, 1.0, 2.0, 3.0])
    with mp.workdps(40):
        exact_values = [float((mp.sin(t) - t * mp.cos(t)) / (2 * mp.pi)) for t in map(mp.mpf, theta.tolist())]
    np.testing.assert_allclose(ramp_overlap(0.0, 0.0, theta), exact_values, rtol=2e-15, atol=0)
    np.testing.assert_allclose(ramp_slope_overlap(0.0, 0.0, theta), theta / (2 * np.pi), rtol=2e-16, atol=0)


def test_tiny_angles_keep_their_digits_until_underflow():
    # I = e^{-h²/2} θ³/6π (1 + O(θ²))
    for theta in (1e-20, 1e-90):
        expected = np.exp(-0.5) * theta**3 / (6 * np.pi)
        np.testing.assert_allclose(ramp_overlap(1.0, 1.0, theta), expected, rtol=RTOL, atol=0)
        np.testing.assert_allclose(ramp_overlap(0.0, 0.0, theta), theta**3 / (6 * np.pi), rtol=RTOL, atol=0)
    assert ramp_overlap(1.0, 1.0, 1e-150) == 0 == ramp_overlap(1.0, 1.0, 0.0)
    slope = ramp_slope_overlap(1.0, 1.0, 1e-150)
    np.testing.assert_allclose(slope, np.exp(-0.5) * 1e-150 / (2 * np.pi), rtol=RTOL, atol=0)


def test_all_is_used_up_at_the_angle_pi():
    # Y = -X: E (X-h)_+(-X-k)_+ = 0 for h + k ≥ 0, so I(h, k, π) = 2 Q(max) - E (z-h)_+(z-k)_+
    h, k = np.array([1.0, 2.0, 0.3, 5.0, 0.0, 1.5]), np.array([1.0, 1.0, -0.3, 4.0, 0.0, -1.5])
    top = np.maximum(h, k)
    np.testing.assert_allclose(
        ramp_overlap(h, k, np.pi), 2 * ramp_moment(0, top) - ramp_product(h, k), rtol=RTOL, atol=0
    )
    np.testing.assert_allclose(ramp_slope_overlap(h, k, np.pi), ramp_moment(0, top), rtol=RTOL, atol=0)


def test_a_wrong_exponent_is_seen():
    # (h+k)² over 4 instead of 8
    with mp.workdps(20):
        wrong = mp.quad(lambda t: mp.exp(-1 / mp.cos(t / 2) ** 2) / (2 * mp.pi), [0, 1])
    assert abs(float(wrong) / ramp_slope_overlap(1.0, 1.0, 1.0) - 1) > 0.1


def test_overlaps_are_derivatives_of_each_other():
    # dI/dθ = sin θ S, dS/dθ = e; central differences of step 1e-4 are good to 1e-8/6 × third derivatives,
    # which at 0.4 are (1.2²/0.4³)² = 500 times the value
    theta, step = np.array([0.4, 1.2, 2.6]), 1e-4
    for h, k in ((1.0, 1.0), (0.5, 1.7), (1.0, -1.0)):
        slope = (ramp_overlap(h, k, theta + step) - ramp_overlap(h, k, theta - step)) / (2 * step)
        np.testing.assert_allclose(slope, np.sin(theta) * ramp_slope_overlap(h, k, theta), rtol=1e-5, atol=1e-12)
        slope = (ramp_slope_overlap(h, k, theta + step) - ramp_slope_overlap(h, k, theta - step)) / (2 * step)
        np.testing.assert_allclose(slope, angle_density(h, k, theta), rtol=1e-5, atol=1e-12)


def test_excess_from_independence_is_the_same_covariance():
    rng = np.random.default_rng(3)
    h = 1.5 * rng.standard_normal(3000)
    k = np.where(rng.random(3000) < 0.4, h + rng.standard_normal(3000) * 10.0 ** rng.uniform(-9, 0, 3000), -h[::-1])
    k[:300], k[300:500] = h[:300], -h[300:500]
    theta = rng.uniform(0, np.pi, 3000)
    theta[::7] = 10.0 ** rng.uniform(-7, -1, theta[::7].size)
    rho, top = np.cos(theta), np.maximum(h, k)
    whole = ramp_product(h, k) - 2 * np.sin(theta / 2) ** 2 * ramp_moment(0, top) + ramp_overlap(h, k, theta)
    separate = ramp_moment(1, h) * ramp_moment(1, k) + rho * ramp_moment(0, h) * ramp_moment(0, k)
    # E (X-h)_+(Y-k)_+ grows like hk, and each of its terms is rounded
    size = (1 + np.abs(h)) * (1 + np.abs(k))
    assert (np.abs(separate + ramp_excess(h, k, rho) - whole) < 2e-15 * size).all()
    wide = np.sin(theta) > 0.05  # the slope is infinitely steep in ρ at ±1
    orthant = ramp_moment(0, h) * ramp_moment(0, k) + ramp_excess(h, k, rho, slope=True)
    assert np.abs(orthant - ramp_moment(0, top) + ramp_slope_overlap(h, k, theta))[wide].max() < 5e-15


def test_density_at_the_ends():
    np.testing.assert_allclose(angle_density(1.0, 1.0, 0.0), np.exp(-0.5) / (2 * np.pi), rtol=1e-15, atol=0)
    assert angle_density(1.0, 2.0, 0.0) == 0 == angle_density(1.0, 1.0, np.pi)
    np.testing.assert_allclose(angle_density(1.0, -1.0, np.pi), np.exp(-0.5) / (2 * np.pi), rtol=1e-15, atol=0)


def test_far_kinks_underflow_quietly():
    assert ramp_overlap(1e200, 1.0, 1.0) == 0
    assert ramp_overlap(60.0, 60.0, 1.0) == 0
    for k in (1.0, -1.0, 2.0, 1.0 + 1e-12):
        np.testing.assert_array_equal(ramp_overlap(1.0, k, np.array([0.0, 1e-300, 1e-200, 1e-158])), 0)


def test_tensors_give_tensors():
    torch = pytest.importorskip("torch", reason="the torch extra is not installed")
    h = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)
    theta = torch.tensor([[0.5], [np.pi]], dtype=torch.float64)
    for function in (ramp_overlap, ramp_slope_overlap, angle_density):
        value = function(h, 1.0, theta)
        assert isinstance(value, torch.Tensor)
        assert value.shape == (2, 3)
        np.testing.assert_allclose(value.numpy(), function(h.numpy(), 1.0, theta.numpy()), rtol=1e-13, atol=1e-300)
    value = ramp_excess(h, 1.0, torch.cos(theta))
    np.testing.assert_allclose(
        value.numpy(), ramp_excess(h.numpy(), 1.0, np.cos(theta.numpy())), rtol=1e-13, atol=1e-16
    )
    with pytest.raises(DomainError):
        ramp_overlap(h, 1.0, 4 + theta)


@pytest.mark.parametrize(("h", "theta"), [(np.nan, 1.0), (1.0, -0.1), (1.0, 4.0), (1.0, np.nan), ("x", 1.0)])
def test_bad_arguments_are_refused(h, theta):
    with pytest.raises(DomainError):
        ramp_overlap(h, 0.0, theta)

"""Gaussian closure and diffusion limit: stored values, the universal curve, closed moments, and where they warn."""

import json
from pathlib import Path

import numpy as np
import pytest

from gpdeep import ValidityWarning
from gpdeep.finite import angle_law

CURVE = json.loads((Path(__file__).parents[1] / "reference" / "universal_curve.json").read_text())["values"]
# mean and standard deviation by the closure of another implementation (series to n^-3 at all widths), 3 decimals
CLOSURE = {
    ("32x32", np.pi / 2): (-4.756, 1.915),
    ("100x100", np.pi / 2): (-6.484, 1.844),
    ("256x32", 0.1): (-5.449, 0.876),
}
N, DEPTH = 8000, 4000


def widths_of(text):
    n, depth = map(int, text.split("x"))
    return [n] * depth


@pytest.mark.parametrize(("text", "theta0"), CLOSURE)
def test_closure_agrees_with_another_implementation(text, theta0):
    law = angle_law(widths_of(text), theta0, method="closure")
    # three decimals printed; both use expansions to n^-3, anchored differently: 1e-4 a layer at n = 32
    np.testing.assert_allclose([law.mean[-1], law.std[-1]], CLOSURE[text, theta0], rtol=0, atol=4e-3)


@pytest.mark.parametrize("n", [64, 128, 512])
def test_closure_is_as_near_the_grid_as_it_says(n):
    closure, law = (angle_law([n] * n, method=m) for m in ("closure", "grid"))
    assert abs(closure.mean[-1] - law.mean[-1]) < 0.02
    assert -0.07 < closure.std[-1] / law.std[-1] - 1 < 0


def test_closure_is_exact_for_one_layer():
    closure, law = (angle_law([64], 0.5, method=m) for m in ("closure", "grid"))
    # the grid's law is matched to the same cumulants, to 1e-7 of interpolation and six-point shares
    np.testing.assert_allclose([closure.mean, closure.std], [law.mean, law.std], rtol=1e-5)


@pytest.fixture(scope="module", params=["grid", "diffusion"])
def wide(request):
    return angle_law([N] * DEPTH, method=request.param)


@pytest.mark.parametrize("t", [0.05, 0.1, 0.2, 0.5])
def test_wide_networks_follow_the_universal_curve(wide, t):
    layer = round(t * N)
    log_u = wide.mean[layer - 1] / 2 + np.log(N / (3 * np.pi))
    i = CURVE["t"].index(t)
    # from θ₀ = O(1), 1/θ_l = l/(3π) + O(ln l): relative 3 ln l/l; four digits in the curve
    atol = 3 * np.log(layer) / layer + 1e-4
    assert log_u == pytest.approx(CURVE["E_ln_u"][i], abs=atol)
    assert wide.std[layer - 1] / 2 == pytest.approx(CURVE["sd_ln_u"][i], rel=atol)
    if t >= 0.2:  # negative control: the infinite-width limit, ln u = -ln t, lacks 2t/3, more than the tolerance there
        assert abs(-np.log(t) - CURVE["E_ln_u"][i]) > atol


def test_small_times_have_the_expansions_of_mean_and_variance(wide):
    for t, tolerance in ((0.05, 0.06), (0.1, 0.05)):
        layer = round(t * N)
        log_u = wide.mean[layer - 1] / 2 + np.log(N / (3 * np.pi))
        assert log_u == pytest.approx(-np.log(t) - 2 * t / 3, abs=3 * np.log(layer) / layer + t**2)
        assert (wide.std[layer - 1] / 2) ** 2 == pytest.approx(2 * t / 3, rel=2 * tolerance)


def mean_inverse_u(law, n):
    return 3 * np.pi / n * float(law.mass[:-1] @ np.exp(-law.log_tan2[:-1] / 2))


@pytest.mark.parametrize("depth", [100, 400])
@pytest.mark.parametrize("theta0", [1e-3, 1e-5])
def test_mean_inverse_angle_of_the_diffusion_has_its_closed_form(depth, theta0):
    n = 1000
    law = angle_law([n] * depth, theta0, method="diffusion")
    t, u0 = depth / n, n * theta0 / (3 * np.pi)
    # layers of size 1/n: the sum of e^{2k/n}/n, k = 1..L, instead of its integral
    ratio = (2 / n) / -np.expm1(-2 / n)
    want = np.exp(2 * t) / u0 + ratio * np.expm1(2 * t) / 2
    # the six-point shares of e^{-y/2} over cells of σ/1.4: 1e-9 a layer; tan θ for θ: θ²/3
    assert mean_inverse_u(law, n) == pytest.approx(want, rel=1e-5)
    # negative control: without the noise, 1/u₀ + t
    assert abs(1 / u0 + t - want) > 0.1 * want


def test_mean_inverse_angle_of_the_exact_law_tends_to_the_closed_form(wide):
    t = DEPTH / N
    # start at u = ∞; corrections O(ln L/L) as above, a little more for the mean of 1/u than of ln u
    assert mean_inverse_u(wide, N) == pytest.approx(np.expm1(2 * t) / 2, rel=4 * np.log(DEPTH) / DEPTH)


@pytest.mark.parametrize(("method", "width"), [("closure", 31), ("diffusion", 63)])
def test_below_their_widths_they_warn_and_say_so(method, width):
    with pytest.warns(ValidityWarning, match=str(width)):
        law = angle_law([100, width], method=method)
    assert law.status.code == "outside_validity"
    assert angle_law([100, width + 1], method=method).status.code == "ok"

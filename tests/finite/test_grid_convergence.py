"""The grid has converged in its spacing, conserves probability, and keeps to what is exact."""

import numpy as np
import pytest

from gpdeep.finite import angle_law, grid, small_angle_cumulants
from gpdeep.finite.events import event_probabilities

CASES = {
    "narrow": ([10] * 12, np.pi / 2),
    "wide": ([300] * 30, np.pi / 2),
    "pyramid": ([256, 64, 16], 1.0),
    "obtuse": ([40] * 6, 2.8),
    "small": ([64] * 20, 1e-3),
}


def refined(monkeypatch, factor):
    monkeypatch.setattr(grid, "CELLS_PER_SIGMA", 1.4 * factor)
    monkeypatch.setattr(grid, "_COARSEST", 0.4 / factor)


@pytest.mark.parametrize("name", CASES)
def test_halving_the_spacing_changes_nothing_that_is_reported(name, monkeypatch):
    widths, theta0 = CASES[name]
    law = angle_law(widths, theta0, method="grid")
    refined(monkeypatch, 2)
    fine = angle_law(widths, theta0, method="grid")
    assert fine.mass.size > 1.9 * law.mass.size
    # six-point shares keep moments to the fifth: the error is the sixth difference of x(y) over 1.4 cells a σ;
    # below n = 24 the rule for the tabulated law is refined with the grid: 2e-4 of the law
    np.testing.assert_allclose(law.mean, fine.mean, rtol=1e-4, atol=5e-5)
    np.testing.assert_allclose(law.std, fine.std, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(law.survival, fine.survival, rtol=1e-5)


@pytest.mark.parametrize("name", ["narrow", "wide", "pyramid", "obtuse"])  # at small angles the law is normal: any grid
def test_a_grid_far_too_coarse_is_seen_to_be(name, monkeypatch):
    # negative control of the test above
    widths, theta0 = CASES[name]
    law = angle_law(widths, theta0, method="grid")
    refined(monkeypatch, 1 / 16)
    coarse = angle_law(widths, theta0, method="grid")
    change = max(np.abs(law.mean - coarse.mean).max(), np.abs(law.std - coarse.std).max())
    assert change > 2e-4 + 1e-4 * abs(law.mean[-1])


@pytest.mark.parametrize("name", CASES)
def test_probability_is_conserved(name):
    law = angle_law(*CASES[name], method="grid")
    total = law.survival + law.dead + law.collapsed
    # sums of as many products as there are nodes, once a layer
    np.testing.assert_allclose(total, 1.0, rtol=0, atol=1e-12)
    assert law.mass.sum() == pytest.approx(1.0, abs=1e-12)
    assert (np.diff(law.survival) <= 1e-15).all()
    assert (law.above <= law.survival).all()


def test_the_first_layer_s_events_are_exact():
    for n, theta in ((8, 0.3), (12, np.pi / 2), (9, 2.9)):
        law, event = angle_law([n], theta, method="grid"), event_probabilities(theta, n)
        for name in ("dead", "collapsed", "orthogonal"):
            np.testing.assert_allclose(getattr(law, name)[0], getattr(event, name), rtol=1e-12)


@pytest.mark.parametrize("n", [24, 64, 400])
def test_small_angles_take_the_exact_moments_through_depth(n):
    law = angle_law([n] * 50, 1e-150)
    mean, var, _ = small_angle_cumulants(n)
    layers = np.arange(1, 51)
    # the matched law has three exact cumulants, to 1e-9 of its spread; interpolated in θ to about 1e-7
    np.testing.assert_allclose(law.mean - 2 * np.log(1e-150), layers * mean, rtol=1e-5)
    np.testing.assert_allclose(law.std, np.sqrt(layers * var), rtol=1e-5)


def test_the_law_only_shifts_with_a_tiny_angle():
    one, two = (angle_law([20] * 10 + [50] * 10, theta) for theta in (1e-20, 1e-100))
    shift = 2 * np.log(1e-100) - 2 * np.log(1e-20)
    # the grids are laid differently against the law: the convergence error
    np.testing.assert_allclose(two.mean - shift, one.mean, rtol=0, atol=5e-5)
    np.testing.assert_allclose(two.std, one.std, rtol=1e-5)


@pytest.mark.parametrize("probability", [0.01, 0.25, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("widths", [[10] * 12, [100] * 40])
def test_quantile_inverts_the_distribution_function(widths, probability):
    law = angle_law(widths)
    x = law.quantile(probability)
    # linear inversion on 1/32 of a cell; at 0.999 the narrow network's pairs are exactly orthogonal, an atom at 0
    if x < 0:
        assert law.cdf(x) == pytest.approx(probability, abs=1e-4)
    else:
        assert law.cdf(-1e-9) <= probability <= law.cdf(x)
    assert law.cdf(-1e4) == 0.0
    assert law.cdf(0.0) == pytest.approx(1.0, abs=1e-12)


def test_density_integrates_to_one_and_has_the_law_s_moments():
    law = angle_law([64] * 30)
    x, f = law.density(400)
    step = x[1] - x[0]
    assert f.sum() * step == pytest.approx(0.999, abs=1e-4)  # between the 0.05 % and 99.95 % quantiles
    # what lies beyond is 1e-3 at about 3.5 σ: 12·1e-3/2 of the variance
    assert (f * x).sum() * step / 0.999 == pytest.approx(law.mean[-1], abs=0.01 * law.std[-1])


def test_median_of_each_layer_is_the_quantile_of_the_shorter_network():
    law = angle_law([30] * 10)
    for depth in (1, 3, 10):
        shorter = angle_law([30] * depth)
        assert law.median[depth - 1] == pytest.approx(shorter.quantile(0.5), abs=2e-4)

"""The clip level for a slope: mpmath, uniqueness, limits, and what is refused."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from stored import REFERENCE

from gpdeep import DomainError, InfeasibleError
from gpdeep.activations.piecewise_linear import crelu, cst
from gpdeep.meanfield import variance_map
from gpdeep.sparse import clip_curvature, clip_level, clip_slope, design

TABLE = REFERENCE["clip_table"]


def mp_slope(h, mu):
    """1 - μ f(T)/(Φ(T) - Φ(h)) at 60 digits, where its cancellation does not matter."""
    with mpmath.workdps(60):
        h, top = mpmath.mpf(h), mpmath.mpf(h) + mpmath.mpf(mu)
        return float(1 - mpmath.mpf(mu) * mpmath.npdf(top) / (mpmath.ncdf(-h) - mpmath.ncdf(-top)))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row['kind']}-{row['s']}-{row['eta']}")
def test_design_agrees_with_mpmath(row):
    one = design(row["kind"], float(row["s"]), slope=float(row["eta"]))
    layer = one.layer
    found = {
        "tau": one.tau,
        "m": one.m,
        "sw2": one.sigma_w**2,
        "sb2": one.sigma_b**2,
        "V1": one.slope,
        "V2": one.curvature,
        "dchi1_dq": one.d_chi_1,
        "kappa_3_2": one.kappa,
        "noise_c": one.noise,
        "C_at_0": one.c_zero,
    }
    for name, value in found.items():
        # bar 1e-11; V'' and χ₁' are differences of terms of order 1, of which 0.005 is left in the worst row: absolute
        np.testing.assert_allclose(value, float(row[name]), rtol=1e-12, atol=1e-14, err_msg=name)
    np.testing.assert_allclose(layer(1.0), 1.0, rtol=1e-14, atol=0)
    points = [p for p in one.fixed_points if p.q > 1]
    assert len(points) == len(row["other_fixed_points"])
    for point, stored in zip(points, row["other_fixed_points"], strict=True):
        # a root is known to 1e-16/|1 - V'|, and V' there is 0.07 from 1 or more
        np.testing.assert_allclose(point.q, float(stored["q"]), rtol=1e-12, atol=0)
        np.testing.assert_allclose(point.slope, float(stored["V1"]), rtol=1e-12, atol=0)
        np.testing.assert_allclose(point.chi_1, float(stored["chi1"]), rtol=1e-12, atol=0)


def test_wrong_formula_fails_the_same_tolerance():
    # negative control: the density at the threshold in place of that at the clip, a plausible slip
    row = next(row for row in TABLE if (row["kind"], row["s"], row["eta"]) == ("crelu", "0.85", "0.9"))
    h, mu = float(row["tau"]), float(row["m"])
    density = math.exp(-h * h / 2) / math.sqrt(2 * math.pi)
    slipped = 1 - mu * density / (float(mpmath.ncdf(h + mu)) - float(mpmath.ncdf(h)))
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(slipped, 0.9, rtol=1e-2, atol=0)


@pytest.mark.parametrize("h", [-3.0, -0.5, 0.0, 1e-8, 1.0364, 3.9, 20.0])
@pytest.mark.parametrize("mu", [1e-9, 1e-4, 0.3, 2.0, 6.0, 15.0])
def test_slope_keeps_its_digits(h, mu):
    # exponents up to 30 in the integral are themselves rounded: 30 units of rounding and as many in the quadrature
    exact = mp_slope(h, mu)
    np.testing.assert_allclose(clip_slope(h, mu), exact, rtol=1e-13, atol=1e-16)


def test_closed_form_loses_them():
    # negative control: the formula as printed, in float64, at a small level
    h, mu = 1.0, 1e-6
    from scipy.special import ndtr

    naive = 1 - mu * math.exp(-((h + mu) ** 2) / 2) / math.sqrt(2 * math.pi) / (ndtr(h + mu) - ndtr(h))
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(naive, mp_slope(h, mu), rtol=1e-6, atol=0)


@given(st.floats(-3.0, 4.0), st.floats(1e-6, 1 - 1e-6))
@settings(deadline=None)
def test_level_gives_back_the_slope_and_is_the_only_one(h, slope):
    mu = clip_level(h, slope)
    # the root is known to 2e-16 in ln μ, and d slope/d ln μ ≤ 3; slopes themselves to 1e-13
    np.testing.assert_allclose(clip_slope(h, mu), slope, rtol=1e-11, atol=1e-13)
    around = mu * np.geomspace(0.05, 20.0, 60)
    slopes = np.array([clip_slope(h, x) for x in around])
    assert (np.diff(np.sign(slopes - slope)) > 0).sum() <= 1
    assert (slopes[around < mu * 0.999] < slope + 1e-12).all()
    assert (slopes[around > mu * 1.001] > slope - 1e-12).all()


@given(st.floats(-2.0, 3.0), st.floats(0.05, 4.0))
@settings(deadline=None)
def test_closed_forms_agree_with_the_moments_of_the_activation(h, mu):
    # an independent route: E φ'² + E φφ'' by panels of quadrature, for both families
    assume(h == 0 or abs(h) > 1e-6)  # a knot that is neither at 0 nor above 1e-50 is refused
    for phi in (crelu(h, mu), cst(h, mu)) if h >= 0 else (crelu(h, mu),):
        moments = phi.moments(1.0)
        ratio = float(moments.d_second / moments.slope_second)
        np.testing.assert_allclose(clip_slope(h, mu), ratio, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(
            clip_curvature(h, mu), float(moments.d2_second / moments.slope_second), rtol=1e-11, atol=2e-13 / mu
        )


def test_curvature_far_out_is_that_without_a_clip():
    for h in (0.5, 1.5, 3.0):
        mills = float(mpmath.npdf(h) / mpmath.ncdf(-h))
        np.testing.assert_allclose(clip_curvature(h, 30.0), h * mills / 2, rtol=1e-14, atol=0)


@pytest.mark.parametrize("slope", [1.0, 1.5, 0.0, -0.3, math.inf])
def test_slopes_that_no_level_gives_are_refused(slope):
    error = DomainError if math.isinf(slope) else InfeasibleError
    with pytest.raises(error, match="slope"):
        clip_level(1.0, slope)


@pytest.mark.parametrize("bad", [math.nan, "wide", None, [1.0, 2.0], True])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(DomainError):
        clip_level(bad, 0.5)
    with pytest.raises(DomainError):
        clip_level(1.0, bad)
    with pytest.raises(DomainError):
        clip_slope(1.0, bad)


def test_level_is_an_edge_of_chaos_for_any_scale():
    # V'(q*) as the general variance map has it, at q* = 9
    one = design("cst", 0.7, slope=0.6, q=9.0)
    layer = variance_map(one.activation, sigma_w=one.sigma_w, sigma_b=one.sigma_b)
    np.testing.assert_allclose([layer(9.0), layer.chi_1(9.0), layer.slope(9.0)], [9.0, 1.0, 0.6], rtol=1e-13, atol=0)

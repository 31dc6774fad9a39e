"""The stored expansion in 1/n: reproduced by its script, equal to an independent one, first order in closed form."""

import json
import sys
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

from gpdeep.finite import small_angle_cumulants
from gpdeep.finite.tables import interpolation_matrix, load_table
from gpdeep.finite.tables import series as script

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "one_step_series.json").read_text())["values"]
THETA = np.array(REFERENCE["coefficients"]["theta"])
NAMES = {"mean": "mean", "det": "det", "variance": "var", "third": "k3"}


@pytest.fixture(scope="module")
def rederived(tmp_path_factory):
    """The table as the script writes it now."""
    path = tmp_path_factory.mktemp("series") / "series.npz"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["series", str(path)])
        script.main()
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def test_the_script_reproduces_the_stored_table(rederived):
    stored = load_table("series")
    assert set(stored) == set(rederived)
    for name, values in rederived.items():
        # sixth order rests on alternating sums of 24th moments: another numpy or processor, with sums in another order,
        # was seen to move coefficients by 5e-10 of the largest of the row
        scale = np.abs(stored[name]).max(axis=-1, keepdims=True) + (name == "third")  # its first row is zero
        np.testing.assert_allclose(values / scale, stored[name] / scale, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_coefficients_agree_with_an_independent_expansion(name):
    table = load_table("series")
    got = table[name][:3] @ interpolation_matrix(table["theta"], THETA).T  # the reference stops at order three
    want = np.array(REFERENCE["coefficients"][NAMES[name]])
    # ten digits printed; rounding 1e-12 of the largest coefficient in either; interpolation error as in the next test
    scale = np.abs(want).max(axis=1, keepdims=True) + (1.0 if name == "third" else 0.0)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=float(1e-9 * scale.max()))


def test_interpolation_between_nodes_has_converged(rederived):
    # convergence is geometric: every other node predicts the ones between to 1e-5 of the largest coefficient at first
    # order and 1e-3 at the last; all of them predict any angle to the square of that
    table = load_table("series")
    coarse = interpolation_matrix(table["theta"][::2], table["theta"][1::2])
    for name in NAMES:
        scale = np.abs(table[name]).max(axis=1, keepdims=True) + 1e-12
        gap = (table[name][:, ::2] @ coarse.T - table[name][:, 1::2]) / scale
        assert np.abs(gap[0]).max() < 3e-5
        assert np.abs(gap).max() < 1e-3


@pytest.mark.parametrize("theta", [0.05, 0.5, 1.0, np.pi / 2, 2.5])
def test_neuron_moments_agree_with_direct_quadrature(theta):
    moments = script.neuron_moments(np.array([theta]), 4)[:, :, 0]
    with mp.workdps(25):
        c, s = mp.cos(theta), mp.sin(theta)
        for i, j in ((0, 1), (1, 1), (0, 2), (2, 2), (0, 4), (3, 1)):

            def integrand(p, i=i, j=j):
                # (g, v) = (cos p, cos(p - θ)) in polar coordinates
                g, v = mp.cos(p), mp.cos(p - theta)
                h = max(g, 0)
                return h**i * ((max(v, 0) - c * h) / s) ** j

            points = [-mp.pi / 2, theta - mp.pi / 2, mp.pi / 2, theta + mp.pi / 2]
            radial = 2 ** mp.mpf((i + j) / 2) * mp.gamma(mp.mpf(i + j) / 2 + 1) / (2 * mp.pi)
            want = float(radial * mp.quad(integrand, points))
            # the difference of relus is O(θ) before division by s: conditioning 1/s⁴ in the reference, 25 digits
            np.testing.assert_allclose(moments[i, j], want, rtol=1e-13, atol=1e-15)


def test_neuron_moments_agree_with_an_independent_table():
    angles = REFERENCE["moments"]["theta"]
    got = script.neuron_moments(np.array(angles), 8)
    for key, want in REFERENCE["moments"].items():
        if key != "theta":
            i, j = map(int, key.split(","))
            np.testing.assert_allclose(got[i, j], want, rtol=1e-12, atol=1e-13 * max(want))  # 13 digits printed


def closed_first_order(theta):
    """c₁ = 4 - 4X/q² and V₁ = 8(J₂₂ + 1) + 8X/q² - 16Y/q from closed forms of the ReLU moments, in 50 digits."""
    with mp.workdps(50):
        t = mp.mpf(float(theta))
        c, s = mp.cos(t), mp.sin(t)
        j11 = ((mp.pi - t) * c + s) / (2 * mp.pi)
        j22 = ((mp.pi - t) * (2 * c**2 + 1) + 3 * s * c) / (2 * mp.pi)
        j31 = ((mp.pi - t) * 3 * c + s * (c**2 + 2)) / (2 * mp.pi)
        x = 8 * j11**2 * j22 - 8 * j11**4 + 4 * j11**2 - 8 * j11 * j31 + j22 + 1
        y = 2 * j11**2 - 4 * j11 * j31 + j22 + 1
        q = 1 - 4 * j11**2
        return float(4 - 4 * x / q**2), float(8 * (j22 + 1) + 8 * x / q**2 - 16 * y / q)


def test_first_order_has_its_closed_form(rederived):
    for j, theta in enumerate(rederived["theta"][1:], start=1):
        want = closed_first_order(theta)
        got = rederived["mean"][0, j], rederived["variance"][0, j]
        # sums of Taylor terms of size 10: a few hundred units
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


def test_first_order_at_a_right_angle():
    # c₁(π/2) = (6 + 2π² - π⁴)/(π² - 1)², V₁(π/2) = 2(2π² - 9)/(π² - 1)²
    table, square = load_table("series"), np.pi**2
    to_right = interpolation_matrix(table["theta"], np.array([np.pi / 2]))
    np.testing.assert_allclose(
        to_right @ table["mean"][0], (6 + 2 * square - square**2) / (square - 1) ** 2, rtol=1e-12
    )
    np.testing.assert_allclose(to_right @ table["variance"][0], 2 * (2 * square - 9) / (square - 1) ** 2, rtol=1e-11)


def test_first_order_starts_with_its_known_slopes():
    # c₁ = -2 - 8θ/(15π) + O(θ²), V₁ = 8 - 64θ/(15π) + O(θ²): the quotient's error halves with θ
    table = load_table("series")
    theta = np.array([0.02, 0.01])
    to_theta = interpolation_matrix(table["theta"], theta)
    for row, start, slope in ((table["mean"][0], -2, -8), (table["variance"][0], 8, -64)):
        quotient = (to_theta @ row - start) / theta
        extrapolated = 2 * quotient[1] - quotient[0]
        np.testing.assert_allclose(extrapolated, slope / (15 * np.pi), rtol=2e-3)


def test_the_row_at_zero_expands_the_exact_law():
    table = load_table("series")
    orders = len(table["mean"])
    for n in (200, 1000):
        powers = float(n) ** -np.arange(1, orders + 1)
        for name, exact in zip(("mean", "variance", "third"), small_angle_cumulants(n), strict=True):
            terms = table[name][:, 0] * powers
            # what is left is the next term: the last times the ratio of the last two, and half as much again; the
            # coefficients' rounding, 1e-10 of the largest, and that of the exact sums (n eps in κ₃)
            left = 1.5 * abs(terms[-1] ** 2 / terms[-2])
            assert abs(terms.sum() - exact) < left + 1e-9 * np.abs(terms).max()
    np.testing.assert_allclose(table["mean"][:3, 0], [-2, -8, -40], rtol=1e-10)
    np.testing.assert_allclose(table["variance"][:3, 0], [8, 32, 508 / 3], rtol=1e-10)
    np.testing.assert_allclose(table["third"][:4, 0], [0, 0, -112, -1920], rtol=1e-9, atol=1e-10)

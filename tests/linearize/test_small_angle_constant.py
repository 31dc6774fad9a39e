"""The exact one-layer law of small angles for ReLUs among linear channels, and the expansion for any slopes."""

import json
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

from gpdeep.errors import DomainError
from gpdeep.finite import small_angle_cumulants
from gpdeep.linearize import gate_kurtosis, small_angle_constant
from gpdeep.linearize.layer_cumulants import layer_cumulants
from gpdeep.linearize.live_gates import live_cumulants

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "linearize_theory.json").read_text())
SLOPES = {"prelu_0.1": 0.1, "prelu_0.25": 0.25, "abs": -1.0, "relu": 0.0}


@pytest.mark.parametrize("n", REFERENCE["small_angle_exact"])
def test_constants_are_the_stored_ones(n):
    for k, want in REFERENCE["small_angle_exact"][n].items():
        # stored in double precision from differences of digammas: eps ψ/c = eps n ln n
        got = small_angle_constant(int(n), int(k))
        np.testing.assert_allclose(got, want, rtol=1e-13 + 2.2e-16 * int(n) * np.log(int(n)), atol=0)


@pytest.mark.parametrize(("n", "k"), [(2, 1), (3, 3), (10, 9), (40, 13), (100, 99)])
def test_cumulants_agree_with_50_digit_sums(n, k):
    with mp.workdps(50):
        live = [(n - k + b, mp.binomial(k, b)) for b in range(k + 1) if n - k + b >= 2]
        total = sum(weight for _, weight in live)

        def mean(of):
            return sum(weight * of(mp.mpf(m)) for m, weight in live) / total

        def d(m):
            return mp.psi(0, (m - 1) / 2) - mp.psi(0, m / 2)

        def v(m):
            return mp.psi(1, (m - 1) / 2) + mp.psi(1, m / 2)

        first = mean(d)
        second = mean(v) + mean(lambda m: (d(m) - first) ** 2)
        third = mean(lambda m: mp.psi(2, (m - 1) / 2) - mp.psi(2, m / 2))
        third += mean(lambda m: 3 * (d(m) - first) * v(m) + (d(m) - first) ** 3)
    got = live_cumulants(n, k)
    np.testing.assert_allclose(got[:2], [float(first), float(second)], rtol=2e-13, atol=0)
    # a difference of terms of size 16/n²
    np.testing.assert_allclose(got[2], float(third), rtol=2e-13, atol=16e-13 / n**2)


def test_all_active_is_relu():
    for n in (2, 7, 64, 1000):
        np.testing.assert_allclose(live_cumulants(n, n), small_angle_cumulants(n), rtol=1e-14, atol=0)


def test_leading_law_is_the_gates_kurtosis_over_n():
    widths = np.array([128, 256, 512])
    for share in (0.0, 0.25, 0.5, 1.0):
        rest = [
            small_angle_constant(int(n), int(n * share)) - gate_kurtosis([0, 1], [share, 1 - share]) / n for n in widths
        ]
        order = np.polyfit(np.log(widths), np.log(rest), 1)[0]
        assert abs(order + 2) < 0.05  # the rest falls as 1/n²: the next term changes the slope by 5/n
    # negative control: the mean of the two ends, 1 + p, leaves a rest of order 1/n
    wrong = [small_angle_constant(int(n), int(n / 2)) - 1.5 / n for n in widths]
    assert abs(np.polyfit(np.log(widths), np.log(np.abs(wrong)), 1)[0] + 2) > 0.5


@pytest.mark.parametrize("key", REFERENCE["small_angle_mc"])
def test_any_slope_has_the_sampled_constant(key):
    n, slope = int(key.split()[0][2:]), SLOPES[key.split()[1]]
    want = REFERENCE["small_angle_mc"][key]
    law = layer_cumulants(n, (slope,), (n,))
    # Bonferroni over twelve keys at 1e-3: 3.9 standard errors; the expansion's own estimate beside it
    assert abs(2 * law.mean[-1] - want["c"]) < 3.9 * want["se"] + 2 * law.mean_error[-1]
    if n == 256:  # negative control: all slopes alike to leading order, as linear channels
        assert slope == -1.0 or abs(1 / n - want["c"]) > 10 * want["se"]


@pytest.mark.parametrize("counts", [(8, 16), (12, 20), (64, 64), (2, 126)])
def test_expansion_has_the_exact_cumulants_at_small_angles(counts):
    n = sum(counts)
    exact = live_cumulants(n, counts[0])
    # the same layer as seen by the expansion alone: a slope next to 0 is not recognised as ReLU
    free = layer_cumulants(n, (1e-9, 1.0), counts)
    np.testing.assert_allclose(2 * free.mean[-1], -exact[0], rtol=0, atol=4 * free.mean_error[-1])
    np.testing.assert_allclose(4 * free.var[-1], exact[1], rtol=0, atol=8 * free.var_error[-1])
    anchored = layer_cumulants(n, (0.0, 1.0), counts)
    np.testing.assert_allclose(
        [2 * anchored.mean[-1], 4 * anchored.var[-1], 8 * anchored.third[-1]],
        [-exact[0], exact[1], -exact[2]],
        rtol=1e-12,
        atol=1e-15,
    )


def test_residual_of_the_expansion_decays_as_the_fifth_power_of_the_width():
    widths = np.array([32, 64, 128])
    rest = [
        2 * layer_cumulants(int(n), (1e-9, 1.0), (int(n) // 2,) * 2).mean[-1]
        - small_angle_constant(int(n), int(n) // 2)
        for n in widths
    ]
    # terms to n^-4 are kept; the one after the first left out changes the slope by 6/n
    assert abs(np.polyfit(np.log(widths), np.log(np.abs(rest)), 1)[0] + 5) < 0.2


@pytest.mark.parametrize(("width", "active"), [(1, 0), (8, 9), (8, -1), (8, 2.0), (True, 0), ("8", 2), (10**7, 0)])
def test_counts_out_of_range_are_refused(width, active):
    with pytest.raises(DomainError, match="to change"):
        small_angle_constant(width, active)

"""The thin-layer clock against 40-digit integrals, as a bound for chains of any profile, and whole layers counted."""

import mpmath as mp
import numpy as np
import pytest

from gpdeep.errors import DomainError
from gpdeep.linearize import ChainProfile, depth_budget, predict_angle


@pytest.mark.parametrize(
    ("target", "start"),
    [(0.2, np.pi / 2), (1e-3, np.pi / 2), (1.5, np.pi), (1e-8, 1e-3), (0.5, 3.0), (0.3, 0.3000001), (1.0, 3.1)],
)
def test_thin_layers_are_the_integral(target, start):
    with mp.workdps(40):
        low, high = mp.mpf(target), mp.mpf(start) if start < np.pi else +mp.pi
        smooth = mp.quad(lambda t: mp.pi / (1 - t * mp.cot(t)) - 3 * mp.pi / t**2, mp.linspace(low, high, 5))
        want = smooth + 3 * mp.pi * (1 / low - 1 / high)
    # rounding of the difference start - target, and sums of forty terms
    rtol = 16 * np.finfo(float).eps * (1 + start / (start - target))
    np.testing.assert_allclose(depth_budget(target, start), float(want), rtol=rtol, atol=0)


def test_thin_chains_approach_it_from_below():
    budget = depth_budget(0.2)
    short = []
    for g in (0.2, 0.1, 0.05, 0.025):
        # the depth at which the path meets 0.2, between whole layers
        share = 2 * g / (1 + g)
        angle = np.append(np.pi / 2, predict_angle(np.full(int(45 / g), share)).angle)
        last = int(np.sum(angle >= 0.2)) - 1
        part = np.interp(-1 / 0.2, [-1 / angle[last + 1], -1 / angle[last]], [1.0, 0.0])
        short.append(budget - g * (last + part))
    assert min(short) > 0
    # the missing part is (3/2) Σ (g/3π)² θ ~ g: first order
    order = np.polyfit(np.log([0.2, 0.1, 0.05, 0.025]), np.log(short), 1)[0]
    assert abs(order - 1) < 0.1


@pytest.mark.parametrize("seed", range(5))
def test_no_profile_outlasts_the_thin_limit(seed):
    rng = np.random.default_rng(seed)
    slopes = [rng.uniform(-1.5, 1.5, 8) for _ in range(30)]
    profile = ChainProfile.channels(slopes)
    for start in (0.5, np.pi / 2, 3.0):
        answer = predict_angle(profile, start)
        used = np.cumsum(answer.nonlinearity)
        for depth in (1, 5, 30):
            if answer.angle[depth - 1] <= np.pi / 2:
                assert used[depth - 1] <= depth_budget(answer.angle[depth - 1], start) * (1 + 1e-12)
    # negative control: the leading law 3π(1/θ - 1/θ_0) is no bound, the path length no G
    answer = predict_angle(np.full(100, 0.1), np.pi / 2)
    assert answer.average_path_length > depth_budget(answer.angle[-1])


@pytest.mark.parametrize(("share", "target"), [(1.0, 0.2), (0.5, 0.2), (0.1, 1.0), (1.0, 0.01)])
def test_whole_layers_are_counted(share, target):
    g = share / (2 - share)
    budget = depth_budget(target, layer_nonlinearity=g)
    depth = round(budget / g)
    np.testing.assert_allclose(budget, depth * g, rtol=1e-15, atol=0)
    angle = predict_angle(np.full(depth + 1, share)).angle
    assert angle[depth - 1] >= target > angle[depth]
    assert budget <= depth_budget(target)


def test_whole_layers_without_a_first_one():
    # one layer of the absolute value takes 3.0 to 0.13
    assert depth_budget(0.5, 3.0, layer_nonlinearity=2.0) == 0


@pytest.mark.parametrize(
    ("target", "start", "g"),
    [
        (0.0, 1.0, 0.0),
        (1.0, 1.0, 0.0),
        (1.2, 1.0, 0.0),
        (1.6, 2.0, 0.0),
        (np.nan, 1.0, 0.0),
        (0.1, 4.0, 0.0),
        (0.1, 1.0, -0.5),
        (0.1, 1.0, 3.0),
        (0.1, 1.0, 1e-6),
        ("0.1", 1.0, 0.0),
    ],
)
def test_what_has_no_budget_is_refused(target, start, g):
    with pytest.raises(DomainError, match="to change"):
        depth_budget(target, start, layer_nonlinearity=g)

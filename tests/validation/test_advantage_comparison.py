"""Early and late are compared at what is left of the network, with the right interval, and never at equal penalties."""

import math

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("torch", reason="the experiments train networks")

from gpdeep.errors import DomainError
from gpdeep.linearize import travel_time
from gpdeep.linearize.chain_profile import ChainProfile
from validation.nonlinear_advantage import Design, Member, Outcome, gaps
from validation.nonlinear_advantage.comparison import accuracy_at, gaps_at_equal_omega, level

OMEGAS = (0.01, 0.02, 0.03, 0.04)


def runs(advantage, seeds=5, noise=0.02):
    """Accuracy 0.5 + 0.1 NAPL for all, `advantage` more for late; early has 16 channels less at every penalty."""
    rng = np.random.default_rng(0)
    made = []
    for seed in range(seeds):
        made += [Outcome(seed, "active", 0.0, 32, (32,) * 12, 0.9), Outcome(seed, "linear", 0.0, 32, (0,) * 12, 0.1)]
        for arm, offset in (("early", 0), ("late", 16)):
            shift = noise * rng.normal() + (advantage if arm == "late" else 0)
            for k, omega in enumerate(OMEGAS):
                left = (72 - 16 * k + offset, *(0,) * 11)
                made.append(Outcome(seed, arm, omega, 96, left, 0.5 + 0.1 * left[0] / 96 + shift))
    return made


def test_gap_at_equal_napl_is_the_advantage_and_at_equal_omega_it_is_not():
    for advantage in (0.0, 0.05):
        (fair,), unfair = gaps(runs(advantage, noise=0), [0.5]), gaps_at_equal_omega(runs(advantage, noise=0))
        # three roundings of numbers below 1
        assert fair.gap == pytest.approx(advantage, abs=1e-15)
        assert [gap.at for gap in unfair] == list(OMEGAS)
        for gap in unfair:
            assert gap.gap == pytest.approx(advantage + 0.1 / 6, abs=1e-15)


def test_interval_is_that_of_a_t_test():
    made = runs(0.05)
    (gap,) = gaps(made, [0.5])
    differences = [
        accuracy_at(0.5, [run for run in made if run.seed == seed and run.arm == "late"], lambda run: run.napl)
        - accuracy_at(0.5, [run for run in made if run.seed == seed and run.arm == "early"], lambda run: run.napl)
        for seed in range(5)
    ]
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    np.testing.assert_allclose([gap.low, gap.high], expected, rtol=1e-12, atol=0)  # another quantile function
    assert gap.seeds == (0, 1, 2, 3, 4)


@pytest.mark.statistical
def test_interval_covers_as_often_as_it_says():
    rng, hits, repeats = np.random.default_rng(1), 0, 2000
    for _ in range(repeats):
        pair = [
            Outcome(seed, arm, 0.1 * k, 32, (8 * k,), 0.5 + 0.01 * rng.normal())
            for seed in range(4)
            for arm in ("early", "late")
            for k in (1, 2)
        ]
        (gap,) = gaps(pair, [0.25])
        hits += gap.low <= 0 <= gap.high
    # binomial; 3.3 standard deviations are exceeded once in a thousand
    assert abs(hits / repeats - 0.95) < 3.3 * math.sqrt(0.95 * 0.05 / repeats)


def test_a_seed_counts_where_both_arms_reach():
    made = [run for run in runs(0.0) if not (run.seed == 3 and run.arm == "late" and run.omega > 0.01)]
    (gap,) = gaps(made, [0.5])
    assert gap.seeds == (0, 1, 2, 4)
    (beyond,) = gaps(made, [3.0])  # the run without a penalty, at 12, is no point of the curve
    assert beyond.seeds == ()
    assert math.isnan(beyond.gap)
    assert beyond.verdict == "open"


def test_diverged_runs_are_left_out_of_the_means():
    made = [*runs(0.0), Outcome(9, "active", 0.0, 32, (32,) * 12, None, 17)]
    assert level(made, "active").seeds == 5
    assert gaps(made, [0.5])[0].seeds == (0, 1, 2, 3, 4)


def test_equal_napl_counts_once_with_the_mean_accuracy():
    curve = [Outcome(0, "late", w, 32, (n,), a) for w, n, a in ((0.1, 0, 0.2), (0.2, 0, 0.4), (0.05, 32, 0.9))]
    assert accuracy_at(0.0, curve, lambda run: run.napl) == pytest.approx(0.3, abs=1e-15)
    assert accuracy_at(0.5, curve, lambda run: run.napl) == pytest.approx(0.6, abs=1e-15)


def test_g_is_below_napl_unless_layers_are_all_or_nothing():
    assert Outcome(0, "late", 0.1, 32, (32, 0, 32), 0.9).g == Outcome(0, "late", 0.1, 32, (32, 0, 32), 0.9).napl == 2
    half = Outcome(0, "late", 0.1, 32, (16, 16, 16), 0.9)
    assert (half.napl, half.g) == (1.5, 1.0)
    some = Outcome(0, "late", 0.1, 32, (31, 7, 0, 12), 0.9)
    profile = ChainProfile.masks([count / 32 for count in some.active])
    np.testing.assert_allclose(some.g, profile.degeneracy_depth, rtol=1e-14, atol=0)  # some ten roundings
    np.testing.assert_allclose(some.napl, profile.average_path_length, rtol=1e-14, atol=0)


def test_windows_are_equal_and_closed_before_the_rate_falls():
    for epochs in (1, 7, 60):
        design = Design(epochs, 32)
        early, late = design.window("early"), design.window("late")
        assert len(early) == len(late) == design.steps // 3
        assert (early.start, early.stop) == (0, late.start)
        assert {design.share_of_rate(step) for step in range(late.stop)} == {1.0}
        assert design.share_of_rate(design.steps - 1) < 0.03
        assert len(design.window("active")) == len(design.window("linear")) == 0


def test_design_says_which_penalties_are_too_weak_and_which_leap():
    design = Design(60, 32)
    least = travel_time(0.0, 1.0) / (design.slope_rate * 640)
    assert not design.reaches(0.999 * least)
    assert design.reaches(1.001 * least)
    assert design.leap(0.0079) == 0.0 < 0.01 < design.leap(0.0081)


def test_a_window_needs_a_penalty():
    for arm, omega in (("early", 0.0), ("active", 0.1), ("soon", 0.1)):
        with pytest.raises(DomainError, match="penalty"):
            Member(0, arm, omega)
    with pytest.raises(DomainError, match="third of training"):
        Design(1, 2)

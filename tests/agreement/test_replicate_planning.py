"""Planned numbers of replicates: closed forms, statsmodels, and that they do what they promise."""

import math

import numpy as np
import pytest
from bands import most_events, within_band
from scipy.special import ndtri
from scipy.stats import kstwo, norm

from gpdeep import DomainError, InfeasibleError
from gpdeep.agreement import (
    compare_law,
    law_test,
    replicates_for_law,
    replicates_for_mean,
    replicates_to_decide,
    seed_scores,
    verdict_probabilities,
)
from gpdeep.finite import angle_law

# TTestPower().solve_power(effect_size, alpha=alpha, power=0.8, alternative="two-sided") of statsmodels 0.15.0
STATSMODELS = [(0.5, 1e-3, 73.701189428576), (0.2, 0.05, 198.150820955562)]


@pytest.mark.parametrize(("effect", "alpha", "want"), STATSMODELS)
def test_students_replicates_are_those_of_statsmodels(effect, alpha, want):
    assert replicates_for_mean(1.0, effect, alpha=alpha, known_std=False) == math.ceil(want)


@pytest.mark.parametrize("power", [0.5, 0.8, 0.99])
def test_known_variance_has_a_closed_form(power):
    z = -ndtri(1e-3 / 40 / 2) + ndtri(power)
    assert replicates_for_mean(1.7, -0.3, family=40, power=power) == math.ceil((z * 1.7 / 0.3) ** 2)


def test_an_estimated_variance_costs_replicates_and_less_of_them_when_there_are_many():
    for effect in (2.0, 0.5, 0.1):
        known, estimated = (replicates_for_mean(1.0, effect, family=16, known_std=k) for k in (True, False))
        # Student's point exceeds the normal one by z(z² + 1)/4ν of it: R grows by about z²/2 in all
        assert known < estimated < known + 30


@pytest.mark.parametrize(
    ("n", "want"),
    # finite from infinite width, 40 claims, layers 1, 10, 50 from π/4; the law's own mean and standard deviation
    [(64, (1590, 193, 47)), (256, (6517, 758, 175))],
)
def test_telling_finite_from_infinite_width_takes_fewer_networks_the_deeper_they_are(n, want):
    law = angle_law([n] * 50, np.pi / 4, method="grid")
    infinite = angle_law([n] * 50, np.pi / 4, method="infinite").median
    got = [replicates_for_mean(law.std[i], law.mean[i] - infinite[i], family=40) for i in (0, 9, 49)]
    # the grid's mean is good to 0.3 % and its spread to 0.7 %; the difference is a tenth of the mean at layer 10 and
    # a few per cent of it at layer 1, where both are exact to more digits
    np.testing.assert_allclose(got, want, rtol=0.02)


@pytest.mark.statistical
@pytest.mark.parametrize(("known", "effect"), [(True, 0.5), (False, 1.5)])
def test_planned_replicates_have_the_promised_power(known, effect):
    repeats = 4000
    replicates = replicates_for_mean(1.0, effect, family=10, known_std=known)
    samples = effect + np.random.default_rng([1, known]).standard_normal((replicates, repeats))
    found = int((seed_scores(samples, 0.0, std=1.0 if known else None).p_value < 1e-3 / 10).sum())
    # R is rounded up: its power lies between 0.8 and that of the next R
    more = verdict_probabilities(
        effect, 1 / math.sqrt(replicates), 1e-12, family=10, degrees_of_freedom=math.inf if known else replicates - 1
    ).disagree
    assert 0.8 <= more < 0.86
    assert within_band(found, repeats, more)


@pytest.mark.statistical
def test_planned_replicates_for_a_law_find_it():
    """A shifted normal law; the plan is for the worst law at that distance, so it is found in at least 80 %."""
    shift, repeats = 0.25, 400
    distance = 2 * norm.cdf(shift / 2) - 1
    replicates = replicates_for_law(distance)
    rng = np.random.default_rng(2)
    missed = sum(law_test(rng.standard_normal(replicates) + shift, norm.cdf).p_value >= 1e-3 for _ in range(repeats))
    assert missed <= most_events(repeats, 0.2)
    # and the plan is not lavish: half as many find it in less than 80 %, mostly
    half = replicates // 2
    missed = sum(law_test(rng.standard_normal(half) + shift, norm.cdf).p_value >= 1e-3 for _ in range(repeats))
    assert missed > most_events(repeats, 0.2)


def test_the_asymptotic_critical_value_is_on_the_safe_side():
    for replicates in (20, 200, 5000):
        exact = kstwo.isf(1e-3, replicates) * math.sqrt(replicates)
        distance = (exact + 0.5 * ndtri(0.8)) / math.sqrt(replicates)
        if distance < 1:
            assert replicates_for_law(distance) >= replicates


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("t", [0.1, 1.0, 3.0])
def test_the_number_that_decides_is_the_smallest_that_does(known, t):
    def powers(replicates):
        nu = math.inf if known else replicates - 1
        at = [
            verdict_probabilities(D, 1 / math.sqrt(replicates), t, family=7, degrees_of_freedom=nu) for D in (0, 2 * t)
        ]
        return at[0].agree, at[1].disagree

    replicates = replicates_to_decide(1.0, t, family=7, known_std=known)
    assert min(powers(replicates)) >= 0.8
    if replicates > (1 if known else 2):
        assert min(powers(replicates - 1)) < 0.8


def test_a_sampled_prediction_may_make_it_impossible():
    assert replicates_to_decide(1.0, 1.0, prediction_error=0.5) is None
    few, more = replicates_to_decide(1.0, 1.0), replicates_to_decide(1.0, 1.0, prediction_error=0.15)
    assert few < more
    assert replicates_to_decide(0.0, 1.0) == 2


def test_a_law_is_placed_with_the_number_that_decides():
    coarse = compare_law(np.random.default_rng(3).standard_normal(50), norm.cdf, 0.05)
    assert coarse.verdict.value == "INCONCLUSIVE"
    R = coarse.replicates_to_decide
    x = np.random.default_rng(4).standard_normal(R)
    assert compare_law(x, norm.cdf, 0.05).verdict.value == "AGREE"
    shift = 2 * norm.ppf(0.55)  # D = 0.1
    assert compare_law(x + shift, norm.cdf, 0.05).verdict.value == "DISAGREE"


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        (lambda: replicates_for_mean(0.0, 1.0), DomainError),
        (lambda: replicates_for_mean(1.0, 0.0), DomainError),
        (lambda: replicates_for_mean(1.0, 1.0, power=1.0), DomainError),
        (lambda: replicates_for_mean(1.0, 1e-7), InfeasibleError),
        (lambda: replicates_for_mean(1.0, 1e-7, known_std=False), InfeasibleError),
        (lambda: replicates_for_law(0.0), DomainError),
        (lambda: replicates_for_law(1.0), DomainError),
        (lambda: replicates_for_law(1e-7), InfeasibleError),
        (lambda: replicates_to_decide(1.0, 0.0), DomainError),
        (lambda: replicates_to_decide(-1.0, 1.0), DomainError),
    ],
)
def test_what_cannot_be_planned_is_refused(plan, error):
    with pytest.raises(error):
        plan()

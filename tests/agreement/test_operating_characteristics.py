"""How often each verdict falls: closed forms, noncentral t, and simulation with normal and with Student points."""

import math

import numpy as np
import pytest
from bands import most_events, within_band
from scipy.special import ndtr, ndtri
from scipy.stats import nct

from gpdeep import DomainError
from gpdeep.agreement import Verdict, compare, verdict_probabilities
from gpdeep.agreement.tails import upper_quantile

FAMILY = 40


@pytest.mark.parametrize(
    ("fineness", "error", "verdict", "want"),
    [
        (4, 0.0, "agree", 0.98),
        (4, 1.0, "agree", 0.05),
        (4, 2.0, "disagree", 0.41),
        (4, 3.0, "disagree", 1.00),
        (10, 1.5, "disagree", 0.78),
        (10, 2.0, "disagree", 1.00),
    ],
)
def test_table_of_a_family_of_forty(fineness, error, verdict, want):
    got = verdict_probabilities(error, 1 / fineness, 1.0, family=FAMILY)
    assert round(getattr(got, verdict), 2) == want


@pytest.mark.parametrize("fineness", [1.7, 4, 10])
@pytest.mark.parametrize("error", [0.0, 0.5, -1.0, 1.5, 2.0])
def test_known_standard_error_has_closed_forms(fineness, error):
    s, D = 1 / fineness, abs(error)
    z, Z = -ndtri(0.05), -ndtri(1e-3 / FAMILY / 2)
    got = verdict_probabilities(error, s, 1.0, family=FAMILY)
    agree = ndtr((1 - z * s - D) / s) - ndtr((-1 + z * s - D) / s) if fineness >= 2 else 0.0
    # sums of two normal tails, arguments below 30: 30²·eps
    assert got.agree == pytest.approx(agree, rel=1e-12, abs=1e-15)
    assert got.disagree == pytest.approx(ndtr((D - 1) / s - Z) + ndtr((-D - 1) / s - Z), rel=1e-12)
    assert got.agree + got.disagree + got.inconclusive == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("nu", [7, 29, 200])
@pytest.mark.parametrize("error", [0.0, 0.5, 1.0, 1.6])
def test_disagree_with_few_replicates_is_a_pair_of_noncentral_t_tails(nu, error):
    s, Q = 0.2, upper_quantile(1e-3 / 2, nu)
    want = nct.sf(Q, nu, (error - 1) / s) + (nct.cdf(-Q, nu, 1 / s) if error == 0 else 0.0)
    got = verdict_probabilities(error, s, 1.0, degrees_of_freedom=nu).disagree
    # the other tail, of which scipy makes NaN, is below Φ(-(1 + error)/s) ≤ Φ(-7.5) = 3e-14
    assert got == pytest.approx(want, abs=1e-12)


def test_many_degrees_of_freedom_are_a_known_error():
    for error in (0.0, 1.0, 2.0):
        one = verdict_probabilities(error, 0.25, 1.0, degrees_of_freedom=9e5)
        two = verdict_probabilities(error, 0.25, 1.0)
        # the first correction to a normal tail is z³/4ν of it
        assert one.disagree == pytest.approx(two.disagree, abs=1e-5)
        assert one.agree == pytest.approx(two.agree, abs=1e-5)


@pytest.mark.parametrize("nu", [1, 2, 7, 40, math.inf])
@pytest.mark.parametrize("s", [0.05, 0.2, 0.5, 3.0])
def test_error_rates_are_kept_at_the_bound(nu, s):
    at_bound = verdict_probabilities(1.0, s, 1.0, family=FAMILY, degrees_of_freedom=nu)
    assert at_bound.agree <= 0.05 + 1e-9
    assert at_bound.disagree <= 1e-3 / FAMILY * (1 + 1e-6)
    # inside the bound DISAGREE is rarer, outside AGREE is
    assert verdict_probabilities(0.7, s, 1.0, family=FAMILY, degrees_of_freedom=nu).disagree <= at_bound.disagree
    assert verdict_probabilities(1.3, s, 1.0, family=FAMILY, degrees_of_freedom=nu).agree <= at_bound.agree + 1e-9


def simulated(error, std, truncation, replicates, known, repeats, seed, **more):
    """Counts of verdicts of `compare` itself on fresh normal replicates."""
    samples = error + std * np.random.default_rng(seed).standard_normal((repeats, replicates))
    means, spreads = samples.mean(axis=1), samples.std(axis=1, ddof=1)
    counts = dict.fromkeys(Verdict, 0)
    for mean, spread in zip(means, spreads, strict=True):
        s = (std if known else spread) / math.sqrt(replicates)
        counts[compare(mean, s, 0.0, truncation, replicates=replicates, known_error=known, **more).verdict] += 1
    return counts


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("replicates", "known", "error"),
    [(16, True, 0.0), (16, True, 2.0), (8, False, 0.0), (8, False, 1.0), (8, False, 3.5)],
)
def test_simulated_verdicts_fall_as_often_as_computed(replicates, known, error):
    repeats, std = 1500, math.sqrt(replicates) / (4 if known else 5)
    want = verdict_probabilities(
        error,
        std / math.sqrt(replicates),
        1.0,
        family=FAMILY,
        degrees_of_freedom=math.inf if known else replicates - 1,
    )
    counts = simulated(error, std, 1.0, replicates, known, repeats, seed=[replicates, int(2 * error)], family=FAMILY)
    assert within_band(counts[Verdict.AGREE], repeats, want.agree)
    assert within_band(counts[Verdict.DISAGREE], repeats, want.disagree)


@pytest.mark.statistical
def test_negative_control_eight_seeds_taken_for_many_are_wrong_too_often():
    """With normal points instead of Student's, a prediction off by exactly t is called AGREE in more than 5 %."""
    repeats, s = 20_000, 0.05
    samples = 1 + s * math.sqrt(8) * np.random.default_rng(2).standard_normal((repeats, 8))
    errors = np.abs(samples.mean(axis=1))
    spreads = samples.std(axis=1, ddof=1) / math.sqrt(8)
    agree = {nu: int((errors + upper_quantile(0.05, nu) * spreads <= 1).sum()) for nu in (7, math.inf)}
    assert within_band(agree[7], repeats, 0.05)
    assert agree[math.inf] > most_events(repeats, 0.05)
    disagree = {nu: int((errors - upper_quantile(5e-4, nu) * spreads > 1).sum()) for nu in (7, math.inf)}
    assert disagree[7] <= most_events(repeats, 5e-4)
    assert disagree[math.inf] > 5 * most_events(repeats, 5e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"standard_error": 0.0}, "standard_error = 0.0"),
        ({"truncation": 0.0}, "truncation = 0.0"),
        ({"error": math.nan}, "error = nan"),
        ({"degrees_of_freedom": 0.5}, "degrees_of_freedom = 0.5"),
        ({"degrees_of_freedom": None}, "degrees_of_freedom = None"),
        ({"family": -1}, "family is -1"),
    ],
)
def test_what_has_no_probabilities_is_refused(change, message):
    with pytest.raises(DomainError, match=message):
        verdict_probabilities(**({"error": 0.0, "standard_error": 0.1, "truncation": 1.0} | change))

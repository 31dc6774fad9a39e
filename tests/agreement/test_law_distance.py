"""Approximate laws: verdicts about their distance, and how often they are wrong."""

import numpy as np
import pytest
from bands import most_events
from scipy.optimize import brentq
from scipy.stats import kstwo, norm

import gpdeep
from gpdeep import DomainError
from gpdeep.agreement import Verdict, compare_law, law_test


def shifted(distance):
    """The shift of a normal law that puts it at this distance."""
    return 2 * norm.ppf((1 + distance) / 2)


@pytest.mark.statistical
def test_a_law_at_the_declared_distance_is_called_near_in_at_most_five_per_cent():
    rng, t, repeats = np.random.default_rng(0), 0.05, 300
    verdicts = [
        compare_law(rng.standard_normal(5000) + shifted(t), norm.cdf, t, alpha=0.05).verdict for _ in range(repeats)
    ]
    assert verdicts.count(Verdict.AGREE) <= most_events(repeats, 0.05)
    assert verdicts.count(Verdict.DISAGREE) <= most_events(repeats, 0.05)


@pytest.mark.statistical
def test_near_and_far_laws_are_told_apart():
    rng, t = np.random.default_rng(1), 0.05
    near = [compare_law(rng.standard_normal(8000) + shifted(0.02), norm.cdf, t).verdict for _ in range(50)]
    far = [compare_law(rng.standard_normal(8000) + shifted(0.09), norm.cdf, t).verdict for _ in range(50)]
    assert near.count(Verdict.AGREE) > 45
    assert far.count(Verdict.DISAGREE) > 45
    # a test of exactness rejects the near one as well: it is the wrong question
    assert law_test(rng.standard_normal(8000) + shifted(0.03), norm.cdf).p_value < 1e-3


def test_edges_are_hoeffdings_and_kolmogorovs():
    t, R = 0.2, 400
    uniform = (np.arange(R) + 0.5) / R  # its distance from G = min(x + a, 1) is a + 1/(2R)
    agree = t - np.sqrt(np.log(20) / (2 * R)) - 0.5 / R
    disagree = t + kstwo.isf(1e-3 / 3, R) - 0.5 / R

    def verdict(a):
        return compare_law(uniform, lambda x: np.minimum(x + a, 1.0), t, family=3).verdict

    assert verdict(agree - 1e-9) is Verdict.AGREE
    assert verdict(agree + 1e-9) is Verdict.INCONCLUSIVE
    # scipy's inverse is off by up to 2e-4 of p, and d ln p/dD = 4RD: 1e-6
    assert verdict(disagree - 2e-6) is Verdict.INCONCLUSIVE
    assert verdict(disagree + 2e-6) is Verdict.DISAGREE


def test_result_says_what_and_is_kept(tmp_path):
    x = np.random.default_rng(2).standard_normal(300)
    verdict = compare_law(x, norm.cdf, 0.05, rival=norm(1).cdf, rival_name="a shifted law", claim="normal")
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert verdict.basis == "kolmogorov"
    assert verdict.rival_error > 0.3
    assert gpdeep.load(verdict.save(tmp_path / "law.json")) == verdict
    for part in ("normal", "a shifted law", str(verdict.replicates_to_decide), "on both sides"):
        assert part in str(verdict)
    assert "is below" in compare_law(np.tile(x, 100), norm.cdf, 0.2).reason
    assert "is above" in compare_law(x + 3, norm.cdf, 0.2).reason


def test_power_of_a_family_falls_with_its_size():
    def critical(family):
        uniform = (np.arange(400) + 0.5) / 400
        return brentq(
            lambda a: compare_law(uniform, lambda x: np.minimum(x + a, 1.0), 0.1, family=family).p_adjusted - 1e-3,
            0.1,
            0.5,
        )

    assert critical(1) < critical(10) < critical(1000)


@pytest.mark.parametrize(
    ("samples", "distance", "message"),
    [
        ([], 0.1, "shape"),
        ([0.0, np.nan], 0.1, "NaN"),
        ([0.0], 0.0, "distance = 0.0"),
        ([0.0], 1.0, "distance = 1.0"),
        ([0.0], "near", "distance = 'near'"),
    ],
)
def test_what_has_no_distance_is_refused(samples, distance, message):
    with pytest.raises(DomainError, match=message):
        compare_law(samples, norm.cdf, distance)

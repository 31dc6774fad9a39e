"""200 synthetic truths: how often families of true claims are refuted, at nominal rates 1e-3 to 1e-2."""

import numpy as np
import pytest
from bands import FALSE_ALARM, most_events
from scipy.special import ndtri
from scipy.stats import norm

from gpdeep.agreement import Family, Verdict, compare, count_test, holm, law_test, mean_test, seed_scores

TRUTHS, FAMILIES = 200, 300
ALPHAS = (1e-3, 3e-3, 1e-2)


def truth(index):
    """Size of the family, number of seeds, whether σ is known, correlation of the claims, scale."""
    rng = np.random.default_rng([7, index])
    return {
        "size": int(rng.integers(2, 41)),
        "seeds": int(rng.choice([2, 8, 30])),
        "known": bool(rng.integers(2)),
        "correlation": float(rng.choice([0.0, 0.95])),
        "mean": float(rng.normal(0, 10)),
        "std": float(10 ** rng.uniform(-3, 3)),
    }


def smallest_p_values(index, use_student=True):
    """Raw and Holm-adjusted smallest p of FAMILIES families of true claims."""
    t = truth(index)
    rng = np.random.default_rng([8, index])
    common = rng.standard_normal((t["seeds"], FAMILIES, 1))
    own = rng.standard_normal((t["seeds"], FAMILIES, t["size"]))
    rho = t["correlation"]
    samples = t["mean"] + t["std"] * (np.sqrt(rho) * common + np.sqrt(1 - rho) * own)
    std = t["std"] if t["known"] else None
    if not use_student and std is None:
        std = samples.std(axis=0, ddof=1)
    p = seed_scores(samples, t["mean"], std=std).p_value
    return t, p.min(axis=-1), holm(p).min(axis=-1)


@pytest.mark.statistical
def test_family_wise_error_is_as_declared():
    """Independent claims: exactly 1 - (1 - α/F)^F, between two limits; dependent ones: at most α."""
    outcomes = [smallest_p_values(index) for index in range(TRUTHS)]
    limit = -ndtri(FALSE_ALARM / 2)
    for alpha in ALPHAS:
        independent = [(t, adjusted) for t, _, adjusted in outcomes if t["correlation"] == 0]
        wanted = np.array([1 - (1 - alpha / t["size"]) ** t["size"] for t, _ in independent])
        events = sum(int((adjusted < alpha).sum()) for _, adjusted in independent)
        mean, variance = FAMILIES * wanted.sum(), FAMILIES * (wanted * (1 - wanted)).sum()
        # mean 29 at least: a normal band, widened by its skewness 1/√29 (Cornish-Fisher) and one event
        margin = limit * np.sqrt(variance) + (limit**2 - 1) / 6 + 1
        assert abs(events - mean) < margin, (alpha, events, mean)
        dependent = [adjusted for t, _, adjusted in outcomes if t["correlation"] > 0]
        assert sum(int((a < alpha).sum()) for a in dependent) <= most_events(FAMILIES * len(dependent), alpha)


@pytest.mark.statistical
def test_negative_control_uncorrected_claims_are_refuted_too_often():
    outcomes = [smallest_p_values(index) for index in range(0, TRUTHS, 4)]
    events = sum(int((raw < 1e-2).sum()) for _, raw, _ in outcomes)
    assert events > 5 * most_events(FAMILIES * len(outcomes), 1e-2)


@pytest.mark.statistical
def test_negative_control_estimated_errors_taken_for_known_are_refuted_too_often():
    outcomes = [smallest_p_values(index, use_student=False) for index in range(0, TRUTHS, 4)]
    events = sum(int((adjusted < 1e-2).sum()) for _, _, adjusted in outcomes)
    assert events > 3 * most_events(FAMILIES * len(outcomes), 1e-2)


def true_claims(rng):
    """A family of true claims of every kind; the truncated ones have an error of exactly their truncation."""
    claims = {}
    for i in range(3):
        t, s, replicates = rng.uniform(0.1, 2), rng.uniform(0.05, 1), int(rng.choice([2, 8, 30]))
        samples = t + s * rng.standard_normal(replicates)
        standard_error = samples.std(ddof=1) / np.sqrt(replicates)
        claims[f"bound {i}"] = compare(samples.mean(), standard_error, 0.0, t, replicates=replicates)
    claims["mean"] = mean_test(rng.standard_normal(8), 0.0)
    claims["mean, known σ"] = mean_test(rng.standard_normal(8), 0.0, std=1.0)
    claims["law"] = law_test(rng.standard_normal(100), norm.cdf)
    claims["count"] = count_test(int(rng.binomial(400, 0.03)), 400, 0.03)
    claims["p-value"] = float(rng.random())
    return claims


@pytest.mark.statistical
@pytest.mark.parametrize("alpha", [1e-3, 1e-2])
def test_families_of_every_kind_keep_their_rate(alpha):
    """200 truths through `Family` itself: errors at most α of the families, AGREE at a wrong bound at most 5 %."""
    judged = [Family(8, alpha).judge(true_claims(np.random.default_rng([9, i]))) for i in range(TRUTHS)]
    assert sum(bool(verdicts.refuted) for verdicts in judged) <= most_events(TRUTHS, alpha)
    agreed = sum(claim.verdict is Verdict.AGREE for verdicts in judged for claim in verdicts.claims)
    assert agreed <= most_events(3 * TRUTHS, 0.05)


@pytest.mark.statistical
def test_uniformity_is_one_more_claim_of_the_family():
    size, alpha = 10, 0.05
    refuted = []
    for index in range(2 * TRUTHS):
        p = np.random.default_rng([10, index]).random(size)
        refuted.append(bool(Family(size, alpha, independent=True).judge(dict(enumerate(p))).refuted))
    assert sum(refuted) <= most_events(2 * TRUTHS, alpha)


def test_uniformity_finds_what_no_single_test_does():
    """Standard errors that are a third too large: no z ever looks bad, but all of them are too small together."""
    z = np.random.default_rng(11).standard_normal(400) / 1.33
    p = dict(enumerate(2 * norm.sf(np.abs(z))))
    assert Family(400).judge(p).refuted == ()
    assert Family(400, independent=True).judge(p).refuted == ("uniformity of all p-values",)

"""Negative controls with gpdeep's own laws: a wrong weight variance, a wrong width, a wrong initialisation."""

import math

import numpy as np
import pytest
from bands import within_band
from scipy.stats import norm

from gpdeep.agreement import (
    Family,
    Verdict,
    compare,
    compare_law,
    consistent,
    holm,
    law_test,
    mean_test,
    replicates_for_law,
    replicates_for_mean,
    seed_scores,
)
from gpdeep.finite import (
    angle_law,
    length_law,
    sample_angles,
    sample_gram,
    small_angle_cdf,
    small_angle_cumulants,
)

WIDTHS = [128] * 20


def log_lengths(networks, weight_var, rng, widths=WIDTHS):
    """ln of the mean square activation after the last layer, one a network; He weights have variance 2."""
    gram = sample_gram(np.ones((1, 3)), widths, sigma_w=math.sqrt(weight_var), n_samples=networks, rng=rng)
    return np.log(gram[:, 0, 0])


@pytest.mark.statistical
def test_one_per_cent_of_weight_variance_is_rejected_at_the_planned_number_of_networks():
    law = length_law(WIDTHS)
    shift = len(WIDTHS) * math.log(1.01)
    networks = replicates_for_mean(law.std[-1], shift, power=0.999)
    # sd 0.90 from the law itself; (3.29 + 3.09)² sd²/shift²
    assert networks == pytest.approx((3.2905 + 3.0902) ** 2 * (law.std[-1] / shift) ** 2, abs=1.5)
    tests = {
        name: mean_test(log_lengths(networks, weight_var, rng), law.mean[-1], std=law.std[-1])
        for name, weight_var, rng in (("right", 2.0, 0), ("1 % more", 2.02, 1), ("1 % less", 1.98, 2))
    }
    verdicts = consistent(tests)
    assert verdicts.refuted == ("1 % less", "1 % more")
    right = verdicts["right"]
    assert right.verdict is Verdict.CONSISTENT
    # what is called detectable in a family of three is below the error that was injected
    assert right.detectable < shift


@pytest.mark.statistical
def test_power_at_the_planned_number_is_what_was_planned():
    widths, repeats = [64] * 8, 120
    law = length_law(widths)
    networks = replicates_for_mean(law.std[-1], len(widths) * math.log(1.03))
    x = log_lengths(networks * repeats, 2 * 1.03, 3, widths).reshape(networks, repeats)
    rejected = int((seed_scores(x, law.mean[-1], std=law.std[-1]).p_value < 1e-3).sum())
    assert within_band(rejected, repeats, 0.8)


@pytest.mark.statistical
def test_width_read_as_twice_the_width_scores_worse():
    """One layer at θ → 0: the law of width n is consistent, that of width 2n rejected at the planned number."""
    n = 64
    r = np.linspace(-3, 3, 4001)
    distance = float(np.abs(small_angle_cdf(n, r) - small_angle_cdf(2 * n, r)).max())
    networks = replicates_for_law(distance, family=2, power=0.999)
    theta = 1e-100  # the exact law: wedges of probability nθ/π
    x = sample_angles([n], theta, n_samples=networks, rng=4).log_sin2[:, 0] - 2 * math.log(theta)
    right = law_test(x, lambda r: small_angle_cdf(n, r), rival=lambda r: small_angle_cdf(2 * n, r))
    wrong = law_test(x, lambda r: small_angle_cdf(2 * n, r))
    assert consistent({"n": right, "2n": wrong}).refuted == ("2n",)
    assert right.rival_error > 3 * right.error
    assert wrong.error == right.rival_error
    mean, rival = (small_angle_cumulants(k) for k in (n, 2 * n))
    moments = mean_test(x, mean[0], std=math.sqrt(mean[1]), skewness=mean[2] / mean[1] ** 1.5, rival=rival[0])
    assert moments.p_value > 1e-3


@pytest.mark.statistical
def test_width_read_as_twice_the_width_disagrees_through_depth():
    """Ten layers from π/4, truncation 0.03 (what the closure declares): AGREE for n, DISAGREE for 2n."""
    widths, networks = [64] * 10, 12_000
    x = sample_angles(widths, np.pi / 4, n_samples=networks, rng=5).log_sin2[:, 0]
    s = x.std(ddof=1) / math.sqrt(networks)
    right, wrong = (float(angle_law([k * n for n in widths], np.pi / 4, method="closure").mean[-1]) for k in (1, 2))
    one = compare(x.mean(), s, right, 0.03, replicates=networks, rival=wrong, rival_name="width 2n")
    two = compare(x.mean(), s, wrong, 0.03, replicates=networks)
    assert one.verdict is Verdict.AGREE
    assert two.verdict is Verdict.DISAGREE
    assert abs(one.rival_error) > 5 * abs(one.error)


@pytest.mark.statistical
def test_eight_seeds_of_the_wrong_initialisation_depart_and_those_of_the_right_one_do_not():
    """He weights predicted; He, LeCun (variance 1) and 20 % too much given. Every layer, Holm over all of them.

    z at layer l is l·ln(ratio)√(8/(5l/64)): 7 at layer 1 for LeCun, 4.5 at layer 6 for 20 %; the limit is 3.9.
    """
    depth = 12
    law = length_law([64] * depth)
    for weight_var, first in ((2.0, None), (1.0, 1), (2.4, 6)):
        x = np.stack([log_lengths(8, weight_var, 100 + layer, [64] * layer) for layer in range(1, depth + 1)], axis=1)
        adjusted = holm(seed_scores(x, law.mean, std=law.std).p_value)
        departs = np.flatnonzero(adjusted < 1e-3)
        if first is None:
            assert departs.size == 0
        else:
            assert 1 <= departs[0] + 1 <= first


@pytest.mark.statistical
def test_approximate_normality_is_judged_by_its_distance():
    """ln sin² after 20 layers is not normal, and within 0.05 of it; an exact test tells the first only."""
    x = sample_angles([32] * 20, np.pi / 4, n_samples=20_000, rng=6).log_sin2[:, 0]
    fitted = norm(x.mean(), x.std()).cdf
    assert compare_law(x, fitted, 0.05).verdict is Verdict.AGREE
    assert compare_law(x, fitted, 0.02).verdict is Verdict.DISAGREE
    assert law_test(x, fitted).p_value < 1e-3


@pytest.mark.statistical
def test_exact_small_angle_laws_are_consistent_as_a_family():
    """Forty independent cells, five widths: Holm at 1e-3 and the uniformity of all p-values."""
    family = Family(40, independent=True, name="one layer at θ → 0")
    tests = {}
    for n in (8, 16, 32, 64, 128):
        x = sample_angles([n], 1e-100, n_samples=8 * 1500, rng=n).log_sin2[:, 0] + 200 * math.log(10)
        for cell, part in enumerate(np.split(x, 8)):
            alive = part[np.isfinite(part)]
            tests[f"n = {n}, cell {cell}"] = law_test(alive, lambda r, n=n: small_angle_cdf(n, r))
    verdicts = family.judge(tests)
    assert verdicts.verdict is Verdict.CONSISTENT
    assert len(verdicts.claims) == 41
    assert max(claim.detectable for claim in verdicts.claims[:-1]) < 0.08

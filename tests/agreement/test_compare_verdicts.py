"""`compare` follows its rule to the boundary, says why, and is kept without loss."""

import json
import math

import mpmath as mp
import numpy as np
import pytest

import gpdeep
from gpdeep import DomainError
from gpdeep.agreement import Agreement, Verdict, compare, replicates_to_decide

Z_05, Z_FAMILY = (float(-mp.sqrt(2) * mp.erfinv(2 * mp.mpf(p) - 1)) for p in ("0.05", "1.25e-5"))  # 1e-3/80


def student_point(p, nu):
    """The x with P(T > x) = p, by mpmath's incomplete beta function."""
    with mp.workdps(30):

        def tail(x):
            return mp.betainc(mp.mpf(nu) / 2, mp.mpf(1) / 2, 0, nu / (nu + x * x), regularized=True) / 2

        return float(mp.findroot(lambda x: mp.log(tail(x)) - mp.log(p), (1.0, 3.0)))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("s", [0.1, 0.25, 0.4])
def test_agree_ends_where_the_confidence_bound_passes_the_truncation(sign, s):
    edge = 1 - Z_05 * s
    assert compare(3 + sign * (edge - 1e-9), s, 3, 1).verdict is Verdict.AGREE
    assert compare(3 + sign * (edge + 1e-9), s, 3, 1).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("s", [0.1, 0.25, 2.0])
def test_disagree_begins_where_the_family_bound_passes_the_truncation(sign, s):
    edge = 1 + Z_FAMILY * s
    assert compare(3 + sign * (edge - 1e-7), s, 3, 1, family=40).verdict is Verdict.INCONCLUSIVE
    assert compare(3 + sign * (edge + 1e-7), s, 3, 1, family=40).verdict is Verdict.DISAGREE


@pytest.mark.parametrize("replicates", [2, 3, 8, 30, 1000])
def test_few_replicates_are_judged_by_student(replicates):
    s, nu = 0.02, replicates - 1
    for point, below, above in (
        (1 - student_point(0.05, nu) * s, Verdict.AGREE, Verdict.INCONCLUSIVE),
        (1 + student_point(1e-3 / 2, nu) * s, Verdict.INCONCLUSIVE, Verdict.DISAGREE),
    ):
        # the point itself is found to 1e-12 of its size, at most 637·0.02
        assert compare(point - 1e-9, s, 0, 1, replicates=replicates).verdict is below
        assert compare(point + 1e-9, s, 0, 1, replicates=replicates).verdict is above


def test_negative_control_normal_points_would_move_both_edges():
    s = 0.02
    between = 1 - 1.75 * s  # 1.645 < 1.75 < 1.895, the points of ∞ and of 7 degrees of freedom
    assert compare(between, s, 0, 1).verdict is Verdict.AGREE
    assert compare(between, s, 0, 1, replicates=8).verdict is Verdict.INCONCLUSIVE
    assert compare(between, s, 0, 1, replicates=8, known_error=True).verdict is Verdict.AGREE


def test_agree_is_refused_where_the_measurement_is_coarse():
    refused = compare(0.0, 0.501, 0.0, 1.0, replicates=20, known_error=True)
    assert refused.p_agree < 0.05
    assert refused.verdict is Verdict.INCONCLUSIVE
    assert refused.replicates_to_decide == replicates_to_decide(0.501 * math.sqrt(20), 1.0, known_std=True)
    assert "half the truncation" in refused.reason
    assert str(refused.replicates_to_decide) in refused.reason
    # with as many, an exact prediction is found to agree and one off by 2t to disagree
    s = 0.501 * math.sqrt(20 / refused.replicates_to_decide)
    assert compare(0.0, s, 0.0, 1.0).verdict is Verdict.AGREE
    assert compare(2.0, s, 0.0, 1.0).verdict is Verdict.DISAGREE


def test_a_fine_measurement_near_the_bound_says_that_the_error_is_there():
    verdict = compare(1.0, 0.05, 0.0, 1.0, replicates=500)
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert verdict.replicates_to_decide < 500
    assert "the error is near it" in verdict.reason


def test_without_replicates_no_number_is_invented():
    verdict = compare(0.0, 2.0, 0.0, 1.0)
    assert verdict.replicates_to_decide is None
    assert "number given" in verdict.reason


def test_a_sampled_prediction_adds_its_error_by_welch():
    verdict = compare(0.5, 0.3, 0.0, 2.0, replicates=8, prediction_error=0.4)
    assert verdict.standard_error == pytest.approx(0.5, rel=1e-15)
    assert verdict.degrees_of_freedom == pytest.approx(7 * (0.25 / 0.09) ** 2, rel=1e-14)
    assert verdict.basis == "welch"
    hopeless = compare(0.0, 0.3, 0.0, 1.0, replicates=8, prediction_error=0.6)
    assert hopeless.replicates_to_decide is None
    assert "no number of replicates" in hopeless.reason


def test_a_measurement_without_error_decides_by_itself():
    assert compare(1.0, 0.0, 0.0, 1.0).verdict is Verdict.AGREE
    assert compare(1.0 + 1e-12, 0.0, 0.0, 1.0).verdict is Verdict.DISAGREE


def test_p_values_are_those_of_the_two_hypotheses():
    verdict = compare(1.3, 0.2, 0.0, 1.0, family=5)
    one_sided = float(mp.ncdf(-1.5))
    assert verdict.p_disagree == pytest.approx(2 * one_sided, rel=1e-13)
    assert verdict.p_adjusted == pytest.approx(10 * one_sided, rel=1e-13)
    assert verdict.p_agree == pytest.approx(1 - one_sided, rel=1e-13)


def test_every_comparison_prints_error_standard_error_and_the_rivals_error():
    text = str(compare(-3.129, 0.017, -3.068, 0.155, rival=-2.59, rival_name="infinite width", claim="mean at L = 20"))
    for part in ("AGREE: mean at L = 20", "error -0.061", "standard error 0.017", "error of infinite width -0.539"):
        assert part in text
    assert "no rival theory" in str(compare(0.0, 0.1, 0.0, 1.0))


@pytest.mark.parametrize("replicates", [None, 8])
def test_result_is_kept_without_loss(tmp_path, replicates):
    verdict = compare(0.1, 0.7, 0.0, 1.0, replicates=replicates, rival=2.0, claim="θ")
    again = gpdeep.load(verdict.save(tmp_path / "verdict.json"))
    assert isinstance(again, Agreement)
    assert again == verdict
    assert again.verdict is Verdict.INCONCLUSIVE
    plain = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert plain["verdict"] == "INCONCLUSIVE"
    assert plain["degrees_of_freedom"] == (None if replicates is None else 7)


def test_moving_both_or_mirroring_changes_nothing():
    rng = np.random.default_rng(1)
    for x, s, t in rng.uniform(0.1, 2, (50, 3)):
        one = compare(x, s, 0.0, t, replicates=9)
        # 4 and -4 are exact; x - 4 rounds by 4e-16
        for other in (compare(x + 4, s, 4, t, replicates=9), compare(-x, s, 0.0, t, replicates=9)):
            assert other.verdict is one.verdict
            assert other.p_disagree == pytest.approx(one.p_disagree, rel=1e-11)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"truncation": 0.0}, "exact test"),
        ({"truncation": -1.0}, "truncation = -1.0 is negative"),
        ({"standard_error": -0.1}, "standard_error = -0.1 is negative"),
        ({"standard_error": math.nan}, "standard_error = nan"),
        ({"estimate": math.inf}, "estimate = inf"),
        ({"estimate": "three"}, "estimate = 'three'"),
        ({"estimate": [1.0, 2.0]}, "estimate = "),
        ({"prediction": True}, "prediction = True"),
        ({"family": 0}, "family is 0"),
        ({"family": 2.0}, "family is 2.0"),
        ({"alpha": 0.0}, "alpha = 0.0"),
        ({"alpha": 5}, "alpha = 5"),
        ({"replicates": 1}, "replicates is 1"),
        ({"replicates": 8.5}, "replicates is 8.5"),
        ({"prediction_error": -1}, "prediction_error = -1.0 is negative"),
        ({"rival": math.nan}, "rival = nan"),
    ],
)
def test_what_is_no_comparison_is_refused(change, message):
    arguments = {"estimate": 0.0, "standard_error": 0.1, "prediction": 0.0, "truncation": 1.0} | change
    with pytest.raises(DomainError, match=message):
        compare(**arguments)

"""Families: declared size, any order, claims of both kinds, power statements, files."""

import json

import numpy as np
import pytest
from scipy.stats import norm

import gpdeep
from gpdeep import DomainError
from gpdeep.agreement import (
    Family,
    FamilyVerdicts,
    Verdict,
    compare,
    consistent,
    count_test,
    frequency_test,
    holm,
    law_test,
    mean_test,
    same_law_test,
)


def claims():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(500)
    return {
        "mean": mean_test(x, 0.0, std=1.0, rival=0.5),
        "law": law_test(x, norm.cdf, rival=norm(scale=2).cdf),
        "deaths": count_test(3, 100, 0.02),
        "agrees": compare(0.0, 0.1, 0.02, 1.0, rival=3.0),
        "disagrees": compare(9.0, 0.1, 0.0, 1.0),
        "open": compare(1.0, 0.1, 0.0, 1.0),
        "elsewhere": 0.4,
    }


def test_order_of_claims_does_not_matter():
    forward = claims()
    backward = dict(reversed(forward.items()))
    assert Family(9, independent=True).judge(forward) == Family(9, independent=True).judge(backward)


def test_kinds_of_claims_have_their_own_verdicts():
    judged = Family(7).judge(claims())
    want = dict.fromkeys(("mean", "law", "deaths", "elsewhere"), Verdict.CONSISTENT)
    want |= {"agrees": Verdict.AGREE, "disagrees": Verdict.DISAGREE, "open": Verdict.INCONCLUSIVE}
    assert {claim.name: claim.verdict for claim in judged.claims} == want
    assert judged.counts == {"AGREE": 1, "DISAGREE": 1, "INCONCLUSIVE": 1, "CONSISTENT": 4, "REJECTED": 0}
    assert judged.refuted == ("disagrees",)
    assert judged.verdict is Verdict.DISAGREE


@pytest.mark.parametrize(
    ("kept", "want"),
    [
        (["agrees"], Verdict.AGREE),
        (["agrees", "law"], Verdict.CONSISTENT),
        (["agrees", "law", "open"], Verdict.INCONCLUSIVE),
        (["law", "mean"], Verdict.CONSISTENT),
        (["open", "disagrees"], Verdict.DISAGREE),
    ],
)
def test_one_word_for_all(kept, want):
    assert Family(3).judge({name: claims()[name] for name in kept}).verdict is want


def test_adjusted_p_values_are_holms_over_the_declared_size():
    judged = Family(20).judge({"a": 1e-5, "b": 1e-3, "c": 0.5})
    np.testing.assert_array_equal([claim.p_adjusted for claim in judged.claims], holm([1e-5, 1e-3, 0.5], size=20))
    assert any("17 declared claims did not come in" in message for message in judged.status.messages)


def test_holm_may_refute_what_bonferroni_leaves_open():
    # 15 claims: Bonferroni's level is 1e-3/15 = 6.7e-5; after 14 refuted ones Holm's is 1e-3
    doubtful = compare(1.0 + 0.35, 0.1, 0.0, 1.0, family=15)
    assert doubtful.verdict is Verdict.INCONCLUSIVE
    judged = Family(15).judge({"doubtful": doubtful, **{f"wrong {i}": 1e-12 for i in range(14)}})
    assert judged["doubtful"].verdict is Verdict.DISAGREE
    assert "Holm" in judged["doubtful"].note


def test_every_claim_shows_error_standard_error_and_the_rivals_error():
    judged = Family(7).judge(claims())
    for name, rival in (("mean", "mean"), ("agrees", "agrees")):
        claim = judged[name]
        assert None not in (claim.error, claim.standard_error, claim.rival_error), rival
        assert f"{claim.rival_error:.4g}" in str(judged)
    assert judged["law"].rival_error > judged["law"].error


def test_consistent_is_never_said_without_power():
    judged = Family(7).judge(claims())
    for claim in judged.claims:
        if claim.verdict is Verdict.CONSISTENT:
            assert "would have been rejected with 80% probability" in claim.note or claim.note == "Power not known."
    assert judged["elsewhere"].detectable is None
    assert judged["elsewhere"].note == "Power not known."
    assert "Excess probability" in judged["deaths"].note
    # the level is that of the family: a larger one sees less
    assert Family(1000).judge(claims())["mean"].detectable > judged["mean"].detectable


def test_verdicts_are_kept_without_loss(tmp_path):
    judged = Family(8, independent=True, name="E1").judge(claims())
    again = gpdeep.load(judged.save(tmp_path / "family.json"))
    assert isinstance(again, FamilyVerdicts)
    assert again == judged
    plain = json.loads(json.dumps(judged.to_dict(), allow_nan=False))
    assert plain["verdict"] == "DISAGREE"
    assert plain["counts"]["AGREE"] == 1
    for test in claims().values():
        if not isinstance(test, float):
            assert gpdeep.load(test.save(tmp_path / "test.json")) == test


def test_consistent_takes_sequences_and_names_them():
    judged = consistent([0.5, mean_test([0.0, 1.0, 2.0], 1.0), 1e-9])
    assert judged.refuted == ("test 3",)
    assert judged.verdict is Verdict.REJECTED
    assert consistent({"only": 0.2}).verdict is Verdict.CONSISTENT
    assert consistent([0.01] * 12, alpha=0.05).claims[-1].name == "test 12"


def test_uniformity_uses_continuous_exact_claims_only():
    tests = {f"count {i}": count_test(0, 10, 0.1) for i in range(10)}
    judged = Family(10, independent=True).judge(tests)
    assert len(judged.claims) == 10
    assert any("too few" in message for message in judged.status.messages)
    p = np.random.default_rng(1).random(10)
    assert len(consistent(p.tolist(), independent=True).claims) == 11


def test_discrete_tests_and_laws_are_what_they_say():
    assert frequency_test([30, 30, 40], [1, 1, 1]).discrete
    assert not same_law_test([1.0, 2.0], [3.0]).discrete


@pytest.mark.parametrize(
    ("family", "given", "message"),
    [
        (Family(1), {}, "0 claims"),
        (Family(1), {"a": 0.1, "b": 0.2}, "2 claims for a family of 1"),
        (Family(2), [0.1, 0.2], "came without names"),
        (Family(2), {"a": 1.5}, "holds 1.5"),
        (Family(2), {"a": "small"}, "p_value = 'small'"),
        (Family(2), {"a": None}, "p_value = None"),
        (Family(2), {"a": float("nan")}, "p_value = nan"),
    ],
)
def test_what_was_not_declared_is_refused(family, given, message):
    with pytest.raises(DomainError, match=message):
        family.judge(given)


@pytest.mark.parametrize(("size", "alpha"), [(0, 1e-3), (1.5, 1e-3), (True, 1e-3), (3, 0.0), (3, 1.0), (3, "1 %")])
def test_a_family_needs_a_size_and_a_rate(size, alpha):
    with pytest.raises(DomainError):
        Family(size, alpha)


def test_unknown_claim_is_a_key_error():
    with pytest.raises(KeyError, match="weather"):
        Family(1).judge({"a": 0.5})["weather"]

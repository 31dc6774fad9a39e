"""What has to be refused: wrong weights in the simulator, and a width that theory reads as twice itself."""

from __future__ import annotations

from collections.abc import Mapping

from gpdeep.agreement import ExactTest, Verdict
from validation.claim import Claim, Kind

from .design import Cells
from .kept_tests import judged, law_claim, missing, test_of

_WRONG = {
    2.02: ("E1.control.sigma_1_percent", "Weights with a variance 1 % too large are noticed in the lengths."),
    2.2: ("E1.control.sigma_10_percent", "Weights with a variance 10 % too large are noticed in the lengths."),
    1.0: ("E1.control.lecun", "Weights of variance 1/n, taken for those of variance 2/n, are noticed in the lengths."),
}
_SOURCE = "gpdeep.finite.length_law"


def claims(cells: Cells) -> list[Claim]:
    """The same test with right weights, with three wrong ones, and with the wrong width."""
    tests = {spec["sigma_w2"]: test_of(found["test"]) for spec, found in cells.of("wrong_weights")}
    right = law_claim(
        "E1.control.right_weights",
        "The test that refuses wrong weights passes the right ones.",
        _SOURCE,
        {"σ_w² = 2": tests[2.0]} if 2.0 in tests else {},
        len(_WRONG) + 1,
        rival_name="infinite width",
    )
    wrong = [
        _refused(id, statement, _SOURCE, {f"σ_w² = {sigma_w2:g}": tests[sigma_w2]} if sigma_w2 in tests else {}, 4)
        for sigma_w2, (id, statement) in _WRONG.items()
    ]
    doubled = {
        f"n = {spec['width']}, L = {spec['depth']}": test_of(found["doubled"]) for spec, found in cells.of("sampler")
    }
    return [
        right,
        *wrong,
        _refused(
            "E1.control.width_doubled",
            "Angles of networks of width n do not have the law of width 2n, in every cell.",
            "gpdeep.finite.sample_angles",
            doubled,
            max(1, cells.declared("sampler")),
        ),
    ]


def _refused(id: str, statement: str, source: str, tests: Mapping[str, ExactTest], size: int) -> Claim:
    """REFUSED where every test of the wrong theory is rejected."""
    if not tests:
        return missing(id, Kind.CONTROL, statement, source)
    verdicts = judged(tests, size, name=id)
    rejected = all(verdicts[name].verdict is Verdict.REJECTED for name in tests)
    weakest = max(tests, key=lambda name: tests[name].p_value)
    test = tests[weakest]
    return Claim(
        id=id,
        kind=Kind.CONTROL,
        statement=statement,
        source=source,
        estimate=test.estimate,
        standard_error=test.standard_error,
        n=test.replicates,
        prediction=test.prediction,
        verdict="REFUSED" if rejected else "NOT REFUSED",
        p_adjusted=verdicts[weakest].p_adjusted,
        power=f"Weakest: {weakest}. {verdicts[weakest].note}",
        details={"p": {name: one.p_value for name, one in tests.items()}},
    )

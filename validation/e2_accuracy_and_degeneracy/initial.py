"""Before training: is the angle that is predicted the one that these networks have on these data?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpdeep.agreement import ExactTest, Family, Verdict, mean_test
from validation.claim import Claim, Kind

from .comparison import Member
from .design import name_of

_SOURCE = "gpdeep.finite.angle_law"
_STATEMENT = "Before training, ln sin² between inputs of different classes has the predicted mean after the last layer."

_CONTROLS = {
    "E2.control.infinite": (
        "infinite",
        "Infinite width, which knows depth alone, is refused by the same networks.",
        "From the median angle of the pairs instead of all of them; the two differ by 0.02.",
    ),
    "E2.control.start_doubled": (
        "start_doubled",
        "The theory with every width read as twice itself is refused by the same networks.",
        "",
    ),
}


def claims(found: Sequence[Member]) -> list[Claim]:
    """A test for each network shape, over seeds, and the same with a theory of twice the width."""
    groups: dict[str, list[Member]] = {}
    for spec, result in found:
        if not spec["steps"]:
            groups.setdefault(name_of(spec), []).append((spec, result))
    tests: dict[str, ExactTest] = {}
    wrong: dict[str, dict[str, ExactTest]] = {id: {} for id in _CONTROLS}
    for name, group in groups.items():
        sample = np.array([result["angle"] for _, result in group if result["angle"] is not None])
        said = group[0][1]["predicted"]
        if sample.size > 1:
            tests[name] = mean_test(sample, said["start"], rival=said["infinite"])
            for id, (which, _, _) in _CONTROLS.items():
                wrong[id][name] = mean_test(sample, said[which])
    if not tests:
        nothing = "No network has a result."
        return [
            Claim(
                id="E2.init",
                kind=Kind.LAW,
                statement=_STATEMENT,
                source=_SOURCE,
                verdict="INCONCLUSIVE",
                limits=nothing,
            ),
            *(
                Claim(
                    id=id,
                    kind=Kind.CONTROL,
                    statement=statement,
                    source=_SOURCE,
                    verdict="NOT REFUSED",
                    limits=nothing,
                )
                for id, (_, statement, _) in _CONTROLS.items()
            ),
        ]
    lost = sum(result["lost"] for group in groups.values() for _, result in group)
    return [_law(tests, lost), *(_control(id, wrong[id]) for id in _CONTROLS)]


def _law(tests: dict[str, ExactTest], lost: int) -> Claim:
    verdicts = Family(len(tests), name="E2.init").judge(tests)
    worst = min(tests, key=lambda name: tests[name].p_value)
    test = tests[worst]
    return Claim(
        id="E2.init",
        kind=Kind.LAW,
        statement=_STATEMENT,
        source=_SOURCE,
        estimate=test.estimate,
        standard_error=test.standard_error,
        n=test.replicates,
        prediction=test.prediction,
        truncation=0.0,
        rival=None if test.rival_error is None else test.estimate - test.rival_error,
        rival_name="infinite width",
        verdict=verdicts.verdict.value,
        p_adjusted=min(claim.p_adjusted for claim in verdicts.claims),
        power=f"{len(tests)} networks, worst {worst}. {verdicts[worst].note}",
        limits="Means over pairs of one network count as one replicate. The prediction's own error, 0.1 % of a "
        f"standard deviation, is far below what was measured. {lost} pairs that died or collapsed are left out.",
        details={
            "networks": list(tests),
            "measured": [one.estimate for one in tests.values()],
            "standard_error": [one.standard_error for one in tests.values()],
            "predicted": [one.prediction for one in tests.values()],
            "infinite": [one.estimate - (one.rival_error or 0.0) for one in tests.values()],
            "p": [one.p_value for one in tests.values()],
        },
    )


def _control(id: str, wrong: dict[str, ExactTest]) -> Claim:
    _, statement, limits = _CONTROLS[id]
    verdicts = Family(len(wrong), name=id).judge(wrong)
    refused = [name for name in wrong if verdicts[name].verdict is Verdict.REJECTED]
    best = min(wrong, key=lambda name: wrong[name].p_value)
    return Claim(
        id=id,
        kind=Kind.CONTROL,
        statement=statement,
        source=_SOURCE,
        estimate=wrong[best].estimate,
        standard_error=wrong[best].standard_error,
        n=wrong[best].replicates,
        prediction=wrong[best].prediction,
        verdict="REFUSED" if refused else "NOT REFUSED",
        p_adjusted=verdicts[best].p_adjusted,
        power=f"Refused by {len(refused)} of {len(wrong)} networks, most clearly by {best}.",
        limits=limits,
        details={"p": {name: test.p_value for name, test in wrong.items()}},
    )

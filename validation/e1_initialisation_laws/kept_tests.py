"""Exact tests made where the samples are, kept as JSON, and judged together as one claim."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gpdeep.agreement import ExactTest, Family, FamilyVerdicts, TestKind
from validation.claim import Claim, Kind

_KEPT = ("kind", "p_value", "statistic", "estimate", "prediction", "standard_error", "rival_error", "replicates")


def kept(test: ExactTest) -> dict[str, Any]:
    """What is needed to have the test again."""
    found = {name: getattr(test, name) for name in _KEPT} | {"kind": test.kind.name}
    nu = test.degrees_of_freedom
    return found | {"degrees_of_freedom": None if math.isinf(nu) else nu}


def test_of(data: Mapping[str, Any]) -> ExactTest:
    """What `kept` kept."""
    nu = data["degrees_of_freedom"]
    fields = {name: data[name] for name in _KEPT if name != "kind"}
    return ExactTest(kind=TestKind[data["kind"]], degrees_of_freedom=math.inf if nu is None else nu, **fields)


test_of.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


def judged(tests: Mapping[str, ExactTest], size: int, *, independent: bool = False, name: str = "") -> FamilyVerdicts:
    """The verdicts of a declared family at 1e-3."""
    return Family(max(size, len(tests)), independent=independent, name=name).judge(tests)


def law_claim(
    id: str,
    statement: str,
    source: str,
    tests: Mapping[str, ExactTest],
    size: int,
    *,
    independent: bool = False,
    rival_name: str = "",
    limits: str = "",
    details: Mapping[str, Any] | None = None,
) -> Claim:
    """One claim of a family of exact tests; its numbers are those of the least probable cell."""
    if not tests:
        return missing(id, Kind.LAW, statement, source)
    verdicts = judged(tests, size, independent=independent, name=id)
    worst = min(tests, key=lambda name: tests[name].p_value)
    test = tests[worst]
    extra = {claim.name: claim for claim in verdicts.claims if claim.name not in tests}
    cells = {name: [one.estimate, one.prediction, one.standard_error, one.p_value] for name, one in tests.items()}
    return Claim(
        id=id,
        kind=Kind.LAW,
        statement=statement,
        source=source,
        estimate=test.estimate,
        standard_error=test.standard_error,
        n=test.replicates,
        prediction=test.prediction,
        truncation=0.0,
        rival=_rival(test),
        rival_name=rival_name,
        verdict=verdicts.verdict.value,
        p_adjusted=min(claim.p_adjusted for claim in verdicts.claims),
        power=f"{len(tests)} of {size} tests; worst cell {worst}. {verdicts[worst].note}",
        limits=limits,
        details={
            "cells": cells,
            "columns": ["estimate", "prediction", "standard error", "p"],
            "uniformity_p": next((claim.p_value for claim in extra.values()), None),
            **(details or {}),
        },
    )


def _rival(test: ExactTest) -> float | None:
    """What the rival predicts; of a law how far it is."""
    if test.rival_error is None or test.kind in (TestKind.LAW, TestKind.TWO_LAWS):
        return test.rival_error
    return test.estimate - test.rival_error


def missing(id: str, kind: Kind, statement: str, source: str) -> Claim:
    """A claim of which no unit came in."""
    nothing = {Kind.BAR: "MISSED", Kind.CONTROL: "NOT REFUSED", Kind.REPORT: "REPORTED"}
    return Claim(
        id=id,
        kind=kind,
        statement=statement,
        source=source,
        verdict=nothing.get(kind, "INCONCLUSIVE"),
        limits="No unit of this claim has a result.",
    )

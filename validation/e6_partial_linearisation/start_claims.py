"""Claims about angles in partly linear networks before training."""

from __future__ import annotations

import math
from typing import Any

from gpdeep.agreement import Agreement, Family, compare
from gpdeep.linearize import predict_angle

from ..claim import Claim, Kind
from .cells import Found
from .design import SHARES

_SOURCE = "gpdeep.linearize.predict_angle"
# Of ln sin²θ, beside the error that the prediction states for itself, some 1e-3. It is right to 0.01 at widths above
# 24: five times that is declared, half or less of what infinite width is off by.
_TRUNCATION = 0.05


def claims(found: Found) -> list[Claim]:
    """One prediction for each share of nonlinear units, judged together, and the control."""
    if not found.start:
        return []
    family = Family(len(SHARES), name="E6 start")
    agreements = {f"{s['share']:g}": _compared(s, result, family.comparisons) for s, result in found.start}
    verdicts = family.judge(agreements)
    said = [_claim(name, agreement, verdicts[name], found) for name, agreement in agreements.items()]
    partial = [(s, result) for s, result in found.start if s["share"] < 1]
    return [*said, _control(*partial[-1])] if partial else said


def _theory(s: Any, share: float) -> Any:
    return predict_angle([share] * s["depth"], s["angle"], width=s["width"])


def _compared(s: Any, result: Any, family: int, share: float | None = None) -> Agreement:
    theory = _theory(s, s["share"] if share is None else share)
    mean = float(theory.mean[-1])
    return compare(
        result["mean"][-1],
        result["std"][-1] / math.sqrt(result["networks"]),
        mean,
        _TRUNCATION + theory.error.mean,
        family=family,
        replicates=result["networks"],
        rival=float(theory.log_sin2[-1]),
        rival_name="infinite width",
    )


def _claim(name: str, agreement: Agreement, judged: Any, found: Found) -> Claim:
    s, result = next((s, result) for s, result in found.start if f"{s['share']:g}" == name)
    return Claim(
        id=f"E6.start.{name}",
        kind=Kind.PREDICTION,
        statement=f"Mean ln sin²θ after {s['depth']} layers of width {s['width']} with a share {name} of ReLU units.",
        source=_SOURCE,
        estimate=agreement.estimate,
        standard_error=agreement.standard_error,
        n=result["networks"],
        prediction=agreement.prediction,
        truncation=agreement.truncation,
        rival=agreement.rival,
        rival_name=agreement.rival_name,
        verdict=str(judged.verdict),
        p_adjusted=judged.p_adjusted,
        power=judged.note,
        limits="Random weights; ReLU and linear units only.",
        details={"mean": result["mean"], "predicted": _theory(s, s["share"]).mean.tolist()},
    )


def _control(s: Any, result: Any) -> Claim:
    wrong = _compared(s, result, 1, share=1.0)
    return Claim(
        id="E6.start_control",
        kind=Kind.CONTROL,
        statement=f"The prediction for ReLU units throughout, where only a share {s['share']:g} is, has to be refused.",
        source=_SOURCE,
        estimate=wrong.estimate,
        standard_error=wrong.standard_error,
        n=result["networks"],
        prediction=wrong.prediction,
        truncation=wrong.truncation,
        verdict="REFUSED" if str(wrong.verdict) == "DISAGREE" else "NOT REFUSED",
        p_adjusted=wrong.p_adjusted,
    )

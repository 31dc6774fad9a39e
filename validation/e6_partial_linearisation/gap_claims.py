"""Late against every other way to have as few nonlinear units: told with its interval, never asserted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import stdtrit

from gpdeep.agreement import spearman

from ..claim import Claim, Kind
from ..experiment import Settings, Size
from ..nonlinear_advantage import Outcome, gaps
from ..nonlinear_advantage.comparison import Gap
from . import sums
from .cells import Chains, Found, accuracies, left
from .design import ARMS

_NAMES = {
    "early": "pressure from the start, at its own share",
    "same": "the same units linear from the start",
    "per_layer": "as many in each layer, others, from the start",
    "anywhere": "as many, anywhere, from the start",
}
_PAPER = "Mehmeti-Göpel and Disselhoff (2023), arXiv:2211.17180"
_LIMITS = "Nothing is asserted: the gap is told with its 95 % interval over seeds."


def verdict_of(low: float, high: float) -> str:
    """SUPPORTED where late is better, REVERSED where it is worse, INCONCLUSIVE where the interval holds 0.

    >>> verdict_of(0.01, 0.02), verdict_of(-0.02, -0.01), verdict_of(-1, 1), verdict_of(float("nan"), float("nan"))
    ('SUPPORTED', 'REVERSED', 'INCONCLUSIVE', 'INCONCLUSIVE')
    """
    return "SUPPORTED" if low > 0 else "REVERSED" if high < 0 else "INCONCLUSIVE"


def of_chain(chain: Chains) -> list[Claim]:
    """One row for each rival arm, over the shares of units left."""
    return [_gaps(chain, arm) for arm in ARMS[1:]] if chain.arms else []


def _gaps(chain: Chains, arm: str) -> Claim:
    rows = [_paired(share, arms["late"], arms[arm], chain.width) for share, arms in chain.by_share()]
    middle = rows[len(rows) // 2]
    return Claim(
        id=f"E6.{chain.name}.gap.{arm}",
        kind=Kind.REPORT,
        statement=f"Accuracy of late networks minus that of {_NAMES[arm]}, at {middle['left']:.2f} of the units left.",
        source=_PAPER,
        estimate=middle["gap"],
        standard_error=middle["standard_error"],
        n=middle["n"],
        prediction=0.0,
        verdict=verdict_of(middle["low"], middle["high"]),
        limits=_LIMITS + (" At an equal penalty the early network has fewer units left." if arm == "early" else ""),
        details={"rows": rows},
    )


def _paired(share: float, late: Any, other: Any, width: int) -> dict[str, Any]:
    difference = accuracies(late) - accuracies(other)
    n = len(difference)
    error = float(difference.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    half = float(stdtrit(n - 1, 0.975)) * error if n > 1 else math.nan
    gap = float(difference.mean())
    return {
        "left": share,
        "left_other": left(other, width),
        "late": float(accuracies(late).mean()),
        "other": float(accuracies(other).mean()),
        "gap": gap,
        "standard_error": error,
        "low": gap - half,
        "high": gap + half,
        "n": n,
    }


def explained(chain: Chains) -> list[Claim]:
    """How well the predicted angle orders the arms, beside the path length; only for chains without skips."""
    arms = [arm for by_name in chain.arms.values() for arm in by_name.values()]
    if not arms or any(value is None for arm in arms for value in arm["log_sin2"]):
        return []
    scores = np.array([accuracies(arm) for arm in arms])
    angle = np.array([np.mean(arm["log_sin2"]) for arm in arms])
    length = np.array([np.mean(arm["napl"]) for arm in arms])
    return [
        Claim(
            id=f"E6.{chain.name}.angle",
            kind=Kind.REPORT,
            statement="Rank correlation over all arms and penalties between accuracy and the angle that theory "
            "predicts after the last layer, at infinite width, from the slopes of a network.",
            source="gpdeep.linearize.predict_angle",
            estimate=_finite(spearman(angle, scores)),
            n=len(arms),
            rival=_finite(spearman(length, scores)),
            rival_name="normalised average path length",
            verdict="REPORTED",
            limits="An explanatory variable. In a shallow chain more nonlinear units help by what they can express, "
            "and a wider angle comes with fewer: a negative correlation says that angles are not what limits it.",
            details={
                "log_sin2": angle.tolist(),
                "napl": length.tolist(),
                "accuracy": scores.mean(axis=1).tolist(),
                "arm": [name for by_name in chain.arms.values() for name in by_name],
            },
        )
    ]


def of_sums(found: Found) -> list[Claim]:
    """Two-digit sums: this run, and the longer one that is kept beside the code."""
    said = []
    for name, outcomes in (
        ("run", sums.outcomes_of(found.sums)),
        ("committed", sums.committed() if found.sums else []),
    ):
        said += [
            _of_gap(f"E6.sum.{name}.{gap.at:g}", gap, _sum_statement(name, gap))
            for gap in (sums.compared(outcomes) if outcomes else [])
        ]
    return said


def _sum_statement(name: str, gap: Gap) -> str:
    whose = {"run": "", "committed": " (ten seeds, kept in validation/results)"}[name]
    return f"Sums of two digits{whose}: accuracy of late minus early at {gap.at:g} nonlinear layers left."


def _of_gap(name: str, gap: Gap, statement: str, limits: str = _LIMITS, **details: Any) -> Claim:
    seeds = len(gap.seeds)
    error = (gap.high - gap.gap) / float(stdtrit(seeds - 1, 0.975)) if seeds > 1 else None
    return Claim(
        id=name,
        kind=Kind.REPORT,
        statement=statement,
        source=_PAPER + "; validation.nonlinear_advantage",
        estimate=_finite(gap.gap),
        standard_error=error,
        n=seeds,
        prediction=0.0,
        verdict=verdict_of(gap.low, gap.high),
        limits=limits,
        details={
            "early": _finite(gap.early),
            "late": _finite(gap.late),
            "low": _finite(gap.low),
            "high": _finite(gap.high),
            **details,
        },
    )


def of_modules(settings: Settings, found: Found) -> list[Claim]:
    """Convolutional networks and transformers: late minus early at equal path lengths."""
    groups: dict[str, list[tuple[Any, Any]]] = {}
    for s, result in found.modules:
        name = f"{s['model']}.{s['data']}.{s['depth']}" + (".skips" if s.get("skips") else "")
        groups.setdefault(name, []).append((s, result))
    tiny = settings.size is Size.QUICK
    return [_of_module(name, rows, tiny) for name, rows in groups.items()]


def _of_module(name: str, rows: Sequence[tuple[Any, Any]], tiny: bool) -> Claim:
    lengths = {(s["seed"], s["arm"], s["omega"]): result["napl"] for s, result in rows}
    runs = [
        Outcome(s["seed"], s["arm"], s["omega"], result["channels"][0], tuple(result["active"]), result["accuracy"])
        for s, result in rows
    ]

    def length(run: Outcome) -> float:
        return float(lengths[run.seed, run.arm, run.omega])

    both = [[length(run) for run in runs if run.arm == arm] for arm in ("early", "late")]
    place = (max(map(min, both)) + min(map(max, both))) / 2 if all(both) else math.nan
    (gap,) = gaps([run for run in runs if run.arm in ("early", "late")], [place], length)
    limits = "A code path: networks and steps are too few to say anything." if tiny else _LIMITS
    told = [
        {"arm": run.arm, "omega": run.omega, "seed": run.seed, "accuracy": run.accuracy, "napl": length(run)}
        for run in runs
    ]
    statement = f"{name}: accuracy of late minus early at equal normalised average path length, {place:.3g}."
    claim = _of_gap(f"E6.{name}", gap, statement, limits, runs=told)
    return replace(claim, verdict="REPORTED") if tiny else claim


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

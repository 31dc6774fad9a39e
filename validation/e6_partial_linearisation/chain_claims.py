"""Claims about fully connected chains: how much they lose, and where nonlinear units survive."""

from __future__ import annotations

import itertools

import numpy as np

from gpdeep.result import FloatArray

from ..claim import Claim, Kind, bar
from .cells import Chains, accuracies, left, mean_and_error

NEEDED, LOST, KEPT = 0.25, 0.04, 0.30  # bars, set beforehand
_SOURCE = "gpdeep.nn.LinearityPenalty, LinearizeSchedule; Mehmeti-Göpel and Disselhoff (2023), arXiv:2211.17180"


def claims(chain: Chains) -> list[Claim]:
    """Those whose networks have come in."""
    said = [_data(chain)] if chain.record else []
    if chain.base is not None and chain.linear is not None:
        said.append(_needed(chain, accuracies(chain.base), accuracies(chain.linear)))
        if chain.shuffled is not None:
            said.append(_control(chain, accuracies(chain.shuffled), accuracies(chain.linear)))
        if chain.arms:
            said += [_lost(chain, accuracies(chain.base)), _monotone(chain)]
    if chain.arms:
        said.append(_bottom(chain))
    return said


def _data(chain: Chains) -> Claim:
    angles = chain.record["angles"]["other_class"]
    return Claim(
        id=f"E6.{chain.name}.data",
        kind=Kind.REPORT,
        statement="Median angle between training samples of two classes after centring and scaling, radians.",
        source="validation.data.prepared",
        estimate=angles["median"],
        n=angles["pairs"],
        verdict="REPORTED",
        details=dict(chain.record),
    )


def _needed(chain: Chains, base: FloatArray, linear: FloatArray) -> Claim:
    gap, error = mean_and_error(base - linear)
    return Claim(
        id=f"E6.{chain.name}.nonlinear",
        kind=Kind.BAR,
        statement=f"The task needs nonlinearity: ReLU networks are better than linear ones by {NEEDED:g} or more.",
        source="validation.data",
        estimate=gap,
        standard_error=error,
        n=len(base),
        prediction=NEEDED,
        verdict=bar(gap, NEEDED),
        details={"relu": base.tolist(), "linear": linear.tolist()},
    )


def _control(chain: Chains, shuffled: FloatArray, linear: FloatArray) -> Claim:
    gap, error = mean_and_error(shuffled - linear)
    return Claim(
        id=f"E6.{chain.name}.shuffled_control",
        kind=Kind.CONTROL,
        statement="ReLU networks that learn shuffled labels must not pass as better than linear ones.",
        source="validation.data",
        estimate=gap,
        standard_error=error,
        n=len(shuffled),
        prediction=NEEDED,
        verdict="REFUSED" if bar(gap, NEEDED) == "MISSED" else "NOT REFUSED",
        details={"accuracy": shuffled.tolist()},
    )


def _lost(chain: Chains, base: FloatArray) -> Claim:
    rows = [(share, arms) for share, arms in chain.by_share() if share >= KEPT]
    if not rows:
        best = max(share for share, _ in chain.by_share())
        return Claim(
            id=f"E6.{chain.name}.late_loss",
            kind=Kind.BAR,
            statement=f"Late networks that keep {KEPT:.0%} of their units lose at most {LOST:g} of accuracy.",
            source=_SOURCE,
            prediction=LOST,
            verdict="MISSED",
            limits=f"No penalty of the grid left {KEPT:.0%}: at most {best:.2f}.",
        )
    losses = [mean_and_error(base - accuracies(arms["late"])) for _, arms in rows]
    loss, error = max(losses)
    return Claim(
        id=f"E6.{chain.name}.late_loss",
        kind=Kind.BAR,
        statement=f"Late networks that keep {KEPT:.0%} or more of their units lose at most {LOST:g} of accuracy.",
        source=_SOURCE,
        estimate=loss,
        standard_error=error,
        n=len(base),
        prediction=LOST,
        verdict=bar(loss, LOST, at_most=True),
        details={"left": [share for share, _ in rows], "loss": [value for value, _ in losses]},
    )


def _monotone(chain: Chains) -> Claim:
    rows = [(share, accuracies(arms["late"])) for share, arms in chain.by_share()]
    rises = [mean_and_error(fewer - more) for (_, more), (_, fewer) in itertools.pairwise(rows)]
    scores = [rise / error if error else 0.0 for rise, error in rises]
    worst = max(scores, default=0.0)
    return Claim(
        id=f"E6.{chain.name}.monotone",
        kind=Kind.BAR,
        statement="Late networks are the less accurate the fewer nonlinear units are left, within noise: no rise of "
        "more than 3 standard errors from one penalty to the next.",
        source=_SOURCE,
        estimate=worst,
        n=len(rows),
        prediction=3.0,
        verdict=bar(worst, 3.0, at_most=True),
        limits="Seeds are paired. With few seeds a standard error is itself uncertain.",
        details={"left": [share for share, _ in rows], "accuracy": [float(a.mean()) for _, a in rows]},
    )


def _bottom(chain: Chains) -> Claim:
    share, arms = chain.by_share()[0]
    layers = np.mean(arms["late"]["active"], axis=0) / chain.width
    difference, error = mean_and_error(
        (np.array(arms["late"]["active"])[:, 0] - np.array(arms["late"]["active"])[:, -1]) / chain.width
    )
    return Claim(
        id=f"E6.{chain.name}.first_layer",
        kind=Kind.BAR,
        statement="Of the nonlinear units that are left more are in the first layer than in the last.",
        source=_SOURCE,
        estimate=difference,
        standard_error=error,
        n=len(arms["late"]["active"]),
        prediction=0.0,
        rival=0.0,
        rival_name="survivors spread evenly",
        verdict="MET" if difference > 0 else "MISSED",
        limits=f"At the weakest penalty, with {share:.2f} of the units left.",
        details={
            "by_layer": layers.tolist(),
            "all": {
                f"{s:.3f}": (np.mean(a["late"]["active"], axis=0) / chain.width).tolist() for s, a in chain.by_share()
            },
            "left_early": [left(a["early"], chain.width) for _, a in chain.by_share()],
        },
    )

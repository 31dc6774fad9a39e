"""Claims about steps that follow the representation."""

from __future__ import annotations

import numpy as np

from ..claim import Claim, Kind, bar
from .cells import Cells, Mean, Network

EVENER, COSTLIER = 0.2, 1.03  # bars, set beforehand
_SOURCE = "gpdeep.nn.adapt_steps; A. Jacot and A. Kaiser (2024), arXiv:2405.17573, adaptive layer steps"
_LEAST_LAYERS = 24


def claims(cells: Cells) -> list[Claim]:
    """At every number of layers from 24 with both kinds of steps."""
    found = []
    for layers in (_LEAST_LAYERS, 48, 96, 200):
        for depth in cells.depths(layers, "adaptive"):
            if cells.networks(depth, layers):
                found += [_moves(cells, depth, layers), _cost(cells, depth, layers)]
                found += [_gain(cells, depth, layers, what) for what in ("objective", "test_cost")]
    return found


def unevenness(network: Network) -> float:
    """The largest move of a layer over the median one."""
    return float(np.max(network["moves"]) / np.median(network["moves"]))


def _moves(cells: Cells, depth: float, layers: int) -> Claim:
    equal = cells.mean(unevenness, depth, layers)
    adapted = cells.mean(unevenness, depth, layers, "adaptive")
    reduction = 1 - adapted.value / equal.value
    return Claim(
        id=f"E5.adaptive_moves.{depth:g}.{layers}",
        kind=Kind.BAR,
        statement=f"At L̃ = {depth:g}, {layers} layers, adapted steps lower the ratio of the largest to the median move "
        f"of a layer by {EVENER:.0%} or more.",
        source=_SOURCE,
        estimate=reduction,
        n=adapted.n,
        prediction=EVENER,
        rival=0.0,
        rival_name="equal steps",
        verdict=bar(reduction, EVENER),
        details={
            "equal": equal.value,
            "adaptive": adapted.value,
            "steps": [n["steps"] for n in cells.networks(depth, layers, "adaptive")],
        },
    )


def _ratio(cells: Cells, depth: float, layers: int, what: str) -> Mean:
    pairs = zip(cells.networks(depth, layers, "adaptive"), cells.networks(depth, layers), strict=False)
    return Mean.of([adapted[what] / equal[what] for adapted, equal in pairs])


def _cost(cells: Cells, depth: float, layers: int) -> Claim:
    ratio = _ratio(cells, depth, layers, "objective")
    return Claim(
        id=f"E5.adaptive_cost.{depth:g}.{layers}",
        kind=Kind.BAR,
        statement=f"At L̃ = {depth:g}, {layers} layers, adapted steps cost at most 3 % of the objective.",
        source=_SOURCE,
        estimate=ratio.value,
        standard_error=ratio.error,
        n=ratio.n,
        prediction=COSTLIER,
        rival=1.0,
        rival_name="equal steps",
        verdict=bar(ratio.value, COSTLIER, at_most=True),
        limits="Both end in local minima, which need not be the same one.",
    )


def _gain(cells: Cells, depth: float, layers: int, what: str) -> Claim:
    ratio = _ratio(cells, depth, layers, what)
    names = {"objective": "objective", "test_cost": "squared error on fresh samples"}
    return Claim(
        id=f"E5.adaptive_{what}.{depth:g}.{layers}",
        kind=Kind.REPORT,
        statement=f"{names[what].capitalize()} with adapted over equal steps, L̃ = {depth:g}, {layers} layers.",
        source=_SOURCE,
        estimate=ratio.value,
        standard_error=ratio.error,
        n=ratio.n,
        rival=1.0,
        rival_name="equal steps",
        verdict="REPORTED",
        limits="Told, not claimed: earlier runs saw no lower objective with adapted steps.",
    )

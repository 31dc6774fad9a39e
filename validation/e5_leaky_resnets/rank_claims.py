"""Claims about the middle of the network: it is as wide as the task, not as its inputs."""

from __future__ import annotations

import numpy as np

from ..claim import Claim, Kind
from .cells import Cells, Network
from .design import HIDDEN

LOW, HIGH = 0.7, 1.5  # of k*, set beforehand
_LAYERS = 24
_DEEPEST = 4.0
_SOURCE = "A. Jacot and A. Kaiser (2024), arXiv:2405.17573; gpdeep.leaky"


def claims(cells: Cells) -> list[Claim]:
    """The rank in the middle, and the cost of identity."""
    return [
        *(_rank(cells, depth) for depth in cells.depths(_LAYERS) if depth <= _DEEPEST),
        *(_identity(cells, depth) for depth in cells.depths(_LAYERS)),
    ]


def _rank(cells: Cells, depth: float) -> Claim:
    middle = cells.mean(lambda n: n["rank"][_LAYERS // 2], depth, _LAYERS)
    start = cells.mean(lambda n: n["rank"][0], depth, _LAYERS)
    return Claim(
        id=f"E5.rank.{depth:g}",
        kind=Kind.BAR,
        statement=f"At L̃ = {depth:g} the participation rank in the middle of {_LAYERS} layers is that of the task, "
        f"k* = {HIDDEN}, within [{LOW:g}, {HIGH:g}] k*.",
        source=_SOURCE,
        estimate=middle.value,
        standard_error=middle.error,
        n=middle.n,
        prediction=float(HIDDEN),
        rival=start.value,
        rival_name="the rank of the inputs, unchanged",
        verdict="MET" if LOW * HIDDEN <= middle.value <= HIGH * HIDDEN else "MISSED",
        limits="Participation rank (tr K)²/tr K² of the representation with its mean over samples taken away, halfway "
        "in p. It counts every direction by its variance: at a small effective depth inputs are not forgotten there, "
        "and the curved image of a task of two dimensions fills more than two.",
        details={
            "rank": [n["rank"] for n in cells.networks(depth, _LAYERS)],
            "rank_uncentred": [n["rank_uncentred"] for n in cells.networks(depth, _LAYERS)],
            "least": cells.mean(lambda n: min(n["rank"]), depth, _LAYERS).value,
            "by_depth": {
                f"{d:g}": cells.mean(lambda n: n["rank"][_LAYERS // 2], d, _LAYERS).value for d in cells.depths(_LAYERS)
            },
        },
    )


def _identity(cells: Cells, depth: float) -> Claim:
    def middle(network: Network) -> float:
        return float(np.median(network["cost_of_identity"][_LAYERS // 3 : 2 * _LAYERS // 3]))

    mean = cells.mean(middle, depth, _LAYERS)
    return Claim(
        id=f"E5.cost_of_identity.{depth:g}",
        kind=Kind.REPORT,
        statement=f"Cost of identity in the middle third at L̃ = {depth:g}, beside -2H/L̃ and the rank.",
        source="gpdeep.leaky.cost_of_identity",
        estimate=mean.value,
        standard_error=mean.error,
        n=mean.n,
        rival=cells.mean(lambda n: n["rank_like"], depth, _LAYERS).value,
        rival_name="-2H/L̃",
        verdict="REPORTED",
        limits="At γ = 0.01 of the kernel's largest eigenvalue; without γ it is infinite at the input, where the "
        "kernel is singular, and large in a bottleneck. From the first layer's output on.",
        details={"cost_of_identity": [n["cost_of_identity"] for n in cells.networks(depth, _LAYERS)]},
    )

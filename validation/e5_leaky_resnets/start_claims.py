"""Claims about networks that are not trained yet."""

from __future__ import annotations

from gpdeep.agreement import compare

from ..claim import Claim, Kind
from .cells import Cells
from .design import LEVEL_DEPTH, LEVEL_WIDTH

# Sums of `width` terms through `layers` layers, in float64: 40 · 16 · 2e-16 = 1.4e-13, and two orders for cancellation.
ROUNDING = 1e-11
_SOURCE = "gpdeep.nn.LeakyResNet.sample_invariant; A. Jacot and A. Kaiser (2024), arXiv:2405.17573"


def claims(cells: Cells) -> list[Claim]:
    """Those whose units have a result."""
    found = []
    if "invariant.relu" in cells.start:
        found.append(_invariant(cells.start["invariant.relu"]["violation"]))
    if "invariant.tanh" in cells.start:
        found.append(_control(cells.start["invariant.tanh"]["violation"]))
    if "level" in cells.start:
        found.append(_level(cells))
    return found


def _invariant(violation: float) -> Claim:
    return Claim(
        id="E5.invariant",
        kind=Kind.LAW,
        statement="With ReLU and any weights a·b of a sample changes from layer to layer by what the bias adds, and by "
        "nothing else.",
        source=_SOURCE,
        estimate=violation,
        n=1,
        prediction=0.0,
        truncation=ROUNDING,
        verdict="CONSISTENT" if violation <= ROUNDING else "REJECTED",
        power=f"A relative violation of {ROUNDING:g} in any layer and sample.",
        limits="An identity of the recursions; nothing about training.",
    )


def _control(violation: float) -> Claim:
    return Claim(
        id="E5.invariant_control",
        kind=Kind.CONTROL,
        statement="The same identity with tanh, which is not homogeneous, has to be refused.",
        source=_SOURCE,
        estimate=violation,
        n=1,
        prediction=0.0,
        truncation=ROUNDING,
        verdict="REFUSED" if violation > ROUNDING else "NOT REFUSED",
    )


def _level(cells: Cells) -> Claim:
    level, he = cells.start["level"]["level"], cells.start["level"]["he"]
    # E φ(a)² = ½ E a² needs the sign of a neuron to know nothing of the norm of its layer. It knows 1/(2n) of it at
    # once, and up to 1/n more from the layers before; with short steps E a² then grows at a rate of up to 6/n.
    truncation = 6 * LEVEL_DEPTH / LEVEL_WIDTH
    judged = compare(
        level["mean"], level["standard_error"], 1.0, truncation, rival=he["mean"], rival_name="He's weights"
    )
    return Claim(
        id="E5.level",
        kind=Kind.PREDICTION,
        statement="At the default start no layer changes a mean square of 1.",
        source="gpdeep.nn.leaky.start.level_sigma",
        estimate=level["mean"],
        standard_error=level["standard_error"],
        prediction=1.0,
        truncation=truncation,
        rival=he["mean"],
        rival_name="He's weights, σ_w² = 2",
        verdict=str(judged.verdict),
        p_adjusted=judged.p_adjusted,
        power=judged.reason,
    )

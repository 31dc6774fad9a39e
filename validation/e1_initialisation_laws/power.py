"""How many networks tell finite from infinite width, from theory alone."""

from __future__ import annotations

from gpdeep.agreement import replicates_for_mean
from validation.claim import Claim, Kind

from .design import Design
from .means import Theory

_FAMILY = 40


def claim(design: Design) -> Claim:
    """Replicates for 80 % power in a family of 40 at 1e-3, cell by cell."""
    keys = [(width, layer) for width in design.mean_widths for layer in design.mean_layers]
    theories = [Theory(*key) for key in keys]
    needed = [
        replicates_for_mean(theory.std, theory.infinite - theory.grid, family=_FAMILY, known_std=True)
        for theory in theories
    ]
    return Claim(
        id="E1.power",
        kind=Kind.REPORT,
        statement="Networks that tell finite from infinite width by the mean of ln sin²θ (80 % power, 40 cells, 1e-3).",
        source="gpdeep.agreement.replicates_for_mean",
        estimate=float(max(needed)),
        verdict="REPORTED",
        power=f"{sum(r <= design.mean_networks for r in needed)} of {len(needed)} cells have as many.",
        limits="Planned from the grid's standard deviation and from the distance of the two theories.",
        details={"cells": [f"n = {n}, L = {layer}" for n, layer in keys], "networks": needed},
    )

r"""ln sin²θ^l of networks with real weights after every layer, from a right angle: a curve to draw laws beside.

Nothing is judged here; what is tested stands in `means` and `sampler`. Sums are taken over networks in which the pair
still lives at that layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gpdeep.finite import angle_law
from validation.claim import Claim, Kind

from .design import RIGHT, Cells, root
from .kept_tests import missing
from .simulate import real_networks

_ID = "E1.by_layer"
_STATEMENT = "Mean of ln sin²θ after every layer of networks with real weights, from a right angle."
_SOURCE = "gpdeep.finite.angle_law"


def sums(specification: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Survivors after each layer, their mean and their standard deviation."""
    width, depth = specification["width"], specification["depth"]
    x, _, _ = real_networks(width, depth, RIGHT, specification["networks"], root(specification), device)
    columns = [column[np.isfinite(column)] for column in x.T]
    return {
        "alive": [column.size for column in columns],
        "mean": [float(column.mean()) if column.size else None for column in columns],
        "std": [float(column.std(ddof=1)) if column.size > 1 else None for column in columns],
    }


def claim(cells: Cells) -> Claim:
    """The curves, and how far the grid's means are from them."""
    found = cells.of("by_layer")
    if not found:
        return missing(_ID, Kind.REPORT, _STATEMENT, _SOURCE)
    errors = [_standard_errors(result) for _, result in found]
    laws = [angle_law([spec["width"]] * spec["depth"], RIGHT, method="grid") for spec, _ in found]
    z = [
        abs(mean - predicted) / error
        for (_, result), law, column in zip(found, laws, errors, strict=True)
        for mean, predicted, error in zip(result["mean"], law.mean.tolist(), column, strict=True)
        if mean is not None and error
    ]
    spec, result = found[0]
    return Claim(
        id=_ID,
        kind=Kind.REPORT,
        statement=_STATEMENT,
        source=_SOURCE,
        estimate=result["mean"][-1],
        standard_error=errors[0][-1],
        n=result["alive"][-1],
        prediction=float(laws[0].mean[-1]),
        rival=float(angle_law([spec["width"]] * spec["depth"], RIGHT, method="infinite").mean[-1]),
        rival_name="infinite width",
        verdict="REPORTED",
        power=f"The numbers are those of the last layer at n = {spec['width']}, L = {spec['depth']}. The largest |z| "
        f"of {len(z)} layers beside the grid is {max(z, default=math.nan):.2f}.",
        limits="Layers of one network depend on each other: the points of a curve err together.",
        details={
            "angle": RIGHT,
            "width": [spec["width"] for spec, _ in found],
            "depth": [spec["depth"] for spec, _ in found],
            "networks": [spec["networks"] for spec, _ in found],
            "alive": [result["alive"] for _, result in found],
            "mean": [result["mean"] for _, result in found],
            "standard_deviation": [result["std"] for _, result in found],
            "standard_error": errors,
        },
    )


def _standard_errors(result: Mapping[str, Any]) -> list[float | None]:
    """Of the means."""
    return [
        None if std is None else std / math.sqrt(alive)
        for std, alive in zip(result["std"], result["alive"], strict=True)
    ]

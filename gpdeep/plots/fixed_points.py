"""Fixed points of a variance map in a picture: full dots that attract, rings that do not, and basins as areas."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .figure import VERMILLION

if TYPE_CHECKING:
    from ..meanfield.fixed_point import FixedPoint


def basin(ax: Any, point: FixedPoint, low: float, high: float, colour: str) -> None:
    """The interval of variances that converge to `point`, as far as it lies between `low` and `high`."""
    start, end = point.basin
    until = r"\infty" if math.isinf(end) else f"{end:.4g}"
    label = f"basin of $q^* = {point.q:.4g}$: ({start:.4g}, ${until}$)"
    ax.axvspan(max(start, low), min(end, high), color=colour, alpha=0.08, linewidth=0, label=label)


def dot(ax: Any, point: FixedPoint, at: float) -> None:
    """A full dot for a stable fixed point, a ring for any other: wider, to be seen around a dot at the same place."""
    label = rf"$q^* = {point.q:.5g}$, $V' = {point.slope:.4g}$, $\chi_1 = {point.chi_1:.4g}$"
    style = full(VERMILLION)
    if not point.stable:
        style |= {"markerfacecolor": "white", "markersize": 8, "zorder": 2.5}
        label += " (not stable)"
    ax.plot([at], [at], **style, label=label)


def full(colour: str) -> dict[str, Any]:
    """The style of a full dot, which the frame does not cut."""
    return {"linestyle": "none", "marker": "o", "color": colour, "clip_on": False, "zorder": 3}

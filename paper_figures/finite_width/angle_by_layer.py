r"""ln sin²θ layer by layer: networks with real weights beside three theories, at a large and at a small width.

Two inputs at an angle enter networks of random weights (ReLU, He). Points are means over networks with two standard
errors, the shaded band is one standard deviation of the law about its mean: where a single network lies. The law on a
grid agrees with networks at both widths. Infinite width misses the drift that finite width adds in every layer.
The recursion of the papers (Jakub & Nica 2023, arXiv 2306.01513) is right at width 256, where they looked, and falls
too fast at width 32. A width or an angle that was not measured is drawn by theory alone, and the notes say so.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gpdeep import finite
from gpdeep.plots.figure import BLUE, GREEN, LOG_SIN2, VERMILLION, layer_axis
from validation.evidence import RESULTS

from ..drawing import Drawing, Numbers, panels
from ..measured import details, evidence, read_from

TITLE = "ln sin²θ by layer: networks, law, infinite width, the papers' recursion"
SMALL = {"depth": 6}

_EIGHT_DIGITS = 1e-7  # of the angle that is kept


def draw(
    *, width: int = 256, narrow: int = 32, depth: int = 32, angle: float = math.pi / 2, results: str = str(RESULTS)
) -> Drawing:
    """Two panels, one for each width, from a pair at `angle` (rad)."""
    kept = evidence("E1", results)
    measured = details(kept, "E1.by_layer")
    axs = panels(2, height=3.0)
    numbers, notes, shown = Numbers(), [], False
    for ax, n in zip(axs, (width, narrow), strict=True):
        layer = np.arange(1, depth + 1)
        law = finite.angle_law([n] * depth, angle)
        infinite = finite.angle_law([n] * depth, angle, method="infinite").mean
        papers = finite.jakub_nica_recursion([n] * depth, angle)
        top = np.minimum(law.mean + law.std, 0.0)
        ax.fill_between(layer, law.mean - law.std, top, color=BLUE, alpha=0.15, linewidth=0, label="law, ± 1 std")
        ax.plot(layer, infinite, color=VERMILLION, linestyle="--", label="infinite width")
        ax.plot(layer, law.mean, color=BLUE, linewidth=2, label="law, mean")
        ax.plot(layer, papers, color=GREEN, linestyle="-.", label="papers' recursion")
        numbers.add(
            width=n,
            layer=layer,
            law_mean=law.mean,
            law_standard_deviation=law.std,
            infinite_width=infinite,
            papers_recursion=papers,
        )
        points = _of(measured, n, angle)
        if points is None:
            notes.append(f"No networks of width {n} were measured at this angle: theory alone there.")
        else:
            shown = True
            found = {name: values[:depth] for name, values in points.items()}
            ax.errorbar(
                layer[: len(found["mean"])],
                found["mean"],
                2 * found["standard_error"],
                color="black",
                linestyle="none",
                marker="o",
                markersize=3,
                elinewidth=0.8,
                zorder=3,
                label="networks, ± 2 s.e.",
            )
            numbers.add(
                width=n,
                layer=layer[: len(found["mean"])],
                measured_mean=found["mean"],
                measured_standard_deviation=found["standard_deviation"],
                measured_standard_error=found["standard_error"],
                networks=found["alive"].astype(int),
            )
            number = int(found["alive"][0])
            notes.append(f"Width {n}: {number} networks, which all points of a curve share; they err together.")
        layer_axis(ax, layer)
        ax.set(title=f"width {n}", ylabel=f"${LOG_SIN2}_l$ (nats)")
    axs[0].legend(loc="lower left")
    return Drawing(axs[0].figure, numbers, read_from(kept) if shown else {}, tuple(notes))


def _of(measured: Any, width: int, angle: float) -> dict[str, Any] | None:
    """Columns of the networks of a width, if they began at this angle."""
    if width not in measured["width"] or not math.isclose(measured["angle"], angle, rel_tol=0, abs_tol=_EIGHT_DIGITS):
        return None
    place = measured["width"].index(width)
    names = ("mean", "standard_deviation", "standard_error", "alive")
    return {name: np.array(measured[name][place], dtype=float) for name in names}

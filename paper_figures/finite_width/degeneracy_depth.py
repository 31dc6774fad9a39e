r"""Degeneracy depth against width: how deep a ReLU network of n units a layer tells two inputs apart.

The last layer L* at which P(ln sin²θ_L ≥ x*) reaches a confidence, for several thresholds x*: full marks for the first
confidence, empty ones for the others. Two simple rules are drawn beside it, each with one cause of degeneracy alone,
and each too deep. Infinite width (horizontal) has the mean map of a layer and no fluctuation; L* comes near it when
the network is some ten times wider than deep. The effective depth (dotted) has the drift of narrow layers, 2/n off
ln sin²θ in each, and no mean map: inputs would be lost at Σ1/n = |x*|/2. The question is Jakub & Nica's (2023, arXiv
2302.09712), the angle at infinite width Cho & Saul's (2009).
"""

from __future__ import annotations

import math
from itertools import cycle
from typing import Any

import numpy as np

from gpdeep import finite
from gpdeep.errors import DomainError
from gpdeep.meanfield import infinite_degeneracy_depth
from gpdeep.plots.figure import GREY

from ..drawing import COLOURS, Drawing, Numbers, numbers_in, panels, whole_numbers

TITLE = "degeneracy depth against width"
SMALL = {"widths": "16,64", "thresholds": "-2"}

_LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)))
_MARKERS = "os^Dv"
_DEEPEST = 20_000


def draw(
    *,
    widths: str = "8,12,16,24,32,48,64,96,128,192,256,384,512,768,1024",
    thresholds: str = "-1.5,-4,-8",
    confidences: str = "0.5,0.9",
    angle: float = math.pi / 2,
) -> Drawing:
    """A colour a threshold of ln sin²θ, a line a confidence, from a pair at `angle` (rad)."""
    (ax,) = panels(height=3.9)
    ax.set(xscale="log", yscale="log", xlabel="width $n$ (units a layer)", ylabel="degeneracy depth $L^*$ (layers)")
    numbers = Numbers()
    sizes, shares = np.array(whole_numbers(widths)), numbers_in(confidences)
    if not all(0 < share < 1 for share in shares):
        raise DomainError(f"confidences={confidences}.", "They are probabilities.", "Use numbers between 0 and 1.")
    for threshold, colour, marker in zip(numbers_in(thresholds), cycle(COLOURS), cycle(_MARKERS), strict=False):
        limit = infinite_degeneracy_depth(angle, threshold)
        rule = sizes * -threshold / 2
        depths = np.array([_depths(n, threshold, shares, angle, limit) for n in sizes.tolist()])
        if limit > 0:
            ax.axhline(limit, color=colour, linewidth=0.8, alpha=0.7)
        ax.plot(sizes, np.where(rule <= 1.5 * limit, rule, np.nan), color=colour, linestyle=(0, (1, 2)), linewidth=1)
        for share, line, column in zip(shares, cycle(_LINES), depths.T, strict=False):
            shown = np.where(column > 0, column, np.nan)
            first = share == shares[0]
            ax.plot(
                sizes,
                shown,
                color=colour,
                linestyle=line,
                marker=marker,
                markerfacecolor=colour if first else "white",
                label=f"$x^* = {threshold:g}$" if first else None,
            )
            numbers.add(
                width=sizes,
                threshold_log_sin2=threshold,
                confidence=share,
                degeneracy_depth=column,
                infinite_width=limit,
                effective_depth_rule=rule,
            )
    for share, line in zip(shares, cycle(_LINES), strict=False):
        ax.plot([], [], color=GREY, linestyle=line, label=f"confidence {share:g}")
    ax.plot([], [], color=GREY, linewidth=0.8, label="infinite width")
    ax.plot([], [], color=GREY, linestyle=(0, (1, 2)), linewidth=1, label=r"rule $\Sigma\,1/n = |x^*|/2$")
    _plain_numbers(ax)
    ax.figure.legend(loc="outside lower center", ncols=3)
    return Drawing(ax.figure, numbers)


def _depths(width: int, threshold: float, confidences: list[float], angle: float, limit: float) -> list[int]:
    """The last layer at which both inputs are told apart with each confidence; 0 if there is none."""
    depth = int(min(4 * width * -threshold, limit)) + 1
    while True:
        above = finite.angle_law([width] * depth, angle, threshold=threshold).above
        if above[-1] < min(confidences):
            break
        if depth >= _DEEPEST:
            raise DomainError(
                f"Width {width} still tells the inputs apart after {depth} layers.",
                f"A threshold of {threshold:g} or a confidence of {min(confidences):g} is very low.",
                "Use a threshold nearer to 0.",
            )
        depth *= 2
    found = [np.flatnonzero(above >= share) for share in confidences]
    return [int(layers[-1]) + 1 if layers.size else 0 for layers in found]


def _plain_numbers(ax: Any) -> None:
    """1, 10, 100 instead of powers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())

"""Density of ln sin²θ at the last layer, by width: the law beside the normal law of equal mean and deviation.

Two inputs at an angle enter networks of random weights; after `depth` layers ln sin²θ scatters from network to network.
It is often drawn as a normal law (log-normal angles: Jakub & Nica 2023); it is skewed to the left where networks are
narrow, which is how far the dashed lines are from the others.
"""

from __future__ import annotations

import math
from itertools import cycle

import numpy as np

from gpdeep import finite
from gpdeep.plots.figure import GREY, LOG_SIN2

from ..drawing import COLOURS, Drawing, Numbers, panels, whole_numbers

TITLE = "density of ln sin²θ at the last layer"
SMALL = {"depth": 4, "widths": "16,64", "points": 20}

_MARKERS = "os^DvPX"


def draw(
    *, depth: int = 20, widths: str = "16,32,64,128,256", angle: float = math.pi / 2, points: int = 200
) -> Drawing:
    """Densities at width n after `depth` layers, from a pair at `angle` (rad)."""
    (ax,) = panels(height=3.2)
    numbers = Numbers()
    for width, colour, marker in zip(whole_numbers(widths), cycle(COLOURS), cycle(_MARKERS), strict=False):
        law = finite.angle_law([width] * depth, angle)
        x, density = law.density(points)
        mean, std = law.mean[-1], law.std[-1]
        normal = np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))
        peak = [int(np.argmax(density))]
        ax.plot(x, density, color=colour, marker=marker, markevery=peak, markersize=5, label=f"$n = {width}$")
        ax.plot(x, normal, color=colour, linestyle=(0, (3, 2)), linewidth=0.8)
        numbers.add(width=width, log_sin2=x, density=density, normal=normal)
    ax.set(xlabel=f"${LOG_SIN2}_L$ after $L = {depth}$ layers (nats)", ylabel="density (1/nat)", ylim=(0, None))
    ax.plot([], [], color=GREY, linestyle=(0, (3, 2)), linewidth=0.8, label="normal law, same\nmean and deviation")
    ax.legend(title="width", alignment="left")
    return Drawing(ax.figure, numbers)

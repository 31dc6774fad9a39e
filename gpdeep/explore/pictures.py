"""Pictures whose frame stays where it is while a slider is dragged.

matplotlib's layout follows the width of the numbers on an axis, so a frame would move with every step; and finding it
takes half of the time of drawing. Here the frame has one size in inches, and the page beneath it grows with the legend.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ..plots.figure import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FRAME = (3.7, 3.3)  # inches, as all below: on a phone letters of 10 points are 11 pixels high
_LEFT, _RIGHT, _TOP = 0.82, 0.15, 0.32
_LABELS, _LEGEND, _ROW = 0.54, 0.74, 0.22  # under the frame: numbers and label; where the legend begins; a row of it


def blank() -> Axes:
    """An empty axis on a figure of its own."""
    found: Axes = figure((_LEFT + _FRAME[0] + _RIGHT, _TOP + _FRAME[1] + _LABELS)).add_subplot()
    return found


def still(*pictures: Axes, legend_beneath: bool) -> tuple[Axes, ...]:
    """Put the frames of pictures that stand beside each other where they are to stay.

    Parameters
    ----------
    *pictures : matplotlib Axes
        Drawn on axes from `blank`.
    legend_beneath : bool
        Whether legends stand under their frames.

    Returns
    -------
    tuple of Axes
        The same, each with room for the longest of the legends.
    """
    legends = [legend for ax in pictures if (legend := ax.get_legend())]
    rows = max((len(legend.get_texts()) for legend in legends), default=0)
    below = _LEGEND + _ROW * rows if legend_beneath else _LABELS
    width, height = _LEFT + _FRAME[0] + _RIGHT, _TOP + _FRAME[1] + below
    for ax in pictures:
        page = ax.figure.canvas.figure
        page.set_layout_engine("none")
        page.set_size_inches(width, height)
        ax.set_position((_LEFT / width, below / height, _FRAME[0] / width, _FRAME[1] / height))
    return pictures


def svg(ax: Axes) -> bytes:
    """The figure of `ax` as an SVG file."""
    buffer = io.BytesIO()
    ax.figure.canvas.figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()

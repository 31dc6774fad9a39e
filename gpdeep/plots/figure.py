"""What all pictures share: a figure of their own, colours, curves over layers, the legend, and the file.

Colours are those of Okabe & Ito (2008), which remain distinct to colour-blind readers.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DomainError, MissingExtraError
from ..gaussian.arguments import shown, whole
from ..result import FloatArray, path_of, write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, VERMILLION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#595959"
PURPLE, ORANGE, SKY = "#CC79A7", "#E69F00", "#56B4E9"
FORMATS = (".png", ".pdf", ".svg")
"""What `save_figure` writes."""

LOG_SIN2 = r"\ln\,\sin^2\theta"
CERTAIN = 0.999
"""Survival above it goes without saying."""

_NUMBER = re.compile(r"\d+\.\d+(e[+-]?\d+)?")
_MOST_PICTURES = 100
_MOST_SEARCHED = 10_000
_UNDER_THE_LABEL = 4.6  # letters of the legend: what numbers and label of the axis take, however tall the picture is


def save_figure(ax: Axes, path: str | os.PathLike[str]) -> Path:
    """Write the figure that `ax` belongs to; the file appears complete or not at all.

    Parameters
    ----------
    ax : matplotlib Axes
    path : path
        Its ending chooses the format: .png (200 dots an inch), .pdf or .svg.

    Returns
    -------
    Path

    Raises
    ------
    DomainError
        Another ending.
    OSError
        The file cannot be written; nothing is left behind.
    """
    target, ax = picture_file(path), axes(ax)
    suffix = target.suffix.lower()
    buffer = io.BytesIO()
    ax.figure.canvas.figure.savefig(buffer, format=suffix[1:], dpi=200)
    return write_atomically(target, buffer.getvalue())


def picture_file(path: str | os.PathLike[str]) -> Path:
    """`path` as a file to which a picture can be written.

    Raises
    ------
    DomainError
        The ending is not a format that is written, or there is no such folder.
    """
    target = path_of(path)
    if target.suffix.lower() not in FORMATS:
        raise DomainError(
            f"'{target}' ends in '{target.suffix}'.",
            "The ending chooses the format of the picture, and this one is missing or not a format that is written.",
            f"Use one of {', '.join(FORMATS)}.",
        )
    if not target.parent.is_dir() or target.is_dir():
        raise DomainError(
            f"The picture '{target}' cannot be written.",
            "Its folder does not exist, or it is itself a folder.",
            "Give a file in an existing folder.",
        )
    return target


def side_by_side(count: int = 2, *, rows: int = 1) -> tuple[Any, ...]:
    """Axes of a new figure, row by row, for pictures that belong together; `save_figure` of any writes all."""
    rows = whole("rows", rows, 1, _MOST_PICTURES)
    columns = -(-whole("count", count, 1, _MOST_PICTURES) // rows)
    width, height = (5.0, 5.6) if rows == 1 else (6.0, 4.4)
    page = figure((width * columns, height * rows))
    return tuple(page.add_subplot(rows, columns, number + 1) for number in range(count))


def figure(size: tuple[float, float]) -> Any:
    """A new figure that pyplot knows nothing of, `size` in inches.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError.of("matplotlib", "plot", "Plotting") from error
    return Figure(figsize=size, layout="constrained")


def axes(ax: Axes | None) -> Any:
    """`ax`, or the only axis of a new figure.

    Raises
    ------
    DomainError
        `ax` is no axis.
    """
    if ax is None:
        return figure((7.0, 4.4)).add_subplot()
    if not all(hasattr(ax, name) for name in ("errorbar", "figure", "spines")):
        raise DomainError(
            f"ax is {shown(ax)}.",
            "A figure, or the array of axes that subplots returns, was given where one axis is meant.",
            "Give one axis of matplotlib, or leave ax out.",
        )
    return ax


def require_result(value: Any, *kinds: str, having: tuple[str, ...] = ()) -> None:
    """Refuse what is none of these results of gpdeep, named so that drawing imports no room that it does not need.

    Something else will do if it is `having` what the picture shows.

    Raises
    ------
    DomainError
        It is something else.
    """
    names = {kind.__name__ for kind in type(value).__mro__ if kind.__module__.startswith("gpdeep.")}
    if not names.intersection(kinds) and not (having and all(hasattr(value, name) for name in having)):
        raise DomainError(
            f"A picture of a {' or '.join(kinds)} was asked for, of {shown(value)}.",
            "Another result, or the numbers in it, was given.",
            "Give the result itself, as the function that computes it returns it.",
        )


def rounded_name(activation: str) -> str:
    """An activation's name with five digits of each number.

    >>> rounded_name("crelu:1.0364333894937898,1.4")
    'crelu:1.0364,1.4'
    """
    return _NUMBER.sub(lambda number: f"{float(number[0]):.5g}", activation)


def finite(values: FloatArray) -> FloatArray:
    """`values` with gaps in place of infinities."""
    return np.where(np.isfinite(values), values, np.nan)


def curve(ax: Any, layer: Any, values: FloatArray, **style: Any) -> None:
    """A line over the layers; a dot where there is but one."""
    ax.plot(layer, finite(values), marker="o" if len(layer) == 1 else None, **style)


def band(ax: Any, layer: Any, mean: FloatArray, std: FloatArray, ceiling: float = np.inf) -> None:
    """One standard deviation about the mean; a bar for a single layer, nothing where there is no deviation."""
    low, high = finite(mean - std), finite(np.minimum(mean + std, ceiling))
    if not np.any(std > 0):
        return
    label = "mean ± standard deviation"
    if len(layer) == 1:
        ax.vlines(layer, low, high, color=BLUE, alpha=0.4, linewidth=6, label=label)
    else:
        ax.fill_between(layer, low, high, color=BLUE, alpha=0.18, linewidth=0, label=label)


def layer_axis(ax: Any, layer: Any) -> None:
    """The axis of layers: from the first to the last, integers only."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlabel("layer $l$")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    margin = 0.5 if len(layer) == 1 else 0.01 * len(layer)
    ax.set_xlim(layer[0] - margin, layer[-1] + margin)


def finish(ax: Any, notes: list[str], entries: int = 0, *, below: bool = False, columns: int = 1) -> None:
    """The legend, with the notes beneath its entries: in the picture, or below it in so many columns.

    `entries` says how much there is to look through for a place.
    """
    from matplotlib.lines import Line2D

    handles, _ = ax.get_legend_handles_labels()
    handles += [Line2D([], [], linestyle="none", label=note) for note in notes]
    if below:
        beneath = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "borderaxespad": _UNDER_THE_LABEL}
        ax.legend(handles=handles, fontsize="small", frameon=False, ncols=columns, **beneath)
        ax.spines[["top", "right"]].set_visible(False)
        return
    place = "best" if entries <= _MOST_SEARCHED else "upper right"  # looking through more takes seconds, and warns
    ax.legend(handles=handles, fontsize="small", framealpha=0.85, loc=place)
    ax.spines[["top", "right"]].set_visible(False)

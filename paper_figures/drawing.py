"""What a figure is before it becomes a file: the picture and its numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gpdeep.errors import DomainError
from gpdeep.plots.figure import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMN = 3.5
"""Width of a column of a page, in inches; no figure is wider than two, so that it can be read on a phone too."""

COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, GREY)
"""Of curves that belong together, in this order (Okabe & Ito 2008: distinct to colour-blind readers)."""

_STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "legend.fontsize": 8.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # text stays text in print
    "savefig.dpi": 220,
    "svg.hashsalt": "gpdeep",  # names in the file are the same every time
}


@contextmanager
def style() -> Iterator[None]:
    """Sizes and lines of every figure here; nothing global outlives the block."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def panels(columns: int = 1, rows: int = 1, *, height: float = 2.6, **shared: Any) -> list[Any]:
    """Axes of a new figure, row by row.

    Parameters
    ----------
    columns : int
        1 or 2.
    rows : int
    height : float
        Of a row, in inches.
    **shared
        Of ``Figure.subplots``: ``sharex``, ``sharey``, ``width_ratios``.

    Returns
    -------
    list of matplotlib Axes, length columns · rows
    """
    page = figure((COLUMN * columns if columns > 1 else 1.4 * COLUMN, height * rows))
    return list(page.subplots(rows, columns, squeeze=False, **shared).ravel())


def numbers_in(text: str) -> list[float]:
    """Numbers with commas between them, as a parameter of a figure is given.

    Raises
    ------
    DomainError
        Something else stands there.

    >>> numbers_in("0.5,2")
    [0.5, 2.0]
    """
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise DomainError(
            f"'{text}'.", "Numbers with commas between them were expected.", "Write it as 0.5,2."
        ) from error
    return found


def whole_numbers(text: str) -> list[int]:
    """The same for integers.

    >>> whole_numbers("16,32")
    [16, 32]
    """
    found = numbers_in(text)
    if any(each != int(each) for each in found):
        raise DomainError(f"'{text}'.", "Whole numbers were expected.", "Write it as 16,32.")
    return [int(each) for each in found]


@dataclass
class Numbers:
    """What a figure shows, as one table: a row a point, named columns; what a row lacks stays empty.

    >>> numbers = Numbers()
    >>> numbers.add(curve="exact", layer=[1, 2], angle=[0.5, 0.25])
    >>> print(numbers.csv(), end="")
    curve,layer,angle
    exact,1,0.5
    exact,2,0.25
    """

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, **columns: Any) -> None:
        """Add points: arrays of one length, and what all of them share."""
        arrays = np.broadcast_arrays(*[np.asarray(values) for values in columns.values()])
        flat = [np.ravel(array).tolist() for array in arrays]
        self.rows += [dict(zip(columns, row, strict=True)) for row in zip(*flat, strict=True)]

    def csv(self) -> str:
        """Comma-separated, full precision, the columns in the order in which they came."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()


@dataclass(frozen=True)
class Drawing:
    """A figure that is drawn, its numbers, and what was read for it."""

    figure: Figure
    numbers: Numbers
    evidence: Mapping[str, str] = field(default_factory=dict)
    """Name of the evidence → commit at which it was measured."""
    notes: tuple[str, ...] = ()
    """What a caption has to say."""

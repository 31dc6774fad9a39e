"""What a figure's CSV says, read as a user would read it."""

import csv
import io

import numpy as np

from paper_figures.drawing import style


def rows(drawing):
    """The rows of a drawing's table, as dictionaries of text."""
    return list(csv.DictReader(io.StringIO(drawing.numbers.csv())))


def column(table, name, **where):
    """The numbers of a column in the rows that have it, where the other columns say so."""
    wanted = {key: str(value) for key, value in where.items()}
    return np.array(
        [float(row[name]) for row in table if row[name] != "" and all(row[key] == wanted[key] for key in wanted)]
    )


def drawn(module, **parameters):
    """A figure of the small size, laid out as for a file, and its table."""
    with style():
        drawing = module.draw(**{**module.SMALL, **parameters})
        drawing.figure.draw_without_rendering()
    return drawing, rows(drawing)

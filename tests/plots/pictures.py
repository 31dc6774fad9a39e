"""What a picture holds, and that it can be drawn."""

import numpy as np


def line(ax, label):
    (found,) = [curve for curve in ax.lines if curve.get_label().startswith(label)]
    return found


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def drawn(ax):
    """The picture as pixels: drawing is what brings out warnings."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())

"""Which runs trained, against what theory predicts for them: the picture of ``gpdeep calibrate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .figure import BLUE, GREY, LOG_SIN2, VERMILLION, axes, finish, require_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..depth.calibration import Calibration

_SPREAD = 0.03  # of dots that would lie on each other


def plot_calibration(found: Calibration, ax: Axes | None = None) -> Axes:
    """Runs that trained at 1 and others at 0, the fitted probability, the threshold and its interval.

    Parameters
    ----------
    found : Calibration
        From `gpdeep.depth.calibrate`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(found, "Calibration")
    ax = axes(ax)
    x = found.log_sin2
    order = np.argsort(x, kind="stable")
    shift = np.empty(len(x))
    shift[order] = _SPREAD * (np.arange(len(x)) % 3 - 1)
    ax.plot(x, found.trained + shift, color=GREY, marker="o", markersize=4, linestyle="", label="runs")
    room = 0.1 * (np.ptp(x) or 1.0)
    place = np.linspace(x.min() - room, x.max() + room, 400)
    if not found.separated:
        fitted = 1 / (1 + np.exp(-np.clip((place - found.threshold) / found.scale, -500, 500)))
        ax.plot(place, fitted, color=BLUE, label="fitted share")
    low = place[0] if found.low is None else max(found.low, place[0])
    high = place[-1] if found.high is None else min(found.high, place[-1])
    ax.axvspan(low, high, color=VERMILLION, alpha=0.15, linewidth=0, label=f"{found.confidence:.0%} interval")
    ax.axvline(found.threshold, color=VERMILLION, linestyle="--", label=f"threshold {found.threshold:.2f}")
    ax.set_yticks([0, 1], ["failed", "trained"])
    ax.set_xlabel(f"predicted mean of ${LOG_SIN2}$ at the last hidden layer")
    finish(ax, [], below=True)
    return ax

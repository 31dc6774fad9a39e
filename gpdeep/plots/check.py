"""Predicted beside measured, layer by layer: the picture of ``gpdeep check``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import entries
from .figure import BLUE, GREY, LOG_SIN2, VERMILLION, axes, finish, require_result, side_by_side

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..nn.probing.check_report import CheckReport

_LABELS = {
    "log_sin2": f"${LOG_SIN2}$",
    "variance": "variance of pre-activations",
    "sparsity": "share of exact zeros",
    "log_grad_norm2": "$\\ln\\,|\\partial/\\partial h^l|^2$",
}


def plot_check(report: CheckReport, axs: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Four pictures: each statistic by layer, predicted with two standard errors over seeds, and measured.

    Parameters
    ----------
    report : CheckReport
        From `gpdeep.nn.check`.
    axs : sequence of four matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    sequence of Axes
        Bands are what the mean over the seeds may scatter; layers that depart are marked.

    Raises
    ------
    DomainError
        There are not four axes.
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(report, "CheckReport")
    axs = side_by_side(4, rows=2) if axs is None else [axes(ax) for ax in entries("axs", axs, "four axes")]
    if len(axs) != len(_LABELS):
        raise DomainError(f"There are {len(axs)} axes.", "Each statistic has its picture.", "Give four axes.")
    for ax, (name, label) in zip(axs, _LABELS.items(), strict=True):
        predicted, std, measured, p = (
            getattr(table, name)
            for table in (report.predicted, report.predicted_std, report.measured, report.p_adjusted)
        )
        layer = np.arange(1, len(predicted) + 1)
        half = 2 * std / np.sqrt(report.seeds)
        ax.fill_between(layer, predicted - half, predicted + half, color=BLUE, alpha=0.2, linewidth=0)
        ax.plot(layer, predicted, color=BLUE, label="predicted, ± 2 standard errors")
        ax.plot(layer, measured, color=GREY, marker="o", markersize=3, linestyle="", label="measured")
        off = p < report.alpha
        if off.any():
            ax.plot(layer[off], measured[off], color=VERMILLION, marker="x", linestyle="", label="departs")
        positive = name == "variance" and (measured > 0).all() and (predicted > 0).all()
        if positive and max(measured.max() / measured.min(), predicted.max() / predicted.min()) > 100:
            ax.set_yscale("log")
        ax.set_xlabel("hidden layer")
        ax.set_ylabel(label)
        finish(ax, [], below=True)
    return axs

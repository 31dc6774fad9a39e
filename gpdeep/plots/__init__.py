"""Pictures of results: `plot_*(result, ax=None) -> Axes`, and `save_figure` to keep one.

A picture shows what the result holds and computes nothing of its own. Without an axis it is drawn on a figure of its
own, which no backend, display or global setting of matplotlib takes part in; nothing is ever shown. Colours are those
of Okabe & Ito (2008), which remain distinct to colour-blind readers. Needs the extra `plot` (matplotlib), imported
when the first picture is drawn.
"""

from __future__ import annotations

from .calibration import plot_calibration
from .check import plot_check
from .clip import plot_clip_levels, plot_clipped_variance, plot_escape
from .depth import plot_depth
from .figure import BLUE, FORMATS, GREEN, GREY, VERMILLION, picture_file, save_figure, side_by_side
from .finite_laws import plot_angle_law, plot_lengths
from .leaky import (
    plot_branches,
    plot_path_components,
    plot_path_energies,
    plot_path_singular_values,
    plot_steps,
)
from .linearize import plot_accuracy, plot_active_units, plot_path_lengths
from .maps import plot_correlation_map, plot_variance_map
from .phases import plot_depth_scales, plot_phase_diagram

__all__ = [
    "BLUE",
    "FORMATS",
    "GREEN",
    "GREY",
    "VERMILLION",
    "picture_file",
    "plot_accuracy",
    "plot_active_units",
    "plot_angle_law",
    "plot_branches",
    "plot_calibration",
    "plot_check",
    "plot_clip_levels",
    "plot_clipped_variance",
    "plot_correlation_map",
    "plot_depth",
    "plot_depth_scales",
    "plot_escape",
    "plot_lengths",
    "plot_path_components",
    "plot_path_energies",
    "plot_path_lengths",
    "plot_path_singular_values",
    "plot_phase_diagram",
    "plot_steps",
    "plot_variance_map",
    "save_figure",
    "side_by_side",
]

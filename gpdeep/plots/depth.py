"""The main answer as a picture: how far two inputs can be told apart, layer by layer."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from .figure import BLUE, CERTAIN, GREY, LOG_SIN2, VERMILLION, axes, band, curve, finish, layer_axis, require_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..depth import DepthPrediction


def plot_depth(prediction: DepthPrediction, ax: Axes | None = None) -> Axes:
    r"""The main answer: ln sin² θ_l against the layer l, at finite and infinite width, with the degeneracy depths.

    Parameters
    ----------
    prediction : DepthPrediction
        From `gpdeep.predict_depth`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure, reached through the answer's ``.figure``.

    Returns
    -------
    Axes
        The median over surviving networks (the mean where the method gives no median), the band of one standard
        deviation about the mean (cut off at 0, which ln sin² cannot exceed), the infinite-width curve, the threshold,
        and a vertical line at each degeneracy depth that lies inside the network.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(prediction, "DepthPrediction", having=("law", "infinite", "degeneracy_depth"))
    ax = axes(ax)
    law, depth = prediction.law, prediction.degeneracy_depth
    layer = np.arange(1, len(law.mean) + 1)
    if np.isnan(law.median).all():
        curve(ax, layer, law.mean, color=BLUE, label=f"finite width, {law.method}")
    else:
        curve(ax, layer, law.median, color=BLUE, label="finite width, median")
    band(ax, layer, law.mean, law.std, ceiling=0.0)
    curve(ax, layer, prediction.infinite.log_sin2, color=VERMILLION, linestyle="--", label="infinite width")
    ax.axhline(depth.threshold, color=GREY, linestyle=":", label=f"threshold $x^* = {depth.threshold:g}$")
    notes = []
    if depth.finite is None:
        notes.append("this method gives no degeneracy depth")
    elif depth.finite == 0:
        notes.append(f"below the threshold from layer 1 on (confidence {depth.confidence:g})")
    elif depth.reached:
        label = f"degeneracy depth {depth.finite} (confidence {depth.confidence:g})"
        ax.axvline(depth.finite, color=BLUE, linewidth=1, label=label)
    else:
        notes.append(f"still told apart after layer {len(layer)}, the last (confidence {depth.confidence:g})")
    if 0 < depth.infinite < len(layer):
        label = f"degeneracy depth {depth.infinite} at infinite width"
        ax.axvline(depth.infinite, color=VERMILLION, linewidth=1, linestyle="--", label=label)
    if not law.survival[-1] >= CERTAIN:
        notes.append(f"both inputs survive in {law.survival[-1]:.3g} of the networks")
    ax.set_title(
        "\n".join(textwrap.wrap(prediction.architecture, 70, max_lines=2, placeholder=" ...")), fontsize="medium"
    )
    ax.set_ylabel(f"${LOG_SIN2}_l$ (nats)")
    layer_axis(ax, layer)
    finish(ax, notes, len(layer))
    return ax

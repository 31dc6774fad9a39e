"""Pictures of results: `plot_*(result, ax=None) -> Axes`, and `save_figure` to keep one.

A picture shows what the result holds and computes nothing of its own. Without an axis it is drawn on a figure of its
own, which no backend, display or global setting of matplotlib takes part in; nothing is ever shown. Colours are those
of Okabe & Ito (2008), which remain distinct to colour-blind readers. Needs the extra `plot` (matplotlib), imported
when the first picture is drawn.
"""

from __future__ import annotations

import io
import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import DomainError, MissingExtraError
from .finite import AngleLaw, LengthLaw
from .result import FloatArray, write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .depth import DepthPrediction

BLUE, VERMILLION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#595959"
FORMATS = (".png", ".pdf", ".svg")
"""What `save_figure` writes."""

_LOG_SIN2 = r"\ln\,\sin^2\theta"
_SAMPLES_PER_CELL = 200
_MOST_SEARCHED = 10_000
_CERTAIN = 0.999  # survival above it goes without saying


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
    ax = _axes(ax)
    law, depth = prediction.law, prediction.degeneracy_depth
    layer = np.arange(1, len(law.mean) + 1)
    if np.isnan(law.median).all():
        _curve(ax, layer, law.mean, color=BLUE, label=f"finite width, {law.method}")
    else:
        _curve(ax, layer, law.median, color=BLUE, label="finite width, median")
    _band(ax, layer, law.mean, law.std, ceiling=0.0)
    _curve(ax, layer, prediction.infinite.log_sin2, color=VERMILLION, linestyle="--", label="infinite width")
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
    if not law.survival[-1] >= _CERTAIN:
        notes.append(f"both inputs survive in {law.survival[-1]:.3g} of the networks")
    ax.set_title(
        "\n".join(textwrap.wrap(prediction.architecture, 70, max_lines=2, placeholder=" ...")), fontsize="medium"
    )
    ax.set_ylabel(f"${_LOG_SIN2}_l$ (nats)")
    _layers(ax, layer)
    _finish(ax, notes, len(layer))
    return ax


def plot_angle_law(law: AngleLaw, ax: Axes | None = None) -> Axes:
    r"""The law of the angle after the last layer: the density of ln sin² θ_L, given survival.

    Parameters
    ----------
    law : AngleLaw
        From `gpdeep.finite.angle_law`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    Axes
        The density (a histogram where the law was sampled), its 5, 50 and 95 % quantiles and the threshold. What is
        not on the curve is said beside it: the probability of exact orthogonality, ln sin² = 0, and of not surviving.
        A method that gives one number has a line at that number.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    ax = _axes(ax)
    survival, mean, std = (float(column[-1]) for column in (law.survival, law.mean, law.std))
    notes = []
    if not survival > 0:
        notes.append("no pair survives")
    elif std > 0:
        _density(ax, law)
    elif np.isfinite(mean):
        ax.axvline(mean, color=BLUE, label=f"{law.method}: ${mean:.3f}$, no distribution")
        ax.set_yticks([])
    ax.axvline(law.threshold, color=GREY, linestyle=":", label=f"threshold $x^* = {law.threshold:g}$")
    if survival > 0 and law.orthogonal[-1] >= 1e-4 * survival:
        notes.append(f"exactly orthogonal (${_LOG_SIN2}_L = 0$): probability {law.orthogonal[-1] / survival:.2g}")
    if 0 < survival < _CERTAIN:
        notes.append(f"both inputs survive in {survival:.3g} of the networks")
    ax.set_xlabel(f"${_LOG_SIN2}_L$ after layer $L = {len(law.mean)}$ (nats)")
    ax.set_ylabel("probability density (1/nat)")
    ax.set_ylim(bottom=0)
    _finish(ax, notes)
    return ax


def plot_lengths(law: LengthLaw, ax: Axes | None = None) -> Axes:
    r"""The law of log squared lengths, or of gradient norms, against the layer.

    Parameters
    ----------
    law : LengthLaw
        From `gpdeep.finite.length_law` or `gpdeep.finite.gradient_law`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    Axes
        Mean and band of one standard deviation, given that the input is alive.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    ax = _axes(ax)
    layer = np.arange(1, len(law.mean) + 1)
    _curve(ax, layer, law.mean, color=BLUE, label="mean")
    _band(ax, layer, law.mean, law.std)
    ax.axhline(0.0, color=GREY, linestyle=":", label="no change")
    if law.backward:
        ax.set_ylabel(r"$\ln\,|\delta^l|^2 - \ln\,|a|^2$ (nats)")
    else:
        ax.set_ylabel(r"$\ln(|\varphi^l|^2/n_l) - \ln(|x|^2/n_0)$ (nats)")
    _layers(ax, layer)
    alive = float(law.survival[-1])
    _finish(ax, [] if alive >= _CERTAIN else [f"input alive in {alive:.3g} of the networks"], len(layer))
    return ax


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
    target = picture_file(path)
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
    target = Path(path)
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


def _axes(ax: Axes | None) -> Any:
    """`ax`, or the only axis of a new figure that pyplot knows nothing of."""
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError.of("matplotlib", "plot", "Plotting") from error
    return Figure(figsize=(7.0, 4.4), layout="constrained").add_subplot()


def _finite(values: FloatArray) -> FloatArray:
    """`values` with gaps in place of infinities."""
    return np.where(np.isfinite(values), values, np.nan)


def _curve(ax: Any, layer: Any, values: FloatArray, **style: Any) -> None:
    """A line over the layers; a dot where there is but one."""
    ax.plot(layer, _finite(values), marker="o" if len(layer) == 1 else None, **style)


def _band(ax: Any, layer: Any, mean: FloatArray, std: FloatArray, ceiling: float = np.inf) -> None:
    """One standard deviation about the mean; a bar for a single layer, nothing where there is no deviation."""
    low, high = _finite(mean - std), _finite(np.minimum(mean + std, ceiling))
    if not np.any(std > 0):
        return
    label = "mean ± standard deviation"
    if len(layer) == 1:
        ax.vlines(layer, low, high, color=BLUE, alpha=0.4, linewidth=6, label=label)
    else:
        ax.fill_between(layer, low, high, color=BLUE, alpha=0.18, linewidth=0, label=label)


def _density(ax: Any, law: AngleLaw) -> None:
    """The density of ln sin² θ_L and three quantiles."""
    if law.n_samples is None:
        x, density = law.density()
        ax.plot(x, density, color=BLUE, label="density")
        ax.fill_between(x, density, color=BLUE, alpha=0.18, linewidth=0)
    else:
        x, density = law.density(int(np.clip(law.mass.size // _SAMPLES_PER_CELL, 5, 100)))
        half = (x[1] - x[0]) / 2
        ax.stairs(density, np.append(x - half, x[-1] + half), color=BLUE, fill=True, alpha=0.4, label="sampled density")
    for probability, style in ((0.05, "--"), (0.5, "-"), (0.95, "--")):
        value = law.quantile(probability)
        ax.axvline(
            value, color=GREEN, linewidth=1, linestyle=style, label=f"{100 * probability:.0f} % quantile ${value:.3f}$"
        )


def _layers(ax: Any, layer: Any) -> None:
    """The axis of layers: from the first to the last, integers only."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlabel("layer $l$")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    margin = 0.5 if len(layer) == 1 else 0.01 * len(layer)
    ax.set_xlim(layer[0] - margin, layer[-1] + margin)


def _finish(ax: Any, notes: list[str], entries: int = 0) -> None:
    """The legend, with the notes beneath its entries; `entries` says how much there is to look through for a place."""
    from matplotlib.lines import Line2D

    handles, _ = ax.get_legend_handles_labels()
    handles += [Line2D([], [], linestyle="none", label=note) for note in notes]
    place = "best" if entries <= _MOST_SEARCHED else "upper right"  # looking through more takes seconds, and warns
    ax.legend(handles=handles, fontsize="small", framealpha=0.85, loc=place)
    ax.spines[["top", "right"]].set_visible(False)

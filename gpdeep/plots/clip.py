"""Pictures of a clipped design: its variance map, slope and curvature against the clip level, escapes against width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..gaussian.arguments import entries
from .figure import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, axes, finish, require_result, rounded_name
from .fixed_points import basin, dot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..sparse.curves import ClipCurves, EscapeCurve, VarianceCurves
    from ..sparse.design_result import Design

_TOLD_APART = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
_CURVATURES = 2.0  # of V'' above it, q*'s neighbourhood says little; slopes below 1 keep half of the picture
_MATTERS = 0.1  # of the probability: a smaller error hides behind the point


def plot_clipped_variance(curves: VarianceCurves, ax: Axes | None = None) -> Axes:
    r"""The variance map V of a design against q, beside that of its activation without the clip.

    Parameters
    ----------
    curves : VarianceCurves
        From `gpdeep.sparse.variance_curves`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    Axes
        Both curves with the diagonal, stable fixed points of the design as full dots, others as rings, and the basin of
        q* shaded. Where V leaves q* upwards without the clip it also leaves the picture. Axes are logarithmic where the
        variances of the result are spaced by their ratios; one curve for a family of one's own.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(curves, "VarianceCurves")
    ax = axes(ax)
    q, v = curves.q, curves.clipped
    logarithmic = q[-1] - q[-2] > 2 * (q[1] - q[0])
    low, high = (q[0] if logarithmic else 0.0), q[-1]
    ax.plot(q, q, color=GREY, linewidth=1, linestyle=":", label="diagonal")
    ax.plot(q, v, color=BLUE, label="$V(q)$")
    if np.isfinite(curves.unclipped).any():
        label = f"$V(q)$ without the clip: {rounded_name(curves.unclipped_activation)}"
        ax.plot(q, curves.unclipped, color=GREEN, linestyle="--", label=label)
    if logarithmic:
        ax.set_xscale("log")
        ax.set_yscale("log")
    ax.set_xlim(low, high)
    ax.set_ylim(low, max(high, min(float(np.max(v)), 2 * high)))
    for point in curves.fixed_points:
        if point.q == curves.q_star and point.stable:
            basin(ax, point, low, high, BLUE)
    for point in curves.fixed_points:
        dot(ax, point, max(point.q, low))
    ax.set_title(rounded_name(curves.activation), fontsize="medium")
    ax.set_xlabel("variance of pre-activations $q$")
    ax.set_ylabel("after one layer $V(q)$")
    finish(ax, [], below=True)
    return ax


def plot_clip_levels(curves: ClipCurves, ax: Axes | None = None, *, designs: Sequence[Design] = ()) -> Axes:
    r"""The slope V'(q*) and the curvature q* V''(q*) on the edge of chaos against the clip level m/√q*.

    Parameters
    ----------
    curves : ClipCurves
        From `gpdeep.sparse.clip_curves`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.
    designs : sequence of Design
        Designs to mark at their level and slope.

    Returns
    -------
    Axes
        A colour for each sparsity: its slope as a solid line, its curvature as a dashed one, which leaves the picture
        above 2. Six colours can be told apart: of more sparsities six are drawn, from the first to the last, and it is
        said how many are not.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(curves, "ClipCurves")
    for design in entries("designs", designs, "designs"):
        require_result(design, "Design")
    ax = axes(ax)
    total = len(curves.sparsity)
    shown = np.linspace(0, total - 1, min(total, len(_TOLD_APART))).round().astype(int)
    ax.axhline(0.0, color=GREY, linewidth=0.7)
    for k, colour in zip(shown.tolist(), _TOLD_APART, strict=False):
        label = f"{100 * curves.sparsity[k]:.5g} % zeros"
        ax.plot(curves.m, curves.slope[k], color=colour, label=label)
        ax.plot(curves.m, curves.curvature[k], color=colour, linestyle="--", linewidth=1.2)
    ax.plot([], [], color=GREY, label="slope $V'(q^*)$")
    ax.plot([], [], color=GREY, linestyle="--", linewidth=1.2, label="curvature $q^*V''(q^*)$")
    marks = [(one.m / math.sqrt(one.q_star), one.slope) for one in designs]
    for m, slope in marks:
        label = rf"$m/\sqrt{{q^*}} = {m:.4g}$, $V' = {slope:.4g}$"
        ax.plot([m], [slope], "o", color="black", clip_on=False, zorder=4, label=label)
    values = np.concatenate([curves.slope[shown].ravel(), curves.curvature[shown].ravel()])
    bottom = min([float(values.min()), 0.0, *(slope for _, slope in marks)])
    top = max([1.0, min(float(values.max()), _CURVATURES), *(slope for _, slope in marks)])
    margin = 0.04 * (top - bottom)
    ax.set_xlim(0.0, max([curves.m[-1], *(1.05 * m for m, _ in marks)]))
    ax.set_ylim(bottom - margin, top + margin)
    ax.set_title(f"{curves.kind}, on the edge of chaos", fontsize="medium")
    ax.set_xlabel(r"clip level $m/\sqrt{q^*}$")
    ax.set_ylabel("$V'(q^*)$ and $q^*V''(q^*)$")
    notes = [f"{total - len(shown)} of {total} sparsities not shown"] if total > len(shown) else []
    finish(ax, notes, below=True, columns=2)
    return ax


def plot_escape(curve: EscapeCurve, ax: Axes | None = None) -> Axes:
    r"""The probability that the variance of a network escapes, against its width.

    Parameters
    ----------
    curve : EscapeCurve
        From `gpdeep.sparse.escape_curve`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    Axes
        The probability with the tolerated one, both axes logarithmic; no point where it is not above its own error,
        and a bar where the error can be seen. A note says from which of the widths on it is tolerated.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(curve, "EscapeCurve")
    ax = axes(ax)
    order = np.argsort(curve.width, kind="stable")
    width, probability, error = curve.width[order], curve.probability[order], curve.error[order]
    known = probability > error
    shown = np.where(known, probability, np.nan)
    label = f"variance $K_l > {curve.threshold:.4g}$ within depth $L = {curve.depth}$"
    least = min([curve.p_fail / 10, *probability[known].tolist()])
    ax.set_yscale("log")
    ax.set_ylim(10.0 ** math.floor(math.log10(0.7 * least)), 1.6)  # first: there may be nothing to scale it by
    _width_axis(ax, width)
    ax.plot(width, shown, color=BLUE, marker="o", markersize=4, label=label)
    seen = known & (error > _MATTERS * probability)
    if seen.any():
        low, high = probability[seen] - error[seen], np.minimum(probability[seen] + error[seen], 1.0)
        ax.vlines(width[seen], low, high, color=BLUE, alpha=0.4, linewidth=6, label="estimated error")
    ax.axhline(curve.p_fail, color=GREY, linestyle=":", label=rf"tolerated $P = {curve.p_fail:g}$")
    notes = [_tolerated(width, probability <= curve.p_fail)]
    if not known.all():
        notes.append(f"no point: below its error of {float(error[~known].max()):.1g}")
    ax.set_title(rounded_name(curve.activation), fontsize="medium")
    ax.set_ylabel("probability of escape $P$")
    finish(ax, notes)
    return ax


def _tolerated(width: Any, below: Any) -> str:
    """From which of the ascending widths on it is tolerated; a narrower one with failures after it does not count."""
    above = np.flatnonzero(~below)
    if not above.size:
        return "tolerated at every width shown"
    first = above[-1] + 1
    if first == len(width):
        return "tolerated at no width shown"
    return f"tolerated from between widths {width[first - 1]} and {width[first]} on"


def _width_axis(ax: Any, width: Any) -> None:
    """The axis of widths, ascending: a little beyond both ends, with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = (0.5 * width[0], 2.0 * width[0]) if width[0] == width[-1] else (width[0] / 1.1, width[-1] * 1.1)
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("width $n$ (units a layer)")

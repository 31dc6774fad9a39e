"""Pictures of the edge of chaos: the plane of (σ_w, σ_b), and the depth scales across the edge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import entries, real, shown
from ..result import FloatArray
from .figure import BLUE, GREEN, GREY, VERMILLION, axes, finish, require_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..meanfield.depth_scale_scan import DepthScaleScan
    from ..meanfield.phases import ChaoticSheet, NetworkSheet, PhaseDiagram

_DEPTHS = (2.0, 5.0, 10.0, 30.0)
_UNSTABLE = 1 + 1e-9
_RASTER = 61
_BOX = {"facecolor": "white", "alpha": 0.6, "linewidth": 0, "pad": 1.5}
_COLUMNS_A_LETTER = 0.4  # of the raster: half of a letter's width
_LABELS_AT = 0.72
_AROUND = 1.2  # of the window: lines beyond it would carry the labels away


def plot_phase_diagram(
    diagram: PhaseDiagram,
    ax: Axes | None = None,
    *,
    points: Sequence[tuple[float, float]] = (),
    depths: Sequence[float] = _DEPTHS,
    largest: tuple[float, float] | None = None,
) -> Axes:
    r"""The phases of a network in the plane of σ_w and σ_b, with the edge of chaos between them.

    Parameters
    ----------
    diagram : PhaseDiagram
        From `gpdeep.meanfield.phase_diagram`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.
    points : sequence of (sigma_w, sigma_b)
        Networks to mark.
    depths : sequence of float
        Lines of equal ξ_c are drawn at these numbers of layers.
    largest : (sigma_w, sigma_b), optional
        Upper ends of both axes; default so that the edge and the points are well inside.

    Returns
    -------
    Axes
        The edge (dotted where V'(q*) > 1 and variances leave it), ordered and chaotic phase, lines of equal ξ_c. Where
        neither colour is, no variance is stable; where both are, two are.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(diagram, "PhaseDiagram")
    ax = axes(ax)
    points = [_pair("points", point) for point in entries("points", points, "pairs (sigma_w, sigma_b)")]
    depths = [real("depths", depth, 1e-3, 1e9, "a number of layers") for depth in entries("depths", depths, "numbers")]
    depths = sorted(set(depths))
    width, height = _window(diagram, points) if largest is None else _pair("largest", largest)
    ax.set_xlim(0.0, width)  # first: labels of lines find their places in it
    ax.set_ylim(0.0, height)
    _phases(ax, diagram)
    _equal_depths(ax, diagram, depths, width, height)
    unstable = diagram.slope > _UNSTABLE
    joined = np.convolve(unstable, [1, 1, 1], "same") > 0  # to where the other line begins
    for some, keep, style, more in ((~unstable, ~unstable, "-", ""), (unstable, joined, ":", " ($V' > 1$)")):
        if np.isfinite(diagram.sigma_w[some]).any():
            x, y = (np.where(keep, side, np.nan) for side in (diagram.sigma_w, diagram.sigma_b))
            ax.plot(x, y, color=VERMILLION, linewidth=2, linestyle=style, label=f"edge of chaos{more}")
    edge = diagram.sigma_w[np.isfinite(diagram.sigma_w)]
    if edge.size and np.nanmax(diagram.sigma_b) == 0:  # one point for all q*
        ax.plot([edge[0]], [0.0], color=VERMILLION, marker="s", clip_on=False, zorder=3)
    for sigma_w, sigma_b in points:
        label = rf"$\sigma_w = {sigma_w:.5g}$, $\sigma_b = {sigma_b:.5g}$"
        ax.plot([sigma_w], [sigma_b], "o", color="black", clip_on=False, zorder=4, label=label)
    _names(ax, diagram, width, height)
    ax.set_title(_wiring(diagram.options), fontsize="medium")
    ax.set_xlabel(r"standard deviation of weights $\sigma_w$ (times $\sqrt{\mathrm{fan\ in}}$)")
    ax.set_ylabel(r"standard deviation of biases $\sigma_b$")
    finish(ax, [])
    return ax


def plot_depth_scales(scan: DepthScaleScan, ax: Axes | None = None) -> Axes:
    r"""Depth scales against σ_w² at fixed σ_b: ξ_q, ξ_c and ξ_grad, with the edge of chaos where two of them diverge.

    Parameters
    ----------
    scan : DepthScaleScan
        From `gpdeep.meanfield.scan_depth_scales`.
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
    require_result(scan, "DepthScaleScan")
    ax = axes(ax)
    x = scan.sigma_w**2
    for values, colour, style, label in (
        (scan.xi_c, BLUE, "-", r"$\xi_c$, correlations"),
        (scan.xi_grad, VERMILLION, "--", r"$\xi_{\mathrm{grad}}$, gradients"),
        (scan.xi_q, GREEN, "-.", r"$\xi_q$, lengths"),
    ):
        shown = np.where(np.isfinite(values) & (values > 0), values, np.nan)
        ax.plot(x, shown, color=colour, linestyle=style, label=label)
    inside = [edge for edge in scan.edges if x[0] <= edge**2 <= x[-1]]
    for edge in inside:
        ax.axvline(edge**2, color=GREY, linestyle=":", label=rf"edge of chaos, $\sigma_w^2 = {edge**2:.5g}$")
    ax.set_yscale("log")
    ax.set_xlim(x[0], x[-1])
    every = np.concatenate([scan.xi_c, scan.xi_grad, scan.xi_q])
    every = every[np.isfinite(every) & (every > 0)]
    if every.size:
        top = 10 ** math.ceil(math.log10(min(float(every.max()), 1000 * float(np.median(every)))))
        ax.set_ylim(10 ** math.floor(math.log10(max(float(every.min()), 0.1))), max(top, 10))
    o = scan.options
    ax.set_title(rf"{_wiring(o)}, $\sigma_b = {o['sigma_b']:.5g}$", fontsize="medium")
    ax.set_xlabel(r"variance of weights $\sigma_w^2$ (times fan in)")
    ax.set_ylabel("depth scale (layers)")
    finish(ax, [])
    return ax


def _pair(name: str, value: Any) -> tuple[float, float]:
    """A pair (σ_w, σ_b) of positive numbers; σ_b of a network may be 0."""
    pair = entries(name, value, "pairs (sigma_w, sigma_b)")
    if len(pair) != 2:
        raise DomainError(
            f"{name} holds {shown(value)}.", "A network is a pair (sigma_w, sigma_b).", "Give such as (1.5, 0.3)."
        )
    least = 0.0 if name == "largest" else -1e-300
    return real(name, pair[0], 0.0, 1e6, "a standard deviation"), real(name, pair[1], least, 1e6, "that of biases")


def _window(diagram: PhaseDiagram, points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Upper ends of the axes: some way beyond where the edge begins, or has q* = 1 if it is a ray from the origin."""
    edge = diagram.sigma_w[np.isfinite(diagram.sigma_w)]
    if diagram.options["layer_norm"] and edge.size:
        edge = np.interp(0.0, np.log(diagram.q_star), diagram.sigma_w, right=edge[-1])[None]
    width = max([2.2 * float(edge.min(initial=4.0)), *(1.6 * sigma_w for sigma_w, _ in points)])
    return width, max([0.5 * width, *(1.6 * sigma_b for _, sigma_b in points)])


def _phases(ax: Any, diagram: PhaseDiagram) -> None:
    """Ordered and chaotic phase as areas, where the variance is stable."""
    sheet = diagram.networks
    sigma_w, bias_var, chi_1 = _stable_part(sheet, sheet.chi_1)
    ax.contourf(
        sigma_w,
        np.sqrt(bias_var),
        np.ma.masked_invalid(chi_1),
        levels=[-1.0, 1.0, 1e300],
        colors=[BLUE, VERMILLION],
        alpha=0.12,
    )


def _equal_depths(ax: Any, diagram: PhaseDiagram, depths: Sequence[float], width: float, height: float) -> None:
    """Lines of equal ξ_c on both sides of the edge."""
    if not depths:
        return
    levels = np.exp(-1 / np.sort(np.asarray(depths, dtype=np.float64)))
    names = {level: f"{depth:g}" for level, depth in zip(levels, sorted(depths), strict=True)}
    sheet, far = diagram.networks, diagram.chaotic
    parts = [_stable_part(sheet, sheet.chi_1)]
    if far is not None:
        parts.append(_stable_part(far, far.slope_at_limit))
    for sigma_w, bias_var, slope in parts:
        near = (sigma_w <= _AROUND * width) & (np.abs(bias_var) <= (_AROUND * height) ** 2)
        near[:-1] |= near[1:]  # with the row that lies just beyond: q* grows along the first axis
        near[1:] |= near[:-1]
        usable = near & np.isfinite(slope)
        if min(slope.shape) < 2 or not usable.any():
            continue
        crossed = levels[(levels > slope[usable].min()) & (levels < slope[usable].max())]
        if not crossed.size:
            continue
        sigma_b = np.sign(bias_var) * np.sqrt(np.abs(bias_var))  # below the axis: lines end at it
        x, y = (np.where(usable, side, 0.0) for side in (sigma_w, sigma_b))
        lines = ax.contour(
            x, y, np.ma.masked_where(~usable, slope), levels=crossed, colors=[GREY], linewidths=0.7, linestyles="-"
        )
        ax.clabel(lines, fmt=names, fontsize="x-small", manual=_places(lines, width, height))
    ax.plot([], [], color=GREY, linewidth=0.7, label=r"equal $\xi_c$ (layers)")


def _stable_part(sheet: NetworkSheet | ChaoticSheet, value: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """σ_w, σ_b² and `value` of a sheet, each row cut off where V' = 1: from there on it repeats that network.

    Along a row V', σ_w² and σ_b² are linear in each other, and V' grows with σ_w or is 1 nowhere.
    """
    beyond = sheet.slope > 1
    row = np.flatnonzero(beyond.any(axis=1))
    after = np.argmax(beyond[row], axis=1)  # never 0: a row begins without weights, or on a stable edge
    last, first = sheet.slope[row, after - 1], sheet.slope[row, after]
    share = (1 - last) / (first - last)

    def cut(values: FloatArray) -> FloatArray:
        ends = values[:, -1].copy()
        ends[row] = values[row, after - 1] + share * (values[row, after] - values[row, after - 1])
        return np.where(beyond, ends[:, None], values)

    return np.sqrt(cut(sheet.sigma_w**2)), cut(sheet.bias_var), cut(value)


def _places(lines: Any, width: float, height: float) -> list[tuple[float, float]]:
    """One place on each line inside the window, at the height where lines lie apart."""
    places = []
    for path in lines.get_paths():
        x, y = path.vertices.T
        inside = (x > 0.03 * width) & (x < 0.97 * width) & (y > 0.05 * height) & (y < 0.95 * height)
        if inside.any():
            best = np.argmin(np.where(inside, np.abs(y - _LABELS_AT * height), np.inf))
            places.append((float(x[best]), float(y[best])))
    return places


def _names(ax: Any, diagram: PhaseDiagram, width: float, height: float) -> None:
    """The phases' names inside them."""
    x, y = np.meshgrid(np.linspace(0, width, _RASTER)[1:-1], np.linspace(0, height, _RASTER)[1:-1])
    phase = _raster(diagram, x, y)
    for value, name in enumerate(("no stable q*", "ordered", "chaotic", "two stable q*")):
        inside = phase == value
        if inside.any():
            place, room = _deepest(inside)
            if room > _COLUMNS_A_LETTER * len(name):
                style = {"color": GREY, "fontsize": "large", "style": "italic", "bbox": _BOX}
                ax.text(x[place], y[place], name, ha="center", va="center", **style)


def _raster(diagram: PhaseDiagram, x: FloatArray, y: FloatArray) -> Any:
    """0 to 3 at each (σ_w, σ_b): no stable variance; one, in the ordered, in the chaotic phase; two."""
    sheet = diagram.networks
    room, last = sheet.bias_var[:, 0], sheet.sigma_w[:, -1] ** 2  # the first column has no weights
    second = (room - sheet.bias_var[:, -1]) / last  # E φ²
    gain = (sheet.chi_1[:, -1] - sheet.chi_1[:, 0]) / last
    falls = x[..., None] ** 2 * second + y[..., None] ** 2 < room  # V(q) < q
    chi_1 = sheet.chi_1[0, 0] + x**2 * gain[np.argmax(falls, axis=-1)]
    stable = falls[..., 0] + np.count_nonzero(falls[..., 1:] & ~falls[..., :-1], axis=-1)
    return np.select([stable == 0, stable > 1, chi_1 > 1], [0, 3, 2], 1)


def _deepest(inside: Any) -> tuple[tuple[int, int], float]:
    """The place farthest from the border of an area of the raster, a row counting twice, and how many columns away."""
    rows, columns = np.nonzero(inside)
    out_rows, out_columns = np.nonzero(~np.pad(inside, 1))
    distance = np.min(((rows[:, None] - out_rows + 1) * 2.0) ** 2 + (columns[:, None] - out_columns + 1.0) ** 2, axis=1)
    best = int(np.argmax(distance))
    return (int(rows[best]), int(columns[best])), float(np.sqrt(distance[best]))


def _wiring(options: dict[str, Any]) -> str:
    """The activation, and residual coefficients or layer normalisation where there are any."""
    more = rf", $\alpha = {options['alpha']:g}$, $\beta = {options['beta']:g}$" if options["alpha"] else ""
    return str(options["activation"]) + more + (", layer normalisation" if options["layer_norm"] else "")

"""Pictures of one layer at infinite width: the variance map and its fixed points, the correlation map and iterates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..result import FloatArray
from .figure import BLUE, GREEN, GREY, VERMILLION, axes, finish, require_result, rounded_name
from .fixed_points import basin, dot, full

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..meanfield.curves import MapCurves

_TINTS = (BLUE, GREEN)


def plot_variance_map(curves: MapCurves, ax: Axes | None = None) -> Axes:
    r"""The variance map V against q, with all its fixed points and their basins.

    Parameters
    ----------
    curves : MapCurves
        From `gpdeep.meanfield.map_curves`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    Axes
        V with the diagonal, stable fixed points as full dots, others as rings, the basin of every stable point
        shaded, and the way of the first variance as a staircase. Logarithmic where fixed points lie far apart.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(curves, "MapCurves")
    ax = axes(ax)
    q, v, scales = curves.q, curves.v, curves.scales
    low, high = (q[0], q[-1]) if curves.logarithmic else (0.0, q[-1])
    ax.plot(q, q, color=GREY, linewidth=1, linestyle=":", label="diagonal")
    ax.plot(q, v, color=BLUE, label="$V(q)$")
    _staircase(ax, curves.q_path, f"from $q_0 = {curves.q_path[0]:.4g}$", floor=low)
    if curves.logarithmic:
        ax.set_xscale("log")
        ax.set_yscale("log")
    ax.set_xlim(low, high)
    ax.set_ylim(low if curves.logarithmic else 0.0, max(high, min(float(np.max(v)), 2 * high)))
    shown = [point for point in scales.fixed_points if point.q <= high]
    for index, point in enumerate(point for point in shown if point.stable):
        basin(ax, point, low, high, _TINTS[index % len(_TINTS)])
    for point in shown:
        dot(ax, point, max(point.q, low))
    notes = ["every $q$ is a fixed point"] if scales.marginal else []
    if math.isinf(scales.q_star):
        notes.append("$q_0$ grows without bound")
    ax.set_title(_named(curves), fontsize="medium")
    ax.set_xlabel("variance of pre-activations $q$")
    ax.set_ylabel("after one layer $V(q)$")
    finish(ax, notes, below=True)
    return ax


def plot_correlation_map(curves: MapCurves, ax: Axes | None = None) -> Axes:
    r"""The correlation map C against c, with the way of one pair of inputs and the limit c*.

    Parameters
    ----------
    curves : MapCurves
        From `gpdeep.meanfield.map_curves`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    Axes
        C with the diagonal, the staircase of iterates and their limit; without iterates where variances do not
        converge to a q* between 0 and infinity.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(curves, "MapCurves")
    ax = axes(ax)
    scales = curves.scales
    c, after = np.cos(curves.theta), np.cos(curves.next_theta)
    bottom = -1.0 if float(np.min(after)) < -0.05 else min(float(np.min(after)), 0.0) - 0.04
    ax.plot(c, c, color=GREY, linewidth=1, linestyle=":", label="diagonal")
    ax.plot(c, after, color=BLUE, label="$C(c)$")
    notes = []
    if len(curves.theta_path) > 1:
        path = np.cos(curves.theta_path)
        _staircase(ax, path, f"{len(path) - 1} layers from $c_0 = {_rounded(path[0])}$", floor=bottom)
        ax.plot([scales.c_star], [scales.c_star], **full(VERMILLION), label=_limit(scales.one_minus_c_star))
        depth = f"{scales.xi_c:.4g}" if math.isfinite(scales.xi_c) else r"\infty"
        notes.append(rf"$\chi_1 = {scales.chi_1:.4g}$, $\xi_c = {depth}$ layers")
    else:
        what = r"\infty" if math.isinf(scales.q_star) else "0"
        notes.append(f"one layer only: variances go to ${what}$")
    ax.set_xlim(-1.0, 1.03)
    ax.set_ylim(bottom, 1.03)
    name = "edge of chaos" if scales.phase == "edge" else f"{scales.phase} phase"
    ax.set_title(f"{name}, at $q = {curves.at:.5g}$", fontsize="medium")
    ax.set_xlabel("correlation $c$")
    ax.set_ylabel("after one layer $C(c)$")
    finish(ax, notes, below=True)
    return ax


def _staircase(ax: Any, path: FloatArray, label: str, floor: float) -> None:
    """The way (x₀, x₁), (x₁, x₁), (x₁, x₂), ... from the axis on."""
    corners = np.repeat(path, 2)
    ax.plot(corners[:-1], np.concatenate([[floor], corners[2:]]), color=VERMILLION, linewidth=0.9, label=label)


def _limit(one_minus_c: float) -> str:
    """c* as text, with the digits of 1 - c* where it is near 1."""
    if one_minus_c == 0:
        return "$c^* = 1$"
    return f"$1 - c^* = {one_minus_c:.3g}$" if one_minus_c < 1e-3 else f"$c^* = {_rounded(1 - one_minus_c)}$"


def _rounded(value: float) -> str:
    """Four digits, and 0 where only rounding is left."""
    return "0" if abs(value) < 1e-12 else f"{value:.4g}"


def _named(curves: MapCurves) -> str:
    """The layer: activation, σ_w, σ_b."""
    o = curves.scales.options
    return rf"{rounded_name(o['activation'])}, $\sigma_w = {o['sigma_w']:.5g}$, $\sigma_b = {o['sigma_b']:.5g}$"

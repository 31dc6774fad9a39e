r"""The variance map V of ReLU_τ, ST_τ, CReLU and CST on their edges of chaos at q* = 1, with all fixed points.

Without the clip V touches the diagonal from above: V'(q*) = 1, V'' > 0, and whatever fluctuates over q* never comes
back. With the clip V'(q*) is what was asked for, and q* attracts; where the slope is large V may meet the diagonal
twice more, at the wall of the basin and at a second variance that attracts, in which gradients explode (at 85 % zeros
and slope 0.9 CST has one, CReLU just not). Full dots attract, rings repel, half dots attract from below only. After
Price, Daultry Ball, Lam, Jones & Tanner (2024), arXiv:2402.16184; the second fixed point was found in this project.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpdeep import meanfield, sparse
from gpdeep.plots.figure import GREY

from ..drawing import COLOURS, Drawing, Numbers, numbers_in, panels
from .activations import NAMES

TITLE = "V of ReLU_τ, ST_τ, CReLU and CST with fixed points"
SMALL = {"points": 21, "slopes": "0.9"}

_LINES = ("-", "--", "-.", ":")


def draw(*, sparsity: float = 0.85, slopes: str = "0.9,0.5", q_max: float = 10.0, points: int = 301) -> Drawing:
    """Maps for a fraction `sparsity` of exact zeros, clipped ones at each of the `slopes`, q from 1/4 to `q_max`."""
    axs = panels(2, 2, height=2.65, sharex=True, sharey=True)
    numbers = Numbers()
    q = np.geomspace(0.25, q_max, points)
    wanted = numbers_in(slopes)
    for ax, kind in zip(axs, ("relu_tau", "st", "crelu", "cst"), strict=True):
        laws: list[tuple[Any, str]]
        if kind in ("relu_tau", "st"):
            laws = [(sparse.instability(kind, sparsity), "$V'(q^*) = 1$")]
        else:
            laws = [(sparse.design(kind, sparsity, slope=slope), f"$V'(q^*) = {slope:g}$") for slope in wanted]
        ax.plot(q, q, color=GREY, linewidth=0.9, linestyle=":", label="diagonal")
        for k, (law, label) in enumerate(laws):
            layer = meanfield.variance_map(law.phi, sigma_w=law.sigma_w, sigma_b=law.sigma_b)
            points_of_law = meanfield.fixed_points(law.phi, sigma_w=law.sigma_w, sigma_b=law.sigma_b).points
            colour = COLOURS[k % len(COLOURS)]
            ax.plot(q, layer(q), color=colour, linestyle=_LINES[k % len(_LINES)], label=label)
            shared = {"activation": law.phi.name, "slope_at_q_star": law.slope}
            numbers.add(**shared, q=q, variance_after_one_layer=layer(q))
            for point in points_of_law:
                kind_of_point = _kind(point)
                ax.plot([point.q], [point.q], **_marker(kind_of_point))
                numbers.add(
                    **shared, fixed_point=point.q, fixed_point_slope=point.slope, fixed_point_kind=kind_of_point
                )
        ax.set(xscale="log", yscale="log", xlim=(q[0], q[-1]), ylim=(q[0], 1.6 * q[-1]))
        ax.set_title(f"{NAMES[kind]}, {100 * sparsity:.4g} % zeros")
        ax.legend(loc="upper left")
        _plain_ticks(ax)
    for ax in axs[2:]:
        ax.set_xlabel("variance $q$")
    for ax in axs[::2]:
        ax.set_ylabel("after one layer $V(q)$")
    for kind_of_point, label in (("stable", "attracts"), ("unstable", "repels"), ("half", "attracts from below only")):
        axs[3].plot([], [], **_marker(kind_of_point), label=label)
    handles, labels = axs[3].get_legend_handles_labels()
    axs[0].figure.legend(handles[-3:], labels[-3:], loc="outside lower center", ncols=3)
    axs[3].legend(handles[:-3], labels[:-3], loc="upper left")
    return Drawing(axs[0].figure, numbers)


def _kind(point: Any) -> str:
    """Of a fixed point: stable, half stable (V only touches the diagonal), unstable."""
    if point.stable:
        return "stable"
    return "half" if point.basin[0] < point.q else "unstable"


def _marker(kind: str) -> dict[str, Any]:
    """Full, half or empty."""
    face = {"stable": "full", "half": "left", "unstable": "none"}[kind]
    style: dict[str, Any] = {"marker": "o", "markersize": 6, "linestyle": "none", "color": "black", "zorder": 3}
    style |= {"fillstyle": face, "markeredgecolor": "black", "markeredgewidth": 1.2, "markerfacecoloralt": "white"}
    return style | ({"markerfacecolor": "white", "fillstyle": "full"} if kind == "unstable" else {})


def _plain_ticks(ax: Any) -> None:
    """0.5, 1, 2, 5 in place of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())

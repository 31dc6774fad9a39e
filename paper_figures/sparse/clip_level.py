r"""Slope V'(q*) and curvature q* V''(q*) on the edge of chaos against the clip level m/√q*, for several sparsities.

The slope rises from 0 to 1 as the clip recedes, so that every slope has one level; the curvature changes its sign on
the way, and a positive one means that V bends up towards a second fixed point. Crosses are where that appears: with a
larger m there is a second stable variance. In units of √q* the curves of CReLU and CST are the same functions of τ; at
equal sparsity τ is larger for CST. After Price, Daultry Ball, Lam, Jones & Tanner (2024), arXiv:2402.16184, who choose
m by V'(q*) and V''(q*).
"""

from __future__ import annotations

import numpy as np

from gpdeep import sparse
from gpdeep.plots.figure import GREY

from ..drawing import COLOURS, Drawing, Numbers, numbers_in, panels
from .activations import NAMES

TITLE = "V'(q*) and V''(q*) against the clip level"
SMALL = {"sparsities": "0.8"}

_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))


def draw(*, kind: str = "crelu", sparsities: str = "0.6,0.7,0.8,0.85,0.9", m_max: float = 3.0) -> Drawing:
    """Curves of `kind` (crelu or cst) for fractions of exact zeros, up to the level `m_max` in units of √q*."""
    axs = panels(2, height=2.7)
    numbers = Numbers()
    curves = sparse.clip_curves(kind, numbers_in(sparsities))
    shown = np.concatenate([[True], curves.m[:-1] < m_max])  # up to the first level beyond
    for k, s in enumerate(curves.sparsity.tolist()):
        style = {"color": COLOURS[k % len(COLOURS)], "linestyle": _LINES[k % len(_LINES)]}
        m, slope, curvature = curves.m[shown], curves.slope[k, shown], curves.curvature[k, shown]
        end = sparse.fold(sparse.threshold(kind, s))
        numbers.add(activation=kind, sparsity=s, m=m, slope=slope, curvature=curvature, fold_m=end.m)
        for ax, values, at in zip(
            axs, (slope, curvature), (end.slope, sparse.clip_curvature(end.h, end.m)), strict=True
        ):
            ax.plot(m, values, label=f"{100 * s:.4g} %", **style)
            if end.m <= m_max:
                ax.plot([end.m], [at], marker="x", markersize=6, markeredgewidth=1.6, color=style["color"], zorder=3)
    axs[1].axhline(0.0, color=GREY, linewidth=0.7)
    axs[1].plot([], [], marker="x", color=GREY, linestyle="none", label="second stable variance from here on")
    for ax, label in zip(axs, ("slope $V'(q^*)$", "curvature $q^*V''(q^*)$"), strict=True):
        ax.set(xlabel=r"clip level $m/\sqrt{q^*}$", ylabel=label, xlim=(0, m_max))
    axs[0].set_ylim(0, 1)
    handles, labels = axs[1].get_legend_handles_labels()
    title = f"exact zeros of {NAMES[kind]}"
    axs[0].figure.legend(handles, labels, loc="outside lower center", ncols=6, title=title, columnspacing=1.2)
    return Drawing(axs[0].figure, numbers)

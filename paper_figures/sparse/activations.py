r"""The sparsifying activations of one sparsity, with and without the clip.

    ReLU_τ(x) = max(x - τ, 0)                   CReLU(x) = min(max(x - τ, 0), m)
    ST_τ(x)   = sign(x) max(|x| - τ, 0)         CST(x)   = sign(x) min(max(|x| - τ, 0), m)

Pre-activations of variance q* lie in the shaded stretch with the probability of the wanted sparsity; the clip level m
is the one at which the variance map has the wanted slope V'(q*). Without the clip the curves go on as the dashed lines;
ReLU and identity are drawn for comparison. After Price, Daultry Ball, Lam, Jones & Tanner (2024), arXiv:2402.16184.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gpdeep import activation, sparse
from gpdeep.plots.figure import BLUE, GREY, VERMILLION

from ..drawing import Drawing, Numbers, panels

TITLE = "ReLU_τ, ST_τ, CReLU and CST of one sparsity"
SMALL = {"points": 21}

PAIRS = (("crelu", "relu_tau", "relu"), ("cst", "st", "identity"))
"""With the clip, without it, and the activation that they are made of."""
NAMES = {"relu_tau": r"ReLU$_\tau$", "st": r"ST$_\tau$", "crelu": "CReLU", "cst": "CST"}


def draw(*, sparsity: float = 0.85, slope: float = 0.7, q: float = 1.0, points: int = 801) -> Drawing:
    """Activations for pre-activations of variance `q`, a fraction `sparsity` of exact zeros, and V'(q*) = `slope`."""
    axs = panels(2, height=2.9, sharey=True)
    numbers = Numbers()
    for ax, (clipped, unclipped, plain) in zip(axs, PAIRS, strict=True):
        law: Any = sparse.design(clipped, sparsity, slope=slope, q=q)
        tau, m = law.tau, law.m
        reach = max(3.2 * math.sqrt(q), tau + 1.6 * m)
        x = np.linspace(-reach, reach, points)
        bare = sparse.instability(unclipped, tau=tau, q=q).phi
        zeros = (-reach if clipped == "crelu" else -tau, tau)
        ax.axvspan(*zeros, color=GREY, alpha=0.13, linewidth=0, label=f"exact zeros: {100 * sparsity:.4g} %")
        for phi, name, style in (
            (activation(plain), "ReLU, identity", {"color": GREY, "linestyle": ":"}),
            (bare, rf"{NAMES['relu_tau']}, {NAMES['st']}", {"color": VERMILLION, "linestyle": "--"}),
            (law.phi, f"CReLU, CST with $V'(q^*) = {slope:g}$", {"color": BLUE, "linewidth": 2.0}),
        ):
            value = phi(x)
            ax.plot(x, value, label=name, **style)
            numbers.add(activation=phi.name, tau=tau, m=m, x=x, phi=value)
        _mark(ax, tau, m)
        ax.set(
            xlim=(-reach, reach),
            xlabel="pre-activation $x$",
            title=rf"{NAMES[clipped]}: $\tau = {tau:.4g}$, $m = {m:.4g}$",
        )
    top = max(float(row["phi"]) for row in numbers.rows if row["activation"].startswith(("relu_tau", "st")))
    low = min(float(row["phi"]) for row in numbers.rows if row["activation"].startswith("cst"))
    axs[0].set(ylabel=r"post-activation $\varphi(x)$", ylim=(min(1.5 * low, -0.15 * top), 0.75 * top))
    handles, labels = axs[0].get_legend_handles_labels()
    axs[0].figure.legend(handles, labels, loc="outside lower center", ncols=4, columnspacing=1.4)
    return Drawing(axs[0].figure, numbers)


def _mark(ax: Any, tau: float, m: float) -> None:
    """Threshold and clip level, as lengths."""
    arrow = {"arrowstyle": "<->", "color": "black", "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (tau + 1.45 * m, 0.0), (tau + 1.45 * m, m), arrowprops=arrow)
    ax.text(tau + 1.38 * m, 0.5 * m, "$m$", ha="right", va="center")
    ax.axhline(0.0, color="black", linewidth=0.5)
    ax.plot([tau], [0.0], marker="|", color="black", markersize=7)
    ax.annotate(r"$\tau$", (tau, 0.0), (0, -6), textcoords="offset points", ha="center", va="top")
